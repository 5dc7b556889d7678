#!/bin/bash
# Tokens/s of training, scoring and generation on a 135M-shaped model with random weights (SmolLM2-135M's shape,
# https://huggingface.co/HuggingFaceTB/SmolLM2-135M config.json), and the peak memory of each, as one table.
#
#   make bench [THREADS=N]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
PATH=$here/build/bin:$here/build/examples:$here/build/tests/bench:$PATH
threads=${THREADS:-$(nproc)}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >config.json <<'JSON'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 576, "intermediate_size": 1536,
 "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152,
 "max_position_embeddings": 8192, "rms_norm_eps": 1e-05, "rope_theta": 100000, "hidden_act": "silu",
 "tie_word_embeddings": true}
JSON
pro-world text -n 2000 | pro-model tokenizer --vocab 400 --out tok -q
pro-model init config.json --tokenizer tok --out model -q

# Records like HH-RLHF's medians: about 127 prompt tokens, 59 response tokens, n = 2.
awk -v n=32 'BEGIN { srand(1); split("cow cat dog lion owl bear frog duck horse wolf", w)
	for (i = 1; i <= n; i++) {
		p = ""; for (k = 0; k < 118; k++) p = p " " w[1 + int(rand() * 10)]
		printf "{\"id\":\"b:%d\",\"prompt\":[{\"role\":\"user\",\"content\":\"%s\"}],\"responses\":[", i, substr(p, 2)
		for (j = 0; j < 2; j++) {
			r = ""; for (k = 0; k < 58; k++) r = r " " w[1 + int(rand() * 10)]
			printf "%s{\"text\":\"%s\",\"source\":\"s%d\",\"reward\":%d}", j ? "," : "", substr(r, 2), j, -j
		}
		print "]}"
	}}' >records.jsonl
head -n 8 records.jsonl >few.jsonl

row() { printf '%-46s %10s %14s\n' "$1" "$2" "$3"; }
peak() { awk '{ m = $2 } END { printf "%.2f GiB", m / 1048576 }' "$1"; }
note() { sed -n 's/.*, \([0-9.]*\) tokens\/s$/\1/p' "$1"; } # what a program says at its end
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.0f", v[int((NR + 1) / 2)] }'; }

echo "135M shape (SmolLM2-135M), fp32, random weights; records of $(pro-score --policy model few.jsonl 2>/dev/null |
	jq -s 'map(.responses[].tokens) | add / length | round') response tokens after a prompt of about 127; $threads threads"
pro-model --version | tail -n 1
echo
row "job" "tokens/s" "peak memory"
measure train.mem pro-train -q --model model --method pro --out trained --threads "$threads" --max-steps 6 --save-steps 0 \
	--per-device-train-batch-size 4 --gradient-accumulation-steps 1 records.jsonl >log.jsonl
row "training, PRO, n = 2, 4 records a step (median)" \
	"$(tail -n +2 log.jsonl | jq .tokens_per_second | median)" "$(peak train.mem)"
measure score.mem pro-score --threads "$threads" --policy model records.jsonl 2>score.note >/dev/null
row "scoring, n = 2" "$(note score.note)" "$(peak score.mem)"
measure gen.mem pro-augment --threads "$threads" --model model -n 4 --max-tokens 64 few.jsonl 2>gen.note >/dev/null
row "generation, 4 samples of 64 for 8 prompts" "$(note gen.note)" "$(peak gen.mem)"
measure one.mem pro-augment --threads "$threads" --model model -n 1 --max-tokens 64 --batch 1 few.jsonl 2>one.note >/dev/null
row "generation, one sequence at a time" "$(note one.note)" "$(peak one.mem)"
