#!/bin/bash
# make install PREFIX= DESTDIR= puts every program and every page in place, and they work from there.
. tests/cli/lib.sh
check "make install" make -s install PREFIX=/opt/pro DESTDIR="$T/root"
at=$T/root/opt/pro
for p in augment bootstrap eval import model rerank score train; do
	holds "pro-$p and its page" -x "$at/bin/pro-$p" -a -s "$at/share/man/man1/pro-$p.1"
done
for m in man7/pro.7 man5/pro-records.5 man5/pro-tensors.5; do
	holds "$m" -s "$at/share/man/$m"
done
holds "and nothing else" "$(find "$T/root" -type f | wc -l)" -eq $((8 + 8 + 3))
check "--version" "$at/bin/pro-import" --version
check_out "it says what a bug report needs" 'commit .*jansson .*sentencepiece'
finish
