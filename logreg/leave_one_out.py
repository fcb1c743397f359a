"""Leave-one-out scores of a fit, from the leverages of its rows: what each row would get from a fit without it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from logreg import parameters, predictors
from logreg.factor import Factor
from logreg.loss import Array, log_loss, terms
from logreg.penalty import ElasticNet
from logreg.plan import WIDEST_MATRIX
from logreg.predict import linear, predict_rows
from logreg.products import VALUES_AT_ONCE, Block, is_sparse, pieces, weighted_terms
from logreg.scale import Scale
from logreg.setup import Setup
from logreg.solve import NonFiniteSumsError
from logreg.sums import Sums

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
    X = X.tocsr() if is_sparse(X) and X.format == "csc" else X  # blocks of rows are cut out of it
    setup = Setup.again(estimator, X, y, sample_weight, offset)
    y, weight = setup.problem.y, setup.problem.weight
    w = np.append(estimator._coefficients(), estimator.intercept_)
    scores = np.empty(len(y))
    if not predict_rows(setup.problem.X, w, setup.problem.offset, linear, scores):
        raise predictors.explain_not_finite(setup.problem.X, setup.names)
    with setup:
        q = influence(estimator, setup, w)
    _, residual, curvature = (term[:, 0] for term in terms(scores[:, None], y))
    if weight is not None:
        residual, curvature = weight * residual, weight * curvature
    leverage = np.minimum(curvature * q, 1.0)
    left = 1.0 - leverage
    scores += q * residual / np.where(left > ALONE, left, np.nan)
    trusted = leverage <= TRUSTED
    if not trusted.all():
        warn_of(leverage, trusted)
    return LeaveOneOut(scores, leverage, log_loss(y, scores, weight), trusted)


def influence(estimator: Any, setup: Setup, w: Array) -> Array:
    """Return ``q_i = x_i' H^-1 x_i`` of every row, shape (n,), for weights of mean 1.

    With a root of the inverse curvature, ``M M' = H^-1``, it is the sum of the squares of ``x_i' M``: of the scores of
    as many models as columns count.
    """
    rows, (columns, root) = setup.rows, inverse_curvature(estimator, setup, w)
    squares = rows.map(lambda block: squared_scores(block, columns, root), rows.chunks())
    q: Array = np.concatenate(list(squares)) / rows.total_weight
    return q


def influence_on_coefficients(estimator: Any, setup: Setup, w: Array) -> tuple[Array, Array, Array]:
    """Return the sums over rows of ``U**2`` and ``U**3``, for ``U_i = -H^-1 x_i r_i``, and the standard errors.

    U_i is what row i adds to the coefficients, to first order. Each has the shape (d + 1,) and the units of the rows,
    with weights of mean 1; 0 for columns that do not count.
    """
    rows, (columns, root) = setup.rows, inverse_curvature(estimator, setup, w)
    inverse = root @ root.T / rows.total_weight
    W = rows.from_user_units(w[:, None])
    parts = rows.map(lambda block: moments(block, columns, inverse, W), rows.chunks())
    found, counted = np.zeros((3, rows.n_columns + 1)), np.append(columns, -1)
    for part in parts:
        found[:2, counted] += part
    found[2, counted] = np.sqrt(np.diagonal(inverse))
    return found[0], found[1], found[2]


def inverse_curvature(estimator: Any, setup: Setup, w: Array) -> tuple[np.ndarray, Array]:
    """Return the columns that count, and a root of the inverse of their mean curvature, with the intercept's row."""
    rows = setup.rows
    penalty, columns = what_counts(estimator, setup, w[:-1])
    W = rows.from_user_units(w[:, None])
    sums = rows.sums(W, "diagonal")
    if not sums.all_finite():
        raise NonFiniteSumsError
    scale = Scale.from_sums(sums, penalty.l2[:, None], setup.intercept)
    H = rows.curvature(W, scale, columns)[0]
    scale = scale.of(columns)
    np.einsum("jj->j", H)[:-1] += penalty.l2[columns] * scale.unit[:-1] ** 2
    root = scale.coefficients(Factor(H).inverse_root())
    check_optimum(estimator, penalty, sums, W[:, 0], columns, root)
    return columns, root


def what_counts(estimator: Any, setup: Setup, w: Array) -> tuple[ElasticNet, np.ndarray]:
    """Return the penalty on the scale of the mean loss, and the columns that are free to move a little at w."""
    parameters.refuse_firth(estimator)
    strength, l1_ratio = parameters.penalty_of(estimator)
    penalty = setup.elastic_net(l1_ratio).times(setup.strengths(strength))
    counts = ((w != 0.0) | (penalty.l1 == 0.0)) & (w > penalty.low) & (w < penalty.high)
    columns = np.flatnonzero(counts)
    if len(columns) > WIDEST_MATRIX:
        raise ValueError(
            f"Leverages need a curvature matrix of the {len(columns)} columns that count, and it is held for up to "
            f"{WIDEST_MATRIX}; cross-validate instead, or select fewer with an L1 penalty."
        )
    return penalty, columns


def check_optimum(estimator: Any, penalty: ElasticNet, sums: Sums, w: Array, columns: np.ndarray, root: Array) -> None:
    """Raise if a fit that converged is not at the optimum of these rows: then it was fitted to others."""
    there, gradient = w[columns], sums.gradient[:, 0] / sums.weight[0]
    slope = np.append(gradient[columns] + penalty.l2[columns] * there, gradient[-1])
    slope[:-1] += np.where(there != 0.0, penalty.l1[columns], 0.0) * np.sign(there)
    distance = float(np.sqrt(sums.weight[0]) * np.linalg.norm(root.T @ slope))
    check_distance(estimator, distance)


def check_rows(estimator: Any, setup: Setup, w: Array, root: Array) -> None:
    """Raise if a fit that converged is not at the optimum of these rows; one pass.

    ``root`` is of the inverse curvature of the fit, shape (d + 1, r), in user units and for the weights as given; NaN
    in rows of coefficients without an error.
    """
    rows, (penalty, columns) = setup.source, what_counts(estimator, setup, w[:-1])
    W, M = rows.from_user_units(w[:, None]), rows.from_user_units(known(root))
    sums = rows.sums(W)
    if not sums.all_finite():
        raise NonFiniteSumsError
    of_mean = np.sqrt(setup.total_weight) * M[np.append(columns, -1)]
    check_optimum(estimator, penalty, sums, W[:, 0], columns, of_mean)


def check_distance(estimator: Any, distance: float) -> None:
    """Raise if a fit that converged is so many standard errors from the optimum of rows that it was of others."""
    if estimator.converged_ and distance > max(FAR, estimator.tol):
        raise ValueError(
            f"The coefficients are {distance:.2g} standard errors from the optimum of these rows, so they were fitted "
            "to others, or with other parameters; pass X, y, sample_weight and offset of the fit."
        )


def known(values: Array) -> Array:
    """Return coefficients or their covariance with 0 for those without an estimate, which then count for nothing."""
    return np.where(np.isnan(values), 0.0, values)


def squared_scores(block: Block, columns: np.ndarray, root: Array) -> Array:
    """Return ``|x_i' M|**2`` of the rows of a block, for M of shape (k + 1, r), the intercept's row last."""
    found = []
    for piece in pieces(block, root.shape[1], "full"):
        X = piece.values()
        some = X if len(columns) == X.shape[1] else X[:, columns]
        found.append(squared_norms(some, root))
    return np.concatenate(found)


def squared_norms(X: Any, root: Array) -> Array:
    """Return ``|x~_i' M|**2`` of every row, shape (n,), for M of shape (d + 1, r), the intercept's row last.

    Some columns of M at a time: a CSC matrix, which is not cut into rows, has long ones.
    """
    total = np.zeros(X.shape[0])
    step = max(1, VALUES_AT_ONCE // max(X.shape[0], 1))
    for start in range(0, root.shape[1], step):
        some = root[:, start : start + step]
        scores = X @ some[:-1] + some[-1]
        total += np.einsum("ij,ij->i", scores, scores)
    return total


def moments(block: Block, columns: np.ndarray, inverse: Array, W: Array) -> Array:
    """Return the sums over the rows of a block of the squares and the cubes of ``-H^-1 x_i r_i``, shape (2, k + 1)."""
    found = np.zeros((2, len(inverse)))
    for piece in pieces(block, len(inverse), "full"):
        X = piece.values()
        some = X if len(columns) == X.shape[1] else X[:, columns]
        added = (some @ inverse[:-1] + inverse[-1]) * -weighted_terms(piece, X, W)[1]
        squared = added * added
        found += squared.sum(axis=0), np.einsum("ij,ij->j", squared, added)
    return found


def warn_of(leverage: Array, trusted: np.ndarray) -> None:
    """Warn of rows that weigh too much in the fit."""
    warnings.warn(
        f"{np.count_nonzero(~trusted)} of {len(trusted)} rows have leverages above {TRUSTED:g}, up to "
        f"{leverage.max():.3g}, too much for scores without a refit; refit without each of them, for example with "
        "cross_val_predict and scikit-learn's LeaveOneOut.",
        LeverageWarning,
        stacklevel=STACK,
    )
