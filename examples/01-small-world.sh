#!/bin/bash
# The whole pipeline on a small world (examples/world/world.c): every model below, the tokenizer included, is
# trained here by pro's own programs, and the true reward of any answer is known by rule.
#
#   examples/01-small-world.sh [FOLDER]     default: build/quickstart
#
# Interrupted, it keeps the steps that have ended, and the next run goes on with the one it was in; a run that
# came to its end, or of other programs, is begun anew: what the script makes is removed, and nothing else.
#
# Exits non-zero unless both reward models are right on more than 70 % of held-out comparisons, the policies'
# true rewards are ordered as they were built, with disjoint 95 % intervals, and PRO beats the model it started from.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
PATH=$here/build/bin:$here/build/examples:$PATH
dir=${1:-$here/build/quickstart}
if [ -n "$(ls -A "$dir" 2>/dev/null)" ] && [ ! -e "$dir/.small-world" ]; then
	echo "$dir: has files, and is no small world of this script" >&2
	exit 73
fi
# The programs and this script; what other ones have made is not gone on with.
made_by=$(cat "$here"/build/bin/* "$here/build/examples/pro-world" "$0" | sha256sum)
mkdir -p "$dir"
cd "$dir"
if [ "$(cat .small-world 2>/dev/null)" != "$made_by" ]; then
	rm -rf tokenizer llama-0 neox-0 {base,neox,low,mid,high,RM_train,RM_eval,PRO,SFT,PRO-s}{,.checkpoints,.work} \
		{llama,neox,heldout,report}.json demos-{base,low,mid,high}.jsonl {hh,boot}{,-3}.jsonl \
		{rm-train,rm-eval,heldout,test,answers,next,scored}.jsonl .ended-* \
		{base,neox,low,mid,high,rm-train,rm-eval,pro,sft,boot}.log
	echo "$made_by" >.small-world
fi

# if step OUTPUT... -- TITLE; then COMMANDS; ended; fi     OUTPUTs of an interrupted run are removed first; what
# can go on with --resume does
n_step=0
step() {
	local outputs=()
	while [ "$1" != -- ]; do outputs+=("$1") && shift; done
	n_step=$((n_step + 1)) title=$2 began=$SECONDS
	if [ -e ".ended-$n_step" ]; then
		printf '[%3ds] kept: %s\n' "$SECONDS" "$title"
		return 1
	fi
	rm -rf "${outputs[@]}"
	printf '[%3ds] %s\n' "$SECONDS" "$title"
}
ended() {
	: >".ended-$n_step"
	printf '[%3ds]   done in %d s\n' "$SECONDS" $((SECONDS - began))
}
trap 'printf "\ninterrupted in: %s\nThe same command goes on there.\n" "$title" >&2; exit 130' INT TERM

# Two judges of different sharpness compare answers; import gives records, subset by subset.
comparisons() { # NAME COUNT QUALITY SHARPNESS SEED
	for subset in helpful harmless; do
		pro-world pairs --subset $subset -n $(($2 / 2)) --quality "$3" --sharpness "$4" --seed "$5" |
			pro-import -q --format hh --name "$1-$subset" --subset $subset --expect $(($2 / 2))
	done >"$1.jsonl"
}

# Small batches of short rows: 32 records a step.  Progress and notes for somebody who looks on.
quiet=(-q)
[ -t 2 ] && quiet=()
train() {
	pro-train "${quiet[@]}" --resume --per-device-train-batch-size 32 --gradient-accumulation-steps 1 \
		--logging-steps 20 "$@"
}

if step tokenizer -- "The world: demonstrations of several qualities, comparisons by two judges"; then
	pro-world text -n 1500 --quality .5 --seed 10 | pro-model tokenizer --vocab 420 --out tokenizer
	pro-world demos -n 7000 --quality .35 --seed 1 >demos-base.jsonl
	pro-world demos -n 1500 --quality .10 --seed 2 >demos-low.jsonl
	pro-world demos -n 1500 --quality .60 --seed 3 >demos-mid.jsonl
	pro-world demos -n 1500 --quality .95 --seed 4 >demos-high.jsonl
	comparisons rm-train 3000 .5 2 5
	comparisons rm-eval 3000 .5 1.5 6
	comparisons heldout 600 .5 4 7
	comparisons hh 1200 .4 2 8
	comparisons boot 300 .4 2 9
	comparisons test 400 .6 4 10
	ended
fi

if step llama-0 neox-0 -- "A base model (LLaMA) and a base for the second reward model (GPT-NeoX), from scratch"; then
	cat >llama.json <<'JSON'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 96, "intermediate_size": 256,
 "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 0,
 "max_position_embeddings": 512, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "hidden_act": "silu",
 "tie_word_embeddings": true}
JSON
	cat >neox.json <<'JSON'
{"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "hidden_size": 96, "intermediate_size": 384,
 "num_hidden_layers": 3, "num_attention_heads": 4, "rotary_pct": 0.25, "rotary_emb_base": 10000, "vocab_size": 0,
 "max_position_embeddings": 512, "layer_norm_eps": 1e-05, "use_parallel_residual": true, "hidden_act": "gelu",
 "tie_word_embeddings": false}
JSON
	pro-model init llama.json --tokenizer tokenizer --seed 1 --out llama-0
	pro-model init neox.json --tokenizer tokenizer --seed 2 --out neox-0
	train --method sft --model llama-0 --out base --learning-rate 3e-3 --lr-scheduler-type cosine \
		--num-train-epochs 3 demos-base.jsonl >>base.log
	train --method sft --model neox-0 --out neox --learning-rate 3e-3 --lr-scheduler-type cosine \
		--num-train-epochs 3 demos-base.jsonl >>neox.log
	ended
fi

if step -- "Three policies of different quality (stand-ins for Curie, Alpaca, ChatGPT)"; then
	for q in low mid high; do
		train --method sft --model base --out $q --learning-rate 1e-3 --num-train-epochs 1 demos-$q.jsonl >>$q.log
	done
	ended
fi

if step -- "Two reward models: RM_train (LLaMA) and RM_eval (GPT-NeoX), on different comparisons"; then
	train --method rm --order given --model base --out RM_train --learning-rate 5e-4 --num-train-epochs 2 \
		rm-train.jsonl >>rm-train.log
	train --method rm --order given --model neox --out RM_eval --learning-rate 5e-4 --num-train-epochs 2 \
		rm-eval.jsonl >>rm-eval.log
	pro-score -q --reward RM_train --as RM_train heldout.jsonl | pro-score -q --reward RM_eval --as RM_eval |
		pro-world reward --as true |
		pro-eval -q --agreement RM_train --agreement RM_eval \
			--agreement true --format json >heldout.json
	ended
fi

expand() { # FILE COUNT
	pro-augment -q --model high --source high -n 1 --seed 21 --expect "$2" "$1" |
		pro-rerank -q --reward RM_train --expect "$2"
}
if step -- "Expansion to length 3 with the strongest model, reranked by RM_train"; then
	expand hh.jsonl 1200 >hh-3.jsonl
	expand boot.jsonl 300 >boot-3.jsonl
	ended
fi

if step -- "PRO on the rankings of length 3; SFT on the human choices"; then
	train --method pro --model base --out PRO --learning-rate 5e-4 --num-train-epochs 2 hh-3.jsonl >>pro.log
	train --method sft --model base --out SFT --learning-rate 5e-4 --num-train-epochs 2 hh.jsonl >>sft.log
	ended
fi

if step -- "One round of self-bootstrapping from PRO"; then
	pro-bootstrap "${quiet[@]}" --resume --model PRO --reward RM_train --out PRO-s --parts 1 \
		--learning-rate 2e-4 --num-train-epochs 1 \
		--per-device-train-batch-size 32 --gradient-accumulation-steps 1 boot-3.jsonl >>boot.log
	ended
fi

if step -- "Evaluation on held-out prompts"; then
	cp test.jsonl answers.jsonl
	for m in base low mid high SFT PRO PRO-s; do
		how=(--greedy)
		case $m in low | mid | high) how=(--temperature 1) ;; esac # as they serve in an expansion
		pro-augment -q --model $m --source $m "${how[@]}" --max-tokens 64 --expect 400 answers.jsonl >next.jsonl
		mv next.jsonl answers.jsonl
	done
	pro-score -q --reward RM_eval --as RM_eval --expect 400 answers.jsonl | pro-world reward --as true >scored.jsonl
	ended
fi
systems=()
for m in base low mid high SFT PRO PRO-s hh:chosen; do systems+=(--hypothesis "$m"); done
report() { pro-eval -q "${systems[@]}" --reference hh:chosen --reward-field RM_eval --field true "$@" scored.jsonl; }
echo
report --by subset
report --format json >report.json

echo
bad=0
check() { # NAME JQ_CONDITION FILE
	if jq -e "$2" "$3" >/dev/null; then echo "ok: $1"; else echo "FAILED: $1" && bad=1; fi
}
accuracy() { jq -r ".[] | select(.agreement == \"$1\") | 100 * .accuracy | . * 10 | round / 10" heldout.json; }
for rm in RM_train RM_eval; do
	check "$rm is right on more than 70 % of held-out comparisons: $(accuracy $rm) % (the true reward: $(accuracy true) %)" \
		".[] | select(.agreement == \"$rm\") | .accuracy > .70" heldout.json
done
true_of='def t(s): .[] | select(.system == s) | .fields.true;'
check "true rewards are ordered as built, with disjoint 95 % intervals: low < mid < high" \
	"$true_of t(\"low\").high < t(\"mid\").low and t(\"mid\").high < t(\"high\").low" report.json
check "PRO beats the model it started from, with disjoint 95 % intervals" \
	"$true_of t(\"PRO\").low > t(\"base\").high" report.json
jq -r "$true_of [t(\"SFT\").mean, t(\"PRO\").mean, t(\"PRO-s\").mean | . * 1000 | round / 1000] |
	\"as it fell: true reward SFT \\(.[0]), PRO \\(.[1]), PRO after a round of self-bootstrapping \\(.[2])\"" report.json
echo ended >.small-world # begun anew the next time
printf '[%3ds] %s\n' "$SECONDS" "$([ $bad -eq 0 ] && echo 'All checks hold' || echo 'A check failed')"
cat <<END
The models and all that was made on the way are in $dir.
To hear one:  head -n 2 $dir/test.jsonl | pro-augment --model $dir/PRO --greedy
END
exit $bad
