#!/bin/bash
# The command line of all programs: options without effect are refused, unknown ones are answered with
# what was meant, and every --help fits 80 columns.
. tests/cli/lib.sh

programs="pro-import pro-augment pro-score pro-rerank pro-train pro-bootstrap pro-eval"
for p in $programs pro-model "pro-model init" "pro-model info" "pro-model tokenizer" "pro-model tokenize" "pro-model import"; do
	# shellcheck disable=SC2086 # a command is two words
	run $p --help
	holds "$p --help fits 80 columns" "$(awk 'length > 80' "$T/out" | wc -l)" -eq 0
done

# OPTIONS, then what is said: nothing else is looked at before
vain() {
	local said=$1
	shift
	check_exit 64 "$*" "$@"
	check_err "$1 says why" "^${1%% *}: $said\$"
}
vain '--eval-steps has no effect without --validate' pro-train --model m --out o --eval-steps 5
vain '--eval-batch-size has no effect without --validate' pro-train --model m --out o --eval-batch-size 5
vain '--eval-max-tokens has no effect without --validate' pro-train --model m --out o --eval-max-tokens 5
vain '--beta has no effect with --no-sft' pro-train --model m --out o --no-sft --beta 3
vain '--beta has no effect with --method sft, only with pro' pro-train --model m --out o --method sft --beta auto
vain '--no-sft has no effect with --method rm, only with pro' pro-train --model m --out o --method rm --no-sft
vain '--no-temperature has no effect .*' pro-train --model m --out o --method bon --no-temperature
vain '--first-only has no effect .*' pro-train --model m --out o --method sft --first-only
vain '--listwise has no effect with --method pro, only with rm' pro-train --model m --out o --listwise
vain '--num-train-epochs has no effect with --max-steps 3' pro-train --model m --out o --max-steps 3 --num-train-epochs 1
vain '--reward-field has no effect with --method sft, .*' pro-train --model m --out o --method sft --reward-field r
for option in '--greedy' '--temperature 1' '--top-p .9' '--top-k 3' '--max-tokens 3' '--stop x' '--template hh' '--batch 2' \
	'--max-length 9' '--max-prompt-length 9' '--on-overlong drop' '--resume x' '--seed 3'; do
	# shellcheck disable=SC2086
	vain "${option%% *} has no effect without --model" pro-augment --from f $option
done
for option in '--temperature 1' '--top-p .9' '--top-k 3' '--seed 3'; do
	# shellcheck disable=SC2086
	vain "${option%% *} has no effect with --greedy" pro-augment --model m --greedy $option
done
vain '--tensors has no effect without --policy' pro-score --reward m --tensors
vain '--as has no effect with --tensors' pro-score --policy m --tensors --as x
vain '--reward-field has no effect without --tensors' pro-score --policy m --reward-field x
vain '--max-prompt-length has no effect without --policy' pro-score --reward m --max-prompt-length 9
for option in '--template hh' '--max-length 9' '--on-overlong drop'; do
	# shellcheck disable=SC2086
	vain "${option%% *} has no effect without --reward" pro-rerank $option
	# shellcheck disable=SC2086
	vain "${option%% *} has no effect without --reward" pro-eval --hypothesis a --field x $option
done
vain '--batch-records has no effect without --reward' pro-rerank --batch-records 3
vain '--bleu has no effect without --reference' pro-eval --hypothesis a --field x --bleu char
for option in '--reference a' '--reward a' '--reward-field a' '--field a' '--by a'; do
	# shellcheck disable=SC2086
	vain "${option%% *} has no effect without --hypothesis" pro-eval --agreement x $option
done
vain '--seed has no effect without --sample' pro-import --seed 3
vain '--paragraphs has no effect with --format trl, only with .*hh.*' pro-import --format trl --paragraphs drop
for p in pro-score pro-rerank pro-eval "pro-model info" "pro-model import"; do
	# shellcheck disable=SC2086
	vain "unknown option '--seed': nothing is drawn at random here" $p --seed 3
done
vain "unknown option '--rejects': it means nothing here" pro-model tokenize --rejects x m

# zero is off: no refusal, and the next complaint is another
check_exit 66 "--max-steps 0 is none" pro-train --model "$T/none" --out "$T/o" --max-steps 0 --num-train-epochs 1
check "--threads is a bound, also where nothing is computed" pro-import --threads 1 --device cpu

# WRONG, then what is guessed
guess() {
	check_exit 64 "$1 $2 is unknown" "$1" "$2" 3
	check_err "and guessed" "^$1: unknown option '$2': $3"
	check_err "and --help is named" "^$1: try '$1 --help'"
}
guess pro-train --lr 'did you mean --learning-rate\?'
guess pro-train -lr 'did you mean --learning-rate\?'
guess pro-train --output_dir 'did you mean --out\?'
guess pro-train --output-dir 'did you mean --out\?'
guess pro-train --warmup-steps 'did you mean --warmup-ratio\? It is a share'
guess pro-train --batch-size 'did you mean --per-device-train-batch-size\?'
guess pro-train --epochs 'did you mean --num-train-epochs\?'
guess pro-train --model_name_or_path 'did you mean --model\?'
guess pro-train --gpus 'did you mean --device\?'
guess pro-train --lora-r 'all weights are trained'
guess pro-train --learnign-rate 'did you mean --learning-rate\?'
guess pro-train -resume 'did you mean --resume\?'
guess pro-train -model 'did you mean --model\?'
guess pro-augment --max-new-tokens 'did you mean --max-tokens\?'
guess pro-augment --do-sample 'did you mean --greedy\?'
guess pro-augment --num-return-sequences 'did you mean --number\?'
guess pro-augment --batch-size 'did you mean --batch\?'
guess pro-augment -j 'did you mean --threads\?'
guess pro-score --model 'did you mean --policy\?'
guess pro-score --batch_size 'did you mean --batch-records\?'
guess pro-score --output 'the result goes to standard output'
guess pro-import --input 'inputs are operands'
guess pro-import --num-samples 'did you mean --sample\?'
guess pro-augment --temp 'did you mean --temperature\?'
guess pro-augment --n 'did you mean -n, --number\?'
guess pro-augment --num-samples 'did you mean --number\?'
guess pro-score --num-samples 'head -n N before it'
guess pro-augment --stop-token 'did you mean --stop\?'
guess pro-train --ref-model 'training has no reference model; pro-score --policy REF --as ref'
guess pro-train --gradient-checkpointing 'did you mean --plan\?'
guess pro-train --deepspeed 'a run is one process on one machine'
guess pro-train --lora_target_modules 'all weights are trained'
guess pro-train --fp16 'did you mean --save-dtype\?'
guess pro-score --fp16 'weights are read in the type that they are stored in'
for wrong in temp kelt hex p; do
	check_exit 64 "--$wrong" pro-score --$wrong
	holds "is not --help" "$(grep -c 'mean.*--help?' "$T/err")" -eq 0
done
for method in dpo DPO ppo orpo kto simpo grpo rrhf; do
	check_exit 64 "--method $method" pro-train --method $method
	check_err "is not there yet" "'$method' is none of pro.sft.bon.rm: $method is not there yet"
done
check_exit 64 "--method reward" pro-train --method reward
check_err "is rm" 'did you mean rm\?'
for same in --greedy '--temperature 0' '--top-k 1'; do
	# shellcheck disable=SC2086 # words
	check_exit 64 "$same -n 3 is three times the same" pro-augment --model m $same -n 3
	check_err "and says so" "^pro-augment: --number 3 with $same: nothing is drawn"
done
guess pro-bootstrap --lr 'did you mean --learning-rate\?'
check_exit 64 "a wrong choice" pro-train --method rn
check_err "is guessed too" "'rn' is none of pro\|sft\|bon\|rm: did you mean rm\?"
check_exit 64 "nothing like it" pro-train --bananas
check_err "is no reason to guess" "^pro-train: unknown option '--bananas'\$"
check_exit 64 "a command of pro-model" pro-model tokeniser
check_err "is guessed" "'tokeniser': did you mean tokenizer\?"
finish
