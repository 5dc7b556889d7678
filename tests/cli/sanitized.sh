#!/bin/bash
# The scripts that hand the programs bad input, once more with the programs under ASan and UBSan (leaks
# aside: a program that dies of an error does not free first).
if [ ! -x build-san/bin/pro-import ]; then
	echo "ok - sanitized programs # SKIP not built: make SAN=address,undefined all"
	exit 0
fi
export ASAN_OPTIONS=detect_leaks=0 PATH=$PWD/build-san/bin:$PATH
bad=0
for s in hostile import model score augment rerank; do
	tests/cli/$s.sh | sed 's/^\(not \)\{0,1\}ok - /&sanitized: /'
	[ "${PIPESTATUS[0]}" -eq 0 ] || bad=1
done
exit $bad
