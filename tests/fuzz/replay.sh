#!/bin/bash
# Replays every seed through its libFuzzer target (ASan and UBSan inside).
bad=0
for t in build-fuzz/fuzz_*; do
	[ -x "$t" ] || continue
	case $t in *.[od]) continue ;; esac
	name=${t#build-fuzz/fuzz_}
	seeds=(tests/fuzz/seeds/"$name"/*)
	if [ -e "${seeds[0]}" ] && out=$("$t" -timeout=10 -rss_limit_mb=4096 "${seeds[@]}" 2>&1); then
		echo "ok - fuzz $name: ${#seeds[@]} seeds"
	else
		echo "$out" | tail -n 30 | sed 's/^/# /'
		echo "not ok - fuzz $name"
		bad=1
	fi
done
exit $bad
