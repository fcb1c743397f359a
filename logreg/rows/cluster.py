"""Rows in the memory of the workers of a Dask cluster: in a pass each worker adds up its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from logreg.columns import Columns
from logreg.products import is_sparse
from logreg.rows.held import Held, cancelling
from logreg.rows.memory import MemoryRows
from logreg.rows.parts import Extent, PartedRows
from logreg.rows.selectable import SelectableRows
from logreg.rows.spool import Batch
from logreg.rows.streamed import drawn_rows, pool_of, shares_drawn
from logreg.sums import Array
from logreg.threads import one_blas_thread

FAN_IN = 8  # results of workers that one task adds up, so that few come here however many workers there are

Result = TypeVar("Result")
Raw = TypeVar("Raw")


class Counted(NamedTuple):
    """A result of some rows, and how many they are."""

    n_rows: int
    result: Any


class Tree:
    """Results of parts 0 ... n - 1 that are added pairwise, neighbours first: in whatever order and place they come.

    A node ``(level, k)`` is the sum over the parts from ``k * 2**level`` on; the sums of a pass are those of the root,
    and bit for bit the same whichever worker added which of them.

    Parameters
    ----------
    n_parts : int
    """

    def __init__(self, n_parts: int) -> None:
        self.n_parts = n_parts
        self.root = (n_parts - 1).bit_length(), 0
        self.nodes: dict[tuple[int, int], Counted] = {}

    def add(self, node: tuple[int, int], counted: Counted) -> None:
        """Add the result of a node, and those of its parents as far as their other children are there."""
        level, k = node
        while level < self.root[0]:
            sibling = level, k ^ 1
            if sibling[1] << level < self.n_parts:  # else there is nothing to add
                if sibling not in self.nodes:
                    break
                other = self.nodes.pop(sibling)
                first, second = (other, counted) if k % 2 else (counted, other)
                counted = Counted(first.n_rows + second.n_rows, first.result + second.result)
            level, k = level + 1, k // 2
        if (level, k) in self.nodes:
            raise ValueError("Some rows were counted twice in a pass, so no step was taken; fit again.")
        self.nodes[level, k] = counted

    def total(self, n_rows: int) -> Any:
        """Return the result of all parts, after checking that each of so many rows was counted once."""
        counted = sum(found.n_rows for found in self.nodes.values())
        if counted != n_rows or list(self.nodes) != [self.root]:
            raise ValueError(
                f"The partitions held {n_rows:,} rows at first, and {counted:,} were counted in a pass, so no step was "
                "taken; fit again, with partitions that are the same whenever they are computed."
            )
        return self.nodes[self.root].result


class ClusterRows(PartedRows):
    """Rows in parts that the workers of a cluster hold; a pass is one task for each worker, over the parts it holds.

    The task works on its parts in as many threads as the worker has, and adds what they give. Lost workers, and those
    that join and get their share of the parts, do not change a bit of the result.

    Parameters
    ----------
    client : distributed.Client
    sources : list of distributed.Future
        What the parts are made of.
    to_batch : callable
        Turns a source into a :class:`Batch`, on a worker.
    counted : ndarray of int, shape (n_parts, 2)
        Rows of positive weight of each outcome in each source; those without any are left out.
    sizes : ndarray of int, shape (n_parts,)
        Rows of each source.
    extent, n_threads, origin
        As of :class:`PartedRows`; the threads are those for samples.
    """

    def __init__(
        self,
        client: Any,
        sources: Sequence[Any],
        to_batch: Callable[[Any], Batch],
        counted: np.ndarray,
        sizes: np.ndarray,
        extent: Extent,
        *,
        n_threads: int = 1,
        origin: Array | None = None,
    ) -> None:
        super().__init__(extent, n_threads=n_threads, origin=origin)
        there = np.flatnonzero(counted.any(axis=1))
        self.client, self.counted, sizes = client, counted[there], sizes[there]
        make = partial(part_of, to_batch=to_batch, whole=self)
        self.parts = Held(client, client.map(make, [sources[k] for k in there.tolist()], pure=False), sizes)

    def __getstate__(self) -> dict[str, Any]:
        """Return what parts need to know of the whole where they are."""
        here = {"client", "parts", "executor", "_pool"}
        return {name: value for name, value in vars(self).items() if name not in here} | {"n_threads": 1}

    def __exit__(self, *exception: object) -> None:
        """Let go of the threads, and of what the workers hold."""
        super().__exit__(*exception)
        self.parts.cancel()

    def total(self, function: Callable[[SelectableRows], Result]) -> Result:
        """Return the sum by ``+`` of a function of the parts: one pass, one task for each worker and some to add."""
        n_parts = len(self.counted)
        with cancelling(self.client) as submit:
            trees = self.parts.submitted(submit, partial(tree_of, n_parts, function))
            while len(trees) > FAN_IN:
                few = [trees[k : k + FAN_IN] for k in range(0, len(trees), FAN_IN)]
                trees = [submit(added, n_parts, some) for some in few]
            found: Result = added(n_parts, self.client.gather(trees)).total(int(self.parts.sizes.sum()))
        return found

    def sample(self, n_rows: int, seed: int) -> MemoryRows | Self:
        """Return a random sample of rows that are sent here once and kept, no more than some ten million numbers."""
        return self if n_rows >= self.n_rows else self._pool.sample(n_rows, seed)

    @cached_property
    def _pool(self) -> SelectableRows:
        """Rows of all parts, as many of each class as a sample in memory would have."""
        everywhere = self.counted.sum(axis=0)
        drawn = shares_drawn(self, everywhere, everywhere)
        return pool_of(self, self.parts.together(partial(drawn_of, drawn)), drawn, everywhere)


def part_of(source: Raw, to_batch: Callable[[Raw], Batch], whole: ClusterRows) -> SelectableRows:
    """Return a part of the rows, on a worker."""
    return whole.part(to_batch(source))


def tree_of(
    n_parts: int, function: Callable[[SelectableRows], Any], n_threads: int, parts: Mapping[int, SelectableRows]
) -> Tree:
    """Return a function's results of the parts of a worker, by number, added as far as they are neighbours.

    Threads share the parts.
    """
    for part in parts.values():
        align(part)
    tree = Tree(n_parts)
    with one_blas_thread, ThreadPoolExecutor(n_threads, thread_name_prefix="logreg") as executor:
        results = executor.map(function, parts.values())
        for (number, part), result in zip(parts.items(), results, strict=True):
            tree.add((0, number), Counted(part.n_rows, result))
    return tree


def align(part: SelectableRows) -> None:
    """Let the arrays of a part begin where processors want them, once: those that were sent may begin at any byte.

    Compiled kernels are for such arrays, and others would be added up in another order.
    """
    X = part.X
    if is_sparse(X):
        arrays = [X.data, X.indices, X.indptr]
    elif isinstance(X, Columns):
        arrays = [values for values, _ in (*X.numbers, *X.categories)]
    else:
        arrays = [X]
    arrays += [values for values in (part.weight, part.offset) if values is not None]
    if not all(values.flags.aligned for values in arrays):
        part.__dict__ |= copy.deepcopy(part).__dict__


def added(n_parts: int, trees: Sequence[Tree]) -> Tree:
    """Return the tree that has the nodes of some."""
    whole = Tree(n_parts)
    for tree in trees:
        for node, counted in tree.nodes.items():
            whole.add(node, counted)
    return whole


def drawn_of(drawn: Array, n_threads: int, parts: Mapping[int, SelectableRows]) -> dict[int, list[Any]]:
    """Return X, outcomes, weights and offsets of drawn rows of parts, by number, of each outcome its share."""
    found = {}
    for number, part in parts.items():
        align(part)
        index = drawn_rows(part, drawn, np.random.default_rng([0, number]))
        y, weight, offset = (
            values if values is None else values[index] for values in (part.y, part.weight, part.offset)
        )
        X = part.X[index]
        found[number] = [light(X) if part.origin is None else X, y, weight, offset]
    return found


def light(X: Any) -> Any:
    """Return rows of an array in float32, whose digits are enough for samples, unless numbers are too large for it."""
    if not isinstance(X, np.ndarray) or X.dtype != np.float64:
        return X
    with np.errstate(over="ignore"):
        half = X.astype(np.float32)
    return half if np.isfinite(half).all() else X
