"""Rows that are read batch by batch in every pass, ahead of the kernels, by a thread."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import cached_property, reduce
from operator import add
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, Self, TypeVar

import numpy as np
from scipy import sparse

from logreg.columns import Category, Columns, Numbers
from logreg.products import is_sparse
from logreg.rows.memory import RARE, RARE_GETS, MemoryRows, spread, sums_at_half
from logreg.rows.parts import Extent, PartedRows
from logreg.rows.selectable import SelectableRows
from logreg.rows.spool import Batch, Spool, is_worth_spooling
from logreg.scale import spreads
from logreg.sums import Array

POOL_PLACES = 16  # places at least that the rows come from which samples are drawn from,
ENOUGH, NOISY = 4_096, 8  # and random rows that these have to be worth, or what chance leaves of their own number
LARGEST_NUMBER = 8  # bytes
AHEAD = 1  # batches that wait while the kernels work on one and the next is read

Result = TypeVar("Result")
Item = TypeVar("Item")


class StreamedRows(PartedRows):
    """Rows of which a pass reads one batch after the other; a thread reads the next one while kernels work.

    Arrays that are not too large are spooled as they are first read: later passes find their numbers in a temporary
    file, where the source would have to be decoded again.

    Parameters
    ----------
    read : callable
        Returns an iterator over the batches of the pieces of these numbers, None for all, always in the same order.
    counted : ndarray of int, shape (n_pieces, 2)
        Rows of positive weight of each outcome in each piece of the source that can be read by itself.
    extent, n_threads, origin
        As of :class:`PartedRows`.
    """

    def __init__(
        self,
        read: Callable[[Sequence[int] | None], Iterator[Batch]],
        counted: np.ndarray,
        extent: Extent,
        *,
        n_threads: int = 1,
        origin: Array | None = None,
    ) -> None:
        super().__init__(extent, n_threads=n_threads, origin=origin)
        self.read, self.counted = read, counted
        self.spool: Spool | None = None
        self.is_spooled = self.compiled and self.is_dense and is_worth_spooling(self.n_values * LARGEST_NUMBER)

    def __exit__(self, *exception: object) -> None:
        """Let go of the threads, and of the file."""
        super().__exit__(*exception)
        if self.spool is not None:
            self.spool.close()

    def _batches(self, pieces: Sequence[int] | None = None) -> Generator[Batch]:
        """Yield the batches of some pieces, or of all: from the spool, if they are there; else a thread reads ahead."""
        spooled = self.is_spooled and pieces is None
        if spooled and self.spool is not None:
            yield from self.spool
        else:
            with closing(read_ahead(self.read(pieces), AHEAD)) as batches:
                yield from self._spooling(batches, Spool()) if spooled else batches

    def _spooling(self, batches: Iterator[Batch], spool: Spool) -> Iterator[Batch]:
        try:
            for batch in batches:
                self.is_spooled = self.is_spooled and spool.could_add(batch)
                yield batch
            if self.is_spooled:
                spool.finish()
                self.spool = spool
        finally:
            if self.spool is not spool:
                spool.close()

    def total(self, function: Callable[[SelectableRows], Result]) -> Result:
        """Return the sum by ``+`` of a function of the batches, added in their order: one pass."""
        found: list[Result] = []  # the sum so far, if there is one
        n_rows = 0
        with closing(self._batches()) as batches:
            for batch in batches:
                n_rows += len(batch.y)
                if batch.weight is None or batch.weight.any():
                    result = function(self.part(batch))
                    found = [found[0] + result if found else result]  # type: ignore[operator]
        if n_rows != self.n_rows:
            raise ValueError(
                f"The source held {self.n_rows:,} rows at first and {n_rows:,} rows later, so it changed during the "
                "fit; fit again when it no longer changes."
            )
        return found[0]

    def sample(self, n_rows: int, seed: int) -> MemoryRows | Self:
        """Return a random sample of rows that are read once and kept, no more than some ten million numbers."""
        return self if n_rows >= self.n_rows else self._pool.sample(n_rows, seed)

    @cached_property
    def _pool(self) -> SelectableRows:
        """Rows of random pieces, as many of each class as a sample in memory would have."""
        random = np.random.default_rng(0)
        pieces = np.arange(len(self.counted)) if self.is_spooled else some_pieces(self.counted, random)
        kept, drawn = self._drawn(pieces, random)
        if len(pieces) < len(self.counted) and are_unlike([self.part(batch) for batch in kept if len(batch.y)]):
            kept, drawn = self._drawn(np.arange(len(self.counted)), random)  # each of its rows would tell little
        return pool_of(self, [batch[:4] for batch in kept], drawn, self.counted.sum(axis=0))

    def _drawn(self, pieces: np.ndarray, random: np.random.Generator) -> tuple[list[Batch], Array]:
        """Return random rows of pieces, batch by batch, and the share that they are of the rows of each outcome."""
        drawn = shares_drawn(self, self.counted[pieces].sum(axis=0), self.counted.sum(axis=0))
        every = len(pieces) == len(self.counted)
        with closing(self._batches(None if every else pieces.tolist())) as batches:
            return [batch.at(drawn_rows(batch, drawn, random)) for batch in batches], drawn


def shares_drawn(rows: PartedRows, there: np.ndarray, everywhere: np.ndarray) -> Array:
    """Return which share of each outcome's rows to draw, of so many that are there, for a pool of all rows."""
    n_pool = min(there.sum(), rows.pool_rows)
    shares, rarer = everywhere / everywhere.sum(), int(everywhere.argmin())
    if shares[rarer] < RARE:
        shares[rarer] = min(RARE_GETS, there[rarer] / n_pool)
        shares[1 - rarer] = 1.0 - shares[rarer]
    drawn: Array = np.minimum(1.0, shares * n_pool / np.maximum(there, 1))
    return drawn


def pool_of(rows: PartedRows, kept: Sequence[Sequence[Any]], drawn: Array, everywhere: np.ndarray) -> SelectableRows:
    """Return the pool of all rows from drawn ones: X, outcomes, weights and offsets of each batch."""
    X, y, weight, offset = (joined(parts) for parts in zip(*kept, strict=True))
    if weight is not None or drawn[0] != drawn[1]:
        stands_for = everywhere / np.maximum(np.bincount(y, minlength=2), 1)
        weight = stands_for[y] * (1.0 if weight is None else weight)
        weight *= len(y) / weight.sum()
    pool = SelectableRows(X, y, weight, offset, n_threads=rows.n_threads, origin=rows.origin, whole=rows)
    pool.is_sample = True
    return pool


def some_pieces(counted: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the numbers of random pieces, ascending: those of rows drawn from equal stretches, of either class."""
    at = (np.arange(POOL_PLACES) + random.random(POOL_PLACES)) / POOL_PLACES
    ends = counted.cumsum(axis=0)
    found = [np.searchsorted(of_class, (at * of_class[-1]).astype(np.int64), side="right") for of_class in ends.T]
    return np.unique(np.concatenate(found))


def are_unlike(places: Sequence[SelectableRows]) -> bool:
    """Tell whether rows of some places say less than few rows from everywhere would, as where the source is sorted.

    The mean of a column over k places varies by ``B / k`` for the variance B of their means; that of m rows drawn
    everywhere by ``V / m`` for the variance V of the rows (Kish, Survey Sampling, 1965): so many rows they are worth.
    """
    sums = [sums_at_half(rows) for rows in places]
    every = reduce(add, sums)
    means = np.array([found.diagonal()[1][0, :-1] / found.diagonal()[1][0, -1] for found in sums])
    between = means.var(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = len(sums) * spreads(every) ** 2 / between
    return bool(worth.min(initial=np.inf, where=between > 0.0) < min(ENOUGH, every.weight[0] / NOISY))


def drawn_rows(batch: Batch | SelectableRows, share: Array, random: np.random.Generator) -> np.ndarray:
    """Return the numbers of drawn rows, ascending, of each outcome its share."""
    counts = np.ones(len(batch.y), dtype=bool) if batch.weight is None else batch.weight > 0
    drawn = []
    for outcome, share_of_class in enumerate(share):
        rows = np.flatnonzero(counts & (batch.y == outcome))
        drawn.append(rows[spread(len(rows), int(share_of_class * len(rows) + random.random()), random)])
    return np.sort(np.concatenate(drawn))


def joined(parts: Sequence[Any]) -> Any:
    """Return arrays, sparse matrices or tables by columns one below the other; None if they are None."""
    if parts[0] is None:
        return None
    if is_sparse(parts[0]):
        return sparse.vstack(parts, format="csr")
    if not isinstance(parts[0], Columns):
        return np.concatenate(parts)
    n = sum(part.shape[0] for part in parts)
    numbers = [
        Numbers(np.concatenate([values for values, _ in same]), same[0].column)
        for same in zip(*(part.numbers for part in parts), strict=True)
    ]
    categories = []
    for same in zip(*(part.categories for part in parts), strict=True):
        known = np.unique(np.concatenate([columns for _, columns in same]))
        codes = [np.searchsorted(known, columns).astype(np.int32)[codes] for codes, columns in same]
        categories.append(Category(np.concatenate(codes), known))
    return Columns(numbers, categories, (n, parts[0].shape[1]))


def read_ahead(items: Iterator[Item], n_ahead: int) -> Generator[Item]:
    """Yield items that a thread reads, so many ahead; closing the iterator stops the thread and closes the items."""
    ready: Queue[Item | BaseException | None] = Queue(n_ahead)
    stop = Event()

    def read() -> None:
        try:
            for item in items:
                ready.put(item)
                if stop.is_set():
                    return
            ready.put(None)
        except BaseException as error:  # of whatever kind, it is raised where the items are waited for
            ready.put(error)
        finally:
            if hasattr(items, "close"):
                items.close()

    thread = Thread(target=read, name="logreg-reader", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        while thread.is_alive():
            try:
                ready.get(timeout=0.01)
            except Empty:
                continue
        thread.join()
