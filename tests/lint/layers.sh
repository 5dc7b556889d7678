#!/bin/bash
# The include graph of the tree is the table in ARCHITECTURE.md: a line "| room | may include |".
bad=0
declare -A may
while IFS='|' read -r _ room list _; do
	room=$(echo "$room" | tr -d ' `')
	case $room in base | stream | text | model | gen | align | eval | kernels | cmd) may[$room]=$list ;; esac
done < <(sed -n '/^## Layers/,/^## /p' ARCHITECTURE.md)
[ ${#may[@]} -eq 9 ] || { echo "not ok - ARCHITECTURE.md has a layer table of 9 rooms"; exit 1; }
for f in lib/*/*.[ch] lib/*/*.cc kernels/*.h kernels/*/*.[ch] cmd/*.c; do
	case $f in lib/*) room=${f#lib/} room=${room%%/*} ;; *) room=${f%%/*} ;; esac
	while read -r inc; do
		case $inc in
		lib/*) to=${inc#lib/} to=${to%%/*} ;;
		kernels/*) to=kernels ;;
		*) echo "# $f includes \"$inc\": write it from the root"; bad=1; continue ;;
		esac
		[ "$to" = "$room" ] && continue
		case " $(echo "${may[$room]}" | tr ',`' '  ') " in
		*" $to "*) ;;
		*" $inc "*) ;;
		*) echo "# $f ($room) may not include $inc"; bad=1 ;;
		esac
		case $inc:$room in
		lib/base/cli.h:cmd | lib/base/progress.h:cmd) ;;
		lib/base/cli.h:* | lib/base/progress.h:* | lib/base/streams.h:* | lib/base/nomem.h:*)
			echo "# $f: $inc is for cmd/ only"; bad=1 ;;
		esac
	done < <(sed -n 's/^#include "\(.*\)".*/\1/p' "$f")
done
[ $bad -eq 0 ] && echo "ok - includes follow the layer table" || echo "not ok - includes follow the layer table"
exit $bad
