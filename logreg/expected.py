"""Sums over rows around coefficients that are not known for certain: averages over a normal distribution of them.

With coefficients of mean W and covariance V the score of a row has the mean ``z_i`` and the variance ``x_i'V x_i``: its
residual and its curvature are averaged over that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from logreg.loss import Terms, terms
from logreg.products import Block, add_full, is_sparse, pieces, product
from logreg.sums import Array, Sums

NODES = np.array([-(3.0**0.5), 0.0, 3.0**0.5])  # of a normal score, by Gauss and Hermite,
SHARES = np.array([1.0, 4.0, 1.0]) / 6.0  # and their weights
MIDDLE = 1
SHARE_OF_A_ROW = 0.2  # of what a memory knows in its direction: the most that one row may change of it


class Normal(NamedTuple):
    """A distribution of coefficients: mean of shape (d + 1, 1), covariance of shape (d + 1, d + 1)."""

    mean: Array
    covariance: Array


def expected_sums(block: Block, around: Normal) -> Sums:
    """Return the sums over a block at the mean, gradient and curvature as expected around there."""
    total = Sums.zeros(len(around.mean) - 1, 1, "full")
    for piece in pieces(block, len(around.mean), "full"):
        X = piece.values()
        weight = np.ones(len(piece.y)) if piece.weight is None else piece.weight
        add_terms(X, weight, expected_terms(piece, X, around), total)
    return total


def carried_sums(
    block: Block, before: Normal, after: Normal, times: Array, inverse: Array, claimed: Array
) -> tuple[Sums, Sums]:
    """Return the expected sums before and after over other rows, of which a block is a sample.

    A row stands for ``t = times[y_i]`` rows of its outcome, or fewer where that would be much of all that is known in
    its direction, and where the block claims e > 1 times what is known there: it is no sample, then. That is
    ``t / (e**2 + t D_i x_i'V x_i / SHARE_OF_A_ROW)`` with ``e = x_i'C x_i / x_i'V x_i``, for V the ``inverse`` H^-1 of
    the known curvature and C = ``claimed``, H^-1 times the block's curvature for as many rows times H^-1.
    """
    d = len(before.mean) - 1
    totals = Sums.zeros(d, 1, "full"), Sums.zeros(d, 1, "full")
    for piece in pieces(block, d + 1, "full"):
        X = piece.values()
        found = [expected_terms(piece, X, around) for around in (before, after)]
        known = variances(X, inverse)
        leverage = np.maximum(found[0].curvature, found[1].curvature) * known
        excess = np.maximum(1.0, variances(X, claimed) / np.where(known > 0.0, known, 1.0))
        like_it = times[piece.y]
        stands_for = like_it / (excess**2 + like_it / SHARE_OF_A_ROW * leverage)
        weight = stands_for if piece.weight is None else stands_for * piece.weight
        for each, total in zip(found, totals, strict=True):
            add_terms(X, weight, each, total)
    return totals


def expected_terms(piece: Block, X: Any, around: Normal) -> Terms:
    """Return the loss at the mean, and residual and curvature as expected, of rows whose numbers are X, each (n,)."""
    scores = product(X, around.mean[:-1]) + around.mean[-1]
    if piece.offset is not None:
        scores += piece.offset[:, None]
    nodes = scores + np.sqrt(variances(X, around.covariance))[:, None] * NODES
    loss, residual, curvature = terms(nodes, piece.y)
    return Terms(loss[:, MIDDLE], residual @ SHARES, curvature @ SHARES)


def add_terms(X: Any, weight: Array, found: Terms, total: Sums) -> None:
    """Add the terms of rows, so much weight each, to the sums over others."""
    assert total.curvature is not None
    residual = weight * found.residual
    total.weight[:] += weight.sum()
    total.loss[:] += weight @ found.loss
    total.gradient[:-1, 0] += X.T @ residual
    total.gradient[-1] += residual.sum()
    add_full(X, (weight * found.curvature)[:, None], total.curvature)


def variances(X: Any, V: Array) -> Array:
    """Return ``(x_i, 1)' V (x_i, 1)`` of all rows, shape (n,)."""
    half = X @ V[:-1, :-1]
    of_columns = np.asarray(X.multiply(half).sum(axis=1)).ravel() if is_sparse(X) else np.einsum("ij,ij->i", half, X)
    found: Array = np.maximum(of_columns + 2.0 * (X @ V[:-1, -1]) + V[-1, -1], 0.0)
    return found
