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
	# whatever these tests were started under, nohup among it
	env --default-signal=HUP "${train[@]}" --out blocked --max-steps 400 ranked.jsonl >slow 2>err &
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
"${train[@]}" --out twice --max-steps 100000 ranked.jsonl >log 2>err &
pid=$!
while [ ! -s log ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -TERM $pid
kill -TERM $pid
wait $pid
holds "a signal that comes twice at once, as timeout(1) sends it, loses nothing" $? -eq 75
rm -f log
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

# --- what is no file in place of one: 66 at once, never a wait
generated='{"eos_token_id":256}'
"${train[@]}" --out trained --max-steps 1 ranked.jsonl >log 2>err
echo "$generated" >trained/generation_config.json
for f in model.safetensors config.json tokenizer.json tokenizer_config.json pro.json generation_config.json \
	chat_template.jinja special_tokens_map.json tokenizer.model model.safetensors.index.json; do
	for kind in fifo device folder; do
		rm -rf odd && cp -r trained odd && rm -f odd/$f
		[ $f = model.safetensors.index.json ] && rm odd/model.safetensors
		case $kind in fifo) mkfifo odd/$f ;; device) ln -s /dev/zero odd/$f ;; folder) mkdir odd/$f ;; esac
		codes=
		for cmd in "pro-score --policy odd in.jsonl" "pro-augment --model odd --max-tokens 1 in.jsonl" "pro-model info odd" \
			"pro-train --model odd --out odd.out --max-steps 1 ranked.jsonl"; do
			# shellcheck disable=SC2086 # words
			run timeout 20 $cmd -q
			codes="$codes $?"
		done
		# what a program does not read does not stop it
		! echo "$codes" | tr ' ' '\n' | grep -vxE '|0|66' >code
		holds "a $kind as $f:$codes" $? -eq 0
		case $f in
		model.safetensors | config.json | tokenizer.json | pro.json)
			holds "is noticed" "$codes" = " 66 66 66 66"
			;;
		esac
		rm -rf odd.out odd.out.checkpoints
	done
done
mkfifo odd.fifo
for cmd in "pro-score --policy m --template ./odd.fifo in.jsonl" "pro-model init -o x odd.fifo" "pro-model import odd.fifo x" \
	"pro-score --policy odd.fifo in.jsonl" "pro-model init -o x -t odd.fifo toy.json"; do
	# shellcheck disable=SC2086 # words
	check_exit 66 "a FIFO: $cmd" timeout 20 $cmd -q
done
(cat in.jsonl >odd.fifo &)
check "but records may come from a FIFO" timeout 20 pro-score --policy m odd.fifo
check "or from a process" timeout 20 bash -c 'pro-augment --from <(cat in.jsonl) in.jsonl'
truncate -s 1T huge
for cmd in "pro-model init -o x huge" "pro-model import huge x" "pro-score --policy m --template ./huge.json in.jsonl"; do
	[ -e huge.json ] || ln -s huge huge.json
	# shellcheck disable=SC2086 # words
	check_exit 65 "a sparse file of a terabyte: $cmd" timeout 60 $cmd -q
done
cp -r m odd2 && ln -sf "$T/huge" odd2/config.json
check_exit 65 "a sparse file of a terabyte as config.json" timeout 60 pro-score --policy odd2 in.jsonl
cp -r m odd3 && ln -sf "$T/huge" odd3/model.safetensors
check_exit 65 "and as weights" timeout 60 pro-score --policy odd3 in.jsonl

# --- weights that change while they are in use
toy_model big lm 3 2 32
mkfifo feed
during() { # WHAT COMMAND...: a run reads half of its records before the command, half after; its status in $rc
	local pid
	shift
	rm -rf used && cp -r big used
	pro-score --policy used --threads 2 feed >out 2>err &
	pid=$!
	exec 8>feed
	head -n 12 in.jsonl >&8
	settled $pid
	"$@"
	tail -n 12 in.jsonl >&8
	exec 8>&-
	wait $pid
	rc=$?
}
pro-score -q --policy big in.jsonl >whole.scores
sed 's/big/used/' whole.scores >used.scores
during "truncated to nothing" truncate -s 0 used/model.safetensors
holds "weights cut off while in use: 74" $rc -eq 74
check_err "they are named" "used/model.safetensors: was changed while it was in use"
head -c "$(stat -c %s out)" used.scores | cmp -s - out
holds "and what was written before is right" $? -eq 0
during "half of them" truncate -s 20000 used/model.safetensors
holds "half of them: 74" $rc -eq 74
during "other weights in place" dd if=m/model.safetensors of=used/model.safetensors conv=notrunc status=none
holds "others written over them: 74" $rc -eq 74
during "a new file" sh -c 'cp big/model.safetensors n && mv n used/model.safetensors'
holds "a new file under their name changes nothing" $rc -eq 0
same "nor do the scores" used.scores out

# --- names of what is to be made
boot=(pro-bootstrap -q --model m --reward rm --parts 1 --threads 1 --max-tokens 2 --max-steps 1)
for out in new/ new// ./new/. -dash --; do
	name=./${out%/.}
	while [ "${name%/}" != "$name" ]; do name=${name%/}; done
	check "pro-bootstrap --out $out" "${boot[@]}" --out "$out" in.jsonl
	holds "makes the model there" -f "$name/config.json" -a -d "$name.work"
	check "and --overwrite" "${boot[@]}" --out "$out" --overwrite in.jsonl
	rm -rf -- "$name" "$name.work"
	check "pro-train --out $out" "${train[@]}" --out "$out" --max-steps 1 ranked.jsonl
	holds "makes the model there" -f "$name/config.json" -a ! -e "$name.checkpoints"
	check "and --overwrite" "${train[@]}" --out "$out" --overwrite --max-steps 1 ranked.jsonl
	rm -rf -- "$name"
	check "pro-model init --out $out" pro-model init -q --out "$out" -t toy.tokenizer toy.json
	holds "makes the model there" -f "$name/config.json"
	check_exit 73 "and does not replace it" pro-model init -q --out "$out" -t toy.tokenizer toy.json
	rm -rf -- "$name"
	echo "the cat sat" | pro-model tokenizer --vocab 257 -q --out "$out" && [ -f "$name/tokenizer.json" ]
	holds "pro-model tokenizer --out $out" $? -eq 0
	rm -rf -- "$name"
	check "pro-model import to $out" pro-model import -q "$root/tests/golden/gguf/neox.gguf" -- "$out"
	holds "makes the model there" -f "$name/config.json"
	rm -rf -- "$name"
done
"${boot[@]}" --out -dash --dry-run in.jsonl >script 2>err && bash script >log 2>err
holds "the script for --out -dash runs" $? -eq 0 -a -f ./-dash/config.json
check "models with a slash" pro-score -q --policy m/ in.jsonl
cp -r m -- -m
check "models with a dash" "${boot[@]/#m/-m}" --out dashed in.jsonl

# --- only what was made here is replaced
mkdir -p precious && echo data >precious/thesis.txt
for prog in "${boot[0]}" "${train[0]}"; do
	case $prog in pro-bootstrap) cmd=("${boot[@]}") input=in.jsonl ;; *) cmd=("${train[@]}" --max-steps 1) input=ranked.jsonl ;; esac
	check_exit 73 "$prog --overwrite of a folder of others" "${cmd[@]}" --out precious --overwrite $input
	check_err "says whose it is not" "precious: exists and was not made by $prog"
	rm -rf made made.work
	"${cmd[@]}" --out made $input >log 2>err && echo mine >made/notes.txt
	check_exit 73 "$prog --overwrite of a model with a file of others" "${cmd[@]}" --out made --overwrite $input
	check_err "names the file" "made/notes.txt: was not made by $prog"
	holds "and all is there" -f made/notes.txt -a -f precious/thesis.txt -a ! -e precious.work -a ! -e precious.checkpoints
	rm made/notes.txt
	check "without it" "${cmd[@]}" --out made --overwrite $input
done
mkdir -p other.work/part-0 other.work/part-time && echo data | tee other.work/part-0/thesis.txt >other.work/part-time/x
check_exit 73 "pro-bootstrap where the work folder is of others" "${boot[@]}" --out other --overwrite in.jsonl
check_err "names the file" "other.work/part-0/thesis.txt: was not made by pro-bootstrap"
rm other.work/part-0/thesis.txt
check "without it" "${boot[@]}" --out other --overwrite --clean in.jsonl
holds "what is named alike stays" -f other.work/part-time/x
mkdir -p third.checkpoints/step-3 && echo data >third.checkpoints/step-3/thesis.txt
check_exit 73 "pro-train where a checkpoint is of others" "${train[@]}" --out third --overwrite --max-steps 1 ranked.jsonl
holds "leaves it" -f third.checkpoints/step-3/thesis.txt

# --- what is read may not be what is replaced
"${train[@]}" --out policy --max-steps 1 --overwrite ranked.jsonl >log 2>err
ln -s policy policy.link
cp ranked.jsonl policy.jsonl
for model in policy policy/ ./policy policy.link "$T/policy"; do
	for out in policy policy.link; do
		check_exit 64 "pro-train --model $model --out $out" "${train[@]/#m/$model}" --out $out --overwrite --max-steps 1 ranked.jsonl
		check_exit 64 "pro-bootstrap the same" "${boot[@]/#m/$model}" --out $out --overwrite in.jsonl
	done
done
check_err "is told" "--model .*policy is --out policy.link, which is to be replaced"
holds "and the model is there" -f policy/model.safetensors -a ! -e policy.work
check_exit 64 "--reward" "${boot[@]/#rm/policy}" --out policy --overwrite in.jsonl
check_exit 64 "--validate-reward" "${train[@]}" --out policy --overwrite --validate in.jsonl --validate-reward policy ranked.jsonl
mkdir -p policy.checkpoints && cp ranked.jsonl policy.checkpoints/
check_exit 64 "an input among the checkpoints" "${train[@]}" --out policy --overwrite policy.checkpoints/ranked.jsonl
check_exit 64 "--rejects in what is replaced" "${train[@]}" --out policy --overwrite --rejects policy/rejects ranked.jsonl
rm -r policy.checkpoints

# --- what runs that were killed have left
(exit 0) &
dead=$!
wait $dead
mkdir -p left.tmp-pro-$dead left.checkpoints/tmp-$dead "left2.tmp-pro-$dead"
check "a run" "${train[@]}" --out left --max-steps 1 ranked.jsonl
holds "removes what a dead one left" -z "$(find . -maxdepth 1 -name 'left.tmp*')" -a ! -e left.checkpoints -a -f left/pro.json
check "pro-model init" pro-model init -q --out left2 -t toy.tokenizer toy.json
holds "does too" ! -e "left2.tmp-pro-$dead"

# --- the base model's folder goes while the run is at work
cp -r m going && rm -f log
"${train[@]/#m/going}" --out gone3 --max-steps 400 ranked.jsonl >log 2>err &
pid=$!
while [ ! -s log ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
rm -r going
wait $pid
holds "training does not need the base model's folder once it has begun" $? -eq 0
same_weights "nor are the weights others" whole gone3
same "nor the tokenizer" m/tokenizer.json gone3/tokenizer.json
holds "and nothing is left" ! -e gone3.checkpoints

# --- links that lead out of a model's folder
cp -r m linked && echo '{"secret":1}' >secret && ln -s ../secret linked/special_tokens_map.json
mv linked/tokenizer.json linked/own.json && ln -s own.json linked/tokenizer.json
check "a link to the outside is copied" pro-train --model linked --out unlinked --threads 1 --max-steps 1 ranked.jsonl
check_err "with a note" "linked: copied through links to the outside: special_tokens_map.json -> .*/secret$"
holds "as a file" ! -L unlinked/special_tokens_map.json -a -s unlinked/special_tokens_map.json
check "pro-model init with such a tokenizer" pro-model init --out unlinked2 -t linked toy.json
check_err "says so too" "linked: copied through links to the outside: special_tokens_map.json -> .*/secret$"

# --- pro-bootstrap on another processor
"${boot[@]}" --out moved in.jsonl >log 2>err
rm -rf moved moved.work/finished moved.work/part-0/done moved.work/part-0/model
echo "cpu of another kind" >moved.work/kernels
check_exit 78 "a run that was begun with other kernels" "${boot[@]}" --out moved --resume in.jsonl
check_err "both are named" "begun with 'cpu of another kind', this is 'cpu .*--allow-other-bits"
check "--allow-other-bits goes on" pro-bootstrap "${boot[@]:2}" --out moved --resume --allow-other-bits in.jsonl
check_err "and says so" "begun with 'cpu of another kind', this is 'cpu .*': other bits"

# --- folders that cannot be written or read (root may do everything)
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --clear-groups true 2>/dev/null; then
	chmod 755 . && chmod -R a+rX m rm in.jsonl ranked.jsonl toy.json toy.tokenizer
	mkdir locked && chmod 555 locked
	for cmd in "pro-train --model m --max-steps 1 --out locked/o ranked.jsonl" "pro-model init -t toy.tokenizer --out locked/o toy.json" \
		"pro-bootstrap --model m --reward rm --parts 1 --max-steps 1 --out locked/o in.jsonl" \
		"pro-augment --model m --resume locked/o in.jsonl" "pro-score --policy m --rejects locked/o in.jsonl"; do
		# shellcheck disable=SC2086 # words
		check_exit 73 "a folder that may not be written: ${cmd%% --*}" setpriv --reuid 65534 --clear-groups $cmd
		check_err "is named" "locked/o[a-z.]*: Permission denied"
	done
	for f in model.safetensors config.json tokenizer.json tokenizer_config.json; do
		rm -rf denied && cp -r m denied && chmod 000 denied/$f
		check_exit 66 "$f may not be read" setpriv --reuid 65534 --clear-groups pro-score --policy denied in.jsonl
		check_err "it is named" "denied/$f: Permission denied"
	done
else
	skip "folders that cannot be written" "not root, or no setpriv"
fi

# --- system calls that fail, and kills at any of them: the right result, or an error and --resume to the same bytes
name="system calls that fail"
inject() { # CALLS WHAT N COMMAND...
	local calls=$1 what=$2 n=$3
	shift 3
	timeout 60 strace -qq -o trace -e "trace=$calls" -e "inject=$calls:$what:when=$n" "$@" >log 2>err
	rc=$?
}
if strace -qq -o trace -e trace=write -e inject=write:error=EIO:when=1 true 2>/dev/null; then
	"${train[@]}" --out faultless --max-steps 9 --save-steps 2 ranked.jsonl >log 2>err
	RANDOM=7 wrong='' tried=0
	for calls in write openat fsync rename,renameat2 close mkdir unlink,unlinkat,rmdir newfstatat flock getdents64; do
		for what in error=ENOSPC error=EINTR error=EIO signal=KILL signal=TERM; do
			rm -rf fault fault.checkpoints fault.jsonl
			n=$((RANDOM % 30 + 1))
			inject $calls $what $n "${train[@]}" --out fault --max-steps 9 --save-steps 2 ranked.jsonl
			first=$rc more=--overwrite
			case $rc in 0 | 6[56] | 7[01345] | 78 | 127 | 137 | 143) ;; *) wrong="$wrong; $calls $what $n: exit $rc" ;; esac
			compgen -G "fault.checkpoints/step-*" >log && more=--resume
			[ -e fault ] && [ $first -ne 0 ] && more=--overwrite
			[ $first -eq 0 ] || "${train[@]}" --out fault --max-steps 9 --save-steps 2 $more ranked.jsonl >log 2>err ||
				wrong="$wrong; $calls $what $n: exit $first, then not $more"
			cmp -s fault/model.safetensors faultless/model.safetensors || wrong="$wrong; $calls $what $n: exit $first, other weights"
			inject $calls $what $n "${augment[@]}" --resume fault.jsonl in.jsonl
			first=$rc
			case $rc in 0 | 6[56] | 7[01345] | 78 | 127 | 137 | 143) ;; *) wrong="$wrong; augment $calls $what $n: exit $rc" ;; esac
			"${augment[@]}" --resume fault.jsonl in.jsonl >log 2>err && cmp -s fault.jsonl samples.jsonl ||
				wrong="$wrong; augment $calls $what $n: exit $first, then not the same"
			tried=$((tried + 2))
		done
	done
	[ -z "$wrong" ]
	status "$name ($tried)" $?
	[ -z "$wrong" ] || echo "# $wrong"
else
	skip "$name" "no strace that may trace"
fi
finish
