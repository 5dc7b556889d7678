"""Make sampling.json: python make_sampling.py OUTDIR

The exact distribution that a token is drawn from: temperature, then top-k, then top-p.
top-p keeps the smallest set of most probable tokens whose probabilities, renormalised after top-k, sum to at
least p. Tokens of equal logit rank by id, the lower id first; temperature 0 is greedy under the same rule.
Values have 60 digits until they are rounded once; transformers' own processors confirm the cases without a tie.
"""

import json
import os
import random
import sys
from pathlib import Path

import torch
from mpmath import exp, mp, mpf
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

mp.dps = 60

_rng = random.Random(5)


def exact(x):
    """The nearest multiple of 2^-8, which float32 holds exactly."""
    return round(x * 256) / 256


# "flat" has 19 entries, so that no sum of its probabilities falls on a top_p
VECTORS = {
    "random": [exact(_rng.gauss(0, 2)) for _ in range(20)],
    "flat": [0.0] * 19,
    "peaked": [12.0] + [exact(_rng.gauss(0, 1)) for _ in range(19)],
    "two peaks": [exact(_rng.gauss(0, 1)) for _ in range(9)]
    + [8.5, -1.0, 8.25]
    + [-0.5, 0.75, 1.5, -2.25, 0.125, -3.0, 2.5, 0.0],
    "ties": [1.0, 3.0, 2.0, 3.0, 1.0, 2.0, 2.0, 0.0, 3.0, 1.0, -1.0, 2.0, 0.0, 0.0, 1.0, -1.0, 2.0, 3.0, 0.5, 0.5],
    "masked": [-1e30 if i % 3 else exact(_rng.gauss(0, 2)) for i in range(20)],
    "masked but one": [-1e30] * 7 + [-4.0] + [-1e30] * 12,
    "large": [exact(1000 + _rng.gauss(0, 3)) for _ in range(20)],
    "very negative": [exact(-2000 + _rng.gauss(0, 3)) for _ in range(20)],
    "descending": [-0.5 * i for i in range(20)],
    "one token": [0.25],
    "vocab 33": [exact(_rng.gauss(0, 1.5)) for _ in range(33)],
}
SETTINGS = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.7},
    {"top_k": 1},
    {"top_k": 5},
    {"top_k": 33},
    {"top_p": 0.9},
    {"top_p": 0.3},
    {"top_p": 1e-6},
    {"top_k": 4, "top_p": 0.9},
    {"temperature": 0.8, "top_p": 0.95},
    {"temperature": 2.0, "top_k": 8, "top_p": 0.6},
    {"temperature": 0.5, "top_k": 3, "top_p": 0.99},
]


def softmax(logits):
    top = max(logits)
    weights = [exp(x - top) for x in logits]
    total = sum(weights)
    return [w / total for w in weights]


def cuts_tie(logits, order, kept):
    """Whether the first token left out is as probable as the last one kept (and not one of the masked)."""
    cut = order[len(kept) : len(kept) + 1]
    return bool(cut) and logits[kept[-1]] == logits[cut[0]] > -1e29


def distribution(logits, temperature, top_k, top_p):
    """(probabilities, whether a tie was cut)"""
    order = sorted(range(len(logits)), key=lambda i: (-logits[i], i))
    if temperature == 0:
        tie = len(order) > 1 and logits[order[0]] == logits[order[1]]
        return [mpf(i == order[0]) for i in range(len(logits))], tie
    x = [mpf(v) / mpf(temperature) for v in logits]
    kept = order[:top_k] if top_k > 0 else order
    tie = cuts_tie(logits, order, kept)
    p = softmax([x[i] for i in kept])
    if top_p < 1:
        total = mpf(0)
        for count, v in enumerate(p, 1):
            total += v
            # a sum that equals p up to rounding would make the case depend on the arithmetic
            assert abs(total - mpf(top_p)) > 1e-5, (logits, top_p, total)
            if total >= mpf(top_p):
                break
        kept = kept[:count]
        tie = tie or cuts_tie(logits, order, kept)
        p = softmax([x[i] for i in kept])
    out = [mpf(0)] * len(logits)
    for i, v in zip(kept, p):
        out[i] = v
    return out, tie


def by_transformers(logits, temperature, top_k, top_p):
    x = torch.tensor([logits], dtype=torch.float64)
    if temperature != 1:
        x = TemperatureLogitsWarper(temperature)(None, x)
    if top_k > 0:
        x = TopKLogitsWarper(top_k)(None, x)
    if top_p < 1:
        x = TopPLogitsWarper(top_p)(None, x)
    return x.softmax(-1)[0].tolist()


def make_cases():
    for name, logits in VECTORS.items():
        for setting in SETTINGS:
            s = {"temperature": 1.0, "top_k": 0, "top_p": 1.0} | setting
            probs, tie = distribution(logits, **s)
            probs = [float(v) for v in probs]
            if not tie and s["temperature"] > 0:
                worst = max(abs(a - b) for a, b in zip(probs, by_transformers(logits, **s)))
                assert worst < 1e-12, (name, s, worst)
            kept = [i for i, v in enumerate(probs) if v > 0]
            yield {"logits": name, **s, "kept": kept, "probs": [probs[i] for i in kept], "tie_cut": tie}


def main(out):
    cases = list(make_cases())
    rows = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in VECTORS.items())
    body = ",\n".join("  " + json.dumps(c) for c in cases)
    text = f'{{\n "logits": {{\n{rows}\n }},\n "cases": [\n{body}\n ]\n}}\n'
    json.loads(text)
    tmp = out / "sampling.json.tmp"
    tmp.write_text(text, encoding="utf-8")
    os.replace(tmp, out / "sampling.json")
    print(len(cases), "cases")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
