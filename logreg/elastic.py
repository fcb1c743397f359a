"""Elastic nets from the largest penalty down: each starts where the last one ended, on the columns likely to matter.

Of wide data only a working set of columns is fitted; a pass over all columns, for several penalties at once, then says
which column was wrongly left out. So every answer satisfies the optimality conditions of all columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from logreg.penalty import ElasticNet
from logreg.plan import null_coefficients
from logreg.proximal import Place, Solver
from logreg.rows import MemoryRows
from logreg.solve import NonFiniteSumsError, Solution
from logreg.stop import Limits, Pass, Status
from logreg.sums import Array

AT_ONCE = 5  # penalties whose answers are checked in one pass over all columns
NARROW = 1_000  # columns up to which all of them are worked on, where there are
ROWS_A_COLUMN = 4  # so many rows a column
RATIO = 3.0  # of one penalty to the next on the way to a single one
ON_THE_WAY = 0.03  # violation, in units of the penalty, that is good enough there
FREE = 1e-4  # the tolerance of what is never penalised, over that of a fit


@dataclass(frozen=True)
class Optimum:
    """The answer for one penalty.

    Attributes
    ----------
    place : Place
        Coefficients, mean loss and gradient, of all columns.
    violation : float
        The largest violation of an optimality condition, on the scale of the mean loss.
    history : list of Pass
        One entry a pass over the working set.
    """

    place: Place
    violation: float
    history: list[Pass]


class ElasticPath:
    """The fits of one data set under ``strength * factor_j * (l1_ratio |w_j| + (1 - l1_ratio) / 2 w_j**2)``.

    Parameters
    ----------
    rows : MemoryRows
    l1_ratio : float
        Above 0.
    factor : ndarray of shape (d,)
        Penalty factors: 0 is never penalised, infinity excluded.
    limits : Limits
        The tolerance is that of the fit of what is never penalised; passes are those for one penalty.
    intercept : bool

    Attributes
    ----------
    null_loss : float
        The mean loss of the intercept alone.
    null : Place
        The fit of the intercept and of the columns that are never penalised.
    largest : float
        The smallest strength at which all penalised coefficients are 0.
    n_passes : int
        Over all columns, so far.
    stopped : bool
        Whether a callback asked for it.
    """

    def __init__(self, rows: MemoryRows, l1_ratio: float, factor: Array, limits: Limits, intercept: bool) -> None:
        self.rows, self.l1_ratio, self.factor, self.limits, self.intercept = rows, l1_ratio, factor, limits, intercept
        self.n_passes = 0
        self.stopped = False
        everywhere = rows.n_columns <= NARROW and rows.n_rows >= ROWS_A_COLUMN * rows.n_columns
        self.whole = self._solver(np.arange(rows.n_columns)) if everywhere else None
        self.in_play = factor == 0.0
        self.null_loss, self.null = self._nulls()
        l1 = l1_ratio * np.where(np.isinf(factor), 0.0, factor)
        size = np.abs(self.null.gradient[:-1])
        self.largest = float(np.divide(size, l1, out=np.zeros_like(size), where=l1 > 0).max(initial=0.0))

    def penalty(self, strength: float) -> ElasticNet:
        """Return the penalty of a strength."""
        return ElasticNet.of_factors(strength, self.l1_ratio, self.factor)

    def _nulls(self) -> tuple[float, Place]:
        """Return the mean loss of the intercept alone, and the fit of it and of what is never penalised."""
        place = self.passed(null_coefficients(self.rows, 1, self.intercept))[0]
        loss = place.loss
        for free in (np.empty(0, dtype=np.intp), np.flatnonzero(self.in_play)):
            if free.size or (self.rows.offset is not None and self.intercept):
                place = self._free(place, free)
            loss = loss if free.size else place.loss
        return loss, place

    def _free(self, place: Place, free: np.ndarray) -> Place:
        kept, nothing = np.append(free, -1), ElasticNet(np.zeros(free.size), np.zeros(free.size))
        scale = float(np.abs(place.gradient).max(initial=0.0))
        tolerance = self.limits.tol * scale
        w = np.zeros_like(place.w)
        w[kept] = self._solver(free).minimise(nothing, place.w[kept], tolerance, self.limits.max_iter).w
        return self.passed(w[:, None])[0]

    def passed(self, W: Array) -> list[Place]:
        """Return what a pass over all columns finds at coefficients (d + 1, K)."""
        self.n_passes += 1
        sums = self.rows.sums(W)
        if not sums.all_finite():
            raise NonFiniteSumsError
        loss, gradient = sums.loss / sums.weight, sums.gradient / sums.weight
        return [Place(W[:, k], float(loss[k]), gradient[:, k]) for k in range(W.shape[1])]

    def _solver(self, columns: np.ndarray) -> Solver:
        """Return a solver for some columns."""
        rows = self.rows if len(columns) == self.rows.n_columns else self.rows.take(columns)
        told = self.limits.on_pass

        def tell(w: Array, found: Pass) -> bool:
            return told is not None and told(self._everywhere(w, columns)[:, None], found)

        return Solver(rows, self.intercept, None if told is None else tell)

    def _everywhere(self, w: Array, columns: np.ndarray) -> Array:
        """Return coefficients of some columns as coefficients of all, the others 0."""
        found = np.zeros(self.rows.n_columns + 1)
        found[np.append(columns, -1)] = w
        return found

    def down(self, strengths: Array, tolerance: float, start: Place | None = None) -> Iterator[Optimum]:
        """Yield the optimum of each strength, of a descending sequence, to a largest violation."""
        place = start or self.null
        if self.whole is not None:
            for strength in strengths.tolist():
                found = self._solve(self.whole, self.penalty(strength), place.w, tolerance)
                self.n_passes += len(found.history)
                place = found.place
                yield found
            return
        before, done = max(self.largest, float(strengths[0])), 0
        solver, columns = None, np.empty(0, dtype=np.intp)
        while done < len(strengths) and not self.stopped:
            ahead = strengths[done : done + AT_ONCE]
            chosen = np.flatnonzero(self._likely(place, before, float(ahead[-1])))
            if solver is None or not np.isin(chosen, columns, assume_unique=True).all():
                columns, solver = chosen, self._solver(chosen)
            tried = list(self._solve_ahead(solver, columns, ahead, place, tolerance))
            W = np.column_stack([found.place.w for found in tried])
            for strength, found, here in zip(ahead.tolist(), tried, self.passed(W), strict=False):
                violation = here.violation(self.penalty(strength), self.intercept)
                left_out = violation[:-1] > max(tolerance, found.violation)
                left_out[columns] = False
                if left_out.any() and not self.stopped:
                    self.in_play |= violation[:-1] > 0.0
                    break
                self.in_play |= here.w[:-1] != 0.0
                place, before, done = here, strength, done + 1
                yield replace(found, place=here, violation=float(violation.max()))

    def _likely(self, place: Place, before: float, strength: float) -> np.ndarray:
        """Tell which columns to work on: those that ever mattered, and those whose gradient may reach its threshold.

        The strong rule (Tibshirani and others, 2012): a gradient changes by no more than the threshold does.
        """
        with np.errstate(invalid="ignore"):
            threshold = self.penalty(max(2.0 * strength - before, 0.5 * strength)).l1
        found: np.ndarray = self.in_play | (place.w[:-1] != 0) | (np.abs(place.gradient[:-1]) >= threshold)
        return found & np.isfinite(self.factor)

    def _solve_ahead(
        self, solver: Solver, columns: np.ndarray, strengths: Array, place: Place, tolerance: float
    ) -> Iterator[Optimum]:
        w = place.w[np.append(columns, -1)]
        for strength in strengths.tolist():
            found = self._solve(solver, self.penalty(strength).take(columns), w, tolerance)
            w = found.place.w
            yield replace(found, place=replace(found.place, w=self._everywhere(w, columns)))
            if self.stopped:
                return

    def _solve(self, solver: Solver, penalty: ElasticNet, w: Array, tolerance: float) -> Optimum:
        place = solver.minimise(penalty, w, tolerance, self.limits.max_iter)
        self.stopped = solver.stopped
        violation = place.violation(penalty, self.intercept)
        return Optimum(place, float(violation.max()), solver.history)


def fit(
    rows: MemoryRows,
    strength: float,
    l1_ratio: float,
    factor: Array,
    limits: Limits,
    *,
    intercept: bool = True,
    start: Array | None = None,
) -> Solution:
    """Minimise the mean loss and an elastic net, from ``start`` of shape (d + 1, 1) or down from the null model.

    Where it ends, no optimality condition is violated by more than ``tol`` in units of the penalty, nor by more than a
    hundredth of that in units of the penalty that zeroes the model.
    """
    path = ElasticPath(rows, l1_ratio, factor, replace(limits, tol=FREE * limits.tol), intercept)
    penalty, largest = path.penalty(strength), path.largest or strength
    tolerance = limits.tol * min(strength, 0.01 * largest)
    place = path.null
    if start is not None:
        start = start.copy()
        start[:-1][np.isinf(factor)] = 0.0
        there = path.passed(start)[0]
        if there.objective(penalty) <= place.objective(penalty):
            place = there
    for on_the_way in () if place is not path.null else way_down(path.largest, strength).tolist():
        place = next(path.down(np.array([on_the_way]), ON_THE_WAY * on_the_way, place)).place
    found = next(path.down(np.array([strength]), tolerance, place))
    if path.stopped:
        status = Status.STOPPED
    elif found.violation <= tolerance:
        status = Status.CONVERGED
    else:
        status = Status.OUT_OF_PASSES if len(found.history) >= limits.max_iter else Status.ROUNDING
    return Solution(
        coefficients=found.place.w[:, None],
        status=[status],
        history=found.history,
        unfinished=found.place.violation(penalty, intercept)[:-1, None],
        deficient=False,
        solver="coordinate-descent",
        kkt=found.violation / largest,
    )


def way_down(largest: float, strength: float) -> Array:
    """Return the strengths that lead from the null model to a single one, which is left out."""
    if strength >= largest:
        return np.empty(0)
    return np.geomspace(largest, strength, 1 + int(np.ceil(np.log(largest / strength) / np.log(RATIO))))[1:-1]
