#include "lib/gen/lengths.h"

int
lengths_resolve(const struct model_config *c, int default_length, int *max_length,
	int *max_prompt_length, struct err *e)
{
	int most = c->max_positions;
	if (*max_length > most)
		return err_set(e, ERR_CONFIG,
			"--max-length %d is above the model's max_position_embeddings %d",
			*max_length, most);
	if (*max_length == 0)
		*max_length = most < default_length ? most : default_length;
	int least = max_prompt_length ? LENGTHS_MIN_PROMPT + 1 : 2;
	if (*max_length < least)
		return err_set(e, ERR_CONFIG, "--max-length %d: a prompt and a response need %d",
			*max_length, least);
	if (config_check_length(c, *max_length, e) < 0)
		return err_prefix(e, "--max-length %d", *max_length);
	if (max_prompt_length == NULL)
		return 0;
	if (*max_prompt_length == 0)
		*max_prompt_length = *max_length < 512 ? *max_length * 3 / 4 : 384;
	if (*max_prompt_length < LENGTHS_MIN_PROMPT)
		return err_set(e, ERR_CONFIG, "--max-prompt-length %d: a prompt needs %d tokens",
			*max_prompt_length, LENGTHS_MIN_PROMPT);
	if (*max_prompt_length >= *max_length)
		return err_set(e, ERR_CONFIG,
			"--max-prompt-length %d leaves no room for a response within "
			"--max-length %d",
			*max_prompt_length, *max_length);
	return 0;
}
