#include "lib/text/template_impl.h"

#include <string.h>

/*
 * The built-in templates.  Sources: hh: section 4 of the PRO paper and its data; oasst: the model
 * cards of OpenAssistant/oasst-rm-*-pythia; alpaca: the prompt of Stanford Alpaca (its README);
 * the others: the chat_template that each model is published with.
 */
#define CHATML(NAME, DEFAULT)                                                            \
	{                                                                                \
		.name = (NAME),                                                          \
		.turn = {[ROLE_SYSTEM] = {"<|im_start|>system\n", "<|im_end|>\n"},       \
			[ROLE_USER] = {"<|im_start|>user\n", "<|im_end|>\n"},            \
			[ROLE_ASSISTANT] = {"<|im_start|>assistant\n", "<|im_end|>\n"}}, \
		.default_system = (DEFAULT), .generation = "<|im_start|>assistant\n",    \
		.eos = "<|im_end|>"                                                      \
	}

#define HEAD "<|start_header_id|>"
#define TAIL "<|end_header_id|>\n\n"
#define LLAMA3(NAME, SYSTEM, DEFAULT)                                                           \
	{                                                                                       \
		.name = (NAME),                                                                 \
		.turn = {[ROLE_SYSTEM] = {(SYSTEM), "<|eot_id|>"},                              \
			[ROLE_USER] = {HEAD "user" TAIL, "<|eot_id|>"},                         \
			[ROLE_ASSISTANT] = {HEAD "assistant" TAIL, "<|eot_id|>"}},              \
		.trim = true, .default_system = (DEFAULT), .generation = HEAD "assistant" TAIL, \
		.eos = "<|eot_id|>"                                                             \
	}

#define DATES "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"

static const struct template builtin[] = {
	/* The paper has no system turns; one is written as a paragraph without a speaker. */
	{.name = "hh",
		.turn = {[ROLE_SYSTEM] = {"\n\n", ""},
			[ROLE_USER] = {"\n\nHuman: ", ""},
			[ROLE_ASSISTANT] = {"\n\nAssistant: ", ""}},
		.generation = "\n\nAssistant:",
		.response_prefix = " ",
		.stops = {"Human:", "human:", "Assistant:", "assistant:"}},
	{.name = "oasst",
		.turn = {[ROLE_SYSTEM] = {"<|system|>", "<|endoftext|>"},
			[ROLE_USER] = {"<|prompter|>", "<|endoftext|>"},
			[ROLE_ASSISTANT] = {"<|assistant|>", "<|endoftext|>"}},
		.generation = "<|assistant|>",
		.eos = "<|endoftext|>"},
	/* A system turn takes the place of the opening sentences; further turns repeat the
	 * headings. */
	{.name = "alpaca",
		.turn = {[ROLE_USER] = {"\n\n### Instruction:\n", ""},
			[ROLE_ASSISTANT] = {"\n\n### Response:", ""}},
		.default_system =
			"Below is an instruction that describes a task. Write a response that "
			"appropriately completes the request.",
		.generation = "\n\n### Response:",
		.stops = {"\n\n### Instruction:"}},
	CHATML("chatml", NULL),
	CHATML("smollm2", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
	CHATML("qwen2", "You are a helpful assistant."),
	CHATML("qwen2.5", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
	{.name = "llama2",
		.turn = {[ROLE_SYSTEM] = {"<<SYS>>\n", "\n<</SYS>>\n\n"},
			[ROLE_USER] = {"[INST] ", " [/INST]"},
			[ROLE_ASSISTANT] = {" ", " {eos}{bos}"}},
		.fold_system = true,
		.trim = true,
		.response_prefix = " "},
	LLAMA3("llama3", HEAD "system" TAIL, NULL),
	/* 3.1 and 3.2 always have a system turn, which opens with two dates. */
	LLAMA3("llama3.1", HEAD "system" TAIL DATES, ""),
	{.name = "mistral",
		.turn = {[ROLE_SYSTEM] = {"", "\n\n"},
			[ROLE_USER] = {"[INST] ", " [/INST]"},
			[ROLE_ASSISTANT] = {" ", "{eos}"}},
		.fold_system = true,
		.response_prefix = " "},
	{.name = "zephyr",
		.turn = {[ROLE_SYSTEM] = {"<|system|>\n", "{eos}\n"},
			[ROLE_USER] = {"<|user|>\n", "{eos}\n"},
			[ROLE_ASSISTANT] = {"<|assistant|>\n", "{eos}\n"}},
		.generation = "<|assistant|>\n"},
	/* The prompt of summarize-from-feedback, with or without its closing "TL;DR:". */
	{.name = "tldr",
		.separator = "\n\n",
		.generation = "\nTL;DR:",
		.generation_once = true,
		.response_prefix = " ",
		.stops = {"\n\n"},
		.max_tokens = 64},
	/* Contents as they are, one paragraph each. */
	{.name = "plain", .separator = "\n\n"},
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

/*
 * Told by what the published templates of these families have and others lack: all of `has` and
 * none of `lacks`, first row first.
 */
static const struct {
	const char *name, *has[4], *lacks[4];
} fingerprints[] = {
	{"smollm2", {"<|im_start|>", "named SmolLM, trained by Hugging Face"}, {"<think>"}},
	{"qwen2.5",
		{"<|im_start|>",
			"You are Qwen, created by Alibaba Cloud. You are a helpful assistant."},
		{"<think>"}},
	{"qwen2", {"<|im_start|>system\\nYou are a helpful assistant"}, {"<think>"}},
	{"chatml", {"<|im_start|>", "<|im_end|>"}, {"<think>", "You are", "<tool_call>"}},
	{"llama3.1", {"<|start_header_id|>", "<|eot_id|>", "Cutting Knowledge Date"}, {NULL}},
	{"llama3", {"<|start_header_id|>", "<|eot_id|>"}, {"You are", "<think>"}},
	{"llama2", {"[INST]", "<<SYS>>"}, {NULL}},
	{"mistral", {"[INST] ", " [/INST]"}, {"AVAILABLE_TOOLS", "SYSTEM_PROMPT"}},
	{"oasst", {"<|prompter|>", "<|assistant|>"}, {NULL}},
	{"zephyr", {"<|user|>\\n", "<|assistant|>", "eos_token"}, {"<|end|>", "<think>"}},
	{"zephyr", {"<|user|>\n", "<|assistant|>", "eos_token"}, {"<|end|>", "<think>"}},
};

const char *
template_fingerprint(const char *jinja)
{
	for (size_t i = 0; i < sizeof fingerprints / sizeof fingerprints[0]; i++) {
		bool fits = true;
		for (int k = 0; k < 4; k++) {
			const char *has = fingerprints[i].has[k], *lacks = fingerprints[i].lacks[k];
			fits &= !has || strstr(jinja, has) != NULL;
			fits &= !lacks || strstr(jinja, lacks) == NULL;
		}
		if (fits)
			return fingerprints[i].name;
	}
	return NULL;
}
