"""A block of rows -> Sums by matrix products: any storage, any number of models, any curvature.

Scores are one product with X, the gradient is one product with its transpose, and between them stands the
elementwise sigmoid. It needs no compiler, so it serves small data and everything the fused kernels leave out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from logreg.columns import Columns
from logreg.loss import terms
from logreg.sums import Array, CurvatureKind, Sums

VALUES_AT_ONCE = 262_144
ONE_THREAD = 262_144  # multiplications up to which OpenBLAS computes a product on the calling thread


class Block(NamedTuple):
    """Some rows: what every kernel is given.

    X is a dense array, a CSR/CSC matrix or a table by columns, of d columns; y holds 0 and 1, one a row; weight and
    offset are None where they are 1 and 0; subset says which rows of X are meant, unless it is None: all; columns that
    are not sparse are read as ``X - origin``, unless origin is None.
    """

    X: Any
    y: np.ndarray
    weight: Array | None = None
    offset: Array | None = None
    subset: np.ndarray | None = None
    origin: Array | None = None

    def rows(self, start: int, stop: int) -> Block:
        """Return the rows from start to stop: views, but for sparse X without a subset, of which it is a copy."""
        part = slice(start, stop)
        return Block(
            self.X[part] if self.subset is None else self.X,
            self.y[part],
            None if self.weight is None else self.weight[part],
            None if self.offset is None else self.offset[part],
            None if self.subset is None else self.subset[part],
            self.origin,
        )

    def values(self) -> Any:
        """Return the numbers in these rows: X itself where it can be, else a copy; a CSR matrix for a table."""
        X = self.X if self.subset is None else self.X[self.subset]
        if isinstance(X, Columns):
            return X.tocsr(self.origin)
        return X if self.origin is None else X - self.origin


def is_sparse(X: Any) -> bool:
    """Tell whether X is a SciPy sparse matrix or array."""
    return bool(sparse.issparse(X))


def values_a_row(X: Any) -> float:
    """Return how many numbers are stored for a row."""
    if isinstance(X, Columns):
        return X.a_row
    return float(X.nnz / max(X.shape[0], 1) if is_sparse(X) else X.shape[1])


def pieces(block: Block, n_models: int, kind: CurvatureKind) -> Iterator[Block]:
    """Split a block so that what its products allocate stays near ``VALUES_AT_ONCE`` numbers.

    A CSC matrix stays whole: its columns are long, and rows cut out of it would be copies of all of them. So does what
    is wider than long and needs no copy: each piece adds to all columns.
    """
    n, X = len(block.y), block.X
    as_it_is = block.subset is None and block.origin is None and kind == "none"
    if as_it_is and isinstance(X, np.ndarray) and X.dtype == np.float64 and n < X.shape[1]:
        yield block
        return
    size = max(16, int(VALUES_AT_ONCE / max(values_a_row(block.X), n_models, 1)))
    if size >= n or (is_sparse(block.X) and block.X.format == "csc"):
        yield block
    else:
        for start in range(0, n, size):
            yield block.rows(start, min(start + size, n))


# NaN, infinity and overflow go through to the sums, where they are found; NumPy need not warn of them.
quietly = np.errstate(over="ignore", invalid="ignore")


@quietly
def block_sums(block: Block, W: Array, kind: CurvatureKind) -> Sums:
    """Return the sums over a block at coefficients W of shape (d + 1, K), intercepts last.

    Costs ``4 n d K`` flops, ``2 n d K`` more for the diagonal curvature and ``2 n d**2 K`` for the full one.
    """
    total = Sums.zeros(W.shape[0] - 1, W.shape[1], kind)
    for piece in pieces(block, W.shape[1], kind):
        X = piece.values()
        loss, residual, curvature = weighted_terms(piece, X, W)
        total.weight[:] += len(piece.y) if piece.weight is None else piece.weight.sum()
        total.loss[:] += loss.sum(axis=0)
        total.gradient[:-1] += X.T @ residual if is_sparse(X) else (residual.T @ X).T
        total.gradient[-1] += residual.sum(axis=0)
        if total.curvature is not None:
            add = add_full if kind == "full" else add_diagonal
            add(X, curvature, total.curvature)
    return total


@quietly
def block_curvature(block: Block, W: Array, columns: np.ndarray | None) -> Array:
    """Return the curvatures over a block of some columns (None: all) and the intercept, (K, k + 1, k + 1)."""
    width = W.shape[0] if columns is None else len(columns) + 1
    total = np.zeros((W.shape[1], width, width))
    for piece in pieces(block, W.shape[1], "full"):
        X = piece.values()
        curvature = weighted_terms(piece, X, W)[2]
        add_full(X if columns is None else X[:, columns], curvature, total)
    return total


def weighted_terms(block: Block, X: Any, W: Array) -> tuple[Array, Array, Array]:
    """Return loss, residual and curvature of each row of a block whose numbers are X, each (n, K)."""
    scores = product(X, W[:-1]) + W[-1]
    if block.offset is not None:
        scores += block.offset[:, None]
    found = terms(scores, block.y)
    if block.weight is not None:
        for term in found:
            term *= block.weight[:, None]
    return found


def product(X: Any, W: Array) -> Array:
    """Return ``X W``; what is wider than long is read only where there are coefficients."""
    if not is_sparse(X) and X.shape[1] > X.shape[0]:
        used = np.flatnonzero(W.any(axis=1))
        if 2 * used.size < len(W):
            X, W = some_columns(X, used), W[used]
    found: Array = X @ W
    return found


def some_columns(X: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return a copy of some columns of a dense array, by column."""
    return X.T[columns].T if X.flags.f_contiguous else X[:, columns]


def add_diagonal(X: Any, curvature: Array, total: Array) -> None:
    """Add ``sum_i D_i x_ij**2`` and ``sum_i D_i x_ij`` to (K, 2, d + 1); the last column is the intercept's."""
    squared = X.power(2, dtype=np.float64) if is_sparse(X) else np.square(X, dtype=np.float64)
    total[:, 0, :-1] += (squared.T @ curvature).T
    total[:, 1, :-1] += (X.T @ curvature).T
    total[:, :, -1] += curvature.sum(axis=0)[:, None]


def add_full(X: Any, curvature: Array, total: Array) -> None:
    """Add ``(X, 1)' diag(D_k) (X, 1)`` to (K, d + 1, d + 1)."""
    cross = (X.T @ curvature).T
    for k, D in enumerate(curvature.T):
        root = np.sqrt(D)
        if is_sparse(X):
            half = X.multiply(root[:, None]).tocsr()
            total[k, :-1, :-1] += (half.T @ half).toarray()
        else:
            add_square(X * root[:, None], total[k, :-1, :-1])
    total[:, -1, :-1] += cross
    total[:, :-1, -1] += cross
    total[:, -1, -1] += curvature.sum(axis=0)


def add_square(A: Array, total: Array) -> None:
    """Add ``A' A`` to a total of shape (d, d).

    Small products are cut to sizes for which OpenBLAS does not wake its threads: that would save microseconds, and
    cost milliseconds while other work keeps the cores busy.
    """
    n, d = A.shape
    size = max(1, ONE_THREAD // max(d, 1) ** 2) if n * d * d <= 16 * ONE_THREAD else n
    for start in range(0, n, size):
        part = A[start : start + size]
        total += part.T @ part
