"""Directions: the gradient, preconditioned by the sigmoid's own derivative p (1 - p).

One dial from cheap to full: identity (the textbook), the diagonal of the curvature, the curvature of a sample of the
rows, the curvature of all rows (Newton). What the preconditioner misses, a limited memory of past steps and gradient
changes supplies.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import Protocol

import numpy as np

from logreg.factor import Factor
from logreg.objective import Objective, Point
from logreg.sums import Array, CurvatureKind, Sums

CONTRACTION = 0.3  # a pass that leaves more than this of the distance to the optimum calls for fresh curvature
MISJUDGED = 4.0  # factor by which a sampled column's curvature is off when only few of its rows were drawn
UNSEEN = 1e-3  # share of a column's curvature, in directions of which a sample shows none


class RowSource(Protocol):
    """Rows whose curvature can be taken, of all or of a sample."""

    def sums(self, W: Array, kind: CurvatureKind = "none") -> Sums:
        """Return the sums over the rows."""

    def sample(self, n_rows: int, seed: int) -> RowSource:
        """Return a sample of them, or themselves where they are no more."""


class Preconditioner(ABC):
    """P in ``B <- B - t * P^-1 * gradient``.

    Attributes
    ----------
    name : str
        What a user reads in ``solver_``.
    wants : {"none", "diagonal", "full"}
        The curvature it asks of the next pass.
    caution : float
        By how much ``sqrt(g' P^-1 g)`` may fall short of the distance to the optimum.
    memory : int
        Pairs of the limited memory that go well with it.
    deficient : bool
        Whether the curvature was found singular to rounding.
    """

    name: str
    wants: CurvatureKind = "none"
    caution = 1.0
    memory = 0
    deficient = False

    @abstractmethod
    def learn(self, point: Point, accepted: np.ndarray, sums: Sums, objective: Objective) -> bool:
        """Take what a pass at a point brought for the models that accepted it; tell if P is a new one."""

    def secant(self, step: Array, change: Array) -> None:  # noqa: B027
        """Hear of the last steps and the changes of the gradient along them, each (d + 1, K)."""

    def disappoint(self) -> None:  # noqa: B027
        """Hear that the last direction contracted badly or overshot."""

    @abstractmethod
    def apply(self, gradient: Array) -> Array:
        """Return ``P^-1 g`` for K gradients, shape (d + 1, K)."""

    def distance(self, gradient: Array, direction: Array) -> Array:
        """Return ``sqrt(g' P^-1 g)`` of each model, where the direction is ``-P^-1 g``: the Newton decrement."""
        squared: Array = -(gradient * direction).sum(axis=0)
        return self.caution * np.sqrt(np.maximum(squared, 0.0))


class Identity(Preconditioner):
    """Textbook gradient descent: P is a number.

    It is the one that would have been exact for the step before (Barzilai and Borwein, 1988). A second
    preconditioner, the ruler, takes no part in the steps: it measures how far away the optimum is, and is renewed
    each time that distance has fallen to a tenth.
    """

    name = "gradient-descent"

    def __init__(self, ruler: Preconditioner) -> None:
        self.length: Array | float = 1.0
        self.ruler = ruler
        self.renewed_at = np.inf

    @property
    def wants(self) -> CurvatureKind:  # type: ignore[override]
        """What the ruler wants."""
        return self.ruler.wants

    def learn(self, point: Point, accepted: np.ndarray, sums: Sums, objective: Objective) -> bool:
        """Let the ruler learn from the curvature."""
        distance = self.distance(point.gradient, point.gradient).max() if np.isfinite(self.renewed_at) else np.inf
        if self.ruler.learn(point, accepted, sums, objective):
            self.renewed_at = self.distance(point.gradient, point.gradient).max()
        elif distance < 0.1 * self.renewed_at:
            self.ruler.disappoint()
        return False

    def secant(self, step: Array, change: Array) -> None:
        """Set the length to ``s'y / y'y`` of step s and change y."""
        slope, size = (step * change).sum(axis=0), np.square(change).sum(axis=0)
        self.length = np.where(slope > 0, slope / np.where(size > 0, size, 1.0), self.length)

    def apply(self, gradient: Array) -> Array:
        """Return the gradient times the length."""
        return self.length * gradient

    def distance(self, gradient: Array, direction: Array) -> Array:
        """Return the distance that the ruler measures."""
        return self.ruler.distance(gradient, -self.ruler.apply(gradient))


class Diagonal(Preconditioner):
    """The curvature's diagonal, with the intercept decoupled from the columns: for data too wide for a matrix.

    With curvature-weighted means h and their total s, ``d_w = A^-1 (g_w - h g_b)`` and ``d_b = g_b / s - h . d_w``.
    It is renewed early, then every tenth pass. 2 d numbers and flops a model.
    """

    name = "diagonal"
    wants: CurvatureKind = "diagonal"
    memory = 10
    caution = 10.0**0.5

    def __init__(self) -> None:
        self.n_learnt = 0
        self.spread, self.mean = np.empty((0, 0)), np.empty((0, 0))

    def learn(self, point: Point, accepted: np.ndarray, sums: Sums, objective: Objective) -> bool:
        """Renew the diagonal when the pass brought one."""
        renewed = sums.curvature is not None
        if renewed:
            diagonal, cross = objective.diagonal(sums)
            total = diagonal[:, -1:]
            mean = np.divide(cross, total, out=np.zeros_like(cross), where=total > 0)
            mean[:, -1] = 0.0
            spread = np.maximum(diagonal - total * mean**2, 1e-3 * diagonal) + objective.penalty_curvature()
            old = (self.spread, self.mean) if self.n_learnt else (spread, mean)
            keep = accepted[:, None]
            self.spread, self.mean = (np.where(keep, new, kept) for new, kept in zip((spread, mean), old, strict=True))
        self.n_learnt += 1
        self.wants = "diagonal" if self.n_learnt in (1, 3, 5) or self.n_learnt % 10 == 9 else "none"
        return False  # pairs stay useful: they hold what no diagonal does

    def apply(self, gradient: Array) -> Array:
        """Return ``P^-1 g`` with the intercept decoupled."""
        mean, spread = self.mean.T, self.spread.T
        centred = gradient - mean * gradient[-1]
        direction: Array = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
        direction[-1] -= (mean[:-1] * direction[:-1]).sum(axis=0)
        return direction


class FullCurvature(Preconditioner):
    """The curvature of all rows at every point: Newton's method, iteratively reweighted least squares.

    ``2 n d**2`` flops a pass and ``d**3 / 3`` for the factor.
    """

    name = "newton"
    wants: CurvatureKind = "full"

    def __init__(self, n_models: int) -> None:
        self.factors: list[Factor | None] = [None] * n_models

    @property
    def deficient(self) -> bool:  # type: ignore[override]
        """Whether some model's curvature is singular to rounding."""
        return any(factor is not None and factor.deficient for factor in self.factors)

    def learn(self, point: Point, accepted: np.ndarray, sums: Sums, objective: Objective) -> bool:
        """Factorise the curvature of the models that accepted the point."""
        penalty = objective.penalty_curvature()
        for k in np.flatnonzero(accepted).tolist():
            self.factors[k] = Factor(objective.curvature(sums, k) + np.diag(penalty[k]))
        return True

    def apply(self, gradient: Array) -> Array:
        """Return ``H^-1 g``, model by model."""
        columns = [factor.solve(g) if factor else g for factor, g in zip(self.factors, gradient.T, strict=True)]
        return np.stack(columns, axis=1)


class SampledCurvature(FullCurvature):
    """The curvature of a sample of the rows, its diagonal made exact by the pass over all of them.

    It is kept as long as it contracts well, renewed where the descent stands when it does not, and drawn from four
    times the rows when even that was not enough. Costs ``2 m d**2`` flops a renewal for m sampled rows.
    """

    name = "sampled-curvature"
    wants: CurvatureKind = "diagonal"
    memory = 10

    def __init__(self, n_models: int, rows: RowSource, n_sampled: int, seed: int) -> None:
        super().__init__(n_models)
        self.all_rows, self.n_sampled, self.seed = rows, n_sampled, seed
        self.rows = rows.sample(n_sampled, seed)
        self.n_renewed = 0

    def learn(self, point: Point, accepted: np.ndarray, sums: Sums, objective: Objective) -> bool:
        """Renew the curvature of the models that accepted the point, when the pass brought its diagonal."""
        if sums.curvature is None or not accepted.any():
            return False
        self.wants = "none"
        if self.n_renewed > 1:
            self.n_sampled *= 4
            self.rows = self.all_rows.sample(self.n_sampled, self.seed)
        self.n_renewed += 1
        penalty = objective.penalty_curvature()
        diagonal, _ = objective.diagonal(sums)
        chosen = np.flatnonzero(accepted)
        W = objective.scale.coefficients(point.B)[:, chosen]
        sampled = self.rows.sums(W, "full")
        ridge = UNSEEN if self.rows is not self.all_rows else 0.0
        for position, k in enumerate(chosen):
            H = calibrated(objective.curvature(sampled, position), diagonal[k])
            self.factors[k] = Factor(H + np.diag(penalty[k]), ridge)
        return True

    def disappoint(self) -> None:
        """Ask the next pass for its diagonal, to renew the curvature there."""
        self.wants = "diagonal"


def calibrated(H: Array, diagonal: Array) -> Array:
    """Return a sampled curvature rescaled to an exact diagonal.

    A column that the sample shows with a quite different curvature was hardly seen in it, and varies alone.
    """
    sampled = np.diagonal(H)
    seen = (sampled > diagonal / MISJUDGED) & (sampled < diagonal * MISJUDGED)
    ratio = np.sqrt(np.divide(diagonal, sampled, out=np.zeros_like(diagonal), where=seen))
    H = H * ratio * ratio[:, None]
    np.fill_diagonal(H, diagonal)
    return H


class Descent:
    """A preconditioner with a limited memory on top: directions for K models at once.

    The memory is the two-loop recursion of L-BFGS (Nocedal, 1980) started from P instead of a multiple of the
    identity.
    """

    def __init__(self, preconditioner: Preconditioner) -> None:
        self.preconditioner = preconditioner
        self.pairs: deque[tuple[Array, Array, Array]] = deque(maxlen=preconditioner.memory)
        self.damping: Array | float = 1.0

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
        step, change = point.B - before.B, point.gradient - before.gradient
        moved = step.any(axis=0)
        if moved.any():
            self.preconditioner.secant(step, change)
        if self.preconditioner.learn(point, accepted, sums, objective):
            self.pairs.clear()
            self.damping = 1.0
        elif moved.any():
            self._remember(step, change)
            if (self._size(point) > CONTRACTION * self._size(before))[moved].any():
                self.preconditioner.disappoint()

    def _size(self, point: Point) -> Array:
        squared: Array = (point.gradient * self.preconditioner.apply(point.gradient)).sum(axis=0)
        return np.sqrt(squared)

    def _remember(self, step: Array, change: Array) -> None:
        if not self.pairs.maxlen:
            return
        product = (step * change).sum(axis=0)
        useful = product > 1e-12 * np.sqrt(np.square(step).sum(axis=0) * np.square(change).sum(axis=0))
        inverse = np.divide(1.0, product, out=np.zeros_like(product), where=useful)
        size = (change * self.preconditioner.apply(change)).sum(axis=0)
        self.damping = np.where(useful, product / np.where(useful, size, 1.0), self.damping)
        self.pairs.append((step, change, inverse))

    def direction(self, gradient: Array) -> Array:
        """Return the direction of descent, shape (d + 1, K)."""
        q = gradient.copy()
        weights = []
        for step, change, inverse in reversed(self.pairs):
            weights.append(inverse * (step * q).sum(axis=0))
            q -= weights[-1] * change
        direction = self.damping * self.preconditioner.apply(q)
        for (step, change, inverse), weight in zip(self.pairs, reversed(weights), strict=True):
            direction += (weight - inverse * (change * direction).sum(axis=0)) * step
        return -direction

    def distance(self, gradient: Array, direction: Array) -> Array:
        """Return the Newton decrement of each model, for a mean loss."""
        return self.preconditioner.distance(gradient, direction)
