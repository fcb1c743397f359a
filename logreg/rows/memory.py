"""Rows in memory: dense arrays of either order and CSR or CSC matrices."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from logreg.products import Block, block_sums, is_sparse
from logreg.rows.base import Rows
from logreg.sums import Array, CurvatureKind, Sums

COMPILED_FROM = 1_000_000  # stored values; below, importing and loading compiled kernels costs more than it saves
FAR_FROM_ZERO = 1_000.0  # |mean| / sd from which a column is read relative to one of its values


class MemoryRows(Rows):
    """Rows of a NumPy array or a SciPy CSR/CSC matrix; nothing of the size of X is ever copied.

    Parameters
    ----------
    X : ndarray or CSR/CSC matrix of shape (n, d)
        float32 or float64, either order.
    y : ndarray of shape (n,)
        0 and 1, int8.
    weight, offset : ndarray of shape (n,) or None
        Non-negative weights (None: 1) and fixed parts of the scores (None: 0).
    n_threads : int
        Threads that share a pass over data large enough for compiled kernels.
    origin : ndarray of shape (d,), None or "auto"
        What is subtracted from the columns as they are read. "auto" picks a value of the column itself for each
        column that lies far from zero relative to its spread, where sums of products would cancel.
    """

    def __init__(
        self,
        X: Any,
        y: np.ndarray,
        weight: Array | None = None,
        offset: Array | None = None,
        *,
        n_threads: int = 1,
        origin: Array | str | None = "auto",
    ) -> None:
        self.X, self.y, self.weight, self.offset = X, y, weight, offset
        self.n_rows, self.n_columns = X.shape
        stored = X.nnz if is_sparse(X) else X.size
        self.compiled = stored >= COMPILED_FROM and not (is_sparse(X) and X.format == "csc")
        self.n_threads = n_threads if self.compiled else 1
        self.origin = far_origin(X) if isinstance(origin, str) else origin
        if self.n_threads > 1:
            self.executor = ThreadPoolExecutor(self.n_threads, thread_name_prefix="logreg")
        if weight is None:
            self.positive_fraction, self.smallest_weight = float(y.mean()), 1.0
        else:
            self.positive_fraction = float(weight @ y / weight.sum())
            self.smallest_weight = float(weight[weight > 0].min())

    def chunks(self) -> Iterable[Block]:
        """Return one block a thread: equal ranges of rows."""
        whole = Block(self.X, self.y, self.weight, self.offset, self.origin)
        if self.n_threads == 1:
            return [whole]
        ends = np.linspace(0, self.n_rows, self.n_threads + 1).astype(int)
        return [self._range(whole, start, stop) for start, stop in pairwise(ends.tolist())]

    def _range(self, whole: Block, start: int, stop: int) -> Block:
        if not is_sparse(self.X):
            return whole.rows(start, stop)
        first, last = self.X.indptr[start], self.X.indptr[stop]  # a view, where slicing a CSR matrix copies
        part = type(self.X)((stop - start, self.n_columns), dtype=self.X.dtype)
        part.data, part.indices = self.X.data[first:last], self.X.indices[first:last]
        part.indptr = self.X.indptr[start : stop + 1] - first
        return whole._replace(X=np.empty((0, 0))).rows(start, stop)._replace(X=part)

    def block_sums(self, block: Block, W: Array, kind: CurvatureKind) -> Sums:
        """Use the compiled sweep for one model on large data, matrix products for all else."""
        if not self.compiled or W.shape[1] > 1 or kind == "full":
            return block_sums(block, W, kind)
        from logreg import kernels

        return kernels.block_sums(block, W, kind)

    def in_user_units(self, W: Array) -> Array:
        """Return coefficients of ``X - origin`` as coefficients of X: they differ in the intercept."""
        return self._moved(W, -1.0)

    def from_user_units(self, W: Array) -> Array:
        """Return coefficients of X as coefficients of ``X - origin``."""
        return self._moved(W, 1.0)

    def _moved(self, W: Array, sign: float) -> Array:
        if self.origin is None:
            return W
        return np.vstack([W[:-1], W[-1:] + sign * (self.origin @ W[:-1])])

    @cached_property
    def _members(self) -> tuple[np.ndarray, np.ndarray]:
        counts = np.ones(self.n_rows, bool) if self.weight is None else self.weight > 0
        return np.flatnonzero(counts & (self.y == 0)), np.flatnonzero(counts & (self.y == 1))

    def sample(self, n_rows: int, seed: int) -> MemoryRows:
        """Draw rows of both classes without replacement, at least a quarter of them from either where it has them."""
        if n_rows >= self.n_rows:
            return self
        random = np.random.default_rng(seed)
        sizes = np.array([len(rows) for rows in self._members])
        drawn = np.maximum(n_rows * sizes // max(sizes.sum(), 1), n_rows // 4)
        drawn = np.minimum(drawn, sizes)
        chosen = [
            random.choice(rows, size, replace=False, shuffle=False)
            for rows, size in zip(self._members, drawn, strict=True)
        ]
        share = np.concatenate([np.full(m, n / max(m, 1)) for n, m in zip(sizes, drawn, strict=True)])
        rows = np.concatenate(chosen)
        order = np.argsort(rows)
        rows, weight = rows[order], share[order]
        if self.weight is not None:
            weight = weight * self.weight[rows]
        weight *= len(rows) / weight.sum()
        offset = None if self.offset is None else self.offset[rows]
        X = sparse.csr_matrix(self.X[rows]) if is_sparse(self.X) else self.X[rows]
        return MemoryRows(X, self.y[rows], weight, offset, n_threads=1, origin=self.origin)


def far_origin(X: Any) -> Array | None:
    """Return, for columns far from zero, one of their values, 0 for the others; None if no column is.

    A value of the column is subtracted exactly, and leaves a constant column exactly 0. Judged on up to 256 rows
    spread over all; sparse columns start from zero always.
    """
    if is_sparse(X) or X.shape[0] == 0:
        return None
    some = np.asarray(X[:: max(1, X.shape[0] // 256)], dtype=np.float64)
    with np.errstate(all="ignore"):
        far = np.abs(some.mean(axis=0)) > FAR_FROM_ZERO * some.std(axis=0)
    return np.where(far & np.isfinite(some[0]), some[0], 0.0) if far.any() else None
