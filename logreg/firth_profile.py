"""Tests and intervals from the profiles of Firth's penalised likelihood."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from scipy.special import chdtrc, chdtri
from sklearn.exceptions import ConvergenceWarning

from logreg.firth import ROUNDING, Climb, starting_point
from logreg.jeffreys import JeffreysLikelihood
from logreg.points import CLOSE, REACH, dots
from logreg.sums import Array

TIGHT = 1e-8  # distance, in standard errors, at which profiles are taken to be reached
ENOUGH = 1e-4  # the same for likelihoods, whose error is below its square
HIGHER = 1e-6  # gain of likelihood that is another maximum's
JOINT_PASSES, MOST_PASSES = 12, 100  # of a search by Newton's steps, and of a walk, which none needs
CHECKED, LOW = 1e6, 30.0  # flops of a pass up to which ends are checked; depth below them from which no climb is tried
WAYS = (0.3, 1.0, 3.0)  # to another end, shares of its distance from the top at which climbs start
NUMBERS = 8_000_000  # in the curvatures of all points that move together
STACK = 4  # frames between a warning and the line of the user that calls conf_int


def penalised_likelihood_tests(top: Climb) -> tuple[Array, Array]:
    """Return, for each coefficient, ``2 (max l* - max_{w_j = 0} l*)`` and its p-value by chi-squared of one degree.

    ``l* = l + tau log det I`` has the information of all columns under both hypotheses, as in the R package logistf.

    Parameters
    ----------
    top : Climb
        At its end, as :func:`summit` returns it.

    Returns
    -------
    statistic, p_value : ndarray of shape (d + 1,), or (d,) without an intercept
        The intercept comes last.

    Examples
    --------
    >>> from logreg.datasets import load_endometrial
    >>> from logreg.firth_profile import penalised_likelihood_tests, summit
    >>> from logreg.jeffreys import JeffreysLikelihood
    >>> from logreg.rows import SelectableRows
    >>> X, y = load_endometrial()
    >>> rows = SelectableRows(X.to_numpy(), y.to_numpy())
    >>> penalised_likelihood_tests(summit(JeffreysLikelihood(rows, 0.5, len(y), True)))[1].round(4)
    array([0.0091, 0.3875, 0.    , 0.0042])
    """
    likelihood = top.likelihood
    planes, values = likelihood.to_user[: likelihood.width], np.empty(likelihood.width)
    across = steps_across(top, planes)
    across /= dots(planes, across)[:, None]
    for some in batches(likelihood.width, likelihood.width):
        starts = top.B - across[some] * (planes[some] @ top.B[0])[:, None]
        below = Climb(likelihood, starts, planes[some], top.A)
        below.run(ENOUGH)
        values[some] = below.found.value + 0.5 * below.distance**2
    statistic = np.maximum(2.0 * (top.found.value[0] - values), 0.0)
    return statistic, chdtrc(1.0, statistic)


def profile_intervals(top: Climb, *, level: float = 0.95) -> Array:
    """Return the ends at which ``2 (max l* - max_{w_j = t} l*)`` is the chi-squared quantile of the level.

    A search for each end: Newton's steps along the profile and towards it at once (Venzon and Moolgavkar, Applied
    Statistics 37, 1988), with the root of the quadratic in closed form, and within a bracket. All ends are searched
    together, so a pass over the rows serves all; where such steps go astray, far from the top, a search by maxima at
    given positions follows. Of rows that are separated, l* may have several maxima at a position: the search keeps
    to those it meets on its way from the top. Where it costs little, greater ones are looked for from all other ends.

    Parameters
    ----------
    top : Climb
        At its end, as :func:`summit` returns it.
    level : float

    Returns
    -------
    ndarray of shape (d + 1, 2), or (d, 2) without an intercept
        In the user's units, the intercept last. An end is infinite if the profile stays above the level as far as
        floats go.

    Warns
    -----
    ConvergenceWarning
        If an end was not found, which is NaN then.

    Examples
    --------
    >>> from logreg.datasets import load_endometrial
    >>> from logreg.firth_profile import profile_intervals, summit
    >>> from logreg.jeffreys import JeffreysLikelihood
    >>> from logreg.rows import SelectableRows
    >>> X, y = load_endometrial()
    >>> rows = SelectableRows(X.to_numpy(), y.to_numpy())
    >>> profile_intervals(summit(JeffreysLikelihood(rows, 0.5, len(y), True)))[0].round(3)
    array([0.61 , 7.855])
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level!r} must be between 0 and 1, such as 0.95.")
    likelihood = top.likelihood
    planes, drop = likelihood.to_user[: likelihood.width], 0.5 * float(chdtri(1.0, 1.0 - level))
    found = np.empty(2 * likelihood.width)
    for some in batches(found.size, likelihood.width):
        sides = np.where(some % 2 == 0, -1.0, 1.0)
        found[some] = Ends(top, planes[some // 2], sides, drop).search()
    if np.isnan(found).any():
        warnings.warn(
            f"{np.count_nonzero(np.isnan(found))} ends of profile intervals were not found, and are NaN; look for "
            "columns that nearly repeat others.",
            ConvergenceWarning,
            stacklevel=STACK,
        )
    return found.reshape(-1, 2)


def summit(likelihood: JeffreysLikelihood, start: Array | None = None) -> Climb:
    """Return the maximum of the likelihood, from coefficients (d + 1, 1) in the units of the rows if there are any."""
    top = Climb(likelihood, starting_point(likelihood, None) if start is None else likelihood.coordinates(start).T)
    top.run(TIGHT)
    return top


class Ends:
    """The search for K ends of intervals, each on one side of the top along one functional ``a'B``.

    ``planes`` holds the vectors a, (K, m); ``drop`` is how far below the top the ends lie. Positions t are distances
    from the top, positive on the side of the search.
    """

    def __init__(self, top: Climb, planes: Array, sides: Array, drop: float) -> None:
        self.likelihood, self.planes, self.sides = top.likelihood, planes, sides
        self.summit, self.drop = top, drop
        self.level = float(top.found.value[0]) - drop
        self.near = max(TIGHT, ROUNDING * abs(self.level))
        self.top = planes @ top.B[0]
        n_ends, across = len(planes), steps_across(top, planes)
        before, slope, A = (np.repeat(part, n_ends, axis=0) for part in (top.B, top.found.penalty_score, top.A))
        self.B = before + (sides * np.sqrt(2.0 * drop / dots(planes, across)))[:, None] * across
        self.goal = planes, sides, self.top, self.level, self.near
        self.state = self.B, before, slope, A, np.zeros(n_ends), np.zeros(n_ends), np.full(n_ends, np.inf)

    def search(self) -> Array:
        """Return the ends in the user's units; infinity where nothing bounds it, NaN where none was found."""
        going = np.arange(len(self.planes))
        for _ in range(JOINT_PASSES):
            found = self.likelihood.at(self.B[going])
            going = going[~self.likelihood.arithmetic.approach(going, found, self.goal, self.state)]
            if not going.size:
                break
        ends = dots(self.planes, self.B)
        for k in going.tolist():
            ends[k] = self._walk(k, self.summit)
        if ends.size**2 * self.likelihood.rows.n_rows * self.B.shape[1] ** 2 <= CHECKED:
            self._check(ends)
        return ends

    def _check(self, ends: Array) -> None:
        """Move ends outward where another maximum in their plane, to be met from the other ends, is above the level."""
        unsure = np.flatnonzero(np.isfinite(ends))
        while unsure.size:
            before = ends[unsure]
            for k, higher in self._higher(unsure, before):
                ends[k] = self._walk(k, higher)
            moved = np.abs(ends[unsure] - before) > CLOSE * np.abs(before - self.top[unsure])  # where others are met
            unsure = np.flatnonzero(np.isfinite(ends)) if moved.any() else unsure[:0]

    def _higher(self, which: np.ndarray, ends: Array) -> Iterator[tuple[int, Climb]]:
        """Yield of some ends the greatest of the maxima in their planes, if it is above the level."""
        a = self.planes[which]
        across = steps_across(self.summit, a)
        across /= dots(a, across)[:, None]
        ways = np.concatenate([self.summit.B + share * (self.B - self.summit.B) for share in WAYS])
        starts = ways + across[:, None] * (ends[:, None] - a @ ways.T)[:, :, None]
        starts, of_end = starts.reshape(-1, ways.shape[1]), np.repeat(which, len(ways))
        tried = self.likelihood.at(starts).value > self.level - LOW
        climb, of_end = Climb(self.likelihood, starts[tried], self.planes[of_end[tried]]), of_end[tried]
        climb.run(ENOUGH)
        for k in which.tolist():
            best = int(np.argmax(np.where(of_end == k, climb.found.value, -np.inf)))
            if climb.found.value[best] > self.level + max(HIGHER, self.near):
                higher = Climb(self.likelihood, climb.B[[best]], self.planes[[k]])
                higher.run(TIGHT)
                yield k, higher

    def _walk(self, k: int, here: Climb) -> float:
        """Return an end by maxima at given positions: slower, and sure where Newton's steps go astray.

        The root of the fall is nearly linear in the position, so the search is Newton's for it, within a bracket.
        """
        a, side, want = self.planes[k], float(self.sides[k]), np.sqrt(2.0 * self.drop)
        B, across, outer = here.B, steps_across(here, a[None])[0], np.inf
        inner = at = side * float(a @ B[0] - self.top[k])
        root = np.sqrt(2.0 * max(float(self.summit.found.value[0] - here.found.value[0]), 0.0))
        t = at + (want - root) * float(np.sqrt(a @ across))
        for _ in range(MOST_PASSES):
            start = B + side * (t - at) * across / (a @ across)
            if not np.isfinite(self.likelihood.at(start).value[0]):
                if t - at <= TIGHT * t:
                    return side * np.inf
                t = 0.5 * (at + t)
                continue
            here = Climb(self.likelihood, start, a[None])
            here.run(TIGHT)
            across = steps_across(here, a[None])[0]
            fall = max(float(self.summit.found.value[0] - here.found.value[0]), 1e-300)
            slope = -side * float(here.found.score[0] @ across / (a @ across)) / np.sqrt(2.0 * fall)
            B, at, off = here.B, t, want - np.sqrt(2.0 * fall)
            inner, outer = (t, outer) if off > 0.0 else (inner, t)
            wanted = t + off / slope if slope > 0.0 else np.inf
            if abs(off) <= self.near or outer <= inner * (1.0 + 1e-15):
                self.B[k] = B[0]
                return float(self.top[k] + side * (wanted if np.isfinite(wanted) else t))
            middle = REACH * t if np.isinf(outer) else 0.5 * (inner + outer)
            t = float(wanted if inner < wanted < min(outer, REACH * t) else middle)
        return side * np.inf if np.isinf(outer) else np.nan


def steps_across(climb: Climb, planes: Array) -> Array:
    """Return, for vectors a of shape (k, m), the steps from a point on its way up to ``a'b`` one higher."""
    divide, one = climb.likelihood.arithmetic.divide, np.zeros(1, dtype=np.intp)
    across: Array = divide(climb.A, one, climb.found.information, planes[None])[0]
    return across


def batches(n: int, width: int) -> Iterator[np.ndarray]:
    """Yield the numbers 0 ... n - 1 in as few batches as curvatures of that width leave room for."""
    yield from np.array_split(np.arange(n), 1 + n * width**2 // NUMBERS)
