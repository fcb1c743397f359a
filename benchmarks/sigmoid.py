"""The sigmoid: ours, the textbook formula in NumPy, and SciPy's expit. Prints JSON."""

from __future__ import annotations

import json
import sys

import numpy as np
from scipy.special import expit
from timing import in_turn

from logreg.sigmoid import logistic


def textbook(x):
    """Compute 1 / (1 + exp(-x)) as it is written."""
    return 1.0 / (1.0 + np.exp(-x))


def cases(million):
    """Yield a name, scores of sd 4, and how many calls are clocked at once."""
    scores = np.random.default_rng(0).normal(scale=4.0, size=million)
    yield f"{million:,} float64", scores, 1
    yield f"{million:,} float32", scores.astype(np.float32), 1
    yield "1,000 float64", scores[:1000].copy(), 20
    yield "array of one", scores[:1].copy(), 100
    yield "Python float", float(scores[0]), 100


def compare(what, x, calls, rounds):
    """Return the seconds of each function for scores x."""
    functions = {"textbook": textbook, "expit": expit, "logreg": logistic}
    return {"what": what} | in_turn({name: lambda f=f: f(x) for name, f in functions.items()}, rounds, calls)


if __name__ == "__main__":
    million, rounds = (100_000, 7) if "--quick" in sys.argv else (1_000_000, 61)
    print(json.dumps([compare(*case, rounds) for case in cases(million)]))
