"""The coordinates of the descent: columns centred and of unit curvature, as a small matrix on sums, not a copy of X.

Coefficients W and coordinates B are linked by ``W = T B``:

    w_j = unit_j * B_j,        b = B_d - sum_j center_j * w_j

so gradients become ``T' g`` and curvatures ``T' H T``. With curvature-weighted column means as centers the intercept
is orthogonal to all columns, which decouples it; with unit curvature no column's units matter. A column that does
not vary has unit 0: its coordinate is frozen at 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from logreg.sums import Array, Sums

CONSTANT = 1e-12  # centred over raw curvature of a column from which on it is rounding


@dataclass(frozen=True)
class Scale:
    """The map T between coefficients and coordinates.

    Parameters
    ----------
    center, unit : ndarray of shape (d + 1,)
        The last entries are the intercept's: 0, and 1, or 0 where there is no intercept. Then no column is centred.
    """

    center: Array
    unit: Array

    @classmethod
    def from_sums(cls, sums: Sums, strength: Array, intercept: bool) -> Self:
        """Return the coordinates in which the curvature of these sums plus the penalty's has a unit diagonal.

        One set of coordinates serves K models: their curvatures are averaged and the smallest penalty is taken.
        """
        diagonal, cross = (part.mean(axis=0) / sums.weight.mean() for part in sums.diagonal())
        center = cross / diagonal[-1] if intercept and diagonal[-1] > 0 else np.zeros_like(cross)
        center[-1] = 0.0
        total = diagonal - center * cross
        total[total <= CONSTANT * diagonal] = 0.0
        total[:-1] += strength.min(axis=-1)
        unit = np.divide(1.0, np.sqrt(total), out=np.zeros_like(total), where=total > 0)
        unit[-1] = intercept
        return cls(center, unit)

    def of(self, columns: np.ndarray | None) -> Scale:
        """Return the coordinates of some columns (None: all) and the intercept."""
        if columns is None:
            return self
        chosen = np.append(columns, len(self.unit) - 1)
        return Scale(self.center[chosen], self.unit[chosen])

    def coefficients(self, B: Array) -> Array:
        """Return ``W = T B``, shape (d + 1, K)."""
        W = self.unit[:, None] * B
        W[-1] -= self.center @ W
        return W

    def coordinates(self, W: Array) -> Array:
        """Return the B with ``T B = W``; 0 for frozen columns."""
        unit = self.unit[:, None]
        B = np.divide(W, unit, out=np.zeros_like(W), where=unit > 0)
        B[-1] += self.center @ (unit * B)
        return B

    def gradient(self, gradient: Array) -> Array:
        """Return ``T' g``, shape (d + 1, K)."""
        scaled: Array = gradient - self.center[:, None] * gradient[-1]
        scaled *= self.unit[:, None]
        return scaled

    def raw_gradient(self, scaled: Array) -> Array:
        """Return the g with ``T' g`` as given; 0 for frozen columns."""
        unit = self.unit[:, None]
        g: Array = np.divide(scaled, unit, out=np.zeros_like(scaled), where=unit > 0)
        g += self.center[:, None] * g[-1]
        return g

    def curvature(self, H: Array) -> Array:
        """Return ``T' H T`` of one (d + 1, d + 1) curvature, or of several."""
        scaled: Array = H - self.center[:, None] * H[..., -1:, :]
        scaled -= scaled[..., -1:] * self.center
        scaled *= self.unit
        scaled *= self.unit[:, None]
        return scaled


def spreads(sums: Sums) -> Array:
    """Return the weighted standard deviations of the columns, 1 of constant ones, from sums at coefficients of 0."""
    diagonal, cross = (part[0] for part in sums.diagonal())
    mean = cross[:-1] / cross[-1]
    square = diagonal[:-1] / cross[-1]
    variance = square - mean**2
    spread: Array = np.sqrt(np.where(variance > CONSTANT * square, variance, 1.0))
    return spread
