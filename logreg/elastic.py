"""An elastic net of one penalty, fitted on the way down to it, and its certificates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from logreg.gap import duality_gap
from logreg.penalty import ElasticNet
from logreg.rank import Redundancy
from logreg.rows import SelectableRows
from logreg.solve import Solution
from logreg.stop import Limits, Status
from logreg.strengths import SOLVER, ElasticPath
from logreg.sums import Array

RATIO = 3.0  # of one penalty to the next on the way to a single one
ON_THE_WAY = 0.03  # violation, in units of the penalty, that is good enough there
FREE = 1e-4  # the tolerance of what is never penalised, over that of a fit


def fit(
    rows: SelectableRows,
    strength: float,
    unit: ElasticNet,
    limits: Limits,
    *,
    intercept: bool = True,
    start: Array | None = None,
) -> tuple[Solution, Redundancy | None]:
    """Minimise the mean loss and an elastic net, from ``start`` of shape (d + 1, 1) or down from the null model.

    Where it ends, no optimality condition is violated by more than ``tol`` in units of the penalty, nor by more than a
    hundredth of that in units of the penalty that zeroes the model. Returns the solution and what is redundant among
    the columns that are never penalised; where these separate the outcomes, their fit is the solution.
    """
    path = ElasticPath(rows, unit, replace(limits, tol=FREE * limits.tol), intercept)
    if path.separated is not None:
        return path.separated, path.redundancy
    penalty, steepest = unit.times(strength), float(np.abs(path.null.gradient[:-1]).max(initial=0.0))
    largest = path.largest or steepest or 1.0
    tolerance = float(tolerances(largest, np.array([strength]), limits.tol)[0])
    place = path.null
    if start is not None:
        start = start.copy()
        start[:-1] = unit.clipped(start[:-1][:, 0])[:, None]
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
    solution = Solution(
        coefficients=found.place.w[:, None],
        status=[status],
        history=found.history,
        unfinished=found.place.violation(penalty, intercept)[:-1, None],
        deficient=False,
        solver=SOLVER,
        kkt=found.violation / largest,
        gap=duality_gap(rows, found.place.w, penalty, intercept),
    )
    return solution, path.redundancy


def tolerances(largest: float, strengths: Array, tol: float) -> Array:
    """Return the largest violations that are good enough: in units of each penalty, and of the one that zeroes all."""
    return tol * np.minimum(np.where(strengths > 0.0, strengths, np.inf), 0.01 * largest)


def way_down(largest: float, strength: float) -> Array:
    """Return the strengths that lead from the null model to a single one, which is left out."""
    if strength >= largest or strength == 0.0:
        return np.empty(0)
    return np.geomspace(largest, strength, 1 + int(np.ceil(np.log(largest / strength) / np.log(RATIO))))[1:-1]
