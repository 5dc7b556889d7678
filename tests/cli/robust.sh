#!/bin/bash
# Signals, closed descriptors, full disks, files of others: nothing is lost, nothing of others is harmed.
. tests/cli/lib.sh
. tests/cli/toy.sh
cd "$T" || exit 1
toy_model m lm 1 1 8 && toy_model rm reward 2 1 8 || { fail "toy models"; finish; }
toy_records 24 >in.jsonl
jq -c '.responses[0].reward = 2 | .responses[1].reward = 1' in.jsonl >ranked.jsonl
train=(pro-train -q --model m --method pro --threads 1 --per-device-train-batch-size 2 --gradient-accumulation-steps 1)
augment=(pro-augment -q --model m --max-tokens 4 --threads 1)
same_weights() { same "$1" "$2/model.safetensors" "$3/model.safetensors"; }
# settled PID: it waits, for its reader or for ever
settled() {
	local i before=- now
	for ((i = 0; i < 300; i++)); do
		now=$(cut -d' ' -f14,15 "/proc/$1/stat" 2>/dev/null) || return 1
		[ "$now" = "$before" ] && grep -q '^State:.*S' "/proc/$1/status" && return 0
		before=$now
		sleep 0.2
	done
	return 1
}
ends() { # PID SECONDS: it ends within them
	local i
	for ((i = 0; i < $2 * 20; i++)); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.05; done
	kill -KILL "$1"
	return 1
}

# --- a reader that does not read, and a signal
"${train[@]}" --out whole --max-steps 400 ranked.jsonl | sed 's/"tokens_per_second":[^,]*,//' >whole.log
mkfifo slow
for sig in TERM INT HUP; do
	rm -rf blocked blocked.checkpoints
	bash -c 'exec 3<slow; sleep 1000' &
	reader=$!
	"${train[@]}" --out blocked --max-steps 400 ranked.jsonl >slow 2>err &
	pid=$!
	settled $pid
	kill -$sig $pid
	ends $pid 5
	holds "SIG$sig ends pro-train whose log is not read" $? -eq 0
	wait $pid
	holds "exit 75" $? -eq 75
	kill $reader
	wait $reader 2>/dev/null
	check "--resume" "${train[@]}" --out blocked --max-steps 400 --resume ranked.jsonl
	same_weights "goes on to the same weights" whole blocked
	sed 's/"tokens_per_second":[^,]*,//' out >rest.log
	tail -n "$(wc -l <rest.log)" whole.log | cmp -s - <(tail -n +1 rest.log) ||
		{ tail -n +2 rest.log >rest2 && tail -n "$(wc -l <rest2)" whole.log | cmp -s - rest2; }
	holds "and its log lacks no line" $? -eq 0
done
(
	trap '' HUP
	exec "${train[@]}" --out nohup --max-steps 400 ranked.jsonl >log 2>err
) &
pid=$!
while [ ! -s log ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -HUP $pid
wait $pid
holds "SIGHUP that was ignored at the start is ignored, as under nohup" $? -eq 0

# --- a log whose reader goes away
"${train[@]}" --out gone --max-steps 400 ranked.jsonl 2>err | head -n 3 >first
rc=${PIPESTATUS[0]}
holds "a log whose reader has gone is 74" "$rc" -eq 74 -a ! -e gone
check "and no step is lost: --resume" "${train[@]}" --out gone --max-steps 400 --resume ranked.jsonl
same_weights "to the same weights" whole gone
"${train[@]}" --out gone2 --max-steps 20 ranked.jsonl 2> >(:) >log
holds "messages that nobody reads stop nothing" $? -eq 0 -a -e gone2

# --- standard descriptors that are closed
check "samples" "${augment[@]}" in.jsonl
cp out samples.jsonl
pro-augment --model m --max-tokens 4 --threads 1 --resume new.jsonl in.jsonl 2>&-
holds "standard error closed: the run is done" $? -eq 0
same "and only records are in its file" samples.jsonl new.jsonl
for closed in "0" "1" "2" "0 1" "0 2" "1 2" "0 1 2"; do
	rm -rf new.jsonl closed closed.checkpoints
	(
		for fd in $closed; do eval "exec $fd>&-"; done
		pro-augment --model m --max-tokens 4 --threads 1 --resume new.jsonl in.jsonl
	) >/dev/null 2>err </dev/null
	holds "pro-augment --resume with $closed closed" $? -eq 0
	same "writes what it always does" samples.jsonl new.jsonl
	(
		for fd in $closed; do eval "exec $fd>&-"; done
		"${train[@]}" --out closed --max-steps 2 ranked.jsonl
	) >/dev/null 2>err </dev/null
	rc=$?
	case $closed in *1*) want=74 ;; *) want=0 ;; esac
	holds "pro-train with $closed closed: $want" $rc -eq $want
done
# programs that write a stream, with standard output closed: 74
for prog in "pro-import --format messages" "pro-score --policy m" "pro-rerank --reward rm" "pro-score --policy m --tensors" \
	"pro-eval --hypothesis a --reference b" "pro-augment --model m --max-tokens 2" "pro-model info m" "pro-train --help" \
	"pro-bootstrap --parts 2 --part 0"; do
	input=in.jsonl
	case $prog in *import*) input=chat.jsonl && echo '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}' >chat.jsonl ;; esac
	case $prog in *info* | *help*) input= ;; esac
	# shellcheck disable=SC2086 # words
	$prog $input >&- 2>err
	holds "$prog with standard output closed: 74" $? -eq 74
done
pro-score --policy m >out 2>err <&-
holds "standard input closed: 66" $? -eq 66
# a standard output that does not block
if python3 -c '' 2>/dev/null; then
	python3 -c 'import os, subprocess, sys, time
r, w = os.pipe(); os.set_blocking(w, False)
p = subprocess.Popen(sys.argv[1:], stdout=w); os.close(w); time.sleep(1); n = 0
while True:
    b = os.read(r, 65536); n += len(b)
    if not b: break
print(n); sys.exit(p.wait())' pro-score --policy m -q in.jsonl in.jsonl in.jsonl in.jsonl in.jsonl in.jsonl in.jsonl in.jsonl >count
	holds "a pipe that does not block is waited for" $? -eq 0 -a "$(cat count)" -gt 8000
else
	skip "a pipe that does not block is waited for" "no python3"
fi

# --- a file at its limit
(
	ulimit -f 4
	"${augment[@]}" --resume limited.jsonl in.jsonl >out 2>err
)
rc=$?
holds "SIGXFSZ is no death: 74" $rc -eq 74
check_err "it is said" "limited.jsonl: File too large"
check "and --resume goes on" "${augment[@]}" --resume limited.jsonl in.jsonl
same "to the same file" samples.jsonl limited.jsonl

# --- other kernels than those of the checkpoint
"${train[@]}" --out kernels --max-steps 4 --save-steps 1 ranked.jsonl 2>err | head -n 2 >log
elsewhere() { # FILE: as if other kernels had computed it
	local text
	text=$(sed 's/,"sha256":"[0-9a-f]*"//; s/"kernels":"[^"]*"/"kernels":"cpu of another kind"/' "$1")
	printf '%s,"sha256":"%s"}\n' "${text%\}}" "$(printf %s "$text" | sha256sum | cut -d' ' -f1)" >"$1"
}
for state in kernels.checkpoints/step-*/state.json; do elsewhere "$state"; done
"${train[@]}" --out kernels --max-steps 4 --resume ranked.jsonl >log 2>err
holds "a checkpoint of other kernels: 78" $? -eq 78
check_err "both are named" "was computed by 'cpu of another kind', this is 'cpu .*'.*--allow-other-bits"
pro-train "${train[@]:2}" --out kernels --max-steps 4 --resume --allow-other-bits ranked.jsonl >log 2>err
holds "--allow-other-bits goes on" $? -eq 0
check_err "and says so" "was computed by 'cpu of another kind', this is 'cpu .*': other bits"
finish
