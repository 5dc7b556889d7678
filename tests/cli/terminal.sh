#!/bin/bash
# What a terminal gets: nothing raw from data, whole lines, and no binary stream.
. tests/cli/lib.sh
. tests/cli/toy.sh
cd "$T" || exit 1
PATH=$root/build/bin:$PATH

printf '%s\n' '{"id":"a","prompt":"x","responses":[{"text":"a","source":"\u001b[31mX","\u202er":1},{"text":"b","source":"b"}],"subset":"\u001b[31mX\nTotal 99.99\u202e"}' >e.jsonl
check "a table of names with control characters" pro-eval --hypothesis $'\e[31mX' --reference b --by subset e.jsonl
holds "has none of them" "$(LC_ALL=C grep -c $'\e\|\xe2\x80\xae' "$T/out")" -eq 0
holds "and no line of theirs" "$(grep -c '^Total 99.99' "$T/out")" -eq 0
check_out "but their numbers" '\\x1b\[31mX\\x0aTotal 99.99\\u202e'
check_exit 66 "a file of such a name" pro-rerank $'no\e[31m\xc2\x9b\xe2\x80\xae\xff'
check_err "is shown so" 'no\\x1b\[31m\\u009b\\u202e\\xff: '
cp e.jsonl $'in\e[2J.jsonl'
check "--stats" pro-import --format records --stats $'in\e[2J.jsonl'
holds "shows the file's name so" "$(grep -c $'\e' "$T/err")" -eq 0
mkdir -p 偏好数据
cp e.jsonl 偏好数据/é.jsonl
cp e.jsonl 偏好数据/a-name-that-is-longer-than-its-column-一二三.jsonl
check "--stats of wide names" pro-import --format records --stats 偏好数据/*.jsonl
grep -v '^pro-' "$T/err" >stats
cat >want <<'W'
file                                           raw      kept  rejected
…-is-longer-than-its-column-一二三.jsonl         1         1         0
偏好数据/é.jsonl                                 1         1         0
total                                            2         2         0
W
same "is aligned by columns, and a long name by its end" stats want

command -v script >/dev/null || { skip "a terminal" "no script(1)"; finish; }
toy_model m lm && toy_records 4 >in.jsonl || { fail "toy models"; finish; }
tty() { script -qec "$1" typescript >/dev/null </dev/null; }
tty "pro-rerank none.jsonl"
holds "exit status" $? -eq 66
holds "in one line" "$(grep -c $'^\r\e\[Kpro-rerank: none.jsonl: ' typescript)" -eq 1
tty "pro-score --policy m --tensors in.jsonl"
holds "a tensor stream on a terminal is refused" $? -eq 64
holds "and --force is named" "$(grep -c -- '--force' typescript)" -ge 1
tty "pro-score --policy m --tensors --force in.jsonl"
holds "--force writes it" $? -eq 0

# One line on a terminal for all programs of a pipe: the last one's that has something to show.
toy_records 400 >pipe.jsonl
tty "sh -c 'stty cols 80; pro-augment --model m --max-tokens 20 --threads 1 pipe.jsonl | pro-score --policy m --threads 1 >out'"
holds "a pipe on a terminal" $? -eq 0
tr '\r' '\n' <typescript | grep -oE '^.\[Kpro-(augment|score): [0-9]+ records, [0-9.]+/s' | grep -oE 'pro-[a-z]+' >"$T/who"
holds "its last program draws" "$(grep -c pro-score "$T/who")" -ge 2
holds "and from then on no other" "$(sed -n '/pro-score/,$p' "$T/who" | grep -c pro-augment)" -eq 0
holds "and each line is wiped" "$(tr '\r' '\n' <typescript | grep -c 'left.*records read')" -eq 0
tty "sh -c 'stty cols 24; pro-augment --model m --max-tokens 20 --threads 1 pipe.jsonl >out'"
widest=$(tr '\r' '\n' <typescript | sed -n '/ 400 records$/d; s/^.\[K\(pro-augment: [0-9]* rec.*\)/\1/p' |
	awk 'length > n { n = length } END { print n + 0 }')
holds "on a narrow one no line goes on below" "$widest" -eq 23
tr -d '\r' <typescript | grep -qx '  responses added, [0-9]*'
status "and a message goes on below at a blank, indented" $?
tty "pro-train --model m --out trained --order given --no-temperature --max-steps 80 --max-length 64 in.jsonl"
holds "a log and progress on one terminal" $? -eq 0
holds "are both there" "$(grep -c ' of 80 steps' typescript)" -ge 1
holds "and the progress is wiped before a line of the log" "$(grep -c $'\r\e\[K{"step"' typescript)" -ge 1
holds "so that none is glued to it" "$(grep -c 'left{\|/s{' typescript)" -eq 0

# an input that was not read has no counts
for program in "pro-augment --model m" "pro-score --policy m" pro-rerank pro-import "pro-model template m" \
	"pro-train --model m --out nothing" "pro-eval --hypothesis a --reference b"; do
	# shellcheck disable=SC2086 # words
	check_exit 66 "$program of a missing file" $program none.jsonl
	check_err "says so" 'none.jsonl: No such file'
	holds "and no counts before it" "$(grep -c '[0-9] records\?\b' "$T/err")" -eq 0
done


# one is one
jq -c '.responses |= .[:1]' in.jsonl | head -n 1 >one.jsonl
for program in "pro-augment --model m" "pro-score --policy m" "pro-eval --hypothesis a --reference a" pro-rerank \
	"pro-train --model m --out one --method sft --max-steps 1"; do
	run $program one.jsonl
	holds "$program: no more than one of one" "$(grep -cE '\b1 (records|responses|parts|steps|prompts|strings)\b' "$T/err")" -eq 0
done

# lines of progress in a log: records, and the share of the bytes of a plain file
toy_records 20000 >many.jsonl
augment=(pro-augment --model m --max-tokens 100 --progress-interval 1 --threads 1)
check_exit 75 "progress in a log" timeout --preserve-status -s TERM 3 "${augment[@]}" --expect 20000 many.jsonl
check_err "is a line with the total" '^pro-augment: [0-9]+ of 20000 records, [0-9.]+/s, [0-9:]+ left$'
check_exit 75 "without a total" timeout --preserve-status -s TERM 3 "${augment[@]}" many.jsonl
check_err "it is the share of a plain file's bytes" '^pro-augment: [0-9]+ records, [0-9.]+/s, [0-9]+ %, [0-9:]+ left$'

mkfifo in
pro-augment --model m in 2>err >out &
pid=$!
exec 9>in
head -n 1 in.jsonl >&9
for _ in $(seq 100); do [ -s out ] && break; sleep 0.05; done
kill -TERM $pid
for _ in $(seq 100); do grep -q stopping err && break; sleep 0.05; done
grep -q '^pro-augment: stopping at the next good place; a second signal gives up$' err
status "the first signal is answered at once" $?
exec 9>&-
wait $pid
holds "and ends the program" $? -eq 75
finish
