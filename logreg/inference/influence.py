"""What each row does to a fit: leverage, residuals, Cook's distance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from logreg.leave_one_out import ALONE, known, squared_norms
from logreg.loss import Array, terms
from logreg.products import Block, pieces, product, quietly
from logreg.setup import Setup
from logreg.solve import NonFiniteSumsError

FIELDS = ("leverage", "residual_deviance", "residual_pearson", "residual_standardised", "cooks_distance")


def influence(setup: Setup, w: Array, root: Array) -> pd.DataFrame:
    """Return how much each row matters to a fit, and how far it lies from it.

    With ``C = root root'`` the covariance of the coefficients, ``x~_i = (x_i, 1)``, the loss l_i of a row of weight 1,
    and p coefficients,

        leverage                h_i = s_i p_i (1 - p_i) x~_i' C x~_i
        residual_deviance       d_i = sign(y_i - p_i) sqrt(2 s_i l_i)
        residual_pearson        r_i = sqrt(s_i) (y_i - p_i) / sqrt(p_i (1 - p_i))
        residual_standardised   d_i / sqrt(1 - h_i)
        cooks_distance          (r_i / (1 - h_i))**2 h_i / p

    as R's ``hatvalues``, ``residuals``, ``rstandard`` and ``cooks.distance`` have them, with prior weights and a
    dispersion of 1.

    Parameters
    ----------
    setup : Setup
        Of the rows of the fit; its threads are held by the caller.
    w : ndarray of shape (d + 1,)
        In user units, the intercept last; NaN where there is no estimate.
    root : ndarray of shape (d + 1, r)
        In user units, for the weights as given; NaN in rows of coefficients without an error. p is the number of its
        columns that are not 0.

    Returns
    -------
    DataFrame
        A row a row of X. Where the leverage is 1, no other row tells the score, and the last two columns are NaN.

    Raises
    ------
    NonFiniteSumsError
        If X holds NaN or infinity, which ``with setup`` explains.

    Notes
    -----
    One pass and ``2 n d r`` flops, in blocks of rows; the result is five numbers a row. See Cook and Weisberg,
    Residuals and Influence in Regression, 1982.

    Examples
    --------
    >>> import numpy as np
    >>> from logreg import LogisticRegression
    >>> from logreg.datasets import load_orings
    >>> from logreg.inference.influence import influence
    >>> from logreg.setup import Setup
    >>> X, y = load_orings()
    >>> clf = LogisticRegression(penalty=None, tol=1e-9).fit(X, y)
    >>> ones = np.column_stack([X, np.ones(len(X))])
    >>> curvature = ones.T @ (clf.predict_proba(X).prod(axis=1)[:, None] * ones)
    >>> root = np.linalg.inv(np.linalg.cholesky(curvature)).T
    >>> with Setup.again(clf, X, y, None, None) as setup:
    ...     frame = influence(setup, np.append(clf.coef_, clf.intercept_), root)
    >>> int(frame["cooks_distance"].idxmax()), round(float(frame["leverage"].sum()), 6)
    (17, 2.0)
    """
    w, root = known(w), known(root)
    rows, rank = setup.rows, max(1, int(np.count_nonzero(root.any(axis=0))))
    W, M = rows.from_user_units(w[:, None]), rows.from_user_units(root)
    given = setup.total_weight / rows.total_weight  # the weights as given over those of the rows
    parts = rows.map(lambda block: of_block(block, W, M, given, rank), rows.chunks())
    found = np.concatenate(list(parts), axis=1)
    if not np.isfinite(found[:3]).all():
        raise NonFiniteSumsError
    return pd.DataFrame(dict(zip(FIELDS, found, strict=True)))


@quietly
def of_block(block: Block, W: Array, root: Array, given: float, rank: int) -> Array:
    """Return the five numbers of the rows of a block, shape (5, n)."""
    found = []
    for piece in pieces(block, root.shape[1], "full"):
        X, weight = piece.values(), given if piece.weight is None else given * piece.weight
        scores = scores_of(piece, X, W)
        loss, residual, curvature = (term[:, 0] for term in terms(scores[:, None], piece.y))
        leverage = np.minimum(weight * curvature * squared_norms(X, root), 1.0)
        left = np.where(1.0 - leverage > ALONE, 1.0 - leverage, np.nan)
        deviance = -np.sign(residual) * np.sqrt(2.0 * weight * loss)
        # (y - p) / sqrt(p (1 - p)) is +-sqrt of the odds of the other class, which does not underflow.
        side = 2.0 * piece.y - 1.0
        pearson = np.sqrt(weight) * side * np.exp(-side * scores / 2.0)
        cooks = (pearson / left) ** 2 * leverage / rank
        found.append(np.stack([leverage, deviance, pearson, deviance / np.sqrt(left), cooks]))
    return np.concatenate(found, axis=1)


def scores_of(block: Block, X: Any, W: Array) -> Array:
    """Return the scores of the rows of a block whose numbers are X, shape (n,), for W of shape (d + 1, 1)."""
    scores = (product(X, W[:-1]) + W[-1])[:, 0]
    if block.offset is not None:
        scores += block.offset
    found: Array = scores
    return found
