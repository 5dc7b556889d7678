#!/bin/bash
# shellcheck disable=SC2016,SC2094,SC2181
# pro-rerank from end to end; the orders themselves are tested in tests/unit/gen_rerank.c.
. tests/cli/lib.sh
. tests/cli/toy.sh
cd "$T" || exit 1
gives() { # NAME WANTED ARG...: texts and rewards behind pro-rerank of in.jsonl
	local name=$1 want=$2
	shift 2
	pro-rerank -q "$@" in.jsonl >out.gives
	[ "$(jq -r '[.responses[] | .text + "=" + (.reward | tostring)] | join(" ")' out.gives | tr '\n' ';')" = "$want" ]
	status "$name" $?
}
cat >in.jsonl <<-EOF
	{"id":"1","prompt":"p","responses":[{"text":"a","reward":1,"k":"A"},{"text":"b","reward":3.5},{"text":"c","reward":1},{"text":"d","reward":-2}],"z":{"y":1}}
	{"id":"2","prompt":"q","responses":[]}
	{"id":"3","prompt":[{"role":"user","content":"q"}],"responses":[{"text":"e","reward":0}]}
EOF
gives "best first, ties as they were" "b=3.5 a=1 c=1 d=-2;;e=0;"
gives "--length 2" "b=3.5 a=1;;e=0;" --length 2
gives "--keep-top" "a=3.5 b=1 c=1 d=-2;;e=0;" --keep-top
gives "--keep-top --length 2" "a=3.5 b=1;;e=0;" --keep-top --length 2
pro-rerank -q --keep-top in.jsonl | jq -c '[.responses[].raw_reward]' | tr '\n' ';' | grep -qxF '[1,3.5,1,-2];[];[0];'
status "--keep-top keeps the true rewards" $?
pro-rerank -q --keep-top in.jsonl | pro-rerank -q --keep-top | cmp -s - <(pro-rerank -q --keep-top in.jsonl)
status "--keep-top twice is once" $?
pro-rerank -q in.jsonl | jq -c '[.z, .responses[1].k]' | head -n 1 | grep -qxF '[{"y":1},"A"]'
status "other fields pass through" $?
pro-rerank -q <in.jsonl | cmp -s - <(pro-rerank -q in.jsonl) && gzip -c in.jsonl | pro-rerank -q - | cmp -s - <(pro-rerank -q in.jsonl)
status "FILE is <FILE, and gzip" $?
jq -c '.responses |= map(.RM = -.reward | del(.reward))' in.jsonl >rm.jsonl
[ "$(pro-rerank -q --reward-field RM rm.jsonl | head -n 1 | jq -r '[.responses[].text] | join("")')" = dacb ]
status "--reward-field" $?
exits "a missing reward is named" 65 "rm.jsonl:1: record '1': responses\[0\].reward: missing" pro-rerank rm.jsonl
sed 's/3.5/"3.5"/' in.jsonl >text.jsonl
exits "a reward that is no number" 65 "text.jsonl:1: record '1': responses\[1\]: reward: not a number" pro-rerank text.jsonl
{ cat in.jsonl; echo '{"id":'; } >broken.jsonl
pro-rerank broken.jsonl >out 2>err
[ $? -eq 65 ] && [ "$(wc -l <out)" -eq 3 ] && grep -q 'broken.jsonl:4: ' err
status "what came before a broken line is written" $?
exits "--expect" 65 "3 records read, --expect 2" pro-rerank --expect 2 in.jsonl
exits "an unknown option" 64 "unknown option" pro-rerank --sort
exits "a negative length" 64 "length" pro-rerank --length -1 in.jsonl
exits "no input there" 66 "none" pro-rerank none
pro-rerank -q /dev/null | cmp -s - /dev/null
status "empty input" $?
if [ -w /dev/full ]; then
	pro-rerank in.jsonl >/dev/full 2>err
	[ $? -eq 74 ] && grep -q 'No space' err
	status "a full disk" $?
fi
toy_records 5000 | jq -c '.responses[].reward = 1' >many.jsonl
(set -o pipefail; pro-rerank -q many.jsonl | head -n 1 >/dev/null)
[ $? -eq 141 ]
status "a closed pipe ends it" $?

# --reward scores first, with the same numbers as pro-score
toy_model rm reward 2 || { fail "toy model"; finish; }
toy_records 20 | cat - in.jsonl >mixed.jsonl
pro-rerank -q --threads 1 --reward rm mixed.jsonl >scored.jsonl
pro-score -q --threads 1 --reward rm mixed.jsonl | pro-rerank -q | cmp -s - scored.jsonl && [ "$(wc -l <scored.jsonl)" -eq 23 ]
status "--reward is pro-score, then pro-rerank" $?
jq -se 'all(.[]; [.responses[].reward] | . == (sort | reverse))' scored.jsonl >/dev/null
status "--reward: every ranking descends" $?
pro-rerank -q --threads 1 --reward rm --batch-records 1 mixed.jsonl | cmp -s - scored.jsonl
status "--reward: the same bits with --batch-records 1" $?
pro-rerank -q --threads 1 --reward rm --reward-field RM mixed.jsonl | jq -se 'all(.[].responses[]; has("RM")) and
	.[0].scored_by.RM.model == "rm" and .[20].responses[0].reward != null' >/dev/null
status "--reward with --reward-field" $?
pro-rerank -q --threads 1 --reward rm --keep-top mixed.jsonl >kept.jsonl
jq -s '[.[].responses[0].text]' kept.jsonl | cmp -s - <(jq -s '[.[].responses[0].text]' mixed.jsonl) &&
	jq -se 'all(.[]; [.responses[].reward] | . == (sort | reverse)) and all(.[].responses[]; has("raw_reward"))' kept.jsonl >/dev/null &&
	pro-rerank -q --threads 1 --reward rm --keep-top kept.jsonl | cmp -s - kept.jsonl
status "--reward --keep-top" $?
jq -c '.responses = []' in.jsonl >none.jsonl
exits "no record with a response" 65 "nothing was done: no record written has a response" pro-rerank none.jsonl
exits "the same with --reward" 65 "nothing was done" pro-rerank --threads 1 --reward rm none.jsonl
exits "a policy is no reward model" 78 "pol" bash -c '. "$1"; toy_model pol lm && exec pro-rerank --reward pol in.jsonl' - "$root/tests/cli/toy.sh"
matrix pro-rerank in.jsonl
matrix pro-rerank --threads 1 --reward rm --keep-top in.jsonl
finish
