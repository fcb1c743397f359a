"""The loop: pass, stop?, direction, step. Every fit goes through it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from logreg.descent import Descent
from logreg.objective import Objective
from logreg.penalty import Ridge
from logreg.rows import Rows
from logreg.scale import Scale
from logreg.search import judge
from logreg.stop import Limits, Pass, Progress, Status
from logreg.sums import Array, Sums


class NonFiniteSumsError(ValueError):
    """NaN, infinity or numbers whose squares overflow are in the rows; the source knows where."""


@dataclass(frozen=True)
class Solution:
    """Where the descent of K models ended.

    Attributes
    ----------
    coefficients : ndarray of shape (d + 1, K)
        In the units of the rows; the last row is the intercept.
    status : list of Status
    history : list of Pass
        One entry a pass over all rows; the last holds the objective and the distance to the optimum.
    unfinished : ndarray of shape (d, K)
        Size of the step that would come next, in the scale of each column: what holds a fit up, or grows.
    deficient : bool
        Whether some curvature was singular to rounding.
    solver : str
        Name of the preconditioner.
    scale : Scale or None
        The coordinates of the descent,
    gradient : ndarray of shape (d + 1, K) or None
        and in them the gradient of the mean loss.
    kkt : float
        With an L1 part, the largest violation of an optimality condition over the penalty that zeroes the model.
    gap : float
        With an L1 part, an upper bound of the objective minus its minimum.
    """

    coefficients: Array
    status: list[Status]
    history: list[Pass]
    unfinished: Array
    deficient: bool
    solver: str
    scale: Scale | None = None
    gradient: Array | None = None
    kkt: float = np.nan
    gap: float = np.nan


def solve(
    rows: Rows,
    penalty: Ridge,
    start: Array,
    descent: Descent,
    limits: Limits,
    *,
    intercept: bool = True,
    scale: Scale | None = None,
    sums: Sums | None = None,
) -> Solution:
    """Minimise the penalised mean loss of K models at once, from coefficients ``start`` of shape (d + 1, K).

    The coordinates are those of the curvature at the start, unless given, and so are the sums there. Each turn is one
    pass over all rows, at a trial step; a rejected trial is just another turn.
    """
    if sums is None:
        sums = rows.sums(start, "diagonal" if scale is None and descent.wants == "none" else descent.wants)
    if not sums.all_finite():
        raise NonFiniteSumsError
    if scale is None:
        scale = Scale.from_sums(sums, penalty.strength, intercept)
    objective = Objective(scale, penalty)
    progress = Progress(limits, penalty.free, rows.smallest_weight)
    total_weight = sums.weight
    before = anchor = objective.point(scale.coordinates(start), sums)
    accepted, length = np.ones(start.shape[1], dtype=bool), np.ones(start.shape[1])
    step, direction = length, np.zeros_like(start)
    while True:
        descent.learn(before, anchor, accepted, sums, objective)
        direction = np.where(accepted, descent.direction(anchor.gradient), direction)
        decrement = np.sqrt(total_weight) * descent.distance(anchor.gradient, direction)
        found = Pass(anchor.value, decrement, step, accepted)
        stopped = limits.on_pass is not None and limits.on_pass(scale.coefficients(anchor.B), found)
        progress.record(found, total_weight, direction[:-1], stopped)
        live = progress.live
        if not live.any():
            return Solution(
                coefficients=scale.coefficients(anchor.B),
                status=progress.status,
                history=progress.history,
                unfinished=np.abs(direction[:-1]),
                deficient=descent.deficient,
                solver=descent.preconditioner.name,
                scale=scale,
                gradient=anchor.gradient - objective.penalty_curvature.T * anchor.B,
            )
        trial_B = anchor.B + length * direction
        sums = rows.of(live).sums(scale.coefficients(trial_B)[:, live], descent.wants).spread(live)
        trial = objective.point(trial_B, sums)
        before, step = anchor, length
        accepted, length = judge(anchor, trial, direction, length, descent.preconditioner.exact)
        accepted &= live
        anchor = anchor.where(accepted, trial)
