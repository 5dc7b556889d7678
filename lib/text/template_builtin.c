#include "lib/text/template_impl.h"

#include <string.h>

/*
 * The built-in templates.  Sources: hh: section 4 of the PRO paper and its data; oasst: the model
 * cards of OpenAssistant/oasst-rm-*-pythia; alpaca: the prompt of Stanford Alpaca (its README);
 * the others: the chat_template that each model is published with.
 */
#define CHATML(NAME, DEFAULT)                                                                 \
	{                                                                                     \
		.name = (NAME),                                                               \
		.lit.turn = {[ROLE_SYSTEM] = {"<|im_start|>system\n", "<|im_end|>\n"},        \
			[ROLE_USER] = {"<|im_start|>user\n", "<|im_end|>\n"},                 \
			[ROLE_ASSISTANT] = {"<|im_start|>assistant\n", "<|im_end|>\n"}},      \
		.lit.default_system = (DEFAULT), .lit.generation = "<|im_start|>assistant\n", \
		.eos = "<|im_end|>"                                                           \
	}

#define HEAD "<|start_header_id|>"
#define TAIL "<|end_header_id|>\n\n"
#define LLAMA3(NAME, PREAMBLE, DEFAULT)                                                        \
	{                                                                                      \
		.name = (NAME),                                                                \
		.lit.turn = {[ROLE_SYSTEM] = {HEAD "system" TAIL, "<|eot_id|>"},               \
			[ROLE_USER] = {HEAD "user" TAIL, "<|eot_id|>"},                        \
			[ROLE_ASSISTANT] = {HEAD "assistant" TAIL, "<|eot_id|>"}},             \
		.lit.trim = true, .lit.preamble = (PREAMBLE), .lit.default_system = (DEFAULT), \
		.lit.generation = HEAD "assistant" TAIL, .eos = "<|eot_id|>"                   \
	}

#define DATES "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"

static const struct template builtin[] = {
	/* The paper has no system turns; one is written as a paragraph without a speaker. */
	{.name = "hh",
		.lit.turn = {[ROLE_SYSTEM] = {"\n\n", ""},
			[ROLE_USER] = {"\n\nHuman: ", ""},
			[ROLE_ASSISTANT] = {"\n\nAssistant: ", ""}},
		.lit.generation = "\n\nAssistant:",
		.lit.response_prefix = " ",
		.stops = {"Human:", "human:", "Assistant:", "assistant:"}},
	{.name = "oasst",
		.lit.turn = {[ROLE_SYSTEM] = {"<|system|>", "<|endoftext|>"},
			[ROLE_USER] = {"<|prompter|>", "<|endoftext|>"},
			[ROLE_ASSISTANT] = {"<|assistant|>", "<|endoftext|>"}},
		.lit.generation = "<|assistant|>",
		.eos = "<|endoftext|>"},
	/* A system turn takes the place of the opening sentences; further turns repeat the
	 * headings. */
	{.name = "alpaca",
		.lit.turn = {[ROLE_USER] = {"\n\n### Instruction:\n", ""},
			[ROLE_ASSISTANT] = {"\n\n### Response:", ""}},
		.lit.default_system =
			"Below is an instruction that describes a task. Write a response that "
			"appropriately completes the request.",
		.lit.generation = "\n\n### Response:",
		.stops = {"\n\n### Instruction:"}},
	CHATML("chatml", NULL),
	CHATML("smollm2", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
	CHATML("qwen2", "You are a helpful assistant."),
	CHATML("qwen2.5", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
	{.name = "llama2",
		.lit.turn = {[ROLE_SYSTEM] = {"<<SYS>>\n", "\n<</SYS>>\n\n"},
			[ROLE_USER] = {"[INST] ", " [/INST]"},
			[ROLE_ASSISTANT] = {" ", " {eos}{bos}"}},
		.lit.fold_system = true,
		.lit.trim = true,
		.lit.response_prefix = " "},
	LLAMA3("llama3", NULL, NULL),
	/* 3.1 and 3.2 always begin with a system turn, which opens with two dates. */
	LLAMA3("llama3.1", DATES, ""),
	{.name = "mistral",
		.lit.turn = {[ROLE_SYSTEM] = {"", "\n\n"},
			[ROLE_USER] = {"[INST] ", " [/INST]"},
			[ROLE_ASSISTANT] = {" ", "{eos}"}},
		.lit.fold_system = true,
		.lit.response_prefix = " "},
	{.name = "zephyr",
		.lit.turn = {[ROLE_SYSTEM] = {"<|system|>\n", "{eos}\n"},
			[ROLE_USER] = {"<|user|>\n", "{eos}\n"},
			[ROLE_ASSISTANT] = {"<|assistant|>\n", "{eos}\n"}},
		.lit.generation = "<|assistant|>\n"},
	/* The prompt of summarize-from-feedback, with or without its closing "TL;DR:". */
	{.name = "tldr",
		.lit.separator = "\n\n",
		.lit.generation = "\nTL;DR:",
		.lit.generation_once = true,
		.lit.response_prefix = " ",
		.stops = {"\n\n"},
		.max_tokens = 64},
	/* Contents as they are, one paragraph each. */
	{.name = "plain", .lit.separator = "\n\n"},
};

enum { N_BUILTIN = sizeof builtin / sizeof builtin[0] };

const struct template *
template_builtin(const char *name)
{
	for (int i = 0; i < N_BUILTIN; i++)
		if (strcmp(builtin[i].name, name) == 0)
			return &builtin[i];
	return NULL;
}

void
template_builtin_names(struct buf *out)
{
	for (int i = 0; i < N_BUILTIN; i++)
		buf_printf(out, "%s%s", i ? ", " : "", builtin[i].name);
}
