"""The loop of the elastic net, for one model: pass, stop?, minimise a quadratic model, step.

The gradient of a pass is exact and from every row; the model's curvature, of the columns in play, may be old or from a
sample, and only decides how many passes it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from logreg.coordinate import minimise_model
from logreg.penalty import ElasticNet
from logreg.rows import MemoryRows
from logreg.stop import Pass
from logreg.sums import Array

WIDEST_MATRIX = 1_500  # columns in play up to which a model has a matrix; beyond, it is read off the rows
STALE = 0.2  # share of the largest violation that a step may leave before its model is renewed
NEAR = 0.8  # share of its threshold from which a zero column's gradient is taken into the model, as it may pass it
INEXACT = 0.05  # share of the largest violation that the minimum of a model may leave in the model
CONSTANT = 1e-12  # share of a column's curvature about zero, below which it does not vary
SAMPLE_FLOPS = 4e9  # of a matrix, from which on it is taken from a sample
SAMPLED_ROWS, ROWS_A_COLUMN = 20_000, 40  # rows of that sample, at least so many and so many for each column
SHORTEST = 1e-10  # share of a step that is taken whatever it brings


@dataclass
class Place:
    """Coefficients w of shape (d + 1,), the intercept last, and what a pass found there.

    Attributes
    ----------
    loss : float
        The mean loss.
    gradient : ndarray of shape (d + 1,)
        Of the mean loss.
    """

    w: Array
    loss: float
    gradient: Array

    @classmethod
    def of(cls, rows: MemoryRows, w: Array) -> Place:
        """Make a pass."""
        sums = rows.sums(w[:, None])
        return cls(w, float(sums.loss[0] / sums.weight[0]), sums.gradient[:, 0] / sums.weight[0])

    def violation(self, penalty: ElasticNet, intercept: bool) -> Array:
        """Return how far each coefficient is from its optimality condition, shape (d + 1,)."""
        return np.append(penalty.violation(self.w[:-1], self.gradient[:-1]), abs(self.gradient[-1]) * intercept)

    def slope(self, penalty: ElasticNet, step: Array, ahead: bool) -> float:
        """Return the objective's derivative along a step, ahead of this place or behind it."""
        return float(self.gradient @ step) + penalty.slope(self.w[:-1], step[:-1], ahead)

    def objective(self, penalty: ElasticNet) -> float:
        """Return the mean loss and the penalty."""
        return self.loss + penalty.value(self.w[:-1])


@dataclass
class Matrix:
    """A quadratic model of some columns, the intercept moved along: their curvature about its weighted means."""

    columns: np.ndarray
    H: Array
    mean: Array
    total: float

    @classmethod
    def of(cls, rows: MemoryRows, w: Array, columns: np.ndarray, intercept: bool, n_sampled: int) -> Matrix:
        """Take the curvature at w, from a sample of the rows where there are more."""
        part, v = (rows, w) if len(columns) == rows.n_columns else (rows.take(columns), w[np.append(columns, -1)])
        part = part.sample(n_sampled, seed=0)
        sums = part.sums(v[:, None], "full")
        assert sums.curvature is not None
        H = sums.curvature[0] / sums.weight[0]
        cross, total, about_zero = H[-1, :-1].copy(), float(H[-1, -1]) * intercept, np.diagonal(H)[:-1].copy()
        mean = cross / total if total > 0 else np.zeros_like(cross)
        H = H[:-1, :-1] - np.outer(mean, cross)
        constant = np.diagonal(H) <= CONSTANT * about_zero
        H[constant], H[:, constant] = 0.0, 0.0
        return cls(columns, np.ascontiguousarray(H), mean, total)

    def step(self, place: Place, penalty: ElasticNet, tolerance: float) -> Array:
        """Return the step to the minimum of the model, shape (d + 1,)."""
        of_intercept = place.gradient[-1]
        gradient = place.gradient[self.columns] - self.mean * (of_intercept if self.total > 0 else 0.0)
        w = place.w[self.columns]
        moved = minimise_model(self.H, gradient, w, penalty.take(self.columns), tolerance) - w
        step = np.zeros_like(place.w)
        step[self.columns] = moved
        if self.total > 0:
            step[-1] = -of_intercept / self.total - self.mean @ moved
        return step


@dataclass
class Solver:
    """Minimises the mean loss and an elastic net over the same rows, for one penalty after the other.

    Parameters
    ----------
    rows : MemoryRows
    intercept : bool
    on_pass : callable, default=None
        Called after every pass with the coefficients (d + 1,) and the :class:`Pass`; True stops the fit.

    Attributes
    ----------
    history : list of Pass
        Of the last penalty.
    stopped : bool
        Whether ``on_pass`` asked for it.
    """

    rows: MemoryRows
    intercept: bool = True
    on_pass: Callable[[Array, Pass], bool] | None = None
    stopped: bool = False
    history: list[Pass] = field(default_factory=list)
    model: Matrix | None = None
    n_sampled: int = SAMPLED_ROWS

    def minimise(self, penalty: ElasticNet, w: Array, tolerance: float, max_passes: int) -> Place:
        """Return the place from w on where no coefficient violates its optimality condition by more than a tolerance.

        Or the best one that so many passes reach.
        """
        self.history = []
        place, step, length, accepted = Place.of(self.rows, w), np.zeros_like(w), 1.0, True
        worst, left = np.inf, 1.0  # the largest violation, and what share of it the last step left
        while True:
            if accepted:
                violation = place.violation(penalty, self.intercept)
                left, worst = float(violation.max()) / worst if length == 1.0 else 1.0, float(violation.max())
                step, length = self._step(place, penalty, violation, tolerance, left), 1.0
                slope = place.slope(penalty, step, ahead=True)
            self._record(place, penalty, slope, length, accepted)
            arrived = worst <= tolerance or slope >= 0.0  # no step descends where rounding has won
            if arrived or self.stopped or len(self.history) >= max_passes:
                return place
            trial = Place.of(self.rows, place.w + length * step)
            beyond = trial.slope(penalty, step, ahead=False)
            accepted = beyond <= -0.5 * slope or length < SHORTEST
            if accepted:
                place = trial
            else:
                length *= min(max(-slope / (beyond - slope), 0.1), 0.5) if np.isfinite(beyond) else 0.1

    def _record(self, place: Place, penalty: ElasticNet, slope: float, length: float, accepted: bool) -> None:
        decrement = np.sqrt(max(-slope, 0.0) * self.rows.total_weight)
        found = Pass(*map(np.atleast_1d, (place.objective(penalty), decrement, length, accepted)))
        self.history.append(found)
        self.stopped = self.on_pass is not None and self.on_pass(place.w, found)

    def _step(self, place: Place, penalty: ElasticNet, violation: Array, tolerance: float, left: float) -> Array:
        w, violation = place.w[:-1], violation[:-1]
        inner = max(0.1 * tolerance, INEXACT * 0.1 * float(violation.max(initial=0.0)))
        near = (w != 0) | (np.abs(place.gradient[:-1] + penalty.l2 * w) > NEAR * penalty.l1)
        columns = np.flatnonzero(near)
        if columns.size > WIDEST_MATRIX:
            self.model = None
            return self.rows.coordinate_step(place.w, columns, penalty.take(columns), inner, self.intercept)
        needed = np.flatnonzero((w != 0) | (violation > 0))
        model = self.model
        if model is None or left > STALE or not np.isin(needed, model.columns, assume_unique=True).all():
            narrow = self.rows.n_columns <= WIDEST_MATRIX and self.rows.n_rows >= 4 * self.rows.n_columns
            self.model = Matrix.of(
                self.rows,
                place.w,
                np.arange(self.rows.n_columns) if narrow else columns,
                self.intercept,
                self._sample_size(len(columns)),
            )
        assert self.model is not None
        return self.model.step(place, penalty, inner)

    def _sample_size(self, n_columns: int) -> int:
        flops = 2.0 * self.rows.n_rows * n_columns**2
        return self.rows.n_rows if flops <= SAMPLE_FLOPS else max(self.n_sampled, ROWS_A_COLUMN * n_columns)
