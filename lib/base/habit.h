#ifndef PRO_BASE_HABIT_H
#define PRO_BASE_HABIT_H

#include "lib/base/option.h"

/*
 * Option names that people bring from other tools (Hugging Face's trainers and generate(),
 * torchrun, llama.cpp, make).  If name [n] is one, and its option is in o or a sentence explains
 * it, writes "did you mean --ours? sentence" into out and returns true.
 */
bool habit_guess(const struct options *o, const char *name, size_t n, struct buf *out);
/*
 * The same for the value of an option that has choices, where a method of the field that is none of
 * them is told to be no more than not there yet: what to say behind "'VALUE' is none of A|B: ".
 */
bool habit_value(const char *option, const char *value, struct buf *out);

#endif
