"""Predictions: the scores of all rows and what follows from them, without memory beyond the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from logreg.columns import Columns
from logreg.loss import Array
from logreg.products import is_sparse
from logreg.sigmoid import log_sigmoid

BLOCK_ROWS = 8_192  # a column of that length is small enough for malloc to reuse, which larger ones are not at first

Formula = Callable[[Array, Array], None]  # (scores of a block of rows, where their results go)


def predict_rows(X: Any, w: Array, offset: Array | None, formula: Formula, out: Array) -> bool:
    """Write a function of the scores ``x_i . w + b + offset_i`` into ``out``, and return whether all are finite.

    Parameters
    ----------
    X : ndarray, CSR/CSC matrix or Columns of shape (n, d)
        It is read once.
    w : ndarray of shape (d + 1,)
        The intercept comes last.
    offset : ndarray of shape (n,) or None
    formula : callable
        :func:`linear`, :func:`probabilities` or :func:`log_probabilities`.
    out : ndarray of shape (n,) or (n, 2), in C-order
    """
    n = len(out)
    scores = out.reshape(-1)[-n:]  # at the end of the result, of which the blocks below fill the front first
    with np.errstate(all="ignore"):
        write_products(X, w[:-1], scores)
        for start in range(0, n, BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            some = scores[block] + w[-1]
            if offset is not None:
                some += offset[block]
            if not np.isfinite(some).all():
                return False
            formula(some, out[block])
    return True


def write_products(X: Any, w: Array, out: Array) -> None:
    """Write the products ``x_i . w`` of all rows, shape (n,), without a float64 copy of X."""
    if is_sparse(X) or isinstance(X, Columns):
        whole = is_sparse(X) and X.format == "csc"  # rows of which cost more to cut out than their scores
        rows = len(out) if whole else BLOCK_ROWS
        for start in range(0, len(out), rows):
            out[start : start + rows] = (X if rows >= len(out) else X[start : start + rows]) @ w
    elif X.dtype == w.dtype:
        np.matmul(X, w, out=out)
    else:
        np.einsum("ij,j->i", X, w, out=out)


def linear(scores: Array, out: Array) -> None:
    """Write the scores themselves, shape (n,)."""
    out[:] = scores


def probabilities(scores: Array, out: Array) -> None:
    """Write the probabilities of both classes, shape (n, 2): sigmoid(-z) and sigmoid(z).

    They are ``exp(min(-z, 0))`` and ``exp(min(z, 0))`` over the sum of the two, of which one is 1: nothing overflows or
    cancels, and both keep their relative precision.
    """
    negative, positive = np.exp(np.minimum(-scores, 0.0)), np.exp(np.minimum(scores, 0.0))
    total = negative + positive
    np.divide(negative, total, out=out[:, 0])
    np.divide(positive, total, out=out[:, 1])


def log_probabilities(scores: Array, out: Array) -> None:
    """Write the logarithms of both probabilities, shape (n, 2)."""
    out[:, 0] = log_sigmoid(-scores)
    out[:, 1] = log_sigmoid(scores)
