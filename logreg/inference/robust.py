"""Robust covariances: sandwiches of the scores of the rows, or of groups of rows, between model covariances."""

from __future__ import annotations

from functools import partial, reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from logreg.leave_one_out import ALONE, known, squared_norms
from logreg.loss import Array
from logreg.products import Block, add_full, is_sparse, pieces, quietly, weighted_terms
from logreg.rows import MemoryRows
from logreg.setup import Setup
from logreg.solve import NonFiniteSumsError

KINDS = ("HC0", "HC1", "HC2", "HC3", "cluster")
WEIGHT_TYPES = ("frequency", "precision", "sampling")
POWERS = {"HC2": 1, "HC3": 2}  # of 1 - leverage, by which squared scores are divided


class Weighing(NamedTuple):
    """How weights count: whether as copies of rows, and the weights as given over those of the rows."""

    copies: bool
    given: float


def robust_covariance(
    setup: Setup,
    w: Array,
    inverse: Array,
    kind: str = "HC1",
    groups: Any = None,
    *,
    weight_type: str = "frequency",
) -> Array:
    """Return the covariance of the coefficients that is right even if the model's variance ``p (1 - p)`` is not.

    With the model covariance C, k coefficients, ``x~_i = (x_i, 1)``, n rows and G groups of them,

        V = c C M C,    M = sum_i u_i u_i',    u_i = s_i (y_i - p_i) x~_i,    h_i = s_i p_i (1 - p_i) x~_i' C x~_i

        HC0      c = 1
        HC1      c = n / (n - k)
        HC2      c = 1, u_i / sqrt(1 - h_i) for u_i
        HC3      c = 1, u_i / (1 - h_i) for u_i
        cluster  c = G / (G - 1) * (n - 1) / (n - k), sums of u_i over groups for u_i

    What a weight is decides about u, h and n:

        weight_type   a row of weight s is            M            h            n
        frequency     s rows (Stata's fweight)        s u u'       of a copy    the sum of the weights
        precision     one, of variance p(1-p)/s       s**2 u u'    of the row   rows of positive weight
        sampling      one, drawn with chance 1/s      s**2 u u'    of the row   rows of positive weight; c as for k = 1

    with u of weight 1 here. Copies of a row are in the same group.

    Parameters
    ----------
    setup : Setup
        Of the rows of the fit; its threads are held by the caller.
    w : ndarray of shape (d + 1,)
        In user units, the intercept last; NaN where there is no estimate.
    inverse : ndarray of shape (d + 1, d + 1)
        C in user units, for the weights as given; NaN in rows and columns of coefficients without an error.
    kind : {"HC0", "HC1", "HC2", "HC3", "cluster"}, default="HC1"
    groups : array-like of shape (n,), default=None
        The group of each row, for "cluster" only.
    weight_type : {"frequency", "precision", "sampling"}, default="frequency"

    Returns
    -------
    ndarray of shape (d + 1, d + 1)
        In user units, the intercept last; NaN where C is. If the unit of the weights changes, so does it with
        "frequency" only, for which that is a number of rows.

    Raises
    ------
    ValueError
        In one sentence, for parameters or groups that cannot be used, a row of leverage 1 under HC2 and HC3, and no
        more rows than coefficients under HC1 and "cluster".
    NonFiniteSumsError
        If X holds NaN or infinity, which ``with setup`` explains.

    Notes
    -----
    One pass and ``2 n d**2`` flops, twice that for HC2 and HC3, in blocks of rows; "cluster" reads them by group. HC is
    as in R's ``sandwich::vcovHC`` ("precision" for its prior weights). The factor of "cluster" is statsmodels'
    default, that of Stata's ``regress``, and ``vcovCL(type="HC1")``; Stata's ``logit`` and R's ``vcovCL`` leave
    ``(n - 1) / (n - k)`` out. "sampling" is R's ``survey::svyglm`` with HC1, for rows drawn one by one, and "cluster".
    See MacKinnon and White, J. Econometrics 29, 1985; Liang and Zeger, Biometrika 73, 1986.

    Examples
    --------
    >>> import numpy as np
    >>> from logreg import LogisticRegression
    >>> from logreg.datasets import load_orings
    >>> from logreg.inference.robust import robust_covariance
    >>> from logreg.setup import Setup
    >>> X, y = load_orings()
    >>> clf = LogisticRegression(penalty=None, tol=1e-9).fit(X, y)
    >>> ones = np.column_stack([X, np.ones(len(X))])
    >>> inverse = np.linalg.inv(ones.T @ (clf.predict_proba(X).prod(axis=1)[:, None] * ones))
    >>> with Setup.again(clf, X, y, None, None) as setup:
    ...     V = robust_covariance(setup, np.append(clf.coef_, clf.intercept_), inverse, "HC3")
    >>> np.sqrt(np.diagonal(V)).round(4)
    array([0.0998, 6.5406])
    """
    check_kind(kind, groups, weight_type)
    rows = setup.source
    codes = None if groups is None else group_codes(groups, setup.rows)
    weighing = Weighing(weight_type == "frequency", setup.total_weight / rows.total_weight)
    C, W = known(inverse), rows.from_user_units(known(w)[:, None])
    root = root_of(rows.from_user_units(rows.from_user_units(C).T))
    factor = small_sample_factor(kind, setup, codes, weight_type, root.shape[1])
    if codes is not None:
        meat = squares_of_groups(setup.rows, W, codes) * weighing.given**2
    else:
        power = POWERS.get(kind, 0)
        meat = rows.total(partial(squares_of_part, W=W, root=root, weighing=weighing, power=power))
    if not np.isfinite(meat).all():
        raise NonFiniteSumsError
    side = rows.from_user_units(C)  # C x~ in user units, of an x~ in the units of the rows
    V: Array = factor * (side.T @ meat @ side)
    unknown = np.isnan(np.diagonal(inverse))
    V[unknown], V[:, unknown] = np.nan, np.nan
    return (V + V.T) / 2.0


def check_kind(kind: str, groups: Any, weight_type: str, kinds: tuple[str, ...] = KINDS) -> None:
    """Raise unless the parameters are known, and there are groups where they are needed and nowhere else."""
    for name, value, choices in (("kind", kind, kinds), ("weight_type", weight_type, WEIGHT_TYPES)):
        if value not in choices:
            raise ValueError(f"{name}={value!r} must be {' or '.join(map(repr, choices))}.")
    if kind == "cluster" and groups is None:
        raise ValueError("kind='cluster' needs the group of each row; pass groups.")
    if kind != "cluster" and groups is not None:
        raise ValueError(f"kind={kind!r} knows no groups; pass kind='cluster', or no groups.")
    if kind == "model" and weight_type == "sampling":
        raise ValueError(
            "kind='model' takes weights for numbers of rows or their precision, and what sampling does to errors only "
            "the rows tell; pass covariance('HC1', X, y, sample_weight, weight_type='sampling')."
        )


def group_codes(groups: Any, rows: MemoryRows) -> np.ndarray:
    """Return the number of each row's group, -1 for rows of weight 0."""
    labels = groups if isinstance(groups, pd.Series | pd.Index) else np.asarray(groups)
    if labels.shape != (rows.n_rows,):
        raise ValueError(f"groups has shape {labels.shape}; expected one label a row, shape ({rows.n_rows},).")
    codes = pd.factorize(labels)[0]
    if (codes < 0).any():
        raise ValueError(f"groups holds a missing label, first in row {np.argmin(codes)}; give each row a group.")
    if rows.weight is not None:
        codes[rows.weight == 0.0] = -1
    if np.unique(codes[codes >= 0]).size < 2:
        raise ValueError("groups holds one group only; a covariance by groups needs two, and better forty or more.")
    found: np.ndarray = codes
    return found


def root_of(covariance: Array) -> Array:
    """Return a root of a covariance, a column an independent coefficient, from eigenvalues in units of the errors."""
    C = known(covariance)
    spread = np.sqrt(np.maximum(np.diagonal(C), 0.0))
    unit = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0.0)
    values, vectors = np.linalg.eigh(C * unit * unit[:, None])
    kept = values > 10 * len(values) * np.finfo(float).eps * max(values[-1], 0.0)
    root: Array = spread[:, None] * vectors[:, kept] * np.sqrt(values[kept])
    return root


def small_sample_factor(kind: str, setup: Setup, codes: np.ndarray | None, weight_type: str, rank: int) -> float:
    """Return c; with HC1 it is that of groups of one row each."""
    if kind not in ("HC1", "cluster"):
        return 1.0
    n = setup.total_weight if weight_type == "frequency" else float(setup.source.n_counted)
    k = 1 if weight_type == "sampling" else rank
    if n <= k:
        raise ValueError(
            f"kind={kind!r} divides by the number of rows, {n:g}, less that of coefficients, {k}; pass kind='HC0', or "
            "more rows."
        )
    n_groups = n if codes is None else float(np.unique(codes[codes >= 0]).size)
    return n_groups / (n_groups - 1.0) * (n - 1.0) / (n - k)


def squares_of_part(part: MemoryRows, W: Array, root: Array, weighing: Weighing, power: int) -> Array:
    """Return the sum of ``u u' / (1 - h)**power`` over a part of the rows, in their units."""
    blocks = part.map(lambda block: squares_of_rows(block, W, root, weighing, power), part.chunks())
    return reduce(add, blocks)


@quietly
def squares_of_rows(block: Block, W: Array, root: Array, weighing: Weighing, power: int) -> Array:
    """Return the sum of ``u u' / (1 - h)**power`` over the rows of a block, in the units of the rows."""
    total = np.zeros((1, len(W), len(W)))
    width = root.shape[1] if power else 1
    for piece in pieces(block, width, "full"):
        X = piece.values()
        plain = piece._replace(weight=None)  # so that rows of weight 0 have numbers too
        _, residual, curvature = (term[:, 0] for term in weighted_terms(plain, X, W))
        weight = np.full(len(residual), weighing.given) if piece.weight is None else weighing.given * piece.weight
        squared = residual**2 * (weight if weighing.copies else weight**2)
        if power:
            leverage = curvature * squared_norms(X, root) * (1.0 if weighing.copies else weight)
            squared /= left_of(leverage, weight) ** power
        add_full(X, squared[:, None], total)
    found: Array = total[0]
    return found


def left_of(leverage: Array, weight: Array) -> Array:
    """Return ``1 - h`` of rows that count, 1 of those that do not; raise where nothing is left."""
    left = np.where(weight > 0.0, 1.0 - leverage, 1.0)
    if (left < ALONE).any():
        raise ValueError(
            f"{np.count_nonzero(left < ALONE)} rows have a leverage of 1, because no other row tells their scores, and "
            "HC2 and HC3 divide by 1 less that; pass kind='HC1', or drop these rows and their columns."
        )
    return left


def squares_of_groups(rows: MemoryRows, W: Array, codes: np.ndarray) -> Array:
    """Return the sum of ``u u'`` over groups, u the sum over a group's rows, in the units of the rows.

    The rows are read by group, so that of the sums of all groups only a piece is held; the last group of a piece may go
    on in the next one.
    """
    order = np.argsort(codes, kind="stable")
    order = order[np.searchsorted(codes[order], 0) :]
    by_group = rows.at(order, None if rows.weight is None else rows.weight[order])
    total, open_sum, open_code, at = np.zeros((len(W), len(W))), np.zeros(len(W)), -1, 0
    for block in by_group.chunks():
        for piece in pieces(block, 1, "full"):
            there = codes[order[at : at + len(piece.y)]]
            at += len(piece.y)
            sums = sums_of_groups(piece, W, there)
            if there[0] != open_code:
                total += np.outer(open_sum, open_sum)
                open_sum = np.zeros(len(W))
            open_sum += dense(sums[:1])[0]
            if there[0] != there[-1]:
                total += np.outer(open_sum, open_sum) + dense(sums[1:-1].T @ sums[1:-1])
                open_sum = dense(sums[-1:])[0]
            open_code = there[-1]
    return total + np.outer(open_sum, open_sum)


@quietly
def sums_of_groups(piece: Block, W: Array, codes: np.ndarray) -> Any:
    """Return the sums of u over runs of the same code, shape (g, d + 1); a CSR matrix where X is sparse."""
    X = piece.values()
    residual = weighted_terms(piece, X, W)[1][:, 0]
    ends = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1, [len(codes)]])
    picked = sparse.csr_array((residual, np.arange(len(codes)), ends), shape=(len(ends) - 1, len(codes)))
    of_ones = picked.sum(axis=1)[:, None]
    if is_sparse(X):
        return sparse.hstack([picked @ sparse.csr_array(X), sparse.csr_array(of_ones)], format="csr")
    return np.hstack([picked @ X, of_ones])


def dense(X: Any) -> Array:
    """Return a matrix as an array."""
    found: Array = X.toarray() if is_sparse(X) else X
    return found
