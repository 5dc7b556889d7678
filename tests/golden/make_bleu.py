"""Make bleu.json: python make_bleu.py OUTDIR

nltk_char is nltk's sentence_bleu on raw strings, as the reference code of the paper calls it: BLEU-4 over
code points, one sentence, no smoothing. corpora holds sacreBLEU's corpus BLEU with its defaults.
"""

import json
import os
import sys
import warnings
from pathlib import Path

from nltk.translate.bleu_score import sentence_bleu
from sacrebleu.metrics import BLEU

LONG_REF = "I think that you should talk to a doctor about this, and not wait until it gets any worse."
LONG_HYP = "I think you should see a doctor about it, and you should not wait until it gets worse."

# (hypothesis, reference)
PAIRS = [
    (LONG_REF, LONG_REF),
    (LONG_HYP, LONG_REF),
    (LONG_REF, LONG_HYP),
    ("I think", LONG_REF),
    (LONG_REF + " " + LONG_REF, LONG_REF),
    (LONG_REF.upper(), LONG_REF),
    ("Sure, here is what you can do.", "No, I'm sorry, I can't help with that."),
    ("Yes.", "No, I'm sorry, I can't help with that."),
    ("", ""),
    ("", "abc"),
    ("", LONG_REF),
    ("a", ""),
    ("abcdef", ""),
    ("a", "a"),
    ("a", "b"),
    ("ab", "ab"),
    ("abc", "abc"),
    ("abcd", "abcd"),
    ("abcde", "abcde"),
    ("abc", "abcdefgh"),
    ("abcd", "abcdefgh"),
    ("abcdefgh", "abcd"),
    ("abcdefgh", "abc"),
    ("abcd", "dcba"),
    ("abcd", "wxyz"),
    ("abxcd", "abycd"),
    ("abcxde", "abcyde"),
    ("aaaaaaaa", "aaaa"),
    ("aaaa", "aaaaaaaa"),
    ("aaaaaaaa", "abababab"),
    ("abababababab", "ab"),
    (" ", " "),
    ("    ", "    "),
    ("  hello  ", "hello"),
    ("hello", "  hello  "),
    ("hello\nworld", "hello world"),
    ("a\tb\r\nc d", "a\tb\nc d"),
    ("hello\u00a0world", "hello world"),
    ("na\u00efve caf\u00e9", "na\u00efve caf\u00e9"),
    ("nai\u0308ve cafe\u0301", "na\u00efve caf\u00e9"),
    ("cafe\u0301s are nice", "cafe\u0301 is nice"),
    ("\u4f60\u597d\uff0c\u4e16\u754c", "\u4f60\u597d\uff0c\u4e16\u754c\uff01"),
    (
        "\u6211\u89c9\u5f97\u4f60\u5e94\u8be5\u53bb\u770b\u533b\u751f",
        "\u4f60\u5e94\u8be5\u5c3d\u5feb\u53bb\u770b\u533b\u751f",
    ),
    ("\u3053\u3093\u306b\u3061\u306f", "\u3053\u3093\u3070\u3093\u306f"),
    ("\U0001f600\U0001f600\U0001f600\U0001f600", "\U0001f600\U0001f600\U0001f600\U0001f600"),
    ("I am happy \U0001f600!", "I am happy \U0001f603!"),
    ("\U0001f468\u200d\U0001f469\u200d\U0001f467 family", "\U0001f468\u200d\U0001f469\u200d\U0001f466 family"),
    ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "\U0001f1eb\U0001f1f7\U0001f1e9\U0001f1ea"),
    ("\u0645\u0631\u062d\u0628\u0627 \u0628\u0643", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643\u0645"),
    ("\u0395\u03bb\u03bb\u03ac\u03b4\u03b1", "\u03b5\u03bb\u03bb\u03ac\u03b4\u03b1"),
    ("Tom &amp; Jerry", "Tom & Jerry"),
    ("1,234.56 dollars", "1234.56 dollars"),
    ("x" * 300, "x" * 300),
    ("the " * 60, "the cat is on the mat " * 10),
    ("null\u0000byte here", "null\u0000byte there"),
]

# name: [(hypothesis, reference)]
CORPORA = {
    "plain": [
        ("The cat sat on the mat.", "The cat is sitting on the mat."),
        (
            "It is a guide to action which ensures that the military obeys the party.",
            "It is a guide to action that ensures that the military will forever heed Party commands.",
        ),
        (LONG_HYP, LONG_REF),
    ],
    "identical": [(LONG_REF, LONG_REF), ("Yes, of course you can.", "Yes, of course you can.")],
    "with empty ones": [
        ("", LONG_REF),
        (LONG_HYP, ""),
        ("", ""),
        ("   ", "I do not know."),
        ("I do not know that.", "I do not know."),
    ],
    "all hypotheses empty": [("", "I do not know."), ("", "Yes.")],
    "all references empty": [("I do not know.", ""), ("Yes.", "")],
    "all empty": [("", ""), ("", "")],
    "no 4-gram match": [("the cat sat here", "a cat sat there"), ("one two three five", "one two three four")],
    "no 3-gram match": [("red green blue black white", "red green yellow black grey white")],
    "only 1-grams match": [("d c b a e", "a b c d e")],
    "nothing matches": [("one two three four five", "six seven eight nine ten")],
    "one word, same": [("Yes", "Yes")],
    "one word, other": [("Yes", "No")],
    "three words": [("I agree completely", "I agree completely")],
    "four words": [("I agree with you", "I agree with you")],
    "short against long": [("I", LONG_REF), ("think", LONG_REF)],
    "long against short": [(LONG_REF, "I think"), (LONG_HYP, "Talk to a doctor.")],
    "numbers": [
        ("It costs $1,234.56, or 3.5% more; see p. 12-14.", "It costs $1,234.50, or 3.5 % more; see p.12-14."),
        (
            "At 10:30 on 2023-06-30 there were 1.000.000 people (+/- 5).",
            "At 10.30 on 2023-06-30, there were 1,000,000 people (+/-5).",
        ),
        ("a.1 1.a 1,a a,1 ,1 1, .1 1. 1-2 a-b 1-b a-1", "a.1 1.a 1,a a,1 ,1 1, .1 1. 1-2 a-b 1-b a-1"),
        ("v2.0-beta costs 5-10, and 3- or 4-fold.", "v2.0-beta costs 5 - 10, and 3 - or 4 - fold."),
    ],
    "entities": [
        ("He said &quot;yes&quot; &amp; left &lt;b&gt;fast&lt;/b&gt;.", 'He said "yes" & left <b>fast</b>.'),
        ("&amp;lt; stays &amp;amp; &apos;", "&lt; stays &amp; '"),
        ("5 &lt; 6 &amp;&amp; 7 &gt; 6", "5 < 6 && 7 > 6"),
    ],
    "punctuation": [
        ("Well -- that's state-of-the-art, isn't it?! (yes...)", "Well - that's state of the art, isn't it? (Yes!)"),
        (
            "e.g. U.S.A.-based, i.e. [sic] {x} <y> a/b c\\d ~e `f` ^g | h_i #j @k *l +m =n",
            "e.g. U.S.A. based, i.e. [sic] {x} <y> a/b c\\d ~e `f` ^g | h_i #j @k *l +m =n",
        ),
        ("<skipped>Hello there, my old friend.", "Hello there, my old friend."),
    ],
    "hyphens at line ends": [
        ("a hyphen-\nated word and\na new line", "a hyphenated word and a new line"),
        ("semi- colon and well-known words", "semi-colon and well-known words"),
    ],
    "white space": [
        ("  leading and   inner\tspace, and a trailing one \n", "leading and inner space, and a trailing one"),
        ("a no\u00a0break and an\u3000ideographic space here", "a no break and an ideographic space here"),
        ("a zero\u200bwidth and a\u2028line separator\u0085here", "a zero width and a line separator here"),
    ],
    "non-ASCII": [
        ("Das ist sch\u00f6n, oder?", "Das ist sehr sch\u00f6n, oder?"),
        (
            "\u201cQuoted\u201d \u2014 it\u2019s caf\u00e9 au lait\u2026",
            "\u201cQuoted\u201d \u2013 it's caf\u00e9 au lait...",
        ),
        (
            "\u4f60\u597d\uff0c\u4e16\u754c\u3002 \u6211 \u662f \u5b66\u751f",
            "\u4f60\u597d\uff0c\u4e16\u754c\u3002 \u6211 \u662f \u8001\u5e08",
        ),
        (
            "emoji \U0001f600 and \U0001f468\u200d\U0001f469 are fun here",
            "emoji \U0001f600 and \U0001f468\u200d\U0001f467 are fun here",
        ),
        ("\u0661\u0662,\u0663 and \uff11.\uff12 digits", "\u0661\u0662 , \u0663 and \uff11.\uff12 digits"),
    ],
    "case": [("HELLO THERE My Dear Friend", "hello there my dear friend")],
    "repeats": [("the the the the the the the", "the cat is on the mat"), ("a a a a a a", "a a a a")],
}


def nltk_char(hyp, ref):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value, raised = float(sentence_bleu([ref], hyp)), None
        except Exception as error:  # noqa: BLE001 - records whatever nltk does
            value, raised = None, f"{type(error).__name__}: {error}"
    return {"hyp": hyp, "ref": ref, "nltk_char": value, "raised": raised, "warned": bool(caught)}


def corpus(name, pairs):
    metric = BLEU()
    hyps, refs = [h for h, _ in pairs], [r for _, r in pairs]
    s = metric.corpus_score(hyps, [refs])
    return {
        "name": name,
        "hyp": hyps,
        "ref": refs,
        "score": s.score,
        "printed": str(s),
        "counts": s.counts,
        "totals": s.totals,
        "precisions": s.precisions,
        "bp": s.bp,
        "sys_len": s.sys_len,
        "ref_len": s.ref_len,
        "signature": str(metric.get_signature()),
        "hyp_tokens": [metric.tokenizer(h.rstrip()) for h in hyps],
    }


def main(out):
    sentences = [nltk_char(h, r) for h, r in PAIRS]
    corpora = [corpus(name, pairs) for name, pairs in (CORPORA | {"every sentence pair": PAIRS}).items()]
    groups = {"sentences": sentences, "corpora": corpora}
    body = ",\n".join(
        f' "{key}": [\n  ' + ",\n  ".join(json.dumps(c) for c in cases) + "\n ]" for key, cases in groups.items()
    )
    tmp = out / "bleu.json.tmp"
    tmp.write_text("{\n" + body + "\n}\n", encoding="utf-8")
    os.replace(tmp, out / "bleu.json")
    print({key: len(cases) for key, cases in groups.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
