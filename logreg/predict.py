"""Predictions: the scores of all rows and what follows from them, in blocks of rows that fit in cache."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from logreg.loss import Array
from logreg.products import is_sparse
from logreg.sigmoid import log_sigmoid, logistic_kernel
from logreg.threads import n_threads

BLOCK_ROWS = 32_768  # their scores and a few more columns of that length fit the second-level cache
THREADS_FROM = 1_000_000  # numbers in X; fewer are read before threads have started

Formula = Callable[[Array, Array], None]  # (scores of a block of rows, where their results go)


def predict_rows(X: Any, w: Array, offset: Array | None, n_jobs: int | None, formula: Formula, out: Array) -> bool:
    """Write a function of the scores ``x_i . w + b + offset_i`` into ``out``, and return whether all are finite.

    Parameters
    ----------
    X : ndarray or CSR/CSC matrix of shape (n, d)
        float32 or float64. It is read once; rows of CSR are copied a block at a time, nothing else is.
    w : ndarray of shape (d + 1,)
        The intercept comes last.
    offset : ndarray of shape (n,) or None
    n_jobs : int or None
        Threads for large X, as in :func:`logreg.threads.n_threads`. They do not change a digit.
    formula : callable
        :func:`linear`, :func:`probabilities` or :func:`log_probabilities`.
    out : ndarray of shape (n,) or (n, 2)
    """
    n = len(out)
    size = X.nnz if is_sparse(X) else X.size
    threads = n_threads(n_jobs) if size >= THREADS_FROM else 1
    is_csc = is_sparse(X) and X.format == "csc"  # cutting rows out of it costs more than their scores
    rows = n if is_csc else min(BLOCK_ROWS, -(-n // threads))

    @np.errstate(all="ignore")
    def fill_block(start: int) -> bool:
        block = slice(start, start + rows)
        scores = scores_of(X if rows >= n else X[block], w)
        if offset is not None:
            scores += offset[block]
        formula(scores, out[block])
        return bool(np.isfinite(scores).all())

    starts = range(0, n, rows)
    if threads == 1:
        return all(map(fill_block, starts))
    with ThreadPoolExecutor(threads, thread_name_prefix="logreg") as pool:
        return all(pool.map(fill_block, starts))


def scores_of(X: Any, w: Array) -> Array:
    """Return the scores ``x_i . w + b`` of some rows, shape (n,), in float64.

    einsum reads a float32 X without a copy, and starts no threads: BLAS would start its own inside ours. A row of a
    row-major X has the same score, to the last digit, whatever rows stand around it.
    """
    scores: Array = X @ w[:-1] if is_sparse(X) else np.einsum("ij,j->i", X, w[:-1])
    scores += w[-1]
    return scores


def linear(scores: Array, out: Array) -> None:
    """Write the scores themselves, shape (n,)."""
    out[:] = scores


def probabilities(scores: Array, out: Array) -> None:
    """Write the probabilities of both classes, shape (n, 2): sigmoid(-z) and sigmoid(z)."""
    column = np.empty_like(scores)
    logistic_kernel(scores, column)
    out[:, 1] = column
    logistic_kernel(-scores, column)
    out[:, 0] = column


def log_probabilities(scores: Array, out: Array) -> None:
    """Write the logarithms of both probabilities, shape (n, 2)."""
    out[:, 0] = log_sigmoid(-scores)
    out[:, 1] = log_sigmoid(scores)
