"""What is preferred among coefficients that fit alike: ridge, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from logreg.sums import Array


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
