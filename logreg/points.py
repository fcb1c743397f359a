"""What Firth's likelihood computes at each of K points: sigmoid terms, inverses, a curvature learnt from steps.

By NumPy where data are few, and by the compiled :mod:`logreg.point_kernels` where they are not.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple, TypeAlias

import numpy as np

from logreg.loss import terms as loss_terms
from logreg.sums import Array

COMPILED_FROM = 15_000  # rows times squared columns; below, loading compiled code costs more than many fits
PAIRED_WIDTH = 64  # columns up to which pairs are made, and compiled code is as good as LAPACK
LONGEST = 5.0  # step of a coordinate: at 1, a standard deviation of its column is worth 2 log-odds
TELLING = 1e-6  # share of a secant's size, along its step, from which on it says something
FAR, REACH = 5.0, 3.0  # distance from a profile at which a step was too long; growth of a search with an open end
NEAR, CLOSE = 0.3, 1e-3  # distance from a profile within which it makes a bracket; from the level, within which not
SHRINKS = 0.1  # ratio of a step to the one before that bodes as much for the next
Goal: TypeAlias = tuple[Array, Array, Array, float, float]


class Arithmetic(NamedTuple):
    """Functions that do the same by NumPy and compiled; the names and texts are those of the functions below."""

    points: Callable[[Array, Array, Array, Array, Array, Array], tuple[Array, ...]]
    terms: Callable[[Array, Array, Array, Array, Array], tuple[Array, Array, Array, Array]]
    information: Callable[[Array, Array, Array], Array]
    penalty_slope: Callable[[Array, Array, Array, Array], Array]
    invert: Callable[[Array], tuple[Array, Array]]
    learn: Callable[[Array, np.ndarray, Array, Array], None]
    divide: Callable[[Array, np.ndarray, Array, Array], Array]
    aim: Callable[[np.ndarray, tuple[Array, Array, Array, Array], tuple[Array, Array, Array]], None]
    approach: Callable[[np.ndarray, tuple[Array, ...], Goal, tuple[Array, ...]], np.ndarray]


def arithmetic(n_rows: int, width: int) -> Arithmetic:
    """Return compiled functions where rows are enough to pay for loading them, and matrices small."""
    compiled = n_rows * width**2 >= COMPILED_FROM and width <= PAIRED_WIDTH
    module = import_module("logreg.point_kernels" if compiled else __name__)
    return Arithmetic(*(getattr(module, name) for name in Arithmetic._fields))


def points(Z: Array, y: Array, weight: Array, offset: Array, pairs: Array, B: Array) -> tuple[Array, ...]:
    """Return log-likelihood, log det I, the slopes of both and I at points B, from all rows."""
    value, score, curvature, tilted = terms(Z, y, weight, offset, B)
    found = information(Z, pairs, curvature)
    log_det, inverse = invert(found)
    return value, log_det, score, penalty_slope(Z, pairs, tilted, inverse), found


def terms(Z: Array, y: Array, weight: Array, offset: Array, B: Array) -> tuple[Array, Array, Array, Array]:
    """Return log-likelihood (K,), slope (K, m), curvatures ``D = p (1 - p)`` and ``D (1 - 2 p)``, (K, n), at B (K, m).

    Rows are columns of Z (m, n); all is times their weights.
    """
    loss, residual, curvature = loss_terms((B @ Z + offset).T, y)
    tilted = (1.0 - 2.0 * (residual + y[:, None])) * curvature
    for term in (loss, residual, curvature, tilted):
        term *= weight[:, None]
    return -loss.sum(axis=0), -(residual.T @ Z.T), curvature.T, tilted.T


def information(Z: Array, pairs: Array, curvature: Array) -> Array:
    """Return ``Z diag(D_k) Z'``, shape (K, m, m), from the products of a row's numbers in pairs, (m (m + 1) / 2, n)."""
    by_pair = curvature @ pairs.T
    i, j = np.tril_indices(len(Z))
    found = np.empty((len(by_pair), len(Z), len(Z)))
    found[:, i, j] = by_pair
    found[:, j, i] = by_pair
    return found


def penalty_slope(Z: Array, pairs: Array, tilted: Array, inverse: Array) -> Array:
    """Return the slope of log det I, ``Z (h (1 - 2 p))`` with leverages ``h_i = D_i z_i' I^-1 z_i``: (K, m)."""
    i, j = np.tril_indices(len(Z))
    q = (inverse[:, i, j] * np.where(i == j, 1.0, 2.0)) @ pairs
    q *= tilted
    slope: Array = q @ Z.T
    return slope


def invert(information: Array) -> tuple[Array, Array]:
    """Return log det, -inf where it is not positive definite, and the inverse, 0 there, of K matrices."""
    try:
        diagonals = np.einsum("kjj->kj", np.linalg.cholesky(information))
        return 2.0 * np.log(diagonals).sum(axis=1), np.asarray(np.linalg.inv(information), dtype=np.float64)
    except np.linalg.LinAlgError:  # which of them it was is not said
        if len(information) == 1:
            return np.full(1, -np.inf), np.zeros_like(information)
        log_det, inverse = zip(*(invert(one[None]) for one in information), strict=True)
        return np.concatenate(log_det), np.concatenate(inverse)


def learn(A: Array, which: np.ndarray, step: Array, gained: Array) -> None:
    """Take steps (m, k) of some points, and what a slope gained along them, into their curvatures A (K, k, k).

    By the symmetric update of rank one, where it is telling.
    """
    missed = gained - np.einsum("kij,kj->ki", A[which], step)
    product = np.einsum("ki,ki->k", missed, step)
    sizes = np.linalg.norm(missed, axis=1) * np.linalg.norm(step, axis=1)
    share = np.divide(1.0, product, out=np.zeros_like(product), where=np.abs(product) > TELLING * sizes)
    A[which] += share[:, None, None] * missed[:, :, None] * missed[:, None, :]


def divide(A: Array, which: np.ndarray, information: Array, slopes: Array) -> Array:
    """Return ``(I - A)^-1 g`` of some points for slopes (m, r, k), with I alone where that is not positive definite."""
    curvature = information - A[which]
    try:
        np.linalg.cholesky(curvature)
    except np.linalg.LinAlgError:
        wrong = np.linalg.eigvalsh(curvature)[:, 0] <= 0.0
        curvature[wrong] = information[wrong]
    return np.asarray(np.linalg.solve(curvature, slopes.swapaxes(1, 2)).swapaxes(1, 2), dtype=np.float64)


def aim(which: np.ndarray, known: tuple[Array, Array, Array, Array], ahead: tuple[Array, Array, Array]) -> None:
    """Write of some points the next steps, their lengths in standard errors, and which shares of them to take.

    ``known = (A, information, score, planes)`` and ``ahead = (step, distance, length)``, of all K points; of vectors a
    in ``planes``, which may be empty, the steps keep the products.
    """
    A, information, score, planes = known
    step, distance, length = ahead
    slope = score[which]
    if planes.size:
        a = planes[which]
        up, across = divide(A, which, information[which], np.stack([slope, a], axis=1)).swapaxes(0, 1)
        up = up - across * (dots(a, up) / dots(a, across))[:, None]
    else:
        up = divide(A, which, information[which], slope[:, None])[:, 0]
    step[which] = up
    distance[which] = np.sqrt(np.maximum(dots(up, slope), 0.0))
    length[which] = np.minimum(1.0, LONGEST / np.maximum(np.abs(up).max(axis=1, initial=0.0), 1e-300))


def approach(going: np.ndarray, found: tuple[Array, ...], goal: Goal, state: tuple[Array, ...]) -> np.ndarray:
    """Move some points towards a level of their profiles, or back half of a step that led too far; tell which arrived.

    ``found`` is what is known where they are, in the order of :class:`logreg.jeffreys.Points`. Of all points ``goal =
    (planes, sides, top, level, near)`` holds the vectors a, in which direction of ``a'b`` from its value at the top the
    level is looked for, and which steps are the last; ``state = (B, before, slope, A, size, inner, outer)`` where they
    are and were, the penalty's slope there and what was learnt of its curvature, the last steps, and brackets.
    """
    planes, sides, top, level, near = goal
    B, before, known_slope, A, sizes, _, _ = state
    value, _, score, slope, information = found
    a, side, at, last = planes[going], sides[going], B[going], before[going]
    finite = np.isfinite(value)
    learn(A, going[finite], (at - last)[finite], (slope - known_slope[going])[finite])
    information[~finite] = np.eye(a.shape[1])
    up, across = divide(A, going, information, np.stack([score, a], axis=1)).swapaxes(0, 1)
    per_t, rise, gain = dots(a, across), side * dots(a, up), dots(score, up)
    off_profile = np.sqrt(np.maximum(gain - rise**2 / per_t, 0.0))
    good = finite & (off_profile <= FAR)
    t = side * (dots(a, at) - top[going])
    wanted = t + rise + np.sqrt(np.maximum(2.0 * (value + 0.5 * gain - level), 0.0) * per_t)
    above = np.where(good & (off_profile < NEAR), value + 0.5 * off_profile**2 - level, 0.0)
    push = side * (within_bracket(going, t, above, wanted, state) - t - rise) / per_t
    step = up + push[:, None] * across
    size = np.sqrt(np.maximum(dots(step, score + push[:, None] * a), 0.0))
    last_size = sizes[going]
    sizes[going] = np.where(good, size, 0.0)
    before[going] = np.where(good[:, None], at, last)
    known_slope[going[good]] = slope[good]
    B[going] = np.where(good[:, None], at + step, 0.5 * (at + last))
    there: np.ndarray = (size <= near) | ((size < SHRINKS * last_size) & (size**2 <= near * last_size))
    there &= good
    return there


def within_bracket(going: np.ndarray, t: Array, above: Array, wanted: Array, state: tuple[Array, ...]) -> Array:
    """Narrow the brackets by profiles that are ``above`` the level at t, and return positions within them."""
    inner, outer = (part[going] for part in state[-2:])
    inner = np.where(above > CLOSE, np.maximum(inner, t), inner)
    outer = np.where(above < -CLOSE, np.minimum(outer, t), outer)
    state[-2][going], state[-1][going] = inner, outer
    reach = REACH * np.maximum(t, inner)
    farthest = np.where(np.isinf(outer), reach, 0.5 * (inner + outer))
    within: Array = np.where((wanted > inner) & (wanted < np.minimum(outer, reach)), wanted, farthest)
    return within


def dots(u: Array, v: Array) -> Array:
    """Return the products ``u_k' v_k`` of vectors (K, m)."""
    products: Array = np.einsum("kj,kj->k", u, v)
    return products
