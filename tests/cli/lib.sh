# shellcheck shell=bash
# Helpers of the end-to-end scripts; source it first:  . tests/cli/lib.sh
#
#   check NAME COMMAND...            the command must exit 0
#   check_exit CODE NAME COMMAND...  it must exit with CODE
#   check_err NAME PATTERN           the last command's stderr has a line that grep -E finds
#   check_out NAME PATTERN           the same of its stdout
#   status NAME STATUS               the status of what was just done must be 0
#   exits NAME CODE PATTERN COMMAND...   it must exit with CODE and say a line like PATTERN
#   holds NAME EXPRESSION...         test(1) must find it true
#   same NAME FILE FILE              the files must have the same bytes
#   differ NAME FILE FILE            they must not
#   skip NAME WHY                    one visible skip
#   matrix PROG ARG... INPUT         what every program must hold (see below)
#   flat_memory NAME RECORDS GEN PROG ARG...   peak memory must not grow with the stream
#   finish                           last line: exits 1 when something failed
#
# $T is a fresh folder, removed at the end; the last command's output is in $T/out and $T/err.
set -u
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
failed=0
root=$PWD
# shellcheck disable=SC2034 # for the scripts
shared=${PRO_SHARED:-$root/../shared}

pass() {
	echo "ok - $1"
}

fail() {
	echo "not ok - $1"
	shift
	[ $# -gt 0 ] && printf '#   %s\n' "$@"
	failed=$((failed + 1))
}

skip() {
	echo "ok - $1 # SKIP $2"
}

finish() {
	[ $failed -eq 0 ]
	exit
}

run_piped() {
	"$@" >"$T/out" 2>"$T/err"
}

run() {
	"$@" >"$T/out" 2>"$T/err" </dev/null
}

check_exit() {
	local want=$1 name=$2 got
	shift 2
	run "$@"
	got=$?
	if [ $got -eq "$want" ]; then
		pass "$name"
	else
		fail "$name" "exit $got, not $want: $*" "$(tail -n 5 "$T/err")"
	fi
}

check() {
	check_exit 0 "$@"
}

check_err() {
	if grep -Eq -- "$2" "$T/err"; then pass "$1"; else fail "$1" "no '$2' in: $(tail -n 5 "$T/err")"; fi
}

check_out() {
	if grep -Eq -- "$2" "$T/out"; then pass "$1"; else fail "$1" "no '$2' in: $(tail -n 5 "$T/out")"; fi
}

status() {
	if [ "$2" -eq 0 ]; then pass "$1"; else fail "$1"; fi
}

exits() {
	local name=$1 want=$2 pattern=$3 rc
	shift 3
	"$@" >out.exits 2>err.exits </dev/null
	rc=$?
	[ $rc -eq "$want" ] && grep -q -e "$pattern" err.exits
	status "$name" $?
	[ $rc -eq "$want" ] || sed "s/^/# exit $rc: /" err.exits
}

holds() {
	local name=$1
	shift
	if [ "$@" ]; then pass "$name"; else fail "$name" "not so: $*"; fi
}

same() {
	if cmp -s "$2" "$3"; then pass "$1"; else fail "$1" "$(cmp "$2" "$3" 2>&1)"; fi
}

differ() {
	if cmp -s "$2" "$3"; then fail "$1"; else pass "$1"; fi
}

# The records read, written and rejected that the last command's stderr speaks of must add up, with
# those that were not asked for.
adds_up() {
	local read written rejected elsewhere
	read -r read written rejected < <(sed -En \
		's/.*: ([0-9]+) records? read, ([0-9]+) (written|evaluated), ([0-9]+) rejected.*/\1 \2 \4/p' "$T/err")
	elsewhere=$(grep -oE '[0-9]+ (in other parts|not in the sample)' "$T/err" | awk '{ n += $1 } END { print n + 0 }')
	if [ -n "${rejected:-}" ] && [ "$read" -eq $((written + rejected + elsewhere)) ]; then
		pass "$1"
	else
		fail "$1" "$(tail -n 2 "$T/err")"
	fi
}

# matrix PROG ARG... INPUT: INPUT is JSON Lines that PROG ARG... takes, with some output.
#   FILE = <FILE = -; same seed, same bytes; in = out + rejected; a last line without newline;
#   gzip, zstd, an array, values over several lines; bad lines skipped; UTF-16 named;
#   empty, truncated, hostile and missing input; --expect; full disk; closed pipe; unknown option.
# Words in $MATRIX_SKIP leave parts out: stdin again counts empty full pipe.
matrix() {
	local prog=$1 input=${*: -1} args=("${@:1:$#-1}") rc
	local name
	name=$(basename "$prog")
	skipped() { case " ${MATRIX_SKIP:-} " in *" $1 "*) true ;; *) false ;; esac }

	check "$name: input is taken" "${args[@]}" "$input"
	skipped counts || adds_up "$name: in = out + rejected"
	cp "$T/out" "$T/first"
	if ! skipped stdin; then
		"${args[@]}" <"$input" >"$T/second" 2>"$T/err"
		same "$name: <FILE gives the bytes of FILE" "$T/first" "$T/second"
		"${args[@]}" - <"$input" >"$T/second" 2>"$T/err"
		same "$name: - is standard input" "$T/first" "$T/second"
		gzip -c "$input" | "${args[@]}" >"$T/second" 2>"$T/err"
		same "$name: gzip is unpacked" "$T/first" "$T/second"
		zstd -qc "$input" | "${args[@]}" >"$T/second" 2>"$T/err"
		same "$name: zstd is unpacked" "$T/first" "$T/second"
		sed '1s/^/[ /; $!s/$/,/; $s/$/]/' "$input" >"$T/array.json"
		run "${args[@]}" "$T/array.json"
		same "$name: an array is its elements" "$T/first" "$T/out"
		tr -d '\n' <"$T/array.json" | run_piped "${args[@]}"
		same "$name: also on one line" "$T/first" "$T/out"
		sed 's/^{/{\n  /; s/}$/\n}/' "$input" >"$T/pretty.json"
		run "${args[@]}" "$T/pretty.json"
		same "$name: values may have several lines" "$T/first" "$T/out"
		sed 's/$/\r/' "$input" >"$T/crlf.jsonl"
		run "${args[@]}" "$T/crlf.jsonl"
		same "$name: lines may end in CR LF" "$T/first" "$T/out"
		{ cat "$input"; printf '{"prompt":"half\n\xff\n[1]\n{"prompt":"\\ud83d"}\n{"prompt":"\\u0000"}\n'; } >"$T/bad.jsonl"
		check "$name: bad lines are skipped" "${args[@]}" --on-bad-line skip --rejects "$T/bad.rejects" "$T/bad.jsonl"
		skipped counts || adds_up "$name: and counted"
		same "$name: they change nothing else" "$T/first" "$T/out"
		holds "$name: they are listed with their lines" "$(jq -r .line "$T/bad.rejects" | tail -n 5 | tr '\n' ' ')" = \
			"$(seq -s ' ' $(($(wc -l <"$input") + 1)) $(($(wc -l <"$input") + 5))) "
		check_err "$name: the first is named" "5 bad lines, the first $T/bad.jsonl:$(($(wc -l <"$input") + 1)): JSON: "
	fi
	{ echo 'not JSON at all'; cat "$input"; } >"$T/bad.jsonl"
	check "$name: a bad first line is skipped too" "${args[@]}" --on-bad-line skip "$T/bad.jsonl"
	head -n 1 "$T/bad.jsonl" >"$T/bad1.jsonl"
	check_exit 65 "$name: nothing but bad lines" "${args[@]}" --on-bad-line skip "$T/bad1.jsonl"
	check_err "$name: why is said" "bad1.jsonl:1: JSON: "
	iconv -f UTF-8 -t UTF-16 "$input" >"$T/utf16"
	check_exit 65 "$name: UTF-16" "${args[@]}" --on-bad-line skip "$T/utf16"
	check_err "$name: is named" "^$name: $T/utf16: is UTF-16 text; .*iconv -f UTF-16"
	if ! skipped again; then
		run "${args[@]}" "$input"
		same "$name: same seed, same bytes" "$T/first" "$T/out"
	fi
	if ! skipped empty; then
		check "$name: empty input is no error" "${args[@]}" /dev/null
		check_exit 65 "$name: --expect notices that nothing came" "${args[@]}" --expect 1 /dev/null
	fi

	head -c -20 "$input" >"$T/truncated"
	check_exit 65 "$name: truncated input" "${args[@]}" "$T/truncated"
	check_err "$name: truncated input is named by file and line" "^$name: $T/truncated:[0-9]+: "
	local i=0 hostile
	for hostile in '{"prompt":' '[1,2' '{"a":1,"a":2}' '\x00\x01\x02' '"\xff\xfe"' '{"prompt":"\\u0000"}' \
		'{"prompt":"\\ud800","responses":[]}' '\x1f\x8b\x08\x00garbage'; do
		i=$((i + 1))
		# shellcheck disable=SC2059
		printf "$hostile\n" >"$T/hostile"
		check_exit 65 "$name: hostile input $i" "${args[@]}" "$T/hostile"
		check_err "$name: hostile input $i is named by file and line" "^$name: $T/hostile:1: "
	done
	head -c 3000000 /dev/zero | tr '\0' '[' >"$T/hostile"
	check_exit 65 "$name: deep nesting" "${args[@]}" "$T/hostile"
	check_exit 66 "$name: missing input" "${args[@]}" "$T/none"
	check_err "$name: missing input is named" "^$name: $T/none: "

	check_exit 64 "$name: unknown option" "${args[@]}" --no-such-option
	check_err "$name: unknown option is named" "^$name: .*--no-such-option"
	check "$name: --help" "$prog" --help
	check "$name: --version" "$prog" --version
	if ! skipped full && [ -w /dev/full ]; then
		"${args[@]}" "$input" >/dev/full 2>"$T/err" </dev/null
		rc=$?
		if [ $rc -eq 74 ]; then pass "$name: full disk"; else fail "$name: full disk" "exit $rc, not 74"; fi
	fi
	if ! skipped pipe; then
		{
			sleep 0.3 # until the reader is gone
			"${args[@]}" "$input" 2>"$T/err" </dev/null
			echo $? >"$T/rc"
		} | :
		rc=$(cat "$T/rc")
		if [ "$rc" -eq 141 ] || [ "$rc" -eq 74 ]; then
			pass "$name: closed pipe"
		else
			fail "$name: closed pipe" "exit $rc, not 141"
		fi
	fi
}

# flat_memory NAME RECORDS GEN PROG ARG...: "GEN FROM COUNT" prints records; the peak resident size
# after 2 % of them may grow by no more than 4 MiB until the end.
flat_memory() {
	local name=$1 records=$2 gen=$3 pid early late
	shift 3
	mkfifo "$T/fifo"
	# under AddressSanitizer freed memory would wait in quarantine
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1 "$@" <"$T/fifo" >/dev/null 2>"$T/err" &
	pid=$!
	exec 9>"$T/fifo"
	# what is written has been read, but for what a pipe holds
	"$gen" 1 $((records / 50)) >&9
	sleep 0.5
	early=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null)
	"$gen" $((records / 50 + 1)) $((records - records / 50)) >&9
	late=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null)
	exec 9>&-
	wait $pid || fail "$name" "exit $?" "$(tail -n 3 "$T/err")"
	rm -f "$T/fifo"
	if [ -n "$early" ] && [ -n "$late" ] && [ $((late - early)) -le 4096 ]; then
		pass "$name (peak $early KiB, then $late KiB)"
	else
		fail "$name" "peak $early KiB early, $late KiB late"
	fi
}
