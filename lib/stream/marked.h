#ifndef PRO_STREAM_MARKED_H
#define PRO_STREAM_MARKED_H

#include "lib/stream/dialogue.h"

/*
 * Whole conversations that a chat template has written already: ChatML (<|im_start|>), Llama 3
 * (<|start_header_id|>), Zephyr and Tulu (<|user|>), Open-Assistant (<|prompter|>), Guanaco
 * (### Human:).  A text is one when it begins with a turn of the user or the system and has one of
 * the assistant.
 */
bool marked_is(const char *text, size_t n);
/* Its turns, stripped, without their end tokens. */
void marked_read(struct dialogue *d, struct arena *a, const char *text, size_t n);

#endif
