#!/bin/bash
# shellcheck disable=SC2317 # functions are called by check and flat_memory
# pro-eval from end to end.
. tests/cli/lib.sh
. tests/cli/toy.sh

cat >"$T/in.jsonl" <<'J'
{"id":"a","prompt":"p","subset":"harmless-base","responses":[{"text":"I am fine.","source":"hh:chosen","rm":1.5,"true":1},{"text":"I am not fine","source":"llama","rm":-0.5,"true":0},{"text":"  I am fine.\n","source":"pro","rm":2,"true":1}]}
{"id":"b","prompt":"p","subset":"helpful-base","responses":[{"text":"Sure thing, my friend.","source":"hh:chosen","rm":1,"true":1},{"text":"Sure thing, friend.","source":"llama","rm":0.5,"true":1}]}
{"id":"c","prompt":"p","subset":"helpful-base","responses":[{"text":"naïve café","source":"llama","rm":0,"true":0},{"text":"nope","source":"pro","rm":1000,"true":1}]}
{"id":"d","prompt":"p","subset":"helpful-base","responses":[{"text":"of no system","source":"other"}]}
J
all=(pro-eval --hypothesis llama --hypothesis pro --reference hh:chosen --bleu "char,sacrebleu"
	--reward-field rm --field true --by subset)
eval_all() {
	"${all[@]}" "$@"
}

MATRIX_SKIP="counts empty" matrix "${all[@]}" "$T/in.jsonl"
check_exit 65 "no records: nothing was evaluated" eval_all /dev/null
check_err "which it says" "nothing was evaluated"
holds "and prints nothing" ! -s "$T/out"

# Figures of nltk 3.9 and sacreBLEU 2.6 for these texts; rewards and intervals by hand.
check "the table" eval_all "$T/in.jsonl"
cat >"$T/want" <<'W'
System       charBLEU  sacreBLEU        Reward         true  n
harmless-base
  llama   56.33            35.36   37.75        0.000        1
  pro    100.00           100.00   88.08        1.000        1
helpful-base
  llama   81.35            40.94   56.12±12.00  0.500±0.980  2
  pro         -                -  100.00        1.000        1
Total
  llama   68.84±24.52      32.28   50.00±13.86  0.333±0.653  3
  pro    100.00           100.00   94.04±11.68  1.000±0.000  2

charBLEU: nltk's sentence BLEU-4 over characters, not smoothed; mean, x 100;
  reference hh:chosen
W
head -n 13 "$T/out" | diff - "$T/want" >"$T/diff"
holds "is a row a subset and system, with these figures" ! -s "$T/diff" || sed 's/^/# /' "$T/diff"
check_out "names sacreBLEU's signature" \
	'^sacreBLEU: .*nrefs:1\|case:mixed\|eff:no\|tok:13a\|smooth:exp\|version:pro-[0-9.]+;$'
check_out "says what a reward is" '^Reward: .*sigmoid.*rm$'
check_out "and an interval" '^±: half the width of the 95 % interval of a mean over records$'
check_err "a missing label is told" "pro: no response in 2 of 4 records"
check_err "a missing reference is told" "hh:chosen: no reference in 2 of 4 records"
check_err "in = out + rejected" "4 records read, 3 evaluated, 1 rejected"
fits() { # NAME COMMAND...: no line has more than 80 columns
	check "$@"
	local widest
	widest=$(LC_ALL=C.UTF-8 awk 'length > n { n = length } END { print n + 0 }' "$T/out")
	holds "in 80 columns" "$widest" -le 80
}
cat >"$T/mixed.jsonl" <<'J'
{"id":"a","prompt":"p","responses":[{"text":"x","source":"hf","s":1,"generated":{"model":"hf","hash":"aaaa"}},
 {"text":"y","source":"hf","s":2,"generated":{"model":"hf","hash":"bbbb"}}]}
J
check "two models under one label" pro-eval --hypothesis hf --field s "$T/mixed.jsonl"
check_err "are said" "hf: two models made responses of this label"
check_err "and that a record counts once" "hf: 2 responses in 1 records; a record counts with their mean"
sed 's/bbbb/aaaa/' "$T/mixed.jsonl" >"$T/samples.jsonl"
run pro-eval --hypothesis hf --field s "$T/samples.jsonl"
holds "samples of one model are no two" "$(grep -c 'two models' "$T/err")" -eq 0
fits "every table" eval_all "$T/in.jsonl"
check "two subsets that fit" pro-eval --hypothesis llama --hypothesis pro --field true --by subset "$T/in.jsonl"
cat >"$T/want" <<'W'
        harmless-base  helpful-base      Total
System           true          true         true  n
llama           0.000   0.500±0.980  0.333±0.653  3
pro             1.000   1.000        1.000±0.000  2
W
head -n 4 "$T/out" | diff - "$T/want" >"$T/diff"
holds "are beside each other, as in Table 2" ! -s "$T/diff" || sed 's/^/# /' "$T/diff"
long=a-label-that-nobody-would-write-by-hand-but-a-script-would
sed "s/\"true\"/\"f1\":0.5,\"another_number\":1,\"and_a_third\":2,\"true\"/g; s/\"pro\"/\"$long\"/" "$T/in.jsonl" >"$T/many.jsonl"
fits "more numbers than 80 columns hold" pro-eval --hypothesis llama --hypothesis $long --reference hh:chosen \
	--bleu "char,sacrebleu" --reward-field rm --field true --field f1 --field another_number \
	--field and_a_third --agreement another_number --by subset "$T/many.jsonl"
check_out "go on below" '^System +f1 +another_number +and_a_third +n$'
check_out "a long label has a line" "^  $long\$"
check "rejects are listed" eval_all --rejects "$T/rejects" "$T/in.jsonl"
grep -q '"line":4,"id":"d","reason":"no response of the systems"' "$T/rejects"
holds "with line and reason" $? -eq 0

check "JSON" eval_all --format json "$T/in.jsonl"
holds "has an object per system and subset" "$(grep -c '"system"' "$T/out")" -eq 6
check_out "at full precision" \
	'"system":"llama","subset":"harmless-base","n":1,"responses":1,"missing":0,"bleu_char":56.332187176495[0-9]*,"bleu_char_low":null,"bleu_char_high":null,"sacrebleu":35.355339059327[0-9]*,"signature":"nrefs:1'
check_out "with intervals" '"subset":"Total".*"fields":\{"true":\{"mean":1.0,"low":1.0,"high":1.0\}\}\}\]'
check_out "and null for what cannot be had" '"system":"pro","subset":"helpful-base","n":1,"responses":1,"missing":2,"bleu_char":null,"bleu_char_low":null,"bleu_char_high":null,"sacrebleu":null'
check "CSV" eval_all --format csv "$T/in.jsonl"
holds "has as many lines" "$(wc -l <"$T/out")" -eq 7
check_out "and names" \
	'^system,subset,n,.*,bleu_char,bleu_char_low,bleu_char_high,sacrebleu,.*,reward,reward_low,reward_high,true,true_low,true_high$'
holds "as many in every line" "$(awk -F, '{ print NF }' "$T/out" | sort -u | wc -l)" -eq 1
check "without --reference there is no BLEU" pro-eval --hypothesis pro --field true "$T/in.jsonl"
! grep -q BLEU "$T/out"
holds "in the table" $? -eq 0

# Labels and numbers that are not there
check_exit 65 "a label that never appears" pro-eval --hypothesis gpt --field true "$T/in.jsonl"
check_err "names those that do" "gpt: .*there are: hh:chosen, llama, pro, other"
check_exit 65 "a reference that never appears" pro-eval --hypothesis pro --reference gold "$T/in.jsonl"
check_exit 65 "a number that never appears" pro-eval --hypothesis pro --reward-field none "$T/in.jsonl"
echo '{"prompt":"p","responses":[{"text":"x","source":"pro","rm":"high"}]}' >"$T/bad"
check_err "is told with those that are there" "no response has a number in 'none'; there are: .*\\brm\\b"
check_exit 65 "a --field that never appears" pro-eval --hypothesis pro --field none "$T/in.jsonl"
check_err "too" "number in 'none'; there are: .*\\btrue\\b"
check_exit 65 "an --agreement that never appears" pro-eval --agreement none "$T/in.jsonl"
check_err "as well" "number in 'none'; there are: .*\\btrue\\b"
check_exit 65 "a number that is none" pro-eval --hypothesis pro --reward-field rm "$T/bad"
check_err "is named by file and line" "$T/bad:1: responses\[0\]: .*rm"

# --agreement: hh:chosen, llama, pro in this order have rm 1.5 > -0.5 < 2, 1 > 0.5 and 0 < 1000
check "--agreement" pro-eval --agreement rm --agreement true --format json "$T/in.jsonl"
check_out "counts pairs" '"agreement":"rm","pairs":5,"missing":0,"accuracy":0.4,'
check_out "and half of a tie" '"agreement":"true","pairs":5,"missing":0,"accuracy":0.4,'
check "is a line below a table" pro-eval --hypothesis llama --field true --agreement rm "$T/in.jsonl"
check_out "with its interval" '^Agreement of rm with the order: 40.00 % \[11.8, 76.9\] of 5 pairs$'
check_exit 65 "an agreement of nothing" pro-eval --agreement none "$T/in.jsonl"

# Usage
check_exit 64 "no --hypothesis" pro-eval --reference hh:chosen "$T/in.jsonl"
check_exit 64 "nothing to measure" pro-eval --hypothesis pro "$T/in.jsonl"
check_exit 64 "an unknown BLEU" pro-eval --hypothesis pro --reference hh:chosen --bleu meteor "$T/in.jsonl"
check_exit 64 "--bleu without reference" pro-eval --hypothesis pro --bleu char --field true "$T/in.jsonl"
check_exit 64 "a label twice" pro-eval --hypothesis pro --hypothesis pro --field true "$T/in.jsonl"
check_exit 64 "two sources of rewards" pro-eval --hypothesis pro --reward "$T" --reward-field rm "$T/in.jsonl"

# --reward DIR is pro-score and --reward-field in one
cd "$T" || exit 1
if toy_model rm reward 3 && toy_model lm lm 1; then
	toy_records 60 >toys.jsonl
	check "scores by pro-score" pro-score --threads 1 --reward rm --as s toys.jsonl
	cp out scored.jsonl
	check "evaluated by field" pro-eval --hypothesis b --hypothesis a --reward-field s --by subset \
		--format json scored.jsonl
	cp out by-field
	check "evaluated by reward model" pro-eval --threads 1 --hypothesis b --hypothesis a --reward rm \
		--by subset --format json toys.jsonl
	same "give the same figures" by-field out
	check_err "the template is told" "rm: template "
	# what does not fit is in no figure, wherever it is met
	jq -c '.responses[] += {f: 1} | .responses[] |= . + {g: .s} | (input_line_number % 20) as $n | if $n == 7 then .subset = 7
		elif $n == 8 then .responses[1].f = "x" elif $n == 9 then .responses[0].g = [] else . end' scored.jsonl >unfit.jsonl
	for by in "--reward rm --threads 1" "--reward-field s --agreement g" "--agreement g --agreement s"; do
		n=6
		[[ $by = *agreement* ]] && n=9
		read -ra words <<<"--hypothesis b --hypothesis a --by subset --field f --field s --format json $by"
		jq -c "select((input_line_number % 20) | . < 7 or . > 6 + $n / 3)" unfit.jsonl >fit.jsonl
		run pro-eval "${words[@]}" fit.jsonl
		cp out fit.out
		check "--on-bad-line skip, $by" pro-eval "${words[@]}" --on-bad-line skip unfit.jsonl
		check_err "$n are counted" "60 records read, $((60 - n)) evaluated, $n rejected .$n bad lines, the first unfit.jsonl:7: "
		same "and are in no figure" fit.out out
	done
	check "only the systems' responses are read" pro-eval --threads 1 --hypothesis b --reward rm \
		--on-overlong error --max-length 80 toys.jsonl
	check_exit 65 "--on-overlong error" pro-eval --hypothesis a --reward rm --on-overlong error \
		--max-length 20 toys.jsonl
	check_err "names the record's line" "toys.jsonl:[0-9]+: "
	check "--on-overlong truncate" pro-eval --hypothesis a --reward rm --max-length 20 --rejects cuts toys.jsonl
	check_err "counts the cuts" "60 records read, 60 evaluated, 0 rejected, 60 cut"
	holds "and lists them" "$(wc -l <cuts)" -eq 60
	check_exit 65 "--on-overlong drop" pro-eval --hypothesis a --reward rm --on-overlong drop \
		--max-length 20 toys.jsonl
	check_exit 78 "a policy is no reward model" pro-eval --hypothesis a --reward lm toys.jsonl
else
	fail "toy reward model"
fi
cd "$root" || exit 1

records() {
	awk -v from="$1" -v n="$2" 'BEGIN { for (i = from; i < from + n; i++) printf \
		"{\"id\":\"%d\",\"prompt\":\"p %d\",\"subset\":\"s%d\",\"responses\":[{\"text\":\"gold %d\",\"source\":\"hh:chosen\"},{\"text\":\"text %d\",\"source\":\"llama\",\"rm\":%d},{\"text\":\"\",\"source\":\"pro\",\"rm\":1}]}\n", \
		i, i, i % 5, i, i * 7, i % 9 - 4 }'
}
flat_memory "memory is flat over 100 000 records" 100000 records pro-eval --hypothesis llama \
	--hypothesis pro --reference hh:chosen --bleu char,sacrebleu --reward-field rm --by subset
cd "$T" && toy_model tiny reward 4 1 8
flat_memory "and with a reward model over 20 000" 20000 records pro-eval --hypothesis llama --reward tiny
finish
