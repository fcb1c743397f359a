"""What is preferred among coefficients that fit alike: ridge, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from logreg.sums import Array


@dataclass(frozen=True)
class Ridge:
    """``strength_k / 2 * sum_j w_jk**2`` for K models, on coefficients in the user's units; never on the intercept.

    Parameters
    ----------
    strength : ndarray of shape (K,)
        ``lam = 1 / (C * S)`` on the scale of the mean loss; 0 is no penalty.
    """

    strength: Array

    def value(self, W: Array) -> Array:
        """Return the penalty of each model, shape (K,)."""
        squares: Array = np.square(W[:-1]).sum(axis=0)
        return 0.5 * self.strength * squares

    def gradient(self, W: Array) -> Array:
        """Return its gradient, shape (d + 1, K), with 0 for the intercept."""
        gradient = self.strength * W
        gradient[-1] = 0.0
        return gradient
