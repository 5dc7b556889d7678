#!/bin/bash
# Man pages are clean under mandoc -Tlint and say what --help says: every option of a program's
# --help is in its page (.It ... Fl -name) and no page names an option the program does not have.
bad=0
for m in man/*.[157]; do
	out=$(mandoc -Tlint -W warning "$m" 2>&1) || { echo "$out" | sed 's/^/# /'; bad=1; }
done
[ $bad -eq 0 ] && echo "ok - mandoc -Tlint" || echo "not ok - mandoc -Tlint"
for page in man/pro-*.1; do
	prog=$(basename "$page" .1)
	if [ "$prog" = pro-model ]; then
		help=$(for s in init info tokenizer tokenize import; do pro-model $s --help; done)
	else
		help=$("$prog" --help)
	fi
	diff <(echo "$help" | grep -oE '^ +(-[a-zA-Z0-9], )?--[a-z0-9-]+' | grep -oE '\-\-[a-z0-9-]+' | sort -u) \
		<(sed -n '/^\.It/p' "$page" | grep -oE 'Fl -[a-z0-9-]+' | sed 's/Fl -/--/' | sort -u) >/tmp/man.$$
	if [ -s /tmp/man.$$ ]; then
		sed "s/^/# $prog (< help, > page): /" /tmp/man.$$
		echo "not ok - $prog(1) = --help"
		bad=1
	else
		echo "ok - $prog(1) = --help"
	fi
	rm -f /tmp/man.$$
done
for prog in build/bin/pro-*; do
	[ -e "man/$(basename "$prog").1" ] || { echo "not ok - $(basename "$prog") has a page"; bad=1; }
done
exit $bad
