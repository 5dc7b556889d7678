#!/usr/bin/env python3
"""Makes ids.json beside this script: ids of ugly strings by the tokenizers library, for variants of
tokenizer.json (which `pro-model tokenizer --vocab 600 < LICENSE` made).

    pip install tokenizers==0.20.3 && tests/golden/text/make.py
"""
import json
import os
import random
from importlib.metadata import version

from tokenizers import Tokenizer

here = os.path.dirname(os.path.abspath(__file__))
base = json.load(open(os.path.join(here, "tokenizer.json")))
n = len(base["model"]["vocab"])

# The patterns of the published LLaMA 3 and Qwen2 tokenizers.
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def byte_level(regex, prefix=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def token(i, content, **flags):
    t = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"id": n + i, "content": content, **t, **flags}


nfc = {"normalizer": {"type": "NFC"}}
added = base["added_tokens"] + [
    token(0, "<tool>"),
    token(1, "   ", normalized=True),
    token(2, "<mask>", lstrip=True),
    token(3, "<r>", rstrip=True),
    token(4, "qwz", single_word=True),
    token(5, "éé", normalized=True),
    token(6, "<tool>x"),
    token(7, "q w", normalized=True, lstrip=True, rstrip=True),
]
cases = {
    "gpt2": {},
    "nfc": nfc,
    "llama3": {
        "pre_tokenizer": sequence(split({"Regex": LLAMA3}), byte_level(False)),
        "model": {"ignore_merges": True},
    },
    "llama3-removed": {"pre_tokenizer": sequence(split({"Regex": LLAMA3}, "Removed", True), byte_level(False))},
    "qwen2": {"pre_tokenizer": sequence(split({"Regex": QWEN2}), byte_level(False)), **nfc},
    "smollm2": {"pre_tokenizer": sequence({"type": "Digits", "individual_digits": True}, byte_level(True))},
    "digits-prefix": {
        "pre_tokenizer": sequence({"type": "Digits", "individual_digits": False}, byte_level(True, True))
    },
    "added": {"added_tokens": added, **nfc},
}
for behavior in ("Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
    for invert in (False, True):
        cases[f"{behavior}-{invert}"] = {
            "pre_tokenizer": sequence(
                split({"String": "."}, behavior, invert),
                split({"Regex": "[0-9]|a+"}, behavior, invert),
                byte_level(False),
            )
        }

random.seed(42)
# White space of all kinds, marks out of order, compatibility forms, conjuncts, numbers, contractions.
pool = (
    "a|b|the| |  |   |\n|\r\n|\t|0|12|3456|½|²|é|e\u0301|\u0301|\u0327|\u0316|ｱ|ß|Ω|\u212b|한|"
    "\u1112\u1161\u11ab|中文|😀|👩\u200d👧|\u200b|\u180e|\u00a0|\u0085|\u2028|\u3000|'s|'S|'ll|'VE|"
    "don't|!|...|?!|-|_|<|endoftext|<tool>|<tool>x|<mask>|<r>|qwz|qwzs|q w|éé|e\u0301e\u0301|ﬁ|\u0958|"
    "\u0344|ſ|'ſ|𝟘|٠|क|्|क्षि|\x1f|\x7f|\ufeff|_qwz|qwz_|Work|the License| distribution|shall"
).split("|")
strings = ["", " ", "The Licensor shall not be liable.\n\n", "x" * 70, " " * 30 + "x", "1234567890"]
strings += ["".join(random.choice(pool) for _ in range(random.randint(1, 14))) for _ in range(70)]

out = []
for name, members in cases.items():
    d = json.loads(json.dumps(base))
    d["model"].update(members.get("model", {}))
    d.update({k: v for k, v in members.items() if k != "model"})
    t = Tokenizer.from_str(json.dumps(d))
    ids = [t.encode(s, add_special_tokens=False).ids for s in strings]
    out.append({"name": name, "set": members, "ids": ids})

with open(os.path.join(here, "ids.json"), "w") as f:
    f.write('{"tokenizers": %s,\n"strings": %s,\n"cases": [\n' % (json.dumps(version("tokenizers")), json.dumps(strings)))
    f.write(",\n".join(json.dumps(c, separators=(",", ":")) for c in out))
    f.write("\n]}\n")
