"""The loop of the elastic net: pass, stop?, minimise a quadratic model, step.

The gradient of a pass is exact and from every row; the model's curvature, of the columns in play, may be old or from a
sample, and only decides how many passes it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from logreg.coordinate import QuadraticModel
from logreg.penalty import ElasticNet
from logreg.products import is_sparse
from logreg.rows import SelectableRows
from logreg.scale import CONSTANT
from logreg.stop import Pass
from logreg.sums import Array

WIDEST_MATRIX = 1_500  # columns in play up to which a model has a matrix; beyond, it is read off the rows
STALE = 0.2  # share of the largest violation that a step may leave before its model is renewed
NEAR = 0.8  # share of its threshold from which a zero column's gradient is taken into the model, as it may pass it
MOST = 0.5  # share of the columns from which on the model might as well have all
INEXACT = 0.05  # share of the largest violation that the minimum of a model may leave in the model
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
    expected : ndarray of shape (d + 1,) or None
        The gradient that the next optimum is expected to have, None for the same.
    """

    w: Array
    loss: float
    gradient: Array
    expected: Array | None = None

    @classmethod
    def several(cls, rows: SelectableRows, W: Array) -> list[Place]:
        """Make a pass at coefficients (d + 1, K)."""
        sums = rows.sums(W)
        loss, gradient = sums.loss / sums.weight, sums.gradient / sums.weight
        return [cls(W[:, k], float(loss[k]), np.ascontiguousarray(gradient[:, k])) for k in range(W.shape[1])]

    def violation(self, penalty: ElasticNet, intercept: bool) -> Array:
        """Return how far each coefficient is from its optimality condition, shape (d + 1,)."""
        return np.append(penalty.violation(self.w[:-1], self.gradient[:-1]), abs(self.gradient[-1]) * intercept)

    def slope(self, penalty: ElasticNet, step: Array, ahead: bool) -> float:
        """Return the objective's derivative along a step, ahead of this place or behind it."""
        return float(self.gradient @ step) + penalty.slope(self.w[:-1], step[:-1], ahead)

    def objective(self, penalty: ElasticNet) -> float:
        """Return the mean loss and the penalty."""
        return self.loss + penalty.value(self.w[:-1])

    def take(self, columns: np.ndarray) -> Place:
        """Return what it says of some columns and the intercept; the coefficients of the others must be 0."""
        kept = np.append(columns, -1)
        return Place(
            self.w[kept], self.loss, self.gradient[kept], None if self.expected is None else self.expected[kept]
        )

    def near(self, penalty: ElasticNet, share: float) -> np.ndarray:
        """Tell which columns count, or are expected to: with a gradient of such a share of the threshold."""
        w, gradient = self.w[:-1], self.gradient if self.expected is None else self.expected
        found: np.ndarray = (w != 0) | (penalty.felt(gradient[:-1] + penalty.l2 * w) > share * penalty.l1)
        return found


def everywhere(w: Array, columns: np.ndarray, n_columns: int) -> Array:
    """Return coefficients of some columns and the intercept as coefficients of all, the others 0."""
    found = np.zeros(n_columns + 1)
    found[np.append(columns, -1)] = w
    return found


class Model:
    """A quadratic model of some columns, the intercept moved along: their curvature about its weighted means."""

    def __init__(self, rows: SelectableRows, w: Array, columns: np.ndarray, intercept: bool) -> None:
        H = rows.curvature_of(w, columns)
        cross, total, about_zero = H[-1, :-1].copy(), float(H[-1, -1]) * intercept, np.diagonal(H)[:-1].copy()
        mean = cross / total if total > 0 else np.zeros_like(cross)
        H = H[:-1, :-1] - np.outer(mean, cross)
        constant = np.diagonal(H) <= CONSTANT * about_zero
        H[constant], H[:, constant] = 0.0, 0.0
        self.columns, self.of_columns, self.mean, self.total = columns, QuadraticModel(H), mean, total
        self.has = np.zeros(rows.n_columns, dtype=bool)
        self.has[columns] = True

    def step(self, place: Place, penalty: ElasticNet, tolerance: float) -> Array:
        """Return the step to the minimum of the model, shape (d + 1,)."""
        of_intercept = place.gradient[-1]
        gradient = place.gradient[self.columns] - self.mean * (of_intercept if self.total > 0 else 0.0)
        w = place.w[self.columns]
        moved = self.of_columns.minimise(gradient, w, penalty.take(self.columns), tolerance) - w
        step = np.zeros_like(place.w)
        step[self.columns] = moved
        if self.total > 0:
            step[-1] = -of_intercept / self.total - self.mean @ moved
        return step


@dataclass(eq=False)
class Fit:
    """One penalty on its way: where it stands, and the step that it tries next.

    Attributes
    ----------
    tolerance : float
        Largest violation of an optimality condition at which it has arrived.
    model : Model or None
        What the last step came from, None if from the rows.
    length : float
        How much of the step is tried.
    accepted : bool
        Whether the last trial was.
    violation : ndarray of shape (d + 1,)
        Of the optimality conditions.
    left : float
        The share of the largest violation that the last whole step left.
    history : list of Pass
    """

    penalty: ElasticNet
    place: Place
    model: Model | None
    tolerance: float
    step: Array = field(default_factory=lambda: np.empty(0))
    slope: float = 0.0
    length: float = 1.0
    accepted: bool = True
    violation: Array = field(default_factory=lambda: np.array([np.inf]))
    left: float = 1.0
    history: list[Pass] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The largest violation of an optimality condition."""
        return float(self.violation.max())

    def look(self, intercept: bool) -> None:
        """See how far the conditions of the optimum are violated here."""
        violation = self.place.violation(self.penalty, intercept)
        self.left = float(violation.max()) / (self.worst or 1.0) if self.length == 1.0 else 1.0
        self.violation = violation

    def fits(self, model: Model | None) -> bool:
        """Tell whether a model has all columns that count here, and served well if it was the last."""
        needed = (self.place.w[:-1] != 0) | (self.violation[:-1] > 0)
        return model is not None and bool(model.has[needed].all()) and (model is not self.model or self.left <= STALE)

    def trial(self) -> Array:
        """Return the coefficients to try, which rounding must not take beyond their bounds."""
        w = self.place.w + self.length * self.step
        if self.penalty.bounded:
            w[:-1] = self.penalty.clipped(w[:-1])
        return w

    def arrive(self, trial: Place) -> None:
        """Accept a trial or shorten the step to where the objective stops falling along it."""
        beyond = trial.slope(self.penalty, self.step, ahead=False)
        self.accepted = beyond <= -0.5 * self.slope or self.length < SHORTEST
        if self.accepted:
            self.place = trial
        else:
            self.length *= min(max(-self.slope / (beyond - self.slope), 0.1), 0.5) if np.isfinite(beyond) else 0.1


class Solver:
    """Minimises the mean loss and elastic nets over the same rows, for one penalty or several at once.

    Parameters
    ----------
    rows : SelectableRows
    intercept : bool
    on_pass : callable, default=None
        Called after every pass with the coefficients (d + 1,) of each fit and its :class:`Pass`; True stops all.

    Attributes
    ----------
    stopped : bool
        Whether ``on_pass`` asked for it.
    n_passes : int
        So far.
    """

    def __init__(
        self, rows: SelectableRows, intercept: bool = True, on_pass: Callable[[Array, Pass], bool] | None = None
    ) -> None:
        self.rows, self.intercept, self.on_pass = rows, intercept, on_pass
        self.stopped, self.n_passes = False, 0
        self.model: Model | None = None

    def minimise(
        self, penalties: list[ElasticNet], place: Place, tolerances: Iterable[float], max_passes: int
    ) -> list[Fit]:
        """Go from a place to where no coefficient violates its optimality condition by more than a tolerance.

        Or as near as so many passes come. Each pass serves all penalties that are not there yet.
        """
        fits = [
            Fit(penalty, place, self.model, tolerance) for penalty, tolerance in zip(penalties, tolerances, strict=True)
        ]
        live = fits
        while True:
            self._aim([fit for fit in live if fit.accepted])
            for fit in live:
                self._record(fit)
            live = [
                fit for fit in live if fit.worst > fit.tolerance and fit.slope < 0.0 and len(fit.history) < max_passes
            ]
            if not live or self.stopped:  # no step descends where rounding has won
                return fits
            W = np.column_stack([fit.trial() for fit in live])
            self.n_passes += 1
            for fit, trial in zip(live, Place.several(self.rows, W), strict=True):
                fit.arrive(trial)

    def _aim(self, fits: list[Fit]) -> None:
        """Give each fit its next step, from a model that is renewed where it no longer serves."""
        for fit in fits:
            fit.look(self.intercept)
            fit.slope *= fit.left**2  # which stays, as an estimate, where no more step is made
        fits = [fit for fit in fits if fit.worst > fit.tolerance]
        ill = [fit for fit in fits if not fit.fits(fit.model)]
        if ill:
            columns = np.flatnonzero(np.logical_or.reduce([fit.place.near(fit.penalty, NEAR) for fit in ill]))
            if columns.size > MOST * self.rows.n_columns and self.rows.n_columns <= WIDEST_MATRIX:
                columns = np.arange(self.rows.n_columns)
            self.model = None
            # Off the rows a step is cheaper, but for correlated columns.
            from_rows = is_sparse(self.rows.X) and max(fit.left for fit in ill) <= STALE
            if columns.size <= WIDEST_MATRIX and not from_rows:
                self.model = Model(self.rows, ill[len(ill) // 2].place.w, columns, self.intercept)
            for fit in ill:
                fit.model = self.model
        for fit in fits:
            inner = max(0.1 * fit.tolerance, INEXACT * 0.1 * fit.worst)
            place, penalty = fit.place, fit.penalty
            if fit.model is not None:
                fit.step = fit.model.step(place, penalty, inner)
            else:
                columns = np.flatnonzero(place.near(penalty, NEAR))
                fit.step = self.rows.coordinate_step(
                    place.w, columns, penalty.take(columns), 0.3 * fit.tolerance, self.intercept
                )
            fit.slope, fit.length = place.slope(penalty, fit.step, ahead=True), 1.0

    def _record(self, fit: Fit) -> None:
        decrement = np.sqrt(max(-fit.slope, 0.0) * self.rows.total_weight)
        found = Pass(*map(np.atleast_1d, (fit.place.objective(fit.penalty), decrement, fit.length, fit.accepted)))
        fit.history.append(found)
        self.stopped |= self.on_pass is not None and self.on_pass(fit.place.w, found)
