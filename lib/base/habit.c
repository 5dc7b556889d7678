#include "lib/base/habit.h"

#include <ctype.h>
#include <string.h>

#define FILES "inputs are operands: FILE... or standard input"
#define STDOUT "the result goes to standard output: > FILE"
#define ALL_WEIGHTS "all weights are trained; adapters are not there"

/*
 * In the order tried: the first row whose option the program has wins.  A row without an option is
 * a sentence for programs that have none.
 */
/* clang-format off */
static const struct habit {
	const char *names, *ours, *sentence;
} habits[] = {
	{"temp", "temperature", NULL},
	{"lr|step-size|eta", "learning-rate", NULL},
	{"epochs|num-epochs|n-epochs|max-epochs|train-epochs", "num-train-epochs", NULL},
	{"steps|num-steps|max-train-steps|iters|max-iters|train-steps", "max-steps", NULL},
	{"warmup-steps|num-warmup-steps|warmup", "warmup-ratio", "It is a share of all updates"},
	{"scheduler|lr-scheduler|lr-schedule", "lr-scheduler-type", NULL},
	{"batch-size|train-batch-size|bs|micro-batch-size", "per-device-train-batch-size",
		"Times --gradient-accumulation-steps it is the records of an update"},
	{"batch-size|bs", "batch", NULL},
	{"batch-size|bs", "batch-records", NULL},
	{"per-device-eval-batch-size|eval-bs", "eval-batch-size", NULL},
	{"grad-accum|gradient-accumulation|accumulation-steps|grad-acc", "gradient-accumulation-steps", NULL},
	{"clip|grad-clip|clip-grad-norm|max-norm|gradient-clipping", "max-grad-norm", NULL},
	{"wd", "weight-decay", NULL},
	{"eval-file|eval-data|eval-dataset|validation-file|valid|val", "validate", NULL},
	{"model-name-or-path|model-path|model-name|model-dir|base-model|pretrained|checkpoint|m|hf-model",
		"model", NULL},
	{"model-name-or-path|model-path|model-name|model-dir|base-model|pretrained|model|m", "policy",
		"Or --reward for a reward model"},
	{"model-name-or-path|model-path|model|m", "reward", NULL},
	{"reward-model|reward-model-path|reward-model-name-or-path|rm|rm-path|reward-path", "reward", NULL},
	{"output-dir|output-path|output|save-dir|save-path|out-dir|o|output-file", "out", NULL},
	{"output-dir|output-path|output|out|out-dir|o|output-file|outfile", NULL, STDOUT},
	{"input|input-file|input-path|i|file|f|files|data|data-path|data-file|dataset|dataset-name|"
	 "dataset-path|train-file|train-data|train-dataset|prompts", NULL, FILES},
	{"max-new-tokens|n-predict|max-gen-len|max-length-tokens|max-completion-tokens", "max-tokens", NULL},
	{"max-seq-length|max-seq-len|seq-len|seq-length|model-max-length|cutoff-len|max-len|ctx-size|"
	 "context-length|block-size", "max-length", NULL},
	{"max-prompt-len|prompt-length|prompt-max-len", "max-prompt-length", NULL},
	{"do-sample|sample|sampling", "greedy", "Sampling is the default"},
	{"num-return-sequences|num-samples|n-samples|num-generations|best-of|samples|n-sample|count",
		"number", NULL},
	{"num-samples|n-samples|max-samples|max-examples|limit|subsample|head", "sample", NULL},
	{"num-samples|n-samples|max-samples|max-examples|limit|head", NULL, "head -n N before it, or pro-import --sample N"},
	{"stop-sequences|stop-strings|stop-words|stop-sequence|stop-string|stop-word|stop-token|stop-tokens|"
	 "stop-token-ids|eos-token|eos", "stop", NULL},
	{"chat-template|prompt-template|prompt-format|conv-template", "template", NULL},
	{"label|tag|model-id", "source", NULL},
	{"algorithm|algo|loss|loss-type|trainer|objective", "method", NULL},
	{"gpu|gpus|cuda|n-gpu|num-gpus|device-map|gpu-id", "device", NULL},
	{"jobs|j|workers|num-workers|nproc|num-proc|num-threads|n-threads|cores|parallel|t", "threads", NULL},
	{"random-seed|rng-seed|rand-seed|random-state|manual-seed", "seed", NULL},
	{"verbose|v|debug|log-level|progress", "quiet", "Progress and notes are the default"},
	{"silent|no-progress|disable-tqdm|s", "quiet", NULL},
	{"V", "version", NULL},
	{"force|overwrite-output-dir|overwrite-output|f", "overwrite", NULL},
	{"resume-from-checkpoint|continue|resume-from|resume-training", "resume", NULL},
	{"fp16|bf16|half|mixed-precision|precision|dtype|torch-dtype|outtype", "save-dtype",
		"Training computes in float32"},
	{"precision|torch-dtype|outtype|type", "dtype", NULL},
	{"fp16|bf16|half|mixed-precision|precision|dtype|torch-dtype", NULL,
		"weights are read in the type that they are stored in; pro-train --save-dtype sets it"},
	{"gradient-checkpointing|activation-checkpointing|use-gradient-checkpointing", "plan",
		"It says what memory a run needs; nothing is computed twice"},
	{"deepspeed|fsdp|accelerate|ddp|local-rank|zero-stage|nproc-per-node|num-processes|num-machines|"
	 "tensor-parallel-size|tp", NULL, "a run is one process on one machine, of --threads"},
	{"ref-model|reference-model|ref-policy|reference-policy|ref-model-path|sft-model", NULL,
		"training has no reference model; pro-score --policy REF --as ref adds its "
		"log-probabilities to the records"},
	{"lora|use-lora|use-peft|peft|lora-r|lora-rank|lora-alpha|adapter|qlora|load-in-4bit|load-in-8bit|lora-*|qlora-*|peft-*",
		NULL, ALL_WEIGHTS},
	{"report-to|logging-dir|wandb|wandb-project|tensorboard|log-file|run-name", NULL,
		"the log is JSON Lines on standard output"},
	{"log-steps|log-interval|log-every|logging-interval", "logging-steps", NULL},
	{"save-interval|checkpoint-steps|checkpoint-every|save-every", "save-steps", NULL},
	{"eval-interval|eval-every|evaluation-steps", "eval-steps", NULL},
	{"dry-run|estimate|n", "plan", NULL},
	{"dryrun|n|print", "dry-run", NULL},
	{"iterations|rounds|num-rounds|num-iterations|k", "parts", NULL},
	{"top-n|n-best|keep|top", "length", NULL},
	{"metric|metrics", "bleu", "Or --reward, --field, --agreement"},
	{"hyp|hypotheses|system|systems|predictions|candidate|sys", "hypothesis", NULL},
	{"ref|refs|references|gold|target", "reference", NULL},
	{"json|csv|output-format|table", "format", NULL},
	{"vocab-size|size|n-vocab", "vocab", NULL},
	{"min-frequency|min-freq", "min-count", NULL},
	{"special-tokens|user-defined-symbols", "special", NULL},
	{"group-by|groupby|per", "by", NULL},
	{"zero-terminated|null-data|print0|z", "null", NULL},
	{"column|score-field|reward-column|score|reward-name", "reward-field", NULL},
};
/* clang-format on */

/* Whether "a|b|c" has the word name [n], or "a*" how it begins; '_' is '-' in name. */
static bool
has_name(const char *names, const char *name, size_t n)
{
	for (const char *s = names;; s++) {
		size_t len = strcspn(s, "|"), i = 0;
		while (i < len && i < n && s[i] == (name[i] == '_' ? '-' : name[i]))
			i++;
		if ((i == len && i == n) || (i < len && s[i] == '*'))
			return true;
		s += len;
		if (*s == '\0')
			return false;
	}
}

bool
habit_guess(const struct options *o, const char *name, size_t n, struct buf *out)
{
	for (size_t i = 0; i < sizeof habits / sizeof *habits; i++) {
		const struct habit *h = &habits[i];
		if (!has_name(h->names, name, n))
			continue;
		if (h->ours && options_find(o, h->ours, strlen(h->ours), 0) < 0)
			continue;
		if (h->ours)
			buf_printf(out, "did you mean --%s?%s", h->ours, h->sentence ? " " : "");
		if (h->sentence)
			buf_puts(out, h->sentence);
		return true;
	}
	return false;
}

/* Values of other tools; names are in lower case. */
/* clang-format off */
static const struct value {
	const char *option, *names, *ours, *sentence;
} values[] = {
	{"method", "reward|reward-model|reward-modeling|reward-modelling|rw|bt|bradley-terry", "rm", NULL},
	{"method", "supervised|finetune|fine-tune|finetuning|lm|clm|instruct", "sft", NULL},
	{"method", "best-of-n|best-of|rejection-sampling|raft", "bon", NULL},
	{"method", "preference-ranking-optimization|plackett-luce|listwise", "pro", NULL},
	{"method", "dpo|ipo|cpo|orpo|kto|simpo|ppo|grpo|rloo|rrhf|slic|slic-hf|sppo|nca|bco|reinforce|rlhf|"
		"online-dpo|iterative-dpo|gkd|coh|alpaca-farm", NULL, "is not there yet"},
};
/* clang-format on */

bool
habit_value(const char *option, const char *value, struct buf *out)
{
	size_t n = strlen(value);
	char lower[32];
	if (n >= sizeof lower)
		return false;
	for (size_t i = 0; i < n; i++)
		lower[i] = (char)tolower((unsigned char)value[i]);
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		const struct value *v = &values[i];
		if (strcmp(v->option, option) != 0 || !has_name(v->names, lower, n))
			continue;
		if (v->ours)
			buf_printf(out, "did you mean %s?", v->ours);
		else
			buf_printf(out, "%s %s", value, v->sentence);
		return true;
	}
	return false;
}
