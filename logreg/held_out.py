"""Scores of the rows that folds hold out, for many models at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from logreg.loss import terms
from logreg.products import Block, is_sparse, pieces
from logreg.rows import SelectableRows
from logreg.sums import Array

SCORES_AT_ONCE = 8_000_000

Metric = Callable[[Array, np.ndarray, Array | None], Array]  # (scores (K, n), outcomes, weights) -> (K,)


def neg_log_loss(scores: Array, y: np.ndarray, weight: Array | None) -> Array:
    """Return minus the mean log-losses."""
    return -np.average(terms(scores.T, y).loss, axis=0, weights=weight)


def neg_brier_score(scores: Array, y: np.ndarray, weight: Array | None) -> Array:
    """Return minus the mean squared differences between outcomes and probabilities."""
    return -np.average((expit(scores) - y) ** 2, axis=1, weights=weight)


def accuracy(scores: Array, y: np.ndarray, weight: Array | None) -> Array:
    """Return the shares of rows whose more probable class is theirs."""
    return np.asarray(np.average((scores > 0.0) == y, axis=1, weights=weight))


def roc_auc(scores: Array, y: np.ndarray, weight: Array | None) -> Array:
    """Return the areas under the receiver operating characteristic; NaN where there is one class."""
    if y.min() == y.max():
        return np.full(len(scores), np.nan)
    return np.array([roc_auc_score(y, z, sample_weight=weight) for z in scores])


METRICS: dict[str | None, Metric] = {
    "neg_log_loss": neg_log_loss,
    "neg_brier_score": neg_brier_score,
    "accuracy": accuracy,
    None: accuracy,
    "roc_auc": roc_auc,
}


def held_out_scores(rows: SelectableRows, W: Array, scoring: str | None) -> Array:
    """Return a metric of K models on rows that they have not seen, shape (K,); the log-loss is a sum of a pass."""
    if scoring == "neg_log_loss":
        sums = rows.sums(W)
        return -sums.loss / sums.weight
    metric, at_once = METRICS[scoring], max(1, SCORES_AT_ONCE // rows.n_rows)
    parts = [W[:, start : start + at_once] for start in range(0, W.shape[1], at_once)]
    return np.concatenate([metric(linear_scores(rows, part), rows.y, rows.weight) for part in parts])


def linear_scores(rows: SelectableRows, W: Array) -> Array:
    """Return the linear scores of all rows under K models, shape (K, n)."""
    found, start = np.empty((W.shape[1], rows.n_rows)), 0
    whole = Block(rows.X, rows.y, None, rows.offset, rows.subset, rows.origin)
    for piece in pieces(whole, W.shape[1], "none"):
        X, stop = piece.values(), start + len(piece.y)
        found[:, start:stop] = (X @ W[:-1]).T if is_sparse(X) else W[:-1].T @ X.T
        found[:, start:stop] += W[-1:].T
        if piece.offset is not None:
            found[:, start:stop] += piece.offset
        start = stop
    return found
