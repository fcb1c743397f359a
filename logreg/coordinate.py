"""The elastic net on a quadratic model: coordinate descent, with Newton steps on the support between its sweeps."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from logreg.penalty import ElasticNet
from logreg.sums import Array

SWEEPS = 8  # over all coordinates, between two Newton steps on the support
ROUNDS = 100  # of sweeps and a Newton step
NEGLIGIBLE = 1e-13  # share of the largest coordinate, in units of curvature, that is rounding where 0 was meant
WIDEST_SUPPORT = 2_000  # coordinates for which a Newton step pays


class QuadraticModel:
    """``g'(v - w) + (v - w)'H(v - w)/2``, to be minimised together with elastic nets.

    Parameters
    ----------
    H : ndarray of shape (s, s)
    """

    def __init__(self, H: Array) -> None:
        self.H = H
        self.support = np.empty(0, dtype=np.intp)  # of the last Newton step,
        self.l2 = np.empty(0)  # with this ridge,
        self.inside = np.empty((0, 0))  # whose curvature was this,
        self.factor: tuple[Array, bool] = (self.inside, True)  # and its factor

    def minimise(self, gradient: Array, w: Array, penalty: ElasticNet, tolerance: float) -> Array:
        """Return the v, shape (s,), where no optimality condition is violated by more than a tolerance.

        A sweep costs ``2 s`` flops a coordinate that moves, a Newton step ``k**3 / 3`` for a support of k, unless it is
        that of the last. The sweeps settle which coefficients are zero, the Newton step what the others are: alone,
        sweeps take thousands on correlated columns.
        """
        from logreg.coordinate_kernels import descend_matrix

        v, q = w.copy(), gradient.copy()
        for _ in range(ROUNDS):
            if descend_matrix(self.H, q, v, penalty.arrays, tolerance, SWEEPS) <= tolerance:
                break
            while np.count_nonzero(v) <= WIDEST_SUPPORT and self._step_on_support(q, v, penalty):
                pass
        size = np.abs(v) * np.sqrt(np.diagonal(self.H))
        v[size <= NEGLIGIBLE * size.max(initial=0.0)] = 0.0
        return v

    def _step_on_support(self, q: Array, v: Array, penalty: ElasticNet) -> bool:
        """Move to the minimum over the support, with its gradient q, in place; tell if that has a smaller support.

        The support is what is neither 0 nor at a bound. Coordinates whose sign would change are set to 0, those that
        would leave their bounds to these, if the model falls; else the step ends where the first gets there.
        """
        inside = (v != 0) & (v > penalty.low) & (v < penalty.high) if penalty.bounded else v
        support = np.flatnonzero(inside)
        here, some = v[support], penalty.take(support)
        slope = q[support] + some.l2 * here + some.l1 * np.sign(here)
        if not support.size:
            return False
        try:
            self._factorise(support, some.l2)
        except LinAlgError:
            return False
        step = -cho_solve(self.factor, slope, check_finite=False)
        there = np.where((here * (here + step) < 0) & (some.l1 > 0), 0.0, here + step)
        if penalty.bounded:
            there = np.clip(there, some.low, some.high)
        turns = there != here + step
        if turns.any():
            clipped = there - here
            if slope @ clipped + clipped @ (self.inside @ clipped) / 2 < 0:
                step = clipped
            else:
                reach = np.divide(clipped, step, out=np.full_like(here, np.inf), where=turns)
                turns = reach <= reach.min()
                step = np.where(turns, clipped, reach.min() * step)
        v[support] = np.where(turns, there, here + step)
        q += step @ self.H[support]
        return bool(turns.any())

    def _factorise(self, support: np.ndarray, l2: Array) -> None:
        if np.array_equal(support, self.support) and np.array_equal(l2, self.l2):
            return
        inside = self.H[np.ix_(support, support)]
        np.einsum("jj->j", inside)[:] += l2
        self.factor = cho_factor(inside, lower=True, check_finite=False)
        self.support, self.l2, self.inside = support, l2, inside
