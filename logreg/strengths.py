"""Elastic nets from the largest penalty down: each starts where the last one ended, on the columns likely to matter.

Of wide data only a working set of columns is fitted; a pass over all columns, for several penalties at once, then says
which column was wrongly left out. So every answer satisfies the optimality conditions of all columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from logreg.active import ActiveSet
from logreg.penalty import ElasticNet, Ridge
from logreg.plan import fit as fit_rows
from logreg.plan import null_coefficients
from logreg.products import is_sparse
from logreg.proximal import Place, Solver, everywhere
from logreg.rank import Redundancy
from logreg.rows import SelectableRows
from logreg.solve import NonFiniteSumsError, Solution
from logreg.stop import Limits, Pass, Status
from logreg.sums import Array

NARROW = 1_000  # columns up to which all of them are worked on, where there are
ROWS_A_COLUMN = 4  # so many rows a column,
JOINTLY = 10  # for so many penalties in the same passes, where that is cheaper than one after the other
AT_ONCE = 4  # penalties whose answers on some columns are checked in one pass over all
SOLVER = "coordinate-descent"


Stage = tuple[float, Place]  # a strength, and the optimum there


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
    """The fits of one data set under one elastic net of many strengths.

    Parameters
    ----------
    rows : SelectableRows
    unit : ElasticNet
        The penalty of strength 1.
    limits : Limits
        The tolerance is that of the fit of what is never penalised; passes are those for one penalty.
    intercept : bool

    Attributes
    ----------
    null_loss : float
        The mean loss of the intercept alone.
    null : Place
        The fit of the intercept and of the columns that are never penalised.
    of_free : Solution or None
        How that of such columns went, where there are any,
    redundancy : Redundancy or None
        and which of them repeat others.
    largest : float
        The smallest strength at which all penalised coefficients are 0.
    n_passes : int
        Over all columns, so far.
    stopped : bool
        Whether a callback asked for it.
    """

    def __init__(self, rows: SelectableRows, unit: ElasticNet, limits: Limits, intercept: bool) -> None:
        rows = rows.by_column() if is_sparse(rows.X) else rows
        self.rows, self.unit, self.limits, self.intercept = rows, unit, limits, intercept
        self.n_passes = 0
        self.stopped = False
        self.of_free: Solution | None = None
        self.redundancy: Redundancy | None = None
        narrow = rows.n_columns <= NARROW and rows.n_rows >= ROWS_A_COLUMN * rows.n_columns
        everywhere = narrow or is_sparse(rows.X)  # a pass over which costs little more than one over some columns
        self.whole = self._solver(np.arange(rows.n_columns)) if everywhere else None
        self.in_play = (unit.l1 == 0.0) & ~unit.excluded
        self.null_loss, self.null = self._nulls()
        size, penalised = unit.felt(self.null.gradient[:-1]), (unit.l1 > 0.0) & ~unit.excluded
        self.largest = float(np.divide(size, unit.l1, out=np.zeros_like(size), where=penalised).max(initial=0.0))

    def _nulls(self) -> tuple[float, Place]:
        """Return the mean loss of the intercept alone, and the fit of it and of what is never penalised."""
        place = self.passed(null_coefficients(self.rows, 1, self.intercept))[0]
        if self.rows.offset is not None and self.intercept:
            nothing, none = ElasticNet.nothing(0), np.empty(0, dtype=np.intp)
            tolerance = self.limits.tol * float(np.abs(place.gradient).max(initial=0.0))
            found = self._solver(none).minimise([nothing], place.take(none), [tolerance], self.limits.max_iter)[0]
            place = self.passed(self._everywhere(found.place.w, none)[:, None])[0]
        return place.loss, self._with_free(place)

    def _with_free(self, place: Place) -> Place:
        free = np.flatnonzero(self.unit.free)
        if not free.size:
            return place
        told = self.limits.on_pass
        limits = replace(
            self.limits, on_pass=told and (lambda W, found: told(self._everywhere(W[:, 0], free)[:, None], found))
        )
        rows, nothing = self.rows.take(free), Ridge(np.zeros(1))
        self.of_free, redundancy = fit_rows(rows, nothing, "auto", limits, intercept=self.intercept)
        if redundancy is not None:
            columns = np.zeros(self.rows.n_columns, dtype=bool)
            columns[free] = redundancy.columns
            self.redundancy = redundancy._replace(columns=columns)
        return self.passed(self._everywhere(self.of_free.coefficients[:, 0], free)[:, None])[0]

    @property
    def separated(self) -> Solution | None:
        """The fit of what is never penalised, in all columns, where it has no finite optimum; else None."""
        if self.of_free is None or self.of_free.status[0] is not Status.SEPARATED:
            return None
        unfinished = np.zeros((self.rows.n_columns, 1))
        unfinished[self.unit.free] = self.of_free.unfinished
        return replace(self.of_free, coefficients=self.null.w[:, None], unfinished=unfinished, solver=SOLVER)

    def passed(self, W: Array) -> list[Place]:
        """Return what a pass over all columns finds at coefficients (d + 1, K)."""
        self.n_passes += 1
        places = Place.several(self.rows, W)
        if not all(np.isfinite(place.loss) and np.isfinite(place.gradient).all() for place in places):
            raise NonFiniteSumsError
        return places

    def _solver(self, columns: np.ndarray) -> Solver:
        """Return a solver for some columns."""
        rows = self.rows if len(columns) == self.rows.n_columns else self.rows.take(columns)
        return Solver(rows, self.intercept, self._told(columns))

    def _working_set(self, columns: np.ndarray) -> ActiveSet | Solver:
        """Return a solver for some columns of which few count; of sparse rows the others cost little."""
        rows = self.rows.take(columns)
        return (Solver if is_sparse(rows.X) else ActiveSet)(rows, self.intercept, self._told(columns))

    def _told(self, columns: np.ndarray) -> Callable[[Array, Pass], bool] | None:
        told = self.limits.on_pass
        return None if told is None else lambda w, found: told(self._everywhere(w, columns)[:, None], found)

    def _everywhere(self, w: Array, columns: np.ndarray) -> Array:
        return everywhere(w, columns, self.rows.n_columns)

    def down(self, strengths: Array, tolerance: float | Array, start: Place | None = None) -> Iterator[Optimum]:
        """Yield the optimum of each strength, of a descending sequence, to a largest violation, or one for each."""
        tolerances = np.broadcast_to(tolerance, strengths.shape)
        place = start or self.null
        if self.whole is not None:
            yield from self._jointly(self.whole, strengths, tolerances, place)
            return
        before, now, done = None, (max(self.largest, float(strengths[0])), place), 0
        solver, columns = None, np.empty(0, dtype=np.intp)
        while done < len(strengths) and not self.stopped:
            ahead, enough = strengths[done : done + AT_ONCE], tolerances[done : done + AT_ONCE].tolist()
            chosen = np.flatnonzero(self._likely(before, now, float(ahead[-1])))
            if solver is None or not np.isin(chosen, columns, assume_unique=True).all():
                columns, solver = chosen, self._working_set(chosen)
            tried = list(self._solve_ahead(solver, columns, ahead, before, now, enough))
            W = np.column_stack([found.place.w for found in tried])
            for strength, tolerance, found, here in zip(ahead.tolist(), enough, tried, self.passed(W), strict=False):
                violation = here.violation(self.unit.times(strength), self.intercept)
                left_out = violation[:-1] > max(tolerance, found.violation)
                left_out[columns] = False
                if left_out.any() and not self.stopped:
                    self.in_play |= violation[:-1] > 0.0
                    break
                self.in_play |= here.w[:-1] != 0.0
                before, now, done = now, (strength, here), done + 1
                yield replace(found, place=here, violation=float(violation.max()))

    def _likely(self, before: Stage | None, now: Stage, strength: float) -> np.ndarray:
        """Tell which columns to work on: those that ever mattered, and those whose gradient may reach its threshold.

        It is extrapolated from the last two places; from one alone the strong rule (Tibshirani and others, 2012) says
        that a gradient changes by no more than the threshold does.
        """
        place = now[1]
        with np.errstate(invalid="ignore"):
            threshold = self.unit.times(strength if before else max(2.0 * strength - now[0], 0.5 * strength)).l1
        gradients = expected(before, now, strength), place.gradient
        size = np.maximum(*(self.unit.felt(gradient[:-1]) for gradient in gradients))
        found: np.ndarray = (self.in_play | (place.w[:-1] != 0) | (size >= threshold)) & ~self.unit.excluded
        return found

    def _jointly(self, solver: Solver, strengths: Array, tolerances: Array, place: Place) -> Iterator[Optimum]:
        """Yield the optima of all columns: of dense rows several at once, else one by one, as the last two point."""
        at_once = JOINTLY if self.rows.is_dense else 1
        before, now = None, (max(self.largest, float(strengths[0])), place)
        for start in range(0, len(strengths), at_once):
            ahead = strengths[start : start + at_once].tolist()
            here = replace(now[1], expected=expected(before, now, ahead[0])) if at_once == 1 else now[1]
            passes = solver.n_passes
            fits = solver.minimise(
                [self.unit.times(strength) for strength in ahead],
                here,
                tolerances[start : start + at_once].tolist(),
                self.limits.max_iter,
            )
            self.n_passes += solver.n_passes - passes
            self.stopped = solver.stopped
            before, now = now, (ahead[-1], fits[-1].place)
            for fit in fits:
                yield Optimum(fit.place, fit.worst, fit.history)
            if self.stopped:
                return

    def _solve_ahead(
        self,
        solver: ActiveSet | Solver,
        columns: np.ndarray,
        strengths: Array,
        before: Stage | None,
        now: Stage,
        tolerances: list[float],
    ) -> Iterator[Optimum]:
        before = None if before is None else (before[0], before[1].take(columns))
        now = now[0], now[1].take(columns)
        for strength, tolerance in zip(strengths.tolist(), tolerances, strict=True):
            here = replace(now[1], expected=expected(before, now, strength))
            penalty = self.unit.times(strength).take(columns)
            fit = solver.minimise([penalty], here, [tolerance], self.limits.max_iter)[0]
            before, now, self.stopped = now, (strength, fit.place), solver.stopped
            yield Optimum(replace(fit.place, w=self._everywhere(fit.place.w, columns)), fit.worst, fit.history)
            if self.stopped:
                return


def expected(before: Stage | None, now: Stage, strength: float) -> Array:
    """Return the gradient to expect at a weaker penalty, extrapolated from two."""
    gradient = now[1].gradient
    if before is None or before[0] <= now[0]:
        return gradient
    further: Array = gradient + (now[0] - strength) / (before[0] - now[0]) * (gradient - before[1].gradient)
    return further
