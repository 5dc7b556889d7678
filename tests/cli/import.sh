#!/bin/bash
# pro-import end to end: formats, filters, parts, samples, and the matrix of every program.
. tests/cli/lib.sh

hh() { # FROM COUNT: comparisons as HH-RLHF has them
	awk -v from="$1" -v n="$2" 'BEGIN { for (i = from; i < from + n; i++)
		printf "{\"chosen\":\"\\n\\nHuman: question %d\\n\\nAssistant: yes %d\",\"rejected\":\"\\n\\nHuman: question %d\\n\\nAssistant: no %d\"}\n", i % 997, i, i % 997, i }'
}

hh 1 300 >"$T/hh.jsonl"
matrix pro-import "$T/hh.jsonl"

check "hh" pro-import "$T/hh.jsonl"
check_out "hh: the first record, to the byte" '^\{"id":"hh:1","prompt":\[\{"role":"user","content":"question 1"\}\],"responses":\[\{"text":"yes 1","source":"hh:chosen"\},\{"text":"no 1","source":"hh:rejected"\}\]\}$'
check_err "the format is named" '^pro-import: format: hh$'
cp "$T/out" "$T/records"
check "records pass through" pro-import "$T/records"
same "records pass through unchanged" "$T/records" "$T/out"
check "-- and _ in option names" pro-import --sample=3 --format hh -q -- "$T/hh.jsonl"
holds "--quiet is quiet" ! -s "$T/err"

cat "$T/hh.jsonl" "$T/hh.jsonl" >"$T/twice"
pro-import "$T/twice" >"$T/a" 2>/dev/null
pro-import "$T/hh.jsonl" "$T/hh.jsonl" >"$T/b" 2>/dev/null
same "two files are one stream" "$T/a" "$T/b"
holds "ids differ over all files" "$(jq -r .id "$T/b" | sort -u | wc -l)" -eq 600

# errors name file and line, and what was done before them stays whole
{ head -n 3 "$T/hh.jsonl"; echo '{"chosen":3,"rejected":""}'; } >"$T/bad"
check_exit 65 "a record of another format" pro-import "$T/bad"
check_err "a record of another format is named" "^pro-import: $T/bad:4: chosen: not a string$"
holds "records before an error are whole" "$(wc -l <"$T/out")" -eq 3
echo '{"text":"x"}' >"$T/bad"
check_exit 65 "an unknown format" pro-import "$T/bad"
check_err "an unknown format names the members" "bad:1: unknown format: the members are text, and no format"
echo '{"prompt":"x","answers":["y"],"k":null}' >"$T/bad"
check_exit 65 "an unknown format that resembles one" pro-import "$T/bad"
check_err "an unknown format names the nearest" "answers, k \\(null\\); the nearest format is nectar, which needs answers \\(objects with answer\\) too"
echo '{"chosen":"a","rejected":"b","query":"","responses":[],"scores":[]}' >"$T/bad"
check_exit 65 "an ambiguous format" pro-import "$T/bad"
check_err "an ambiguous format names the candidates" "could be trl, rrhf; name the format with --format"
check_exit 65 "an ambiguous format that was named" pro-import --format rrhf "$T/bad"
check_err "is read so" "nothing is left of 1 record: 1 no prompt"

# a later record of another format is not read as what it is not
among() { # RECORD...
	printf '%s\n' "$@" >"$T/bad"
	check_exit 65 "formats mixed: $2" pro-import "$T/bad"
}
pair='{"prompt":"q","chosen":"a","rejected":"b"}'
among '{"prompt":"p"}' "$pair"
check_err "is named" "bad:2: a record of format trl among those of format prompts; import them apart$"
among '{"prompt":"p"}' '{"prompt":"q","candidates":["a"]}'
check_err "answers are named" "bad:2: the format is prompts, but candidates is there, which may hold responses$"
among '{"id":"r","prompt":"p","responses":[{"text":"a"}]}' "$pair"
among '{"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"a"}]}' \
	'{"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"a"}],"rejected_response":"b"}'
among '{"prompt":"p","completion":"a","label":true}' '{"prompt":"p","completion":"c","chosen":"a","rejected":"b"}'
check "formats mixed, skipped" pro-import --on-bad-line skip --rejects "$T/rejects" "$T/bad"
adds_up "formats mixed: in = out + rejected"
printf '%s\n' "$pair" '{"prompt":"q","chosen":"a","rejected":"b","score_chosen":2,"score_rejected":1}' \
	'{"chosen":"\n\nHuman: q\n\nAssistant: a","rejected":"\n\nHuman: q\n\nAssistant: b"}' >"$T/bad"
check "a member more or less is no other format" pro-import --expect 3 "$T/bad"
printf '%s\n' '{"id":"r","prompt":"p","responses":[{"text":"a"}]}' '{"id":"s","prompt":"q"}' >"$T/bad"
check "nor is a record without responses" pro-import --expect 2 "$T/bad"
echo "$pair" >"$T/bad"
check "--format prompts reads prompts alone" pro-import --format prompts "$T/bad"
check_exit 65 "downstream, a pair is no record without responses" pro-rerank "$T/bad"
check_err "the way is named" "bad:1: responses: missing, but chosen is there: pro-import makes records"
sed 's/"rejected":"b"/"rejected":"a"/' "$T/bad" >"$T/bad2"
check_exit 65 "equal responses are no preference" pro-import "$T/bad2"
check "under --filter none they stay" pro-import --filter none "$T/bad2"
check_err "and are told" 'responses that are all the same in 1 of the records'

check_exit 64 "--format wants a known name" pro-import --format nonsense "$T/hh.jsonl"
check_exit 64 "--split wants --part" pro-import --split a=.5 "$T/hh.jsonl"
check_exit 64 "--part must be in --split" pro-import --split a=.5 --part b "$T/hh.jsonl"
check_exit 64 "--sample wants a number" pro-import --sample 3x "$T/hh.jsonl"
check_exit 73 "--rejects that cannot be made" pro-import --rejects "$T/no/such" "$T/hh.jsonl"
check_exit 65 "--expect, another number" pro-import --expect 299 "$T/hh.jsonl"
check "--expect, the number" pro-import --expect 300 "$T/hh.jsonl"
if [ -w /dev/full ]; then
	jq -c '.rejected = .chosen' "$T/hh.jsonl" >"$T/equal"
	cat "$T/hh.jsonl" >>"$T/equal"
	check_exit 74 "a full disk under --rejects" pro-import --filter contexts --rejects /dev/full "$T/equal"
fi

# scores and prompts by name
printf '%s\n' '{"prompt":"p","chosen":"a","rejected":"b","chosen_rating":5,"rejected_rating":1}' >"$T/scored"
check "scores of the data" pro-import "$T/scored"
check_err "scores of the data: their range is said" 'scores of the data, from 1 to 5, are the rewards as they are'
check "--reward-scale" pro-import --reward-scale 1:5 "$T/scored"
check_out "--reward-scale: onto 0 to 1" '"reward":1.0.*"reward":0.0'
check_exit 64 "--reward-scale wants a range" pro-import --reward-scale 5:1 "$T/scored"
check_exit 65 "--reward-from wants a member" pro-import --reward-from votes "$T/scored"
check_exit 64 "--reward-from, but the format has no scores" pro-import --reward-from x "$T/hh.jsonl"
check_exit 64 "--prompt-from, but the format knows its prompt" pro-import --prompt-from x "$T/hh.jsonl"
check_err "--prompt-from: the format is named" 'format hh says where its prompt is'
printf '%s\n' '{"message_tree_id":"t","prompt":{"text":"q","role":"prompter","replies":[
{"text":"a","role":"assistant","rank":1,"replies":[{"text":"r","role":"prompter","replies":[
{"text":"c","role":"assistant","rank":0},{"text":"d","role":"assistant","rank":1}]}]},
{"text":"b","role":"assistant","rank":0}]}}' | tr -d '\n' >"$T/tree"
check "a tree" pro-import --expect 2 --stats "$T/tree"
adds_up "a tree: its places are counted"
holds "a tree: ids" "$(jq -r .id "$T/out" | tr '\n' ' ')" = "oasst-tree:1.1 oasst-tree:1.2 "

# filters and rejects
cat >"$T/mixed" <<'EOF'
{"chosen":"\n\nHuman: a\n\nAssistant: b","rejected":"\n\nHuman: a\n\nAssistant: c"}

{"chosen":"\n\nHuman: a\n\nAssistant: b","rejected":"\n\nHuman: a"}
{"chosen":"\n\nHuman: a\n\nAssistant: b","rejected":"\n\nHuman: z\n\nAssistant: c"}
EOF
check "turns" pro-import --rejects "$T/rejects" --stats --subset s "$T/mixed"
adds_up "turns: in = out + rejected"
check_err "--stats: the table" 'mixed +3 +2 +1$'
check_err "--stats: the reasons" '^different numbers of turns +1$'
printf '%s\n' "{\"file\":\"$T/mixed\",\"line\":3,\"id\":\"\",\"reason\":\"different numbers of turns\",\"record\":{\"chosen\":\"\\n\\nHuman: a\\n\\nAssistant: b\",\"rejected\":\"\\n\\nHuman: a\"}}" >"$T/want"
same "--rejects: the line, to the byte" "$T/want" "$T/rejects"
holds "ids are lines" "$(jq -r .id "$T/out" | tr '\n' ' ')" = "s:1 s:4 "
check "contexts" pro-import --filter contexts --rejects "$T/rejects" "$T/mixed"
adds_up "contexts: in = out + rejected"
holds "contexts keeps 1 of 3" "$(wc -l <"$T/out") $(wc -l <"$T/rejects")" = "1 2"

# parts
for part in a b c; do
	pro-import --split a=.6,b=.3,c=.1 --part $part --rejects "$T/rejects.$part" "$T/hh.jsonl" "$T/hh.jsonl" \
		>"$T/part.$part" 2>"$T/err" || fail "--part $part"
	adds_up "--part $part: in = out + rejected"
	[ -s "$T/rejects.$part" ] && fail "--part $part: records of other parts are not rejects"
	check_err "--part $part: they are counted" ", 0 rejected, $((600 - $(wc -l <"$T/part.$part"))) in other parts$"
	jq -c .prompt "$T/part.$part" | sort -u >"$T/prompts.$part"
	[ -s "$T/prompts.$part" ] || fail "--part $part is empty"
done
cat "$T"/part.? | sort >"$T/a"
sort "$T/b" >"$T/b.sorted"
same "the parts are the whole" "$T/a" "$T/b.sorted"
holds "no prompt is in two parts" -z "$(sort "$T"/prompts.? | uniq -d)"

# samples
check "--sample" pro-import --sample 20 --seed 7 --rejects "$T/rejects" "$T/hh.jsonl"
adds_up "--sample: in = out + rejected"
holds "--sample 20 of 300" "$(wc -l <"$T/out") $(wc -l <"$T/rejects")" = "20 0"
check_err "--sample: the others are counted" ", 0 rejected, 280 not in the sample$"
jq -r '.id[3:]' "$T/out" >"$T/a"
sort -n "$T/a" >"$T/c"
same "--sample keeps the order" "$T/a" "$T/c"
cp "$T/out" "$T/c"
pro-import --sample 20 --seed 7 "$T/hh.jsonl" >"$T/a" 2>/dev/null
same "--sample: same seed, same bytes" "$T/a" "$T/c"
pro-import --sample 20 --seed 8 "$T/hh.jsonl" >"$T/a" 2>/dev/null
differ "--sample: another seed, another sample" "$T/a" "$T/c"
check "--sample of fewer" pro-import --sample 1000 "$T/hh.jsonl"
same "--sample of fewer is all" "$T/records" "$T/out"

# two imports under one name
pro-import --name one "$T/hh.jsonl" 2>/dev/null >"$T/one"
cat "$T/records" "$T/one" >"$T/two"
check "two imports of different names" pro-import "$T/two"
holds "two imports of different names are not remarked" "$(grep -c 'there twice' "$T/err")" -eq 0
cat "$T/records" "$T/records" >"$T/two"
check "two imports of one name" pro-import "$T/two"
check_err "two imports of one name are remarked" '^pro-import: ids are there twice, such as hh:1: give imports .* --name'
jq -c '.responses[].reward = 1' "$T/two" >"$T/a"
check "two imports of one name, downstream" pro-rerank "$T/a"
check_err "two imports of one name are remarked downstream" '^pro-rerank: ids are there twice, such as hh:1: '

check "--part, --sample and --stats" pro-import --split a=.6,b=.4 --part a --sample 5 --stats "$T/hh.jsonl"
adds_up "all together: in = out + rejected + elsewhere"
check_err "--stats: what was not asked for has a column" 'hh.jsonl +300 +5 +0 +295$'

# what is wrong, and nothing done
cp "$T/mixed" "$T/bad"
printf '%s\n' 'x' '{"chosen":3,"rejected":""}' '7' >>"$T/bad"
check "--on-bad-line skip" pro-import --on-bad-line skip --rejects "$T/rejects" "$T/bad"
adds_up "--on-bad-line skip: in = out + rejected"
check_err "the reasons are named" \
	": 6 records read, 2 written, 4 rejected \(3 bad lines, the first $T/bad:5: JSON: column 1: .*; 1 different numbers of turns\)$"
holds "all are listed" "$(jq -r .line "$T/rejects" | tr '\n' ' ')" = "3 5 6 7 "
holds "with what can be written of them" "$(jq -c '[.record, .text]' "$T/rejects" | sed -n 2,4p | tr '\n' ' ')" = \
	'[null,"x"] [{"chosen":3,"rejected":""},null] [7,null] '
sed -n 3p "$T/mixed" >"$T/bad"
check_exit 65 "all were rejected" pro-import "$T/bad"
check_err "why is said" "^pro-import: nothing is left of 1 record: 1 different numbers of turns$"
check "all are in other parts" pro-import --split a=.000001,b=.9 --part a "$T/hh.jsonl"
check_err "which is no failure" ": 300 records read, 0 written, 0 rejected, 300 in other parts$"
check "nothing came" pro-import /dev/null
check_err "which is noted" "0 rejected: the input is empty$"
hh_of() { # CHOSEN REJECTED
	printf '{"chosen":"%s","rejected":"%s"}\n' "$1" "$2"
}
q='\n\nHuman: a' a='\n\nAssistant: b'
{
	hh_of "$q" "$q$a"
	for _ in 1 2; do hh_of "$q$a" "$q"; done
	for _ in 1 2 3; do hh_of "$q$a" "$q$a"; done
	for _ in 1 2 3 4; do hh_of "$q$a$q" "$q$a$q"; done
} >"$T/lines"
check_exit 65 "several reasons" pro-import --format hh --filter contexts "$T/lines"
check_err "the commonest come first" ": 6 a dialogue does not end with the assistant, 3 equal responses, 1 no turn of the assistant "

# arrays as they lie in the field; memory stays flat
array() { # FROM COUNT: elements of an array that begins with the first
	[ "$1" -gt 1 ] || printf '['
	hh "$1" "$2" | tr '\n' ','
}
array 1 100 | sed 's/,$/]/' >"$T/array"
pro-import -q "$T/array" >"$T/a"
head -n 100 "$T/records" >"$T/c"
same "an array on one line" "$T/a" "$T/c"
check_exit 65 "an array that is cut short" pro-import <(array 1 10)
check_err "is named" ": the array that begins on line 1 has no end: is the file cut short"
holds "what came before stays whole" "$(wc -l <"$T/out")" -eq 10
mkfifo "$T/pipe"
timeout 20 cat "$T/hh.jsonl" >"$T/pipe" &
check "a named pipe is a file" pro-import "$T/pipe"
wait $!
check_exit 66 "a folder" pro-import "$T"
check_err "the way out is named" "is a directory; name the files in it"

# other tools' formats, there and back
for to in trl rrhf; do
	check "--to $to" pro-import --to $to "$T/hh.jsonl"
	cp "$T/out" "$T/$to"
	check "--to $to is read back" pro-import "$T/$to"
	jq -c '[.prompt, [.responses[].text]]' "$T/out" >"$T/a"
	jq -c '[.prompt, [.responses[].text]]' "$T/records" >"$T/c"
	same "--to $to and back keeps prompts and responses" "$T/a" "$T/c"
done
check "--to alpacaeval" pro-import --to alpacaeval "$T/hh.jsonl"
check_out "--to alpacaeval: instruction, output, generator" '^\{"instruction":"question 1","output":"yes 1","generator":"hh:chosen"\}$'

echo '{"query":"q","responses":["a","b"],"scores":[2,1]}
{"prompt":"q","responses":[{"text":"a","reward":1},{"text":"b","reward":2}]}' >"$T/order"
tail -n 1 "$T/order" >"$T/order1"
check "rewards out of order pass" pro-import "$T/order1"
check_err "rewards out of order are told" 'rewards do not descend in 1 of 1 records: pro-rerank sorts them'

flat_memory "memory stays flat over 100000 records" 100000 hh pro-import
flat_memory "memory stays flat with a sample and rejects" 100000 hh pro-import --sample 50 --rejects /dev/null

# the real files
for set in harmless-base:2312:2312 helpful-base:2354:2352; do
	IFS=: read -r name turns contexts <<<"$set"
	file=$shared/data/hh-rlhf/$name/test.jsonl.gz
	if [ ! -r "$file" ]; then
		skip "$name: Table 1" "no ../shared/data/hh-rlhf"
		continue
	fi
	check "$name: $turns records" pro-import --expect "$turns" "$file"
	holds "$name: $turns kept by turns" "$(wc -l <"$T/out")" -eq "$turns"
	check "$name: contexts" pro-import --filter contexts "$file"
	holds "$name: $contexts kept by contexts" "$(wc -l <"$T/out")" -eq "$contexts"
done
file=$shared/data/hh-rlhf/harmless-base/test.jsonl.gz
processed=$shared/data/pro-hh/harmless_base.json.gz
if [ -r "$file" ] && [ -r "$processed" ]; then
	pro-import --paragraphs drop "$file" 2>/dev/null | jq -c '[.prompt, [.responses[].text]]' | sort >"$T/a"
	pro-import "$processed" 2>/dev/null | jq -c '[.prompt, [.responses[].text]]' | sort >"$T/c"
	[ "$(wc -l <"$T/a")" -eq 2312 ] || fail "--paragraphs drop: 2312 records"
	same "--paragraphs drop gives the texts of the paper's own data" "$T/a" "$T/c"
	pro-import "$file" 2>/dev/null | jq -c '[.prompt, [.responses[].text]]' | sort >"$T/b"
	differ "--paragraphs keep differs" "$T/a" "$T/b"
else
	skip "--paragraphs drop gives the texts of the paper's own data" "no ../shared/data"
fi
file=$shared/data/rankings/oasst_ranked.jsonl
if [ -r "$file" ]; then
	check "oasst: 212 rankings" pro-import --format oasst --expect 212 "$file"
	check_out "oasst: rankings of 9" '"rank":8[,}]'
else
	skip "oasst: 212 rankings" "no ../shared/data/rankings"
fi
finish
