"""What is minimised, and where the descent stands on it: value, gradient and curvature in the coordinates of T."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from logreg.penalty import Ridge
from logreg.scale import Scale
from logreg.sums import Array, Sums


class Point(NamedTuple):
    """Coordinates B of K models, shape (d + 1, K), with the objective (K,) and its gradient (d + 1, K) there."""

    B: Array
    value: Array
    gradient: Array

    def where(self, chosen: np.ndarray, other: Point) -> Point:
        """Return a point that is ``other`` for the chosen models and this one for the rest."""
        if chosen.all():
            return other
        return Point(*(np.where(chosen, theirs, ours) for theirs, ours in zip(other, self, strict=True)))


class Objective:
    """``F(w, b) = (1/S) sum_i s_i loss(y_i, x_i.w + b) + penalty(w)``, read off the sums of a pass.

    Attributes
    ----------
    scale : Scale
    penalty_curvature : ndarray of shape (K, d + 1)
        The diagonal that the penalty adds to the curvature in coordinates.
    """

    def __init__(self, scale: Scale, penalty: Ridge) -> None:
        self.scale = scale
        self.penalty_curvature = penalty.curvature(scale.unit)

    def point(self, B: Array, sums: Sums) -> Point:
        """Return the point at B, given the sums over the rows there."""
        pull = self.penalty_curvature.T * B
        value = sums.loss / sums.weight + 0.5 * (pull * B).sum(axis=0)
        return Point(B, value, self.scale.gradient(sums.gradient / sums.weight) + pull)

    def curvature(self, sums: Sums, k: int | np.ndarray) -> Array:
        """Return the curvature of the mean loss of model k in coordinates, without the penalty; or of several."""
        assert sums.curvature is not None
        return self.scale.curvature(sums.curvature[k] / sums.weight[k][..., None, None])

    def diagonal(self, sums: Sums) -> Array:
        """Return the diagonal of the same curvatures, (K, d + 1)."""
        diagonal, cross = (part / sums.weight[:, None] for part in sums.diagonal())
        center, total = self.scale.center, diagonal[:, -1:]
        found: Array = self.scale.unit**2 * np.maximum(diagonal - center * (2.0 * cross - center * total), 0.0)
        return found

    def means(self, sums: Sums) -> tuple[Array, Array]:
        """Return the curvature-weighted means of the columns in coordinates, (K, d + 1), and total curvatures, (K, 1).

        The product of the two is the intercept's row of the curvature, but for its own entry, which is 0 here. Without
        an intercept there is no such row, but the columns have means all the same.
        """
        diagonal, cross = sums.diagonal()
        total = diagonal[:, -1:]
        mean = np.divide(cross, total, out=np.zeros_like(cross), where=total > 0) - self.scale.center
        mean *= self.scale.unit
        mean[:, -1] = 0.0
        return mean, total / sums.weight[:, None]
