#!/usr/bin/env python3
"""Writes lib/text/jinja_case_table.c: characters whose upper or title case is several characters,
and character classes that utf8proc does not know, out of Python's own str methods."""
import unicodedata

ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def runs(test):
    out = []
    for c in ALL:
        if test(chr(c)):
            if out and out[-1][1] == c - 1:
                out[-1][1] = c
            else:
                out.append([c, c])
    return out


def points(s):
    return "{" + ", ".join(hex(ord(c)) for c in s) + "}"


def table(name, rows):
    print(f"\nconst struct jr_range {name}[] = {{")
    for a, b in rows:
        print(f"\t{{{a:#x}, {b:#x}}},")
    print("\t{0, 0},\n};")


cat = unicodedata.category
print("/* Written by tests/golden/jinja/make_case.py; Unicode", unicodedata.unidata_version, "*/")
print('#include "lib/text/jinja_case_table.h"')
print("\nconst struct jr_special jr_specials[] = {")
for c in ALL:
    s = chr(c)
    if len(s.upper()) > 1 or len(s.title()) > 1:
        print(f"\t{{{c:#x}, {points(s.upper())}, {points(s.title())}}},")
print("\t{0, {0}, {0}},\n};")
table("jr_digits", runs(lambda s: s.isdigit() and not s.isdecimal()))
table("jr_numerics", runs(lambda s: s.isnumeric() and cat(s) not in ("Nd", "No", "Nl")))
table("jr_lowers", runs(lambda s: s.islower() and cat(s) != "Ll"))
table("jr_uppers", runs(lambda s: s.isupper() and cat(s) != "Lu"))
