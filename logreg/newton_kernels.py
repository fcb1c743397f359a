"""Compiled kernels: Newton's method for many models over the same few dense rows, one after the other.

Rows are held by column, in coordinates; columns of zeros make their number a multiple of four. The intercept comes last
among coefficients, and has no column. What a pass does for a model stays in cache.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logreg.compiled import compiled, compiled_as_written
from logreg.model_kernels import ROWS, fill_shares, residuals_in_place

AT_ONCE = 4  # columns, that share what is loaded beside them
ILL_CONDITIONED = 1e-5  # smallest pivot from which on eigenvalues should decide
OVERSHOOT, ROUNDING, SHORT, LARGEST_SHARE = 0.5, 1e-13, 1.5, 0.75  # as in logreg.search
GROWTH = 0.05  # step of an unpenalised coefficient, in standard errors, which it does not take near an optimum


@compiled
def write_scores(Z: Any, b: Any, start: int, z: Any) -> None:
    """Write the scores of some rows."""
    m, stop = z.size, start + z.size
    z[:] = b[-1]
    for j in range(0, len(Z), AT_ONCE):
        b0, b1, b2, b3 = b[j], b[j + 1], b[j + 2], b[j + 3]
        z0, z1, z2, z3 = Z[j, start:stop], Z[j + 1, start:stop], Z[j + 2, start:stop], Z[j + 3, start:stop]
        for i in range(m):
            z[i] += b0 * z0[i] + b1 * z1[i] + b2 * z2[i] + b3 * z3[i]


@compiled
def add_products(Z: Any, start: int, values: Any, products: Any) -> None:
    """Add the products of the columns with values of some rows."""
    m, stop = values.size, start + values.size
    for j in range(0, len(Z), AT_ONCE):
        z0, z1, z2, z3 = Z[j, start:stop], Z[j + 1, start:stop], Z[j + 2, start:stop], Z[j + 3, start:stop]
        p0, p1, p2, p3 = 0.0, 0.0, 0.0, 0.0
        for i in range(m):
            p0 += z0[i] * values[i]
            p1 += z1[i] * values[i]
            p2 += z2[i] * values[i]
            p3 += z3[i] * values[i]
        products[j] += p0
        products[j + 1] += p1
        products[j + 2] += p2
        products[j + 3] += p3


@compiled
def add_square(Z: Any, start: int, weight: Any, weighted: Any, H: Any) -> None:
    """Add ``Z diag(weight) Z'`` of some rows, but for entries far above the diagonal."""
    m, stop, first, second = weight.size, start + weight.size, weighted[0], weighted[1]
    for i in range(0, len(Z), 2):
        z0, z1 = Z[i, start:stop], Z[i + 1, start:stop]
        for row in range(m):
            first[row] = z0[row] * weight[row]
            second[row] = z1[row] * weight[row]
        for j in range(0, i + 2, AT_ONCE):
            z0, z1, z2, z3 = Z[j, start:stop], Z[j + 1, start:stop], Z[j + 2, start:stop], Z[j + 3, start:stop]
            h0, h1, h2, h3, h4, h5, h6, h7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for row in range(m):
                h0 += first[row] * z0[row]
                h1 += first[row] * z1[row]
                h2 += first[row] * z2[row]
                h3 += first[row] * z3[row]
                h4 += second[row] * z0[row]
                h5 += second[row] * z1[row]
                h6 += second[row] * z2[row]
                h7 += second[row] * z3[row]
            H[i, j] += h0
            H[i, j + 1] += h1
            H[i, j + 2] += h2
            H[i, j + 3] += h3
            H[i + 1, j] += h4
            H[i + 1, j + 1] += h5
            H[i + 1, j + 2] += h6
            H[i + 1, j + 3] += h7


@compiled_as_written
def factorise(H: Any, unit: Any) -> float:
    """Replace H by the Cholesky factor of H scaled to a unit diagonal, and return the smallest pivot; 0 for none.

    A frozen coordinate, of no curvature, has unit 0.
    """
    k = len(H)
    for i in range(k):
        unit[i] = 1.0 / math.sqrt(H[i, i]) if H[i, i] > 0.0 else 0.0
    smallest = 1.0
    for i in range(k):
        for j in range(i + 1):
            entry = H[i, j] * unit[i] * unit[j] if i != j else 1.0
            for before in range(j):
                entry -= H[i, before] * H[j, before]
            if i != j:
                H[i, j] = entry / H[j, j]
            elif entry <= 0.0 or not math.isfinite(entry):
                return 0.0
            else:
                H[i, i] = math.sqrt(entry)
                smallest = min(smallest, H[i, i])
    return smallest


@compiled_as_written
def divide(L: Any, unit: Any, gradient: Any, direction: Any) -> float:
    """Write ``-H^-1 g`` for a factor of H, and return ``g' H^-1 g``."""
    k, square = len(L), 0.0
    for i in range(k):
        entry = unit[i] * gradient[i]
        for j in range(i):
            entry -= L[i, j] * direction[j]
        direction[i] = entry / L[i, i]
        square += direction[i] * direction[i]
    for i in range(k - 1, -1, -1):
        direction[i] /= L[i, i]
        for j in range(i):
            direction[j] -= L[i, j] * direction[i]
    for i in range(k):
        direction[i] *= -unit[i]
    return square


@compiled
def sums_of_model(rows: Any, versions: Any, k: int, b: Any, gradient: Any, H: Any, buffers: Any) -> float:
    """Write the gradient of the loss of model k at b and the lower triangle of its curvature; return the loss."""
    Z, offset, once = rows
    y, weight, counts, of_model = versions
    version, n = of_model[k], Z.shape[1]
    outcomes = y[version if y.shape[0] > 1 else 0]
    scores, shares, remainders, power, curvatures = buffers[0], buffers[1], buffers[2], buffers[3], buffers[4]
    power_bits = power.view(np.int64)
    gradient[:], H[:] = 0.0, 0.0
    loss = 0.0
    for start in range(0, n, ROWS):
        m = min(ROWS, n - start)
        z, share, curvature, e = scores[:m], shares[:m], curvatures[:m], remainders[:m]
        write_scores(Z, b, start, z)
        if offset.size:
            for i in range(m):
                z[i] += offset[start + i]
        fill_shares(weight, counts, version, start, share)
        outcome = outcomes[start : start + m]
        of_losses, of_residuals = residuals_in_place(z, outcome, share, curvature, once, (e, power, power_bits))
        loss += of_losses
        gradient[-1] += of_residuals
        add_products(Z, start, z, gradient)
        add_square(Z, start, curvature, buffers[5:], H)
        add_products(Z, start, curvature, H[-1])
        for i in range(m):
            H[-1, -1] += curvature[i]
    return loss


@compiled
def sums_of_null(versions: Any, k: int, p: float, null: Any, gradient: Any, H: Any) -> None:
    """Write the gradient and the curvature of a model all of whose rows have the probability p.

    ``null = (Z S, sum S y (K,), Z S 1, Z S Z')`` for the weights S of the rows; the last two with the intercept's 1.
    """
    weighted, positive, totals, squares = null
    y, of_model = versions[0], versions[3]
    gradient[:] = 0.0
    add_products(weighted, 0, y[of_model[k] if y.shape[0] > 1 else 0], gradient)
    gradient[-1] = positive[k]
    for j in range(totals.size):
        gradient[j] = p * totals[j] - gradient[j]
    H[:] = p * (1.0 - p) * squares


@compiled
def add_penalty(S: float, pull: Any, b: Any, gradient: Any, H: Any) -> float:
    """Turn sums of gradient and curvature into those of a mean and its penalty; return the penalty's value."""
    value = 0.0
    for i in range(len(b)):
        value += 0.5 * pull[i] * b[i] * b[i]
        gradient[i] = gradient[i] / S + pull[i] * b[i]
        for j in range(i + 1):
            H[i, j] /= S
        H[i, i] += pull[i]
    return value


@compiled_as_written
def to_discriminant(explained: float, p: float, intercept: bool, direction: Any) -> float:
    """Turn Newton's direction from a null model to Fisher's discriminant, and return how long a step leads there.

    It is ``1 / (1 - R2)`` times Newton's step, where R2, the share of the outcomes' variance that least squares would
    explain, is the squared distance to the optimum over S; and it takes the intercept halfway between the classes.
    """
    explained = min(explained, LARGEST_SHARE)
    if intercept:
        direction[-1] = (p - 0.5) * explained / (p * (1.0 - p))
    return 1.0 / (1.0 - explained)


@compiled_as_written
def left_after_step(distance: float, change: float) -> float:
    """Return a bound of the distance to the optimum after a Newton step from a distance, in standard errors.

    ``change`` is the largest change of a score. Along the step ``p (1 - p)`` changes by less than ``exp(change)``,
    because its logarithm has a slope of at most 1 (Bach, Electron. J. Stat. 4, 2010).
    """
    if change > 0.1:
        return math.inf
    return distance * math.exp(0.5 * change) * (0.5 * change + change * change / 5.0)


@compiled
def newton_models(
    rows: Any, versions: Any, problem: Any, at_start: Any, limits: Any, B: Any, ends: Any, models: Any
) -> None:
    """Move some models from their rows of B, shape (K, d + 1), to their optima, where Newton's steps lead there.

    ``rows = (Z, offset, once)``, Z of shape (d, n), ``versions`` as in :mod:`logreg.model_kernels`, ``problem = (total
    weights, penalty's curvatures (K, d + 1), whether a model is unpenalised, whether there is an intercept)``,
    ``at_start = (losses, p, null)`` of models whose rows have one probability p, (K,) each, or empty, ``limits = (tol,
    most passes)``, ``ends = (decrement, objective, passes, steps, whether it arrived)``, (K,) each. What is
    ill-conditioned, or looks separated, does not arrive, and stays where it was.
    """
    Z = rows[0]
    total_weight, penalty, free, intercept = problem
    losses, p, null = at_start
    tol, most = limits
    decrement, objective, passes, steps, arrived = ends
    size = len(Z) + 1
    largest = np.ones(size)
    for j in range(size - 1):
        largest[j] = np.abs(Z[j]).max()
    buffers = np.empty((7, ROWS))
    H, unit = np.empty((size, size)), np.empty(size)
    b, trial, gradient, end, direction = np.empty(size), np.empty(size), np.empty(size), np.empty(size), np.zeros(size)
    for k in models:
        S, pull = total_weight[k], penalty[k]
        b[:], direction[:] = B[k], 0.0
        length, slope, value = 0.0, 0.0, np.inf
        for _ in range(most):
            trial[:] = b + length * direction
            if passes[k] == 0 and losses.size:
                there = losses[k]
                sums_of_null(versions, k, p[k], null, end, H)
            else:
                there = sums_of_model(rows, versions, k, trial, end, H, buffers)
            if not intercept:
                end[-1], H[-1] = 0.0, 0.0
            there = there / S + add_penalty(S, pull, trial, end, H)
            passes[k] += 1
            if not math.isfinite(there):
                break
            share = np.dot(direction, end) / slope if slope < 0.0 else 0.0
            if share < -OVERSHOOT or there - value > ROUNDING * abs(value):
                length *= min(max(1.0 / (1.0 - share) if share < 1.0 else 0.0, 0.2), 0.7)
                continue
            b[:], gradient[:], value = trial, end, there
            steps[k] += length > 0.0
            if factorise(H, unit) < ILL_CONDITIONED:
                break
            slope = -divide(H, unit, gradient, direction)
            distance = math.sqrt(-S * slope)
            decrement[k], objective[k] = distance, value
            growing = free[k] and math.sqrt(S) * np.abs(direction[:-1]).max() > GROWTH
            left = left_after_step(distance, np.dot(np.abs(direction), largest))
            if min(distance, left) <= tol and not growing:
                B[k] = b + direction
                decrement[k] = min(distance, left)
                objective[k] += 0.5 * slope
                steps[k] += 1
                arrived[k] = True
                break
            if passes[k] == 1 and losses.size:
                length = to_discriminant(-slope, p[k], intercept, direction)
            else:
                length = 1.0 / (1.0 - min(max(share, 0.0), LARGEST_SHARE) ** SHORT)
