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


def judge(anchor: Point, trial: Point, direction: Array, length: Array) -> tuple[np.ndarray, Array]:
    """Return which models accept ``trial = anchor + length * direction``, and the lengths to try next.

    An accepted model starts its next direction at length 1; a rejected one interpolates the zero of the slope.
    """
    slope = (direction * anchor.gradient).sum(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        end = (direction * trial.gradient).sum(axis=0)
        rise = trial.value - anchor.value
        finite = np.isfinite(trial.value) & np.isfinite(trial.gradient).all(axis=0)
        accepted = finite & (end <= -OVERSHOOT * slope) & (rise <= ROUNDING * np.abs(anchor.value))
        secant = np.where(finite & (end > slope), slope / (slope - end), 0.1)
    return accepted, np.where(accepted, 1.0, length * np.clip(secant, 0.2, 0.7))
