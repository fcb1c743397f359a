"""What coefficients mean for probabilities: marginal effects, and intervals of predictions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import norm

from logreg import predictors
from logreg.categories import Encoding
from logreg.inference.changes import Changes, changed, changes_of
from logreg.inference.influence import scores_of
from logreg.inference.summary import coefficient_frame
from logreg.leave_one_out import known, squared_norms
from logreg.loss import Array
from logreg.parameters import terms_called
from logreg.products import VALUES_AT_ONCE, Block, is_sparse, pieces, quietly
from logreg.rows import MemoryRows
from logreg.sigmoid import sigmoid

KINDS = ("average", "at_mean")


class Held(NamedTuple):
    """Columns that have one value in all rows."""

    columns: np.ndarray
    values: Array


class Totals(NamedTuple):
    """Sums over rows, gradients in the coefficients of the rows among them.

    ``slope`` and ``bend`` are those of ``p (1 - p)`` and its gradient; ``change`` of ``p(1) - p(0)``, ``after`` and
    ``before`` of ``p (1 - p)`` there, and ``difference`` of the gradient of the change in columns that do not change.
    """

    weight: float
    slope: float
    bend: Array
    change: Array
    after: Array
    before: Array
    difference: Array


def marginal_effects(
    X: Any,
    w: Array,
    covariance: Array,
    names: np.ndarray,
    kind: str = "average",
    *,
    weight: Array | None = None,
    offset: Array | None = None,
    at: Mapping[str, float] | None = None,
    discrete: bool = True,
    encoding: Encoding | None = None,
    level: float = 0.95,
    n_threads: int = 1,
) -> pd.DataFrame:
    """Return by how much the probability changes with each column, and with which error.

    Of a column of numbers, and of one that is 0 or 1, given the others:

        average   1/S sum_i s_i w_j p_i (1 - p_i)        1/S sum_i s_i (p(x_i with 1) - p(x_i with 0))
        at_mean   the same of one row, the weighted means of the columns

    Their standard errors are ``sqrt(g' C g)``, with C the covariance of the coefficients and g the gradient of the
    effect in them (the delta method); the rows are taken as given.

    Parameters
    ----------
    X : ndarray, CSR/CSC matrix or Columns of shape (n, d)
        Of the fit, or any other rows; no outcomes are needed.
    w : ndarray of shape (d + 1,)
        The intercept comes last; NaN where there is no estimate.
    covariance : ndarray of shape (d + 1, d + 1)
        Model or robust; NaN in rows and columns of coefficients without an error.
    names : ndarray of shape (d,)
        Of the terms.
    kind : {"average", "at_mean"}, default="average"
    weight, offset : ndarray of shape (n,) or None
    at : dict of str to float, default=None
        Values that terms, or all levels of a category column, have in all rows, one after the other.
    discrete : bool, default=True
        Whether columns that hold only 0 and 1 change from 0 to 1, and levels of categories from the first level of
        their column; else they are numbers like others.
    encoding : Encoding, default=None
        Of the category columns. Without a penalty the first level has no coefficient; else it has one, and no row in
        the result.
    level : float, default=0.95
    n_threads : int, default=1

    Returns
    -------
    DataFrame
        ``term, estimate, std_error, statistic, p_value, conf_low, conf_high``, the intervals those of a normal
        distribution.

    Raises
    ------
    ValueError
        In one sentence, for parameters that cannot be used, and NaN or infinity in X.

    Notes
    -----
    Two passes; ``4 n d`` flops, and ``2 n d`` and six sigmoids a row for each column of 0 and 1; d x d numbers. The
    numbers are those of Stata's ``margins, dydx(*)`` and statsmodels' ``get_margeff(dummy=True)``, except that
    statsmodels knows no categories: it changes one level and leaves the others as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from logreg import LogisticRegression
    >>> from logreg.datasets import load_orings
    >>> from logreg.inference.effects import marginal_effects
    >>> X, y = load_orings()
    >>> clf = LogisticRegression(penalty=None, tol=1e-9).fit(X, y)
    >>> ones = np.column_stack([X, np.ones(len(X))])
    >>> covariance = np.linalg.inv(ones.T @ (clf.predict_proba(X).prod(axis=1)[:, None] * ones))
    >>> w = np.append(clf.coef_, clf.intercept_)
    >>> frame = marginal_effects(X.to_numpy(), w, covariance, clf.feature_names_out_)
    >>> frame[["estimate", "std_error"]].round(4).values.tolist()
    [[-0.0329, 0.0094]]
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} must be {' or '.join(map(repr, KINDS))}.")
    held = held_columns(at, names)
    with MemoryRows(X, np.zeros(X.shape[0], dtype=np.int8), weight, offset, n_threads=n_threads) as rows:
        origin = np.zeros(X.shape[1]) if rows.origin is None else rows.origin
        W, C = rows.from_user_units(known(w)[:, None]), known(covariance)
        changes = changes_of(rows, origin, W, discrete, encoding)
        blocks = rows.chunks() if kind == "average" else [mean_row(rows)]
        held = held._replace(values=held.values - origin[held.columns])
        totals = reduce(add_totals, rows.map(lambda block: totals_of(block, W, held, changes, origin), blocks))
        C = rows.from_user_units(rows.from_user_units(C).T)
    effects, gradient = effects_of(totals, W, changes, origin)
    if not np.isfinite(effects).all():
        raise predictors.explain_not_finite(X, names)
    errors = np.sqrt(np.maximum(np.einsum("ij,ij->j", gradient, C @ gradient), 0.0))
    effects[np.isnan(w[:-1])] = np.nan
    errors[np.isnan(np.diagonal(covariance)[:-1])] = np.nan
    shown = np.setdiff1d(np.arange(len(effects)), changes.columns[changes.columns == changes.bases])
    terms = [str(names[j]) for j in shown]
    return coefficient_frame(terms, effects[shown], errors[shown], level)


def held_columns(at: Mapping[str, float] | None, names: np.ndarray) -> Held:
    """Return which columns have which value in all rows."""
    values: dict[int, float] = {}
    for name, value in (at or {}).items():
        values |= dict.fromkeys(terms_called("at", name, names, len(names)).tolist(), float(value))
        if not np.isfinite(value):
            raise ValueError(f"at gives {name!r} the value {value}; pass a finite number.")
    return Held(np.array(list(values), dtype=np.intp), np.array(list(values.values())))


def mean_row(rows: MemoryRows) -> Block:
    """Return one row, the weighted means of the columns in the units of the rows, and of the offset."""
    plain = rows.with_outcomes(rows.y, rows.weight)
    plain.offset = None
    sums = plain.sums(np.zeros((rows.n_columns + 1, 1)))  # residuals of 1/2 in all rows
    mean = 2.0 * sums.gradient[:-1].T / sums.weight[0]
    offset = None if rows.offset is None else np.atleast_1d(np.average(rows.offset, weights=rows.weight))
    return Block(mean, np.zeros(1, dtype=np.int8), None, offset)


def add_totals(one: Totals, other: Totals) -> Totals:
    """Return the sums over both sets of rows."""
    return Totals(*map(add, one, other))


@quietly
def totals_of(block: Block, W: Array, held: Held, changes: Changes, origin: Array) -> Totals:
    """Return the sums over a block; of its changes some at a time, if its rows are not cut into pieces."""
    d, m = changes.removed.shape
    weight, slope, bend = 0.0, 0.0, np.zeros(d + 1)
    change, after, before, difference = np.zeros(m), np.zeros(m), np.zeros(m), np.zeros((d + 1, m))
    for piece in pieces(block, m, "full"):
        X = with_held(piece.values(), held)
        s = np.ones(len(piece.y)) if piece.weight is None else piece.weight
        scores = scores_of(piece, X, W)
        p, other = sigmoid(scores), sigmoid(-scores)
        weight, slope = weight + float(s.sum()), slope + float(s @ (p * other))
        bent = s * p * other * (other - p)
        bend += np.append(X.T @ bent, bent.sum())
        step = max(1, VALUES_AT_ONCE // max(len(s), 1))
        for start in range(0, m, step):
            some = slice(start, start + step)
            part = Changes(changes.columns[some], changes.bases[some], changes.removed[:, some])
            added, new, old = changed(X, scores, W, part, origin)
            change[some] += s @ added
            after[some] += s @ new
            before[some] += s @ old
            weighted = s[:, None] * (new - old)
            difference[:-1, some] += X.T @ weighted
            difference[-1, some] += weighted.sum(axis=0)
    return Totals(weight, slope, bend, change, after, before, difference)


def with_held(X: Any, held: Held) -> Any:
    """Return X with some columns of one value."""
    if not held.columns.size:
        return X
    if not is_sparse(X):
        X = X.astype(np.float64)
        X[:, held.columns] = held.values
        return X
    n, k = X.shape[0], held.columns.size
    kept = np.ones(X.shape[1])
    kept[held.columns] = 0.0
    entries = np.tile(held.values, n), np.tile(held.columns, n), k * np.arange(n + 1)
    return (X.multiply(kept) + sparse.csr_array(entries, shape=X.shape)).tocsr()


def effects_of(totals: Totals, W: Array, changes: Changes, origin: Array) -> tuple[Array, Array]:
    """Return the effects of the columns, (d,), and their gradients in the coefficients of the rows, (d + 1, d)."""
    w = W[:-1, 0]
    effects = w * totals.slope
    gradient = np.outer(totals.bend, w)
    np.einsum("jj->j", gradient[:-1])[:] += totals.slope
    columns, bases, order = changes.columns, changes.bases, np.arange(len(changes.columns))
    of_changes = totals.difference
    lengths = np.diff(changes.removed.indptr)
    members, which = changes.removed.indices, np.repeat(order, lengths)
    of_changes[members, which] = -origin[members] * of_changes[-1, which]  # they are 0 before and after, but
    of_changes[columns, order] += totals.after
    has_base = bases >= 0
    of_changes[bases[has_base], order[has_base]] -= totals.before[has_base]
    effects[columns], gradient[:, columns] = totals.change, of_changes
    return effects / totals.weight, gradient / totals.weight


def predict_interval(
    X: Any, w: Array, root: Array, level: float = 0.95, *, offset: Array | None = None, names: np.ndarray | None = None
) -> Array:
    """Return the probability of each row between the ends of its interval.

    ``sigmoid(z_i - q e_i), sigmoid(z_i), sigmoid(z_i + q e_i)`` with ``e_i = sqrt(x~_i' C x~_i)``, ``x~_i = (x_i, 1)``
    and q the normal quantile: inside [0, 1], and accurate in both tails. It is an interval of the probability, not of
    the outcome.

    Parameters
    ----------
    X : ndarray, CSR/CSC matrix or Columns of shape (n, d)
    w : ndarray of shape (d + 1,)
        The intercept comes last; NaN where there is no estimate.
    root : ndarray of shape (d + 1, r)
        ``root root'`` is the covariance C; NaN in rows of coefficients without an error.
    level : float, default=0.95
    offset : ndarray of shape (n,), default=None
    names : ndarray of shape (d,), default=None
        Of the terms, for errors.

    Returns
    -------
    ndarray of shape (n, 3)
        Low end, probability of the second class, high end.

    Raises
    ------
    ValueError
        If X holds NaN or infinity.

    Notes
    -----
    One pass and ``2 n d r`` flops, in blocks of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from logreg.inference.effects import predict_interval
    >>> predict_interval(np.array([[0.0], [800.0]]), np.array([-1.0, 0.0]), 0.1 * np.eye(2)).round(3)
    array([[0.451, 0.5  , 0.549],
           [0.   , 0.   , 0.   ]])
    """
    w, root, at = known(w)[:, None], known(root), 0
    reach = norm.isf((1.0 - level) / 2.0)
    out = np.empty((X.shape[0], 3))
    with np.errstate(over="ignore", invalid="ignore"):
        for piece in pieces(Block(X, np.zeros(X.shape[0], dtype=np.int8), None, offset), root.shape[1], "full"):
            numbers = piece.values()
            scores, errors = scores_of(piece, numbers, w), np.sqrt(squared_norms(numbers, root))
            if not (np.isfinite(scores).all() and np.isfinite(errors).all()):
                raise predictors.explain_not_finite(X, names)
            some = out[at : at + len(scores)]
            some[:] = sigmoid(scores[:, None] + reach * errors[:, None] * np.array([-1.0, 0.0, 1.0]))
            at += len(scores)
    return out
