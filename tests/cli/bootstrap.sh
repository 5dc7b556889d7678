#!/bin/bash
# pro-bootstrap from end to end, with toy models.
. tests/cli/lib.sh
. tests/cli/toy.sh
cd "$T" || exit 1
if ! toy_model policy lm 1 || ! toy_model rm reward 2; then
	fail "toy models"
	finish
fi
toy_records 40 >in.jsonl
base=(pro-bootstrap --model policy --reward rm --parts 3 --threads 1 --template plain --max-tokens 24
	--max-length 120 --num-train-epochs 1 --per-device-train-batch-size 2
	--gradient-accumulation-steps 1 --learning-rate 1e-3 --save-steps 2)
boot() {
	"${base[@]}" "$@"
}

MATRIX_SKIP=counts matrix pro-bootstrap --parts 3 --part 1 in.jsonl
for p in 0 1 2; do pro-bootstrap --parts 3 --part $p in.jsonl >"part$p"; done
sort part0 part1 part2 >a && pro-bootstrap --parts 1 --part 0 in.jsonl | sort >b
same "the parts are the whole" a b

# An uninterrupted run
# An uninterrupted run.  lib.sh keeps its output in $T/out, so models are called otherwise.
check "a run" boot --out whole --rejects rejects in.jsonl
cp out log
check_err "says where it is" "part-2 .3 of 3.: pro-train"
check_err "and how much there was" "40 records in 3 parts"
check_err "and how long it took" "whole: 3 parts in [0-9.:]+( s)?$"
holds "leaves a model" -s whole/model.safetensors -a -s whole/pro.json -a -s whole/config.json
holds "with the tokenizer of the first one" "$(cksum <policy/tokenizer.json)" = "$(cksum <whole/tokenizer.json)"
holds "and a log line per step on stdout" "$(grep -c '"pro_loss"' log)" -eq "$(wc -l <log)" -a -s log
for p in 0 1 2; do
	same "part $p is what --part prints" part$p whole.work/part-$p/data.jsonl
	holds "part $p: one sample per record, by its policy" \
		"$(grep -c "\"source\":\"bootstrap:$p\"" whole.work/part-$p/ranked.jsonl)" -eq "$(wc -l <part$p)"
done
cut -d'"' -f1-4 whole.work/part-1/ranked.jsonl >a
cut -d'"' -f1-4 part1 >b
same "records keep their order" a b
! grep -v '"responses":\[{"text":"answer [0-9]*","source":"a"' whole.work/part-1/ranked.jsonl >/dev/null
holds "by default no sample takes the first place" $? -eq 0
hashes() { grep -o '"hash":"[0-9a-f]*","template":"plain","max_tokens"' "whole.work/part-$1/augmented.jsonl" | sort -u; }
holds "a part is sampled by one policy" "$(hashes 1 | wc -l)" -eq 1
holds "the one trained on the part before" "$(hashes 0)" != "$(hashes 1)" -a "$(hashes 1)" != "$(hashes 2)"
differ "training changed the policy" policy/model.safetensors whole/model.safetensors
holds "no policy but the last has moved" -d whole.work/part-1/model -a ! -e whole.work/part-2/model
holds "prompts cut to the length are gathered" -e rejects

same_model() {
	same "$1" "$2/model.safetensors" whole/model.safetensors
}
check "a second run" boot --out again --quiet in.jsonl
holds "--quiet is quiet" ! -s err
same_model "has the same bytes" again
check "--clean" boot --out clean --clean in.jsonl
same_model "leaves the same model" clean
holds "and no work" ! -e clean.work
boot --out piped - <in.jsonl >/dev/null 2>err
same_model "standard input is taken" piped
check "--naive" boot --naive --out naive in.jsonl
grep -v '"responses":\[{"text":"answer [0-9]*","source":"a"' naive.work/part-0/ranked.jsonl >/dev/null
holds "lets others be first" $? -eq 0
differ "and trains another model" naive/model.safetensors whole/model.safetensors

check "--sample-key" boot --sample-key source --out keyed in.jsonl
holds "reaches the samples" "$(grep -c '"sample_key":"source"' keyed.work/part-1/augmented.jsonl)" -gt 0
differ "which are others" keyed.work/part-0/augmented.jsonl whole.work/part-0/augmented.jsonl

# --dry-run is the same thing as a script
check "--dry-run" boot --out "dry 'run" --dry-run in.jsonl
cp out script
holds "does nothing" ! -e "dry 'run.work"
check "its script runs" bash script
same_model "and trains the same model" "dry 'run"
check "--dry-run without operands" boot --out dry2 --dry-run
cp out script
bash script <in.jsonl >/dev/null 2>err
same_model "its script reads standard input" dry2

# What may not be
check_exit 73 "what is there is not replaced" boot --out whole in.jsonl
check "unless --overwrite" boot --out again --overwrite in.jsonl
same_model "which gives the same model" again
check "--resume of a finished run is done" boot --out whole --resume in.jsonl
check_err "and says so" "whole: done: nothing to do"
same_model "and changes nothing" whole
check_exit 78 "with other options it is another run" boot --out whole --resume --max-tokens 7 in.jsonl
check "--resume of no run begins" boot --out begun --resume in.jsonl
same_model "as without it" begun
mkdir held.work && exec 8<held.work && flock 8
check_exit 75 "another run is at work" boot --out held in.jsonl
exec 8<&-
check_exit 64 "a wrong number for another program" boot --out none --learning-rate much in.jsonl
check_err "is found before anything is done" "pro-train: --learning-rate: 'much' is not a number"
check_exit 64 "--parts is needed" pro-bootstrap --model policy --reward rm --out none in.jsonl
check_exit 64 "--part beyond --parts" pro-bootstrap --parts 2 --part 2 in.jsonl
check_exit 64 "--naive and --keep-top" boot --out none --naive --keep-top in.jsonl
check_exit 64 "several samples that would be the same" boot --out none --temperature 0 -n 2 in.jsonl
check_exit 65 "no records" boot --out none /dev/null
check_exit 65 "a part without records" boot --out none --parts 400 in.jsonl
check_exit 65 "--expect" boot --out none --expect 41 in.jsonl
check_exit 66 "no input" boot --out none missing.jsonl
holds "leave nothing" ! -e none.work
for wrong in "66 missing: no such folder --model missing" "66 missing: no such folder --reward missing" \
	"78 policy: LlamaForCausalLM has no reward head --reward policy" \
	"78 rm: a reward model .*, not a language model --model rm" \
	"66 missing.jsonl: No such file --validate missing.jsonl --validate-reward rm" \
	"78 policy: .* no reward head --validate in.jsonl --validate-reward policy" \
	"78 max-length --reward-max-length 100000" "64 nosuch --reward-template nosuch"; do
	words=${wrong#* --}
	pattern=${wrong%% --*}
	# shellcheck disable=SC2086 # words
	check_exit "${wrong%% *}" "--$words" boot --out none --$words in.jsonl
	check_err "is told by name" "${pattern#* }"
	holds "before anything is done" ! -e none.work
	# shellcheck disable=SC2086 # words
	check_exit "${wrong%% *}" "--resume --$words" boot --resume --out none --$words in.jsonl
	holds "too" ! -e none.work
done
check_exit 78 "--overwrite with a wrong model" boot --out whole --overwrite --reward policy in.jsonl
same_model "leaves what is there" whole
check_exit 65 "a program's failure is ours" boot --on-overlong error --max-prompt-length 3 --out failed in.jsonl
check_err "and says which" "part-0 .1 of 3.: pro-augment"
check_err "and that other options begin anew" "part-0: pro-augment failed .exit 65.: .* --overwrite"
echo '{"id":"r1","prompt":"x","responses":[{"text":"b"' >torn.jsonl
check_exit 65 "a torn record" boot --out none torn.jsonl
mkdir bin && cp "$(command -v pro-bootstrap)" bin/
PATH=$T/bin:/usr/bin:/bin check_exit 69 "without the other programs" bin/pro-bootstrap --model policy \
	--reward rm --parts 2 --out none in.jsonl

# Interrupted at every program of two parts, then resumed: the same bytes.
# stop SIGNAL PATTERN: runs until a path in stopped.work fits, then sends the signal; exit status in
# $rc.  A run that was faster than the look is done again.
stop() {
	local pid i tries
	for tries in 1 2 3 4 5 6 7 8 9 10; do
		rm -rf stopped stopped.work
		"${base[@]}" --out stopped in.jsonl >log 2>err & # not a function: $! is to be the program
		pid=$!
		for ((i = 0; i < 3000; i++)); do
			compgen -G "stopped.work/$2" >/dev/null && break
			kill -0 $pid 2>/dev/null || break
			sleep 0.01
		done
		kill "-$1" $pid 2>/dev/null
		wait $pid 2>/dev/null
		rc=$?
		[ $rc -ne 0 ] && break
	done
	[ "$tries" -le 1 ] || echo "# tried $tries times"
}
for at in part-0/augmented.jsonl.partial part-0/ranked.jsonl.partial "part-0/model.checkpoints/step-*" \
	part-1/augmented.jsonl.partial part-2/model.checkpoints; do
	stop TERM "$at"
	holds "SIGTERM at $at: exit 75" "$rc" -eq 75 -a ! -e stopped
	check_exit 73 "not begun again by mistake" boot --out stopped in.jsonl
	check "resumed" boot --out stopped --resume in.jsonl
	same_model "has the same bytes" stopped
	for f in augmented ranked; do
		cat stopped.work/part-?/$f.jsonl >a
		cat whole.work/part-?/$f.jsonl >b
		same "the same $f.jsonl" a b
	done
	stop KILL "$at"
	holds "SIGKILL at $at" "$rc" -eq 137 -a ! -e stopped
	check "resumed" boot --out stopped --resume in.jsonl
	same_model "has the same bytes" stopped
done
stop INT part-1/ranked.jsonl.partial
holds "SIGINT: exit 75" "$rc" -eq 75
check_exit 78 "resumed with another option" boot --out stopped --resume --learning-rate 2e-3 in.jsonl
check_err "names it" "begun with .learning-rate \"1e-3\"., this is .learning-rate \"1e-3\" \"2e-3\"."
head -n 39 in.jsonl >other.jsonl
check "two stops" boot --out two --stop a --stop b in.jsonl
check_exit 78 "are not one of two words" boot --out two --resume --stop 'a b' in.jsonl
check "a stop of lines" boot --out lines --stop $'\n\nHuman:' in.jsonl
check_exit 78 "is not one of other lines" boot --out lines --resume --stop $'\nThe dog\nHuman:' in.jsonl
head -n 3 two.work/options >options && mv options two.work/options
check_exit 78 "options of which only the first lines are there" boot --out two --resume --stop a --stop b in.jsonl
check_exit 78 "resumed with other input" boot --out stopped --resume other.jsonl
check_err "says so" "input"
boot --out stopped --resume </dev/null >log 2>err
same_model "resumed without reading standard input" stopped
finish
