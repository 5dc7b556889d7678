#!/bin/bash
# Memory stays flat over a stream: the peak after 100 000 records is that after 10 000, for every
# program that scores, sorts or samples (tests/cli/import.sh does pro-import).  A toy model with one layer of 8.
. tests/cli/toy.sh
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
bad=0
toy_model policy lm 1 1 8 && toy_model reward reward 2 1 8 || { echo "not ok - toy models"; exit 1; }

# records FROM TO: as the programs read them
records() {
	awk -v a="$1" -v b="$2" 'BEGIN { for (i = a; i <= b; i++)
		printf "{\"id\":\"r%d\",\"prompt\":\"abc\",\"responses\":[{\"text\":\"ab\",\"reward\":1},{\"text\":\"cd\",\"reward\":2}]}\n", i }'
}
# Waits until the program has taken all that was written to it, and tells its peak in KiB.
peak() {
	local pid=$1 before now
	before=-1
	while now=$(awk '/^rchar/ { r = $2 } /^wchar/ { print r + $2 }' "/proc/$pid/io") && [ "$now" != "$before" ]; do
		before=$now
		sleep 0.4
	done
	awk '/^VmHWM/ { print $2 }' "/proc/$pid/status"
}

# flat NAME PROGRAM ARG...
flat() {
	local name=$1 pid small large rc n
	shift
	rm -f in
	mkfifo in
	"$@" <in >out 2>err &
	pid=$!
	exec 3>in
	records 1 10000 >&3
	small=$(peak $pid)
	records 10001 100000 >&3
	large=$(peak $pid)
	exec 3>&-
	wait $pid
	rc=$?
	n=$(wc -l <out)
	if [ $rc -eq 0 ] && [ "$n" -eq "${written:-100000}" ] && [ -n "$small" ] && [ -n "$large" ] &&
		[ $((large - small)) -le 2048 ]; then
		echo "ok - $name: 100 000 records in flat memory"
		echo "# $small KiB after 10 000 records, $large KiB after 100 000"
	else
		echo "not ok - $name: 100 000 records in flat memory"
		echo "# exit $rc, $n records, $small KiB after 10 000, $large KiB after 100 000"
		sed 's/^/# /' err
		bad=1
	fi
}

flat pro-rerank pro-rerank --keep-top
flat "pro-rerank --reward" pro-rerank --threads 1 --reward reward --template plain
flat "pro-score --reward" pro-score --threads 1 --reward reward --template plain
flat "pro-score --policy" pro-score --threads 1 --policy policy --template plain
flat pro-augment pro-augment --threads 1 --model policy --template plain --max-tokens 1
# Records that are dropped leave nothing behind, even while the first one waits for company.
records() {
	awk -v a="$1" -v b="$2" 'BEGIN { for (i = a; i <= b; i++)
		printf "{\"prompt\":\"abc\",\"responses\":[{\"text\":\"%s\"}]}\n", i == 1 ? "a" : "this is too long" }'
}
written=1 flat "pro-score, all but one dropped" pro-score --threads 1 --policy policy --template plain \
	--on-overlong drop --max-length 8
exit $bad
