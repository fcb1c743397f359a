"""Compiled kernels of what is stored for a row: columns of a table, one at a time, and pairs of a sparse row's numbers.

They call nothing of kernels.py, so the code that is kept of them is out of date only when this file changes.
"""

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
