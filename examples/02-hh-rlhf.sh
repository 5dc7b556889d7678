#!/bin/bash
# The pipeline on real data with a real pretrained model, sized for two cores:
#
#   examples/02-hh-rlhf.sh HH_FILE [FOLDER]
#
# HH_FILE is a file of HH-RLHF comparisons (harmless-base/test.jsonl.gz, for instance).  The model is
# SmolLM2-135M-Instruct (examples/fetch-smollm2.sh brings it), or any folder: MODEL=dir.  Results with the
# commands stand in examples/RESULTS.md.  Sizes can be set: RM=600 TRAIN=160 TEST=100, N=1 responses added to each
# record, LR=1e-5 of PRO; KEEP_RM=1 takes the reward model that is there.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 64; }
here=$(cd "$(dirname "$0")/.." && pwd)
PATH=$here/build/bin:$PATH
hh=$(realpath "$1")
dir=${2:-$here/build/hh-rlhf}
mkdir -p "$dir"
if [ -n "${MODEL:-}" ]; then
	model=$(realpath "$MODEL")
else
	model=$("$here/examples/fetch-smollm2.sh" "$dir/smollm2") || {
		echo "no SmolLM2: give another model folder, as MODEL=../shared/models/stories260K" >&2
		exit 69
	}
	model=$(realpath "$model")
fi
cd "$dir"
step() { printf '\n[%4ds] %s\n' "$SECONDS" "$*"; }
name=$(basename "$(dirname "$hh")")
part() { # PART COUNT: some records of a part; no prompt is in two parts
	pro-import -q --name "$name" --subset "$name" --split rm=.4,train=.3,test=.3 --part "$1" --sample "$2" --seed 1 "$hh"
}

step "Import: Table 1's count for this file"
pro-import --name "$name" --stats "$hh" >/dev/null
part rm "${RM:-600}" >rm.jsonl
part train "${TRAIN:-160}" >train.jsonl
part test "${TEST:-100}" >test.jsonl
wc -l rm.jsonl train.jsonl test.jsonl

step "A reward model from the real comparisons"
[ -n "${KEEP_RM:-}" ] && [ -e rm/pro.json ] || pro-train --overwrite --model "$model" --out rm --method rm --order given --num-train-epochs 1 --learning-rate 2e-5 \
	--max-length 512 rm.jsonl >rm.log
tail -n 1 rm.log
step "Its accuracy on held-out comparisons"
pro-score --reward rm test.jsonl | pro-eval --agreement reward

step "Expansion to length $((2 + ${N:-1})) with the model itself, reranked by the reward model"
pro-augment --model "$model" --source smollm2 -n "${N:-1}" --seed 1 --max-tokens 96 train.jsonl |
	pro-rerank --reward rm >ranked.jsonl

step "PRO"
pro-train --overwrite --model "$model" --out aligned --method pro --num-train-epochs 1 --learning-rate "${LR:-1e-5}" \
	ranked.jsonl >pro.log
tail -n 1 pro.log

step "Before and after, on the test part"
pro-augment --model "$model" --source before --greedy --max-tokens 96 test.jsonl |
	pro-augment --model aligned --source after --greedy --max-tokens 96 >answers.jsonl
pro-eval --hypothesis before --hypothesis after --hypothesis hh:rejected --hypothesis hh:chosen \
	--reference hh:chosen --bleu char,sacrebleu --reward rm answers.jsonl | tee table.txt
step "done"
