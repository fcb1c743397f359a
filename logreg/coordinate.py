"""The elastic net on a quadratic model: coordinate descent, with Newton steps on the support between its sweeps."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from logreg.penalty import ElasticNet
from logreg.sums import Array

SWEEPS = 8  # over all coordinates, between two Newton steps on the support
ROUNDS = 100  # of sweeps and a Newton step
WIDEST_SUPPORT = 2_000  # coordinates for which a Newton step pays


def minimise_model(H: Array, gradient: Array, w: Array, penalty: ElasticNet, tolerance: float) -> Array:
    """Return the minimiser of ``g'(v - w) + (v - w)'H(v - w)/2 + penalty(v)`` over v, shape (s,).

    A sweep costs ``2 s`` flops a coordinate that moves, a Newton step ``k**3 / 3`` for a support of k. The sweeps
    settle which coefficients are zero, the Newton step what the others are: alone, sweeps take thousands on correlated
    columns.
    """
    from logreg.coordinate_kernels import descend_matrix

    v, q = w.copy(), gradient.copy()
    for _ in range(ROUNDS):
        if descend_matrix(H, q, v, penalty.l1, penalty.l2, tolerance, SWEEPS) <= tolerance:
            break
        while 0 < np.count_nonzero(v) <= WIDEST_SUPPORT and step_on_support(H, q, v, penalty):
            pass
    return v


def step_on_support(H: Array, q: Array, v: Array, penalty: ElasticNet) -> bool:
    """Move to the minimum over the support, with its gradient q, in place; tell if that minimum has a smaller support.

    Coordinates whose sign would change are set to 0 if the model falls, else the step ends where the first gets there.
    """
    support = np.flatnonzero(v)
    inside = H[np.ix_(support, support)]
    np.einsum("jj->j", inside)[:] += penalty.l2[support]
    here, l1 = v[support], penalty.l1[support]
    slope = q[support] + penalty.l2[support] * here + l1 * np.sign(here)
    try:
        step = -cho_solve(cho_factor(inside, lower=True, check_finite=False), slope)
    except LinAlgError:
        return False
    turns = (here * (here + step) < 0) & (l1 > 0)
    if turns.any():
        clipped = np.where(turns, -here, step)
        if slope @ clipped + clipped @ (inside @ clipped) / 2 < 0:
            step = clipped
        else:
            reach = np.divide(-here, step, out=np.full_like(here, np.inf), where=turns)
            turns = reach <= reach.min()
            step = np.where(turns, -here, reach.min() * step)
    v[support] = np.where(turns, 0.0, here + step)
    q += step @ H[support]
    return bool(turns.any())
