"""The problems of paths: data, how many penalties, and how far down they go."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import problems
import sparse_problems
from problem import real

DENSE, SPARSE = 0.01, 0.03  # smallest penalty over the largest


class PathProblem(NamedTuple):
    """X of shape (n, d), outcomes 0 and 1, the number of penalties, the last over the first, what the table says.

    Penalties are evenly spread in logarithms, from the one that zeroes the model.
    """

    X: Any
    y: np.ndarray
    n_penalties: int
    ratio: float
    note: str


def dense(share=1.0):
    """400 x 20,000: more correlated columns than rows."""
    problem = problems.simulated(int(400 * share), 20_000, seed=9)
    return PathProblem(problem.X, problem.y, 50, DENSE, problem.note)


def speech(share=1.0):
    """Parkinson's disease from recordings of speech, 252 x 750."""
    return standardised("pd_speech.csv.gz", "PD", share, "real data: Parkinson's disease in recordings of speech")


def golub(share=1.0):
    """Leukemia of two kinds from gene expression, 38 x 3,051."""
    return standardised("golub.csv.gz", "AML", share, "real data: two kinds of leukemia by gene expression")


def text(share=1.0):
    """20,000 x 40,000, 75 different words in a row."""
    problem = sparse_problems.simulated_text(int(20_000 * share), 40_000, 75, seed=6)
    return PathProblem(problem.X, problem.y, 30, SPARSE, problem.note)


def spam(share=1.0):
    """SpamAssassin: which messages are spam."""
    problem = sparse_problems.spam(share)
    return PathProblem(problem.X, problem.y, 50, DENSE, problem.note)


def adult(share=1.0):
    """UCI adult: who earns more than 50,000 dollars, one-hot."""
    frame = pd.read_csv(real("adult.csv.gz")).iloc[:: round(1 / share)]
    outcome = frame.pop("gt50k").to_numpy(np.int64)
    categories = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    X = scaled(problems.one_hot(frame, categories), frame.shape[1] - len(categories))
    return PathProblem(X, outcome, 50, DENSE, "real data: standardised numbers, one-hot categories")


def tall(share=1.0):
    """200,000 x 200: correlated columns."""
    problem = problems.simulated(int(200_000 * share), 200, seed=10)
    return PathProblem(problem.X, problem.y, 50, DENSE, problem.note)


def census(share=1.0):
    """Census income (KDD) with category columns, its numbers standardised."""
    problem = sparse_problems.census_codes(share)
    numbers = problem.X[sparse_problems.CENSUS_NUMBERS]
    X = problem.X.assign(**(numbers - numbers.mean()) / numbers.std())
    return PathProblem(
        X, problem.y, 50, DENSE, "real data: standardised numbers, categories; a missing cell is a level"
    )


def standardised(name, outcome, share, note):
    """Return a table of numbers with every column standardised."""
    frame = pd.read_csv(real(name)).iloc[:: round(1 / share)]
    y = frame.pop(outcome).to_numpy(np.int64)
    X = frame.to_numpy(np.float64)
    return PathProblem(scaled(X, X.shape[1]), y, 50, DENSE, f"{note}, standardised")


def scaled(X, n_columns):
    """Return X with its first columns standardised."""
    numbers = X[:, :n_columns]
    spread = numbers.std(axis=0)
    return np.hstack([(numbers - numbers.mean(axis=0)) / np.where(spread > 0, spread, 1.0), X[:, n_columns:]])


PATHS = {
    "dense": dense,
    "speech": speech,
    "golub": golub,
    "text": text,
    "spam": spam,
    "adult": adult,
    "tall": tall,
    "census": census,
}
