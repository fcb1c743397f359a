"""Compiled kernels: what :mod:`logreg.points` computes for each of K points of Firth's likelihood."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logreg.compiled import compiled
from logreg.kernels import BLOCK_ROWS, sigmoid_terms

LONGEST, TELLING, FAR, REACH, NEAR, CLOSE, SHRINKS = 5.0, 1e-6, 5.0, 3.0, 0.3, 1e-3, 0.1  # as in logreg.points


@compiled
def points(Z: Any, y: Any, weight: Any, offset: Any, pairs: Any, B: Any) -> Any:
    """Do as :func:`logreg.points.points`."""
    value, score, curvature, tilted = terms(Z, y, weight, offset, B)
    found = information(Z, pairs, curvature)
    log_det, inverse = invert(found)
    return value, log_det, score, penalty_slope(Z, pairs, tilted, inverse), found


@compiled
def terms(Z: Any, y: Any, weight: Any, offset: Any, B: Any) -> Any:
    """Do as :func:`logreg.points.terms`."""
    (n_points, width), n = B.shape, Z.shape[1]
    value, slope = np.zeros(n_points), np.empty((n_points, width))
    residuals, curvatures, tilted = np.empty((n_points, n)), np.empty((n_points, n)), np.empty((n_points, n))
    buffer, none = np.empty((4, BLOCK_ROWS)), np.empty(0)
    loss, residual, curvature, power_bits = buffer[0], buffer[1], buffer[2], buffer[3].view(np.int64)
    np.dot(B, Z, residuals)
    for k in range(n_points):
        for start in range(0, n, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, n)
            outcome, share, known = y[start:stop], weight[start:stop], offset[start:stop]
            z, D, t = residuals[k, start:stop], curvatures[k, start:stop], tilted[k, start:stop]
            for i in range(z.size):
                z[i] += known[i]
            sigmoid_terms(z, outcome, none, buffer, power_bits)
            total = 0.0
            for i in range(z.size):
                total += share[i] * loss[i]
                z[i] = -share[i] * residual[i]
                D[i] = share[i] * curvature[i]
                t[i] = D[i] * (1.0 - 2.0 * (residual[i] + outcome[i]))
            value[k] -= total
    np.dot(residuals, Z.T, slope)
    return value, slope, curvatures, tilted


@compiled
def information(Z: Any, pairs: Any, curvature: Any) -> Any:
    """Do as :func:`logreg.points.information`."""
    n_points, width = len(curvature), len(Z)
    by_pair, found = np.empty((n_points, len(pairs))), np.empty((n_points, width, width))
    np.dot(curvature, pairs.T, by_pair)
    for k in range(n_points):
        pair = 0
        for i in range(width):
            for j in range(i + 1):
                found[k, i, j] = by_pair[k, pair]
                found[k, j, i] = by_pair[k, pair]
                pair += 1
    return found


@compiled
def penalty_slope(Z: Any, pairs: Any, tilted: Any, inverse: Any) -> Any:
    """Do as :func:`logreg.points.penalty_slope`."""
    (n_points, n), width = tilted.shape, len(Z)
    by_pair, q, slope = np.empty((n_points, len(pairs))), np.empty((n_points, n)), np.empty((n_points, width))
    for k in range(n_points):
        pair = 0
        for i in range(width):
            for j in range(i + 1):
                by_pair[k, pair] = inverse[k, i, j] if i == j else 2.0 * inverse[k, i, j]
                pair += 1
    np.dot(by_pair, pairs, q)
    for k in range(n_points):
        of_point, factor = q[k], tilted[k]
        for i in range(n):
            of_point[i] *= factor[i]
    np.dot(q, Z.T, slope)
    return slope


@compiled
def factorise(H: Any) -> float:
    """Replace the upper triangle of H by U, ``U'U = H``, and return log det H; -inf if H is not positive definite."""
    k, log_det = len(H), 0.0
    for j in range(k):
        pivot = H[j, j]
        if not (pivot > 0.0 and math.isfinite(pivot)):
            return -math.inf
        log_det += math.log(pivot)
        unit = 1.0 / math.sqrt(pivot)
        for i in range(j, k):
            H[j, i] *= unit
        for i in range(j + 1, k):
            share, row, below = H[j, i], H[j, i:], H[i, i:]
            for after in range(row.size):
                below[after] -= share * row[after]
    return log_det


@compiled
def copy(H: Any, U: Any) -> None:
    """Write H over U, element by element, which compiles in a fraction of the time that a slice takes."""
    for i in range(len(H)):
        for j in range(len(H)):
            U[i, j] = H[i, j]


@compiled
def invert(information: Any) -> Any:
    """Do as :func:`logreg.points.invert`."""
    n_points, k, _ = information.shape
    log_det, inverse = np.empty(n_points), np.zeros((n_points, k, k))
    U, V = np.empty((k, k)), np.empty((k, k))  # V = U^-1
    for point in range(n_points):
        copy(information[point], U)
        log_det[point] = factorise(U)
        if log_det[point] == -math.inf:
            continue
        found = inverse[point]
        for i in range(k - 1, -1, -1):
            unit = 1.0 / U[i, i]
            for j in range(i, k):
                V[i, j] = unit if i == j else 0.0
            for j in range(i + 1, k):
                share, below, after = U[i, j] * unit, V[j, j:], V[i, j:]
                for c in range(below.size):
                    after[c] -= share * below[c]
        for i in range(k):
            for j in range(i, k):
                total, one, other = 0.0, V[i, j:], V[j, j:]
                for c in range(one.size):
                    total += one[c] * other[c]
                found[i, j] = total
                found[j, i] = total
    return log_det, inverse


@compiled
def learn_step(A: Any, step: Any, gained: Any, missed: Any) -> None:
    """Take a step, and what a slope gained along it, into the curvature A of its point."""
    product, size, length = 0.0, 0.0, 0.0
    for i in range(step.size):
        row, entry = A[i], gained[i]
        for j in range(step.size):
            entry -= row[j] * step[j]
        missed[i] = entry
        product += entry * step[i]
        size += entry * entry
        length += step[i] * step[i]
    if not abs(product) > TELLING * math.sqrt(size) * math.sqrt(length):
        return
    for i in range(step.size):
        row, share = A[i], missed[i] / product
        for j in range(step.size):
            row[j] += share * missed[j]


@compiled
def learn(A: Any, which: Any, step: Any, gained: Any) -> None:
    """Do as :func:`logreg.points.learn`."""
    missed = np.empty(step.shape[1])
    for point in range(which.size):
        learn_step(A[which[point]], step[point], gained[point], missed)


@compiled
def factorise_curvature(A: Any, information: Any, U: Any) -> None:
    """Write the factor of ``I - A``, or of I where that is not positive definite."""
    for i in range(len(U)):
        row, whole, learnt = U[i], information[i], A[i]
        for j in range(row.size):
            row[j] = whole[j] - learnt[j]
    if factorise(U) == -math.inf:
        copy(information, U)
        factorise(U)


@compiled
def solve(U: Any, x: Any) -> None:
    """Replace x by ``(U'U)^-1 x``."""
    for i in range(x.size):
        row, left, entry = U[i, i:], x[i:], x[i] / U[i, i]
        for j in range(1, row.size):
            left[j] -= entry * row[j]
        x[i] = entry
    for i in range(x.size - 1, -1, -1):
        row, left, entry = U[i, i:], x[i:], x[i]
        for j in range(1, row.size):
            entry -= row[j] * left[j]
        x[i] = entry / U[i, i]


@compiled
def divide(A: Any, which: Any, information: Any, slopes: Any) -> Any:
    """Do as :func:`logreg.points.divide`."""
    n_points, n_slopes, k = slopes.shape
    found, U = np.empty((n_points, n_slopes, k)), np.empty((k, k))
    for point in range(n_points):
        factorise_curvature(A[which[point]], information[point], U)
        for r in range(n_slopes):
            for i in range(k):
                found[point, r, i] = slopes[point, r, i]
            solve(U, found[point, r])
    return found


@compiled
def aim(which: Any, known: Any, ahead: Any) -> None:
    """Do as :func:`logreg.points.aim`."""
    A, information, score, planes = known
    step, distance, length = ahead
    width = score.shape[1]
    U, across = np.empty((width, width)), np.empty(width)
    for point in which:
        up, slope = step[point], score[point]
        factorise_curvature(A[point], information[point], U)
        for i in range(width):
            up[i] = slope[i]
        solve(U, up)
        if planes.size:
            a = planes[point]
            for i in range(width):
                across[i] = a[i]
            solve(U, across)
            share = np.dot(a, up) / np.dot(a, across)
            for i in range(width):
                up[i] -= share * across[i]
        distance[point] = math.sqrt(max(np.dot(up, slope), 0.0))
        longest = 1e-300
        for i in range(width):
            longest = max(longest, abs(up[i]))
        length[point] = min(1.0, LONGEST / longest)


@compiled
def within_bracket(k: int, t: float, above: float, wanted: float, state: Any) -> Any:
    """Narrow the bracket of point k by a profile that is ``above`` the level at t, and return a position within it."""
    inner, outer = state[-2], state[-1]
    if above > CLOSE:
        inner[k] = max(inner[k], t)
    if above < -CLOSE:
        outer[k] = min(outer[k], t)
    reach = REACH * max(t, inner[k])
    if inner[k] < wanted < min(outer[k], reach):
        return wanted
    return reach if math.isinf(outer[k]) else 0.5 * (inner[k] + outer[k])


@compiled
def approach(going: Any, found: Any, goal: Any, state: Any) -> Any:
    """Do as :func:`logreg.points.approach`."""
    planes, sides, top, level, near = goal
    B, before, known_slope, A, sizes, _, _ = state
    value, _, score, slope, information = found
    width = score.shape[1]
    arrived, U, buffers = np.zeros(going.size, dtype=np.bool_), np.empty((width, width)), np.empty((5, width))
    moved, gained, missed, up, across = buffers[0], buffers[1], buffers[2], buffers[3], buffers[4]
    for point in range(going.size):
        k = going[point]
        a, side, at, last, g = planes[k], sides[k], B[k], before[k], score[point]
        there, known = slope[point], known_slope[k]
        per_t, rise, gain, off_profile = 1.0, 0.0, 0.0, math.inf
        if math.isfinite(value[point]):
            for i in range(width):
                moved[i], gained[i], up[i], across[i] = at[i] - last[i], there[i] - known[i], g[i], a[i]
            learn_step(A[k], moved, gained, missed)
            factorise_curvature(A[k], information[point], U)
            solve(U, up)
            solve(U, across)
            per_t, rise, gain = np.dot(a, across), side * np.dot(a, up), np.dot(g, up)
            off_profile = math.sqrt(max(gain - rise * rise / per_t, 0.0))
        if not off_profile <= FAR:
            sizes[k] = 0.0
            for i in range(width):
                at[i] = 0.5 * (at[i] + last[i])
            continue
        t = side * (np.dot(a, at) - top[k])
        wanted = t + rise + math.sqrt(max(2.0 * (value[point] + 0.5 * gain - level), 0.0) * per_t)
        above = value[point] + 0.5 * off_profile * off_profile - level if off_profile < NEAR else 0.0
        push = side * (within_bracket(k, t, above, wanted, state) - t - rise) / per_t
        size = 0.0
        for i in range(width):
            up[i] += push * across[i]
            size += up[i] * (g[i] + push * a[i])
            last[i], known[i] = at[i], there[i]
            at[i] += up[i]
        size, last_size = math.sqrt(max(size, 0.0)), sizes[k]
        arrived[point] = size <= near or (size < SHRINKS * last_size and size * size <= near * last_size)
        sizes[k] = size
    return arrived
