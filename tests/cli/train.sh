#!/bin/bash
# pro-train end to end on a tiny model that pro-model makes.
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0
check() { # NAME STATUS
	if [ "$2" -eq 0 ]; then echo "ok - $1"; else echo "not ok - $1" && bad=1; fi
}
skip() { # NAME WHY
	echo "ok - $1 # SKIP $2"
}
# exits WANT COMMAND...: the command ends with that status; its stderr is kept in $tmp/err
exits() {
	local want=$1 got=0
	shift
	"$@" >"$tmp/out" 2>"$tmp/err" || got=$?
	[ $got -eq "$want" ] || { echo "# exit $got, not $want: $*" && sed 's/^/# /' "$tmp/err" && return 1; }
}
says() { # the last stderr has this text
	grep -qF -- "$1" "$tmp/err" || { echo "# no '$1' in:" && sed 's/^/# /' "$tmp/err" && return 1; }
}
field() { # NAME FILE: the values of a member of every log line
	grep -o "\"$1\":[^,}]*" "$2" | sed 's/^[^:]*://; s/.*"://'
}
near() { # TOLERANCE FILE FILE: numbers line by line, relative
	paste "$2" "$3" | awk -v t="$1" '{ d = $1 - $2; if (d < 0) d = -d; s = $2 < 0 ? -$2 : $2; if (s < 1) s = 1
		if (NF != 2 || d > t * s) { print "# " $1 " and " $2; bad = 1 } } END { exit bad || NR == 0 }'
}
same() { # two model folders have the same weights
	cmp "$1/model.safetensors" "$2/model.safetensors"
}

# A world: the good answer names what was asked for, the bad ones do not.
records() { # N FIRST
	awk -v n="$1" -v first="$2" 'BEGIN {
		split("red blue green black white", c); split("cat dog bird fish horse", a)
		for (i = first; i < first + n; i++) {
			x = c[i % 5 + 1]; y = a[int(i / 5) % 5 + 1]
			printf "{\"id\":\"w:%d\",\"prompt\":[{\"role\":\"user\",\"content\":\"A %s %s, please.\"}],", i, x, y
			printf "\"responses\":[{\"text\":\"No idea.\",\"reward\":-1},"
			printf "{\"text\":\"Here is a %s %s.\",\"reward\":1.5},", x, y
			printf "{\"text\":\"Here is a %s.\",\"reward\":0.25}]}\n", y } }'
}
records 40 0 >"$tmp/train.jsonl"
records 6 60 >"$tmp/dev.jsonl"
sed 's/,"reward":[-0-9.]*//g' "$tmp/train.jsonl" >"$tmp/plain.jsonl"
cat >"$tmp/config.json" <<-'END'
	{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":32,"intermediate_size":64,
	"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":128,
	"rms_norm_eps":1e-05,"rope_theta":10000.0,"hidden_act":"silu","tie_word_embeddings":false,
	"torch_dtype":"float32","initializer_range":0.05}
END
grep -o '"content":"[^"]*"\|"text":"[^"]*"' "$tmp/train.jsonl" | sed 's/^[^:]*:"//; s/"$//' >"$tmp/text"
pro-model tokenizer --vocab 320 --out "$tmp/tok" --quiet <"$tmp/text" &&
	pro-model init --out "$tmp/base" --tokenizer "$tmp/tok" --quiet "$tmp/config.json"
check "a tokenizer and a model to start from" $?

run() { # OUT OPTION...: a run of 20 updates; "exec="exec" run ... &" is pro-train itself, for signals
	local out=$1
	shift
	${exec:-} pro-train --model "$tmp/base" --out "$out" --quiet --threads 1 --learning-rate 2e-3 \
		--per-device-train-batch-size 2 --gradient-accumulation-steps 2 "$@" "$tmp/train.jsonl"
}
run "$tmp/whole" >"$tmp/whole.log"
rc=$?
check "pro trains" $rc
first=$(field loss "$tmp/whole.log" | head -n 5 | awk '{ s += $1 } END { print s }')
last=$(field loss "$tmp/whole.log" | tail -n 5 | awk '{ s += $1 } END { print s }')
awk -v a="$first" -v b="$last" 'BEGIN { exit !(b < 0.7 * a) }' && [ "$(wc -l <"$tmp/whole.log")" -eq 20 ]
check "the loss falls over 20 updates" $?
for f in config.json model.safetensors pro.json; do [ -s "$tmp/whole/$f" ] || rc=1; done
[ ! -e "$tmp/whole.checkpoints" ] && [ -z "$(find "$tmp" -mindepth 1 -name '*tmp*')" ] && [ $rc -eq 0 ]
check "OUT is whole and nothing else is left" $?

run "$tmp/again" >"$tmp/again.log" && same "$tmp/whole" "$tmp/again" &&
	cmp <(sed 's/"tokens_per_second":[^,]*,//' "$tmp/whole.log") <(sed 's/"tokens_per_second":[^,]*,//' "$tmp/again.log")
check "same seed, same bytes" $?
pro-train --model "$tmp/base" --out "$tmp/stdin" --quiet --threads 1 --learning-rate 2e-3 \
	--gradient-accumulation-steps 2 <"$tmp/train.jsonl" >/dev/null && same "$tmp/whole" "$tmp/stdin"
check "FILE is <FILE" $?
run "$tmp/seed" --seed 7 >/dev/null && ! cmp -s "$tmp/whole/model.safetensors" "$tmp/seed/model.safetensors"
check "another seed, another order" $?
run "$tmp/two" --threads 2 >"$tmp/two.log" &&
	near 1e-6 <(field loss "$tmp/whole.log" | head -n 5) <(field loss "$tmp/two.log" | head -n 5)
check "one and two threads agree to 1e-6" $?
run "$tmp/four" --per-device-train-batch-size 4 --gradient-accumulation-steps 1 >"$tmp/four.log" &&
	run "$tmp/one" --per-device-train-batch-size 1 --gradient-accumulation-steps 4 >"$tmp/one.log" &&
	near 1e-6 <(field loss "$tmp/whole.log" | head -n 5) <(field loss "$tmp/four.log" | head -n 5) &&
	near 1e-6 <(field loss "$tmp/whole.log" | head -n 5) <(field loss "$tmp/one.log" | head -n 5)
check "the loss does not depend on micro-batch and accumulation" $?

# --- methods
pro-rerank --quiet --threads 1 "$tmp/train.jsonl" >"$tmp/sorted.jsonl"
train() { # OUT METHOD FILE OPTION...
	pro-train --model "$tmp/base" --out "$1" --quiet --threads 1 --learning-rate 2e-3 --method "$2" "${@:4}" "$3"
}
train "$tmp/bon" bon "$tmp/train.jsonl" >/dev/null && train "$tmp/sft" sft "$tmp/sorted.jsonl" >"$tmp/sft.log" &&
	train "$tmp/given" sft "$tmp/train.jsonl" >/dev/null && same "$tmp/bon" "$tmp/sft" &&
	! cmp -s "$tmp/given/model.safetensors" "$tmp/sft/model.safetensors"
check "bon is sft on the best by reward; sft takes the first as given" $?
! grep -q pro_loss "$tmp/sft.log" && [ "$(field loss "$tmp/sft.log" | head -n 1)" = "$(field sft_loss "$tmp/sft.log" | head -n 1)" ]
check "under sft the loss is the sft loss" $?
exits 65 train "$tmp/x" pro "$tmp/plain.jsonl" && says "plain.jsonl:1" && says pro-rerank && says --no-temperature
check "a missing reward names the ways out" $?
train "$tmp/notemp" pro "$tmp/plain.jsonl" --no-temperature --no-sft --first-only >"$tmp/notemp.log" &&
	cmp <(field loss "$tmp/notemp.log") <(field pro_loss "$tmp/notemp.log")
check "the ablations need no reward; without SFT the loss is the PRO loss" $?
exits 65 train "$tmp/x" pro "$tmp/train.jsonl" --order given && says "must not rise"
check "--order given with rising rewards is refused" $?
train "$tmp/rm" rm "$tmp/train.jsonl" --num-train-epochs 8 >"$tmp/rm.log" &&
	[ "$(field rewards/accuracies "$tmp/rm.log" | tail -n 1 | cut -c1-4)" = 1.0 ] && grep -q rm_loss "$tmp/rm.log"
check "a reward model learns the ranking from a model without a head" $?
pro-score --reward "$tmp/rm" --quiet --threads 1 "$tmp/dev.jsonl" | pro-rerank --quiet --threads 1 >"$tmp/scored.jsonl" &&
	! grep -v '"responses":\[{"text":"Here is a [a-z]* [a-z]*\."' "$tmp/scored.jsonl"
check "it ranks records it has not seen" $?
exits 78 pro-train --model "$tmp/rm" --out "$tmp/x" --quiet "$tmp/train.jsonl"
check "a reward model is no policy" $?
train "$tmp/rm2" rm "$tmp/plain.jsonl" --listwise --max-steps 3 >"$tmp/rm2.log" && grep -q rm_loss_rank "$tmp/rm2.log"
check "rm without rewards takes the order; list-wise has terms" $?

# --- tensor streams
pro-score --policy "$tmp/base" --tensors --quiet --threads 1 "$tmp/train.jsonl" >"$tmp/stream" &&
	run "$tmp/records" --max-steps 5 >"$tmp/records.log" && cp "$tmp/train.jsonl" "$tmp/keep.jsonl" &&
	cp "$tmp/stream" "$tmp/train.jsonl" && run "$tmp/tensors" --max-steps 5 --expect 40 >"$tmp/tensors.log" &&
	same "$tmp/records" "$tmp/tensors" && cmp <(field loss "$tmp/records.log") <(field loss "$tmp/tensors.log")
check "a tensor stream trains as its records do" $?
rc=0
for bytes in 9 1000 $(($(stat -c %s "$tmp/stream") - 1)); do
	head -c "$bytes" "$tmp/stream" >"$tmp/train.jsonl"
	exits 65 run "$tmp/x" || rc=1
done
check "a stream cut short is 65" $rc
cp "$tmp/stream" "$tmp/train.jsonl"
exits 78 run "$tmp/x" --max-length 64 && says "max" && exits 78 run "$tmp/x" --template plain && says template &&
	exits 78 run "$tmp/x" --method rm
check "a stream of other lengths, another template or for a reward model is refused" $?
# some that do not fit: --order given wants rewards that do not rise
sort='.responses |= sort_by(-.reward)'
jq -c "if input_line_number % 10 == 3 then . else $sort end" "$tmp/keep.jsonl" >"$tmp/rising.jsonl"
jq -c "if input_line_number % 10 == 3 then empty else $sort end" "$tmp/keep.jsonl" >"$tmp/sorted.jsonl"
pro-score --policy "$tmp/base" --tensors --quiet --threads 1 "$tmp/rising.jsonl" >"$tmp/train.jsonl"
exits 65 run "$tmp/x" --order given && says "frame 3: responses[1]: reward"
check "a record of a stream that does not fit is 65" $?
run "$tmp/skip" --order given --max-steps 5 --on-bad-line skip --rejects "$tmp/rejects" >"$tmp/skip.log" &&
	[ "$(jq -c '[.line, .record.id]' "$tmp/rejects" | tr '\n' ' ')" = '[3,"w:2"] [13,"w:12"] [23,"w:22"] [33,"w:32"] ' ] &&
	cp "$tmp/sorted.jsonl" "$tmp/train.jsonl" && run "$tmp/fit" --order given --max-steps 5 >"$tmp/fit.log" &&
	same "$tmp/skip" "$tmp/fit"
check "--on-bad-line skip passes over it" $?
mv "$tmp/keep.jsonl" "$tmp/train.jsonl"

# --- validation
run "$tmp/val" --validate "$tmp/dev.jsonl" --validate-reward "$tmp/rm" --eval-steps 7 --eval-max-tokens 12 >"$tmp/val.log"
rc=$?
[ $rc -eq 0 ] && [ "$(grep eval_reward "$tmp/val.log" | field step /dev/stdin | tr '\n' ' ')" = "0 7 14 20 " ] &&
	grep '"step":0,' "$tmp/val.log" | grep -q '"best":false'
check "validation at step 0, every 7 and at the end" $?
best=$(grep '"best":true' "$tmp/val.log" | field step /dev/stdin | tail -n 1)
if [ "$best" = 20 ]; then same "$tmp/val" "$tmp/whole"; else
	run "$tmp/best" --max-steps "$best" >/dev/null && same "$tmp/val" "$tmp/best"
fi
check "OUT is the best step ($best)" $?

{ cat "$tmp/dev.jsonl" && sed -n "1s/please/please$(printf ' now%.0s' {1..60})/p" "$tmp/dev.jsonl"; } >"$tmp/long.jsonl"
validating() { # OPTION...: one step and the validation of 7 prompts, one too long
	exits "$1" pro-train --model "$tmp/base" --out "$tmp/vcut" --overwrite --threads 1 --max-steps 1 --eval-max-tokens 4 \
		--max-length 60 --validate "$tmp/long.jsonl" --validate-reward "$tmp/rm" "${@:2}" "$tmp/train.jsonl"
}
validating 0 && says "validation on 7 records, 0 dropped, 1 prompt cut" && says "rm: template hh (stored in pro.json)" &&
	validating 0 --on-overlong drop && says "validation on 6 records, 1 dropped, 0 prompts cut" &&
	validating 65 --on-overlong error && says "long.jsonl:7: too long"
check "what validation cuts or drops, and its template, are said" $?

# --- interrupted
exec="exec" run "$tmp/term" --num-train-epochs 200 >"$tmp/term.log" &
pid=$!
while [ ! -s "$tmp/term.log" ]; do sleep 0.02; done
kill -TERM $pid
wait $pid
[ $? -eq 75 ] && [ ! -e "$tmp/term" ] && [ -d "$tmp/term.checkpoints" ]
check "SIGTERM ends with 75 and a checkpoint" $?
exits 73 run "$tmp/term" --num-train-epochs 200 && says --resume
check "an unfinished run is not overwritten by mistake" $?
exits 78 run "$tmp/term" --num-train-epochs 200 --resume --weight-decay 0.1 && says "weight-decay"
check "--resume refuses other options" $?
cp "$tmp/train.jsonl" "$tmp/keep.jsonl"
records 40 1 >"$tmp/train.jsonl"
exits 78 run "$tmp/term" --num-train-epochs 200 --resume && says "training data"
check "--resume refuses other data" $?
mv "$tmp/keep.jsonl" "$tmp/train.jsonl"

# Again and again until it is done: SIGTERM after 3 lines of each part's log.
parts() { # OUT OPTION...; $n is the number of parts
	local more="" rc
	for n in $(seq 60); do
		: >"$tmp/parts.log" # here, or the lines of the part before would be counted
		# shellcheck disable=SC2086
		exec="exec" run "$@" --quiet $more >"$tmp/parts.log" 2>/dev/null &
		pid=$!
		while kill -0 $pid 2>/dev/null && [ "$(wc -l <"$tmp/parts.log")" -lt 3 ]; do sleep 0.01; done
		kill -TERM $pid 2>/dev/null
		wait $pid
		rc=$?
		[ $rc -eq 75 ] || return $rc
		more=--resume
	done
	return 1
}
run "$tmp/long" --num-train-epochs 6 >/dev/null
parts "$tmp/parts" --num-train-epochs 6 && [ "$n" -gt 1 ] && same "$tmp/long" "$tmp/parts"
check "resumed after $((n - 1)) SIGTERMs: the same bits" $?
validated=(--num-train-epochs 3 --validate "$tmp/dev.jsonl" --validate-reward "$tmp/rm" --eval-steps 2 --eval-max-tokens 12)
run "$tmp/vlong" "${validated[@]}" >"$tmp/vlong.log"
parts "$tmp/vparts" "${validated[@]}" && [ "$n" -gt 1 ] && same "$tmp/vlong" "$tmp/vparts" &&
	cmp <(grep eval_reward "$tmp/vlong.log" | tail -n 1) <(grep eval_reward "$tmp/parts.log" | tail -n 1)
check "the same with validation, $((n - 1)) times" $?

# SIGKILL: at random moments, and in the middle of a save (tmp-* is there only then).
killed() { # OUT LINES|save|never: starts or resumes, and kills: after so many lines of log, or in a save
	local more=--overwrite
	compgen -G "$1.checkpoints/step-*" >/dev/null && more=--resume
	: >"$tmp/kill.log"
	exec="exec" run "$1" --num-train-epochs 6 --save-steps 1 $more >"$tmp/kill.log" 2>"$tmp/err" &
	pid=$!
	if [ "$2" = save ]; then
		while kill -0 $pid 2>/dev/null && ! compgen -G "$1.checkpoints/tmp-*" >/dev/null; do :; done
	elif [ "$2" = never ]; then
		wait $pid
	else
		while kill -0 $pid 2>/dev/null && [ "$(wc -l <"$tmp/kill.log")" -lt "$2" ]; do sleep 0.00$((RANDOM % 9)); done
	fi
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
}
RANDOM=42 kills=0 torn=0
while [ ! -e "$tmp/killed" ] && [ $kills -lt 100 ]; do
	if [ $((kills % 2)) -eq 0 ]; then when=save; else when=$((RANDOM % 2 + 1)); fi
	killed "$tmp/killed" $when
	compgen -G "$tmp/killed.checkpoints/tmp-*" >/dev/null && torn=$((torn + 1))
	kills=$((kills + 1))
	# towards the end let it finish
	if [ $kills -ge 12 ]; then killed "$tmp/killed" never; fi
done
[ $torn -ge 4 ] && [ -e "$tmp/killed" ] && same "$tmp/long" "$tmp/killed"
check "resumed after $kills SIGKILLs, $torn in a save: the same bits" $?

# --- exit codes
exits 64 pro-train --nonsense && exits 64 pro-train --out "$tmp/x" </dev/null && says "--model"
check "wrong usage is 64" $?
exits 64 run "$tmp/x" --beta -1 && exits 64 run "$tmp/x" --beta 1x && exits 64 run "$tmp/x" --method sft --no-sft
check "a wrong --beta, and options of another method" $?
exits 66 pro-train --model "$tmp/base" --out "$tmp/x" "$tmp/none.jsonl" && says none.jsonl &&
	exits 66 pro-train --model "$tmp/none" --out "$tmp/x" "$tmp/train.jsonl"
check "no input, no model: 66" $?
exits 73 run "$tmp/whole" && says "--overwrite"
check "a finished OUT: 73" $?

# what is said: model and steps before the first one, what came of it at the end
spoken=(pro-train --model "$tmp/base" --threads 1 --gradient-accumulation-steps 2)
mkfifo "$tmp/slow"
"${spoken[@]}" --out "$tmp/spoken" <"$tmp/train.jsonl" 2>"$tmp/err" >"$tmp/slow" &
pid=$!
exec 8<"$tmp/slow"
for _ in $(seq 100); do grep -q 'of memory' "$tmp/err" && break; sleep 0.05; done
cat <&8 >"$tmp/spoken.log"
exec 8<&-
wait $pid && says "base: 38.2 thousand parameters; pro on 40 records: 20 steps of 4" &&
	says "CPU, 1 thread; about " && grep -qx 'pro-train: CPU, 1 thread; about [0-9.]* [KM]iB of memory' "$tmp/err" &&
	[ "$(grep -n ' of memory$' "$tmp/err" | cut -d: -f1)" -lt "$(grep -n ' steps in ' "$tmp/err" | cut -d: -f1)" ]
check "a run says what begins" $?
loss=$(tail -n 1 "$tmp/spoken.log" | field loss /dev/stdin)
grep -qE "^pro-train: $tmp/spoken: 20 steps in [0-9.]+ s, [0-9]+ tokens/s, last loss $(printf %.4f "$loss")\$" "$tmp/err" &&
	[ "$(tail -n 1 "$tmp/err" | cut -c1-10)" = "pro-train:" ]
check "and what came of it" $?
exits 0 "${spoken[@]}" --out "$tmp/spoken2" --quiet "$tmp/train.jsonl" && [ ! -s "$tmp/err" ]
check "but not with --quiet" $?
mkfifo "$tmp/never"
"${spoken[@]}" --num-train-epochs 20 --out "$tmp/spoken3" <"$tmp/train.jsonl" 2>"$tmp/err" >"$tmp/never" &
pid=$!
exec 8<"$tmp/never"
head -n 1 <&8 >/dev/null
kill -TERM $pid
cat <&8 >/dev/null
exec 8<&-
wait $pid
rc=$?
[ $rc -eq 75 ] && says "pro-train: stopping and writing a checkpoint; a second signal gives up" &&
	exits 0 "${spoken[@]}" --num-train-epochs 20 --out "$tmp/spoken3" --resume "$tmp/train.jsonl" &&
	! grep -q ': 200 steps in' "$tmp/err" && says " steps in "
check "the first signal says that a checkpoint is written; the rest is what is counted then" $?

mkfifo "$tmp/silent"
"${spoken[@]}" --out "$tmp/spoken4" "$tmp/silent" >/dev/null 2>"$tmp/err" &
pid=$!
exec 8>"$tmp/silent"
for _ in $(seq 100); do grep -q template "$tmp/err" && break; sleep 0.05; done
kill -TERM $pid
for _ in $(seq 100); do grep -q 'gives up' "$tmp/err" && break; sleep 0.05; done
exec 8>&-
wait $pid
[ $? -eq 75 ] && says "pro-train: stopping at the next good place; a second signal gives up"
check "while it reads there is no checkpoint to write" $?

# --resume means "make it so": begin, go on, or say that it is done
run "$tmp/so" --resume --learning-rate 1e-3 >"$tmp/so.log" && run "$tmp/begun" --learning-rate 1e-3 >"$tmp/begun.log" &&
	cmp -s "$tmp/so/model.safetensors" "$tmp/begun/model.safetensors" && cmp -s <(field loss "$tmp/so.log") <(field loss "$tmp/begun.log")
check "--resume of nothing begins" $?
touch -d 2001-01-01 "$tmp/so/model.safetensors" && pro-train --model "$tmp/base" --out "$tmp/so" \
	--resume --threads 1 --learning-rate 1e-3 --per-device-train-batch-size 2 --gradient-accumulation-steps 2 "$tmp/train.jsonl" >"$tmp/so.log" 2>"$tmp/err" &&
	says "done: nothing to do" && [ ! -s "$tmp/so.log" ] && [ ! -e "$tmp/so.checkpoints" ] &&
	[ "$tmp/so/model.safetensors" -ot "$tmp/base/model.safetensors" ]
check "a second time it says that it is done, and writes nothing" $?
exits 78 run "$tmp/so" --resume --learning-rate 2e-3 && says "is finished, with learning-rate '0.001', not '0.002'"
check "but not of another run: 78" $?
exits 78 run "$tmp/so" --resume --learning-rate 1e-3 --max-steps 9 && says "only a run with --keep-checkpoints"
check "nor of a longer one" $?
longer=(--lr-scheduler-type constant --keep-checkpoints)
run "$tmp/five" "${longer[@]}" --max-steps 5 >"$tmp/five.log" && run "$tmp/longer" "${longer[@]}" --max-steps 3 >"$tmp/a.log" &&
	run "$tmp/longer" "${longer[@]}" --max-steps 3 --resume >"$tmp/none.log" && [ ! -s "$tmp/none.log" ] &&
	run "$tmp/longer" "${longer[@]}" --max-steps 5 --resume >"$tmp/b.log" &&
	cmp -s "$tmp/five/model.safetensors" "$tmp/longer/model.safetensors"
check "with --keep-checkpoints a finished run goes on to another --max-steps: the same bits" $?
exits 78 run "$tmp/longer" "${longer[@]}" --max-steps 4 --resume && says "has done 5 updates, 4 are wanted"
check "but not backwards" $?
rm -r "$tmp/longer" && run "$tmp/longer" "${longer[@]}" --max-steps 5 --resume >"$tmp/none.log" &&
	cmp -s "$tmp/five/model.safetensors" "$tmp/longer/model.safetensors"
check "an OUT that was removed is there again" $?
mkdir "$tmp/held.checkpoints" && exec 8<"$tmp/held.checkpoints" && flock 8
exits 75 run "$tmp/held" && says "another run is writing there" && exits 75 run "$tmp/held" --resume
check "another run is writing: 75" $?
exec 8<&-
exits 65 run "$tmp/x" --expect 39 && exits 65 pro-train --model "$tmp/base" --out "$tmp/x" </dev/null
check "another number of records, or none: 65" $?
{ head -n 2 "$tmp/train.jsonl" && echo '{"id":"x","prompt":"p","responses":[{"text":7}]}'; } >"$tmp/wrong.jsonl"
exits 65 train "$tmp/x" pro "$tmp/wrong.jsonl" && says "wrong.jsonl:3" && says "responses[0]: text"
check "a wrong member is named with file and line" $?
rc=0
for bytes in 1 57 150; do
	head -c $bytes "$tmp/train.jsonl" >"$tmp/wrong.jsonl"
	{ exits 65 train "$tmp/x" pro "$tmp/wrong.jsonl" && says "wrong.jsonl:1"; } || rc=1
done
check "truncated input" $rc
{ cat "$tmp/train.jsonl" && echo '{"id":"one","prompt":"p","responses":[{"text":"a","reward":1}]}'; } >"$tmp/more.jsonl"
pro-train --model "$tmp/base" --out "$tmp/rej" --threads 1 --max-steps 1 --max-length 40 --max-prompt-length 20 \
	--rejects "$tmp/rejects" "$tmp/more.jsonl" >/dev/null 2>"$tmp/err" && says "41 records: 40 to train on, 1 rejected" &&
	grep -q '"line":41,"id":"one","reason":"fewer than 2 responses"' "$tmp/rejects" && grep -q "cut off the prompt" "$tmp/rejects"
check "rejected and cut records are counted and listed" $?
exits 65 run "$tmp/x" --max-length 40 --max-prompt-length 20 --on-overlong error
check "--on-overlong error" $?
{ head -n 3 "$tmp/train.jsonl" && sed -n "4s/please/please$(printf ' now%.0s' {1..60})/p" "$tmp/train.jsonl"; } >"$tmp/more.jsonl"
pro-train --model "$tmp/base" --out "$tmp/drop" --threads 1 --max-length 60 --on-overlong drop \
	--rejects "$tmp/rejects" "$tmp/more.jsonl" >/dev/null 2>"$tmp/err" && says "4 records: 3 to train on, 1 rejected" &&
	[ "$(grep -c '"line":4,' "$tmp/rejects")" -eq 1 ]
check "--on-overlong drop" $?
cp -r "$tmp/base" "$tmp/nan"
printf '\000\000\300\177' | dd of="$tmp/nan/model.safetensors" bs=1 conv=notrunc status=none \
	seek=$(($(stat -c %s "$tmp/nan/model.safetensors") - 4))
exits 70 pro-train --model "$tmp/nan" --out "$tmp/x" --quiet --threads 1 "$tmp/train.jsonl" && says "step 1" && says "record w:"
check "a loss that is not finite is 70, naming step and record" $?
exits 74 bash -c 'pro-train "$@" >/dev/full' - --threads 1 --model "$tmp/base" --out "$tmp/nolog" --quiet "$tmp/train.jsonl" &&
	says "--resume goes on" && [ -e "$tmp/nolog.checkpoints/step-1/state.json" ]
check "a full standard output is 74, and the step is kept" $?
(
	trap '' XFSZ
	ulimit -f 20
	exits 74 run "$tmp/full" 2>/dev/null
) && [ ! -e "$tmp/full" ] && ! compgen -G "$tmp/full*/*" >/dev/null
check "OUT that cannot be written is 74 and leaves nothing" $?
# A disk that is full after the first checkpoints: they stay, and the run goes on elsewhere or later.
name="a disk that fills up while training"
mkdir "$tmp/disk"
# shellcheck disable=SC2016
fill='mount -t tmpfs -o size=$1 none "$2" && cd "$2" && shift 2 || exit 99
	pro-train --out full --save-steps 4 --save-total-limit 9 "$@" >log; rc=$?
	[ -e full ] && exit 98
	find . -name "tmp*" | grep . && exit 97
	rm -r full.checkpoints/step-4 && pro-train --out full --resume "$@" >log || exit 96
	cp full/model.safetensors ../filled; exit $rc'
size=$(($(stat -c %s "$tmp/whole/model.safetensors") * 11))
unshare -rm bash -c "$fill" - $size "$tmp/disk" --model "$tmp/base" --quiet --threads 1 --learning-rate 2e-3 \
	--gradient-accumulation-steps 2 "$tmp/train.jsonl" 2>"$tmp/err"
rc=$?
if [ $rc -eq 99 ] || grep -q '^unshare:' "$tmp/err"; then skip "$name" "no tmpfs here"; else
	[ $rc -eq 74 ] && cmp "$tmp/filled" "$tmp/whole/model.safetensors"
	check "$name is 74, and --resume goes on" $?
fi
[ -z "$(find "$tmp" -maxdepth 1 -name 'x*')" ]
check "runs that failed left nothing" $?
run "$tmp/plan" --plan >"$tmp/plan.txt" && grep -q '^total' "$tmp/plan.txt" && grep -q "^time .* at least" "$tmp/plan.txt" && grep -q '^fits' "$tmp/plan.txt" && [ ! -e "$tmp/plan" ]
check "--plan prints and writes nothing" $?
mkdir "$tmp/large" && cp "$tmp/base"/* "$tmp/large" && jq '.vocab_size = 16777216 | .hidden_size = 2048' "$tmp/base/config.json" >"$tmp/large/config.json"
exits 78 pro-train --model "$tmp/large" --plan "$tmp/train.jsonl" && says "a smaller model, or a machine with more memory" &&
	grep -q '^does not fit$' "$tmp/out"
check "--plan of what does not fit is 78, with what would" $?
run "$tmp/half" --save-dtype bf16 --max-steps 2 >/dev/null && pro-score --policy "$tmp/half" --quiet --threads 1 "$tmp/dev.jsonl" >/dev/null &&
	[ "$(stat -c %s "$tmp/half/model.safetensors")" -lt $(($(stat -c %s "$tmp/whole/model.safetensors") * 6 / 10)) ]
check "bf16 weights load again" $?
[ "$(pro-score --policy "$tmp/whole" --threads 1 "$tmp/dev.jsonl" 2>&1 >/dev/null | grep -c 'pro.json')" -ge 1 ]
check "the template travels in pro.json" $?

# --- an independent implementation's first step
shared=${PRO_SHARED:-../shared}
name="step 1 on stories260K equals the golden loss and gradient norm"
if [ -e "$shared/golden/stories260K-pro.jsonl" ]; then
	head -n 16 "$shared/data/pro-hh/sampled_dev.json" | pro-import --format pro --quiet |
		pro-train --model "$shared/models/stories260K" --out "$tmp/stories" --max-steps 1 --quiet --threads 1 \
			--per-device-train-batch-size 4 --gradient-accumulation-steps 4 >"$tmp/stories.log"
	tail -n 1 "$shared/golden/stories260K-pro.jsonl" >"$tmp/golden"
	near 1e-4 <(field loss "$tmp/stories.log") <(field mean_loss "$tmp/golden") &&
		near 1e-3 <(field grad_norm "$tmp/stories.log") <(field grad_norm "$tmp/golden")
	check "$name" $?
else
	skip "$name" "no $shared"
fi
exit $bad
