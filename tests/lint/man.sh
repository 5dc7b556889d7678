#!/bin/bash
# Man pages are clean under mandoc -Tlint and say what --help says: every option of a program's
# --help is in its page (.It ... Fl -name) with its default, and no page names an option the program does
# not have.  A pipeline that a page prints begins with set -o pipefail.
bad=0
for m in man/*.[157]; do
	out=$(mandoc -Tlint -W warning "$m" 2>&1) || { echo "$out" | sed 's/^/# /'; bad=1; }
done
[ $bad -eq 0 ] && echo "ok - mandoc -Tlint" || echo "not ok - mandoc -Tlint"
# Both formatters of the field: groff is silent too, shows the text that mandoc shows (a macro's name among
# the words, such as Li, ends a page early in one of them only), and neither passes the 80th column.
shown() { # the characters without blanks, hyphens and the page's head and foot
	sed 's/.\x08//g' "$1" | sed '1d;$d' | tr -d '[:space:]' | sed $'s/[-\u00a0\u2010\u2013\u2014\u2212]//g'
}
export LC_ALL=C.UTF-8
both=0 tmp=$(mktemp -d)
for m in man/*.[157]; do
	groff -mandoc -Tutf8 -ww -rLL=80n -P-c "$m" >"$tmp/groff" 2>"$tmp/err"
	mandoc -Tutf8 -O width=80 "$m" >"$tmp/mandoc" 2>>"$tmp/err"
	sed 's/.\x08//g' "$tmp/groff" "$tmp/mandoc" | grep -E '^.{81}' | sort -u >>"$tmp/err"
	[ "$(shown "$tmp/groff")" = "$(shown "$tmp/mandoc")" ] || echo "they do not show the same" >>"$tmp/err"
	[ -s "$tmp/err" ] && { sed "s|^|# $m: |" "$tmp/err"; both=1; }
done
rm -r "$tmp"
[ $both -eq 0 ] && echo "ok - groff and mandoc show the same, in 80 columns" ||
	{ echo "not ok - groff and mandoc show the same, in 80 columns"; bad=1; }
for page in man/pro-*.1; do
	prog=$(basename "$page" .1)
	if [ "$prog" = pro-model ]; then
		help=$(for s in init info tokenizer tokenize template import; do pro-model $s --help; done)
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
	# the last [...] of an option's help is its default; --vocab has none that works
	missing=$(echo "$help" | awk '/^ +(-[a-zA-Z], )?--/ { match($0, /--[a-z0-9-]+/); name = substr($0, RSTART, RLENGTH) }
		name && name != "--vocab" && match($0, /^ .* \[[^][]*\]$/) { match($0, / \[[^][]*\]$/)
			print name, substr($0, RSTART + 2, RLENGTH - 3) }' | sort -u | while read -r name value; do
		mandoc -Tascii "$page" | sed 's/.\x08//g' | awk -v n="^ +(-., |-. [A-Z]*, )?$name( |$)" '$0 ~ n { on = 1; print; next }
			/^     ?[^ ]/ || /^[A-Z]/ { on = 0 } on' | tr -s ' \n' ' ' | grep -qF -- "$value" || echo " $name: $value"
	done)
	[ -z "$missing" ] && echo "ok - $prog(1) says the defaults" || { echo "not ok - $prog(1) says the defaults:$missing"; bad=1; }
done
plain=$(awk '/^\.Bd/ { block = ""; start = FNR; next }
	/^\.Ed/ && block ~ /pro-[a-z]+[^\n]*\|/ && block !~ /pipefail/ { print FILENAME ":" start }
	{ block = block "\n" $0 }' man/*.[157])
[ -z "$plain" ] && echo "ok - printed pipelines set pipefail" || { echo "not ok - printed pipelines set pipefail: $plain"; bad=1; }
for prog in build/bin/pro-*; do
	[ -e "man/$(basename "$prog").1" ] || { echo "not ok - $(basename "$prog") has a page"; bad=1; }
done
exit $bad
