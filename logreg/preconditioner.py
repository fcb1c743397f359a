"""Preconditioners: one dial from the textbook's step to Newton's, all read off the sigmoid's own derivative p (1 - p).

Identity (a number), the diagonal of the curvature, the curvature of a sample of the rows, the curvature of all rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from logreg.factor import Factor, FactorStack
from logreg.objective import Objective, Point
from logreg.sums import Array, CurvatureKind, Sums

STACKED, STACKED_COLUMNS = 8, 64  # models, of at most so many columns, whose curvatures are factorised together


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
    price : float
        What a fresh P costs, in passes over all rows.
    memory : int
        Pairs of the limited memory that go well with it.
    exact : bool
        Whether it is the curvature at every point.
    deficient : bool
        Whether the curvature was found singular to rounding.
    """

    name: str
    wants: CurvatureKind = "none"
    exact = False
    caution = 1.0
    price = 0.0
    memory = 0
    deficient = False

    @abstractmethod
    def learn(self, point: Point, accepted: np.ndarray, sums: Sums, objective: Objective) -> bool:
        """Take what a pass at a point brought for the models that accepted it; tell if P is a new one."""

    def secant(self, step: Array, change: Array) -> None:  # noqa: B027
        """Hear of the last steps and the changes of the gradient along them, each (d + 1, K)."""

    def renew(self, point: Point, models: np.ndarray, objective: Objective, more_rows: bool) -> bool:
        """Take fresh curvature at a point for some models, or with the next pass; tell if that is done already."""
        return False

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
        renewed = self.ruler.learn(point, accepted, sums, objective)
        if not renewed and distance < 0.1 * self.renewed_at:
            renewed = self.ruler.renew(point, accepted, objective, more_rows=False)
        if renewed:
            self.renewed_at = self.distance(point.gradient, point.gradient).max()
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
    """The curvature's diagonal, about the means of the columns: for data too wide for a matrix.

    With curvature-weighted means h, their total s and the diagonal A of the curvature about them, the intercept is
    decoupled: ``d_w = A^-1 (g_w - h g_b)`` and ``d_b = g_b / s - h . d_w``. Without an intercept P is ``A + s h h'``.
    It is renewed early, then every tenth pass. 2 d numbers and flops a model.
    """

    name = "diagonal"
    wants: CurvatureKind = "diagonal"
    memory = 10
    caution = 10.0**0.5

    def __init__(self) -> None:
        self.n_learnt = 0
        self.spread, self.mean, self.total = np.empty((3, 0, 0))
        self.has_intercept = True

    def learn(self, point: Point, accepted: np.ndarray, sums: Sums, objective: Objective) -> bool:
        """Renew the diagonal when the pass brought one."""
        renewed = sums.curvature is not None
        if renewed:
            diagonal = objective.diagonal(sums)
            mean, total = objective.means(sums)
            around = np.maximum(diagonal - total * mean**2, 1e-3 * diagonal)
            new = (around + objective.penalty_curvature, mean, total)
            old = (self.spread, self.mean, self.total) if self.n_learnt else new
            keep = accepted[:, None]
            self.spread, self.mean, self.total = (np.where(keep, a, b) for a, b in zip(new, old, strict=True))
            self.has_intercept = bool(objective.scale.unit[-1] > 0)
        self.n_learnt += 1
        self.wants = "diagonal" if self.n_learnt in (1, 3, 5) or self.n_learnt % 10 == 9 else "none"
        return False  # pairs stay useful: they hold what no diagonal does

    def apply(self, gradient: Array) -> Array:
        """Return ``P^-1 g``."""
        mean = self.mean.T
        if self.has_intercept:
            direction = self._divided(gradient - mean * gradient[-1])
            direction[-1] -= (mean[:-1] * direction[:-1]).sum(axis=0)
            return direction
        direction, pull = self._divided(gradient), self._divided(mean)  # Sherman and Morrison
        total = self.total[:, 0]
        direction -= pull * (total * (mean * direction).sum(axis=0) / (1.0 + total * (mean * pull).sum(axis=0)))
        return direction

    def _divided(self, centred: Array) -> Array:
        spread = self.spread.T
        divided: Array = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
        return divided


class FullCurvature(Preconditioner):
    """The curvature of all rows at every point: Newton's method, iteratively reweighted least squares.

    ``2 n d**2`` flops a pass and ``d**3 / 3`` for the factor.
    """

    name = "newton"
    wants: CurvatureKind = "full"
    exact = True

    def __init__(self, n_models: int) -> None:
        self.factors: list[Factor | FactorStack | None] = [None] * n_models
        self.places = np.zeros(n_models, dtype=np.intp)  # of the models in their stacks

    @property
    def deficient(self) -> bool:  # type: ignore[override]
        """Whether some model's curvature is singular to rounding."""
        return any(factor is not None and factor.deficient for factor in self.factors)

    def learn(self, point: Point, accepted: np.ndarray, sums: Sums, objective: Objective) -> bool:
        """Factorise the curvature of the models that accepted the point."""
        models = np.flatnonzero(accepted)
        H = objective.curvature(sums, models)
        np.einsum("kjj->kj", H)[:] += objective.penalty_curvature[models]
        self.factorise(models, H)
        return True

    def factorise(self, models: np.ndarray, H: Array) -> None:
        """Take curvatures (m, d + 1, d + 1) of some models, together where they are many and small."""
        if len(models) >= STACKED and H.shape[-1] <= STACKED_COLUMNS:
            stack = FactorStack(H)
            self.places[models] = np.arange(len(models))
            for k in models.tolist():
                self.factors[k] = stack
        else:
            for k, of_model in zip(models.tolist(), H, strict=True):
                self.factors[k] = Factor(of_model)

    def apply(self, gradient: Array) -> Array:
        """Return ``H^-1 g``; models that share a factor, or whose factors are stacked, are solved for together."""
        solved = gradient.copy()
        sharing: dict[Factor | FactorStack, list[int]] = {}
        for k, factor in enumerate(self.factors):
            if factor is not None:
                sharing.setdefault(factor, []).append(k)
        for factor, models in sharing.items():
            if isinstance(factor, FactorStack):
                solved[:, models] = factor.solve(gradient[:, models], self.places[models])
            else:
                solved[:, models] = factor.solve(gradient[:, models])
        return solved
