"""What a Newton step of a fit without a penalty proves about separation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from logreg.inference.determined import counted_rows, determined, plain, sums_at_zero
from logreg.inference.recession import FALLS, GROWS, SignedRows, linear_scores
from logreg.penalty import Ridge
from logreg.plan import descend
from logreg.rows import SelectableRows
from logreg.sigmoid import sigmoid
from logreg.stop import Limits
from logreg.sums import Array

SURE = 0.5  # share of a row's residual that a Newton step may take; below 1 there is a finite optimum
MOST_PASSES = 25  # of Newton's method, which takes a dozen to an optimum or to tell that there is none


class Step(NamedTuple):
    """A Newton step of shape (d + 1,), and the share that it takes of the residual of each row, shape (n,)."""

    step: Array
    share: Array


def suspicious(rows: SelectableRows, W: Array, *, intercept: bool) -> np.ndarray:
    """Return the rows that may be separated, judged at coefficients W of shape (d + 1, 1); none proves that none is.

    There is a finite optimum if and only if positive numbers l_i have ``sum_i l_i s_i x_i = 0``, where s_i = 1 for
    y_i = 1 and else -1 (Stiemke's lemma). At the optimum the residuals ``|y_i - p_i|`` are such numbers. Elsewhere a
    Newton step, along which the margins change by m_i, makes them so:

        l_i = |y_i - p_i| (1 - p(y_i) m_i),     p(y_i) = 1 - |y_i - p_i|

    which are all positive if no ``p(y_i) m_i`` reaches 1. Separated rows, whose residuals fall exponentially, have 1.

    Notes
    -----
    Two passes over the rows, one of them at ``n d**2`` flops; two such where the curvature is singular.
    """
    counted = counted_rows(rows)
    found = newton_step(rows, W, intercept)
    return np.flatnonzero(counted if found is None else counted & ~(found.share < SURE))


def newton_step(rows: SelectableRows, W: Array, intercept: bool) -> Step | None:
    """Return the Newton step at W, or None if rounding has taken rank from the curvature."""
    sums = rows.sums(W, "full")
    T, values, vectors = determined(sums, intercept, None)
    if len(values) < rows.n_columns + intercept:
        # Columns may repeat others; or the curvature of the rows that tell them apart is rounding.
        at_zero = determined(sums_at_zero(plain(rows), counted_rows(rows), "full"), intercept, None)
        if len(values) < len(at_zero.values):
            return None
    root = T @ (vectors / np.sqrt(values))
    step = -root @ (root.T @ sums.gradient) / sums.weight[0]
    sign = np.where(rows.y == 1, 1.0, -1.0)
    scores = linear_scores(rows, W) + (0.0 if rows.offset is None else rows.offset)
    return Step(step[:, 0], sigmoid(sign * scores) * sign * linear_scores(rows, step))


def recession_of_newton(signed: SignedRows, counted: np.ndarray, intercept: bool) -> tuple[Array, np.ndarray] | None:
    """Return a direction that separates all rows that any does, and a mask of the others; None without a proof.

    Coefficients with all rows on their right side are such a direction, and none is needed if no row is suspicious.
    If some are, the part of the Newton step that moves no other row has to move all of these to their right sides; and
    the other rows, by themselves, must not be suspicious.
    """
    rows = signed.rows.with_outcomes(signed.rows.y, counted.astype(np.float64))
    start, free = np.zeros((rows.n_columns + 1, 1)), Ridge(np.zeros(1))
    W = descend(rows, free, start, "newton", Limits(max_iter=MOST_PASSES), intercept, 0).coefficients
    B = signed.scale.coordinates(W)[:, 0]
    if (signed.margins(B)[counted] > GROWS * max(1.0, np.abs(B).max())).all():
        return B, np.zeros_like(counted)
    found = newton_step(rows, W, intercept)
    if found is None:
        return None
    left = counted & (found.share < SURE)
    if np.array_equal(left, counted):
        return np.zeros_like(B), left
    if not left.any():
        return None
    others = rows.with_outcomes(rows.y, left.astype(np.float64))
    if suspicious(others, W, intercept=intercept).size:
        return None
    B = signed.scale.coordinates(without_effect(others, found.step, left, intercept)[:, None])[:, 0]
    margins = signed.margins(B)
    proven = (margins[counted & ~left] > GROWS).all() and (np.abs(margins[left]) <= FALLS).all()
    return (B, left) if proven else None


def without_effect(rows: SelectableRows, w: Array, left: np.ndarray, intercept: bool) -> Array:
    """Return the part of coefficients w that the rows left do not determine, shape (d + 1,)."""
    T, _, vectors = determined(sums_at_zero(rows, left, "full"), intercept, None)
    unit = np.diagonal(T)
    B = np.divide(w, unit, out=np.zeros_like(w), where=unit > 0)
    B[-1] = (w[-1] - T[-1, :-1] @ B[:-1]) * intercept
    B -= vectors @ (vectors.T @ B)
    part: Array = T @ B
    return part
