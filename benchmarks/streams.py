"""Streams: 100 batches of 1,000 shuffled rows, each seen once. Prints JSON.

python benchmarks/streams.py                                   everything
python benchmarks/streams.py --problems plain,flights          some of it
python benchmarks/streams.py --quick                           a tenth of the batches

Judged by how far the coefficients are in the end from those of our fit of all rows, in standard errors: the farthest,
and the root of the mean square. scikit-learn's SGDClassifier gets columns that are standardised by all rows ahead of
the stream, is held to the fit of these, and shown at the setting of a grid that ends nearest to it.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from itertools import product
from time import perf_counter

import numpy as np
from problems import census, flights, simulated
from sklearn.linear_model import SGDClassifier

from logreg import LogisticRegression

BATCHES, ROWS = 100, 1_000
REPETITIONS = 3
RATES = [("optimal", 0.0)]
RATES += list(product(["constant", "invscaling"], [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0]))
PENALTIES = [1.0, 1e-3, 10.0]  # over that of the fit
AVERAGES = [False, True]


def few_positives(rows):
    """Return rows of which 2 % are positive, in raw units."""
    return simulated(rows, 30, seed=32, raw=True, positives=0.02)


STREAMS = {
    "plain": lambda rows: simulated(rows, 20, seed=31),
    "raw": lambda rows: simulated(rows, 30, seed=2, raw=True, positives=0.3),
    "rare": few_positives,
    "wide": lambda rows: simulated(rows, 100, seed=33),
    "flights": lambda rows: flights(),
    "census": lambda rows: census(),
}


def in_batches(clf, X, y):
    """Show all rows to an estimator, and return the seconds that it took."""
    start = perf_counter()
    for first in range(0, len(y), ROWS):
        batch = slice(first, first + ROWS)
        clf.partial_fit(X[batch], y[batch], classes=[0, 1])
    return perf_counter() - start


def distances(clf, fit):
    """Return the farthest coefficient and the root of the mean square, in standard errors of a fit."""
    apart = np.append(clf.intercept_ - fit.intercept_, clf.coef_[0] - fit.coef_[0])
    away = np.abs(apart) / np.sqrt(np.diagonal(fit.covariance()))
    away = away[np.isfinite(away)]  # columns that no row of the stream has
    return {"farthest": float(away.max()), "mean": float(np.sqrt(np.mean(away**2)))}


def exact(X, y):
    """Return the fit of all rows."""
    return LogisticRegression(tol=1e-8, inference=True).fit(X, y)


def descended(X, y, fit):
    """Return what SGDClassifier reaches at the setting of the grid that ends nearest to the fit."""
    best = {"farthest": np.inf}
    for (schedule, eta), penalty, average in product(RATES, PENALTIES, AVERAGES):
        options = {"learning_rate": schedule, "eta0": eta, "alpha": penalty / len(y), "average": average}
        if schedule == "optimal":
            options.pop("eta0")
        clf = SGDClassifier("log_loss", random_state=0, **options)
        seconds = in_batches(clf, X, y)
        found = distances(clf, fit)
        if np.isfinite(found["farthest"]) and found["farthest"] < best["farthest"]:
            best = found | {
                "seconds": [seconds],
                "setting": f"{schedule} {eta:g}, {'averaged, ' * average}{penalty:g} / n",
            }
    return best


def measure(name, share):
    """Return the row of one stream."""
    problem = STREAMS[name](int(BATCHES * share) * ROWS)
    order = np.random.default_rng(0).permutation(len(problem.y))[: int(BATCHES * share) * ROWS]
    X, y = problem.X[order], problem.y[order]
    row = {"problem": name, "rows": len(y), "columns": X.shape[1], "positives": float(y.mean()), "note": problem.note}
    start = perf_counter()
    fit = exact(X, y)
    row["fit"] = perf_counter() - start
    streams = [LogisticRegression() for _ in range(REPETITIONS)]
    seconds = [in_batches(clf, X, y) for clf in streams]
    row["peers"] = {"logreg": distances(streams[-1], fit) | {"seconds": seconds}}
    spread = X.std(axis=0)
    standardised = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    row["peers"]["SGDClassifier"] = descended(standardised, y, exact(standardised, y))
    print(name, row["peers"], file=sys.stderr, flush=True)
    return row


def main():
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default=",".join(STREAMS))
    parser.add_argument("--quick", action="store_true")
    wanted = parser.parse_args()
    warnings.simplefilter("ignore")
    print(json.dumps([measure(name, 0.1 if wanted.quick else 1.0) for name in wanted.problems.split(",")]))


if __name__ == "__main__":
    main()
