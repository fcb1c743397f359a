"""A block of rows -> Sums by compiled kernels: what they are handed, and where their sums go.

Takes the place of the matrix products of products.py for one model on large data. Imports numba by way of the kernels.
"""

from __future__ import annotations

import ctypes

import numpy as np
from numba.extending import get_cython_function_address

from logreg.kernels import dense_rows, root_rows, sparse_rows
from logreg.products import Block, is_sparse
from logreg.scale import Scale
from logreg.sums import Array, CurvatureKind, Sums

ROOT_VALUES = 500_000  # of the square root of a curvature at a time: they stay in cache
INT, FLOAT = ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_float)
SSYRK = ctypes.CFUNCTYPE(
    None, *[ctypes.c_char_p] * 2, INT, INT, FLOAT, ctypes.c_void_p, INT, FLOAT, ctypes.c_void_p, INT
)(get_cython_function_address("scipy.linalg.cython_blas", "ssyrk"))


def block_sums(block: Block, W: Array, kind: CurvatureKind) -> Sums:
    """Return the sums over a block at coefficients W of shape (d + 1, 1), for kinds "none" and "diagonal"."""
    d = W.shape[0] - 1
    gradient = np.zeros(d + 1)
    diagonal, cross = np.zeros((2, d + 1 if kind == "diagonal" else 0))
    sums = (gradient, diagonal, cross)
    w = fixed(np.ascontiguousarray(W[:, 0]))
    if is_sparse(block.X):
        parts = (fixed(block.X.data), fixed(block.X.indices), fixed(block.X.indptr))
        loss = sparse_rows(parts, arrays_of(block), w, sums)
    else:
        loss = dense_rows(*dense_arrays_of(block), arrays_of(block), w, sums)
    weight = len(block.y) if block.weight is None else block.weight.sum()
    curvature = None
    if kind == "diagonal":
        cross[d] = diagonal[d]
        curvature = np.stack([diagonal, cross])[None]
    return Sums(np.array([float(weight)]), np.array([loss]), gradient[:, None], curvature)


def curvature(block: Block, W: Array, scale: Scale) -> np.ndarray:
    """Return the curvatures of K models over a block of dense rows, in coordinates and in float32.

    Only the lower triangles, of shape (K, d + 1, d + 1), are computed.
    """
    center, unit = fixed(scale.center), fixed(scale.unit)
    n, d = block.X.shape if block.subset is None else (len(block.subset), block.X.shape[1])
    root = np.empty((min(max(n, 1), ROOT_VALUES // (d + 1) + 1), d + 1), dtype=np.float32)
    squares = np.zeros((W.shape[1], d + 1, d + 1), dtype=np.float32)
    for start in range(0, n, len(root)):
        part = block.rows(start, min(start + len(root), n))
        filled = root[: len(part.y)]
        for w, square in zip(np.ascontiguousarray(W.T), squares, strict=True):
            root_rows(*dense_arrays_of(part), arrays_of(part), fixed(w), (center, unit), filled)
            add_lower_square(filled, square)
    return squares


def add_lower_square(A: np.ndarray, total: np.ndarray) -> None:
    """Add the lower triangle of ``A' A``, float32, without the lock of the interpreter, which SciPy's wrapper holds."""
    (n, d), one = A.shape, ctypes.c_float(1.0)
    size, depth = ctypes.c_int(d), ctypes.c_int(n)
    # BLAS reads rows as columns: its upper triangle of A A' is our lower one of A' A.
    SSYRK(b"U", b"N", size, depth, one, A.ctypes.data, size, one, total.ctypes.data, size)


def arrays_of(block: Block) -> tuple[np.ndarray, ...]:
    """Return y, weight, offset and subset as the kernels take them."""
    subset = np.empty(0, dtype=np.int64) if block.subset is None else block.subset
    return fixed(block.y), fixed(block.weight), fixed(block.offset), fixed(subset)


def dense_arrays_of(block: Block) -> tuple[np.ndarray, bool, np.ndarray]:
    """Return a dense X, or its transpose where that is stored by rows, whether it is, and the origin."""
    by_column = bool(block.X.strides[0] < block.X.strides[1])
    return fixed(block.X.T if by_column else block.X), by_column, fixed(block.origin)


def fixed(values: np.ndarray | None) -> np.ndarray:
    """Return a read-only view, an empty one for None, so that kernels are compiled for one kind of array only."""
    view = np.empty(0) if values is None else values.view()
    view.flags.writeable = False
    return view
