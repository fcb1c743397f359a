"""Intervals of each coefficient from the likelihood itself: how far it can move before the rows speak against it."""

from __future__ import annotations

import warnings
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.exceptions import ConvergenceWarning

from logreg import parameters
from logreg.inference.likelihood import EXACT, FALLS, MOST_PASSES, NEAR, Likelihood, inverses, optimum, turns
from logreg.loss import Array
from logreg.objective import Point
from logreg.rows import Rows
from logreg.setup import Setup

Kind = Literal["profile", "score"]

REACH = 10.0  # steps outward go so far at most, in standard errors at the null model,
GROWTH, TRIES = 4.0, 12  # more by this factor each time that nothing rises, until so many times mean infinity
FLAT = 0.1  # share of the rise that is looked for, below which nothing rose
IDENTIFIED = 1e-6  # of a direction that the curvature must give back from its pseudo-inverse


class Bearing(NamedTuple):
    """What the gradients g and inverse curvatures of K models say of moves along directions a, ``a'B = t``.

    ``variance = a'H^-1 a``; the profile's ``slope = a'H^-1 g / variance``; ``left = g'H^-1 g - slope**2 variance``,
    twice what the others have to gain; their step ``inner``, and ``along = H^-1 a / variance``, how they follow.
    """

    variance: Array
    slope: Array
    left: Array
    inner: Array
    along: Array

    @classmethod
    def of(cls, gradient: Array, inverse: Array, directions: Array) -> Self:
        """Return the bearings of gradients and directions (d + 1, K) and inverses (K, d + 1, d + 1)."""
        both = inverse @ np.stack([gradient.T, directions.T], axis=2)
        newton, spread = both[:, :, 0].T, both[:, :, 1].T
        variance = np.einsum("jk,jk->k", directions, spread)
        blind = ~(variance > 0.0)  # nothing but certain rows: then the others stay
        variance = np.where(blind, np.inf, variance)
        along = np.where(blind, directions / np.einsum("jk,jk->k", directions, directions), spread / variance)
        slope = np.einsum("jk,jk->k", directions, newton) / variance
        inner = slope * spread - newton
        return cls(variance, slope, np.maximum(-np.einsum("jk,jk->k", gradient, inner), 0.0), inner, along)


class Searches:
    """K searches for the ends of intervals, each from the optimum outward, all in the same passes.

    One coefficient moves and the others follow. After each pass a quadratic model tells what the others have to gain
    and how the profile rises; its signed root ``sqrt(2 (l_max - l))`` is nearly a line, along which Newton's steps lead
    to where it is z (with both together: Venzon and Moolgavkar, J. R. Stat. Soc. C 37, 1988), within a bracket.

    Parameters
    ----------
    likelihood : Likelihood
    top : Point
        The optimum, (d + 1, 1).
    inverse : ndarray of shape (K, d + 1, d + 1)
        Of the curvature there, or of one as good.
    reach : ndarray of shape (K,)
        How far a step may go at first.
    directions : ndarray of shape (d + 1, K)
        Along which each end is looked for.
    z : float
    kind : {"profile", "score"}
    """

    def __init__(
        self, likelihood: Likelihood, top: Point, inverse: Array, reach: Array, directions: Array, z: float, kind: Kind
    ) -> None:
        self.likelihood, self.directions, self.z, self.kind, self.least = likelihood, directions, z, kind, top.value[0]
        K = directions.shape[1]
        self.inverse, self.reach = inverse, reach.copy()
        self.found, self.at, self.inside, self.outside = np.full(K, np.nan), *np.zeros((2, K)), np.full(K, np.inf)
        self.tries, self.rejectable, self.live = np.zeros(K, int), np.zeros(K, bool), np.ones(K, bool)
        self.before, self.value = np.full(K, np.inf), np.full(K, np.inf)
        self.last = np.full((2, K), np.nan)  # where the root was known before, and it
        bearing = Bearing.of(np.zeros_like(directions), self.inverse, directions)
        self.top, self.base = top.B, np.repeat(top.B, K, axis=1)
        self.step = bearing.along * np.minimum(z * np.sqrt(bearing.variance), self.reach)

    def run(self) -> Array:
        """Return how far the ends are from the optimum, (K,): infinity where none is, NaN where none was found."""
        for _ in range(MOST_PASSES):
            self.turn(np.flatnonzero(self.live))
            if not self.live.any():
                break
        return self.found

    def turn(self, k: np.ndarray) -> None:
        """Make a pass for searches k at their trial points, and set the next."""
        here = self.likelihood.point(self.base[:, k] + self.step[:, k])
        worse = self.rejectable[k] & (here.value > self.value[k])
        self.step[:, k[worse]] /= 2.0
        good = np.flatnonzero(~worse)
        k, value, gradient = k[good], here.value[good], here.gradient[:, good]
        self.base[:, k], self.value[k] = here.B[:, good], value
        # Steps add up to that but for rounding, which is much where the curvature at the optimum is next to nothing.
        self.at[k] = np.einsum("jk,jk->k", self.directions[:, k], self.base[:, k] - self.top)
        bearing, root, rise = self.bearing(k, value, gradient)
        slow = (bearing.left > NEAR) | (bearing.left + (self.z - root) ** 2 > FALLS * self.before[k])
        if (slow := slow | (self.kind == "score")).any():
            self.inverse[k[slow]] = inverses(self.likelihood.curvature(self.base[:, k[slow]]), None)
            bearing, root, rise = self.bearing(k, value, gradient)
        self.before[k] = bearing.left + (self.z - root) ** 2
        near = bearing.left <= NEAR
        moves = np.where(near, self.moves(k, bearing, root, rise, near, value), 0.0)
        self.step[:, k] = bearing.inner + bearing.along * moves
        self.rejectable[k] = ~near

    def bearing(self, k: np.ndarray, value: Array, gradient: Array) -> tuple[Bearing, Array, Array]:
        """Return what is known at points, the signed roots, and how fast they rise."""
        bearing = Bearing.of(gradient, self.inverse[k], self.directions[:, k])
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.kind == "profile":
                root = np.sqrt(np.maximum(2.0 * (value - self.least) - bearing.left, 0.0))
                return bearing, root, bearing.slope / root
            root = np.where(np.isinf(bearing.variance), 0.0, bearing.slope * np.sqrt(bearing.variance))
            secant = (root - self.last[1, k]) / (self.at[k] - self.last[0, k])
        tame = (secant > 0.0) & (np.maximum(root, self.last[1, k]) < 2.0 * self.z)  # else within the bracket's middle
        return bearing, root, np.where(tame, secant, 1.0 / np.sqrt(bearing.variance))

    def moves(self, k: np.ndarray, bearing: Bearing, root: Array, rise: Array, near: np.ndarray, value: Array) -> Array:
        """Return how far outward the coefficients go next, after noting what was found."""
        z, at = self.z, self.at[k]
        sure = near & (bearing.left < FLAT * np.abs(z**2 - root**2))
        self.inside[k] = np.where(sure & (root <= z), np.maximum(self.inside[k], at), self.inside[k])
        self.outside[k] = np.where(sure & (root > z), np.minimum(self.outside[k], at), self.outside[k])
        with np.errstate(divide="ignore", invalid="ignore"):
            step = (z - root) / rise
            if self.kind == "profile":  # which is convex: from far outside its tangent leads back, and never too far
                step = np.where(root > 2.0 * z, (z**2 - root**2) / (2.0 * bearing.slope), step)
        exact = EXACT + 8.0 * np.finfo(float).eps * value / z**2
        flat = ~((root >= FLAT * z) & (rise > 0.0))
        done = near & ~flat & (np.abs(step) <= exact * at) & (bearing.left <= 0.1 * EXACT * min(1.0, z**2))
        self.found[k[done]] = (at + step)[done]
        self.last[:, k[near]] = at[near], root[near]
        open_flat = near & flat & np.isinf(self.outside[k])
        self.tries[k[open_flat]] += 1
        jumps = near & flat & (self.outside[k] - self.inside[k] <= EXACT * self.inside[k])  # which nothing convex does
        endless = (self.tries[k] > TRIES) | jumps
        self.found[k[endless]] = np.inf
        self.live[k[done | endless]] = False
        low, high = self.inside[k], np.minimum(self.outside[k], at + self.reach[k])
        self.reach[k[open_flat]] *= GROWTH
        wanted = np.where(open_flat, high, at + step)
        wanted = np.where(np.isinf(self.outside[k]), np.minimum(wanted, high), wanted)
        inside = (wanted >= low) & (wanted <= self.outside[k])
        moved: Array = np.where(inside, wanted, (low + high) / 2.0) - at
        return moved


def profile_intervals(
    setup: Setup, estimator: Any, w: Array, *, level: float = 0.95, columns: Any = None
) -> pd.DataFrame:
    """Return the profile-likelihood interval of each coefficient.

    Its ends are the two values b at which

        2 (l_max - l(b)) = chi2.ppf(level, 1),     l(b) = the largest log-likelihood of all with w_j = b

    where a ridge, if any, is part of the likelihood.

    Parameters
    ----------
    setup : Setup
        Of the fit, held: ``with setup: ...``.
    estimator : LogisticRegression
        Fitted.
    w : ndarray of shape (d + 1,)
        Its coefficients, the intercept last.
    level : float, default=0.95
    columns : str, list of str or ndarray of int, default=None
        Terms, category columns for all of their levels, or "intercept"; or places among the coefficients, the
        intercept's last. None means all.

    Returns
    -------
    DataFrame
        ``term, estimate, conf_low, conf_high``, the intercept first if all are meant. An end is infinite where the
        likelihood never falls that far: of separated classes, and of a column that repeats others. NaN for columns that
        are left out.

    Raises
    ------
    ValueError
        In one sentence, for parameters that cannot be used, an L1 part or bounds, and rows of another fit.

    Warns
    -----
    ConvergenceWarning
        If an end was not found.

    Notes
    -----
    All ends are looked for together, to 1e-8 of their distance from the optimum: about eight passes of ``8 n d**2``
    flops, and some curvatures of ``2 n d**2`` flops each.

    Examples
    --------
    >>> import numpy as np
    >>> from logreg import LogisticRegression
    >>> from logreg.datasets import load_orings
    >>> from logreg.inference.intervals import profile_intervals
    >>> from logreg.setup import Setup
    >>> X, y = load_orings()
    >>> clf = LogisticRegression(penalty=None).fit(X, y)
    >>> with Setup.again(clf, X, y, None, None) as setup:
    ...     table = profile_intervals(setup, clf, np.append(clf.coef_, clf.intercept_), columns="Temperature")
    >>> table.round(3).to_numpy().tolist()
    [['Temperature', -0.232, -0.515, -0.061]]
    """
    return intervals(setup, estimator, w, level, columns, "profile")


def score_intervals(
    setup: Setup, estimator: Any, w: Array, *, level: float = 0.95, columns: Any = None
) -> pd.DataFrame:
    """Return the interval of each coefficient that Rao's score test does not reject.

    Its ends are the two values b at which ``u(b)**2 * v(b) = chi2.ppf(level, 1)``, for the slope u of the likelihood
    along w_j and its entry v of the inverse curvature, both at the optimum of all with w_j = b. Parameters, results
    and errors are those of :func:`profile_intervals`; a pass takes ``4 n d**3`` flops for all ends.
    """
    return intervals(setup, estimator, w, level, columns, "score")


def intervals(setup: Setup, estimator: Any, w: Array, level: float, columns: Any, kind: Kind) -> pd.DataFrame:
    """Return the table of intervals of a kind."""
    parameters.check_number("level", level, above=0.0)
    if level >= 1.0:
        raise ValueError(f"level={level!r} must be less than 1.")
    d, z = len(w) - 1, float(ndtri(0.5 + level / 2.0))
    terms, chosen = chosen_terms(columns, estimator.feature_names_out_, setup.intercept)
    likelihood = Likelihood.of(estimator, setup)
    top = optimum(likelihood, estimator, w)
    H = likelihood.curvature(top.B)
    inverse = inverses(H, None)[0]
    directions = likelihood.objective.scale.gradient(in_row_units(likelihood.rows, d)[:, chosen])
    null = likelihood.null_curvature + np.diag(likelihood.pull)
    at_null = inverses(null[None], None)[0]
    known = gives_back(null, at_null, directions)
    ends = np.tile([[-np.inf], [np.inf]], len(chosen))
    ends[:, np.append(setup.left_out, False)[chosen]] = np.nan
    A = directions[:, known]
    usable, both = gives_back(H[0], inverse, A), np.hstack([-A, A])
    reach = REACH * z * np.sqrt(np.einsum("jk,jk->k", both, at_null @ both))
    first = np.tile(usable, 2)[:, None, None]
    away = np.empty(len(reach))
    for k in turns(len(reach), d + 1):
        begin = np.where(first[k], inverse, at_null)
        away[k] = Searches(likelihood, top, begin, reach[k], both[:, k], z, kind).run()
    ends[:, known] = (A.T @ top.B).ravel() + away.reshape(2, -1) * [[-1.0], [1.0]]
    if np.isnan(away).any():
        lost = ", ".join(repr(terms[j]) for j in np.flatnonzero(known & np.isnan(ends).any(axis=0))[:5])
        warnings.warn(
            f"Ends of the intervals of {lost} were not found in {MOST_PASSES} passes; use a penalty, or bootstrap.",
            ConvergenceWarning,
            stacklevel=4,
        )
    return pd.DataFrame({"term": terms, "estimate": w[chosen], "conf_low": ends[0], "conf_high": ends[1]})


def gives_back(H: Array, inverse: Array, directions: Array) -> np.ndarray:
    """Tell which directions (d + 1, K) a curvature says something of, from its pseudo-inverse."""
    lost = np.abs(H @ (inverse @ directions) - directions).max(axis=0)
    found: np.ndarray = (lost <= IDENTIFIED * np.abs(directions).max(axis=0)) & directions.any(axis=0)
    return found


def in_row_units(rows: Rows, d: int) -> Array:
    """Return the directions a with ``a'W`` the coefficients in user units, (d + 1, d + 1): W is in the rows' own."""
    moved: Array = rows.in_user_units(np.eye(d + 1)).T
    return moved


def chosen_terms(columns: Any, names: np.ndarray, intercept: bool) -> tuple[list[str], np.ndarray]:
    """Return the names and places of some coefficients, the intercept, in the last place, first."""
    known, d = [str(name) for name in names], len(names)
    if columns is None:
        chosen = [*([d] if intercept else []), *range(d)]
    elif isinstance(columns, np.ndarray) and columns.dtype.kind == "i":  # places
        chosen = columns.tolist()
    else:
        listed = [columns] if isinstance(columns, str) else list(columns)
        is_intercept = [intercept and name == "intercept" and name not in known for name in listed]
        chosen = [
            int(j)
            for name, last in zip(listed, is_intercept, strict=True)
            for j in ([d] if last else parameters.terms_called("columns", name, names, d))
        ]
    return [[*known, "intercept"][j] for j in chosen], np.array(chosen, dtype=np.intp)
