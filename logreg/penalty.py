"""What is preferred among coefficients that fit alike: ridge, elastic net, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from logreg.sums import Array

STRONGEST = 1e300  # ridge that leaves room for products


@dataclass(frozen=True)
class Ridge:
    """``sum_j strength_jk / 2 * w_jk**2`` for K models, on coefficients in the user's units; never on the intercept.

    Parameters
    ----------
    strength : ndarray of shape (K,) or (d, K)
        ``lam = 1 / (C * S)`` on the scale of the mean loss, for all coefficients of a model or one by one; 0 is no
        penalty.
    """

    strength: Array

    @classmethod
    def of_factors(cls, strength: Array, factor: Array, spread: Array | float = 1.0) -> Ridge:
        """Return ``strength_k * factor_j / 2 * (spread_j w_jk)**2``; an infinite factor keeps w_j at 0.

        The spreads are one a column, or of columns and models, (d, K).
        """
        if np.all(factor == 1.0) and np.all(spread == 1.0):
            return cls(np.minimum(strength, STRONGEST))
        factor = factor[:, None]
        spread = np.asarray(spread) if np.ndim(spread) != 1 else np.asarray(spread)[:, None]
        included = np.minimum(strength * np.where(np.isinf(factor), 0.0, factor) * np.square(spread), STRONGEST)
        return cls(np.where(np.isinf(factor), STRONGEST, included))

    def of(self, models: np.ndarray) -> Ridge:
        """Return the penalty of some models."""
        return Ridge(self.strength[..., models])

    @property
    def free(self) -> np.ndarray:
        """Mask of the models with an unpenalised coefficient, shape (K,)."""
        zero: np.ndarray = np.atleast_2d(self.strength) == 0
        return np.asarray(zero.any(axis=0))

    def curvature(self, unit: Array) -> Array:
        """Return the diagonal of its curvature in coordinates ``w_j / unit_j``, shape (K, d + 1).

        That is all there is to a ridge: ``c B`` is its gradient there, ``c B**2 / 2`` its value.
        """
        squared = self.strength * (unit[:-1] ** 2)[:, None]
        curvature = np.zeros((squared.shape[1], len(unit)))
        curvature[:, :-1] = squared.T
        return curvature

    def plus(self, strength: Array) -> Ridge:
        """Return this penalty made stronger by ``strength`` of shape (d,)."""
        return Ridge(self.strength + strength[:, None])


@dataclass(frozen=True)
class ElasticNet:
    """``sum_j l1_j |w_j| + l2_j / 2 * w_j**2`` for one model, in the user's units; never on the intercept.

    Parameters
    ----------
    l1, l2 : ndarray of shape (d,)
        On the scale of the mean loss. A column of infinite l1 is excluded: its coefficient is 0, as it must be from the
        start.
    low, high : ndarray of shape (d,)
        Bounds of the coefficients, with 0 between them.
    bounded : bool
        Whether there are any.
    """

    l1: Array
    l2: Array
    low: Array
    high: Array
    bounded: bool

    @classmethod
    def of_factors(
        cls, l1_ratio: float, factor: Array, spread: Array | float = 1.0, bounds: tuple[Array, Array] | None = None
    ) -> ElasticNet:
        """Return ``factor_j * (l1_ratio |v_j| + (1 - l1_ratio) / 2 * v_j**2)`` with ``v_j = spread_j w_j``."""
        included = np.where(np.isinf(factor), 0.0, factor)
        l1 = np.where(np.isinf(factor), np.inf, l1_ratio * included * spread)
        low, high = bounds or (np.full(len(factor), -np.inf), np.full(len(factor), np.inf))
        return cls(l1, (1.0 - l1_ratio) * included * np.square(spread), low, high, bounds is not None)

    @classmethod
    def nothing(cls, n_columns: int) -> ElasticNet:
        """Return no penalty and no bounds."""
        return cls.of_factors(1.0, np.zeros(n_columns))

    def times(self, strength: float) -> ElasticNet:
        """Return this penalty made so many times as strong."""
        included = np.where(self.excluded, 0.0, self.l1)
        return replace(self, l1=np.where(self.excluded, np.inf, strength * included), l2=strength * self.l2)

    def take(self, columns: np.ndarray) -> ElasticNet:
        """Return the penalty on some columns."""
        l1, l2, low, high = (part[columns] for part in (self.l1, self.l2, self.low, self.high))
        return ElasticNet(l1, l2, low, high, self.bounded)

    @property
    def arrays(self) -> tuple[Array, Array, Array, Array]:
        """l1, l2 and bounds as compiled kernels take them."""
        l1, l2, low, high = (np.ascontiguousarray(part) for part in (self.l1, self.l2, self.low, self.high))
        return l1, l2, low, high

    @property
    def free(self) -> np.ndarray:
        """Mask of the columns that are neither penalised nor bounded."""
        free: np.ndarray = (self.l1 == 0.0) & (self.l2 == 0.0) & np.isinf(self.low) & np.isinf(self.high)
        return free

    @property
    def excluded(self) -> np.ndarray:
        """Mask of the columns that are left out."""
        return np.isinf(self.l1)

    def clipped(self, w: Array) -> Array:
        """Return the coefficients nearest to w of shape (d,) that the bounds and exclusions allow."""
        return np.where(self.excluded, 0.0, np.clip(w, self.low, self.high))

    def value(self, w: Array) -> float:
        """Return the penalty at coefficients of shape (d,)."""
        there = np.flatnonzero(w)
        w = w[there]
        return float(self.l1[there] @ np.abs(w) + self.l2[there] @ (w * w) / 2.0)

    def felt(self, slope: Array) -> Array:
        """Return the size of slopes at 0, in the directions that the bounds leave open."""
        size = np.abs(slope)
        return size * np.where(slope < 0, self.high > 0, self.low < 0) if self.bounded else size

    def violation(self, w: Array, gradient: Array) -> Array:
        """Return how far each coefficient is from satisfying its optimality condition, shape (d,), 0 at the optimum.

        With the gradient g of the mean loss: ``|g_j + l2_j w_j + l1_j sign(w_j)|`` where w_j is not 0, unless it is
        held by its bound; and where it is 0, by how much ``|g_j|`` exceeds l1_j, unless bounds allow no such move.
        """
        slope = gradient + self.l2 * w
        at_zero = np.maximum(self.felt(slope) - self.l1, 0.0)
        there = w != 0
        pull = slope + np.where(there, self.l1, 0.0) * np.sign(w)
        found: Array = np.where(there, np.abs(pull), at_zero)
        if self.bounded:
            found[there & (((w >= self.high) & (pull < 0)) | ((w <= self.low) & (pull > 0)))] = 0.0
        return found

    def slope(self, w: Array, direction: Array, ahead: bool) -> float:
        """Return its derivative along a direction, ahead of w or behind it: where w_j is 0 they differ."""
        moves = np.flatnonzero(direction)
        w, direction, l1, l2 = w[moves], direction[moves], self.l1[moves], self.l2[moves]
        of_sizes = np.where(w != 0, np.sign(w) * direction, np.abs(direction) if ahead else -np.abs(direction))
        return float(l1 @ of_sizes + l2 @ (w * direction))

    def conjugate(self, u: Array) -> tuple[float, float]:
        """Return the largest share of u of shape (d,) with a finite conjugate, and the conjugate of that share.

        The conjugate is ``sum_j max over w_j of u_j w_j - l1_j |w_j| - l2_j w_j**2 / 2``, within the bounds.
        """
        bound = np.where(u > 0, self.high, -self.low)
        endless = np.isinf(bound) & (self.l2 == 0.0) & ~self.free & (np.abs(u) > self.l1)
        share = float(np.divide(self.l1, np.abs(u), out=np.ones_like(u), where=endless).min(initial=1.0))
        excess = np.where(endless | self.free, 0.0, np.maximum(share * self.felt(-u) - self.l1, 0.0))
        moves = excess > 0.0
        excess, l2, bound = excess[moves], self.l2[moves], bound[moves]
        w = np.minimum(np.divide(excess, l2, out=np.full_like(excess, np.inf), where=l2 > 0), bound)
        return share, float((excess * w - l2 * w**2 / 2.0).sum())
