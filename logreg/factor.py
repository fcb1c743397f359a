"""Dividing by a curvature."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

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
        self.cholesky, failed = lapack.dpotrf(scaled, lower=1, clean=0)
        self.diagonalised = bool(failed) or self.cholesky.diagonal().min() < ILL_CONDITIONED
        if not self.diagonalised:
            self.deficient = self.cholesky.diagonal().min() ** 2 <= 4 * ridge
            return
        values, vectors = np.linalg.eigh(scaled)
        kept = values > 10 * len(values) * np.finfo(float).eps * values[-1]
        self.deficient = not kept.all()
        self.values, self.vectors = values[kept], vectors[:, kept]

    def solve(self, gradient: Array) -> Array:
        """Return ``H^-1 g`` for a gradient of shape (d + 1,)."""
        g = self.unit * gradient
        solution: Array
        if self.diagonalised:
            solution = self.vectors @ ((self.vectors.T @ g) / self.values)
        else:
            solution, _ = lapack.dpotrs(self.cholesky, g, lower=1)
        return self.unit * solution
