"""What is minimised, its minimum, and how near to it an answer is: written here, taken from no package compared.

    F(w, b) = sum_i softplus(-s_i (x_i . w + b)) + |w|^2 / (2 C),        s_i = 2 y_i - 1
    gap     = (F(w, b) - F*) / (F(0, 0) - F*)

An answer counts when its gap is at most ``REQUIRED``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

REQUIRED = 1e-8
BLOCK_ROWS = 8_192  # rows at a time, so that no second X is allocated
MOST_STEPS = 200
MATRIX_COLUMNS = 2_000  # of sparse X, up to which the curvature is a matrix
MOST_PRODUCTS = 500  # with the curvature, a step


class Optimum(NamedTuple):
    """The minimum F*, and the largest gap that F* itself can have."""

    value: float
    error: float


def objective(X, y, C, coefficients, intercept):
    """Return F in float64, whatever X is stored in."""
    w, b = np.asarray(coefficients, np.float64), float(intercept)
    loss = 0.0
    for block, outcome in blocks(X, y):
        loss += np.logaddexp(0.0, (1.0 - 2.0 * outcome) * (block @ w + b)).sum()
    return loss + w @ w / (2.0 * C)


def gap(X, y, C, coefficients, intercept, optimum):
    """Return the relative objective gap of an answer."""
    null = len(y) * np.log(2.0)
    return (objective(X, y, C, coefficients, intercept) - optimum.value) / (null - optimum.value)


def optimum(X, y, C, intercept=True):
    """Minimise F: over dense columns as below, over sparse ones by :func:`sparse_optimum`."""
    return sparse_optimum(X, y, C, intercept) if sparse.issparse(X) else dense_optimum(X, y, C)


def dense_optimum(X, y, C):
    """Minimise F by Newton's method on centred and scaled columns, halving steps that do not descend.

    Half the squared Newton decrement estimates what is left of ``F - F*``; the iteration ends when that is nothing
    beside F, or when rounding hides any progress.
    """
    mean, scale = moments(X)
    ridge = np.append(1.0 / (C * scale**2), 0.0)
    null = len(y) * np.log(2.0)
    u = np.zeros(X.shape[1] + 1)
    value = null
    for _ in range(MOST_STEPS):
        gradient, curvature = derivatives(X, y, mean, scale, u)
        gradient += ridge * u
        curvature[np.diag_indices_from(curvature)] += ridge
        step = cho_solve(cho_factor(curvature), -gradient)
        left = -gradient @ step / 2.0
        t = 1.0
        while (tried := objective(X, y, C, *in_units(u + t * step, mean, scale))) > value + 1e-13 * null and t > 1e-6:
            t /= 2.0
        u = u + t * step
        value = min(value, tried)
        if left <= 1e-14 * null:
            break
    return Optimum(value, left / (null - value))


def sparse_optimum(X, y, C, intercept):
    """Minimise F by Newton's method, each step with the best intercept for its coefficients.

    Up to ``MATRIX_COLUMNS`` columns the error is estimated by half the squared Newton decrement. On more, where steps
    are found by conjugate gradients, it is bounded: with the best intercept F is strongly convex in the coefficients
    with constant 1/C, so F - F* is at most ``C |g|^2 / 2`` for their gradient g.
    """
    null, sign = len(y) * np.log(2.0), 2.0 * y - 1.0
    has_matrix = X.shape[1] <= MATRIX_COLUMNS
    step_of, enough = (exact_step, 1e-14) if has_matrix else (conjugate_step, REQUIRED / 1000.0)
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(MOST_STEPS):
        scores = X @ w
        b = best_intercept(scores, sign, b) if intercept else 0.0
        wrong = expit(-sign * (scores + b))
        D = wrong * (1.0 - wrong)
        mean = X.T @ D / D.sum() if intercept else np.zeros(X.shape[1])
        gradient = w / C - X.T @ (sign * wrong)
        value = value_at(w, scores, sign, b, C)
        step = step_of(X, D, mean, C, gradient)
        left = -gradient @ step / 2.0 if has_matrix else C * (gradient @ gradient) / 2.0
        if left <= enough * null:
            break
        t, moved = 1.0, X @ step
        while value_at(w + t * step, scores + t * moved, sign, b - t * (mean @ step), C) > value and t > 1e-6:
            t /= 2.0
        w, b = w + t * step, b - t * (mean @ step)
    return Optimum(value, left / (null - value))


def best_intercept(scores, sign, b):
    """Return the intercept that minimises the loss at scores, by Newton's method."""
    for _ in range(MOST_STEPS):
        wrong = expit(-sign * (scores + b))
        step = (sign * wrong).sum() / (wrong * (1.0 - wrong)).sum()
        b += step
        if abs(step) < 1e-13 * (1.0 + abs(b)):
            break
    return b


def value_at(w, scores, sign, b, C):
    """Return F at the scores of coefficients, and an intercept."""
    return np.logaddexp(0.0, -sign * (scores + b)).sum() + w @ w / (2.0 * C)


def exact_step(X, D, mean, C, gradient):
    """Return ``-H^-1 g`` for the curvature with the intercept eliminated, H scaled to a unit diagonal."""
    H = (X.multiply(D[:, None]).tocsr().T @ X).toarray() - D.sum() * np.outer(mean, mean)
    H[np.diag_indices_from(H)] += 1.0 / C
    unit = 1.0 / np.sqrt(np.diagonal(H))
    return -unit * cho_solve(cho_factor(H * unit * unit[:, None]), unit * gradient)


def conjugate_step(X, D, mean, C, gradient):
    """Return the same by preconditioned conjugate gradients, to a thousandth."""
    diagonal = X.power(2).T @ D - D.sum() * mean**2 + 1.0 / C

    def times(v):
        return X.T @ (D * (X @ v)) - (D.sum() * (mean @ v)) * mean + v / C

    step, left = np.zeros_like(gradient), -gradient
    solved = left / diagonal
    along, product = solved.copy(), left @ solved
    for _ in range(MOST_PRODUCTS):
        curved = times(along)
        t = product / (along @ curved)
        step += t * along
        left = left - t * curved
        if left @ left <= 1e-6 * (gradient @ gradient):
            break
        solved = left / diagonal
        product, before = left @ solved, product
        along = solved + (product / before) * along
    return step


def moments(X):
    """Return the means and standard deviations of the columns; 1 for a constant column."""
    n = X.shape[0]
    ones = np.zeros(n)
    mean = sum(block.sum(axis=0) for block, _ in blocks(X, ones)) / n
    variance = sum(((block - mean) ** 2).sum(axis=0) for block, _ in blocks(X, ones)) / n
    return mean, np.where(variance > 0, np.sqrt(variance), 1.0)


def derivatives(X, y, mean, scale, u):
    """Return gradient and curvature of the loss in centred and scaled columns, the intercept's last."""
    d = X.shape[1]
    gradient, curvature = np.zeros(d + 1), np.zeros((d + 1, d + 1))
    for block, outcome in blocks(X, y):
        design = np.column_stack([(block - mean) / scale, np.ones(len(outcome))])
        sign = 2.0 * outcome - 1.0
        wrong = np.exp(-np.logaddexp(0.0, sign * (design @ u)))  # 1 - probability of what was observed
        gradient -= design.T @ (sign * wrong)
        root = design * np.sqrt(wrong * (1.0 - wrong))[:, None]
        curvature += root.T @ root
    return gradient, curvature


def in_units(u, mean, scale):
    """Return coefficients and intercept for X as it is."""
    w = u[:-1] / scale
    return w, u[-1] - mean @ w


def blocks(X, y):
    """Yield the rows in blocks of float64 with their outcomes."""
    for start in range(0, X.shape[0], BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        yield X[rows].astype(np.float64, copy=False), y[rows]
