"""How rows of a given shape are fitted: which preconditioner, and a start on samples of the rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.special import logit

from logreg.descent import Descent
from logreg.penalty import Ridge
from logreg.preconditioner import Diagonal, FullCurvature, Identity, Preconditioner
from logreg.rank import Redundancy, minimum_norm
from logreg.rows import Rows
from logreg.sampled import HotBlock, SampledCurvature
from logreg.scale import Scale
from logreg.solve import Solution, solve
from logreg.stop import Limits, Pass, Status
from logreg.sums import Array, Sums

Solver = Literal["auto", "gradient-descent", "newton"]

SAMPLED_ROWS = 20_000  # at least so many rows give the sampled curvature,
ROWS_A_COLUMN = 40  # and at least so many for each column,
SAMPLED_FLOPS = 4e10  # unless that costs more than this;
MOST_ROWS_A_COLUMN = 500  # more, up to so many, while all of it costs no more than a pass
FACTOR_SPEED = 100.0  # flops of a factor in the time that a pass takes for one number
FULL_FLOPS = 1e7  # up to here the curvature of all rows is taken at every pass: it costs less than a pass saved
WORTH_TRYING = 50  # passes that a matrix costs from which on the diagonal is tried first
WIDEST_MATRIX = 3_000  # columns up to which a curvature matrix is held
HOT_COLUMNS, HOT_ROWS = 1_000, 40_000  # columns of a hot block, for data wider than that, and rows it is taken of
WIDE_PATIENCE = 40  # passes that the diagonal is given on wide data before a hot block, beyond those that this costs
SAMPLE_RIDGE = 0.1  # over sqrt(rows): penalty in a sample, in units of curvature, that leaves its rare columns finite
SATURATED = 1e-3  # share of the average p (1 - p) below which a column's rows look separated,
SATURATED_IN_SAMPLE = 0.3  # and below which it may have been the sample that separated them,
FEW_ROWS = 100  # where there are less than so many
FIRST_SAMPLE = 4_096  # rows, or
FIRST_ROWS_A_COLUMN = 10  # for each column, if that is more;
GROWTH = 8  # each sample has so many times the rows of the one before,
LARGEST_SAMPLE = 1 / 6  # up to this share of all rows
CLOSE = 0.25  # distance to the optimum of a sample, as a share of how far that lies from the optimum of all rows


def curvature_rows(rows: Rows) -> int:
    """Return of how many sampled rows the curvature matrix is taken."""
    d = rows.n_columns + 1
    affordable = int(SAMPLED_FLOPS / square_flops(rows))
    least = max(min(max(SAMPLED_ROWS, ROWS_A_COLUMN * d), affordable), 2 * d)
    as_a_pass = int(rows.n_values / row_price(rows))
    return max(least, min(MOST_ROWS_A_COLUMN * d, as_a_pass))


def row_price(rows: Rows) -> float:
    """Return what the curvature of a row costs, to read it and for its share of a product, in numbers of a pass."""
    return rows.reading_a_value * rows.n_values / rows.n_rows + square_flops(rows) / rows.flops_a_value


def square_flops(rows: Rows) -> float:
    """Return the flops of a row's curvature: its numbers squared, the intercept's 1 among them."""
    return 2 * (rows.n_values / rows.n_rows + 1) ** 2


def price(rows: Rows) -> float:
    """Return what a sampled curvature and its factor cost, in passes over the rows."""
    sampled = min(curvature_rows(rows), rows.n_rows)
    return (sampled * row_price(rows) + factor_flops(rows.n_columns + 1) / FACTOR_SPEED) / (rows.n_values + 1)


def factor_flops(d: int) -> float:
    """Return the flops of the factor of a curvature."""
    return d**3 / 3


def block_price(rows: Rows) -> float:
    """Return what a hot block costs, in passes over the rows."""
    flops = factor_flops(HOT_COLUMNS) / FACTOR_SPEED
    return (min(HOT_ROWS, rows.n_rows) * row_price(rows) + flops) / (rows.n_values + 1)


def choose(rows: Rows, n_models: int, solver: Solver, seed: int) -> Iterator[tuple[Preconditioner, int]]:
    """Yield the preconditioners for rows of this shape, each with the passes to give it before the next is tried.

    "auto" takes the curvature of all rows while that is cheap, and of a sample of the rows while the matrix is; for
    data wider than that the diagonal with a limited memory, then a matrix of the columns of most curvature. Where a
    matrix costs many passes, the diagonal is tried first, for as many passes: on well-conditioned data it arrives
    before.
    """
    d = rows.n_columns + 1
    if solver == "newton" or (solver == "auto" and are_few(rows)):
        yield FullCurvature(n_models), sys.maxsize
        return
    wide = d > WIDEST_MATRIX
    sampled = (n_models, rows, curvature_rows(rows), seed, price(rows))
    if solver == "gradient-descent":
        yield Identity(Diagonal() if wide else SampledCurvature(*sampled)), sys.maxsize
        return
    if wide:
        yield Diagonal(), int(WIDE_PATIENCE + block_price(rows))
        yield HotBlock(n_models, rows, HOT_COLUMNS, HOT_ROWS, seed), sys.maxsize
    else:
        if price(rows) >= WORTH_TRYING:
            yield Diagonal(), int(price(rows))
        yield SampledCurvature(*sampled), sys.maxsize


def are_few(rows: Rows) -> bool:
    """Tell whether rows are so few that the curvature of all of them at every pass costs next to nothing."""
    flops = rows.n_rows * square_flops(rows) + factor_flops(rows.n_columns + 1)
    return flops <= FULL_FLOPS and rows.n_columns < WIDEST_MATRIX and not rows.is_sample


def are_many(rows: Rows) -> bool:
    """Tell whether rows are so many that a fit starts on samples of them."""
    return first_sample(rows) < LARGEST_SAMPLE * rows.n_rows


def first_sample(rows: Rows) -> int:
    """Return the rows of the first sample."""
    return max(FIRST_ROWS_A_COLUMN * (rows.n_columns + 1), FIRST_SAMPLE)


def null_coefficients(rows: Rows, n_models: int, intercept: bool) -> Array:
    """Return the optimum without columns: the intercept is the log-odds of the mean outcome. Shape (d + 1, K)."""
    W = np.zeros((rows.n_columns + 1, n_models))
    W[-1] = logit(rows.positive_fraction) * intercept
    return W


def start_on_samples(rows: Rows, penalty: Ridge, solver: Solver, intercept: bool, seed: int) -> Array:
    """Return coefficients as good as growing samples of the rows know them: their error is the samples', not ours.

    The optimum of a sample is ``sqrt(d + 1)`` of its standard errors away from that of all rows, a quarter more of
    which hardly adds to it.
    A light ridge keeps finite what only the sample separates, and what a column learnt from rows of one outcome is
    forgotten: from a saturated start p (1 - p) promises too much.
    """
    n_models = penalty.strength.shape[-1]
    W = null_coefficients(rows, n_models, intercept)
    size = first_sample(rows)
    while size < LARGEST_SAMPLE * rows.n_rows and solver == "auto":
        seed += 1
        sample = rows.sample(size, seed)
        null = sample.sums(null_coefficients(sample, 1, intercept), "diagonal")
        unit = Scale.from_sums(null, np.zeros(1), intercept).unit[:-1]
        light = np.divide(SAMPLE_RIDGE / size**0.5, unit**2, out=np.zeros_like(unit), where=unit > 0)
        close = max(1.0, CLOSE * (rows.n_columns + 1) ** 0.5)
        found = descend(sample, penalty.plus(light), W, solver, Limits(tol=close), intercept, seed)
        good = np.array([status.is_optimum for status in found.status])
        W = np.where(good, found.coefficients, W)
        few = rows_behind(null, sample.n_rows) < FEW_ROWS
        W[:-1][few & saturated(sample.sums(W, "diagonal"), null, intercept, SATURATED_IN_SAMPLE)] = 0.0
        size *= GROWTH
    return W


def rows_behind(at_null: Sums, n_rows: int) -> Array:
    """Return how many rows hold a column of few equal values and zeros; fewer for columns that vary in sign or size."""
    diagonal, cross = (part[0] for part in at_null.diagonal())
    share: Array = np.divide(cross**2, diagonal * diagonal[-1], out=np.zeros_like(cross), where=diagonal > 0)
    return n_rows * share[:-1]


def saturated(sums: Sums, at_null: Sums, intercept: bool, share: float) -> np.ndarray:
    """Tell which columns vary only among rows whose p (1 - p) has fallen to a share of what it has on average."""
    here, there = (Scale.from_sums(found, np.zeros(1), intercept).unit[:-1] for found in (sums, at_null))
    average, at_first = (found.diagonal()[0][:, -1].sum() / found.weight.sum() for found in (sums, at_null))
    fallen: np.ndarray = here**2 * share * average > there**2 * at_first
    return fallen


def descend(
    rows: Rows, penalty: Ridge, start: Array, solver: Solver, limits: Limits, intercept: bool, seed: int
) -> Solution:
    """Return the solution from a start, by the first preconditioner for this shape of rows that gets there."""
    history: list[Pass] = []
    for preconditioner, patience in choose(rows, start.shape[1], solver, seed):
        passes = min(patience, limits.max_iter - len(history))
        descent = Descent(preconditioner, limits.tol, penalty.free)
        solution = solve(rows, penalty, start, descent, replace(limits, max_iter=passes), intercept=intercept)
        history += solution.history
        start = solution.coefficients
        if Status.OUT_OF_PASSES not in solution.status or len(history) >= limits.max_iter:
            break
    return replace(solution, history=history)


def confirm(rows: Rows, penalty: Ridge, solution: Solution, limits: Limits, intercept: bool) -> Solution:
    """Return the solution of unpenalised models, after Newton's method if some column looks separated there.

    Such a column varies only among rows whose p (1 - p) is next to nothing. Sampled curvature would follow it
    towards infinity in ever smaller steps; Newton's steps stay the same size, and tell.
    """
    W = solution.coefficients
    at_null = rows.sums(np.zeros_like(W), "diagonal")
    if not saturated(rows.sums(W, "diagonal"), at_null, intercept, SATURATED).any():
        return solution
    left = replace(limits, max_iter=limits.max_iter - len(solution.history))
    descent = Descent(FullCurvature(W.shape[1]))
    scale = Scale.from_sums(at_null, np.zeros(1), intercept)
    newton = solve(rows, penalty, W, descent, left, intercept=intercept, scale=scale)
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
) -> tuple[Solution, Redundancy | None]:
    """Minimise the penalised mean loss of K models over rows, from ``start`` or from samples of the rows.

    Returns the solution and what is redundant among the columns of unpenalised models whose curvature was singular:
    their coefficients are then of minimum norm.
    """
    n_models = penalty.strength.shape[-1]
    null = null_coefficients(rows, n_models, intercept)
    if start is not None:
        # A start worse than no model at all (other data, other units) only misleads.
        better = rows.sums(start).loss <= rows.sums(null).loss
        start = np.where(better, start, null)
    else:
        start = start_on_samples(rows, penalty, solver, intercept, seed)
    solution = descend(rows, penalty, start, solver, limits, intercept, seed)
    redundancy = None
    unsure = penalty.free.any() and solution.solver != "newton" and rows.n_columns < WIDEST_MATRIX
    if unsure and all(status.is_optimum for status in solution.status) and len(solution.history) < limits.max_iter:
        solution = confirm(rows, penalty, solution, limits, intercept)
    if solution.deficient and penalty.free.any():
        redundancy = minimum_norm(rows.sums(np.zeros_like(null[:, :1]), "full"), solution.coefficients, intercept)
        coefficients = np.where(penalty.free, redundancy.coefficients, solution.coefficients)
        solution = replace(solution, coefficients=coefficients)
    return solution, redundancy
