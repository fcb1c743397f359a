"""The problems: generators fixed by a seed, and real data. These are dense; sparse_problems.py has the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import sparse_problems
from problem import Problem, real_frame
from scipy.optimize import brentq
from scipy.signal import lfilter
from scipy.special import expit
from sklearn.datasets import load_breast_cancer
from sparse_problems import CENSUS_NUMBERS

CORRELATION = 0.8  # of neighbouring columns
BLOCK_ROWS = 8_192


def tall(share=1.0):
    """500,000 x 100: correlated columns, standardised."""
    return simulated(int(500_000 * share), 100, seed=1)


def tall_raw(share=1.0):
    """1,000,000 x 30: correlated columns in raw units, few positives."""
    return simulated(int(1_000_000 * share), 30, seed=2, raw=True, positives=0.07)


def tall_f32(share=1.0):
    """4,000,000 x 28, float32."""
    return simulated(int(4_000_000 * share), 28, seed=3, dtype=np.float32)


def mid(share=1.0):
    """60,000 x 500: correlated columns in raw units."""
    return simulated(int(60_000 * share), 500, seed=4, raw=True)


def square(share=1.0, C=1.0):
    """20,000 x 2,000: rows of length 1, as of text embeddings."""
    X, y, _, _ = simulated(int(20_000 * share), 2_000, seed=5)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return Problem(X, y, C, "correlated columns, then rows of length 1")


def square_loose(share=1.0):
    """The same with a hundredth of the penalty."""
    return square(share, C=100.0)


def flights(share=1.0):
    """nycflights13: arrival more than 15 minutes late; numbers and one-hot categories, raw units."""
    frame = real_frame("nycflights13.parquet", share)
    categories = ["month", "weekday", "hour", "carrier", "origin", "dest"]
    X = one_hot(frame.drop(columns=["late", "dep_delay", "tailnum"]), categories)
    left_out = "left out: dep_delay, which nearly decides the outcome, and tailnum, of 4,000 levels"
    return Problem(X, frame["late"].to_numpy(np.int64), 1.0, f"real data, raw units, one-hot categories; {left_out}")


def census(share=1.0):
    """Census income (KDD): above 50,000 dollars; numbers and one-hot categories, raw units."""
    frame = real_frame("census_income_kdd.parquet", share)
    predictors = frame.drop(columns=["gt50k", "set", "instance_weight"])
    X = one_hot(predictors, [name for name in predictors if name not in CENSUS_NUMBERS])
    note = "real data, raw units, one-hot categories, a missing cell is a level of its own; no survey weights"
    return Problem(X, frame["gt50k"].to_numpy(np.int64), 1.0, note)


def small(share=1.0):
    """Breast cancer, 569 x 30, standardised."""
    X, y = load_breast_cancer(return_X_y=True)
    return Problem((X - X.mean(axis=0)) / X.std(axis=0), y, 1.0, "breast cancer, standardised")


def small_raw(share=1.0):
    """Breast cancer, 569 x 30, in raw units."""
    X, y = load_breast_cancer(return_X_y=True)
    return Problem(X, y, 1.0, "breast cancer, raw units")


PROBLEMS = {
    "tall": tall,
    "tall-raw": tall_raw,
    "tall-f32": tall_f32,
    "mid": mid,
    "square": square,
    "square-C100": square_loose,
    "flights": flights,
    "census": census,
    "small": small,
    "small-raw": small_raw,
} | sparse_problems.PROBLEMS


def simulated(rows, columns, seed, *, raw=False, positives=0.5, dtype=np.float64):
    """Return a problem of correlated normal columns whose outcomes follow a logistic model with scores of sd 2.

    Raw columns have scales of 10^-1.5 to 10^1.5, log-uniformly, and means of up to 3 standard deviations; the others
    are standardised.
    """
    random = np.random.default_rng(seed)
    X = autoregressive(random, rows, columns, dtype)
    scores = X @ random.normal(size=columns).astype(dtype)
    scores = 2.0 * (scores - scores.mean()) / scores.std(dtype=np.float64)
    intercept = brentq(lambda b: expit(scores + b).mean() - positives, -20.0, 20.0)
    y = (random.random(rows) < expit(scores + intercept)).astype(np.int64)
    if raw:
        X += random.uniform(-3.0, 3.0, columns)
        X *= 10.0 ** random.uniform(-1.5, 1.5, columns)
        note = f"columns correlated {CORRELATION}, scales 10^-1.5 to 10^1.5, shifted means"
    else:
        X -= X.mean(axis=0, dtype=np.float64)
        X /= X.std(axis=0, dtype=np.float64)
        note = f"columns correlated {CORRELATION}, standardised"
    return Problem(X, y, 1.0, note)


def autoregressive(random, rows, columns, dtype):
    """Return columns of variance 1, each correlated with the one before."""
    X = np.empty((rows, columns), dtype)
    fresh = np.sqrt(1.0 - CORRELATION**2)
    for start in range(0, rows, BLOCK_ROWS):
        block = random.standard_normal((min(BLOCK_ROWS, rows - start), columns), dtype=dtype)
        block[:, 1:] *= fresh
        X[start : start + len(block)] = lfilter([1.0], [1.0, -CORRELATION], block, axis=1)
    return X


def one_hot(frame, categories):
    """Return the frame's numbers and one column a level of its categories; a missing cell is a level."""
    levels = frame[categories].astype("string").fillna("missing")
    numbers = frame.drop(columns=categories).to_numpy(np.float64)
    return np.ascontiguousarray(np.hstack([numbers, pd.get_dummies(levels, dtype=np.float64).to_numpy()]))
