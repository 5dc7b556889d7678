#!/bin/bash
# The Makefile of examples/ runs its stages on toy models, makes nothing twice, and a lost stage alone.
. tests/cli/lib.sh
. tests/cli/toy.sh
cd "$T" || exit 1
toy_model base lm 1 && toy_model one lm 2 && toy_model two lm 3 && toy_model rm reward || { fail "toy models"; finish; }
toy_records 12 | jq -c '.responses[0].source = "hh:chosen"' >hh.jsonl
unset MAKEFLAGS MFLAGS # the flags of the make that runs the tests are not its own
stages=(make -C "$root" -f examples/03-stages.mk FOLDER="$T" HH="$T/hh.jsonl" TEST="$T/hh.jsonl" MODEL="$T/base"
	REWARD="$T/rm" REWARD_EVAL="$T/rm" SOURCES="one two" OUT="$T/stages" NEW="--max-tokens 4" TRAIN="--max-steps 2")
check "the stages run" "${stages[@]}"
check_out "to a table" '^ *aligned '
status "each source added a response" \
	"$(jq -s 'if all(.[].responses; map(.source) | index("one") and index("two")) then 0 else 1 end' stages/ranked.jsonl)"
check "again" "${stages[@]}"
check_out "nothing is made twice" 'up to date'
rm stages/answers.jsonl
check "a lost stage" "${stages[@]}"
holds "is made alone" "$(grep -Ec "^pro-(augment|eval) " "$T/out")$(grep -Ec "^pro-(import|rerank|train) " "$T/out")" = 20
finish
