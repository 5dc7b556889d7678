#!/bin/bash
# shellcheck disable=SC2181
# pro-augment from end to end with toy models.
. tests/cli/lib.sh
. tests/cli/toy.sh
cd "$T" || exit 1
toy_model m lm 1 && toy_model other lm 2 && toy_model rm reward || { fail "toy models"; finish; }
toy_records 24 >in.jsonl
aug() { pro-augment -q --threads 1 --model m --max-tokens 12 "$@"; }

aug -n 3 in.jsonl >all.jsonl
status "appends to every record" "$(jq -s 'if length == 24 and all(.responses | length == 5) then 0 else 1 end' all.jsonl)"
status "responses say where they come from" "$(jq -s 'if all(.[].responses[2:][];
	.source == "m" and (.finish_reason | . == "stop" or . == "length") and .generated.seed == 42 and
	.generated.model == "m" and (.generated.hash | length == 12) and .generated.temperature == 1)
	then 0 else 1 end' all.jsonl)"
jq -c 'del(.responses[2:])' all.jsonl | cmp -s - <(jq -c . in.jsonl)
status "what was there stays" $?

for b in 1 2 7 64; do
	aug -n 3 --batch $b in.jsonl | cmp -s - all.jsonl
	status "the same bytes with --batch $b" $?
done
aug -n 1 in.jsonl | aug -n 2 | cmp -s - all.jsonl
status "chained runs give the samples of one" $?
{ head -n 9 in.jsonl | aug -n 3; tail -n +10 in.jsonl | aug -n 3; } | cmp -s - all.jsonl
status "shards give the samples of one run" $?

# --sample-key
by() { aug --sample-key source --model "$1" --source "$1" "${@:2}"; }
texts() { jq -c '[.id, [.responses[] | select(.source == "m") | .text], [.responses[] | select(.source == "other") | .text]]' "$@"; }
by m -n 2 in.jsonl | by other >up.jsonl
by other in.jsonl | by m -n 2 >down.jsonl
cmp -s <(texts up.jsonl) <(texts down.jsonl)
status "--sample-key source: another order of sources, the same texts" $?
by m -n 2 in.jsonl | jq -c '.responses |= .[2:]' | cmp -s - <(by m in.jsonl | by other | by m | jq -c '.responses |= (.[2:] | map(select(.source == "m")))')
status "... and chained runs of a source give the samples of one" $?
jq -s '[.[].responses[2:][].text] | if (unique | length) == length then 0 else 1 end' up.jsonl | grep -qx 0
status "... no two of them equal" $?
by m --source x in.jsonl >xkey.jsonl
jq -e -s 'all(.[]; .[0] != .[1])' -c <(paste -d, <(jq -c '.responses[2].text' xkey.jsonl) <(jq -c '.responses[2].text' up.jsonl) | sed 's/.*/[&]/') >/dev/null
status "... another label draws others" $?
jq -e '.responses[2].generated.sample_key == "source"' up.jsonl >/dev/null && ! grep -q sample_key all.jsonl
status "... responses say so" $?
aug --sample-key position -n 3 in.jsonl | cmp -s - all.jsonl
status "--sample-key position is the default" $?
aug --model m in.jsonl | aug --model other >up.jsonl
aug --model other in.jsonl | aug --model m >down.jsonl
cmp -s <(texts up.jsonl) <(texts down.jsonl)
status "... where another order gives other texts" $((1 - $?))
by m --resume keyed.jsonl in.jsonl && cmp -s keyed.jsonl <(by m in.jsonl)
status "--sample-key with --resume" $?
exits "--resume with another --sample-key" 78 "another model or setting" aug --source m --resume keyed.jsonl in.jsonl
exits "--sample-key where nothing is drawn" 64 "sample-key" aug --greedy --sample-key source in.jsonl
exits "an unknown --sample-key" 64 "sample-key" aug --sample-key place in.jsonl

aug -n 3 <in.jsonl | cmp -s - all.jsonl
status "FILE is <FILE" $?
aug -n 3 --seed 7 in.jsonl | cmp -s - all.jsonl
status "another seed, other samples" $((1 - $?))
jq -s '[.[].responses[2:][].text] | if (unique | length) == length then 0 else 1 end' all.jsonl | grep -qx 0
status "no two samples are equal" $?
pro-augment -q --threads 2 --model m --max-tokens 12 -n 3 in.jsonl | jq -s 'length' | grep -qx 24
status "two threads" $?

jq -c 'del(.id, .responses)' in.jsonl >bare.jsonl
aug bare.jsonl >bare.out
status "records without id and responses" "$(jq -s 'if length == 24 and ([.[].responses[0].text] | unique | length) == 24
	then 0 else 1 end' bare.out)"
aug --greedy in.jsonl >greedy.jsonl && aug --greedy --batch 1 in.jsonl | cmp -s - greedy.jsonl &&
	aug --temperature 0 in.jsonl | cmp -s - greedy.jsonl && aug --top-k 1 in.jsonl | jq -c '[.responses[].text]' |
	cmp -s - <(jq -c '[.responses[].text]' greedy.jsonl)
status "greedy, temperature 0 and top-k 1 say the same" $?
aug --max-tokens 1 -n 2 --source x in.jsonl | jq -s 'if all(.[].responses[2:][]; .source == "x" and .generated.max_tokens == 1)
	then 0 else 1 end' | grep -qx 0
status "one token, and a label" $?

# A pair of letters of a response stops it there.
text=$(jq -rs '[.[].responses[2:][].text | select(test("^.+[!-~]{2}"))][0]' all.jsonl)
stop=$(jq -rn --arg t "$text" '$t | capture("^.+?(?<s>[!-~]{2})").s')
aug -n 3 --stop "$stop" in.jsonl >stopped.jsonl
jq -s --arg s "$stop" '[.[].responses[2:][]] | if all(.text | contains($s) | not) and
	(map(select(.finish_reason == "stop")) | length) > 0 then 0 else 1 end' stopped.jsonl | grep -qx 0
status "--stop cuts" $?
jq -s --arg s "$stop" '[.[].responses[2:][].text | split($s)[0] | gsub("^[ \\t\\n\\r\\f]+|[ \\t\\n\\r\\f]+$"; "")]' all.jsonl >a
jq -s '[.[].responses[2:][].text]' stopped.jsonl >b
status "--stop changes nothing before it" "$(jq -n --slurpfile a a --slurpfile b b \
	'if ([range($a[0] | length) | select($a[0][.] as $x | $b[0][.] as $y | $x != $y and ($x | startswith($y) | not))] | length) == 0
	then 0 else 1 end')"

jq -c '.prompt = ""' in.jsonl | head -n 3 >noprompt.jsonl
aug --template plain --rejects rej noprompt.jsonl | cmp -s - /dev/null && [ "$(jq -r .reason rej | sort -u)" = "the prompt has no tokens" ]
status "nothing to condition on is rejected" $?

# --from
aug -n 2 --source s in.jsonl | jq -c '.responses |= .[2:] | del(.subset)' >samples.jsonl
aug -n 2 --source s in.jsonl | jq -c . >want.jsonl
pro-augment -q --from samples.jsonl in.jsonl | jq -c . | cmp -s - want.jsonl
status "--from joins by id" $?
tac samples.jsonl | gzip >samples.gz
pro-augment -q --from samples.gz in.jsonl | jq -c . | cmp -s - want.jsonl
status "--from takes any order, and gzip" $?
pro-augment -q --from samples.jsonl -n 1 --source t in.jsonl | jq -s 'if all(.[]; (.responses | length) == 3 and
	.responses[2].source == "t") then 0 else 1 end' | grep -qx 0
status "--from with -n and --source" $?
head -n 20 samples.jsonl >some.jsonl
pro-augment --rejects rej --from some.jsonl in.jsonl >some.out 2>some.err &&
	[ "$(wc -l <some.out)" -eq 24 ] && [ "$(wc -l <rej)" -eq 4 ] && grep -q '^pro-augment: 4 records' some.err
status "--from reports ids that are missing" $?
sed 's/"r1"/"r2"/' samples.jsonl >twice.jsonl
exits "--from with an id twice" 65 "twice.jsonl:2: id 'r2' is on line 1 too" pro-augment --from twice.jsonl in.jsonl
exits "an id twice in the input of --from" 65 "in2:2: id 'r1' was read before" \
	bash -c 'head -n 1 in.jsonl >in2; head -n 1 in.jsonl >>in2; pro-augment --from samples.jsonl in2'
sed 's/Question 3/Question 33/' samples.jsonl >prompts.jsonl
exits "--from with another prompt" 65 "in.jsonl:3: id 'r3' has another prompt in prompts.jsonl:3" \
	pro-augment --from prompts.jsonl in.jsonl
sed 's/"r/"q/' samples.jsonl >none.jsonl
jq -c '.responses = []' in.jsonl >bare.from.jsonl
exits "--from where there is no response" 65 "no record of bare.from.jsonl has a response to add" pro-augment --from bare.from.jsonl in.jsonl
exits "--from where no id fits" 65 "no id of the input is in none.jsonl" pro-augment --from none.jsonl in.jsonl

# A record is written when it is done, not when the next one comes.
# shellcheck disable=SC2094 # one waits for the other's output
{ head -n 1 in.jsonl; while [ ! -s slow.out ] && [ $((i = ${i:-0} + 1)) -lt 300 ]; do sleep 0.1; done
	[ -s slow.out ] && touch slow.seen; tail -n +2 in.jsonl; } | aug -n 3 >slow.out
cmp -s slow.out all.jsonl && [ -e slow.seen ]
status "a slow upstream does not hold back what is done" $?

# --resume
res() { aug -n 3 --resume "$1" in.jsonl; }
res new.jsonl >res.out && cmp -s new.jsonl all.jsonl && [ ! -s res.out ]
status "--resume makes FILE and writes nothing else" $?
size=$(wc -c <all.jsonl)
for cut in 0 1 500 $((size / 2)) $((size - 1)); do
	head -c "$cut" all.jsonl >part.jsonl
	res part.jsonl && cmp -s part.jsonl all.jsonl || { status "--resume after $cut bytes" 1; continue; }
done
status "--resume goes on at any byte" $?
pro-augment --threads 1 --model m --max-tokens 12 -n 3 --resume part.jsonl in.jsonl 2>err && cmp -s part.jsonl all.jsonl &&
	grep -q 'part.jsonl was complete: nothing to do' err
status "--resume of a complete file says so" $?
head -n 5 all.jsonl >part.jsonl
exits "--resume with another model" 78 "part.jsonl:1: has responses of another model" \
	pro-augment --threads 1 --model other --source m -n 3 --max-tokens 12 --resume part.jsonl in.jsonl
exits "--resume with another seed" 78 "another model or setting" aug -n 3 --seed 1 --resume part.jsonl in.jsonl
exits "--resume with another length" 78 "another model or setting" aug -n 3 --max-length 200 --resume part.jsonl in.jsonl
for t in Q A; do # two files of one name
	echo '{"name":"mine","user":{"before":"'$t': "}}' >$t.json
done
aug --template Q.json --resume q.jsonl in.jsonl && jq -e '.responses[2].generated.template | test("^mine@[0-9a-f]{12}$")' q.jsonl >/dev/null
status "a template of one's own is named with its hash" $?
exits "--resume with another template of that name" 78 "another model or setting" aug --template A.json --resume q.jsonl in.jsonl
exits "--resume with another -n" 78 "another number of responses" aug -n 2 --resume part.jsonl in.jsonl
tail -n +2 in.jsonl >rest.jsonl
exits "--resume with another input" 78 "another record than the input's 'r2'" aug -n 3 --resume part.jsonl rest.jsonl
head -n 3 in.jsonl >short.jsonl
exits "--resume with a shorter input" 78 "holds more than the input" aug -n 3 --resume part.jsonl short.jsonl
exits "--resume with an id twice" 65 "in2:2: id 'r1' was read before" aug -n 3 --resume x.jsonl in2
cmp -s part.jsonl <(head -n 5 all.jsonl)
status "--resume leaves a file that does not fit alone" $?
# a record dropped by the length rule is dropped again
jq -c 'if .id == "r2" then .prompt[0].content = ("long " * 60) else . end' in.jsonl >long.jsonl
aug --on-overlong drop long.jsonl >dropped.jsonl
head -n 4 dropped.jsonl >part.jsonl
aug --on-overlong drop --rejects rej --resume part.jsonl long.jsonl && cmp -s part.jsonl dropped.jsonl &&
	[ "$(wc -l <dropped.jsonl)" -eq 23 ] && [ "$(jq -r .id rej)" = r2 ]
status "--resume passes over records that are rejected" $?

# A signal: exit 75, whole records, and the same command goes on.
toy_records 4000 >many.jsonl
pro-augment -q --threads 1 --model m --max-tokens 30 --resume killed.jsonl many.jsonl 2>err.term &
pid=$!
for _ in $(seq 200); do [ "$(wc -l 2>/dev/null <killed.jsonl)" -gt 20 ] 2>/dev/null && break; sleep 0.05; done
kill -TERM $pid
wait $pid
rc=$?
n=$(wc -l <killed.jsonl)
[ $rc -eq 75 ] && [ "$n" -gt 0 ] && [ "$n" -lt 4000 ] && [ "$(tail -c 1 killed.jsonl | od -An -tx1 | tr -d ' ')" = 0a ]
status "SIGTERM: exit 75 and whole records" $?
head -n $((n + 30)) many.jsonl >more.jsonl
pro-augment -q --threads 1 --model m --max-tokens 30 --resume killed.jsonl more.jsonl &&
	pro-augment -q --threads 1 --model m --max-tokens 30 more.jsonl | cmp -s - killed.jsonl
status "the same command goes on" $?

head -n 150 many.jsonl >some.jsonl
for _ in 1 2 3; do
	pro-augment -q --threads 1 --model m --max-tokens 30 --resume hit.jsonl some.jsonl &
	pid=$!
	sleep 0.2
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
done
pro-augment -q --threads 1 --model m --max-tokens 30 --resume hit.jsonl some.jsonl &&
	pro-augment -q --threads 1 --model m --max-tokens 30 some.jsonl | cmp -s - hit.jsonl
status "SIGKILL at any moment loses no finished record" $?

# A power cut: what is written is fsync'ed, together, and before the run ends or waits.
if strace -qq -o trace true 2>/dev/null; then
	calls() { # ... of the file, a letter each: w write, s fsync, r a read of the input
		sed -n "s/^write($1,.*/w/p; s/^fsync($1).*/s/p; s/^read(0,.*/r/p" trace | tr -d '\n'
	}
	number() { sed -n 's/^openat(.*"safe.jsonl".* = \([0-9]*\)$/\1/p' trace | head -n 1; }
	traced() { strace -qq -o trace -e trace=openat,write,fsync,read pro-augment -q --threads 1 --model m --max-tokens 12 --resume safe.jsonl "$@"; }
	traced in.jsonl
	[[ $(calls "$(number)") =~ ^(w+s)+$ ]]
	status "--resume: what was written is on the disk when the run ends" $?
	rm safe.jsonl
	{ head -n 5 in.jsonl; sleep 1.5; tail -n +6 in.jsonl; } | traced
	[[ $(calls "$(number)") =~ ^rw[ws]*sr[rws]*ws$ ]]
	status "... and before it waits for more" $?
	strace -qq -o trace -e trace=openat,fsync pro-augment -q --threads 1 --model m --max-tokens 12 --resume safe.jsonl in.jsonl
	[ "$(calls "$(number)")" = s ]
	status "... also what an earlier run had written" $?
	rm safe.jsonl
	strace -qq -o trace -e trace=fsync -e inject=fsync:error=EIO pro-augment -q --threads 1 --model m --max-tokens 12 --resume safe.jsonl in.jsonl 2>err
	[ $? -eq 74 ] && grep -q "safe.jsonl: Input/output error" err
	status "... or it is said that it is not: exit 74" $?
else
	skip "what is written is on the disk" "no strace that may trace"
fi

# mistakes
exits "neither --model nor --from" 64 "one of --model and --from" pro-augment in.jsonl
exits "both" 64 "one of --model and --from" pro-augment --model m --from in.jsonl in.jsonl
exits "--from with --resume" 64 "resume" pro-augment --from in.jsonl --resume x in.jsonl
exits "an unknown option" 64 "unknown option" pro-augment --modell m
exits "an empty stop" 64 "stop" aug --stop "" in.jsonl
exits "no model there" 66 "nowhere" pro-augment --model nowhere in.jsonl
exits "a reward model cannot generate" 78 "rm" pro-augment --model rm in.jsonl
exits "a length above the model's" 78 "max-length 1000" aug --max-length 1000 in.jsonl
exits "no input there" 66 "none" aug none
exits "--expect" 65 "24 records read, --expect 25" aug --expect 25 in.jsonl
{ head -n 3 in.jsonl; echo '{"id":'; } >broken.jsonl
aug broken.jsonl >out 2>err
[ $? -eq 65 ] && [ "$(wc -l <out)" -eq 3 ] && grep -q 'broken.jsonl:4: ' err
status "a broken line: what came before is written" $?
aug /dev/null | cmp -s - /dev/null
status "empty input" $?
if [ -w /dev/full ]; then
	aug in.jsonl >/dev/full 2>err
	[ $? -eq 74 ] && grep -q 'No space' err
	status "a full disk" $?
fi

# The reference's own greedy text.
m=$shared/models/stories260K
if [ -f "$m/greedy.txt" ]; then
	echo '{"id":"x","prompt":"Once upon a time, there was a little girl named Lily."}' |
		pro-augment -q --model "$m" --template plain --greedy --max-tokens 241 |
		jq -r '.prompt + " " + .responses[0].text' | cmp - "$m/greedy.txt"
	status "stories260K says greedy.txt" $?
else
	skip "stories260K says greedy.txt" "no ../shared"
fi
toy_records 6 >six.jsonl
matrix pro-augment --threads 1 --model m --max-tokens 4 six.jsonl
matrix pro-augment --from six.jsonl six.jsonl
finish
