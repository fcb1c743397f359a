"""Compiled kernels: loss, gradient and diagonal curvature of some models in a single sweep over a range of rows.

Rows are taken a block at a time: scores, then the sigmoid terms of the block, then the block's part of the gradient,
all while the block is in cache, so X is read from memory once for all models. The terms use ``exp`` and ``log1p``
written as short polynomials without branches, because the compiler can only vectorise what it can see into.

Imports numba, so it is imported when data are large enough to pay for that.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logreg.compiled import compiled, compiled_as_written

BLOCK_ROWS = 128
BLOCK_VALUES = 32_768
LARGEST_SCORE = 708.0  # exp(-708) is the last normal number; beyond it the terms are 0 to any precision of a sum
LOG2_E = 1.0 / math.log(2.0)
LN2_HIGH = float.fromhex("0x1.62e42fefa0000p-1")  # ln 2 in two parts: times a small integer, the first is exact
LN2_LOW = float.fromhex("0x1.cf79abc9e3b3ap-40")
HALF_LN2 = math.log(2.0) / 2.0
SQRT2 = math.sqrt(2.0)
SQRT2_LESS_1 = 0.41421356237309505  # sqrt(2) - 1.0 would have lost digits


@compiled_as_written
def reduce_range(scores: Any, remainders: Any, power_bits: Any) -> None:
    """Split ``exp(-|z|) = 2**-k * exp(r)`` with ``|r| <= ln(2)/2`` into remainders r and the bits of ``2**-k``."""
    for i in range(scores.size):
        size = min(abs(scores[i]), LARGEST_SCORE)
        k = np.floor(size * LOG2_E + 0.5)
        remainders[i] = (k * LN2_HIGH - size) + k * LN2_LOW
        power_bits[i] = (1023 - np.int64(k)) << 52


@compiled_as_written
def exponential(r: float) -> float:
    """Return ``exp(r)`` for ``|r| <= ln(2)/2`` by Taylor's polynomial of degree 13."""
    e = 1.0 / 6227020800.0
    e = e * r + 1.0 / 479001600.0
    e = e * r + 1.0 / 39916800.0
    e = e * r + 1.0 / 3628800.0
    e = e * r + 1.0 / 362880.0
    e = e * r + 1.0 / 40320.0
    e = e * r + 1.0 / 5040.0
    e = e * r + 1.0 / 720.0
    e = e * r + 1.0 / 120.0
    e = e * r + 1.0 / 24.0
    e = e * r + 1.0 / 6.0
    e = e * r + 0.5
    e = e * r + 1.0
    return e * r + 1.0


@compiled_as_written
def log_of_one_plus(e: float) -> float:
    """Return ``log(1 + e)`` for e from 0 to 1, to full relative precision.

    It is ``2 artanh(s)`` with ``s = e / (2 + e)`` for small e, and from ``1 + e = sqrt(2)`` on ``log(2)/2`` more than
    the same of ``(1 + e) / sqrt(2)``: ``s <= 0.172`` either way, and the series to ``s**21`` does.
    """
    large = e > SQRT2_LESS_1
    s = (e - SQRT2_LESS_1 if large else e) / (1.0 + e + SQRT2 if large else 2.0 + e)
    q = s * s
    log1p = 1.0 / 21.0
    log1p = log1p * q + 1.0 / 19.0
    log1p = log1p * q + 1.0 / 17.0
    log1p = log1p * q + 1.0 / 15.0
    log1p = log1p * q + 1.0 / 13.0
    log1p = log1p * q + 1.0 / 11.0
    log1p = log1p * q + 1.0 / 9.0
    log1p = log1p * q + 1.0 / 7.0
    log1p = log1p * q + 0.2
    log1p = log1p * q + 1.0 / 3.0
    return 2.0 * s * (log1p * q + 1.0) + (HALF_LN2 if large else 0.0)


@compiled_as_written
def sigmoid_terms(scores: Any, y: Any, weight: Any, terms: Any, power_bits: Any) -> None:
    """Turn a block's scores into loss, residual and curvature: rows 0, 1 and 2 of ``terms``.

    Row 3 of ``terms`` and ``power_bits`` are one buffer seen as float and as bits.
    """
    power = terms[3]
    n = scores.size
    reduce_range(scores, terms[0], power_bits)
    for i in range(n):
        e = exponential(terms[0, i]) * power[i]
        sign = 1.0 - 2.0 * y[i]
        wrong = sign * scores[i]
        p = 1.0 / (1.0 + e)
        terms[0, i] = log_of_one_plus(e) + max(wrong, 0.0)
        terms[1, i] = sign * (p if wrong > 0.0 else e * p)
        terms[2, i] = e * p * p
    if weight.size:
        for i in range(n):
            terms[0, i] *= weight[i]
            terms[1, i] *= weight[i]
            terms[2, i] *= weight[i]


@compiled
def add_scores(X: Any, w: Any, scores: Any) -> None:
    """Add ``X w`` to the scores of a block; four rows at a time share every coefficient that is loaded."""
    n, d = X.shape
    whole = n - n % 4
    for i in range(0, whole, 4):
        z0, z1, z2, z3 = 0.0, 0.0, 0.0, 0.0
        for j in range(d):
            z0 += X[i, j] * w[j]
            z1 += X[i + 1, j] * w[j]
            z2 += X[i + 2, j] * w[j]
            z3 += X[i + 3, j] * w[j]
        scores[i] += z0
        scores[i + 1] += z1
        scores[i + 2] += z2
        scores[i + 3] += z3
    for i in range(whole, n):
        z = 0.0
        for j in range(d):
            z += X[i, j] * w[j]
        scores[i] += z


@compiled
def add_gradient(X: Any, residual: Any, gradient: Any) -> None:
    """Add ``X' residual`` of a block; eight rows at a time share every sum that is loaded and stored."""
    n, d = X.shape
    whole = n - n % 8
    for i in range(0, whole, 8):
        r0, r1, r2, r3 = residual[i], residual[i + 1], residual[i + 2], residual[i + 3]
        r4, r5, r6, r7 = residual[i + 4], residual[i + 5], residual[i + 6], residual[i + 7]
        for j in range(d):
            first = r0 * X[i, j] + r1 * X[i + 1, j] + r2 * X[i + 2, j] + r3 * X[i + 3, j]
            second = r4 * X[i + 4, j] + r5 * X[i + 5, j] + r6 * X[i + 6, j] + r7 * X[i + 7, j]
            gradient[j] += first + second
    for i in range(whole, n):
        for j in range(d):
            gradient[j] += residual[i] * X[i, j]


@compiled
def add_block(X: Any, scores: Any, w: Any, y: Any, weight: Any, buffers: Any, sums: Any) -> float:
    """Add one block of rows to ``sums = (gradient, diagonal, cross)`` and return its loss."""
    terms, power_bits = buffers
    gradient, diagonal, cross = sums
    n, d = X.shape
    add_scores(X, w, scores)
    sigmoid_terms(scores, y, weight, terms, power_bits)
    residual, curvature = terms[1], terms[2]
    loss = 0.0
    for i in range(n):
        loss += terms[0, i]
        gradient[d] += residual[i]
    add_gradient(X, residual, gradient)
    if diagonal.size:
        for i in range(n):
            diagonal[d] += curvature[i]
            for j in range(d):
                part = curvature[i] * X[i, j]
                cross[j] += part
                diagonal[j] += part * X[i, j]
    return loss


@compiled
def copy_rows(X: Any, by_column: bool, origin: Any, subset: Any, start: int, copied: Any) -> None:
    """Fill ``copied`` with rows from number ``start`` of those meant, relative to ``origin``."""
    m, d = copied.shape
    if by_column:
        for j in range(d):
            for i in range(m):
                copied[i, j] = X[j, subset[start + i] if subset.size else start + i]
    else:
        for i in range(m):
            row = subset[start + i] if subset.size else start + i
            for j in range(d):
                copied[i, j] = X[row, j]
    if origin.size:
        for i in range(m):
            for j in range(d):
                copied[i, j] -= origin[j]


@compiled
def dense_rows(X: Any, by_column: bool, origin: Any, rows: Any, W: Any, sums: Any) -> None:
    """Add rows of a dense X to ``sums = (loss, gradient, diagonal, cross)`` of K models.

    ``W`` and all sums but the loss have a row a model; diagonal and cross may have no columns. ``rows = (y, weight,
    offset, subset)``, of which all but y may be empty. With ``by_column`` X is the (d, n) transpose of a column-major
    array. Blocks of such an array, of a subset of the rows, and of columns that start from an ``origin`` are copied to
    a buffer first.
    """
    y, weight, offset, subset = rows
    loss, gradient, diagonal, cross = sums
    n, d = y.size, W.shape[1] - 1
    size = max(8, min(BLOCK_ROWS, BLOCK_VALUES // max(d, 1)))
    terms = np.empty((4, size))
    power_bits = terms[3].view(np.int64)
    scores = np.empty(size)
    copied = np.empty((size, d) if by_column or origin.size or subset.size else (0, d))
    for start in range(0, n, size):
        stop = min(start + size, n)
        m = stop - start
        block_weight = weight[start:stop] if weight.size else weight
        buffers = (terms, power_bits)
        if copied.shape[0]:
            copy_rows(X, by_column, origin, subset, start, copied[:m])
        for k in range(W.shape[0]):
            w, of_model = W[k], (gradient[k], diagonal[k], cross[k])
            for i in range(m):
                scores[i] = w[d] + (offset[start + i] if offset.size else 0.0)
            if copied.shape[0]:
                loss[k] += add_block(copied[:m], scores[:m], w, y[start:stop], block_weight, buffers, of_model)
            else:
                loss[k] += add_block(X[start:stop], scores[:m], w, y[start:stop], block_weight, buffers, of_model)


@compiled
def root_rows(X: Any, by_column: bool, origin: Any, rows: Any, w: Any, scale: Any, root: Any) -> None:
    """Write rows of the square root of the curvature: ``sqrt(D_i) * ((x_i - center) * unit, 1)``, for dense X.

    ``scale = (center, unit)`` and ``root`` have d + 1 columns.
    """
    y, weight, offset, subset = rows
    center, unit = scale
    n, d = y.size, w.size - 1
    size = max(8, min(BLOCK_ROWS, BLOCK_VALUES // max(d, 1)))
    scores = np.empty(size)
    copied = np.empty((size, d))
    for start in range(0, n, size):
        m = min(size, n - start)
        copy_rows(X, by_column, origin, subset, start, copied[:m])
        for i in range(m):
            scores[i] = w[d] + (offset[start + i] if offset.size else 0.0)
        add_scores(copied[:m], w, scores[:m])
        for i in range(m):
            e = math.exp(-abs(scores[i]))
            weighted = math.sqrt(e * (weight[start + i] if weight.size else 1.0)) / (1.0 + e)
            for j in range(d):
                root[start + i, j] = (copied[i, j] - center[j]) * unit[j] * weighted
            root[start + i, d] = unit[d] * weighted


@compiled
def sparse_rows(X: Any, rows: Any, w: Any, sums: Any) -> float:
    """Add rows of a CSR matrix ``X = (data, indices, indptr)`` to ``sums`` and return their loss.

    ``sums`` has a row for each column and the intercept, so that what an entry adds to is close in memory: its
    gradient, or gradient, diagonal and cross term.
    """
    data, indices, indptr = X
    y, weight, offset, subset = rows
    n, d = y.size, w.size - 1
    with_curvature = sums.shape[1] == 3
    terms = np.empty((4, BLOCK_ROWS))
    power_bits = terms[3].view(np.int64)
    scores = np.empty(BLOCK_ROWS)
    loss = 0.0
    for start in range(0, n, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n)
        for i in range(start, stop):
            row = subset[i] if subset.size else i
            z = w[d] + (offset[i] if offset.size else 0.0)
            for entry in range(indptr[row], indptr[row + 1]):
                z += data[entry] * w[indices[entry]]
            scores[i - start] = z
        block_weight = weight[start:stop] if weight.size else weight
        sigmoid_terms(scores[: stop - start], y[start:stop], block_weight, terms, power_bits)
        for i in range(start, stop):
            row = subset[i] if subset.size else i
            residual, curvature = terms[1, i - start], terms[2, i - start]
            loss += terms[0, i - start]
            sums[d, 0] += residual
            if with_curvature:
                sums[d, 1] += curvature
                for entry in range(indptr[row], indptr[row + 1]):
                    column, value = indices[entry], data[entry]
                    part = curvature * value
                    sums[column, 0] += residual * value
                    sums[column, 1] += part * value
                    sums[column, 2] += part
            else:
                for entry in range(indptr[row], indptr[row + 1]):
                    sums[indices[entry], 0] += residual * data[entry]
    return loss
