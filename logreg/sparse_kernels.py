"""Compiled kernels of what is stored for a row: columns of a table one by one, pairs of a sparse row's numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logreg.compiled import compiled


@compiled
def add_number_scores(values: Any, origin: float, coefficient: float, scores: Any) -> None:
    """Add to the scores what a column of numbers contributes."""
    for i in range(values.size):
        scores[i] += (values[i] - origin) * coefficient


@compiled
def add_level_scores(codes: Any, coefficients: Any, scores: Any) -> None:
    """Add to the scores the coefficient of each row's level; the last one serves the code -1."""
    for i in range(codes.size):
        scores[i] += coefficients[codes[i]]


@compiled
def number_sums(values: Any, origin: float, terms: Any) -> tuple[float, float, float]:
    """Return the gradient, the curvature and the cross term of a column of numbers over a block."""
    gradient, diagonal, cross = 0.0, 0.0, 0.0
    for i in range(values.size):
        value = values[i] - origin
        part = terms[2, i] * value
        gradient += terms[1, i] * value
        cross += part
        diagonal += part * value
    return gradient, diagonal, cross


@compiled
def add_level_sums(codes: Any, term: Any, sums: Any) -> None:
    """Add a term of each row to the sum of its level, the last for the code -1.

    ``sums`` has the shape (lanes, levels + 1), lanes a power of 2: neighbouring rows, often of the same level, need not
    wait for each other's sum.
    """
    last_lane = sums.shape[0] - 1
    for i in range(codes.size):
        sums[i & last_lane, codes[i]] += term[i]


@compiled
def row_scores(X: Any, start: int, W: Any, scores: Any) -> None:
    """Add ``X W`` of rows of a CSR matrix, from number ``start``, to scores of shape (4, m), for W of shape (d, 4)."""
    data, indices, indptr = X
    for i in range(scores.shape[1]):
        z0, z1, z2, z3 = 0.0, 0.0, 0.0, 0.0
        for entry in range(indptr[start + i], indptr[start + i + 1]):
            column, value = indices[entry], data[entry]
            z0 += value * W[column, 0]
            z1 += value * W[column, 1]
            z2 += value * W[column, 2]
            z3 += value * W[column, 3]
        scores[0, i] += z0
        scores[1, i] += z1
        scores[2, i] += z2
        scores[3, i] += z3


@compiled
def row_sums(X: Any, start: int, terms: Any, sums: Any) -> None:
    """Add ``X' terms`` of rows of a CSR matrix, from number ``start``, to sums of shape (d, 4); terms are (4, m)."""
    data, indices, indptr = X
    for i in range(terms.shape[1]):
        t0, t1, t2, t3 = terms[0, i], terms[1, i], terms[2, i], terms[3, i]
        for entry in range(indptr[start + i], indptr[start + i + 1]):
            column, value = indices[entry], data[entry]
            sums[column, 0] += value * t0
            sums[column, 1] += value * t1
            sums[column, 2] += value * t2
            sums[column, 3] += value * t3


@compiled
def column_scores(X: Any, w: Any, scores: Any) -> None:
    """Add ``X w`` of a CSC matrix to scores; columns of coefficient 0 are not read."""
    data, indices, indptr = X
    for j in range(indptr.size - 1):
        if w[j] != 0.0:
            for entry in range(indptr[j], indptr[j + 1]):
                scores[indices[entry]] += data[entry] * w[j]


@compiled
def column_sums(X: Any, terms: Any, sums: Any) -> None:
    """Add ``X' residual`` and, where there is room, ``X**2' curvature`` and ``X' curvature`` of a CSC matrix.

    ``terms`` holds loss, residual and curvature of the rows, ``sums = (gradient, diagonal, cross)``.
    """
    data, indices, indptr = X
    gradient, diagonal, cross = sums
    residual, curvature = terms[1], terms[2]
    for j in range(indptr.size - 1):
        slope = 0.0
        for entry in range(indptr[j], indptr[j + 1]):
            slope += data[entry] * residual[indices[entry]]
        gradient[j] += slope
        if diagonal.size:
            for entry in range(indptr[j], indptr[j + 1]):
                part = data[entry] * curvature[indices[entry]]
                cross[j] += part
                diagonal[j] += part * data[entry]


@compiled
def paired_rows(X: Any, rows: Any, w: Any, place: Any, total: Any) -> None:
    """Add the curvature of rows of a CSR matrix to ``total``, a pair of stored numbers at a time.

    Column j is row and column ``place[j]`` of the total, unless that is negative; the intercept is its last. Each pair
    is added on one side of the diagonal only, whichever comes first in the row.
    """
    data, indices, indptr = X
    y, weight, offset, subset = rows
    n, d = y.size, w.size - 1
    places = np.empty(total.shape[0], dtype=np.int64)
    values = np.empty(total.shape[0])
    for i in range(n):
        row = subset[i] if subset.size else i
        z = w[d] + (offset[i] if offset.size else 0.0)
        m = 0
        for entry in range(indptr[row], indptr[row + 1]):
            column = indices[entry]
            z += data[entry] * w[column]
            if place[column] >= 0 and data[entry] != 0.0:
                places[m], values[m] = place[column], data[entry]
                m += 1
        places[m], values[m] = total.shape[0] - 1, 1.0
        e = math.exp(-abs(z))
        curvature = e / ((1.0 + e) * (1.0 + e)) * (weight[i] if weight.size else 1.0)
        for first in range(m + 1):
            part = curvature * values[first]
            for second in range(first + 1):
                total[places[first], places[second]] += part * values[second]


@compiled
def has_repeats(indices: Any, indptr: Any, width: int) -> bool:
    """Tell whether some row of a CSR matrix, or column of a CSC one, stores two numbers for one place."""
    seen_in = np.full(width, -1, dtype=np.int64)
    for row in range(indptr.size - 1):
        for entry in range(indptr[row], indptr[row + 1]):
            if seen_in[indices[entry]] == row:
                return True
            seen_in[indices[entry]] = row
    return False
