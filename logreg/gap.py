"""How far an elastic net may be from its minimum: the duality gap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import xlogy

from logreg.penalty import ElasticNet
from logreg.products import Block, is_sparse, pieces, weighted_terms
from logreg.rows import SelectableRows
from logreg.sums import Array


def duality_gap(rows: SelectableRows, w: Array, penalty: ElasticNet, intercept: bool) -> float:
    """Return an upper bound of the objective at w of shape (d + 1,) minus its minimum, on the scale of the mean loss.

    The dual of the penalised mean loss is, over q in [0, 1] and with v the weights over their sum,

        -sum_i v_i (q_i log q_i + (1 - q_i) log(1 - q_i)) + sum_i v_i (q_i - y_i) offset_i - sum_j conjugate_j(u_j)

    where ``u = X' v (y - q)`` and the conjugate of ``l1 |w| + l2 w**2 / 2`` is ``max(|u| - l1, 0)**2 / (2 l2)``, or
    without l2 the condition ``|u| <= l1``, and u must be 0 for what is never penalised; bounds of w_j relax that. Near
    the optimum q are the probabilities: a little is taken off them, in proportion to p (1 - p), until what must be 0
    is; then they are moved towards y until the other conditions hold.

    Notes
    -----
    Three passes over the rows, ``10 n d`` flops. The bound for the lasso is
    that of Koh, Kim and Boyd, J. Machine Learning Research 8, 2007.
    """
    free = np.flatnonzero(penalty.free)
    correction = correction_of(rows, w, free, intercept)
    slope = np.zeros(rows.n_columns)
    for X, piece in values_of(rows):
        _, residual, curvature = (term[:, 0] for term in weighted_terms(piece, X, w[:, None]))
        slope += X.T @ (residual - curvature * (X @ correction[:-1] + correction[-1]))
    slope /= rows.total_weight
    slope[free] = 0.0
    share, conjugate = penalty.conjugate(-slope)
    loss, entropy = 0.0, 0.0
    for X, piece in values_of(rows):
        weight = 1.0 if piece.weight is None else piece.weight
        of_rows, residual, curvature = (
            term[:, 0] for term in weighted_terms(piece._replace(weight=None), X, w[:, None])
        )
        moved = share * (residual - curvature * (X @ correction[:-1] + correction[-1]))
        q = np.clip(piece.y + moved, 0.0, 1.0)
        inside = xlogy(q, q) + xlogy(1.0 - q, 1.0 - q) - (0.0 if piece.offset is None else moved * piece.offset)
        loss += float((weight * of_rows).sum()) / rows.total_weight
        entropy += float((weight * inside).sum()) / rows.total_weight
    return max(loss + penalty.value(w[:-1]) + entropy + conjugate, 0.0)


def correction_of(rows: SelectableRows, w: Array, free: np.ndarray, intercept: bool) -> Array:
    """Return the Newton step, shape (d + 1,), that takes the gradient of what is never penalised to 0."""
    kept = np.append(free, -1) if intercept else free
    H, gradient, correction = np.zeros((kept.size, kept.size)), np.zeros(kept.size), np.zeros_like(w)
    for X, piece in values_of(rows):
        _, residual, curvature = (term[:, 0] for term in weighted_terms(piece, X, w[:, None]))
        Z = X[:, free].toarray() if is_sparse(X) else X[:, free]
        Z = np.column_stack([Z, np.ones(len(Z))])[:, : kept.size]
        H += (Z.T * curvature) @ Z
        gradient += Z.T @ residual
    correction[kept] = np.linalg.lstsq(H, gradient, rcond=None)[0]
    return correction


def values_of(rows: SelectableRows) -> Iterator[tuple[Any, Block]]:
    """Yield the numbers of the rows piece by piece, with the piece."""
    for block in rows.chunks():
        for piece in pieces(block, 1, "full"):
            yield piece.values(), piece
