"""Columns that repeat others: without a penalty the data leave their coefficients open."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from logreg.scale import Scale
from logreg.sums import Array, Sums

SAME = 1e-10  # variance of a standardised column, left by the columns before it, that is rounding


class Redundancy(NamedTuple):
    """Coefficients of minimum norm, and a mask of the columns that constants and earlier columns make up."""

    coefficients: Array
    columns: np.ndarray


def minimum_norm(moments: Sums, W: Array, intercept: bool) -> Redundancy:
    """Return, of all coefficients with the scores of W, those of minimum norm in standardised units.

    Parameters
    ----------
    moments : Sums
        With the full curvature at W = 0, where p (1 - p) is the same in every row.
    W : ndarray of shape (d + 1, K)

    Notes
    -----
    One eigendecomposition of the (d, d) correlations.
    """
    scale = Scale.from_sums(moments, np.zeros(1), intercept)
    assert moments.curvature is not None
    correlation = scale.curvature(moments.curvature[0] / moments.weight[0])[:-1, :-1]
    values, vectors = np.linalg.eigh(correlation)
    null = vectors[:, values <= 10 * len(values) * np.finfo(float).eps * values[-1]]
    B = scale.coordinates(W)
    B[:-1] -= null @ (null.T @ B[:-1])
    return Redundancy(scale.coefficients(B), repeats(correlation))


def repeats(correlation: Array) -> np.ndarray:
    """Return a mask of the columns that are constant or a combination of columns to their left."""
    d = len(correlation)
    factor = np.zeros((d, d))
    rank = 0
    redundant = np.zeros(d, dtype=bool)
    for j in range(d):
        left = correlation[j, j] - factor[j, :rank] @ factor[j, :rank]
        if left <= SAME:
            redundant[j] = True
            continue
        below = correlation[j + 1 :, j] - factor[j + 1 :, :rank] @ factor[j, :rank]
        factor[j, rank] = np.sqrt(left)
        factor[j + 1 :, rank] = below / np.sqrt(left)
        rank += 1
    return redundant
