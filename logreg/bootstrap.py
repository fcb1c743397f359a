"""Resampling the rows of a fit: how much its coefficients vary, with all replicates fitted together."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from logreg import parameters
from logreg.inference.separation import separation_of
from logreg.inference.suspicion import suspicious
from logreg.leave_one_out import influence_on_coefficients
from logreg.loss import Array
from logreg.nearby import Ends, Neighbours, fit_nearby, fit_one_by_one
from logreg.penalty import Ridge
from logreg.rows import VersionedRows, Versions
from logreg.setup import Setup
from logreg.stop import Limits

METHODS = ("multinomial", "poisson")
KINDS = ("percentile", "bca")
MOST_COUNTED = 255  # times that a row is drawn, in a byte
SAME = 1e-3  # standard errors within which a resample's coefficient is that of all rows: fits are no more exact
FAR = 3.0  # standard errors from the fit of all rows, from which on a resample without a penalty may be separated
TRIES = 100  # to draw rows of both classes


@dataclass(frozen=True)
class Bootstrap:
    """Coefficients of resamples of the rows.

    Attributes
    ----------
    coefs : ndarray of shape (n, n_terms)
    intercepts : ndarray of shape (n,)
    converged : ndarray of bool, shape (n,)
        Where a resample has a finite optimum and it was reached.
    estimates : ndarray of shape (n_terms + 1,)
        The coefficients of all rows, the intercept last.
    terms : ndarray of shape (n_terms,)
    acceleration : ndarray of shape (n_terms + 1,)
        How fast the standard error changes with the coefficient, for the interval "bca".
    has_intercept : bool
    """

    coefs: Array
    intercepts: Array
    converged: np.ndarray
    estimates: Array
    terms: np.ndarray
    acceleration: Array
    has_intercept: bool

    def __len__(self) -> int:
        """Return the number of resamples."""
        return len(self.intercepts)

    def frame(self) -> pd.DataFrame:
        """Return a table with a row a resample and a column a coefficient, the intercept first."""
        found = pd.DataFrame(self.coefs, columns=list(self.terms))
        if self.has_intercept:
            found.insert(0, "intercept", self.intercepts)
        return found

    def summary(self, level: float = 0.95, kind: str = "percentile") -> pd.DataFrame:
        """Return a table of the columns ``term, estimate, std_error, conf_low, conf_high``, the intercept first.

        Parameters
        ----------
        level : float, default=0.95
            The probability with which an interval shall cover the coefficient.
        kind : {"percentile", "bca"}, default="percentile"
            Quantiles of the resamples; or those that correct for bias and for a standard error that changes with the
            coefficient (Efron, J. Am. Stat. Assoc. 82, 1987).
        """
        parameters.check_number("level", level, above=0.0)
        if level >= 1.0:
            raise ValueError(f"level={level!r} must be less than 1.")
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r} must be {' or '.join(map(repr, KINDS))}.")
        sample = np.column_stack([self.coefs, self.intercepts])[self.converged]
        if len(sample) < 2:
            raise ValueError("Fewer than two resamples have a finite optimum, so they tell nothing; use a penalty.")
        tails = np.array([0.5 - level / 2.0, 0.5 + level / 2.0])[:, None]
        if kind == "bca":
            away = (sample - self.estimates) / np.maximum(sample.std(axis=0), np.finfo(float).tiny)
            below = (away < -SAME).mean(axis=0) + (np.abs(away) <= SAME).mean(axis=0) / 2.0
            bias = ndtri(np.clip(below, 0.5 / len(sample), 1.0 - 0.5 / len(sample)))
            shifted = bias + ndtri(tails)
            tails = ndtr(bias + shifted / (1.0 - self.acceleration * shifted))
        else:
            tails = np.broadcast_to(tails, (2, sample.shape[1]))
        low, high = np.array([np.quantile(column, q) for column, q in zip(sample.T, tails.T, strict=True)]).T
        table = pd.DataFrame(
            {
                "term": [*self.terms, "intercept"],
                "estimate": self.estimates,
                "std_error": sample.std(axis=0, ddof=1),
                "conf_low": low,
                "conf_high": high,
            }
        )
        order = [len(table) - 1, *range(len(table) - 1)] if self.has_intercept else range(len(table) - 1)
        return table.iloc[list(order)].reset_index(drop=True)


def bootstrap(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: ArrayLike | None = None,
    *,
    offset: ArrayLike | None = None,
    n: int = 200,
    method: str = "multinomial",
    random_state: Any = None,
) -> Bootstrap:
    """Fit n resamples of the rows of a fit.

    Each resample counts the rows as often as they are drawn; all are fitted together, from the fit of all rows and with
    its curvature, so that a pass over X serves them all.

    Parameters
    ----------
    estimator : LogisticRegression
        Fitted.
    X, y, sample_weight, offset
        Those of the fit.
    n : int, default=200
        Resamples.
    method : {"multinomial", "poisson"}, default="multinomial"
        Whether as many rows are drawn as there are, or each counts as a Poisson number with mean 1 says.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    Bootstrap

    Raises
    ------
    ValueError
        In one sentence, for data or parameters that cannot be used.

    Warns
    -----
    ConvergenceWarning
        If resamples have no finite optimum, or it was not reached.

    Notes
    -----
    ``4 n_rows d`` flops and n_rows exponentials a resample and pass, three or four passes, and a byte a row and
    resample. Without a penalty, resamples that end far from the fit of all rows are looked at for separation, in two
    more passes each, of ``2 n_rows d**2`` flops, and linear programs where these do not tell. A penalty with an L1
    part, or bounds, are fitted one resample after the other.

    Examples
    --------
    >>> from logreg import LogisticRegression
    >>> from logreg.datasets import load_orings
    >>> X, y = load_orings()
    >>> clf = LogisticRegression().fit(X, y)
    >>> clf.bootstrap(X, y, n=500, random_state=0).summary(level=0.9)["term"].tolist()
    ['intercept', 'Temperature']
    """
    parameters.check_number("n", n, least=1, integer=True)
    if method not in METHODS:
        raise ValueError(f"method={method!r} must be {' or '.join(map(repr, METHODS))}.")
    if getattr(estimator, "separation_", None) is not None:
        raise ValueError(
            "Columns separate the outcomes (see separation_), so neither the fit nor its resamples have a finite "
            "optimum; use a penalty."
        )
    setup = Setup.again(estimator, X, y, sample_weight, offset)
    counts = draw(setup, n, method, check_random_state(random_state))
    w = np.append(estimator._coefficients(), estimator.intercept_)
    with setup, VersionedRows(setup.rows, Versions(np.arange(n), counts=counts)) as rows:
        near = setup.rows.from_user_units(w[:, None])
        squares, cubes, errors = influence_on_coefficients(estimator, setup, w)
        ends = fit_resamples(estimator, setup, rows, near)
        arrived = np.array([status.is_optimum for status in ends.status])
        if is_free(estimator, setup):
            far = (np.abs(ends.coefficients - near) > FAR * errors[:, None]).any(axis=0)
            for k in np.flatnonzero(arrived & far).tolist():
                arrived[k] = not is_separated(setup, counts[k], ends.coefficients[:, [k]])
    W = setup.rows.in_user_units(ends.coefficients)
    if not arrived.all():
        warnings.warn(
            f"{np.count_nonzero(~arrived)} of {n} resamples have no finite optimum or did not reach it, and are left "
            "out of summaries; use a penalty, or raise max_iter.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return Bootstrap(
        coefs=np.ascontiguousarray(W[:-1].T),
        intercepts=W[-1],
        converged=arrived,
        estimates=w,
        terms=estimator.feature_names_out_,
        acceleration=skewness(squares, cubes) / 6.0,
        has_intercept=setup.intercept,
    )


def fit_resamples(estimator: Any, setup: Setup, rows: VersionedRows, near: Array) -> Ends:
    """Return where the fits of all resamples end, from the fit of all rows."""
    (strength, l1_ratio), n = parameters.penalty_of(estimator), rows.n_versions
    limits = Limits(estimator.tol, estimator.max_iter)
    strengths = strength / (rows.total_weight * (setup.total_weight / setup.rows.total_weight))
    if not setup.is_ridge(l1_ratio):
        unit = setup.elastic_net(l1_ratio)
        return fit_one_by_one(rows, strengths, unit, limits, intercept=setup.intercept, start=near)
    penalty = Ridge.of_factors(strengths, setup.factor, setup.spread)
    neighbours = Neighbours(near, np.zeros(n, dtype=np.intp))
    ends = fit_nearby(rows, penalty, neighbours, limits, intercept=setup.intercept)
    ends.coefficients[:-1][setup.left_out] = 0.0
    return ends


def draw(setup: Setup, n: int, method: str, random: np.random.RandomState) -> np.ndarray:
    """Return how often each row counts in each resample, shape (n, n_rows); drawn again where a class is missing."""
    y, weight = setup.problem.y, setup.problem.weight
    counted = np.ones(len(y), dtype=np.int64) if weight is None else (weight > 0).astype(np.int64)
    positive = counted * y
    generator = np.random.default_rng(random.randint(2**31 - 1))
    counts = np.zeros((n, len(y)), dtype=np.uint8)
    for count in counts:
        for _ in range(TRIES):
            found = drawn(len(y), method, generator)
            if 0 < found @ positive < found @ counted:
                count[:] = np.minimum(found, MOST_COUNTED)
                break
        else:
            raise ValueError("Resamples hold rows of one class only: one of the classes has too few rows.")
    return counts


def drawn(n_rows: int, method: str, generator: np.random.Generator) -> np.ndarray:
    """Return how often each row is drawn."""
    if method == "poisson":
        return generator.poisson(1.0, n_rows)
    return np.bincount(generator.integers(0, n_rows, n_rows, dtype=np.int32), minlength=n_rows)


def is_free(estimator: Any, setup: Setup) -> bool:
    """Tell whether nothing keeps the coefficients of separated resamples from growing without end."""
    strength, l1_ratio = parameters.penalty_of(estimator)
    return strength == 0.0 and setup.is_ridge(l1_ratio)


def is_separated(setup: Setup, count: np.ndarray, W: Array) -> bool:
    """Tell whether columns separate the outcomes of a resample whose descent ended at W (d + 1, 1)."""
    weight = count.astype(np.float64) if setup.rows.weight is None else count * setup.rows.weight
    rows, intercept = setup.rows.with_outcomes(setup.rows.y, weight), setup.intercept
    if not suspicious(rows, W, intercept=intercept).size:
        return False
    return separation_of(rows, setup.names, intercept=intercept, left_out=setup.left_out).kind is not None


def skewness(squares: Array, cubes: Array) -> Array:
    """Return ``sum U**3 / (sum U**2)**1.5`` of the influences U of the rows, from both sums."""
    found: Array = np.divide(cubes, squares**1.5, out=np.zeros_like(cubes), where=squares > 0)
    return found
