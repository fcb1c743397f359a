"""Many models near some solved ones: folds near the fit of all rows, resamples near it, outcomes near the null model.

All travel together: a pass reads the rows once for all that are still on their way. They start where their neighbour
is, and share its curvature for as long as that serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from logreg import elastic
from logreg.descent import Descent
from logreg.factor import Factor
from logreg.objective import Objective
from logreg.penalty import ElasticNet, Ridge
from logreg.plan import WIDEST_MATRIX, are_few, curvature_rows, descend, price
from logreg.rows import SelectableRows, VersionedRows
from logreg.sampled import SampledCurvature
from logreg.scale import Scale
from logreg.solve import Solution, solve
from logreg.stop import Limits, Status
from logreg.sums import Array

MEMORY = 1 << 30  # bytes that models travelling together may take
NUMBERS_A_COLUMN = 60  # that a model takes: its points, directions and limited memory


@dataclass(frozen=True)
class Ends:
    """Where the descents of K models ended.

    Attributes
    ----------
    coefficients : ndarray of shape (d + 1, K)
        In the units of the rows; the last row is the intercept.
    status : list of Status
    n_iter : ndarray of int, shape (K,)
        Steps taken.
    decrement : ndarray of shape (K,)
        Distance to the optimum, in standard errors.
    objective : ndarray of shape (K,)
    n_passes : int
        Times that the rows were read.
    """

    coefficients: Array
    status: list[Status]
    n_iter: np.ndarray
    decrement: Array
    objective: Array
    n_passes: int

    @classmethod
    def of(cls, solution: Solution) -> Self:
        """Return what a solution says of each of its models."""
        accepted = np.sum([found.accepted for found in solution.history], axis=0)
        last = solution.history[-1]
        n_passes = len(solution.history)
        return cls(solution.coefficients, solution.status, accepted - 1, last.decrement, last.objective, n_passes)

    def join(self, others: list[Ends]) -> Ends:
        """Return these ends followed by others."""
        every = [self, *others]
        return Ends(
            np.hstack([ends.coefficients for ends in every]),
            [status for ends in every for status in ends.status],
            np.concatenate([ends.n_iter for ends in every]),
            np.concatenate([ends.decrement for ends in every]),
            np.concatenate([ends.objective for ends in every]),
            sum(ends.n_passes for ends in every),
        )


def models_at_once(n_columns: int) -> int:
    """Return how many models travel together: what they keep of steps and gradients must fit into memory."""
    return max(1, MEMORY // (8 * NUMBERS_A_COLUMN * (n_columns + 1)))


def fit_nearby(
    rows: VersionedRows,
    penalty: Ridge,
    near: Array,
    neighbour: np.ndarray,
    limits: Limits,
    *,
    intercept: bool = True,
    seed: int = 0,
    start: Array | None = None,
) -> Ends:
    """Minimise the penalised mean losses of K models, each over its version of the rows.

    Parameters
    ----------
    rows : VersionedRows
        With the versions of K models.
    penalty : Ridge
        Of K models.
    near : ndarray of shape (d + 1, F)
        Coefficients of solved models.
    neighbour : ndarray of int, shape (K,)
        Which of them each model starts from.
    limits : Limits
    intercept : bool
    seed : int
    start : ndarray of shape (d + 1, K), default=None
        Where each model starts, if not there.
    """
    begin = near[:, neighbour] if start is None else start
    size = models_at_once(rows.n_columns)
    batches = [np.arange(len(neighbour))[start : start + size] for start in range(0, len(neighbour), size)]
    ends = []
    for models in batches:
        some, of_models = rows.of(models), penalty.of(models)
        if rows.n_columns + 1 > WIDEST_MATRIX or are_few(rows):
            solution = descend(some, of_models, begin[:, models], "auto", limits, intercept, seed)
        else:
            descent, scale = shared_descent(some, of_models, near, neighbour[models], limits, intercept, seed)
            sums = some.sums_near(near, neighbour[models]) if start is None else None
            solution = solve(
                some, of_models, begin[:, models], descent, limits, intercept=intercept, scale=scale, sums=sums
            )
        ends.append(Ends.of(solution))
    return ends[0].join(ends[1:])


def shared_descent(
    rows: VersionedRows,
    penalty: Ridge,
    near: Array,
    neighbour: np.ndarray,
    limits: Limits,
    intercept: bool,
    seed: int,
) -> tuple[Descent, Scale]:
    """Return a descent that starts with the curvature of all rows at the neighbours, and its coordinates."""
    whole, n_sampled = rows.whole, curvature_rows(rows.whole)
    sample = whole.sample(n_sampled, seed)
    middle = near[:, [near.shape[1] // 2]]
    scale = Scale.from_sums(sample.sums(middle, "diagonal"), penalty.strength, intercept)
    factors = shared_factors(sample, Objective(scale, penalty), near, neighbour)
    shared = SampledCurvature(len(neighbour), rows, n_sampled, seed, price(whole)).borrow(factors)
    return Descent(shared, limits.tol, penalty.free), scale


def shared_factors(sample: SelectableRows, objective: Objective, near: Array, neighbour: np.ndarray) -> list[Factor]:
    """Return for each model the curvature of its neighbour, with a penalty as its own; shared where neighbours are."""
    used, first = np.unique(neighbour, return_index=True)
    of_neighbour = {}
    for f, k, H in zip(used.tolist(), first.tolist(), sample.curvature(near[:, used], objective.scale), strict=True):
        np.einsum("jj->j", H)[:] += objective.penalty_curvature[k]
        of_neighbour[f] = Factor(H)
    return [of_neighbour[f] for f in neighbour.tolist()]


def fit_one_by_one(
    rows: VersionedRows, strengths: Array, unit: ElasticNet, limits: Limits, *, intercept: bool, start: Array | None
) -> Ends:
    """Fit an elastic net to each version of the rows, one after the other, from a start or the null model."""
    ends = []
    for v, strength in enumerate(strengths.tolist()):
        version = rows.version(v)
        ends.append(Ends.of(elastic.fit(version, strength, unit, limits, intercept=intercept, start=start)[0]))
    return ends[0].join(ends[1:])
