"""When a descent stops, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np

from logreg.sums import Array

STILL = 10  # passes in a row without progress, with all promised progress below rounding, after which rounding has won
ROUNDING = 1e-18  # promised relative progress that is rounding
GROWTH = 0.05  # step, in standard errors at the start, that no coefficient takes this near to an optimum
GROWING = 3  # such steps in a row that tell a coefficient on its way to infinity from one about to arrive
LOG_2 = float(np.log(2.0))


class Status(Enum):
    """How a descent ended; the value is the sentence for the user where it is a problem."""

    RUNNING = "still running"
    CONVERGED = "converged"
    ROUNDING = "converged as far as floating-point sums can resolve"
    SEPARATED = (
        "A combination of the columns separates the outcomes, perfectly or in part, so without a penalty there is no "
        "finite optimum: coefficients would grow without end, fastest those of {columns}; use a penalty, for example "
        "C=1.0, or leave such columns out."
    )
    OUT_OF_PASSES = (
        "After max_iter={n_passes} passes the coefficients are still {decrement:.2g} standard errors from the "
        "optimum, farthest for {columns}; raise max_iter, or use a stronger penalty (a smaller C)."
    )
    STOPPED = "stopped by a callback"

    @property
    def is_optimum(self) -> bool:
        """Whether the coefficients are the answer."""
        return self in (Status.CONVERGED, Status.ROUNDING)


class Pass(NamedTuple):
    """What one pass over all rows found, for each of K models: a line of the history."""

    objective: Array
    decrement: Array
    step: Array
    accepted: np.ndarray


@dataclass(frozen=True)
class Limits:
    """When to stop and whom to tell.

    Parameters
    ----------
    tol : float
        Distance to the optimum, in standard errors of the coefficients.
    max_iter : int
        Passes over all rows.
    on_pass : callable, default=None
        Called after every pass with the coefficients (d + 1, K) and the :class:`Pass`; True stops the fit.
    """

    tol: float = 1e-4
    max_iter: int = 100
    on_pass: Callable[[Array, Pass], bool] | None = None


class Progress:
    """Follows K models from pass to pass and says which are still on their way.

    Parameters
    ----------
    limits : Limits
    free : ndarray of bool, shape (K,)
        Models with an unpenalised coefficient may have no finite optimum, and are watched for that.
    smallest_weight : float
        Smallest positive weight of a row: a total loss below ``log(2)`` times this proves that every row is on its
        right side, which is complete separation.
    """

    def __init__(self, limits: Limits, free: np.ndarray, smallest_weight: float) -> None:
        self.limits, self.free, self.smallest_weight = limits, free, smallest_weight
        self.history: list[Pass] = []
        self.status = [Status.RUNNING] * len(free)
        self.live = np.ones(len(free), dtype=bool)  # mask of the models that need another pass
        self.best = np.full(len(free), np.inf)
        self.still = np.zeros(len(free), dtype=int)
        self.growing = np.zeros(len(free), dtype=int)

    def record(self, found: Pass, total_weight: Array, direction: Array, stopped: bool = False) -> None:
        """Take in what a pass found, the columns' step in coordinates that would come next, and if the user stops."""
        self.history.append(found)
        near = found.decrement <= self.limits.tol
        if self.free.any():
            self._watch(found, near, total_weight, direction)
        self._settle(near & (self.growing == 0), Status.CONVERGED)
        better = found.decrement < 0.9 * self.best
        self.best = np.minimum(self.best, found.decrement)
        self.still = np.where(better, 0, self.still + 1)
        if self.still.max() >= STILL:
            below_rounding = found.decrement**2 <= ROUNDING * total_weight * np.abs(found.objective)
            self._settle((self.still >= STILL) & below_rounding, Status.ROUNDING)
        if stopped:
            self._settle(self.live, Status.STOPPED)
        if len(self.history) >= self.limits.max_iter:
            self._settle(self.live, Status.OUT_OF_PASSES)

    def _watch(self, found: Pass, near: np.ndarray, total_weight: Array, direction: Array) -> None:
        large_step = np.sqrt(total_weight) * np.abs(direction).max(axis=0, initial=0.0) > GROWTH
        self.growing = np.where(self.free & near & large_step, self.growing + found.accepted, 0)
        all_right = found.objective * total_weight < LOG_2 * self.smallest_weight
        self._settle(self.free & (all_right | (self.growing >= GROWING)), Status.SEPARATED)

    def _settle(self, models: np.ndarray, status: Status) -> None:
        for k in np.flatnonzero(self.live & models).tolist():
            self.status[k] = status
            self.live[k] = False
