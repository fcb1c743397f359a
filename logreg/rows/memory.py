"""Rows in memory: dense arrays of either order, CSR or CSC matrices, tables by columns."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, reduce
from itertools import pairwise
from operator import add, iadd
from typing import Any, Self, TypeVar

import numpy as np

from logreg.columns import Columns
from logreg.products import Block, block_sums, is_sparse, values_a_row
from logreg.rows.base import BlockRows, Rows
from logreg.scale import Scale, spreads
from logreg.sums import Array, CurvatureKind, Sums

RARE = 0.125  # share of a sample from which down a class is rare,
RARE_GETS = 0.25  # and what it then gets
COMPILED_FROM = 1_000_000  # stored values; below, importing and loading compiled kernels costs more than it saves
SPARSE_SHARE = 0.5  # of that number, for sparse rows and tables, whose products are slower
PIECE = 100_000  # rows that are drawn at a time, so that their floats are few
THREADED_FROM = 400_000  # stored values; below, handing work to a thread takes longer than the work
LARGE = 16_000_000  # stored values from which on each thread gets
RANGES = 4  # ranges of rows, so that one that other work holds up is left with fewer
SUMS_SHARE = 64  # numbers a column from which on sums of many ranges are little beside the rows
FAST_FLOPS = 100.0  # of a curvature that standardised rows are squared for, a number that a pass reads
PAIRED_READING = 5.0  # time to place a number for its pairs with others, in that which a pass takes for it
JUDGED = 500_000  # values that tell which columns are
FAR_FROM_ZERO = 1_000.0  # |mean| / sd from which a column is read relative to one of its values

Result = TypeVar("Result")


class MemoryRows(BlockRows):
    """Rows of a NumPy array, a SciPy CSR/CSC matrix or a table by columns; nothing of the size of X is ever copied.

    Parameters
    ----------
    X : ndarray, CSR/CSC matrix or Columns of shape (n, d)
        Of any type of numbers up to 64 bits, either order.
    y : ndarray of shape (n,)
        0 and 1, int8.
    weight, offset : ndarray of shape (n,) or None
        Non-negative weights (None: 1) and fixed parts of the scores (None: 0).
    n_threads : int
        Threads that share a pass over data large enough for compiled kernels.
    origin : ndarray of shape (d,), None or "auto"
        What is subtracted from the columns as they are read. "auto" picks a value of the column itself for each
        column that lies far from zero relative to its spread, where sums of products would cancel.
    subset : ndarray of int, default=None
        Which rows of X these are, one for each entry of y; None means all.
    whole : Rows, default=None
        The source that these rows are a sample of, a part of, or some columns of: its threads serve them too.

    Attributes
    ----------
    place : str
        Where a part of rows comes from, for messages.
    """

    place = ""

    def __init__(
        self,
        X: Any,
        y: np.ndarray,
        weight: Array | None = None,
        offset: Array | None = None,
        *,
        n_threads: int = 1,
        origin: Array | str | None = "auto",
        subset: np.ndarray | None = None,
        whole: Rows | None = None,
    ) -> None:
        self.X, self.y, self.weight, self.offset = X, y, weight, offset
        self.subset = None if subset is None else subset.astype(row_numbers(X.shape[0]), copy=False)
        self.n_rows, self.n_columns = len(y), X.shape[1]
        self.n_values = int(values_a_row(X) * self.n_rows)
        self.origin = far_origin(X) if isinstance(origin, str) else origin
        self.n_threads = n_threads
        in_memory = isinstance(whole, MemoryRows)
        if whole is not None:
            self.is_sample, self.executor = in_memory and self.n_rows < whole.n_rows, whole.executor
        self.is_dense = not (is_sparse(X) or isinstance(X, Columns))
        self.is_csc = is_sparse(X) and X.format == "csc"
        if whole is None:
            self.compiled = is_worth_compiling(self.n_values, self.is_dense)
        elif in_memory and not (self.is_sample or is_sparse(X)):
            self.compiled = self.n_values >= LARGE  # some columns, copied by column, whose products are fast
        else:
            self.compiled = whole.compiled  # loaded already
        if whole is None and self.compiled and n_threads > 1:
            self.executor = ThreadPoolExecutor(n_threads, thread_name_prefix="logreg")
        self.paired = self.compiled and not (self.is_dense or self.is_csc)
        if self.paired:
            self.reading_a_value = PAIRED_READING
        elif self.compiled and self.is_dense:
            self.flops_a_value = FAST_FLOPS
        self._add_weights()

    def _add_weights(self) -> None:
        y, weight = self.y, self.weight
        if weight is None:
            self.total_weight, self.positive_fraction, self.smallest_weight = float(len(y)), float(y.mean()), 1.0
        else:
            self.total_weight = float(weight.sum())
            self.positive_fraction = float(np.einsum("i,i->", weight, y)) / (self.total_weight or 1.0)
            self.smallest_weight = float(weight.min(where=weight > 0, initial=np.inf))

    def chunks(self) -> Iterable[Block]:
        """Return the rows in equal ranges, one or some for each thread; one where sums are not much less than rows."""
        some = self.n_values >= max(LARGE, SUMS_SHARE * self.n_columns)
        return self._ranges(self.n_threads * (RANGES if some else 1))

    def _ranges(self, n_ranges: int) -> list[Block]:
        alone = not self.compiled or self.n_threads == 1 or self.n_values < THREADED_FROM
        return self.ranges(1 if alone else n_ranges)

    def ranges(self, n_ranges: int) -> list[Block]:
        """Return the rows in so many equal ranges; a CSC matrix in one."""
        whole = Block(self.X, self.y, self.weight, self.offset, self.subset, self.origin)
        if n_ranges == 1 or self.is_csc:
            return [whole]
        ends = np.linspace(0, self.n_rows, n_ranges + 1)
        return [self._range(whole, start, stop) for start, stop in pairwise(ends.astype(int).tolist())]

    def _range(self, whole: Block, start: int, stop: int) -> Block:
        if self.subset is not None or not is_sparse(self.X):
            return whole.rows(start, stop)
        first, last = self.X.indptr[start], self.X.indptr[stop]  # a view, where slicing a CSR matrix copies
        part = type(self.X)((stop - start, self.n_columns), dtype=self.X.dtype)
        part.data, part.indices = self.X.data[first:last], self.X.indices[first:last]
        part.indptr = self.X.indptr[start : stop + 1] - first
        return whole._replace(X=np.empty((0, 0))).rows(start, stop)._replace(X=part)

    def block_sums(self, block: Block, W: Array, kind: CurvatureKind) -> Sums:
        """Use the compiled sweep on large data, matrix products for all else."""
        several_wide = self.is_dense and W.shape[1] > 1 and self.n_rows < self.n_columns
        if not self.compiled or kind == "full" or several_wide:
            return block_sums(block, W, kind)
        from logreg import sweep

        return sweep.block_sums(block, W, kind)

    def sums(self, W: Array, kind: CurvatureKind = "none") -> Sums:
        """Make one pass; the full curvature of few numbers a row is added up pair by pair, in another."""
        if self.is_csc and self.compiled and kind != "full":
            from logreg import sweep

            return sweep.csc_sums(next(iter(self.chunks())), W, kind, self._parts_of_columns)
        if kind != "full" or not self.paired:
            return super().sums(W, kind)
        return replace(super().sums(W), curvature=self.paired_curvature(W, None))

    def curvature(self, W: Array, scale: Scale, columns: np.ndarray | None = None) -> np.ndarray:
        """Square standardised rows in float32: what is left of cancellation and of scales needs no more digits."""
        return self._curvature(W, scale, columns, np.float32)

    def exact_curvature(self, W: Array, scale: Scale) -> Array:
        """Return the same of all columns in float64, both triangles."""
        lower: Array = self._curvature(W, scale, None, np.float64)
        return np.tril(lower) + np.tril(lower, -1).swapaxes(1, 2)

    def _curvature(
        self, W: Array, scale: Scale, columns: np.ndarray | None, dtype: type[np.floating[Any]]
    ) -> np.ndarray:
        if self.paired:
            curvature = self.paired_curvature(W, columns)
            for H in curvature:
                H[:] = scale.of(columns).curvature(H) / self.total_weight
            return curvature
        if not (self.compiled and self.is_dense) or columns is not None:
            return super().curvature(W, scale, columns)
        from logreg import sweep

        squares = reduce(add, self.map(lambda block: sweep.curvature(block, W, scale, dtype), self.chunks()))
        squares /= dtype(self.total_weight)
        return squares

    def _parts_of_columns(self, function: Callable[[slice], None]) -> Iterable[None]:
        n_parts = self.n_threads if self.n_values >= THREADED_FROM else 1
        ends = np.searchsorted(self.X.indptr, np.linspace(0, self.X.nnz, n_parts + 1)).tolist()
        ends[0], ends[-1] = 0, self.n_columns  # whatever empty columns there are
        return self.map(function, [slice(start, stop) for start, stop in pairwise(ends)])

    def paired_curvature(self, W: Array, columns: np.ndarray | None) -> Array:
        """Return the curvatures by pairs of stored numbers, in the units of the rows, (K, k + 1, k + 1)."""
        from logreg import sweep

        blocks = self._ranges(self.n_threads)  # no more: each has matrices of its own
        total = reduce(iadd, self.map(lambda block: sweep.paired_curvature(block, W, columns), blocks))
        for one_sided in total:
            sweep.make_symmetric(one_sided)
        return total

    def spread(self) -> Array:
        """Return the weighted standard deviations of the columns, 1 of constant ones, shape (d,); one pass."""
        return spreads(self.total(sums_at_half))

    def with_outcomes(self, y: np.ndarray, weight: Array | None) -> Self:
        """Return the same rows with other outcomes and weights."""
        rows = copy.copy(self)
        rows.__dict__.pop("_rare", None)
        rows.y, rows.weight = y, weight
        rows._add_weights()
        return rows

    def total(self, function: Callable[[Self], Result]) -> Result:
        """Return the total of a function over the parts of the rows: in memory there is one."""
        return function(self)

    def changed(self, change: Callable[[Self], Self]) -> Self:
        """Return the rows as a function changes them."""
        return change(self)

    @property
    def n_counted(self) -> int:
        """The rows of positive weight."""
        return self.n_rows if self.weight is None else int(np.count_nonzero(self.weight))

    @property
    def has_offset(self) -> bool:
        """Whether a part of the scores is known."""
        return self.offset is not None

    def sample(self, n_rows: int, seed: int) -> Self:
        """Draw one row from each of ``n_rows`` equal stretches of the rows that count, without copying X.

        Where one class is rarer than an eighth, a quarter is drawn from it, as far as it goes.
        """
        return self.drawn(n_rows, seed)[1]

    def drawn(self, n_rows: int, seed: int) -> tuple[np.ndarray, Self]:
        """Return the numbers of the rows of a sample, and the sample."""
        if n_rows >= self.n_rows:
            return np.arange(self.n_rows), self
        index, weight = self._drawn(n_rows, np.random.default_rng(seed))
        return index, self.at(index, weight)

    def at(self, index: np.ndarray, weight: Array | None) -> Self:
        """Return the rows of these numbers with weights of their own, without copying X."""
        X, subset = self.X, index if self.subset is None else self.subset[index]
        if self.is_csc:  # rows of which are costly to pick again and again
            X, subset = X[subset].tocsr(), None
        return type(self)(
            X,
            self.y[index],
            weight,
            None if self.offset is None else self.offset[index],
            n_threads=self.n_threads,
            origin=self.origin,
            subset=subset,
            whole=self,
        )

    def _drawn(self, n_rows: int, random: np.random.Generator) -> tuple[np.ndarray, Array | None]:
        """Return the numbers of drawn rows, ascending, and their weights, None for 1."""
        counted = None if self.weight is None or self.weight.all() else np.flatnonzero(self.weight)
        n_counted = self.n_rows if counted is None else len(counted)
        index = spread(n_counted, n_rows, random)
        if counted is not None:
            index = counted[index].astype(index.dtype)
        weight = None
        rarer = self.positive_fraction < 0.5
        is_rare = self.y[index] == rarer
        if is_rare.mean() < RARE:
            n_rare, n_common = len(self._rare), max(len(index) - int(is_rare.sum()), 1)
            rare = self._rare[spread(n_rare, int(RARE_GETS * n_rows), random)]
            index = np.concatenate([index[~is_rare], rare])
            index.sort(kind="stable")  # which merges two runs
            weight = np.where(self.y[index] == rarer, n_rare / len(rare), (n_counted - n_rare) / n_common)
        if self.weight is not None:
            weight = self.weight[index] * (1.0 if weight is None else weight)
        if weight is not None:
            weight *= len(index) / weight.sum()
        return index, weight

    @cached_property
    def _rare(self) -> np.ndarray:
        """The rows of the rarer class that count."""
        rare = np.flatnonzero(self.y == (self.positive_fraction < 0.5)).astype(row_numbers(self.n_rows))
        return rare if self.weight is None else rare[self.weight[rare] > 0]


def sums_at_half(rows: MemoryRows) -> Sums:
    """Return the sums of rows at coefficients of 0 and without offsets, where p (1 - p) is the same in every row."""
    plain = copy.copy(rows)
    plain.offset = None
    return plain.sums(np.zeros((rows.n_columns + 1, 1)), "diagonal")


def is_worth_compiling(n_values: int, is_dense: bool) -> bool:
    """Tell whether rows of so many stored numbers are worth the loading of compiled kernels."""
    return n_values >= (COMPILED_FROM if is_dense else SPARSE_SHARE * COMPILED_FROM)


def spread(n: int, n_drawn: int, random: np.random.Generator) -> np.ndarray:
    """Return one number at random from each of ``n_drawn`` equal stretches of 0 ... n - 1, all of them if n is less."""
    drawn = np.arange(min(n_drawn, n), dtype=row_numbers(n))
    if 0 < n_drawn < n:
        for piece in np.array_split(drawn, 1 + n_drawn // PIECE):
            piece[:] = (random.random(piece.size) + piece) * (n / n_drawn)
    return drawn


def row_numbers(n: int) -> type[np.signedinteger[Any]]:
    """Return the type that numbers of n rows are kept in: half the memory, while they fit."""
    return np.int32 if n <= np.iinfo(np.int32).max else np.int64


def far_origin(X: Any) -> Array | None:
    """Return, for columns far from zero, one of their values, 0 for the others; None if no column is.

    A value of the column is subtracted exactly, and leaves a constant column exactly 0. Judged on up to 256 rows
    spread over all, fewer of many columns; sparse columns start from zero always, and so do levels.
    """
    if is_sparse(X) or X.shape[0] == 0:
        return None
    some = X[:: max(1, X.shape[0] // max(16, min(256, JUDGED // max(X.shape[1], 1))))]
    if isinstance(some, Columns):
        of_numbers = far_origin(some.dense(None))
        return None if of_numbers is None else scattered(of_numbers, some.number_columns, some.shape[1])
    some = np.asarray(some, dtype=np.float64)
    with np.errstate(all="ignore"):
        far = np.abs(some.mean(axis=0)) > FAR_FROM_ZERO * some.std(axis=0)
    return np.where(far & np.isfinite(some[0]), some[0], 0.0) if far.any() else None


def scattered(values: Array, columns: np.ndarray, n_columns: int) -> Array:
    """Return a vector of zeros but for some columns."""
    vector = np.zeros(n_columns)
    vector[columns] = values
    return vector
