"""What a Newton step of a fit without a penalty proves about separation."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from logreg.inference.determined import counted_rows, determined, determined_by, sums_of_counted
from logreg.inference.margins import FALLS, GROWS, SignedRows, signed_scores
from logreg.inference.optimum import Optimum, margins_of
from logreg.penalty import Ridge
from logreg.plan import descend
from logreg.rows import PartedRows, SelectableRows
from logreg.sigmoid import sigmoid
from logreg.stop import Limits
from logreg.sums import Array

SURE = 0.5  # share of a row's residual that a Newton step may take; below 1 there is a finite optimum
MOST_PASSES = 25  # of Newton's method, which takes a dozen to an optimum or to tell that there is none


class Step(NamedTuple):
    """A Newton step of shape (d + 1,), and its length in standard errors."""

    step: Array
    length: float


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
    found = newton_step(Optimum(rows, W, Ridge(np.zeros(1)), intercept=intercept))
    return np.flatnonzero(counted if found is None else counted & ~Sure(W, found.step).of(rows))


def n_suspicious(optimum: Optimum) -> int:
    """Return how many rows may be separated, judged likewise, wherever the rows are.

    A row has a share of the curvature H, so that a step of length ``sqrt(m' H m)`` changes its margin by no more than
    that over ``sqrt(s p (1 - p))``. For rows of margins up to a limit that settles it, and mostly there are no others.
    """
    found = newton_step(optimum)
    if found is None:
        return optimum.rows.n_counted
    with np.errstate(divide="ignore"):
        limit = 2.0 * np.log(SURE * optimum.rows.smallest_weight**0.5 / np.float64(found.length))
    if not optimum.margins(limit).n_beyond:
        return 0
    return optimum.rows.n_counted - optimum.rows.total(Sure(optimum.W, found.step).n_rows)


def newton_step(optimum: Optimum) -> Step | None:
    """Return the Newton step of the loss, or None if rounding has taken rank from the curvature."""
    rows, left_out = optimum.rows, np.append(optimum.left_out, False)
    scale, H = optimum.curvature
    T, values, vectors = determined_by(scale, np.where(left_out | left_out[:, None], 0.0, H), None)
    if len(values) + left_out.sum() < rows.n_columns + optimum.intercept:
        # Columns may repeat others; or the curvature of the rows that tell them apart is rounding.
        at_zero = determined(rows.total(sums_of_counted), optimum.intercept, None)
        if len(values) < len(at_zero.values):
            return None
    root = T @ (vectors / np.sqrt(values * float(rows.total_weight)))
    steps = -(root.T @ optimum.gradient)[:, 0]
    return Step(root @ steps, float(np.linalg.norm(steps)))


class Sure(NamedTuple):
    """The rows that count and that nothing separates, judged by a Newton step from coefficients W."""

    W: Array
    step: Array

    def of(self, rows: SelectableRows) -> np.ndarray:
        """Return a mask of the rows of whose residuals the step takes a small share; two passes."""
        share = sigmoid(margins_of(rows, self.W)) * signed_scores(rows, self.step[:, None])[:, 0]
        sure: np.ndarray = counted_rows(rows) & (share < SURE)
        return sure

    def once(self, rows: SelectableRows) -> SelectableRows:
        """Return the rows with a weight of 1 for them and of 0 for the others."""
        return rows.with_outcomes(rows.y, self.of(rows).astype(np.float64))

    def n_rows(self, rows: SelectableRows) -> int:
        """Return how many they are."""
        return int(np.count_nonzero(self.of(rows)))

    def n_unproven(self, rows: SelectableRows, W: Array) -> int:
        """Return how many of them a direction moves, and how many of the others it does not move forwards."""
        sure, margins = self.of(rows), signed_scores(rows, W)[:, 0]
        proven = np.where(sure, np.abs(margins) <= FALLS, margins > GROWS)
        return int(np.count_nonzero(counted_rows(rows) & ~proven))


def recession_of_newton(signed: SignedRows, intercept: bool) -> tuple[Array, Array] | None:
    """Return what :func:`greatest_recession` does, without programs; None without a proof.

    Coefficients with all rows on their right side are such a direction, and none is needed if no row is suspicious.
    If some are, the part of the Newton step that moves no other row has to move all of these to their right sides; and
    the other rows, by themselves, must not be suspicious.
    """
    rows = signed.rows.changed(counted_once)
    start, free = np.zeros((rows.n_columns + 1, 1)), Ridge(np.zeros(1))
    W = descend(rows, free, start, "newton", Limits(max_iter=MOST_PASSES), intercept, 0).coefficients
    B = signed.scale.coordinates(W)
    if not len(signed.look(B, GROWS * max(1.0, np.abs(B).max())).falls.margins):
        return B[:, 0], B
    found = newton_step(Optimum(rows, W, free, intercept=intercept))
    if found is None:
        return None
    sure = Sure(W, found.step)
    n_sure = rows.total(sure.n_rows)
    if n_sure == rows.n_counted:
        return np.zeros(len(B)), B[:, :0]
    if n_sure == 0:
        return None
    others = rows.changed(sure.once)
    if n_suspicious(Optimum(others, W, free, intercept=intercept)):
        return None
    B = signed.scale.coordinates(without_effect(others, found.step, intercept)[:, None])
    n_unproven = rows.total(partial(sure.n_unproven, W=signed.scale.coefficients(B)))
    return None if n_unproven else (B[:, 0], B)


def counted_once(rows: SelectableRows) -> SelectableRows:
    """Return the rows with a weight of 1 for all that count."""
    return rows.with_outcomes(rows.y, counted_rows(rows).astype(np.float64))


def without_effect(rows: SelectableRows | PartedRows, w: Array, intercept: bool) -> Array:
    """Return the part of coefficients w that rows do not determine, shape (d + 1,)."""
    T, _, vectors = determined(rows.total(sums_of_counted), intercept, None)
    unit = np.diagonal(T)
    B = np.divide(w, unit, out=np.zeros_like(w), where=unit > 0)
    B[-1] = (w[-1] - T[-1, :-1] @ B[:-1]) * intercept
    B -= vectors @ (vectors.T @ B)
    part: Array = T @ B
    return part
