#ifndef PRO_ALIGN_NUMBERED_H
#define PRO_ALIGN_NUMBERED_H

#include <stdint.h>

/* Numbers N of all entries "PREFIXN" of dir, descending, into *v, which the caller frees; how many
 * (0 where dir is not there); -1 with errno when it cannot be read to its end, and *v NULL. */
int numbered_list(const char *dir, const char *prefix, int64_t **v);

#endif
