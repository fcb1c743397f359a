"""Leave-one-out scores of a fit, from the leverages of its rows: what each row would get from a fit without it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.linalg import lapack
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted, column_or_1d

from logreg import parameters, predictors, validate
from logreg.factor import Factor
from logreg.loss import Array, log_loss, terms
from logreg.penalty import ElasticNet
from logreg.plan import WIDEST_MATRIX
from logreg.predict import linear, predict_rows
from logreg.products import Block, is_sparse, pieces
from logreg.rows import MemoryRows
from logreg.scale import Scale
from logreg.sums import Sums
from logreg.threads import n_threads

# Against refits of rows far out and of rare columns, the change of nine scores in ten is right to 7 % for leverages of
# 0.2 to 0.3, and to 20 % from there to 0.4, with a ridge; under the lasso to 40 % and not at all.
TRUSTED = 0.3
ALONE = 1e-6  # 1 - leverage of a row below which no other row tells its score
FAR = 0.1  # distance to the optimum, in standard errors, from which on these are not the rows of a fit that converged
STACK = 4  # frames between the warning and the line of the user that calls the estimator's method


class LeverageWarning(UserWarning):
    """Some rows weigh so much in a fit that their leave-one-out scores need a fit without them."""


@dataclass(frozen=True)
class LeaveOneOut:
    """The scores of each row by the fit to all other rows, approximately.

    Attributes
    ----------
    scores : ndarray of shape (n,)
        Log-odds of ``classes_[1]``; NaN for a row of leverage 1, whose score no other row tells.
    leverage : ndarray of shape (n,)
        From 0, a row that the fit does not depend on, to 1, one that it follows. They add up to the effective degrees
        of freedom.
    log_loss : float
        Weighted mean of the losses of these scores, in nats; NaN where one of them is.
    trusted : ndarray of bool, shape (n,)
        Where the leverage is at most 0.3, so that one step leads near enough to the fit without the row.
    """

    scores: Array
    leverage: Array
    log_loss: float
    trusted: np.ndarray

    def frame(self) -> pd.DataFrame:
        """Return a table with a row a row of X: score, leverage and trusted."""
        return pd.DataFrame({"score": self.scores, "leverage": self.leverage, "trusted": self.trusted})


def leave_one_out(
    estimator: Any, X: Any, y: Any, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
) -> LeaveOneOut:
    """Return the leave-one-out scores of the rows of a fit, without fitting again.

    The fit without row i is taken to be one Newton step away, which changes the score of that row to

        z_i + q_i r_i / (1 - h_i),     q_i = x_i' H^-1 x_i,     h_i = D_i q_i,
        r_i = s_i (p_i - y_i),         D_i = s_i p_i (1 - p_i),     H = X' diag(D) X + penalty's curvature

    where X has a column of ones for the intercept, and only the columns that count: under an L1 part those whose
    coefficient is not 0, and with bounds those not held by one.

    Parameters
    ----------
    estimator : LogisticRegression
        Fitted.
    X, y, sample_weight, offset
        Those of the fit. A row is left out with all its weight. Weights of the classes and standard deviations of
        the columns are those of all rows.

    Returns
    -------
    LeaveOneOut

    Raises
    ------
    ValueError
        In one sentence, for data that cannot be used or are not those of the fit, and for more than 3,000 columns that
        count.

    Warns
    -----
    LeverageWarning
        If the leverage of some rows is too large for one step.

    Notes
    -----
    Four passes over the rows, five with ``standardize``, and ``3 n k**2 + 2 k**3 / 3`` flops for k columns that count,
    in blocks of rows; a CSC matrix is copied once, by row. The error of the log-loss is of the order of ``(k / n)**2``
    (Rad and Maleki, J. R. Stat. Soc. B 82, 2020).

    Examples
    --------
    >>> from logreg import LogisticRegression, log_loss
    >>> from logreg.datasets import load_orings
    >>> from logreg.leave_one_out import leave_one_out
    >>> X, y = load_orings()
    >>> clf = LogisticRegression().fit(X, y)
    >>> round(log_loss(y, clf.decision_function(X)), 3), round(leave_one_out(clf, X, y).log_loss, 3)
    (0.442, 0.523)
    """
    check_is_fitted(estimator)
    X = predictors.check_columns(estimator, X)
    rows_are = outcomes(estimator, y, sample_weight, offset, X.shape[0])
    w = np.append(estimator._coefficients(), estimator.intercept_)
    scores = np.empty(X.shape[0])
    if not predict_rows(X, w, rows_are.offset, linear, scores):
        raise predictors.explain_not_finite(X, estimator._terms())
    q = influence(estimator, X, rows_are, w)
    _, residual, curvature = (term[:, 0] for term in terms(scores[:, None], rows_are.y))
    if rows_are.weight is not None:
        residual, curvature = rows_are.weight * residual, rows_are.weight * curvature
    leverage = np.minimum(curvature * q, 1.0)
    left = 1.0 - leverage
    scores += q * residual / np.where(left > ALONE, left, np.nan)
    trusted = leverage <= TRUSTED
    if not trusted.all():
        warn_of(leverage, trusted)
    return LeaveOneOut(scores, leverage, log_loss(rows_are.y, scores, rows_are.weight), trusted)


class Outcomes(NamedTuple):
    """What stands beside X, checked: y as 0 and 1, weights of mean 1, and the sum of the weights as given."""

    y: np.ndarray
    weight: Array | None
    offset: Array | None
    total_weight: float


def outcomes(estimator: Any, y: Any, sample_weight: Any, offset: Any, n: int) -> Outcomes:
    """Check labels, weights and offset as fit does, and the classes against those of the fit."""
    if y is None:
        raise ValueError("Leave-one-out scores need the y of the fit, but the target y is None.")
    if is_sparse(y):
        raise ValueError("y is sparse; pass a dense array of labels (y.toarray().ravel()).")
    predictors.refuse_complex("y", y)
    labels = y if predictors.is_plain(y, 1) else column_or_1d(y, warn=True)
    if len(labels) != n:
        raise ValueError(f"X and y have inconsistent numbers of samples: X has {n} rows, y has {len(labels)}.")
    classes, outcome = validate.two_classes(labels)
    if not np.array_equal(classes, estimator.classes_):
        found, known = (" and ".join(map(repr, two.tolist())) for two in (classes, estimator.classes_))
        raise ValueError(f"y holds the classes {found}, but the model was fitted to {known}; pass the y of the fit.")
    weight = validate.row_numbers("sample_weight", sample_weight, n)
    if weight is not None:
        validate.check_weights("sample_weight", weight, outcome, classes)
    if estimator.class_weight is not None:
        by_class = compute_class_weight(estimator.class_weight, classes=classes, y=labels, sample_weight=weight)
        weight = by_class[outcome] * (1.0 if weight is None else weight)
        validate.check_weights("class_weight", weight, outcome, classes)
    total = float(n)
    if weight is not None:
        weight, total = validate.normalised(weight)
    return Outcomes(outcome, weight, validate.row_numbers("offset", offset, n), total)


def influence(estimator: Any, X: Any, rows_are: Outcomes, w: Array) -> Array:
    """Return ``q_i = x_i' H^-1 x_i`` of every row, shape (n,), for weights of mean 1.

    With a root of the inverse curvature, ``M M' = H^-1``, it is the sum of the squares of ``x_i' M``: of the scores of
    as many models as columns count.
    """
    y, weight, offset, total_weight = rows_are
    rows_of = X.tocsr() if is_sparse(X) and X.format == "csc" else X  # blocks of rows are cut out of it
    origin = "auto" if estimator.fit_intercept else None
    with MemoryRows(rows_of, y, weight, offset, n_threads=n_threads(estimator.n_jobs), origin=origin) as rows:
        penalty, columns = what_counts(estimator, rows, w[:-1], total_weight)
        W = rows.from_user_units(w[:, None])
        sums = rows.sums(W, "diagonal")
        if not sums.all_finite():
            raise predictors.explain_not_finite(X, estimator._terms())
        scale = Scale.from_sums(sums, penalty.l2[:, None], estimator.fit_intercept)
        H = rows.curvature(W, scale, columns)[0]
        scale = scale.of(columns)
        np.einsum("jj->j", H)[:-1] += penalty.l2[columns] * scale.unit[:-1] ** 2
        root = scale.coefficients(inverse_root(Factor(H)))
        check_optimum(estimator, penalty, sums, W[:, 0], columns, root)
        squares = rows.map(lambda block: squared_scores(block, columns, root), rows.chunks())
        q: Array = np.concatenate(list(squares)) / rows.total_weight
        return q


def what_counts(estimator: Any, rows: MemoryRows, w: Array, total_weight: float) -> tuple[ElasticNet, np.ndarray]:
    """Return the penalty on the scale of the mean loss, and the columns that are free to move a little at w."""
    (strength, l1_ratio), names, d = parameters.penalty_of(estimator), estimator._terms(), rows.n_columns
    factor = parameters.penalty_factors(estimator.penalty_factor, names, d)
    bounds = parameters.coefficient_bounds(estimator.bounds, estimator.positive, names, d)
    spread = rows.spread() if estimator.standardize else 1.0
    penalty = ElasticNet.of_factors(l1_ratio, factor, spread, bounds).times(strength / total_weight)
    counts = ((w != 0.0) | (penalty.l1 == 0.0)) & (w > penalty.low) & (w < penalty.high)
    columns = np.flatnonzero(counts)
    if len(columns) > WIDEST_MATRIX:
        raise ValueError(
            f"Leverages need a curvature matrix of the {len(columns)} columns that count, and it is held for up to "
            f"{WIDEST_MATRIX}; cross-validate instead, or select fewer with an L1 penalty."
        )
    return penalty, columns


def inverse_root(factor: Factor) -> Array:
    """Return a root A of the inverse curvature, or of its pseudo-inverse: ``A A' = H^-1``."""
    if factor.diagonalised:
        root = factor.vectors / np.sqrt(factor.values)
    else:
        root = np.triu(lapack.dtrtri(factor.cholesky, lower=0)[0])
    scaled: Array = factor.unit[:, None] * root
    return scaled


def check_optimum(estimator: Any, penalty: ElasticNet, sums: Sums, w: Array, columns: np.ndarray, root: Array) -> None:
    """Raise if a fit that converged is not at the optimum of these rows: then it was fitted to others."""
    there, gradient = w[columns], sums.gradient[:, 0] / sums.weight[0]
    slope = np.append(gradient[columns] + penalty.l2[columns] * there, gradient[-1])
    slope[:-1] += np.where(there != 0.0, penalty.l1[columns], 0.0) * np.sign(there)
    distance = float(np.sqrt(sums.weight[0]) * np.linalg.norm(root.T @ slope))
    if estimator.converged_ and distance > max(FAR, estimator.tol):
        raise ValueError(
            f"The coefficients are {distance:.2g} standard errors from the optimum of these rows, so they were fitted "
            "to others, or with other parameters; pass X, y, sample_weight and offset of the fit."
        )


def squared_scores(block: Block, columns: np.ndarray, root: Array) -> Array:
    """Return ``|x_i' M|**2`` of the rows of a block, for M of shape (k + 1, r), the intercept's row last."""
    found = []
    for piece in pieces(block, root.shape[1], "full"):
        X = piece.values()
        some = X if len(columns) == X.shape[1] else X[:, columns]
        scores = some @ root[:-1] + root[-1]
        found.append(np.einsum("ij,ij->i", scores, scores))
    return np.concatenate(found)


def warn_of(leverage: Array, trusted: np.ndarray) -> None:
    """Warn of rows that weigh too much in the fit."""
    warnings.warn(
        f"{np.count_nonzero(~trusted)} of {len(trusted)} rows have leverages above {TRUSTED:g}, up to "
        f"{leverage.max():.3g}, too much for scores without a refit; refit without each of them, for example with "
        "cross_val_predict and scikit-learn's LeaveOneOut.",
        LeverageWarning,
        stacklevel=STACK,
    )
