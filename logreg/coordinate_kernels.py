"""Compiled kernels of coordinate descent on a quadratic model with an elastic net."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logreg.compiled import compiled


@compiled
def best_value(pull: float, curvature: float, penalty: Any, j: int) -> Any:
    """Return the w that minimises ``curvature w**2 / 2 - pull w + l1_j |w| + l2_j w**2 / 2`` within its bounds."""
    l1, l2, low, high = penalty
    if pull > l1[j]:
        return min((pull - l1[j]) / (curvature + l2[j]), high[j])
    if pull < -l1[j]:
        return max((pull + l1[j]) / (curvature + l2[j]), low[j])
    return 0.0


@compiled
def descend_matrix(H: Any, gradient: Any, w: Any, penalty: Any, tolerance: float, n_sweeps: int) -> float:
    """Make sweeps over all coordinates of a model with the curvature matrix H; update w and the model's gradient.

    A coordinate that stays costs a few operations, one that moves ``2 s`` of s coordinates. Returns by how much the
    worst coordinate of the last sweep violated its optimality condition when its turn came.
    """
    l2, worst = penalty[1], 0.0
    for _ in range(n_sweeps):
        worst = 0.0
        for j in range(w.size):
            curvature = H[j, j]
            if curvature + l2[j] <= 0.0:
                continue
            best = best_value(curvature * w[j] - gradient[j], curvature, penalty, j)
            change = best - w[j]
            if change != 0.0:
                w[j] = best
                for i in range(w.size):
                    gradient[i] += H[j, i] * change
                worst = max(worst, abs(change) * (curvature + l2[j]))
        if worst <= tolerance:
            break
    return worst


@compiled
def refresh(rows: Any, state: Any, D: Any, intercept: bool) -> tuple[float, float]:
    """Turn the scores ``state[:, 1]`` into residuals ``state[:, 0]`` and curvatures D of the mean loss; return sums."""
    y, weight, total_weight = rows
    of_residuals, of_curvatures = 0.0, 0.0
    for i in range(y.size):
        z = state[i, 1]
        e = math.exp(-abs(z))
        p = 1.0 / (1.0 + e)
        share = (weight[i] if weight.size else 1.0) / total_weight
        state[i, 0] = share * ((p if z > 0.0 else e * p) - y[i])
        D[i] = share * e * p * p
        of_residuals += state[i, 0]
        of_curvatures += D[i]
    return of_residuals, of_curvatures if intercept else 0.0


@compiled
def descend_rows(X: Any, rows: Any, state: Any, w: Any, penalty: Any, intercept: bool, until: Any) -> None:
    """Descend on the mean loss and an elastic net in some columns of a CSC matrix; update w, the intercept last.

    Each turn takes residuals and curvatures of the rows anew, from their scores, and on the quadratic model that they
    make sweeps over the columns, after the first time over those in use. The intercept moves with every column such
    that it stays optimal, which no row hears of before the turn ends, nor a column at 0 that looks well there. It ends
    when the first sweep of a turn finds no violation above the tolerance, or after some turns of some sweeps.
    ``X = (data, indices, indptr, columns)``, ``rows = (y, weight, total weight)``, ``until = (tolerance, turns,
    sweeps)``; ``state[:, 1]`` holds the scores.
    """
    data, indices, indptr, columns = X
    tolerance, most_turns, most_sweeps = until
    l1, l2 = penalty[0], penalty[1]
    D, k = np.empty(state.shape[0]), columns.size
    squares, crosses = np.empty(k), np.empty(k)
    for _ in range(most_turns):
        of_residuals, total = refresh(rows, state, D, intercept)
        squares[:] = -1.0  # not taken yet
        shift = 0.0
        if total > 0.0:
            w[k] -= of_residuals / total
            for i in range(state.shape[0]):
                state[i, 0] -= D[i] * of_residuals / total
                state[i, 1] -= of_residuals / total
        worst_of_turn = abs(of_residuals) if intercept else 0.0
        for sweep in range(most_sweeps):
            worst = 0.0
            for j in range(k):
                if sweep > 0 and w[j] == 0.0:
                    continue
                first, last = indptr[columns[j]], indptr[columns[j] + 1]
                gradient = 0.0
                for entry in range(first, last):
                    gradient += data[entry] * state[indices[entry], 0]
                if squares[j] < 0.0:
                    if w[j] == 0.0 and abs(gradient) <= l1[j]:
                        continue
                    square, cross = 0.0, 0.0
                    for entry in range(first, last):
                        part = D[indices[entry]] * data[entry]
                        cross += part
                        square += part * data[entry]
                    squares[j], crosses[j] = square, cross
                mean = crosses[j] / total if total > 0.0 else 0.0
                curvature = squares[j] - mean * crosses[j]
                if curvature <= 1e-12 * squares[j]:
                    continue
                gradient += shift * crosses[j]
                best = best_value(curvature * w[j] - gradient, curvature, penalty, j)
                change = best - w[j]
                if change != 0.0:
                    w[j] = best
                    shift -= mean * change
                    for entry in range(first, last):
                        row, moved = indices[entry], data[entry] * change
                        state[row, 0] += D[row] * moved
                        state[row, 1] += moved
                    worst = max(worst, abs(change) * (curvature + l2[j]))
            if sweep == 0:
                worst_of_turn = max(worst_of_turn, worst)
            if worst <= tolerance:
                break
        w[k] += shift
        for i in range(state.shape[0]):
            state[i, 1] += shift
        if worst_of_turn <= tolerance:
            break
