#!/bin/bash
# Inputs from the field and from abuse (../shared/cases), each with the outcome that its users want.  The
# same promises are held with inputs of the repository's own by the scripts beside this one.
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
# shellcheck source=tests/cli/toy.sh
. tests/cli/toy.sh
cases=$shared/cases
if [ ! -d "$cases" ]; then
	skip "cases from the field" "no $cases"
	finish
fi
cp -r "$cases" "$T/cases" && chmod -R u+w "$T/cases"

# enter CASE: into its copy; false (a visible skip) when the collection has no such case
enter() {
	cd "$T/cases/$1" 2>/dev/null && return
	skip "$1" "not in $cases"
	return 1
}
# imports CASE JQ [OPTION...]: in.jsonl (or in.json) becomes records of which jq -s finds JQ true
imports() {
	local name=$1 jq=$2 in
	shift 2
	enter "$name" || return
	in=$(find . -maxdepth 1 -name "in.*" | head -n 1)
	pro-import "$@" "$in" >"$T/out" 2>"$T/err"
	if jq -se "$jq" "$T/out" >/dev/null 2>&1; then
		pass "$name"
	else
		fail "$name" "$(head -n 3 "$T/out")" "$(tail -n 3 "$T/err")"
	fi
}
# refuses CASE CODE PATTERN COMMAND...
refuses() {
	local name=$1 code=$2 pattern=$3
	shift 3
	enter "$name" || return
	exits "$name" "$code" "$pattern" "$@"
}
# says CASE PATTERN: what its own run prints, both streams
says() {
	enter "$1" || return
	sh ./run >"$T/out" 2>&1 </dev/null
	if grep -q -e "$2" "$T/out"; then pass "$1"; else fail "$1" "no '$2' in: $(tail -n 4 "$T/out")"; fi
}

# ---- data
user='.[0].prompt[-1].content'
texts='[.[0].responses[].text]'
imports orca-question "$user == \"How many legs has an ant?\" and .[0].prompt[0].content == \"Answer briefly.\" and
	$texts == [\"An ant has six legs.\", \"An ant has eight legs.\"]"
imports messages-as-json-text "$user == \"Name a bird.\" and $texts == [\"Wren.\", \"Dog.\"]"
imports system-only-in-prompt "[.[0].prompt[].role] == [\"system\", \"user\"] and $texts == [\"Bonjour\", \"Hi\"]"
imports ultrafeedback-score "${texts}[0] == \"Hello!\"" --reward-from fine-grained_score
imports assistant-prefill 'all(.[]; all(.responses[].text; contains("\n") | not))'
imports turn-members-lost '.[0].prompt[0].name == "pupil" and .[0].responses[0].reasoning_content == "two and two"'
imports weight-lost '.[0].prompt[1].weight == 0 and .[0].responses[0].weight == 1'
imports label-false 'all(.[]; .responses[0].text != "Go away.")'
imports json-array 'length == 2'
imports nectar "$user == \"How many legs has an ant?\" and $texts == [\"Six.\", \"I count six.\", \"Seven.\"] and
	[.[0].responses[].source] == [\"m1\", \"m3\", \"m2\"]"
imports llamafactory-pairs "(.[0].prompt | length) == 4 and $texts == [\"Well, and you?\", \"Go away.\"]"
imports shp "$user == \"Why is the sea salt?\" and $texts == [\"Rivers bring minerals.\", \"Because it is.\"]
	and [.[0].responses[].reward] == [30, 2]"
imports oasst-tree "$user == \"Why is the sea salt?\" and $texts == [\"Rivers.\", \"No idea.\"]"
imports score-aliases '[.[0].responses[].reward] == [5, 2]'
imports score-aliases-2 '[.[0].responses[].reward] == [4, 1]'
imports prompt-of-another-record 'length == 0'
imports dialogue-string-with-messages '[.[0].prompt[].role] == ["user", "assistant", "user"]'
imports openai-preference "$user == \"Hi\" and $texts == [\"Hello!\", \"Go.\"]"
imports saferlhf "${texts}[0] == \"With an opener.\""
imports one-bad-line 'length == 2' --on-bad-line skip --rejects r.jsonl
enter one-bad-line && holds "one-bad-line: both are listed" "$(wc -l <r.jsonl)" -eq 2
refuses zstd 65 "zstd: .*checksum" pro-import in.jsonl.zst # its made-up frame has no good one
refuses parquet 65 Parquet pro-import in.parquet

# ---- model folders and tokenizers
says adapter-folder 'PEFT adapter'
says lfs-pointer 'git lfs pull'
says model-max-length '^[0-9 ]*$'
says tiktoken-beside '^[0-9 ]*$'
says split-between-digits '^16 258 20 259$'
says tokenizer-json-sentencepiece '^288 292 259 198 172$'

# ---- chat templates
# prompt_text STREAM FOLDER: the text of the first frame's prompt ids (a byte-level tokenizer.json, ASCII)
prompt_text() {
	local n from to
	n=$(od -An -tu8 -N8 "$1" | tr -d ' ')
	read -r from to < <(tail -c +9 "$1" | head -c "$n" | jq -r '.prompt_ids.data_offsets | @tsv')
	tail -c +$((9 + n + from)) "$1" | head -c $((to - from)) | od -An -v -td4 -w4 |
		jq -rRn --slurpfile t "$2/tokenizer.json" '
		($t[0].model.vocab | with_entries({key: (.value | tostring), value: .key})) as $piece |
		([$t[0].added_tokens[] | {key: (.id | tostring), value: .content}] | from_entries) as $added |
		[inputs | gsub(" "; "") | $added[.] // $piece[.]] | join("") | gsub("Ġ"; " ") | gsub("Ċ"; "\n")'
}
# prompts CASE TEXT: the prompt of its record
prompts() {
	enter "$1" || return
	sh ./run >"$T/out" 2>"$T/err"
	prompt_text out.tensors m >"$T/got"
	printf '%s\n' "$2" >"$T/want"
	if cmp -s "$T/got" "$T/want"; then pass "$1"; else fail "$1" "$(cat "$T/got")" "$(tail -n 2 "$T/err")"; fi
}
prompts template-tulu $'<|user|>\nHi\n<|assistant|>\n'
prompts template-qwen1.5 \
	$'<|im_start|>system\nYou are a helpful assistant<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n'
enter template-llama3.1-second-system && sh ./run >"$T/out" 2>"$T/err" &&
	holds "template-llama3.1-second-system" "$(prompt_text out.tensors m | grep -c '^Today Date')" -eq 1
enter template-llama3.2-date && sh ./run >"$T/out" 2>"$T/err"
day=$(prompt_text out.tensors m 2>/dev/null | sed -n 's/^Today Date: //p')
grep -q -e "--date" "$T/err" && [ -n "$day" ]
status "template-llama3.2-date: $day is said" $?
if enter reward-last-newline; then
	sh ./run >"$T/out" 2>"$T/err"
	pro-score --reward rm --score-at end-of-turn in.jsonl >"$T/turn" 2>"$T/err.turn"
	tokens() { sed -n 's/.* \([0-9]*\) tokens,.*/\1/p' "$1"; }
	holds "reward-last-newline: the newline is read" "$(tokens "$T/err")" -eq 28
	holds "reward-last-newline: --score-at end-of-turn does not" "$(tokens "$T/err.turn")" -eq 26
fi

# ---- options
if enter option-without-effect; then
	sh ./run >"$T/out" 2>&1
	holds "option-without-effect" "$(grep -c '^exit 64$' "$T/out")" -eq 2
fi

# ---- abuse: a world of toy models under the names that the cases use
cd "$T" || exit 1
mkdir world && cd world || exit 1
if ! toy_model base lm 1 || ! toy_model RM_train reward 2; then
	fail "toy models"
	finish
fi
toy_records 60 >boot.jsonl
jq -c '.responses |= [to_entries[] | .value + {reward: -.key}]' boot.jsonl | tee hh-3.jsonl >boot-3.jsonl
for c in "$T/cases"/*/run.sh; do
	name=$(basename "$(dirname "$c")")
	case $name in
	sigterm-slow-log-reader | state-json-out-of-range)
		command -v python3 >/dev/null || { skip "$name" "no python3"; continue; }
		;;
	esac
	if bash "$c" "$T/world" >"$T/out" 2>&1 </dev/null; then
		pass "$name"
	else
		fail "$name" "$(tail -n 5 "$T/out")"
	fi
done
finish
