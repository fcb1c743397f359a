"""Dividing by a curvature."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from logreg.sums import Array

ILL_CONDITIONED = 1e-5  # smallest pivot of a Cholesky factor below which eigenvalues decide


class Factor:
    """A curvature that can be divided by: ``H^-1 g``, or the pseudo-inverse where H is singular to rounding.

    Cholesky, ``(d + 1)**3 / 3`` flops, after scaling H to a unit diagonal; eigenvalues where that is ill-conditioned.

    Parameters
    ----------
    H : ndarray of shape (d + 1, d + 1)
    ridge : float
        Added to the scaled diagonal of an H that is an estimate: what an estimate calls singular may not be.
    """

    def __init__(self, H: Array, ridge: float = 0.0) -> None:
        diagonal = np.diagonal(H)
        varies = diagonal > 0
        self.unit = np.divide(1.0, np.sqrt(np.abs(diagonal)), out=np.zeros_like(diagonal), where=varies)
        scaled = H * self.unit * self.unit[:, None]
        np.fill_diagonal(scaled, 1.0 + ridge)
        self.deficient = False
        self.cholesky = lower_triangle(scaled)
        pivot = 0.0 if self.cholesky is None else self.cholesky.diagonal().min()
        if pivot >= ILL_CONDITIONED:
            self.deficient = pivot**2 <= 4 * ridge
            return
        self.cholesky = None
        values, vectors = linalg.eigh(scaled, check_finite=False)
        kept = values > 10 * len(values) * np.finfo(float).eps * values[-1]
        self.deficient = not kept.all()
        self.values, self.vectors = values[kept], vectors[:, kept]

    def solve(self, gradient: Array) -> Array:
        """Return ``H^-1 g`` for a gradient of shape (d + 1,)."""
        g = self.unit * gradient
        solution: Array
        if self.cholesky is not None:
            solution = linalg.cho_solve((self.cholesky, True), g, check_finite=False)
        else:
            solution = self.vectors @ ((self.vectors.T @ g) / self.values)
        return self.unit * solution


def lower_triangle(H: Array) -> Array | None:
    """Return the Cholesky factor, or None if H is not positive definite to rounding."""
    try:
        return linalg.cholesky(H, lower=True, check_finite=False)
    except linalg.LinAlgError:
        return None
