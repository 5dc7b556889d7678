#!/bin/bash
# clang-format, clang-tidy (profile .clang-tidy, zero warnings) and shellcheck.
bad=0
say() { # NAME: reports the last status
	[ "$2" -eq 0 ] && echo "ok - $1" || { echo "not ok - $1"; bad=1; }
}
mapfile -t c < <(git ls-files '*.c' '*.h' '*.cc')
clang-format --dry-run -Werror "${c[@]}"
say "clang-format" $?
mapfile -t sources < <(git ls-files 'lib/*.c' 'kernels/*.c' 'cmd/*.c')
flags=(-std=c17 -I. -D_GNU_SOURCE)
read -ra more < <(pkg-config --cflags jansson)
printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -I{} clang-tidy --quiet {} -- "${flags[@]}" "${more[@]}" \
	>build/tidy.log 2>/dev/null
rc=$?
[ $rc -eq 0 ] || grep -E 'warning|error' build/tidy.log | sort -u | head -n 40
say "clang-tidy" $rc
mapfile -t sh < <(git ls-files '*.sh' '.ci/run' 'tests/run')
shellcheck -x "${sh[@]}"
say "shellcheck" $?
exit $bad
