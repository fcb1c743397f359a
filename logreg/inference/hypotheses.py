"""Tests of hypotheses about coefficients: Wald, likelihood ratio and Rao's score, for a term or for many at once."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse

from logreg import parameters
from logreg.columns import Columns, Numbers
from logreg.factor import Factor
from logreg.inference.chi_square import ChiSquare
from logreg.inference.likelihood import EXACT, Likelihood, inverses, optimum, rank_of, turns
from logreg.leave_one_out import known
from logreg.loss import Array
from logreg.products import is_sparse
from logreg.rows import SelectableRows
from logreg.setup import Setup
from logreg.validate import row_numbers


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
        L, or the names of coefficients or category columns that are to be ``value``. Hypotheses about coefficients
        without an estimate, which repeat others, are left out, as R's ``anova`` does.
    names : sequence of str
        Of the coefficients.
    value : float or array-like of shape (q,), default=0.0

    Returns
    -------
    ChiSquare

    Raises
    ------
    ValueError
        In one sentence, for names and matrices that do not fit the coefficients, and hypotheses of which none is left.

    Examples
    --------
    >>> import numpy as np
    >>> from logreg.inference.hypotheses import wald_test
    >>> wald_test(np.array([1.0, 3.0]), np.eye(2), "b", ["a", "b"]).statistic
    9.0
    """
    p = len(estimate)
    listed = [matrix_or_terms] if isinstance(matrix_or_terms, str) else matrix_or_terms
    if all(isinstance(name, str) for name in listed):
        L = np.eye(p)[named("terms", listed, np.array(names, dtype=object), p)]
    else:
        L = np.atleast_2d(np.asarray(listed, dtype=np.float64))
        if L.shape[1:] != (p,):
            raise ValueError(f"The matrix of hypotheses has shape {L.shape}; expected a column a coefficient, {p}.")
    involved = L[:, np.isnan(estimate) | np.isnan(np.diagonal(covariance))].any(axis=1)
    if involved.all():
        raise ValueError(
            "All hypotheses are about coefficients without an estimate or an error, whose columns repeat others (see "
            "aliased_) or are left out; test other coefficients."
        )
    L, value = L[~involved], np.broadcast_to(value, len(L))[~involved]
    away, factor = L @ known(estimate) - value, Factor(L @ known(covariance) @ L.T)
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
    for turn in turns(len(groups), len(w)):
        some = groups[turn]
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
        found = {str(name): np.array([j]) for j, name in enumerate(estimator.feature_names_out_)}
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
    problem, origin = setup.problem, "auto" if setup.intercept else None
    rows = SelectableRows(X, problem.y, problem.weight, problem.offset, origin=origin)
    wide = setup.beside(problem._replace(X=X), rows)
    wide.factor, wide.names = np.append(setup.factor, np.full(m, np.inf)), None
    if setup.standardize:
        wide.spread = np.append(setup.spread, [1.0] * m)
    return wide, m
