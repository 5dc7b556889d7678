#!/bin/bash
# Clumsy command lines and damaged model folders.
. tests/cli/lib.sh
. tests/cli/toy.sh
cd "$T" || exit 1
toy_model m lm 1 1 8 && toy_model rm reward 2 1 8 || { fail "toy models"; finish; }
toy_records 4 >in.jsonl
jq -c '.responses[0].reward = 2 | .responses[1].reward = 1' in.jsonl >ranked.jsonl
cp in.jsonl keep.jsonl

# --- files that are read and written at once
check_exit 64 "--rejects may not be an input" pro-score --policy m --rejects ./in.jsonl in.jsonl
check_err "that is said" "in.jsonl: is both input and --rejects ./in.jsonl"
# shellcheck disable=SC2094 # the mistake itself
pro-score --policy m --rejects in.jsonl <in.jsonl >out 2>err
holds "nor what standard input comes from" $? -eq 64
# shellcheck disable=SC2094
pro-score --policy m in.jsonl >>in.jsonl 2>err
holds "the output may not be an input" $? -eq 64
check_exit 64 "--resume may not be an input" pro-augment --model m --resume in.jsonl in.jsonl
check_exit 64 "nor --rejects" pro-augment --model m --resume new.jsonl --rejects new.jsonl in.jsonl
check_exit 64 "--from may not be --rejects" pro-augment --from keep.jsonl --rejects keep.jsonl in.jsonl
# shellcheck disable=SC2094
pro-rerank --rejects both ranked.jsonl >both 2>err
holds "--rejects may not be the output" $? -eq 64
cmp -s in.jsonl keep.jsonl && [ ! -e new.jsonl ]
holds "nothing was harmed" $? -eq 0
printf '{"precious":1}' >precious
check_exit 78 "--resume of something else without newline" pro-augment -q --model m --max-tokens 2 --resume precious in.jsonl
check_err "that is said" "precious: its last line has no newline and does not begin as the record"
holds "it is as it was" "$(cat precious)" = '{"precious":1}'

# --- values
check_exit 64 "an empty value" pro-train --model m --out "" ranked.jsonl
check_err "is named" "--out: the value is empty"
check_exit 64 "an empty operand" pro-score --policy m ""
check_exit 64 "a negative seed" pro-augment --model m --seed -1 in.jsonl
check_err "is told what a seed is" "'-1' is not a whole number from 0 to"
check_exit 64 "half a thread" pro-score --policy m --threads 0.5 in.jsonl
check_err "is told so" "'0.5' is not a whole number"
check_exit 78 "--max-length 1" pro-score --policy m --max-length 1 in.jsonl
check_err "names what is too short" "pro-score: --max-length 1: a prompt and a response need 3"
check_exit 78 "the same without input" pro-score --reward rm --max-length 1 /dev/null
check_exit 78 "and in training" pro-train --model m --out x --max-length 2 ranked.jsonl
check_exit 78 "--max-prompt-length 1" pro-augment --model m --max-prompt-length 1 in.jsonl
check_err "is told as well" "--max-prompt-length 1: a prompt needs 2 tokens"
check "--max-length 3 is enough" pro-score --policy m --max-length 3 in.jsonl
cp -r m sliding && sed -i 's/"model_type": "llama"/"model_type": "mistral", "sliding_window": 100/; s/Llama/Mistral/' sliding/config.json
check_exit 78 "a sliding window is noticed before anything is read" pro-score --policy sliding /dev/null
check_err "the way out is named" "--max-length 256: sliding_window is 100"
check "it does not matter within it" pro-score --policy sliding --max-length 100 in.jsonl

# --- a vocabulary that is no JSON is named
mkdir gpt2 && echo '{"a":' >gpt2/vocab.json && echo '#version: 0.2' >gpt2/merges.txt
check_exit 65 "a broken vocab.json" pro-model tokenize gpt2
check_err "is named" "gpt2: vocab.json: "

cat ranked.jsonl ranked.jsonl >twice.jsonl
check_exit 65 "pro-bootstrap with an id twice" pro-bootstrap --model m --reward rm --out boot --parts 2 twice.jsonl
check_err "names the line of its input" "pro-bootstrap: twice.jsonl:5: id 'r1' was read before"

# --- the best model so far rots while a run is interrupted
train=(pro-train --model m --out best -q --threads 1 --learning-rate 1e-2 --num-train-epochs 500 --save-steps 1
	--per-device-train-batch-size 1 --gradient-accumulation-steps 1 --validate in.jsonl --validate-reward rm
	--eval-steps 1 --eval-max-tokens 2)
: >log
"${train[@]}" ranked.jsonl >log 2>err &
pid=$!
while kill -0 $pid && [ "$(wc -l <log)" -lt 6 ]; do sleep 0.02; done
kill -TERM $pid
wait $pid
holds "a run with validation is interrupted" $? -eq 75
for f in best.checkpoints/best-*/model.safetensors; do
	printf '\x55' | dd of="$f" bs=1 seek=$(($(stat -c %s "$f") - 2)) conv=notrunc status=none
done
check_exit 65 "its best model is not what was written" "${train[@]}" --resume ranked.jsonl
check_err "and is named" "best-[0-9]*/model.safetensors: the file is not what was written"

# --- model folders with damaged files: an error of ours, or a result; never a signal
programs() { # DIR
	case $1 in m)
		run timeout 60 pro-score -q --threads 1 --policy damaged in.jsonl; codes="$codes $?"
		run timeout 60 pro-augment -q --threads 1 --max-tokens 2 --model damaged in.jsonl; codes="$codes $?"
		rm -rf out.model
		run timeout 60 pro-train -q --threads 1 --max-steps 1 --model damaged --out out.model ranked.jsonl; codes="$codes $?"
		;;
	rm)
		run timeout 60 pro-rerank -q --threads 1 --reward damaged in.jsonl; codes="$codes $?"
		run timeout 60 pro-eval -q --threads 1 --hypothesis a --reference b --reward damaged in.jsonl; codes="$codes $?"
		;;
	esac
	run timeout 60 pro-model info damaged; codes="$codes $?"
}
RANDOM=1
for dir in m rm; do
	for file in config.json model.safetensors tokenizer.json; do
		size=$(stat -c %s $dir/$file) codes=
		for i in $(seq 12); do
			rm -rf damaged && cp -r $dir damaged
			# most of what can go wrong is near the beginning
			at=$((RANDOM % (i % 3 ? (size < 600 ? size : 600) : size)))
			if [ $((i % 2)) -eq 0 ]; then
				truncate -s $at damaged/$file
			else
				# shellcheck disable=SC2059
				printf "\\x$(printf %x $((RANDOM % 256)))" | dd of=damaged/$file bs=1 seek=$at conv=notrunc status=none
			fi
			programs $dir
		done
		wrong=$(echo "$codes" | tr ' ' '\n' | grep -vxE '|0|6[56]|70|78' | sort | uniq -c)
		holds "$dir/$file, damaged 12 times" -z "$wrong"
	done
done

# bytes of the command line that are no UTF-8 come into records as U+FFFD, and nothing goes missing
bad=$(printf 'a\377') good=$(printf 'a\357\277\275')
pro-augment -q --model m --max-tokens 2 -n 1 --source "$bad" --stop "$bad" in.jsonl >out
holds "a source, a stop string" "$(jq -r '.responses[-1] | .source + .generated.stop[0]' out | sort -u)" = "$good$good"
pro-score -q --policy m --as "$bad" in.jsonl >out
holds "a name of scores" "$(jq -r '.responses[0] | keys_unsorted[-1]' out | sort -u)" = "${good}_tokens"
finish
