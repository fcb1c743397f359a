"""How rows of a given shape are fitted: which preconditioner, and a start on samples of the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.special import logit

from logreg.descent import Descent, Diagonal, FullCurvature, Identity, Preconditioner, SampledCurvature
from logreg.penalty import Ridge
from logreg.rank import Redundancy, minimum_norm
from logreg.rows import Rows
from logreg.scale import Scale
from logreg.solve import Solution, solve
from logreg.stop import Limits
from logreg.sums import Array

Solver = Literal["auto", "gradient-descent", "newton"]

SAMPLED_ROWS = 20_000  # at least so many rows give the sampled curvature,
ROWS_A_COLUMN = 40  # and at least so many for each column,
SAMPLED_FLOPS = 4e10  # unless that costs more than this
FULL_FLOPS = 1e7  # up to here the curvature of all rows is taken at every pass: it costs less than a pass saved
WIDEST_MATRIX = 3_000  # columns up to which a curvature matrix is held
SAMPLE_RIDGE = 0.1  # over sqrt(rows): penalty in a sample, in units of curvature, that leaves its rare columns finite
SATURATED = 1e-3  # share of the average p (1 - p) below which a column's rows look separated
FIRST_SAMPLE = 4_096  # rows; each sample is four times the one before, up to a third of all rows


def curvature_rows(d: int) -> int:
    """Return of how many sampled rows a (d, d) curvature is taken."""
    affordable = int(SAMPLED_FLOPS / (2 * d * d))
    return max(min(max(SAMPLED_ROWS, ROWS_A_COLUMN * d), affordable), 2 * d)


def choose(rows: Rows, n_models: int, solver: Solver, seed: int) -> Preconditioner:
    """Return the preconditioner for rows of this shape.

    "auto" takes the curvature of all rows while that is cheap, of a sample of the rows while the matrix is, and the
    diagonal with a limited memory for data wider than that.
    """
    n, d = rows.n_rows, rows.n_columns + 1
    if solver == "newton":
        return FullCurvature(n_models)
    if solver == "auto" and 2 * n * d * d <= FULL_FLOPS and d <= WIDEST_MATRIX:
        return FullCurvature(n_models)
    best = SampledCurvature(n_models, rows, curvature_rows(d), seed) if d <= WIDEST_MATRIX else Diagonal()
    return Identity(best) if solver == "gradient-descent" else best


def null_coefficients(rows: Rows, n_models: int, intercept: bool) -> Array:
    """Return the optimum without columns: the intercept is the log-odds of the mean outcome. Shape (d + 1, K)."""
    W = np.zeros((rows.n_columns + 1, n_models))
    W[-1] = logit(rows.positive_fraction) * intercept
    return W


def start_on_samples(rows: Rows, penalty: Ridge, solver: Solver, intercept: bool, seed: int) -> Array:
    """Return coefficients that samples of the rows, each four times the last, know to within a standard error.

    A light ridge keeps finite what only the sample separates: from a saturated start p (1 - p) promises too much.
    """
    n_models = penalty.strength.shape[-1]
    W = null_coefficients(rows, n_models, intercept)
    size = max(ROWS_A_COLUMN * (rows.n_columns + 1), FIRST_SAMPLE)
    while 3 * size < rows.n_rows and solver == "auto":
        seed += 1
        sample = rows.sample(size, seed)
        null = sample.sums(null_coefficients(sample, 1, intercept), "diagonal")
        unit = Scale.from_sums(null, np.zeros(1), intercept).unit
        light = np.divide(SAMPLE_RIDGE / size**0.5, unit**2, out=np.zeros_like(unit), where=unit > 0)
        descent = Descent(choose(sample, n_models, solver, seed))
        found = solve(sample, penalty.plus(light), W, descent, Limits(tol=1.0), intercept=intercept)
        good = np.array([status.is_optimum for status in found.status])
        W = np.where(good, found.coefficients, W)
        size *= 4
    return W


def confirm(rows: Rows, penalty: Ridge, solution: Solution, limits: Limits, intercept: bool) -> Solution:
    """Return the solution of unpenalised models, after Newton's method if some column looks separated there.

    Such a column varies only among rows whose p (1 - p) is next to nothing. Sampled curvature would follow it
    towards infinity in ever smaller steps; Newton's steps stay the same size, and tell.
    """
    W = solution.coefficients
    sums = rows.sums(W, "diagonal")
    at_null = Scale.from_sums(rows.sums(np.zeros_like(W), "diagonal"), np.zeros(1), intercept)
    here = Scale.from_sums(sums, np.zeros(1), intercept)
    average = float((sums.diagonal()[0][:, -1] / sums.weight).mean()) / 0.25
    separated = here.unit**2 * SATURATED * average > at_null.unit**2
    if not separated.any():
        return solution
    left = replace(limits, max_iter=limits.max_iter - len(solution.history))
    descent = Descent(FullCurvature(W.shape[1]))
    newton = solve(rows, penalty, W, descent, left, intercept=intercept, scale=at_null)
    return replace(newton, history=solution.history + newton.history)


def fit(
    rows: Rows,
    penalty: Ridge,
    solver: Solver,
    limits: Limits,
    *,
    intercept: bool = True,
    seed: int = 0,
    start: Array | None = None,
) -> tuple[Solution, Redundancy | None, str]:
    """Minimise the penalised mean loss of K models over rows, from ``start`` or from samples of the rows.

    Returns the solution, what is redundant among the columns of unpenalised models whose curvature was singular
    (their coefficients are then of minimum norm), and the name of the preconditioner.
    """
    n_models = penalty.strength.shape[-1]
    null = null_coefficients(rows, n_models, intercept)
    if start is not None:
        # A start worse than no model at all (other data, other units) only misleads.
        better = rows.sums(start).loss <= rows.sums(null).loss
        start = np.where(better, start, null)
    else:
        start = start_on_samples(rows, penalty, solver, intercept, seed)
    preconditioner = choose(rows, n_models, solver, seed)
    solution = solve(rows, penalty, start, Descent(preconditioner), limits, intercept=intercept)
    redundancy = None
    unsure = penalty.free.any() and preconditioner.name not in ("newton", "diagonal")
    if unsure and all(status.is_optimum for status in solution.status) and len(solution.history) < limits.max_iter:
        solution = confirm(rows, penalty, solution, limits, intercept)
    if solution.deficient and penalty.free.any():
        redundancy = minimum_norm(rows.sums(np.zeros_like(null[:, :1]), "full"), solution.coefficients, intercept)
        coefficients = np.where(penalty.free, redundancy.coefficients, solution.coefficients)
        solution = replace(solution, coefficients=coefficients)
    return solution, redundancy, preconditioner.name
