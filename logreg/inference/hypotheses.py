"""Tests of hypotheses about coefficients: Wald, likelihood ratio and Rao's score, for a term or for many at once."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.special import gammaln
from scipy.stats import chi2

from logreg import parameters
from logreg.columns import Columns, Numbers
from logreg.factor import Factor
from logreg.loss import Array
from logreg.objective import Objective, Point
from logreg.plan import WIDEST_MATRIX, null_coefficients
from logreg.products import is_sparse
from logreg.rows import MemoryRows, SelectableRows
from logreg.scale import CONSTANT, Scale
from logreg.setup import Setup
from logreg.solve import NonFiniteSumsError
from logreg.validate import row_numbers

MEMORY = 1 << 28  # bytes of inverse curvatures of models that travel together
FAR = 0.1  # distance to the optimum, in standard errors, from which on these are not the rows of a fit that converged
ARRIVED = 1e-11  # twice the log-likelihood that is left to gain at an optimum
EXACT = 1e-9  # relative length of steps that ends a search
NEAR = 0.25  # twice the log-likelihood left to gain, up to which Newton's steps need no check
FALLS = 1 / 16  # of what is left, in squares, with every pass; else the curvature is taken anew
MOST_PASSES = 300
SMALLEST = 1e-280  # probability below which its logarithm comes from a continued fraction
FRACTIONS = 60  # of that, which is exact far out after a few


@dataclass(frozen=True)
class ChiSquare:
    """A statistic that has a chi-square distribution under the hypothesis.

    Attributes
    ----------
    statistic : float
    df : int
        How many independent combinations of coefficients the hypothesis fixes.
    p_value : float
        0 only where a float cannot hold it.
    log10_p_value : float
        Its logarithm, finite however small it is.
    """

    statistic: float
    df: int
    p_value: float
    log10_p_value: float

    @classmethod
    def of(cls, statistic: float, df: int) -> Self:
        """Return a statistic with its probabilities; NaN where the hypothesis fixes nothing."""
        log_p = log_sf(statistic, df)
        return cls(float(statistic), int(df), float(np.exp(log_p)), float(log_p / np.log(10.0)))


def log_sf(statistic: float, df: int) -> float:
    """Return ``log P(chi2_df > statistic)``, also where that probability is below the smallest float.

    There it is ``log(x**a e**-x / Gamma(a))`` plus the logarithm of a continued fraction in a = df / 2 and
    x = statistic / 2 (Abramowitz and Stegun, 6.5.31).
    """
    if df == 0 or np.isnan(statistic):
        return float("nan")
    if np.isinf(statistic):
        return -float("inf")
    p = float(chi2.sf(statistic, df))
    if p > SMALLEST:
        return float(np.log(p) if p < 0.5 else np.log1p(-chi2.cdf(statistic, df)))
    a, x, tail = df / 2.0, statistic / 2.0, 0.0
    for m in range(FRACTIONS, 0, -1):
        tail = m * (m - a) / (x + 2 * m + 1 - a - tail)
    return float(a * np.log(x) - x - gammaln(a) - np.log(x + 1.0 - a - tail))


@dataclass(frozen=True)
class Likelihood:
    """Minus the log-likelihood, of the weights as given and with the ridge if any.

    Its coordinates are coefficients in units of the null model's curvature.

    Attributes
    ----------
    rows : MemoryRows
    objective : Objective
    total_weight : float
        The sum of the weights as given.
    null_curvature : ndarray of shape (d + 1, d + 1)
        That of the intercept's model, without the penalty's.
    """

    rows: MemoryRows
    objective: Objective
    total_weight: float
    null_curvature: Array

    @classmethod
    def of(cls, estimator: Any, setup: Setup) -> Self:
        """Return the likelihood of a fit; coordinates of columns that are left out or do not vary are frozen."""
        strength, l1_ratio = parameters.penalty_of(estimator)
        if not setup.is_ridge(l1_ratio):
            raise ValueError(
                "Tests and intervals from the likelihood need one that is smooth, without an L1 part or bounds; use "
                "penalty=None, or bootstrap."
            )
        rows = setup.rows
        if rows.n_columns > WIDEST_MATRIX:
            raise ValueError(
                f"Tests and intervals need a curvature matrix of {rows.n_columns} columns, and it is held for up to "
                f"{WIDEST_MATRIX}; select fewer first, for example with an L1 penalty."
            )
        penalty = setup.ridge(np.array([setup.strengths(strength)]))
        sums = rows.sums(null_coefficients(rows, 1, setup.intercept), "full")
        if not sums.all_finite():
            raise NonFiniteSumsError
        unit = Scale.from_sums(sums, penalty.strength, setup.intercept).unit
        scale = Scale(np.zeros_like(unit), np.where(np.append(np.isinf(setup.factor), False), 0.0, unit))
        objective, total = Objective(scale, penalty), setup.problem.total_weight
        return cls(rows, objective, total, total * objective.curvature(sums, 0))

    @property
    def pull(self) -> Array:
        """The penalty's curvature, shape (d + 1,)."""
        pull: Array = self.total_weight * self.objective.penalty_curvature[0]
        return pull

    def coordinates(self, w: Array) -> Array:
        """Return coefficients in user units, shape (d + 1,), as coordinates, (d + 1, 1)."""
        return self.objective.scale.coordinates(self.rows.from_user_units(w[:, None]))

    def point(self, B: Array) -> Point:
        """Return value and gradient at coordinates (d + 1, K); one pass."""
        mean = self.objective.point(B, self.rows.sums(self.objective.scale.coefficients(B)))
        return Point(B, self.total_weight * mean.value, self.total_weight * mean.gradient)

    def curvature(self, B: Array) -> Array:
        """Return the curvatures at coordinates (d + 1, K), the penalty's among them, (K, d + 1, d + 1); one pass."""
        sums = self.rows.sums(self.objective.scale.coefficients(B), "full")
        H = self.total_weight * self.objective.curvature(sums, np.arange(B.shape[1]))
        np.einsum("kjj->kj", H)[:] += self.pull
        return H

    def kept(self, dropped: np.ndarray) -> np.ndarray:
        """Return the mask of coordinates (d + 1,) without those that are frozen or dropped."""
        kept: np.ndarray = self.objective.scale.unit > 0.0
        kept[dropped] = False
        return kept

    def rank(self, dropped: np.ndarray) -> int:
        """Return how many coefficients the rows determine, the intercept among them, without some columns."""
        kept = self.kept(dropped)
        scale = centred(self.null_curvature)
        H = scale.curvature(self.null_curvature)
        np.einsum("jj->j", H)[H.diagonal() <= CONSTANT * self.null_curvature.diagonal()] = 0.0
        kept &= H.diagonal() > 0.0
        return rank_of(Factor(H[np.ix_(kept, kept)]))

    def df(self, dropped: np.ndarray) -> int:
        """Return how many fewer coefficients the rows determine without some columns."""
        return self.rank(np.arange(0)) - self.rank(dropped)

    def size(self, B: Array, dropped: np.ndarray) -> float:
        """Return the effective number of coefficients, ``tr(H^-1 (H - penalty))``: without one, those determined."""
        kept = self.kept(dropped)
        if not self.pull[kept].any():
            return self.rank(dropped)
        H = self.curvature(B)
        return float(np.einsum("ij,ji->", inverses(H, kept[:, None])[0], H[0] - np.diag(self.pull)))

    def without(self, top: Point, groups: list[np.ndarray]) -> Point:
        """Return the optima without the columns of each group, all together, from the optimum with them."""
        H, kept = self.curvature(top.B), np.column_stack([self.kept(dropped) for dropped in groups])
        inverse = inverses(np.repeat(H, len(groups), axis=0), kept)
        gap = np.where(kept, 0.0, top.B)
        start = np.where(kept, top.B + (inverse @ (H[0] @ gap).T[:, :, None])[:, :, 0].T, 0.0)
        return self.minimum(start, kept, inverse)

    def minimum(self, B: Array, kept: np.ndarray, inverse: Array, arrived: float = ARRIVED) -> Point:
        """Return the optima of K models from B by Newton's steps, with the inverse curvatures given as long as it goes.

        Coordinates that a mask (d + 1, K) does not keep stay where they are. A curvature serves while that goes fast;
        without end, as of separated classes, it stops where no likelihood is left to gain.
        """
        here = self.point(B)
        before = np.full(B.shape[1], np.inf)
        for _ in range(MOST_PASSES):
            step = -(inverse @ here.gradient.T[:, :, None])[:, :, 0].T
            left = -np.einsum("jk,jk->k", here.gradient, step)
            if (slow := left > np.maximum(FALLS * before, arrived)).any():
                inverse[slow] = inverses(self.curvature(here.B[:, slow]), kept[:, slow])
                step[:, slow] = -(inverse[slow] @ here.gradient.T[slow, :, None])[:, :, 0].T
                left = -np.einsum("jk,jk->k", here.gradient, step)
            if (left <= arrived).all():
                break
            before, length, there = left, np.ones(B.shape[1]), self.point(here.B + step)
            while (worse := (there.value > here.value) & (left > NEAR) & (length > EXACT)).any():
                length[worse] /= 2.0
                there = self.point(here.B + length * step)
            here = there
        return here


def centred(H: Array) -> Scale:
    """Return coordinates in which the intercept of a curvature is orthogonal to all columns."""
    center = H[-1] / H[-1, -1] if H[-1, -1] > 0 else np.zeros(len(H))
    center[-1] = 0.0
    return Scale(center, np.ones(len(H)))


def inverses(H: Array, kept: np.ndarray | None) -> Array:
    """Return inverses, or pseudo-inverses, of K curvatures on the coordinates that a mask (d + 1, K) keeps, else 0.

    Each is centred by its own weights first, so that columns far from zero, and levels whose rows are all but certain,
    keep their digits. None keeps all.
    """
    found, everything = np.empty_like(H), np.eye(H.shape[-1])
    for k, matrix in enumerate(H):
        masked = matrix if kept is None else matrix * np.outer(kept[:, k], kept[:, k])
        scale = centred(masked)
        half = scale.coefficients(Factor(scale.curvature(masked)).solve(everything))
        found[k] = scale.coefficients(half.T)
    return found


def optimum(likelihood: Likelihood, estimator: Any, w: Array) -> Point:
    """Return the optimum, nearer than the fit stopped; raise if these are other rows."""
    B, everything = likelihood.coordinates(w), np.ones((len(w), 1), dtype=bool)
    inverse = inverses(likelihood.curvature(B), everything)
    gradient = likelihood.point(B).gradient[:, 0]
    distance = float(np.sqrt(max(gradient @ inverse[0] @ gradient, 0.0)))
    if estimator.converged_ and distance > max(FAR, estimator.tol):
        raise ValueError(
            f"The coefficients are {distance:.2g} standard errors from the optimum of these rows, so they were fitted "
            "to others, or with other parameters; pass X, y, sample_weight and offset of the fit."
        )
    return likelihood.minimum(B, everything, inverse)


def wald_test(
    estimate: Array, covariance: Array, matrix_or_terms: Any, names: Any, *, value: ArrayLike = 0.0
) -> ChiSquare:
    """Test linear hypotheses ``L b = value`` from an estimate b and its covariance V.

        (L b - value)' (L V L')^-1 (L b - value)     has a chi-square distribution of rank(L V L') degrees of freedom

    Parameters
    ----------
    estimate : ndarray of shape (p,)
    covariance : ndarray of shape (p, p)
    matrix_or_terms : array-like of shape (p,) or (q, p), str or list of str
        L, or the names of coefficients or category columns that are to be ``value``.
    names : sequence of str
        Of the coefficients.
    value : float or array-like of shape (q,), default=0.0

    Returns
    -------
    ChiSquare

    Raises
    ------
    ValueError
        In one sentence, for names and matrices that do not fit the coefficients.

    Examples
    --------
    >>> import numpy as np
    >>> from logreg.inference.hypotheses import wald_test
    >>> wald_test(np.array([1.0, 3.0]), np.eye(2), "b", ["a", "b"]).statistic
    9.0
    """
    known, p = np.array(names, dtype=object), len(estimate)
    listed = [matrix_or_terms] if isinstance(matrix_or_terms, str) else matrix_or_terms
    if all(isinstance(name, str) for name in listed):
        L = np.eye(p)[named("terms", listed, known, p)]
    else:
        L = np.atleast_2d(np.asarray(listed, dtype=np.float64))
        if L.shape[1:] != (p,):
            raise ValueError(f"The matrix of hypotheses has shape {L.shape}; expected a column a coefficient, {p}.")
    away, factor = L @ estimate - value, Factor(L @ covariance @ L.T)
    return ChiSquare.of(away @ factor.solve(away), rank_of(factor))


def lr_test(setup: Setup, estimator: Any, w: Array, terms: Any) -> ChiSquare:
    """Test that terms have no effect, by twice the log-likelihood that a fit without them loses.

    A ridge, if any, is part of the likelihood of both; then the distribution is approximate.

    Parameters
    ----------
    setup : Setup
        Of the fit, held: ``with setup: ...``.
    estimator : LogisticRegression
        Fitted.
    w : ndarray of shape (d + 1,)
        Its coefficients, the intercept last.
    terms : str or list of str
        Terms, or category columns for all of their levels.

    Returns
    -------
    ChiSquare

    Raises
    ------
    ValueError
        In one sentence, for names that are no terms, an L1 part or bounds, and rows that are not those of the fit.

    Notes
    -----
    The fit without them starts from this one and its curvature: some six passes.
    """
    likelihood, chosen = Likelihood.of(estimator, setup), named("terms", terms, setup.names, len(w) - 1)
    top = optimum(likelihood, estimator, w)
    small = likelihood.without(top, [chosen])
    return ChiSquare.of(max(2.0 * (small.value[0] - top.value[0]), 0.0), likelihood.df(chosen))


def lr_test_nested(
    larger: Any, smaller: Any, X: Any, y: Any, sample_weight: Any = None, offset: Any = None
) -> ChiSquare:
    """Test a fitted model within another by twice the difference of their log-likelihoods on the rows of both.

    Each is given the columns of a frame that it was fitted to; of arrays both must have all. A ridge is part of the
    likelihood. Degrees of freedom are the difference of the ranks.
    """
    found = []
    for model in (larger, smaller):
        frame = hasattr(X, "columns") and hasattr(model, "feature_names_in_")
        setup = Setup.again(model, X[list(model.feature_names_in_)] if frame else X, y, sample_weight, offset)
        with setup:
            likelihood = Likelihood.of(model, setup)
            top = optimum(likelihood, model, np.append(model._coefficients(), model.intercept_))
        found.append((top.value[0], likelihood.rank(np.arange(0))))
    (value, rank), (small_value, small_rank) = found
    lost = 2.0 * (small_value - value)
    if rank <= small_rank or lost < -1e-6 * max(1.0, abs(value)):
        raise ValueError(
            f"The smaller model has {small_rank} coefficients and the larger {rank}, and the likelihood it loses is "
            f"{lost / 2:.3g}, so it is not a part of the larger one; pass the larger model first."
        )
    return ChiSquare.of(max(lost, 0.0), rank - small_rank)


def score_test(setup: Setup, estimator: Any, w: Array, terms: Any = None, *, added: Any = None) -> ChiSquare:
    """Test that terms have no effect, by the slope of the likelihood at the optimum without them (Rao).

        u' H^-1 u,     u = gradient and H = curvature, both of all terms, at the optimum of those that stay

    Parameters
    ----------
    setup, estimator, w
        As of :func:`lr_test`.
    terms : str or list of str, default=None
        Terms of the fit, which is made again without them, or terms that its ``penalty_factor`` left out.
    added : array-like of shape (n,) or (n, m), default=None
        Instead of terms, columns of numbers that the fit has not seen, without a penalty on them.

    Returns
    -------
    ChiSquare

    Raises
    ------
    ValueError
        In one sentence, as :func:`lr_test`, and for columns that are not finite numbers.
    """
    if (terms is None) == (added is None):
        raise ValueError("A score test is of terms or of added columns; pass one of the two.")
    d = len(w) - 1
    if added is not None:
        setup, m = widened(setup, added)
        w, chosen = np.concatenate([w[:-1], np.zeros(m), w[-1:]]), np.arange(d, d + m)
    else:
        chosen = named("terms", terms, setup.names, d)
    start = Likelihood.of(estimator, setup)
    top = optimum(start, estimator, w)
    free = copy.copy(setup)
    free.factor = setup.factor.copy()
    free.factor[chosen[np.isinf(setup.factor[chosen])]] = 0.0
    likelihood = Likelihood.of(estimator, free)
    unit, stays = likelihood.objective.scale.coordinates(start.objective.scale.coefficients(top.B)), start.kept(chosen)
    inverse = inverses(start.curvature(top.B), stays[:, None])
    unit[chosen] = 0.0
    small = likelihood.minimum(unit, stays[:, None], inverse, EXACT**2)  # where the slope is exact too
    u = np.where(stays, 0.0, small.gradient[:, 0])
    return ChiSquare.of(u @ inverses(likelihood.curvature(small.B), None)[0] @ u, likelihood.df(chosen))


def drop1(setup: Setup, estimator: Any, w: Array) -> pd.DataFrame:
    """Return what the likelihood loses without each term, and without each category column with all of its levels.

    Parameters and errors are those of :func:`lr_test`; all are fitted together.

    Returns
    -------
    DataFrame
        ``term, df, deviance, AIC, LRT, p_value``, a row a term: of the model without it, and of the test that it has no
        effect. ``AIC = deviance + 2 * (effective) number of coefficients``; the full model's is ``AIC - LRT + 2 * df``
        where there is no penalty.
    """
    likelihood, columns = Likelihood.of(estimator, setup), terms_of(setup, estimator)
    top = optimum(likelihood, estimator, w)
    groups, found = list(columns.values()), []
    at_once = max(1, MEMORY // (8 * len(w) ** 2))
    for start in range(0, len(groups), at_once):
        some = groups[start : start + at_once]
        small = likelihood.without(top, some)
        for k, chosen in enumerate(some):
            test = ChiSquare.of(max(2.0 * (small.value[k] - top.value[0]), 0.0), likelihood.df(chosen))
            deviance = 2.0 * small.value[k] - float(likelihood.pull @ small.B[:, k] ** 2)
            size = likelihood.size(small.B[:, [k]], chosen)
            found.append((test.df, deviance, deviance + 2.0 * size, test.statistic, test.p_value))
    table = pd.DataFrame(found, columns=["df", "deviance", "AIC", "LRT", "p_value"])
    table.insert(0, "term", list(columns))
    return table


def terms_of(setup: Setup, estimator: Any) -> dict[str, np.ndarray]:
    """Return the places of the coefficients of each column of X that is not left out, by its name."""
    encoding, d = estimator._encoding, len(setup.factor)
    if encoding is None:
        names = [f"x{j}" for j in range(d)] if setup.names is None else list(setup.names)
        found = {str(name): np.array([j]) for j, name in enumerate(names)}
    else:
        sizes = [
            len(encoding.levels[position].labels) - encoding.drop_first if position in encoding.levels else 1
            for position in range(len(encoding.names))
        ]
        parts = np.split(np.arange(d), np.cumsum(sizes)[:-1])
        found = dict(zip(encoding.names, parts, strict=True))
    return {name: chosen for name, chosen in found.items() if np.isfinite(setup.factor[chosen]).any()}


def named(option: str, listed: Any, names: np.ndarray | None, n_terms: int) -> np.ndarray:
    """Return the places of terms, each called by its name or by that of its category column, in their own order."""
    listed = [listed] if isinstance(listed, str) else list(listed)
    if not listed:
        raise ValueError(f"{option} is empty; name at least one term.")
    return np.unique(np.concatenate([parameters.terms_called(option, name, names, n_terms) for name in listed]))


def widened(setup: Setup, added: Any) -> tuple[Setup, int]:
    """Return the setup of a fit with columns added that it leaves out, and their number."""
    values = np.asarray(added)
    columns = [row_numbers("added", column, len(setup.problem.y)) for column in np.atleast_2d(values.T)]
    extra, X = np.column_stack([column for column in columns if column is not None]), setup.problem.X
    d, m = X.shape[1], extra.shape[1]
    if isinstance(X, Columns):
        numbers = [Numbers(np.ascontiguousarray(extra[:, j]), d + j) for j in range(m)]
        X = Columns([*X.numbers, *numbers], X.categories, (X.shape[0], d + m))
    else:
        X = sparse.hstack([X, sparse.csr_array(extra)], format=X.format) if is_sparse(X) else np.hstack([X, extra])
    wide, (problem, origin) = copy.copy(setup), (setup.problem, "auto" if setup.intercept else None)
    wide.problem = problem._replace(X=X)
    wide.rows = SelectableRows(X, problem.y, problem.weight, problem.offset, origin=origin)
    wide.factor, wide.names = np.append(setup.factor, np.full(m, np.inf)), None
    if setup.standardize:
        wide.spread = np.append(setup.spread, [1.0] * m)
    return wide, m


def rank_of(factor: Factor) -> int:
    """Return the rank of a matrix from its factor, without the coordinates in which it is 0."""
    found = len(factor.values) if factor.diagonalised else len(factor.unit)
    return found - int(np.count_nonzero(factor.unit == 0.0))
