#ifndef PRO_STREAM_ANSWERS_H
#define PRO_STREAM_ANSWERS_H

#include "lib/stream/json.h"

/*
 * Answers that a record has elsewhere than where they are looked for: {"prompt", "candidates"} is
 * no prompt without responses.  What a member holds is told by the words of its name, and it must
 * be a text, a list or an object, not empty: response_length and num_answers, is_good and
 * answer_type are no answers.
 *
 * ANSWERS_ANY    whatever may be one: all_responses, gpt4_answer, model_output, winner, pos_resp
 * ANSWERS_SIDES  only what a prompt to sample from has no use for: chosen, rejected, completion,
 *                response, candidates; not answer or target, by which samples are checked
 */
enum answers { ANSWERS_ANY, ANSWERS_SIDES };

/* The first such member's name, v's; NULL: none. */
const char *answers_member(const json_t *v, enum answers which);

#endif
