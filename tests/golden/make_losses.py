"""Make losses.json: python make_losses.py OUTDIR

Loss functions on plain numbers, at 60 decimal digits with mpmath and rounded once to float64.
Gradients are the analytic ones (softmax weights), checked against mpmath's numeric derivative.
"""

import json
import os
import random
import sys
from pathlib import Path

from mpmath import diff, exp, log, log1p, mp, mpf

mp.dps = 60


def logsumexp(xs):
    top = max(xs)
    return top + log(sum(exp(x - top) for x in xs))


def term(r, multipliers, k):
    """-log softmax of entry k among k.. and its derivatives by r; multipliers[i] goes with r[k + i]."""
    x = [a * m for a, m in zip(r[k:], multipliers)]
    total = logsumexp(x)
    grad = [mpf(0)] * len(r)
    for i, m in enumerate(multipliers):
        grad[k + i] = m * (exp(x[i] - total) - (i == 0))
    return total - x[0], grad


def pro(r, rewards, no_temperature=False, first_only=False):
    """PRO: the terms of the loss, and the derivatives of their sum by r."""
    n = len(r)
    terms, grad = [], [mpf(0)] * n
    for k in range(1 if first_only else n - 1):
        if no_temperature:
            d = [mpf(1)] * (n - k)
        else:
            gaps = [rewards[k] - rewards[i] for i in range(k + 1, n)]
            d = [max(gaps)] + gaps
        value, g = term(r, d, k)
        terms.append(value)
        grad = [a + b for a, b in zip(grad, g)]
    return terms, grad


def pairwise(s, rewards=None):
    """Mean over the pairs i < k of -log sigmoid(s_i - s_k); pairs of equal reward do not count."""
    n = len(s)
    pairs = [(i, k) for i in range(n) for k in range(i + 1, n) if rewards is None or rewards[i] != rewards[k]]
    loss, grad = mpf(0), [mpf(0)] * n
    for i, k in pairs:
        z = s[k] - s[i]
        loss += z + log1p(exp(-z)) if z > 0 else log1p(exp(z))
        slope = 1 / (1 + exp(-z))
        grad[i] -= slope
        grad[k] += slope
    count = max(len(pairs), 1)
    return loss / count, [g / count for g in grad], len(pairs)


def check(f, xs, grad):
    for i, g in enumerate(grad):
        slope = diff(lambda v, i=i: f(xs[:i] + [v] + xs[i + 1 :]), xs[i])
        assert abs(slope - g) < mpf(10) ** -15 * (1 + abs(g)), (i, slope, g)


def floats(xs):
    return [float(x) for x in xs]


def pro_inputs():
    """(name, r, R, lengths) with R descending."""
    rng = random.Random(7)

    def random_r(n, low=-6.0):
        return [round(rng.uniform(low, -0.2), 4) for _ in range(n)]

    def random_rewards(n, scale):
        rewards = [round(rng.uniform(-2, 3), 4)]
        for _ in range(n - 1):
            rewards.append(round(rewards[-1] - rng.expovariate(1 / scale), 4))
        return rewards

    for n in range(2, 9):
        for scale in (0.1, 0.6, 4.0):
            lengths = [rng.randint(1, 128) for _ in range(n)]
            yield f"random n={n} scale={scale}", random_r(n), random_rewards(n, scale), lengths
    for n in range(2, 9):
        yield f"all equal n={n}", random_r(n), [0.7] * n, [3] * n
    yield "tie at the top", [-1.5, -1.25, -2.0], [1.0, 1.0, 0.25], [4, 5, 6]
    yield "tie in the middle", [-1.5, -1.25, -2.0, -0.5], [2.0, 0.5, 0.5, -1.0], [4, 5, 6, 7]
    yield "tie at the end", [-1.5, -1.25, -2.0], [1.0, 0.25, 0.25], [4, 5, 6]
    yield "two ties", [-3.0, -1.0, -2.0, -2.5, -0.75], [1.0, 1.0, 0.0, -1.0, -1.0], [1, 2, 3, 4, 5]
    yield "equal r", [-2.0, -2.0, -2.0], [1.5, 0.5, -0.5], [2, 2, 2]
    yield "equal r and R", [-2.0, -2.0], [0.5, 0.5], [2, 2]
    yield "r zero", [0.0, 0.0, 0.0], [3.0, 2.0, 1.0], [1, 1, 1]
    yield "best is certain", [0.0, -50.0], [1.0, 0.0], [1, 1]
    yield "best is impossible", [-50.0, 0.0], [1.0, 0.0], [1, 1]
    yield "below the reference's saturation", [-10.4, -10.6], [1.5, 0.3], [60, 60]
    yield "far below it", [-10.4, -10.6], [9.0, 0.3], [60, 60]
    yield "difference 50", [-10.0, -9.0], [25.0, -25.0], [10, 10]
    yield "difference 50, deep", [-50.0, -49.5, -50.0], [25.0, 0.0, -25.0], [128, 127, 126]
    yield "difference 50, wrong way", [-50.0, -0.5, -0.25], [25.0, -24.5, -25.0], [128, 127, 126]
    yield "tiny difference", [-1.0, -2.0, -3.0], [1e-9, 5e-10, 0.0], [8, 8, 8]
    yield "denormal difference", [-1.0, -2.0], [5e-324, 0.0], [8, 8]
    yield "rewards far from zero", [-1.0, -2.0, -1.5], [1000000.5, 1000000.25, 999999.0], [8, 8, 8]
    yield "negative rewards", [-1.0, -2.0, -1.5, -0.7], [-3.0, -3.5, -6.0, -6.25], [8, 9, 1, 2]
    yield "n=8, mixed", random_r(8, -50.0), [20.0, 19.5, 19.5, 4.0, 0.0, -3.0, -3.0, -30.0], list(range(1, 9))


def options_of(i, n):
    yield {}
    if i % 3 == 0:
        yield {"no_temperature": True}
    if i % 3 == 1 and n > 2:
        yield {"first_only": True}
    if i % 6 == 2:
        yield {"no_temperature": True, "first_only": True}


def pro_cases():
    for i, (name, r, rewards, lengths) in enumerate(pro_inputs()):
        x, big = [mpf(v) for v in r], [mpf(v) for v in rewards]
        for options in options_of(i, len(r)):
            terms, grad = pro(x, big, **options)
            if "denormal" not in name:
                check(lambda v, b=big, o=options: sum(pro(v, b, **o)[0]), x, grad)
            sft, beta = -x[0] * lengths[0], mpf("0.05") * (len(r) - 1) ** 2
            yield {
                "name": name,
                "r": r,
                "R": rewards,
                "lengths": lengths,
                "no_temperature": False,
                "first_only": False,
                **options,
                "loss_pro": float(sum(terms)),
                "rank": floats(terms),
                "dloss_dr": floats(grad),
                "sft_nll": float(sft),
                "beta": float(beta),
                "loss": float(sum(terms) + beta * sft),
            }


def reward_inputs():
    """(name, scores best first, R or None)"""
    rng = random.Random(11)
    for n in range(2, 9):
        yield f"random n={n}", [round(rng.gauss(0, 2), 4) for _ in range(n)], None
    yield "equal scores", [0.5, 0.5, 0.5], None
    yield "far apart", [50.0, -50.0], None
    yield "far apart, wrong way", [-50.0, 50.0], None
    yield "very far apart, wrong way", [-1000.0, 1000.0, 0.0], None
    yield "large and close", [1000.25, 1000.0], None
    yield "no ties", [0.3, -0.4, 1.2], [2.0, 1.0, 0.5]
    yield "tie at the top", [0.3, -0.4, 1.2], [2.0, 2.0, 0.5]
    yield "tie at the end", [0.3, -0.4, 1.2], [2.0, 0.5, 0.5]
    yield "two ties", [0.3, -0.4, 1.2, 0.9], [2.0, 2.0, 0.5, 0.5]
    yield "all tied", [0.3, -0.4, 1.2], [1.0, 1.0, 1.0]
    yield "pair tied", [0.3, -0.4], [1.0, 1.0]


def reward_cases(kind):
    for name, s, rewards in reward_inputs():
        x = [mpf(v) for v in s]
        if kind == "pairwise":
            loss, grad, pairs = pairwise(x, rewards)
            check(lambda v, b=rewards: pairwise(v, b)[0], x, grad)
            yield {"name": name, "s": s, "R": rewards, "pairs": pairs, "loss": float(loss), "dloss_ds": floats(grad)}
        elif rewards is None:
            ones = [mpf(0)] * len(s)
            terms, grad = pro(x, ones, no_temperature=True)
            check(lambda v, b=ones: sum(pro(v, b, no_temperature=True)[0]), x, grad)
            yield {"name": name, "s": s, "loss": float(sum(terms)), "rank": floats(terms), "dloss_ds": floats(grad)}


def main(out):
    groups = {
        "pro": list(pro_cases()),
        "rm_pairwise": list(reward_cases("pairwise")),
        "rm_listwise": list(reward_cases("listwise")),
    }
    body = ",\n".join(
        f' "{key}": [\n  ' + ",\n  ".join(json.dumps(c) for c in cases) + "\n ]" for key, cases in groups.items()
    )
    tmp = out / "losses.json.tmp"
    tmp.write_text("{\n" + body + "\n}\n", encoding="utf-8")
    os.replace(tmp, out / "losses.json")
    print({key: len(cases) for key, cases in groups.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
