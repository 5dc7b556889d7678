#!/bin/bash
# Memory that cannot be had: the Nth allocation of a program fails (tests/oom/failnth.c), for N
# over its whole run, alone or with all that follow.  Right is the same output and exit 0, or 71
# and "out of memory"; nothing else.  Here for a sample of N; OOM_ALL=1 (make check-oom): for all.
. tests/cli/lib.sh
. tests/cli/toy.sh
if ldd "$(command -v pro-import)" | grep -q asan; then
	skip "memory that cannot be had" "AddressSanitizer has an allocator of its own"
	finish
fi
lib=$T/failnth.so
cc -std=c17 -O2 -D_GNU_SOURCE -shared -fPIC -o "$lib" tests/oom/failnth.c -ldl ||
	{ fail "failnth.c"; finish; }
cd "$T" || exit 1
toy_model m lm 1 1 8 && toy_model rm reward 2 1 8 || { fail "toy models"; finish; }
toy_records 3 >in.jsonl
jq -c '.responses[0].reward = 2 | .responses[1].reward = 1' in.jsonl >ranked.jsonl
gzip -kc in.jsonl >in.jsonl.gz
printf 'the cat sat on the mat\nwas ist gr\303\274n\n' >text
cat >hh.jsonl <<-'END'
	{"chosen":"\n\nHuman: hi\n\nAssistant: hello","rejected":"\n\nHuman: hi\n\nAssistant: no"}
	{"chosen":"\n\nHuman: \u00e9\n\nAssistant: y","rejected":"\n\nHuman: \u00e9\n\nAssistant: -"}
END
cat >messages.jsonl <<-'END'
	{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"q"}],"chosen":"a","rejected":"b"}
END
gguf=$root/tests/fuzz/seeds/gguf/qwen2.gguf
all=${OOM_ALL:-}
input=/dev/null # of the command
makes=          # what it makes beside its standard output
runs=0

made() {
	cat run.out
	[ -z "$makes" ] || find "$makes" -type f | sort | xargs -r cat
} 2>/dev/null
# under VARIABLE=N PROGRAM ARG...: PROGRAM, and none that it starts, with nothing made before
under() {
	runs=$((runs + 1))
	[ -z "$makes" ] || rm -rf "$makes" "$makes".*
	env FAILNTH_IN="${only:-$2}" LD_PRELOAD="$lib" "$1" timeout -s KILL 60 "${@:2}" \
		<"$input" >run.out 2>run.err
}
# how many allocations there are, into $total
counted() { # NAME PROGRAM ARG...
	under FAILNTH_COUNT="$T/count" "${@:2}" ||
		{ fail "$1" "exit $?: $(tail -n 1 run.err)"; return 1; }
	total=$(cat count)
}
# what is wrong with the exit STATUS of the last run; nothing, when that was no memory
wrong() {
	case $1 in
	71) grep -q 'out of memory' run.err || echo "71 without a word: $(tail -n 1 run.err)" ;;
	*) echo "exit $1: $(tail -n 1 run.err)" ;;
	esac
}
verdict() { # NAME WRONG...
	if [ $# -eq 1 ]; then
		pass "$1 ($total allocations)"
	else
		fail "$1: $(($# - 1)) wrong" "${@:2:8}"
	fi
}

# sweep NAME SAMPLES PROGRAM ARG...: of three samples two fail once, the third from there on
sweep() {
	local name=$1 samples=$2 total step i n how why bad=()
	shift 2
	counted "$name" "$@" || return
	made >want
	step=$((total / samples + 1))
	[ -z "$all" ] || step=1
	for ((i = 1, n = 0; i <= total; i += step, n++)); do
		for how in AT FROM; do
			case $all$((n % 3))$how in [01]FROM | 2AT) continue ;; esac
			under FAILNTH_$how=$i "$@"
			case $? in
			0) made | cmp -s want - && why='' || why="other output" ;;
			*) why=$(wrong $?) ;;
			esac
			[ -z "$why" ] || bad+=("$how $i of $total: $why")
		done
	done
	verdict "$name" "${bad[@]}"
}

sweep "pro-import" 60 pro-import -q in.jsonl
sweep "pro-import, gzip" 40 pro-import -q in.jsonl.gz
sweep "pro-import, hh" 40 pro-import -q --split a=.5,b=.5 --part a --stats hh.jsonl
sweep "pro-import, messages" 40 pro-import -q messages.jsonl
sweep "pro-augment" 40 pro-augment -q --model m -n 1 --max-tokens 3 --threads 2 in.jsonl
sweep "pro-augment --from" 30 pro-augment -q --from ranked.jsonl in.jsonl
sweep "pro-score --policy" 40 pro-score -q --policy m --threads 1 in.jsonl
sweep "pro-score --reward" 30 pro-score -q --reward rm --threads 2 in.jsonl
sweep "pro-score --tensors" 30 pro-score -q --policy m --tensors --threads 1 in.jsonl
sweep "pro-rerank" 30 pro-rerank -q --reward rm --threads 1 in.jsonl
eval=(pro-eval -q --hypothesis a --reference b)
sweep "pro-eval" 40 "${eval[@]}" --bleu char,sacrebleu --by subset in.jsonl
sweep "pro-eval --reward" 30 "${eval[@]}" --reward rm --threads 1 in.jsonl
sweep "pro-model info" 30 pro-model info m
input=text
sweep "pro-model tokenize" 30 pro-model tokenize m
# an expression that is Oniguruma's business (lib/text/regex.h)
cp -r toy.tokenizer slow && jq -c '.pre_tokenizer = {"type": "Sequence", "pretokenizers": [
	{"type": "Split", "behavior": "Isolated", "invert": false,
	"pattern": {"Regex": "\\b\\w+\\p{Han}?|(?i:straße)|[[:alpha:]&&[^a-c]]+|\\X(?<a>q)?|\\s+$"}},
	{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}' \
	toy.tokenizer/tokenizer.json >slow/tokenizer.json
sweep "pro-model tokenize, Oniguruma" 100 pro-model tokenize slow
makes=made sweep "pro-model tokenizer" 40 pro-model tokenizer -q --vocab 262 -o made
input=/dev/null
makes=made sweep "pro-model init" 40 pro-model init -q -o made -t toy.tokenizer toy.json
makes=made sweep "pro-model import" 40 pro-model import "$gguf" made

# --- after want of memory what was promised is there: the program goes on to the same bytes
# again NAME SAMPLES WANT GOT STATE PROGRAM ARG...: it makes "made"; with STATE there, --resume
again() {
	local name=$1 samples=$2 want=$3 got=$4 state=$5 total step i rc why bad=() resume
	local makes=made
	shift 5
	counted "$name" "$@" || return
	step=$((total / samples + 1))
	for ((i = 1; i <= total; i += step)); do
		under FAILNTH_AT=$i "$@"
		rc=$?
		if [ $rc -ne 0 ]; then
			why=$(wrong $rc)
			[ -z "$why" ] || bad+=("$i of $total: $why")
			resume=()
			[ -z "$(compgen -G "$state")" ] || resume=(--resume)
			"$@" "${resume[@]}" >run.out 2>run.err ||
				bad+=("$i of $total, then: exit $?: $(tail -n 1 run.err)")
		fi
		cmp -s "$want" "$got" || bad+=("$i of $total: other bytes")
	done
	verdict "$name" "${bad[@]}"
}
few() { echo $((${all:-0} ? 300 : $1)); }
train=(pro-train -q --model m --method pro --threads 1 --max-steps 2
	--per-device-train-batch-size 2 --gradient-accumulation-steps 1)
"${train[@]}" --out whole ranked.jsonl >log
again "pro-train goes on" "$(few 40)" whole/model.safetensors made/model.safetensors \
	'made.checkpoints/step-*' "${train[@]}" --save-steps 1 --out made ranked.jsonl
augment=(pro-augment -q --model m -n 1 --max-tokens 3 --threads 1)
"${augment[@]}" in.jsonl >samples
again "pro-augment goes on" "$(few 40)" samples made none "${augment[@]}" --resume made in.jsonl
boot=(pro-bootstrap -q --model m --reward rm --parts 1 --threads 1 --max-tokens 3)
"${boot[@]}" --out whole.boot ranked.jsonl >log
for only in pro-bootstrap pro-augment pro-rerank pro-train; do
	again "pro-bootstrap goes on after $only" "$(few 6)" whole.boot/model.safetensors \
		made/model.safetensors made.work/options "${boot[@]}" --out made ranked.jsonl
done
only=

# --- limits of address space: the result or a message, and an end
limited() { # MIB PROGRAM ARG...
	local rc
	runs=$((runs + 1))
	(ulimit -c 0 -v $(($1 * 1024)) && exec timeout -s KILL 60 "${@:2}") >run.out 2>run.err
	rc=$?
	case $rc in
	0 | 71 | 127) ;; # 127: the loader itself has no room for the libraries
	*) fail "$1 MiB: ${*:2}" "exit $rc: $(tail -n 1 run.err)" ;;
	esac
}
for mb in 12 20 40 60 80 100 150 200 300; do
	limited $mb pro-import -q in.jsonl
	limited $mb pro-rerank -q --threads 2 --reward rm in.jsonl
	limited $mb pro-score -q --threads 2 --policy m in.jsonl
	limited $mb "${augment[@]}" --threads 2 in.jsonl
done
pass "under ulimit -v"
echo "# $runs runs"
finish
