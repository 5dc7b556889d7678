#!/usr/bin/env python3
"""Prints lib/text/unicode_new.c: characters that the tokenizers library's own tables, which are older than
utf8proc's, do not know yet.

    pip install tokenizers==0.23.3 && tests/golden/text/make_unicode.py >lib/text/unicode_new.c

Wants a Python whose unicodedata is no older than the Unicode of utf8proc (14).
"""
import unicodedata

from tokenizers import normalizers as n

mark, spacing = n.StripAccents(), n.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
clean, nfkd = n.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False), n.NFKD()
MARK, NONSPACING, OTHER, FORM = 1, 2, 4, 8


def flags(c):
    k, s, f = unicodedata.category(c), "a" + c, 0
    if k[0] == "M" and mark.normalize_str(s) == s:
        f |= MARK
    if k == "Mn" and len(spacing.normalize_str(s)) > 1 and unicodedata.normalize("NFD", c) == c:
        f |= NONSPACING
    if k in ("Cc", "Cf", "Co") and clean.normalize_str(s) == s:
        f |= OTHER
    if unicodedata.normalize("NFKD", c) != c and nfkd.normalize_str(c) == c:
        f |= FORM
    return f


ranges = []
for i in [*range(0xA0, 0xD800), *range(0xE000, 0x110000)]:
    f = flags(chr(i)) if unicodedata.category(chr(i)) != "Cn" and chr(i) not in "\t\n\r" else 0
    if f and ranges and ranges[-1][1] == i - 1 and ranges[-1][2] == f:
        ranges[-1][1] = i
    elif f:
        ranges.append([i, i, f])
print("/* Made by tests/golden/text/make_unicode.py. */")
print('#include "lib/text/unicode_new.h"\n')
print("const struct unicode_new unicode_new[] = {")
for a, b, f in ranges:
    print("\t{0x%x, 0x%x, %d}," % (a, b, f))
print("};\n\nconst int unicode_new_n = %d;" % len(ranges))
