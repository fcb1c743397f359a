"""Sums over the rows: all that a pass returns, and their addition.

Threads, chunks on disk and machines only decide where the parentheses of the addition go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from logreg.loss import Array

__all__ = ["Array", "CurvatureKind", "Sums"]

CurvatureKind = Literal["none", "diagonal", "full"]


@dataclass(frozen=True, slots=True)
class Sums:
    """What one pass over rows ``x_i`` of d columns adds up, for K models at once.

    Attributes
    ----------
    weight : ndarray of shape (K,)
        ``sum_i s_i``.
    loss : ndarray of shape (K,)
        ``sum_i s_i * loss(y_i, z_i)``.
    gradient : ndarray of shape (d + 1, K)
        ``sum_i s_i * (p_i - y_i) * (x_i, 1)``; the last row is the intercept's.
    curvature : ndarray or None
        ``sum_i s_i * p_i * (1 - p_i) * (x_i, 1)(x_i, 1)'``: the matrices themselves, (K, d + 1, d + 1), for
        kind "full"; for "diagonal" their diagonals and intercept rows, (K, 2, d + 1); None for "none".
    """

    weight: Array
    loss: Array
    gradient: Array
    curvature: Array | None = None

    def __add__(self, other: Sums) -> Sums:
        """Add the sums over two disjoint sets of rows."""
        curvature = None
        if self.curvature is not None and other.curvature is not None:
            curvature = self.curvature + other.curvature
        return Sums(self.weight + other.weight, self.loss + other.loss, self.gradient + other.gradient, curvature)

    def all_finite(self) -> bool:
        """Tell whether every sum is a number: NaN or infinity in a row makes them none."""
        parts = (self.loss, self.gradient) + (() if self.curvature is None else (self.curvature,))
        return all(bool(np.isfinite(part).all()) for part in parts)

    @staticmethod
    def zeros(n_columns: int, n_models: int, kind: CurvatureKind) -> Sums:
        """Return the sums over no rows: what addition starts from, in place where a block adds many."""
        d, K = n_columns + 1, n_models
        shape = {"none": None, "diagonal": (K, 2, d), "full": (K, d, d)}[kind]
        return Sums(np.zeros(K), np.zeros(K), np.zeros((d, K)), None if shape is None else np.zeros(shape))

    def spread(self, models: np.ndarray) -> Sums:
        """Return these sums, of the models chosen by a mask, as sums of all models: of no rows for the others."""
        if models.all():
            return self
        whole = Sums.zeros(self.gradient.shape[0] - 1, len(models), "none")
        if self.curvature is not None:
            whole = replace(whole, curvature=np.zeros((len(models), *self.curvature.shape[1:])))
        whole.weight[:] = 1.0  # sums are divided by it
        whole.put(models, self)
        return whole

    def put(self, models: np.ndarray, sums: Sums) -> None:
        """Set the sums of some models."""
        self.weight[models], self.loss[models], self.gradient[:, models] = sums.weight, sums.loss, sums.gradient
        if self.curvature is not None and sums.curvature is not None:
            self.curvature[models] = sums.curvature

    def diagonal(self) -> tuple[Array, Array]:
        """Return the diagonals and the intercept rows of the curvature, each of shape (K, d + 1)."""
        if self.curvature is None:
            raise ValueError("These sums hold no curvature; ask the pass for kind 'diagonal' or 'full'.")
        if self.curvature.shape[1] == 2 != self.curvature.shape[2]:
            return self.curvature[:, 0], self.curvature[:, 1]
        return np.einsum("kjj->kj", self.curvature), self.curvature[:, -1]
