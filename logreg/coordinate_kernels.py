"""Compiled kernels of coordinate descent on a quadratic model with an elastic net.

They call nothing of other files, so the code that is kept of them is out of date only when this file changes.
"""

from __future__ import annotations

from typing import Any

from logreg.compiled import compiled


@compiled
def best_value(pull: float, curvature: float, l1: float, l2: float) -> float:
    """Return the w that minimises ``curvature w**2 / 2 - pull w + l1 |w| + l2 w**2 / 2``."""
    if pull > l1:
        return (pull - l1) / (curvature + l2)
    if pull < -l1:
        return (pull + l1) / (curvature + l2)
    return 0.0


@compiled
def descend_matrix(H: Any, gradient: Any, w: Any, l1: Any, l2: Any, tolerance: float, n_sweeps: int) -> float:
    """Make sweeps over all coordinates of a model with the curvature matrix H; update w and the model's gradient.

    A coordinate that stays costs a few operations, one that moves ``2 s`` of s coordinates. Returns by how much the
    worst coordinate of the last sweep violated its optimality condition when its turn came.
    """
    worst = 0.0
    for _ in range(n_sweeps):
        worst = 0.0
        for j in range(w.size):
            curvature = H[j, j]
            if curvature + l2[j] <= 0.0:
                continue
            change = best_value(curvature * w[j] - gradient[j], curvature, l1[j], l2[j]) - w[j]
            if change != 0.0:
                w[j] += change
                for i in range(w.size):
                    gradient[i] += H[j, i] * change
                worst = max(worst, abs(change) * (curvature + l2[j]))
        if worst <= tolerance:
            break
    return worst


@compiled
def column_curvatures(X: Any, D: Any, moments: Any) -> None:
    """Fill ``moments[0, j] = sum_i D_i x_ij**2`` and ``moments[1, j] = sum_i D_i x_ij`` of a CSC matrix."""
    data, indices, indptr = X
    for j in range(indptr.size - 1):
        square, cross = 0.0, 0.0
        for entry in range(indptr[j], indptr[j + 1]):
            part = D[indices[entry]] * data[entry]
            cross += part
            square += part * data[entry]
        moments[0, j], moments[1, j] = square, cross


@compiled
def descend_rows(
    X: Any, rows: Any, moments: Any, total: float, w: Any, penalty: Any, shift: float, tolerance: float, n_sweeps: int
) -> tuple[float, float]:
    """Make sweeps over the columns of a CSC matrix, on the model with residuals r and curvatures D of the rows.

    ``rows = (r, D)``, of which r follows the scores; ``total = sum D``, 0 without an intercept. The intercept moves
    with every column such that it stays optimal, which no row hears of: ``shift`` is how far it has come. Returns the
    shift and how the worst column of the last sweep violated its optimality condition when its turn came.
    """
    data, indices, indptr = X
    r, D = rows
    l1, l2 = penalty
    worst = 0.0
    for _ in range(n_sweeps):
        worst = 0.0
        for j in range(w.size):
            mean = moments[1, j] / total if total > 0.0 else 0.0
            curvature = moments[0, j] - mean * moments[1, j]
            if curvature <= 1e-12 * moments[0, j]:
                continue
            gradient = shift * moments[1, j]
            for entry in range(indptr[j], indptr[j + 1]):
                gradient += data[entry] * r[indices[entry]]
            change = best_value(curvature * w[j] - gradient, curvature, l1[j], l2[j]) - w[j]
            if change != 0.0:
                w[j] += change
                shift -= mean * change
                for entry in range(indptr[j], indptr[j + 1]):
                    row = indices[entry]
                    r[row] += D[row] * data[entry] * change
                worst = max(worst, abs(change) * (curvature + l2[j]))
        if worst <= tolerance:
            break
    return shift, worst
