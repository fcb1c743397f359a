"""Firth's penalised likelihood: a finite fit whatever separates the outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from logreg.jeffreys import JeffreysLikelihood
from logreg.plan import null_coefficients
from logreg.points import LONGEST
from logreg.rows import MemoryRows
from logreg.solve import Solution
from logreg.stop import Limits, Pass, Status
from logreg.sums import Array

ROUNDING = 1e-12  # relative loss of likelihood that is rounding
STILL = 1e-9  # distance over the root of the likelihood at which one that no longer halves is rounding
SHORTEST = 1e-6  # share of a step below which no shorter one is tried
MOST_PASSES = 100  # of points on their way without limits of a user


@dataclass(frozen=True)
class FirthSolution:
    """Where Firth's likelihood is largest.

    Attributes
    ----------
    climb : Climb
        At the maximum, as far as the tolerance asked.
    solution : Solution
        Of one model, as other fits return it; its objective is minus the penalised log-likelihood over the sum of the
        weights.
    log_likelihood, penalised_log_likelihood : float
        ``l`` and ``l + tau log det I``, sums over the weights as given, in the user's units.
    covariance : ndarray of shape (d + 1, d + 1)
        ``I^-1`` in the user's units, the intercept last; zeros for an intercept that is not there.
    """

    climb: Climb
    solution: Solution
    log_likelihood: float
    penalised_log_likelihood: float
    covariance: Array


class Climb:
    """Points B (K, m) on their way up the penalised likelihood, each in the plane ``a'b = t`` it starts in, if any.

    ``planes`` holds the K vectors a, shape (K, m), or is None; ``found`` and the steps that come next are those of B,
    ``distance`` their length in standard errors. ``A`` is the curvature of the penalty, learnt from what its slope
    gained along steps: less that, the information is the curvature of the likelihood, by which steps converge faster
    than linearly.
    """

    def __init__(
        self, likelihood: JeffreysLikelihood, B: Array, planes: Array | None = None, A: Array | None = None
    ) -> None:
        self.likelihood, self.B = likelihood, B
        self.planes = np.empty((0, B.shape[1])) if planes is None else planes
        self.found = self.likelihood.at(self.B)
        far = ~np.isfinite(self.found.value)
        if far.any():  # coefficients of 0 are in the plane of any coefficient that is 0
            self.B[far] = 0.0
            self.found = self.likelihood.at(self.B)
            if not np.isfinite(self.found.value).all():
                raise ValueError(
                    "The offsets alone make every probability 0 or 1 as far as floats go, where Firth's penalty is "
                    "infinite; scale them down."
                )
        n_points, width = self.B.shape
        self.A = np.zeros((n_points, width, width))
        if A is not None:
            self.A[:] = A
        self.length, self.distance = np.ones(n_points), np.zeros(n_points)
        self.step, self.accepted = np.zeros_like(self.B), np.ones(n_points, dtype=bool)
        self.still = ~self.accepted
        self._aim(np.arange(n_points))

    def _aim(self, which: np.ndarray) -> None:
        known = self.A, self.found.information, self.found.score, self.planes
        self.likelihood.arithmetic.aim(which, known, (self.step, self.distance, self.length))

    def move(self, which: np.ndarray) -> None:
        """Try the steps of some points in one pass over the rows; where the likelihood falls, halve the step."""
        taken = self.length[which, None] * self.step[which]
        trial, value = self.likelihood.at(self.B[which] + taken), self.found.value[which]
        good = trial.value >= value - ROUNDING * (1.0 + np.abs(value))
        self.accepted[which] = good
        there = which
        if not good.all():
            self.length[which[~good]] *= 0.5
            self.still |= self.length <= SHORTEST
            there, taken, trial = which[good], taken[good], trial.of(good)
        gained = trial.penalty_score - self.found.penalty_score[there]
        self.likelihood.arithmetic.learn(self.A, there, taken, gained)
        self.B[there] += taken
        self.found.put(there, trial)
        farther = 0.5 * self.distance[there]
        self._aim(there)
        slow = there[self.distance[there] >= farther]
        self.still[slow] = self.distance[slow] <= STILL * np.sqrt(1.0 + np.abs(self.found.value[slow]))

    def run(self, tol: float) -> None:
        """Move all points until their steps are below ``tol`` standard errors, or as short as rounding allows."""
        for _ in range(MOST_PASSES):
            going = np.flatnonzero((self.distance > tol) & ~self.still)
            if not going.size:
                return
            self.move(going)


def fit_firth(
    likelihood: JeffreysLikelihood, limits: Limits, start: Array | None = None, *, flic: bool = False
) -> FirthSolution:
    """Maximise ``l(w) + tau log det I(w)``, whose slope is ``sum_i (s_i (y_i - p_i) + 2 tau h_i (1/2 - p_i)) x_i``.

    Newton's method: the information, less the penalty's curvature as learnt from its slopes, divides that slope; a step
    is halved until the likelihood rises. Firth's penalty has tau = 1/2.

    Parameters
    ----------
    likelihood : JeffreysLikelihood
        Of the rows.
    limits : Limits
        ``tol`` is the length of the next step in standard errors.
    start : ndarray of shape (d + 1, 1), default=None
        Coefficients in the units of the rows; None starts from the intercept alone.
    flic : bool
        Whether the intercept is taken anew by maximum likelihood, the other coefficients as they are, so that the mean
        probability is the mean outcome. The likelihoods and the covariance remain those before.

    Returns
    -------
    FirthSolution

    Notes
    -----
    Two passes over the rows a step, ``2 n d**2`` flops each. Firth, Biometrika 80 (1993); Heinze and Schemper,
    Statistics in Medicine 21 (2002); Puhr, Heinze, Nold, Lusa and Geroldinger, Statistics in Medicine 36 (2017).

    Examples
    --------
    >>> import numpy as np
    >>> from logreg.firth import fit_firth
    >>> from logreg.jeffreys import JeffreysLikelihood
    >>> from logreg.rows import SelectableRows
    >>> from logreg.stop import Limits
    >>> X, y = np.array([[0.0], [0], [0], [1], [1], [1]]), np.array([0, 0, 0, 1, 1, 1], dtype=np.int8)
    >>> likelihood = JeffreysLikelihood(SelectableRows(X, y), 0.5, 6.0, True)
    >>> fit_firth(likelihood, Limits()).solution.coefficients.round(3).ravel()
    array([ 3.892, -1.946])
    """
    climb, status = Climb(likelihood, starting_point(likelihood, start)), Status.RUNNING
    history: list[Pass] = []
    while status is Status.RUNNING:
        if history:
            climb.move(np.zeros(1, dtype=np.intp))
        objective = -climb.found.value / likelihood.total_weight
        history.append(Pass(objective, climb.distance.copy(), climb.length.copy(), climb.accepted.copy()))
        status = status_of(climb, limits, likelihood, history)
    found, W = climb.found, likelihood.coefficients(climb.B.T)
    covariance = likelihood.to_user @ likelihood.arithmetic.invert(found.information)[1][0] @ likelihood.to_user.T
    if flic and likelihood.intercept:
        W = with_mean_outcome(likelihood.rows, W)
    unfinished = np.abs(climb.step.T[: len(W) - 1])
    solution = Solution(W, [status], history, unfinished, deficient=False, solver="newton")
    value, log_det = float(found.value[0]), float(found.log_det[0])
    return FirthSolution(climb, solution, value - likelihood.tau * log_det, value, covariance)


def status_of(climb: Climb, limits: Limits, likelihood: JeffreysLikelihood, history: list[Pass]) -> Status:
    """Return how a fit stands after a pass, and tell of it."""
    stopped = limits.on_pass is not None and limits.on_pass(likelihood.coefficients(climb.B.T), history[-1])
    if climb.distance[0] <= limits.tol:
        return Status.CONVERGED
    if climb.still[0]:
        return Status.ROUNDING
    if stopped:
        return Status.STOPPED
    return Status.OUT_OF_PASSES if len(history) >= limits.max_iter else Status.RUNNING


def starting_point(likelihood: JeffreysLikelihood, start: Array | None) -> Array:
    """Return coordinates (1, m) to start from: those given, if they are better than the intercept alone."""
    null = likelihood.coordinates(null_coefficients(likelihood.rows, 1, likelihood.intercept)).T
    if start is None:
        return null
    both = np.vstack([null, likelihood.coordinates(start).T])
    values = likelihood.at(both).value
    return both[1:] if values[1] >= values[0] else null


def with_mean_outcome(rows: MemoryRows, W: Array) -> Array:
    """Return coefficients (d + 1, 1) with the intercept under which the mean probability is the mean outcome."""
    W, low, high = W.copy(), -np.inf, np.inf
    for _ in range(MOST_PASSES):
        sums = rows.sums(W, "diagonal")
        slope, curvature = float(sums.gradient[-1, 0]), float(sums.diagonal()[0][0, -1])
        low, high = (low, float(W[-1, 0])) if slope > 0.0 else (float(W[-1, 0]), high)
        if abs(slope) <= 1e-13 * rows.total_weight:
            break
        new = float(W[-1, 0] + np.clip(-slope / max(curvature, 1e-300), -LONGEST, LONGEST))
        if abs(new - W[-1, 0]) <= 1e-14 * (1.0 + abs(new)):
            break
        W[-1] = new if low < new < high else 0.5 * (low + high)
    return W
