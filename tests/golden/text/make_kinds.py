#!/usr/bin/env python3
"""Makes kinds.json beside this script: ids of ugly strings by the tokenizers library for every kind of
model, normaliser, pre-tokeniser and added token that a tokenizer.json may have.

    pip install tokenizers==0.23.3 sentencepiece==0.2.3 && tests/golden/text/make_kinds.py

With the arguments --check N [NAME], compares N random strings a case (those with NAME) with `pro-model tokenize` instead.
"""
import base64
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from importlib.metadata import version

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import Tokenizer

here = os.path.dirname(os.path.abspath(__file__))
FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


def model_proto(name):
    m = pb.ModelProto()
    m.ParseFromString(open(os.path.join(here, name), "rb").read())
    return m


def token(i, content, **flags):
    return {"id": i, "content": content, **dict.fromkeys(FLAGS, False), **flags}


def spm_bpe():
    """bpe.model as transformers converts one: merges are the pairs of pieces whose union is one."""
    pieces = [p.piece for p in model_proto("bpe.model").pieces]
    vocab = {p: i for i, p in enumerate(pieces)}
    merges = [
        (vocab[p], p[:k], p[k:]) for p in pieces for k in range(1, len(p)) if p[:k] in vocab and p[k:] in vocab
    ]
    return {
        "version": "1.0",
        "added_tokens": [token(i, pieces[i], special=True) for i in range(3)],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": vocab,
            "merges": [[a, b] for _, a, b in sorted(merges)],
        },
    }


def spm_unigram():
    m = model_proto("unigram.model")
    return {
        "version": "1.0",
        "added_tokens": [token(i, m.pieces[i].piece, special=True) for i in range(3)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "Unigram",
            "unk_id": 0,
            "byte_fallback": False,
            "vocab": [[p.piece, p.score] for p in m.pieces],
        },
    }


def words(kind):
    """A WordPiece or WordLevel vocabulary out of letters and some words."""
    parts = ["[UNK]", "[CLS]"] + "the licen ##se sea ##s work 12 ##12 1 ##2 ! , . e é ##́ ing ##ing 中 文 don ' t".split()
    parts += list("abcdfghijklmnopqrstuvwxyz") + ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789éß"]
    model = {"type": kind, "unk_token": "[UNK]", "vocab": {p: i for i, p in enumerate(parts)}}
    if kind == "WordPiece":
        model |= {"continuing_subword_prefix": "##", "max_input_chars_per_word": 12}
    return {
        "version": "1.0",
        "added_tokens": [token(0, "[UNK]", special=True), token(1, "[CLS]", special=True)],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": None,
        "model": model,
    }


bases = {
    "bytes": json.load(open(os.path.join(here, "tokenizer.json"))),
    "bpe": spm_bpe(),
    "unigram": spm_unigram(),
    "wordpiece": words("WordPiece"),
    "wordlevel": words("WordLevel"),
}
N_BPE = len(bases["bpe"]["model"]["vocab"])


def seq(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def norms(*steps):
    return {"type": "Sequence", "normalizers": list(steps)}


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def regex(s):
    return {"Regex": s}


def meta(scheme, cut=True, mark="▁"):
    return {"type": "Metaspace", "replacement": mark, "prepend_scheme": scheme, "split": cut}


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
GPT2 = {**BYTES, "use_regex": True}
PREPEND = {"type": "Prepend", "prepend": "▁"}
SPACES = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
LLAMA = {"normalizer": norms(PREPEND, SPACES)}

cases = []


def case(name, base, **members):
    cases.append((name, base, members))


# Expressions: what Oniguruma reads otherwise than PCRE2, and empty matches.
EXPRESSIONS = [
    r"(?=(\d{3})+(?!\d))", r"^", r"$", r"^\s+", r"\s+$", r"\A.", r".\z", r".\Z", r"\b", r"\B", r"\w+", r"\W+", r"\h+", r"\H+",
    r"\R", r"\X", r".+", r"(?m:.+)", r"\p{N}{1,2}+", r"a{2}?", r"\p{L}++", r"[^\W\d_]+", r"[a-w&&[^aeiou]]+", r"\p{Han}+",
    r"\p{Hiragana}|\p{Latin}+", r"[[:alpha:]]+|[[:digit:]]", r"[[:^space:]]+", r"(?i:ss|st|the)", r"(?i:É|ß)+", r"(?<=e)", r"(?<!e)s",
    r"(e|s)\1?", r"(?>a+)b?", r"\p{Lu}?\p{Ll}+", r"[\p{Lu}\p{Lt}]+|\p{M}", r"x*", r"", r"\n*", r"(?=[A-Z])", r"[\[\]]", r"\x{e9}|\u0301",
    r"\s", r"\S+", r"\d+(?=\D|$)", r"e\Ks", r"\p{^L}+", r"\P{L}+", r"[\s\S]", r"[^\n]", r"'(?i:[sdmt]|ll|ve|re)", r"[一-龥]+",
    r"\p{Emoji}", r"\p{Punct}", r"\p{Alphabetic}+", r"(?x: a b )", r"(?i)S", r"\t|\x20", r"[ -~]+", r"(?:ab|a)(?:c|bcd)?", r"\p{L}{2,}",
]
for i, x in enumerate(EXPRESSIONS):
    behavior = ("Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous")[i % 5]
    case(f"split {x}", "bytes", pre_tokenizer=seq(split(regex(x)), BYTES))
    case(f"{behavior} {x}", "bytes", pre_tokenizer=seq(split(regex(x), behavior, i % 2 == 0), BYTES))
for behavior in ("Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
    for invert in (False, True):
        for p in ({"String": "e"}, regex(r"(?=e)|s*"), {"String": ""}):
            case(f"{behavior} {invert} {p}", "bytes", pre_tokenizer=seq(split(p, behavior, invert), BYTES))
    case(f"Punctuation {behavior}", "bytes", pre_tokenizer=seq({"type": "Punctuation", "behavior": behavior}, GPT2))

# Pre-tokenisers of other kinds, and ByteLevel in the midst of them.
for name, steps in {
    "Digits": [{"type": "Digits", "individual_digits": False}],
    "Digits single": [{"type": "Digits", "individual_digits": True}],
    "WhitespaceSplit": [{"type": "WhitespaceSplit"}],
    "Whitespace": [{"type": "Whitespace"}],
    "BertPreTokenizer": [{"type": "BertPreTokenizer"}],
    "CharDelimiterSplit": [{"type": "CharDelimiterSplit", "delimiter": "e"}],
    "FixedLength": [{"type": "FixedLength", "length": 3}],
}.items():
    case(name, "bytes", pre_tokenizer=seq(*steps, BYTES))
    case(f"{name} bpe", "bpe", pre_tokenizer=seq(*steps))
    case(f"{name} unigram", "unigram", pre_tokenizer=seq(*steps, meta("first")))
falcon = seq({"type": "Punctuation", "behavior": "Contiguous"}, GPT2, {"type": "Digits", "individual_digits": False}, split(regex("[0-9][0-9][0-9]")))
case("falcon", "bytes", pre_tokenizer=falcon)
case("ByteLevel twice", "bytes", pre_tokenizer=seq(GPT2, BYTES))
case("ByteLevel prefix", "bytes", pre_tokenizer=seq({"type": "WhitespaceSplit"}, {**GPT2, "add_prefix_space": True}))
case("ByteLevel normaliser", "bytes", normalizer={"type": "ByteLevel"}, pre_tokenizer=split(regex(r"Ġ?\p{L}+")))
case("ByteLevel normaliser alone", "bytes", normalizer={"type": "ByteLevel"}, pre_tokenizer=None)

# SentencePiece's kind.
case("llama", "bpe", **LLAMA)
case("llama no fuse", "bpe", **LLAMA, model={"fuse_unk": False, "byte_fallback": False})
case("llama unknown", "bpe", **LLAMA, model={"byte_fallback": False})
case("llama no unknown", "bpe", **LLAMA, model={"byte_fallback": False, "unk_token": None})
case("llama ignore_merges", "bpe", **LLAMA, model={"ignore_merges": True})
case("gemma", "bpe", normalizer=SPACES, pre_tokenizer=split({"String": " "}, "MergedWithPrevious"))
for scheme in ("always", "first", "never"):
    for cut in (False, True):
        case(f"Metaspace {scheme} {cut}", "bpe", pre_tokenizer=meta(scheme, cut))
    case(f"WhitespaceSplit Metaspace {scheme}", "unigram", pre_tokenizer=seq({"type": "WhitespaceSplit"}, meta(scheme)))
case("Metaspace other mark", "bpe", pre_tokenizer=meta("always", True, "e"))
case("Metaspace old", "bpe", pre_tokenizer={"type": "Metaspace", "replacement": "▁", "add_prefix_space": True})
case("unigram", "unigram")
case("unigram fallback", "unigram", model={"byte_fallback": True})
case("unigram unknown pieces", "unigram", model={"unk_id": 5})
case("bpe suffix", "bpe", pre_tokenizer={"type": "Whitespace"}, model={"byte_fallback": False, "end_of_word_suffix": "e"})
case("bytes suffix", "bytes", model={"end_of_word_suffix": "e"})
case("wordpiece", "wordpiece")
case("wordpiece cased", "wordpiece", normalizer={"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False, "strip_accents": True, "lowercase": False})
case("wordlevel", "wordlevel", pre_tokenizer={"type": "Whitespace"})

# Normalisers.


def charsmap(rule=None):
    """What SentencePiece makes of a few rules; rule names one of its own instead."""
    d = tempfile.mkdtemp()
    rules = {"é": "e", "ﬁ": "fi", "①": "1", "\u00a0": " ", "\u200b": "", "e\u0301": "E", "\r": "r", "か\u3099": "が", "A": "aa", "AB": "x"}
    with open(os.path.join(d, "rules"), "w") as f:
        for k, v in rules.items():
            f.write(" ".join(f"{ord(c):X}" for c in k) + "\t" + " ".join(f"{ord(c):X}" for c in v) + "\n")
    how = {"normalization_rule_name": rule} if rule else {"normalization_rule_tsv": os.path.join(d, "rules")}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d e f g"] * 20), model_prefix=os.path.join(d, "m"), vocab_size=12, model_type="char", minloglevel=2, **how
    )
    m = model_proto(os.path.join(d, "m.model"))
    shutil.rmtree(d)
    return base64.b64encode(m.normalizer_spec.precompiled_charsmap).decode()


CHARSMAP = charsmap(os.environ.get("CHARSMAP"))  # nmt_nfkc is that of T5 and XLM-R; too large to keep
for name, step in {
    "NFC": {"type": "NFC"},
    "NFD": {"type": "NFD"},
    "NFKC": {"type": "NFKC"},
    "NFKD": {"type": "NFKD"},
    "Lowercase": {"type": "Lowercase"},
    "Strip": {"type": "Strip", "strip_left": True, "strip_right": True},
    "Strip left": {"type": "Strip", "strip_left": True, "strip_right": False},
    "Strip right": {"type": "Strip", "strip_left": False, "strip_right": True},
    "StripAccents": {"type": "StripAccents"},
    "Nmt": {"type": "Nmt"},
    "Replace": {"type": "Replace", "pattern": regex(r" {2,}|(?<=e)"), "content": "▁"},
    "Replace empty": {"type": "Replace", "pattern": {"String": "e"}, "content": ""},
    "Bert": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": False, "lowercase": False},
    "Bert lower": {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    "Precompiled": {"type": "Precompiled", "precompiled_charsmap": CHARSMAP},
}.items():
    case(f"{name} bytes", "bytes", normalizer=step)
    case(f"{name} llama", "bpe", normalizer=norms(step, PREPEND, SPACES))

# Added tokens.
MORE = [
    token(N_BPE, "<util>"),
    token(N_BPE + 1, "  ", lstrip=True),
    token(N_BPE + 2, "\n", rstrip=True),
    token(N_BPE + 3, "<m>", lstrip=True, rstrip=True, special=True),
    token(N_BPE + 4, "qwz", single_word=True),
    token(N_BPE + 5, "éé", normalized=True),
    token(N_BPE + 6, "<util>x"),
    token(N_BPE + 7, "Sea", normalized=True, single_word=True),
    token(N_BPE + 8, "util>x y"),
    token(N_BPE + 9, "\t"),
    token(N_BPE + 10, " <m>"),
    token(N_BPE + 11, "   ", rstrip=True, normalized=True),
]
OLD = [token(i, s, special=True, normalized=True) for i, s in enumerate(("<unk>", "<s>", "</s>"))]
for name, members in {"llama": LLAMA, "first": {"pre_tokenizer": meta("first", False)}, "always": {"pre_tokenizer": meta("always")}}.items():
    case(f"added {name}", "bpe", **members, added_tokens=bases["bpe"]["added_tokens"] + MORE)
    case(f"added normalized {name}", "bpe", **members, added_tokens=OLD + MORE)
case("added lower", "bpe", normalizer=norms({"type": "Lowercase"}, {"type": "NFKC"}, SPACES), added_tokens=OLD + MORE)
case("added strip", "bpe", normalizer=norms({"type": "Strip", "strip_left": True, "strip_right": True}), added_tokens=OLD + [{**t, "normalized": t["normalized"] and t["content"].strip() != ""} for t in MORE])

POOL = (
    "a|b|the| |  |   |\n|\r\n|\t|0|12|3456|½|²|é|e\u0301|\u0301|\u0327|\u0316|ｱ|ß|Ω|\u212b|한|\u1112\u1161\u11ab|中文|😀|👩\u200d👧|"
    "\u200b|\u180e|\u00a0|\u0085|\u2028|\u3000|'s|'S|'ll|don't|!|...|?!|-|_|<|>|<s>|</s>|<unk>|[CLS]|<0x41>|▁|▁▁|▁a| ▁|ﬁ|\u0958|\u0344|"
    "ſ|𝟘|٠|क|्|क्षि|\x1f|\x7f|\ufeff|\x01|Work|The|Sea|sea| distribution|shall|İ|Σ|ς|①|Ⓐ|１２|，|。|𠀀|\uffff|ＡＢＣ|\n\n\n|. |$|€|+|=|^|`|~|\\|"
    "[|]|Ⅷ|ª|が|か\u3099|qwz|éé|<util>|<util>x|<util>x y|<m>| <m> |ssst|aab|abcd|1234567|x y|STILL|rest in e "
).split("|")


def strings(n, seed):
    r = random.Random(seed)
    fixed = ["", " ", "the sea", " the sea ", "1234567 12", "The Sea\nShall\n\n  rest. ", "éé e\u0301e\u0301 中文 x"]
    some = ["".join(r.choice(POOL) for _ in range(r.randint(1, 12))) for _ in range(n)]
    return (fixed + some)[:n]


def build(base, members):
    d = json.loads(json.dumps(bases[base]))
    d["model"].update(members.get("model", {}))
    d.update({k: v for k, v in members.items() if k != "model"})
    return json.dumps(d)


def ids_of(t, s):
    try:
        return t.encode(s, add_special_tokens=False).ids
    except BaseException:  # the library panics on some: nothing to compare
        return None


def ours(text, some):
    d = tempfile.mkdtemp()
    open(os.path.join(d, "tokenizer.json"), "w").write(text)
    p = subprocess.run(["pro-model", "tokenize", "-0", "--special", d], input="".join(s + "\0" for s in some).encode(), capture_output=True)
    shutil.rmtree(d)
    if p.returncode:
        return p.stderr.decode()
    return [[int(x) for x in line.split()] for line in p.stdout.decode().split("\n")[:-1]]


def check(n, only=""):
    total = wrong = panics = 0
    for k, (name, base, members) in enumerate(cases):
        if only not in name:
            continue
        text = build(base, members)
        try:
            t = Tokenizer.from_str(text)
        except BaseException as e:
            print(f"{name}: the library refuses: {e}"[:150])
            continue
        some = [s for s in strings(n, k + 1)]
        got = ours(text, some)
        if isinstance(got, str):
            print(f"{name}: {got.strip()}")
            continue
        bad = 0
        for s, g in zip(some, got, strict=True):
            want = ids_of(t, s)
            panics += want is None
            total += 1
            if want is not None and want != g:
                bad += 1
                if bad <= 2:
                    print(f"{name}: {s!r}\n  want {want}\n  got  {g}")
        wrong += bad
        if bad:
            print(f"{name}: {bad} of {n} differ")
    print(f"{len(cases)} cases, {total} strings compared, {wrong} differ, {panics} panics of the library")


def dumps(v):
    return json.dumps(v, separators=(",", ":"))


def write():
    some = strings(16, 0)
    out = []
    for name, base, members in cases:
        t = Tokenizer.from_str(build(base, members))
        ids = [ids_of(t, s) for s in some]
        out.append(dumps({"name": name, "base": base, "set": members, "ids": ids}))
    with open(os.path.join(here, "kinds.json"), "w") as f:
        f.write('{"tokenizers": %s,\n"strings": %s,\n"bases": {' % (json.dumps(version("tokenizers")), dumps(some)))
        f.write(",\n".join(f"{dumps(k)}: {dumps(v)}" for k, v in bases.items() if k != "bytes"))
        f.write('},\n"cases": [\n' + ",\n".join(out) + "\n]}\n")


if sys.argv[1:2] == ["--check"]:
    check(int(sys.argv[2]), *sys.argv[3:])
else:
    write()
