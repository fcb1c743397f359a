"""Log-loss on linear scores: stable for every score a float can hold.

For an outcome y in {0, 1} and a score z, let ``m = z`` if y = 0 and ``m = -z`` if y = 1: how far the score leans to
the wrong side. With ``e = exp(-|z|)``, which never overflows,

    loss       softplus(z) - y*z  =  max(m, 0) + log(1 + e)
    residual   p - y              =  +-sigmoid(m)             full relative precision on both sides
    curvature  p * (1 - p)        =  e / (1 + e)^2            never p * (1 - p), which rounds to 0
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Terms(NamedTuple):
    """Per row: the loss, its first and its second derivative with respect to the score."""

    loss: Array
    residual: Array
    curvature: Array


def terms(scores: Array, y: np.ndarray) -> Terms:
    """Return loss, residual ``p - y`` and curvature ``p (1 - p)`` of every row.

    Parameters
    ----------
    scores : ndarray of shape (n, K)
        Linear scores of K models.
    y : ndarray of shape (n,) or (n, K)
        Outcomes, 0 or 1, of all models or one by one.

    Notes
    -----
    One exp, one log1p and two divisions a score.
    """
    sign = 1.0 - 2.0 * (y if y.ndim == 2 else y[:, None])
    wrong = sign * scores
    e = np.exp(-np.abs(scores))
    total = 1.0 + e
    loss = np.log1p(e)
    loss += np.maximum(wrong, 0.0)
    e /= total
    residual = np.where(wrong > 0.0, 1.0 / total, e)
    residual *= sign
    e /= total
    return Terms(loss, residual, e)


def log_loss(y: ArrayLike, scores: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Mean log-loss of outcomes under linear scores.

    ``sum_i s_i * (softplus(z_i) - y_i * z_i) / sum_i s_i``, in nats. It is finite and accurate to rounding for every
    finite score, where a loss computed from probabilities is infinite from ``|z| = 37`` on, because ``1 - p`` is 0.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes: 0/1 or bool.
    scores : array-like of shape (n,)
        Linear scores (log-odds), such as ``decision_function`` returns; not probabilities.
    sample_weight : array-like of shape (n,), default=None
        Non-negative weights; None means 1.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the lengths differ, y is not 0/1, or the weights are negative or add up to 0.

    Notes
    -----
    One pass over the n scores.

    Examples
    --------
    >>> from logreg import log_loss
    >>> log_loss([1, 0], [800.0, 800.0])
    400.0
    """
    outcome = np.asarray(y)
    z = np.asarray(scores, dtype=np.float64)
    if outcome.ndim != 1 or z.shape != outcome.shape or outcome.size == 0:
        raise ValueError(
            f"y and scores must be 1-d, of equal length and not empty; got shapes {outcome.shape} and {z.shape}."
        )
    if not np.isin(outcome, (0, 1)).all():
        raise ValueError("y must hold only 0 and 1 (or bool); encode other labels first.")
    per_row = terms(z[:, None], outcome.astype(np.float64)).loss[:, 0]
    if sample_weight is None:
        return float(per_row.mean())
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != z.shape or not (weight >= 0).all() or not 0 < weight.sum() < np.inf:
        raise ValueError("sample_weight must hold one finite, non-negative number a row, and they must not all be 0.")
    return float(weight @ per_row / weight.sum())
