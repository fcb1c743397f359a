"""Many models near some solved ones: folds near the fit of all rows, resamples near it, outcomes near the null model.

All travel together: a pass reads the rows once for all that are still on their way. They start where their neighbour
is, and share its curvature for as long as that serves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from logreg import elastic, newton
from logreg.descent import Descent
from logreg.factor import Factor
from logreg.penalty import ElasticNet, Ridge
from logreg.plan import WIDEST_MATRIX, are_few, curvature_rows, descend, fit, null_coefficients, price
from logreg.rows import SelectableRows, VersionedRows, Versions
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

    def put(self, models: np.ndarray, others: Ends) -> Ends:
        """Return these ends with those of some models, chosen by number, replaced."""
        coefficients, n_iter = self.coefficients.copy(), self.n_iter.copy()
        decrement, objective, status = self.decrement.copy(), self.objective.copy(), list(self.status)
        coefficients[:, models], n_iter[models] = others.coefficients, others.n_iter
        decrement[models], objective[models] = others.decrement, others.objective
        for k, of_model in zip(models.tolist(), others.status, strict=True):
            status[k] = of_model
        n_passes = self.n_passes + others.n_passes
        return Ends(coefficients, status, n_iter, decrement, objective, n_passes)

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


@dataclass(frozen=True)
class Neighbours:
    """Models whose optimum is known, for others to start from.

    Attributes
    ----------
    coefficients : ndarray of shape (d + 1, F)
    of_model : ndarray of int, shape (K,)
        Which of them each of K models starts from, or shares its curvature with.
    """

    coefficients: Array
    of_model: np.ndarray

    def of(self, models: np.ndarray) -> Neighbours:
        """Return the neighbours of some models."""
        return replace(self, of_model=self.of_model[models])

    def factors(self, rows: VersionedRows, penalty: Ridge, seed: int, intercept: bool) -> tuple[Scale, list[Factor]]:
        """Return the curvature of a sample of all rows at each model's neighbour, with a penalty as its own.

        And its coordinates, before.
        """
        sample = rows.whole.sample(curvature_rows(rows.whole), seed)
        middle = self.coefficients[:, [self.coefficients.shape[1] // 2]]
        scale = Scale.from_sums(sample.sums(middle, "diagonal"), penalty.strength, intercept)
        pull, of_neighbour = penalty.curvature(scale.unit), {}
        used, first = np.unique(self.of_model, return_index=True)
        curvatures = sample.curvature(self.coefficients[:, used], scale)
        for f, k, H in zip(used.tolist(), first.tolist(), curvatures, strict=True):
            np.einsum("jj->j", H)[:] += pull[k]
            of_neighbour[f] = Factor(H)
        return scale, [of_neighbour[f] for f in self.of_model.tolist()]


def models_at_once(n_columns: int) -> int:
    """Return how many models travel together: what they keep of steps and gradients must fit into memory."""
    return max(1, MEMORY // (8 * NUMBERS_A_COLUMN * (n_columns + 1)))


def fit_nearby(
    rows: VersionedRows,
    penalty: Ridge,
    neighbours: Neighbours,
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
    neighbours : Neighbours
        Of K models.
    limits : Limits
    intercept : bool
    seed : int
    start : ndarray of shape (d + 1, K), default=None
        Where each model starts, if not at its neighbour.
    """
    n_models, size = len(neighbours.of_model), models_at_once(rows.n_columns)
    batches = [np.arange(first, min(first + size, n_models)) for first in range(0, n_models, size)]
    ends = []
    for models in batches:
        near = neighbours.of(models)
        begin = near.coefficients[:, near.of_model] if start is None else start[:, models]
        problem = rows.of(models), penalty.of(models), begin
        if newton.is_worth_it(problem[0], limits):
            ends.append(_newton(*problem, limits, intercept, seed))
        elif rows.n_columns + 1 > WIDEST_MATRIX or are_few(rows):
            ends.append(Ends.of(descend(*problem, "auto", limits, intercept, seed)))
        else:
            solution = _share(*problem, near, limits, intercept, seed, at_neighbours=start is None)
            ends.append(Ends.of(solution))
    return ends[0].join(ends[1:])


def fit_together(
    rows: SelectableRows, penalty: Ridge, limits: Limits, *, intercept: bool = True, seed: int = 0
) -> Ends:
    """Minimise the penalised mean losses of K models over the same rows."""
    n_models = penalty.strength.shape[-1]
    same = VersionedRows(rows, Versions(np.zeros(n_models, dtype=np.intp)))
    if newton.is_worth_it(same, limits):
        return _newton(same, penalty, null_coefficients(rows, n_models, intercept), limits, intercept, seed)
    return Ends.of(fit(rows, penalty, "auto", limits, intercept=intercept, seed=seed)[0])


def _newton(rows: VersionedRows, penalty: Ridge, start: Array, limits: Limits, intercept: bool, seed: int) -> Ends:
    """Take Newton's steps in compiled code; models that do not arrive by them descend as others do."""
    found = newton.arrive(rows, penalty, start, limits, intercept)
    status = [Status.CONVERGED] * len(found.arrived)
    ends = Ends(found.coefficients, status, found.steps, found.decrement, found.objective, int(found.passes.max()))
    late = np.flatnonzero(~found.arrived)
    if not late.size:
        return ends
    solution = descend(rows.of(late), penalty.of(late), start[:, late], "auto", limits, intercept, seed)
    return ends.put(late, Ends.of(solution))


def _share(
    rows: VersionedRows,
    penalty: Ridge,
    start: Array,
    near: Neighbours,
    limits: Limits,
    intercept: bool,
    seed: int,
    at_neighbours: bool,
) -> Solution:
    """Descend with the curvature of the neighbours, for as long as that serves."""
    scale, factors = near.factors(rows, penalty, seed, intercept)
    shared = SampledCurvature(start.shape[1], rows, curvature_rows(rows.whole), seed, price(rows.whole))
    descent = Descent(shared.borrow(factors), limits.tol, penalty.free)
    sums = rows.sums_near(near.coefficients, near.of_model) if at_neighbours else None
    return solve(rows, penalty, start, descent, limits, intercept=intercept, scale=scale, sums=sums)


def fit_one_by_one(
    rows: VersionedRows, strengths: Array, unit: ElasticNet, limits: Limits, *, intercept: bool, start: Array | None
) -> Ends:
    """Fit an elastic net to each version of the rows, one after the other, from a start or the null model."""
    ends = []
    for v, strength in enumerate(strengths.tolist()):
        version = rows.version(v)
        ends.append(Ends.of(elastic.fit(version, strength, unit, limits, intercept=intercept, start=start)[0]))
    return ends[0].join(ends[1:])
