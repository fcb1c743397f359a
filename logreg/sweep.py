"""A block of rows -> Sums by compiled kernels: what they are handed, and where their sums go.

Takes the place of the matrix products of products.py on large data. Imports numba by way of the kernels.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address

from logreg.columns import NO_COLUMN, Columns
from logreg.kernels import dense_rows, root_rows, sigmoid_terms, sparse_rows
from logreg.products import Block, is_sparse
from logreg.scale import Scale
from logreg.sparse_kernels import (
    add_level_scores,
    add_level_sums,
    add_number_scores,
    column_scores,
    column_sums,
    number_sums,
    paired_rows,
    row_scores,
    row_sums,
)
from logreg.sums import Array, CurvatureKind, Sums

ROOT_VALUES = 500_000  # of the square root of a curvature at a time: they stay in cache
COLUMN_ROWS = 65_536  # of a table by columns at a time: enough to pay for the calls, a column each
MATRIX_ROWS = 4_096  # of it that become a matrix at a time
LANES, MANY_LEVELS = 4, 4_096  # sums of a level, unless levels are so many that neighbours seldom share one
Parts = Callable[[Callable[[slice], None]], Iterable[None]]
ColumnSums = tuple[Array, Array, Array]  # gradient, diagonal and cross terms of each column, the last two may be empty
INT = ctypes.POINTER(ctypes.c_int)


def syrk(name: str, number: Any) -> Any:
    """Return BLAS's product of a matrix with its transpose, for one type of numbers."""
    one = ctypes.POINTER(number)
    arguments = [*[ctypes.c_char_p] * 2, INT, INT, one, ctypes.c_void_p, INT, one, ctypes.c_void_p, INT]
    return ctypes.CFUNCTYPE(None, *arguments)(get_cython_function_address("scipy.linalg.cython_blas", name))


SYRK = {
    "float32": (syrk("ssyrk", ctypes.c_float), ctypes.c_float),
    "float64": (syrk("dsyrk", ctypes.c_double), ctypes.c_double),
}


def block_sums(block: Block, W: Array, kind: CurvatureKind) -> Sums:
    """Return the sums over a block at coefficients W of shape (d + 1, K), for kinds "none" and "diagonal"."""
    width, n_models = W.shape
    sums = np.zeros(n_models), np.zeros((n_models, width)), *np.zeros((2, n_models, width * (kind == "diagonal")))
    loss, gradient, diagonal, cross = sums
    W = np.ascontiguousarray(W.T)
    storage = block.X.format if is_sparse(block.X) else "table" if isinstance(block.X, Columns) else "dense"
    if storage == "csr" and n_models > 1 and kind == "none" and block.subset is None:
        for first in range(0, n_models, 4):
            add_four(block, W[first : first + 4], loss[first : first + 4], gradient[first : first + 4])
    elif storage != "dense":
        add = add_columns if storage == "table" else add_rows
        for k, w in enumerate(W):
            loss[k] = add(block, w, (gradient[k], diagonal[k], cross[k]))
    else:
        dense_rows(*dense_arrays_of(block), arrays_of(block), fixed(W), sums)
    weight = len(block.y) if block.weight is None else block.weight.sum()
    curvature = None
    if kind == "diagonal":
        cross[:, -1] = diagonal[:, -1]
        curvature = np.stack([diagonal, cross], axis=1)
    return Sums(np.full(n_models, float(weight)), loss, gradient.T, curvature)


def add_rows(block: Block, w: Array, sums: ColumnSums) -> float:
    """Add sparse rows to ``sums = (gradient, diagonal, cross)`` and return their loss."""
    by_column = np.zeros((len(w), 3 if sums[1].size else 1))
    loss: float = sparse_rows(sparse_arrays_of(block.X), arrays_of(block), fixed(w), by_column)
    for total, found in zip(sums, by_column.T, strict=False):
        total += found
    return loss


def add_four(block: Block, W: Array, loss: Array, gradient: Array) -> None:
    """Add sparse rows to losses and gradients of up to four models, which share the reading of the rows."""
    X, n_models = sparse_arrays_of(block.X), len(W)
    by_column, sums = np.zeros((W.shape[1], 4)), np.zeros((W.shape[1], 4))
    by_column[:, :n_models] = W.T
    buffer = np.empty((4, MATRIX_ROWS))
    for start in range(0, len(block.y), MATRIX_ROWS):
        part = block._replace(X=np.empty((0, 0))).rows(start, start + MATRIX_ROWS)
        scores = np.repeat(by_column[-1:].T, len(part.y), axis=1)
        if part.offset is not None:
            scores += part.offset
        row_scores(X, start, by_column, scores)
        for k in range(n_models):
            terms = terms_of(scores[k], part, buffer)
            loss[k] += terms[0].sum()
            gradient[k, -1] += terms[1].sum()
            scores[k] = terms[1]
        row_sums(X, start, scores, sums)
    gradient[:, :-1] += sums[:-1, :n_models].T


def csc_sums(block: Block, W: Array, kind: CurvatureKind, parts: Parts) -> Sums:
    """Return the sums over all rows of a CSC matrix likewise, for kinds "none" and "diagonal".

    ``parts`` applies a function to ranges of the columns, in threads where there are any.
    """
    d, n_models = W.shape[0] - 1, W.shape[1]
    total, (data, indices, indptr) = Sums.zeros(d, n_models, kind), sparse_arrays_of(block.X)
    total.weight[:] = len(block.y) if block.weight is None else block.weight.sum()
    for k, w in enumerate(np.ascontiguousarray(W.T)):
        scores = np.full(len(block.y), w[-1]) if block.offset is None else w[-1] + block.offset
        column_scores((data, indices, indptr), fixed(w), scores)
        terms = terms_of(scores, block, np.empty((4, len(scores))))
        gradient, (diagonal, cross) = np.zeros(d + 1), np.zeros((2, (d + 1) * (kind == "diagonal")))

        def add(some: slice, terms: Array = terms, sums: ColumnSums = (gradient, diagonal, cross)) -> None:
            column_sums((data, indices, indptr[some.start : some.stop + 1]), terms, tuple(part[some] for part in sums))

        list(parts(add))
        total.loss[k], gradient[-1] = terms[0].sum(), terms[1].sum()
        total.gradient[:, k] = gradient
        if total.curvature is not None:
            diagonal[-1] = cross[-1] = terms[2].sum()
            total.curvature[k] = diagonal, cross
    return total


def terms_of(scores: Array, block: Block, buffer: Array) -> Array:
    """Return loss, residual and curvature of the rows of a block, in a buffer of 4 rows."""
    sigmoid_terms(scores, fixed(block.y), fixed(block.weight), buffer, buffer[3].view(np.int64))
    return buffer[:3, : len(scores)]


def add_columns(block: Block, w: Array, sums: ColumnSums) -> float:
    """Add rows of a table by columns to ``sums`` likewise and return their loss.

    Column by column, some thousand rows at a time, whose scores and terms stay in cache: a number or a code is read
    twice, and a level costs one gather and one scatter a row.
    """
    categories, origin = block.X.categories, np.zeros(len(w)) if block.origin is None else block.origin
    level_w = [fixed(np.append(w[:-1], 0.0)[columns]) for _, columns in categories]
    n_sums = 2 if sums[1].size else 1  # of a level: of the residuals, and of the curvatures
    level_sums = [np.zeros((n_sums, LANES if c.size < MANY_LEVELS else 1, c.size)) for c in level_w]
    buffer = np.empty((4, COLUMN_ROWS))
    loss = 0.0
    for part in parts_of(block, COLUMN_ROWS):
        X = part.X if part.subset is None else part.X[part.subset]
        scores = np.full(len(part.y), w[-1]) if part.offset is None else w[-1] + part.offset
        for values, column in X.numbers:
            add_number_scores(fixed(values), origin[column], w[column], scores)
        for (codes, _), coefficients in zip(X.categories, level_w, strict=True):
            if coefficients.any():
                add_level_scores(fixed(codes), coefficients, scores)
        terms = terms_of(scores, part, buffer)
        loss += terms[0].sum()
        add_terms(X, terms, origin, sums, level_sums)
    for (_, columns), by_lane in zip(categories, level_sums, strict=True):
        add_levels(columns, by_lane.sum(axis=1), sums)
    return loss


def add_terms(X: Columns, terms: Array, origin: Array, sums: ColumnSums, level_sums: list[Array]) -> None:
    """Add the terms of some rows, loss, residual and curvature, to the sums of numbers, levels and the intercept."""
    gradient, diagonal, _ = sums
    gradient[-1] += terms[1].sum()
    if diagonal.size:
        diagonal[-1] += terms[2].sum()
    for values, column in X.numbers:
        for total, found in zip(sums, number_sums(fixed(values), origin[column], terms), strict=True):
            total[column : column + 1] += found  # of an empty total nothing
    for (codes, _), totals in zip(X.categories, level_sums, strict=True):
        for term, total in zip(terms[1:], totals, strict=False):
            add_level_sums(fixed(codes), term, total)


def add_levels(columns: np.ndarray, by_level: Array, sums: ColumnSums) -> None:
    """Add the sums of levels to those of their columns: of a 0/1 column the cross term is the diagonal."""
    has_column = columns != NO_COLUMN
    for total, found in zip(sums, (by_level[0], by_level[-1], by_level[-1]), strict=True):
        if total.size:
            total[columns[has_column]] += found[has_column]


def parts_of(block: Block, n_rows: int) -> Iterator[Block]:
    """Split a block into parts of so many rows."""
    for start in range(0, len(block.y), n_rows):
        yield block.rows(start, min(start + n_rows, len(block.y)))


def paired_curvature(block: Block, W: Array, columns: np.ndarray | None) -> Array:
    """Return the curvatures over sparse rows or a table by columns, of k columns (None: all) and the intercept.

    They are the sums of ``p (1 - p) (x, 1)(x, 1)'`` in the units of X, shape (K, k + 1, k + 1), of which each pair is
    on one side of the diagonal or the other: ``a (a + 1)`` flops a model for a row of a numbers.
    """
    d = W.shape[0] - 1
    chosen = np.arange(d) if columns is None else columns
    place = np.full(d, -1)
    place[chosen] = np.arange(len(chosen))
    totals = np.zeros((W.shape[1], len(chosen) + 1, len(chosen) + 1))
    for part in parts_of(block, MATRIX_ROWS) if isinstance(block.X, Columns) else (block,):
        X, subset = (part.values(), None) if isinstance(part.X, Columns) else (part.X, part.subset)
        rows = arrays_of(part._replace(subset=subset))
        for w, total in zip(np.ascontiguousarray(W.T), totals, strict=True):
            paired_rows(sparse_arrays_of(X), rows, fixed(w), fixed(place), total)
    return totals


def make_symmetric(one_sided: Array) -> None:
    """Add to a matrix its transpose, but for the diagonal."""
    diagonal = np.diagonal(one_sided).copy()
    one_sided += one_sided.T  # NumPy sees that they overlap
    np.einsum("jj->j", one_sided)[:] = diagonal


def curvature(block: Block, W: Array, scale: Scale, dtype: type[np.floating[Any]]) -> np.ndarray:
    """Return the curvatures of K models over a block of dense rows, in coordinates, computed in float32 or float64.

    Only the lower triangles, of shape (K, d + 1, d + 1), are computed.
    """
    center, unit = fixed(scale.center), fixed(scale.unit)
    n, d = block.X.shape if block.subset is None else (len(block.subset), block.X.shape[1])
    root = np.empty((min(max(n, 1), ROOT_VALUES // (d + 1) + 1), d + 1), dtype=dtype)
    squares = np.zeros((W.shape[1], d + 1, d + 1), dtype=dtype)
    for start in range(0, n, len(root)):
        part = block.rows(start, min(start + len(root), n))
        filled = root[: len(part.y)]
        for w, square in zip(np.ascontiguousarray(W.T), squares, strict=True):
            root_rows(*dense_arrays_of(part), arrays_of(part), fixed(w), (center, unit), filled)
            add_lower_square(filled, square)
    return squares


def add_lower_square(A: np.ndarray, total: np.ndarray) -> None:
    """Add the lower triangle of ``A' A`` without the lock of the interpreter, which SciPy's wrapper holds."""
    multiply, number = SYRK[A.dtype.name]
    (n, d), one = A.shape, number(1.0)
    size, depth = ctypes.c_int(d), ctypes.c_int(n)
    # BLAS reads rows as columns: its upper triangle of A A' is our lower one of A' A.
    multiply(b"U", b"N", size, depth, one, A.ctypes.data, size, one, total.ctypes.data, size)


def arrays_of(block: Block) -> tuple[np.ndarray, ...]:
    """Return y, weight, offset and subset as the kernels take them."""
    subset = np.empty(0, dtype=np.int32) if block.subset is None else block.subset
    return fixed(block.y), fixed(block.weight), fixed(block.offset), fixed(subset)


def sparse_arrays_of(X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers of a CSR matrix and where they stand; unsigned, no index may count from the end."""
    return fixed(X.data), fixed(X.indices.view(f"u{X.indices.itemsize}")), fixed(X.indptr)


def dense_arrays_of(block: Block) -> tuple[np.ndarray, bool, np.ndarray]:
    """Return a dense X, or its transpose where that is stored by rows, whether it is, and the origin."""
    by_column = bool(block.X.strides[0] < block.X.strides[1])
    return fixed(block.X.T if by_column else block.X), by_column, fixed(block.origin)


def fixed(values: np.ndarray | None) -> np.ndarray:
    """Return a read-only view, an empty one for None, so that kernels are compiled for one kind of array only."""
    view = np.empty(0) if values is None else values.view()
    view.flags.writeable = False
    return view
