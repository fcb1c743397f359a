"""Scores of the rows that folds hold out, for many models at once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from sklearn.utils import _safe_indexing

from logreg.folds import Folds, GridOfFits
from logreg.loss import terms
from logreg.products import Block, is_sparse, pieces
from logreg.report import predictor_of
from logreg.rows import SelectableRows
from logreg.setup import Setup
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


def scores_of_metric(
    setup: Setup, folds: Folds, fits: list[GridOfFits], weight: Array | None, scoring: str | None
) -> Array:
    """Return the scores of the rows that each fold holds out, (F, R, C); the log-loss is a sum of a pass."""
    W = np.stack([fit.coefficients for fit in fits], axis=1)
    scores = np.empty(W.shape[:3])
    for f, test in enumerate(folds.test):
        rows = setup.rows.at(test, None if weight is None else weight[test])
        models = W[f].reshape(-1, W.shape[-1]).T
        if scoring == "neg_log_loss":
            sums = rows.sums(models)
            found = -sums.loss / sums.weight
        else:
            found = by_model(rows, models, METRICS[scoring])
        scores[f] = found.reshape(scores.shape[1:])
    return scores


def by_model(rows: SelectableRows, W: Array, metric: Metric) -> Array:
    """Return a metric of K models, of so many at once as memory lets."""
    at_once = max(1, SCORES_AT_ONCE // rows.n_rows)
    parts = [W[:, start : start + at_once] for start in range(0, W.shape[1], at_once)]
    return np.concatenate([metric(linear_scores(rows, part), rows.y, rows.weight) for part in parts])


def scores_of_scorer(
    scorer: Callable[..., float],
    model: Any,
    folds: Folds,
    paths: Array,
    data: tuple[Any, Any],
    params: dict[str, Any],
) -> Array:
    """Return the scores, (F, R, C), of a scorer that is given copies of a model with the coefficients of each fold."""
    scores = np.empty(paths.shape[:3])
    X, y = data
    for f, test in enumerate(folds.test):
        held = _safe_indexing(X.tocsr() if is_sparse(X) else X, test), _safe_indexing(y, test)
        given = {name: _safe_indexing(value, test) for name, value in params.items()}
        for place in np.ndindex(scores.shape[1:]):
            fitted = copy.copy(model)
            fitted.__dict__ |= predictor_of(paths[(f, *place)][:, None])
            scores[(f, *place)] = scorer(fitted, *held, **given)
    return scores


def check_scores(scores: Array, Cs: Array, l1_ratios: Array) -> None:
    """Raise if some score is not a number."""
    wrong = np.argwhere(~np.isfinite(scores))
    if len(wrong):
        f, ratio, c = wrong[0].tolist()
        raise ValueError(
            f"The scorer returns {scores[f, ratio, c]} for fold {f} at C={Cs[c]:.4g}, l1_ratio={l1_ratios[ratio]:g}; "
            "pass a scoring that is finite for every fold, or a cv with larger folds."
        )


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
