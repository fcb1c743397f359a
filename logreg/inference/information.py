"""What is kept of a fit for inference without its rows: the curvature at the optimum, and the likelihoods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from logreg.factor import Factor
from logreg.inference.optimum import Optimum
from logreg.inference.separation import Separation, limits_of
from logreg.loss import Array
from logreg.objective import Objective
from logreg.plan import WIDEST_MATRIX, square_flops
from logreg.rank import Redundancy
from logreg.rows import PartedRows, Rows, SelectableRows
from logreg.scale import CONSTANT, Scale
from logreg.setup import Setup
from logreg.solve import Solution

AFFORDABLE = 4e9  # flops of the curvature, 2 n d**2, up to which "auto" keeps it
SAME = 1e-9  # share of a column in a combination, in units of curvature, that is rounding
NULL_STEPS = 50  # Newton's, for an intercept beside an offset


@dataclass(frozen=True)
class Information:
    """The curvature and the likelihoods of a fit; some d x d numbers, no rows.

    Attributes
    ----------
    estimates : ndarray of shape (d + 1,)
        In the user's units, the intercept last; NaN for aliased columns, whose share the columns before them have.
    root : ndarray of shape (d + 1, r)
        ``root @ root.T`` is the inverse of the curvature of the loss and the ridge, summed over the weights as given.
        Rows of aliased columns and of those left out are NaN.
    aliases : dict of int to ndarray of shape (d + 1,)
        For each aliased column the combination of others that it equals.
    n_rows : int
        Rows of positive weight.
    total_weight : float
        The sum of the weights as given.
    log_likelihood, null_log_likelihood : float
        Of the model, and of the intercept and the offset alone.
    discrimination : float
        Mean probability of the rows of outcome 1, less that of the others (Tjur, 2009).
    penalty : {"none", "ridge", "firth"}
    errors_at_limit : ndarray of shape (d + 1,) or None
        Standard errors where columns separate the outcomes: infinite of coefficients that are. There is no root then.
    ends : ndarray of shape (d + 1, 2) or None
        Ends of 95 % profile-likelihood intervals, of infinite coefficients or under Firth's penalty; NaN of others.
    likelihood_ratios : ndarray of shape (d + 1,) or None
        Under Firth's penalty twice the fall of the penalised log-likelihood without each coefficient.
    """

    estimates: Array
    root: Array
    aliases: dict[int, Array]
    n_rows: int
    total_weight: float
    log_likelihood: float
    null_log_likelihood: float
    discrimination: float
    penalty: str
    errors_at_limit: Array | None = None
    ends: Array | None = None
    likelihood_ratios: Array | None = None

    @property
    def covariance(self) -> Array:
        """The inverse curvature, shape (d + 1, d + 1)."""
        found: Array = self.root @ self.root.T
        return found

    @property
    def rank(self) -> int:
        """Coefficients that the data determine, the intercept among them."""
        if self.errors_at_limit is not None:
            return int((~np.isnan(self.errors_at_limit[:-1])).sum()) + bool(self.errors_at_limit[-1])
        return int(np.isfinite(self.root[:, 0]).sum() - (~self.root[-1].any())) if self.root.size else 0


def kept_information(
    setup: Setup,
    wanted: bool | str,
    optimum: Optimum,
    l1_ratio: float,
    solution: Solution,
    redundancy: Redundancy | None,
    separation: Separation | None,
) -> Information | None:
    """Return the information of one model where it is wanted, and there is one: not with an L1 part or bounds."""
    keep = wanted is True or (wanted == "auto" and is_affordable(setup.source))
    if not (keep and setup.is_ridge(l1_ratio) and is_possible(setup.source)):
        return None
    if separation is not None:
        return information_at_limit(setup, separation)
    return information_of(setup, optimum, solution, redundancy)


def is_affordable(rows: Rows) -> bool:
    """Tell whether the curvature of all rows costs little enough to be kept unasked."""
    return rows.n_rows * square_flops(rows) <= AFFORDABLE and is_possible(rows)


def is_possible(rows: Rows) -> bool:
    """Tell whether the curvature is a matrix that can be held."""
    return rows.n_columns < WIDEST_MATRIX


def information_of(setup: Setup, optimum: Optimum, solution: Solution, redundancy: Redundancy | None) -> Information:
    """Return the information at the optimum that a solution has found, after a last Newton step.

    Its curvature is there already, and of what is left of the distance to the optimum it leaves about the square.
    Errors and probabilities are of before that step.
    """
    rows, W, ridge = optimum.rows, optimum.W, optimum.ridge
    objective = float(solution.history[-1].objective[0])
    scale, H = optimum.curvature
    pull = Objective(scale, ridge).penalty_curvature[0]
    aliased = np.zeros(len(H), dtype=bool)
    if redundancy is not None:
        aliased[:-1] = redundancy.columns
    left_out = np.append(setup.left_out, not setup.intercept)
    kept = np.flatnonzero(~aliased & ~left_out & (own_curvature(H, setup.intercept) + pull > 0))
    inside = np.ix_(kept, kept)
    inverse_root = Factor(H[inside] + np.diag(pull[kept])).inverse_root() if kept.size else np.zeros((0, 1))
    of_kept = np.zeros((len(H), inverse_root.shape[1]))
    of_kept[kept] = inverse_root
    total = setup.total_weight
    root = rows.in_user_units(scale.coefficients(of_kept)) / total**0.5
    if redundancy is None and solution.status[0].is_optimum:
        gradient = optimum.gradient / float(rows.total_weight)
        slopes = of_kept.T @ (scale.gradient(gradient) + pull[:, None] * scale.coordinates(W))
        W = W - scale.coefficients(of_kept @ slopes)
        objective -= 0.5 * float(np.square(slopes).sum())
    estimates = rows.in_user_units(W)[:, 0]
    aliases: dict[int, Array] = {}
    if aliased.any():
        estimates, aliases = _without_aliases(setup, scale, H, W, kept, np.flatnonzero(aliased))
    unknown = np.ones(len(H), dtype=bool)
    unknown[kept] = False
    unknown[-1] = False
    root[unknown] = np.nan
    as_given = total / rows.total_weight
    w = W[:-1, 0]
    loss = (objective - 0.5 * float(np.sum(ridge.strength.T * w**2))) * float(rows.total_weight)
    return Information(
        estimates=estimates,
        root=root,
        aliases=aliases,
        n_rows=rows.n_counted,
        total_weight=total,
        log_likelihood=-loss * as_given,
        null_log_likelihood=-null_loss(rows, setup.intercept) * as_given,
        discrimination=optimum.discrimination,
        penalty="ridge" if np.any(pull[kept] > 0.0) else "none",
    )


def own_curvature(H: Array, intercept: bool) -> Array:
    """Return the curvature of each coefficient that the intercept does not share, shape (d + 1,), last its own.

    It is 0 of constant columns, also where the descent has left them at 0 without centring them.
    """
    own = np.diagonal(H).copy()
    if intercept and own[-1] > 0.0:
        own[:-1] -= H[:-1, -1] ** 2 / own[-1]
        own[own <= CONSTANT * np.diagonal(H)] = 0.0
    return own


def information_at_limit(setup: Setup, separation: Separation) -> Information:
    """Return the limit of a fit without a penalty where columns separate the outcomes."""
    rows, total = setup.source, setup.total_weight
    limit = limits_of(rows, separation, total)
    n = len(limit.coefficients)
    return Information(
        estimates=limit.coefficients,
        root=np.full((n, n), np.nan),
        aliases={},
        n_rows=separation.n_rows,
        total_weight=total,
        log_likelihood=-0.5 * limit.deviance,
        null_log_likelihood=-null_loss(rows, setup.intercept) * total / rows.total_weight,
        discrimination=np.nan,
        penalty="none",
        errors_at_limit=limit.standard_errors,
    )


def _without_aliases(
    setup: Setup, scale: Scale, H: Array, W: Array, kept: np.ndarray, aliased: np.ndarray
) -> tuple[Array, dict[int, Array]]:
    """Return coefficients of the kept columns that give the scores of W, NaN for the others, and the combinations."""
    combinations = np.linalg.lstsq(H[np.ix_(kept, kept)], H[kept], rcond=None)[0]  # of all columns, by the kept
    combinations[np.abs(combinations) < SAME] = 0.0
    B = np.zeros((len(H), 1))
    B[kept] = combinations @ scale.coordinates(W)
    estimates = setup.source.in_user_units(scale.coefficients(B))[:, 0]
    estimates[aliased] = np.nan
    aliases = {}
    for j in aliased.tolist():
        of_column = np.zeros((len(H), 1))
        of_column[kept, 0] = combinations[:, j]
        of_column = scale.coefficients(of_column) / (scale.unit[j] or 1.0)
        of_column[-1] += scale.center[j]
        of_column[np.abs(of_column) < SAME * np.abs(of_column).max()] = 0.0
        aliases[j] = setup.source.in_user_units(of_column)[:, 0]
        aliases[j][-1] += 0.0 if setup.source.origin is None else setup.source.origin[j]
    return estimates, aliases


def null_loss(rows: SelectableRows | PartedRows, intercept: bool) -> float:
    """Return the loss of the intercept and the offset alone, summed over weights of mean 1."""
    total, share = float(rows.total_weight), float(rows.positive_fraction)
    if not rows.has_offset:
        if not intercept:
            return total * float(np.log(2.0))
        return -total * float(xlogy(share, share) + xlogy(1.0 - share, 1.0 - share))
    W = np.zeros((rows.n_columns + 1, 1))
    for _ in range(NULL_STEPS):
        sums = rows.sums(W, "diagonal")
        slope, curvature = float(sums.gradient[-1, 0]), float(sums.diagonal()[0][0, -1])
        if not intercept or curvature <= 0.0 or slope**2 <= 1e-24 * curvature * total:
            break
        W[-1] -= slope / curvature
    return float(sums.loss[0])
