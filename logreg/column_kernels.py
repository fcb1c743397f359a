"""Compiled kernels of one column of a table: what it adds to the scores, and the sums of its terms.

They call nothing of kernels.py, so the code that is kept of them is out of date only when this file changes.
"""

from __future__ import annotations

from typing import Any

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
