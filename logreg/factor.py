"""Dividing by a curvature."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from logreg.sums import Array

LAPACK = {"float64": (lapack.dpotrf, lapack.dpotrs), "float32": (lapack.spotrf, lapack.spotrs)}
ILL_CONDITIONED = 1e-5  # smallest pivot of a Cholesky factor below which eigenvalues decide


class Factor:
    """A curvature that can be divided by: ``H^-1 g``, or the pseudo-inverse where H is singular to rounding.

    Cholesky, ``(d + 1)**3 / 3`` flops, after scaling H to a unit diagonal; eigenvalues where that is ill-conditioned.

    Parameters
    ----------
    H : ndarray of shape (d + 1, d + 1)
        float64 or float32, in which the factor is taken too; only its lower triangle counts.
    ridge : float
        Added to the scaled diagonal of an H that is an estimate: what an estimate calls singular may not be.
    """

    def __init__(self, H: np.ndarray, ridge: float = 0.0) -> None:
        diagonal = np.diagonal(H)
        varies = diagonal > 0
        self.unit = np.divide(1.0, np.sqrt(np.abs(diagonal)), out=np.zeros_like(diagonal), where=varies)
        self.deficient = False
        potrf, self.potrs = LAPACK[H.dtype.name]
        # The lower triangle of a matrix stored by rows is the upper one of LAPACK's, which reads by columns.
        self.cholesky, failed = potrf(self._scaled(H, ridge).T, lower=0, clean=0, overwrite_a=1)
        smallest = self.cholesky.diagonal().min()
        self.diagonalised = bool(failed) or smallest < ILL_CONDITIONED
        if not self.diagonalised:
            self.deficient = smallest**2 <= 4 * ridge
            return
        values, vectors = np.linalg.eigh(self._scaled(H, ridge))
        kept = values > 10 * len(values) * np.finfo(H.dtype).eps * values[-1]
        self.deficient = not kept.all()
        self.values, self.vectors = values[kept], vectors[:, kept]

    def _scaled(self, H: np.ndarray, ridge: float) -> np.ndarray:
        scaled: np.ndarray = H * self.unit
        scaled *= self.unit[:, None]
        np.einsum("jj->j", scaled)[:] = 1.0 + ridge
        return scaled

    def solve(self, gradient: Array) -> Array:
        """Return ``H^-1 g`` for a gradient of shape (d + 1,), or several, (d + 1, m)."""
        g = (gradient.T * self.unit).T
        solution: Array
        if self.diagonalised:
            solution = self.vectors @ ((self.vectors.T @ g).T / self.values).T
        else:
            solution, _ = self.potrs(self.cholesky, g, lower=0)
        return np.asarray((solution.T * self.unit).T, dtype=np.float64)

    def inverse_root(self) -> Array:
        """Return a root A of the inverse, or of the pseudo-inverse: ``A A' = H^-1``."""
        if self.diagonalised:
            root = self.vectors / np.sqrt(self.values)
        else:
            root = np.triu(lapack.dtrtri(self.cholesky, lower=0)[0])
        scaled: Array = self.unit[:, None] * root
        return scaled


class FactorStack:
    """The curvatures of many models over few columns, which can be divided by together.

    Inverses of the curvatures scaled to a unit diagonal; what is ill-conditioned has a :class:`Factor` of its own.

    Parameters
    ----------
    H : ndarray of shape (K, d + 1, d + 1)
        float64, both triangles.
    """

    def __init__(self, H: Array) -> None:
        diagonal = np.einsum("kjj->kj", H)
        self.unit = np.divide(1.0, np.sqrt(np.abs(diagonal)), out=np.zeros_like(diagonal), where=diagonal > 0)
        scaled = H * self.unit[:, None, :]
        scaled *= self.unit[:, :, None]
        np.einsum("kjj->kj", scaled)[:] = 1.0
        try:
            smallest = np.einsum("kjj->kj", np.linalg.cholesky(scaled)).min(axis=1)
        except np.linalg.LinAlgError:  # which of them it was is not said
            smallest = np.zeros(len(H))
        ill = np.flatnonzero(smallest < ILL_CONDITIONED)
        self.alone = {int(k): Factor(H[k]) for k in ill}
        scaled[ill] = np.eye(H.shape[-1])
        self.inverse = np.linalg.inv(scaled)

    @property
    def deficient(self) -> bool:
        """Whether some curvature was singular to rounding."""
        return any(factor.deficient for factor in self.alone.values())

    def solve(self, gradient: Array, which: np.ndarray) -> Array:
        """Return ``H^-1 g`` for gradients (d + 1, m) of some models."""
        unit = self.unit[which]
        solved: Array = (unit * (self.inverse[which] @ (unit * gradient.T)[:, :, None])[:, :, 0]).T
        for place, k in enumerate(which.tolist()):
            if k in self.alone:
                solved[:, place] = self.alone[k].solve(gradient[:, place])
        return solved
