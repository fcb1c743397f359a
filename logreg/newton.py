"""Newton's method for many models of few dense rows, in compiled code: as far as plain steps lead.

It computes what the loop of :mod:`logreg.solve` would with the curvature of all rows, without its calls, of which a
model of some hundred rows needs more than of anything else. What a plain step does not help is left to that loop.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np

from logreg.penalty import Ridge
from logreg.plan import are_few
from logreg.products import Block
from logreg.rows import VersionedRows
from logreg.rows.versions import arrays_of_versions
from logreg.scale import Scale
from logreg.sigmoid import sigmoid, softplus
from logreg.solve import NonFiniteSumsError
from logreg.stop import Limits
from logreg.sums import Array

COMPILED_FROM = 150_000  # numbers that a pass reads for all models; below, loading compiled code costs more
PIECES = 8  # of the models for each thread, so that none waits long for another
MOST_PASSES = 30
UNKNOWN = np.empty(0), np.empty(0), (np.empty((0, 0)), np.empty(0), np.empty(0), np.empty((0, 0)))


class Arrivals(NamedTuple):
    """Where Newton's steps led K models.

    ``coefficients`` have the shape (d + 1, K), in the units of the rows, all else (K,): distance to the optimum in
    standard errors, objective, passes, steps, and whether the model arrived.
    """

    coefficients: Array
    decrement: Array
    objective: Array
    passes: np.ndarray
    steps: np.ndarray
    arrived: np.ndarray


def is_worth_it(rows: VersionedRows, limits: Limits) -> bool:
    """Tell whether rows are few and dense, models many, and nobody listens to passes."""
    work = rows.n_values * len(rows.versions.of_model)
    return rows.whole.is_dense and are_few(rows) and work >= COMPILED_FROM and limits.on_pass is None


def arrive(rows: VersionedRows, penalty: Ridge, start: Array, limits: Limits, intercept: bool) -> Arrivals:
    """Take Newton's steps from a start of shape (d + 1, K), each model on its own.

    A step that is known to end near enough is the last: its end is not looked at. ``n d**2 + 4 n d`` flops and n
    exponentials a model and step; a copy of the rows in coordinates.
    """
    from logreg.newton_kernels import AT_ONCE, newton_models
    from logreg.sweep import fixed

    whole, n_models = rows.whole, start.shape[1]
    at_zero = whole.sums(np.zeros((rows.n_columns + 1, 1)), "diagonal")
    if not at_zero.all_finite():
        raise NonFiniteSumsError
    scale = Scale.from_sums(at_zero, penalty.strength, intercept)
    block = Block(whole.X, whole.y, whole.weight, whole.offset, whole.subset, whole.origin)
    d, width = rows.n_columns, -(-rows.n_columns // AT_ONCE) * AT_ONCE
    Z = np.zeros((width, rows.n_rows))
    Z[:d] = (block.values().T - scale.center[:-1, None]) * scale.unit[:-1, None]
    place = np.append(np.arange(d), width)  # of the coordinates, among them and those of columns of zeros
    B, pull = np.zeros((2, n_models, width + 1))
    B[:, place], pull[:, place] = scale.coordinates(start).T, penalty.curvature(scale.unit)
    unknown = np.full(n_models, np.inf)
    passes, steps = np.zeros((2, n_models), dtype=np.int64)
    ends = unknown, unknown.copy(), passes, steps, np.zeros(n_models, dtype=np.bool_)
    newton = partial(
        newton_models,
        (Z, fixed(whole.offset), rows.once),
        arrays_of_versions(block, rows.versions),
        (np.asarray(rows.total_weight), pull, penalty.free, intercept),
        null_models(rows, Z, B) if is_null(rows, B) else UNKNOWN,
        (limits.tol, min(limits.max_iter, MOST_PASSES)),
        B,
        ends,
    )
    pieces = np.array_split(np.arange(n_models), min(PIECES * whole.n_threads, n_models))
    with ThreadPoolExecutor(whole.n_threads, thread_name_prefix="logreg") as threads:
        list(threads.map(newton, pieces))
    return Arrivals(scale.coefficients(np.ascontiguousarray(B.T[place])), *ends)


def is_null(rows: VersionedRows, B: Array) -> bool:
    """Tell whether all rows of a model have the same score, and all models see all rows."""
    return rows.versions.counts is None and rows.whole.offset is None and not B[:, :-1].any()


def null_models(rows: VersionedRows, Z: Array, B: Array) -> tuple[Array, Array, tuple[Array, Array, Array, Array]]:
    """Return losses and probabilities of models without slopes, and of the rows what their gradients are made of."""
    weighted = Z if rows.whole.weight is None else Z * rows.whole.weight
    z, total = B[:, -1], rows.total_weight
    with_one = np.vstack([Z, np.ones(Z.shape[1])])
    totals = np.append(weighted.sum(axis=1), total[0])
    squares = np.vstack([weighted @ with_one.T, totals])
    null = weighted, total * rows.positive_fraction, totals, squares
    return total * (softplus(z) - rows.positive_fraction * z), sigmoid(z), null
