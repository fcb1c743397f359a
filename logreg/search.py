"""Which trial steps are kept, and where to try next, for K models at once.

The objective is convex, so the slope along a direction only grows: a trial that still descends, or overshoots the
minimum by little, is an advance. Slopes decide, because differences of the objective drown in rounding near the
optimum while slopes do not.
"""

from __future__ import annotations

import numpy as np

from logreg.objective import Point
from logreg.sums import Array

OVERSHOOT = 0.5  # of the slope at the start of the step, with which its end may climb
ROUNDING = 1e-13  # relative rise of the objective that is rounding
SHORT = 1.5  # power of the share of the slope left by a Newton step that the next is thought to leave
LARGEST_SHARE = 0.75  # of the slope, that is believed to be left


def judge(
    anchor: Point, trial: Point, direction: Array, length: Array, exact: bool = False
) -> tuple[np.ndarray, Array]:
    """Return which models accept ``trial = anchor + length * direction``, and the lengths to try next.

    A rejected model interpolates the zero of the slope. An accepted one starts its next direction at length 1, or
    farther where the direction is Newton's: if some of the slope is left at its end, curvature is falling ahead, and
    the next step would stop short too, by the same share far from the optimum and by its square near it.
    """
    slope = (direction * anchor.gradient).sum(axis=0)
    with np.errstate(all="ignore"):
        end = (direction * trial.gradient).sum(axis=0)
        share = np.where(slope < 0, end / slope, 0.0)
        rise = trial.value - anchor.value
        finite = np.isfinite(trial.value + end)
        accepted = finite & (share >= -OVERSHOOT) & (rise <= ROUNDING * np.abs(anchor.value))
        short = np.minimum(np.maximum(share, 0.0), LARGEST_SHARE) ** SHORT if exact else np.zeros_like(share)
        longer = 1.0 / (1.0 - short)
        if accepted.all():
            return accepted, longer
        zero = np.where(finite & (share < 1.0), 1.0 / (1.0 - share), 0.0)
    return accepted, np.where(accepted, longer, length * np.clip(zero, 0.2, 0.7))
