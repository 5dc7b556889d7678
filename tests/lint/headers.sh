#!/bin/bash
# Every header compiles by itself; no function that C code of ours should not call.
bad=0
flags="-std=c17 -I. -D_GNU_SOURCE $(pkg-config --cflags jansson)"
for h in lib/*/*.h kernels/*.h kernels/cpu/*.h; do
	# shellcheck disable=SC2086
	echo "#include \"$h\"" | gcc $flags -Wall -Wextra -Werror -fsyntax-only -x c - ||
		{ echo "# $h does not stand alone"; bad=1; }
done
[ $bad -eq 0 ] && echo "ok - headers are self-contained" || echo "not ok - headers are self-contained"
if grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atof|rand|srand|mktemp|tmpnam|asctime|ctime)\(' \
	lib/*/*.c kernels/*/*.c cmd/*.c; then
	echo "not ok - no banned functions"
	bad=1
else
	echo "ok - no banned functions"
fi
# The library neither prints nor exits (cli, its streams and progress are cmd's, mem says its last word).
if grep -nE '\b(printf|puts|exit|perror|putchar)\(|\bstderr\b' lib/*/*.c kernels/*/*.c | grep -vE '^lib/base/(cli|streams|progress|mem)\.c:|_exit\(|snprintf\(|buf_printf\(|fprintf\(f'; then
	echo "not ok - the library does not print or exit"
	bad=1
else
	echo "ok - the library does not print or exit"
fi
exit $bad
