#ifndef PRO_KERNELS_BLAS_H
#define PRO_KERNELS_BLAS_H

#include <cblas.h>

/* cblas.h brings complex.h, whose I is the imaginary unit. */
#undef I

#endif
