"""Fits of the same rows under many ridges, in the same passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from logreg.nearby import Ends, fit_together, models_at_once
from logreg.objective import Objective
from logreg.penalty import Ridge
from logreg.plan import WIDEST_MATRIX, null_coefficients
from logreg.rows import SelectableRows
from logreg.scale import Scale
from logreg.setup import Setup
from logreg.stop import Limits
from logreg.sums import Array


@dataclass(frozen=True)
class Ridges:
    """What fits under C ridges found.

    Attributes
    ----------
    ends : Ends
        Coefficients, in the units of the rows, and how each fit went.
    deviance_ratio : ndarray of shape (C,)
        1 - deviance / deviance of the intercept alone.
    df : ndarray of shape (C,)
        Effective degrees of freedom of the columns: the trace of ``H (H + penalty)^-1``.
    """

    ends: Ends
    deviance_ratio: Array
    df: Array


def fit_ridges(setup: Setup, strengths: Array, limits: Limits, seed: int) -> Ridges:
    """Fit all rows under ridges of some strengths, as many at once as fit into memory."""
    size, rows, parts = models_at_once(setup.rows.n_columns), setup.rows, []
    for start in range(0, len(strengths), size):
        ridge = setup.ridge(strengths[start : start + size])
        parts.append(fit_together(rows, ridge, limits, intercept=setup.intercept, seed=seed))
    ends = parts[0].join(parts[1:])
    ends.coefficients[:-1][setup.left_out] = 0.0
    null = rows.sums(null_coefficients(rows, 1, setup.intercept)).loss
    ratio = 1.0 - rows.sums(ends.coefficients).loss / null
    return Ridges(ends, ratio, effective_df(rows, ends.coefficients, setup.ridge(strengths), setup.intercept))


def effective_df(rows: SelectableRows, W: Array, ridge: Ridge, intercept: bool) -> Array:
    """Return the effective degrees of freedom at the optima W (d + 1, C); NaN for data too wide for a matrix."""
    found = np.full(W.shape[1], np.nan)
    if rows.n_columns >= WIDEST_MATRIX:
        return found
    scale = Scale.from_sums(rows.sums(W, "diagonal"), ridge.strength, intercept)
    penalty = Objective(scale, ridge).penalty_curvature
    for k, pull in enumerate(penalty):
        H = rows.curvature(W[:, [k]], scale)[0].astype(np.float64)
        H = np.tril(H) + np.tril(H, -1).T
        free = scale.unit > 0
        H, pull = H[np.ix_(free, free)], pull[free]
        shrunk = np.linalg.lstsq(H + np.diag(pull), H, rcond=None)[0]
        found[k] = np.trace(shrunk) - intercept
    return found
