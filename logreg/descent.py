"""Directions: the gradient divided by a preconditioner, and what that misses from a limited memory of past steps.

Here it is also decided when a preconditioner is worth renewing.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from logreg.limited import LimitedMemory
from logreg.objective import Objective, Point
from logreg.preconditioner import Preconditioner
from logreg.sampled import GROWTH
from logreg.sums import Array, CurvatureKind, Sums

CONTRACTION = 0.2  # share of the distance to the optimum that a pass with fresh curvature may be hoped to leave
LEAST_PROMISE = 0.7  # the same after it has brought less
DOUBTFUL = 0.05  # standard errors within which only fresh curvature tells an optimum from separated classes
RECENT = 2  # steps over which contraction is judged: one alone may be an outlier
FAR = 0.3  # mean change of the scores by the next step from which on curvature changes more than samples of it differ


class Descent:
    """A preconditioner with a limited memory on top: directions for K models at once.

    Parameters
    ----------
    preconditioner : Preconditioner
    tol : float
        Distance to the optimum at which the descent will stop.
    free : ndarray of bool, shape (K,)
        Models without a penalty, whose optimum is believed on fresh curvature only.
    """

    def __init__(self, preconditioner: Preconditioner, tol: float = 0.0, free: np.ndarray | bool = False) -> None:
        self.preconditioner, self.tol, self.free = preconditioner, tol, free
        self.memory = LimitedMemory(preconditioner.memory)
        self.gradient, self.solved = np.empty(0), np.empty(0)  # of the last point, and P^-1 times it
        self.sizes: deque[Array] = deque()  # distances to the optimum at the last points since P was new
        self.n_fresh, self.promise = 0, CONTRACTION

    @property
    def wants(self) -> CurvatureKind:
        """The curvature that the next pass shall bring."""
        return self.preconditioner.wants

    @property
    def deficient(self) -> bool:
        """Whether the curvature was found singular to rounding."""
        return self.preconditioner.deficient

    def learn(self, before: Point, point: Point, accepted: np.ndarray, sums: Sums, objective: Objective) -> None:
        """Take what the last pass brought; ``before`` is where the models stood until then."""
        if self.preconditioner.learn(point, accepted, sums, objective):
            self._forget()
            return
        step, change = point.B - before.B, point.gradient - before.gradient
        moved = step.any(axis=0)
        if not moved.any():
            return
        self.preconditioner.secant(step, change)
        if sums.curvature is not None:  # P may be another one than at the last pass
            self.gradient = np.empty(0)
            self.memory.renew(self.preconditioner.apply)
        solved_before = self._solve(before.gradient)
        solved = self._solve(point.gradient)
        self.memory.remember(step, change, solved - solved_before)
        size, size_before = (
            np.sqrt((g * v).sum(axis=0)) for g, v in ((point.gradient, solved), (before.gradient, solved_before))
        )
        self.sizes = self.sizes or deque([size_before], RECENT + 1)
        self.sizes.append(size)
        poor, more_rows = self._consider(np.sqrt(sums.weight) * size, far=bool((size_before > FAR).any()))
        poor &= moved
        if poor.any() and self.preconditioner.renew(point, poor, objective, more_rows):
            self._forget()

    def _forget(self) -> None:
        self.memory.forget()
        self.gradient = np.empty(0)
        self.sizes.clear()
        self.n_fresh += 1

    def _consider(self, distance: Array, far: bool) -> tuple[np.ndarray, bool]:
        """Tell for which models fresh curvature costs less than the passes that it saves, and if from more rows.

        Fresh curvature promises what it brought the last time, more rows half of that: a sample's error goes with the
        root of its size. Far from the optimum curvature goes stale in a step, from however many rows it is.
        """
        left_of_it = np.divide(self.sizes[-1], self.sizes[0], out=np.zeros_like(distance), where=self.sizes[0] > 0)
        contraction = np.clip(left_of_it ** (1 / (len(self.sizes) - 1)), 1e-3, 0.99)
        if self.n_fresh > 1 and len(self.sizes) <= RECENT:
            self.promise = min(max(CONTRACTION, float(contraction.max())), LEAST_PROMISE)
        left = np.log(np.maximum(distance / max(self.tol, 1e-9), 1.0))
        price = self.preconditioner.price
        renewing = price + left / -np.log(self.promise)
        growing = GROWTH * price + 1.0 + left / -np.log(self.promise / GROWTH**0.5) if not far else np.inf
        poor = left / -np.log(contraction) > np.minimum(renewing, growing)
        poor |= self.free & (distance <= min(self.tol, DOUBTFUL))
        return poor, bool((growing < renewing).any())

    def _solve(self, gradient: Array) -> Array:
        if gradient is not self.gradient:  # solving is most of what a wide model costs beside its passes
            self.gradient, self.solved = gradient, self.preconditioner.apply(gradient)
        return self.solved

    def direction(self, gradient: Array) -> Array:
        """Return the direction of descent, shape (d + 1, K)."""
        return self.memory.direction(gradient, self._solve(gradient))

    def distance(self, gradient: Array, direction: Array) -> Array:
        """Return the Newton decrement of each model, for a mean loss."""
        return self.preconditioner.distance(gradient, direction)
