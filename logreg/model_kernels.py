"""Compiled kernels: the sums of many models over the same rows, each over its version of them.

Some hundred rows at a time: their scores of all models are a matrix product, each score becomes a residual of its
version, and another product adds up the gradients, all in cache.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logreg.compiled import compiled
from logreg.kernels import copy_rows, exponential, log_of_one_plus, reduce_range

ROWS = 512  # at a time; also factors from 1 to 2 whose product is finite


@compiled
def fill_shares(weight: Any, counts: Any, version: int, start: int, share: Any) -> None:
    """Write how much each row from ``start`` counts in a version; weight and counts, (V, n), may be empty."""
    share[:] = 1.0
    if counts.size:
        count = counts[version, start : start + share.size]
        for i in range(share.size):
            share[i] = count[i]
    if weight.size:
        of_rows = weight[start : start + share.size]
        for i in range(share.size):
            share[i] *= of_rows[i]


@compiled
def residuals_in_place(z: Any, y: Any, share: Any, curvature: Any, once: bool, buffers: Any) -> tuple[float, float]:
    """Turn up to ``ROWS`` scores z into residuals times the rows' shares; return the sums of losses and of them.

    Curvatures are written where there is room for them. Where shares are 0 or 1, all rows counting ``once`` or not at
    all, one log is taken of the product of all ``1 + e``.
    """
    e, power, power_bits = buffers
    n = z.size
    reduce_range(z, e, power_bits)
    for i in range(n):
        e[i] = exponential(e[i]) * power[i]
        power[i] = 1.0 / (1.0 + e[i])
    if curvature.size:
        for i in range(n):
            curvature[i] = share[i] * e[i] * power[i] * power[i]
    loss, total, product = 0.0, 0.0, 1.0
    for i in range(n):
        sign = 1.0 - 2.0 * y[i]
        wrong = sign * z[i]
        p = share[i] * sign * power[i]
        loss += share[i] * max(wrong, 0.0)
        z[i] = p if wrong > 0.0 else e[i] * p
        total += z[i]
        product *= 1.0 + share[i] * e[i]
    if once:
        return loss + math.log(product), total
    for i in range(n):
        loss += share[i] * log_of_one_plus(e[i])
    return loss, total


@compiled
def residuals_of_models(scores: Any, intercepts: Any, versions: Any, once: bool, sums: Any) -> None:
    """Turn scores but for the intercepts, shape (K, m), into residuals; add to ``sums = (loss, gradient)``, (K,) each.

    ``versions = (y, weight, counts, of_model)``: outcomes of each version of the rows, (V, m), or of all, (1, m); the
    weights of the rows and how often each counts in each version, (V, m), both of which may be empty; and the version
    of each model.
    """
    y, weight, counts, of_model = versions
    loss, gradient = sums
    buffers, share, no_curvature = np.empty((2, ROWS)), np.empty(ROWS), np.empty(0)
    e, power, power_bits = buffers[0], buffers[1], buffers[1].view(np.int64)
    for k in range(scores.shape[0]):
        version = of_model[k]
        outcomes = y[version if y.shape[0] > 1 else 0]
        for start in range(0, scores.shape[1], ROWS):
            z = scores[k, start : start + ROWS]
            m = z.size
            for i in range(m):
                z[i] += intercepts[k]
            fill_shares(weight, counts, version, start, share[:m])
            outcome = outcomes[start : start + m]
            found = residuals_in_place(z, outcome, share[:m], no_curvature, once, (e[:m], power, power_bits))
            loss[k] += found[0]
            gradient[k] += found[1]


@compiled
def dense_models(X: Any, by_column: bool, rows: Any, versions: Any, once: bool, W: Any, sums: Any) -> None:
    """Add rows of a dense X to ``sums = (loss, gradient)`` of K models, which have a row a model, as has W.

    ``rows = (origin, offset, subset)``, all of which may be empty, and ``versions`` as above. With ``by_column`` X is
    the (d, n) transpose of a column-major array.
    """
    origin, offset, subset = rows
    y, weight, counts, of_model = versions
    loss, gradient = sums
    n_models, d, n = W.shape[0], W.shape[1] - 1, y.shape[1]
    coefficients = np.ascontiguousarray(W[:, :d])
    copied, memory, part = np.empty((ROWS, d)), np.empty(n_models * ROWS), np.empty((n_models, d))
    buffers, share, no_curvature = np.empty((2, ROWS)), np.empty(ROWS), np.empty(0)
    e, power, power_bits = buffers[0], buffers[1], buffers[1].view(np.int64)
    for start in range(0, n, ROWS):
        m = min(ROWS, n - start)
        block, scores = copied[:m], memory[: n_models * m].reshape(n_models, m)
        copy_rows(X, by_column, origin, subset, start, block)
        np.dot(coefficients, block.T, scores)
        for k in range(n_models):
            version, z = of_model[k], scores[k]
            for i in range(m):
                z[i] += W[k, d]
            if offset.size:
                known = offset[start : start + m]
                for i in range(m):
                    z[i] += known[i]
            fill_shares(weight, counts, version, start, share[:m])
            outcome = y[version if y.shape[0] > 1 else 0, start : start + m]
            found = residuals_in_place(z, outcome, share[:m], no_curvature, once, (e[:m], power, power_bits))
            loss[k] += found[0]
            gradient[k, d] += found[1]
        np.dot(scores, block, part)
        for k in range(n_models):
            for j in range(d):
                gradient[k, j] += part[k, j]
