"""The one protocol of a data source, and the pass over rows that are read in blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from functools import reduce
from operator import add
from typing import Any, Self, TypeVar

import numpy as np

from logreg.products import Block, block_curvature, block_sums
from logreg.scale import Scale
from logreg.sums import Array, CurvatureKind, Sums
from logreg.threads import one_blas_thread

Part = TypeVar("Part")
Result = TypeVar("Result")


class Rows(ABC):
    """Rows of data, wherever they live: ``n_rows`` by ``n_columns`` numbers, outcomes, weights and offsets.

    A source says what its rows add up to, and how to draw a sample of them into memory.

    Attributes
    ----------
    n_rows, n_columns : int
    n_values : int
        Stored numbers: what a pass reads.
    positive_fraction : float or ndarray of shape (K,)
        Weighted mean of the outcomes; of each model where models see different rows.
    total_weight : float or ndarray of shape (K,)
    smallest_weight : float
        The smallest positive weight.
    flops_a_value : float
        Flops of a curvature in the time that a pass takes for one number.
    reading_a_value : float
        The time to read a number of a sampled row for a curvature, in the same unit.
    is_sample : bool
        Whether these rows stand for more than themselves.
    compiled : bool
        Whether the rows are so many that compiled kernels are worth their loading.
    origin : ndarray of shape (d,) or None
        What is subtracted from the columns as they are read.
    """

    n_rows: int
    n_columns: int
    n_values: int
    positive_fraction: Any
    total_weight: Any
    smallest_weight: float
    flops_a_value = 15.0
    reading_a_value = 1.0
    is_sample = False
    compiled: bool
    origin: Array | None = None
    executor: Executor | None = None

    @abstractmethod
    def sums(self, W: Array, kind: CurvatureKind = "none") -> Sums:
        """Make one pass: the sums over all rows at coefficients W of shape (d + 1, K), intercepts last.

        Parts of the rows may be worked on by several threads or machines; their sums are added in the order of the
        rows, so the result is the same bit for bit in every run.
        """

    @abstractmethod
    def curvature(self, W: Array, scale: Scale, columns: np.ndarray | None = None) -> np.ndarray:
        """Return the mean curvature of K models in coordinates, of k columns (None: all) and the intercept.

        Shape (K, k + 1, k + 1), float32 where that is faster; only the lower triangles count.
        """

    @abstractmethod
    def sample(self, n_rows: int, seed: int) -> Rows:
        """Return about ``n_rows`` random rows in memory; their sums over their weight estimate this source's.

        Rows of a rare class are kept with a larger share and a smaller weight; the mean weight is 1. A source with
        no more rows than that returns itself.
        """

    def of(self, models: np.ndarray) -> Rows:
        """Return the rows that some models see, chosen by a mask or by number: the same, where all see the same."""
        return self

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

    def __enter__(self) -> Self:
        """Keep linear algebra to the threads that share the rows, for as long as the passes last."""
        if self.compiled:
            one_blas_thread.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        """Let go of the threads."""
        if self.executor is not None:
            self.executor.shutdown(wait=True, cancel_futures=True)
        if self.compiled:
            one_blas_thread.__exit__()


class BlockRows(Rows):
    """Rows that are iterated over in blocks; the pass is built on the blocks once, here, for all such sources."""

    @abstractmethod
    def chunks(self) -> Iterable[Block]:
        """Return the rows in blocks, always the same blocks in the same order."""

    def sums(self, W: Array, kind: CurvatureKind = "none") -> Sums:
        """Make one pass: the sums over the blocks, which several threads may work on, added in their order."""
        return reduce(add, self.map(lambda block: self.block_sums(block, W, kind), self.chunks()))

    def map(self, function: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """Apply a function to parts of the rows, in threads where there are any."""
        return map(function, parts) if self.executor is None else self.executor.map(function, parts)

    def block_sums(self, block: Block, W: Array, kind: CurvatureKind) -> Sums:
        """Return the sums over one block; a source with a faster kernel for its storage overrides this."""
        return block_sums(block, W, kind)

    def curvature(self, W: Array, scale: Scale, columns: np.ndarray | None = None) -> np.ndarray:
        """Return the mean curvature of K models in coordinates, from the curvatures of the blocks."""
        parts = self.map(lambda block: block_curvature(block, W, columns), self.chunks())
        return np.stack([scale.of(columns).curvature(H) for H in reduce(add, parts) / self.total_weight])
