"""Dask collections: their partitions as the batches of a scan, read here or held by the workers of a cluster."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from logreg.batches import Chunk, Scan, at, refuse_missing, refuse_other_lengths, some_columns
from logreg.rows.held import Held, cancelling

HEAD_ROWS = 1_024  # of a partition, that tell what its columns are
NOT_NEEDED = ("_information", "_skl_callbacks")  # attributes of an estimator that stay here when it is sent to workers

Result = TypeVar("Result")


class Beside(NamedTuple):
    """What belongs to the rows of X: outcomes, weights and offsets, as collections or None."""

    y: Any
    sample_weight: Any
    offset: Any


class Partitions(Scan):
    """A scan of Dask collections, whose partitions are computed one by one in each pass, where there is no cluster.

    Parameters
    ----------
    X : dask.array.Array or dask.dataframe.DataFrame of shape (n, d)
        Of known or unknown chunk sizes.
    beside : Beside
    """

    def __init__(self, X: Any, beside: Beside) -> None:
        super().__init__(None, None, None, None, None)
        self.X = in_one_chunk_of_columns(X)
        self.beside = Beside(*(aligned(name, given, self.X) for name, given in beside._asdict().items()))

    @property
    def names(self) -> list[str] | None:
        """The names of the columns of a frame."""
        if is_array(self.X):
            return None
        names = list(self.X.columns)
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f"The columns of X are called {names[0]!r}, ...; give them names that are text.")
        return names

    def delayed(self, columns: Sequence[str]) -> list[Any]:
        """Return the partitions, with some columns where they have names, as delayed :class:`Chunk` objects."""
        from dask.delayed import delayed

        if self.names is not None:
            refuse_missing(columns, self.names)
        X = self.X if self.names is None else self.X[list(columns)]
        values = [blocks(given) or [None] * n_partitions(X) for given in (X, *self.beside)]
        make = delayed(chunk_of, pure=False)
        return [make(number, *parts) for number, parts in enumerate(zip(*values, strict=True))]

    def read(self, columns: list[str], pieces: Sequence[int] | None) -> Iterator[Chunk]:
        """Return an iterator over partitions that have rows, computed one after the other."""
        found = self.delayed(columns)
        for number in range(len(found)) if pieces is None else pieces:
            chunk = found[number].compute()
            if chunk.X.shape[0]:
                yield chunk


class Shards(Partitions):
    """The same on a cluster, whose workers compute the partitions once and hold them.

    Parameters
    ----------
    X, beside
        As of :class:`Partitions`.
    client : distributed.Client
    """

    def __init__(self, X: Any, beside: Beside, client: Any) -> None:
        super().__init__(X, beside)
        futures = client.compute(self.delayed(self.names or []))
        self.held = Held(client, futures, np.ones(len(futures)))

    def __exit__(self, *exception: object) -> None:
        """Let go of the partitions, except of what rows are made of; after an error, whose frames hold them, of all."""
        if any(exception):
            self.held.cancel()
        self.held.futures = []

    def first(self, features: Sequence[str]) -> Chunk | None:
        """Return some rows of the first partition that has any."""
        with cancelling(self.held.client) as submit:
            heads = (submit(head, chunk, features).result() for chunk in self.held.futures)
            return next((found for found in heads if found.X.shape[0]), None)

    def map(self, function: Callable[[Chunk], Result], features: Sequence[str]) -> Iterator[Result]:
        """Apply a function to the partitions that have rows, where they are."""
        found = self.held.together(partial(results_of, function=function, features=features))
        return (result for results in found for result in results)


def scan_of(X: Any, y: Any, sample_weight: Any, offset: Any) -> Partitions:
    """Return a scan of Dask collections: on the current ``distributed.Client``, or else computed in this process."""
    beside = Beside(y, sample_weight, offset)
    client = current_client()
    return Partitions(X, beside) if client is None else Shards(X, beside, client)


def current_client() -> Any:
    """Return the client of the cluster that Dask uses now, None if there is none."""
    try:
        from distributed import Client

        return Client.current()  # type: ignore[no-untyped-call]
    except (ImportError, ValueError):
        return None


def is_collection(values: Any) -> bool:
    """Tell whether this is an array or a DataFrame of Dask, without importing it."""
    return is_array(values) or type(values).__module__.startswith(("dask.dataframe", "dask_expr"))


def is_array(values: Any) -> bool:
    """Tell whether this is an array of Dask."""
    return type(values).__module__.startswith("dask.array")


def n_partitions(values: Any) -> int:
    """Return the number of partitions of rows."""
    return int(values.numblocks[0] if is_array(values) else values.npartitions)


def blocks(values: Any) -> list[Any]:
    """Return the partitions as delayed objects, none of None."""
    if values is None:
        return []
    return list(values.to_delayed().ravel()) if is_array(values) else list(values.to_delayed())


def in_one_chunk_of_columns(X: Any) -> Any:
    """Return X with all columns of a row in one chunk."""
    if X.ndim != 2:
        raise ValueError(f"Expected 2D array, got a {X.ndim}D Dask array instead; pass X of shape (n, d).")
    return X.rechunk({1: -1}) if is_array(X) and X.numblocks[1] > 1 else X


def aligned(name: str, values: Any, X: Any) -> Any:
    """Return labels, weights or offsets in the partitions of X."""
    if values is None:
        return None
    if not is_collection(values):
        raise ValueError(
            f"X is a Dask collection, but {name} is a {type(values).__name__}; pass a Dask array with the chunks of X, "
            "or a column of the same DataFrame."
        )
    known = is_array(values) and is_array(X) and not np.isnan([*X.chunks[0], *values.chunks[0]]).any()
    if known and len(values) != len(X):
        raise ValueError(f"X has {len(X)} rows, {name} has {len(values)}; pass one for each row.")
    if known and values.chunks[0] != X.chunks[0]:
        return values.rechunk({0: X.chunks[0]})
    if n_partitions(values) != n_partitions(X):
        raise ValueError(
            f"X has {n_partitions(X)} partitions, {name} has {n_partitions(values)}, and their lengths are unknown; "
            f"pass {name} in the partitions of X, as a column of the same DataFrame is."
        )
    return values


def chunk_of(number: int, X: Any, y: Any, weight: Any, offset: Any) -> Chunk:
    """Return a partition."""
    place = f"Partition {number}"
    with at(place):
        refuse_other_lengths(X.shape[0], y=y, sample_weight=weight, offset=offset)
    return Chunk(X, y, weight, offset, place, number)


def head(chunk: Chunk, features: Sequence[str]) -> Chunk:
    """Return some rows of a partition, spread over it, with some columns."""
    step = max(1, chunk.X.shape[0] // HEAD_ROWS)
    X, y, weight, offset = (values if values is None else values[::step] for values in chunk[:4])
    return with_columns(chunk._replace(X=X, y=y, weight=weight, offset=offset), features)


def results_of(
    n_threads: int, chunks: Mapping[int, Chunk], function: Callable[[Chunk], Result], features: Sequence[str]
) -> dict[int, list[Result]]:
    """Return the results of a function of partitions, by number, in a list that is empty where the partition is."""

    def result_of(chunk: Chunk) -> list[Result]:
        return [function(with_columns(chunk, features))] if chunk.X.shape[0] else []

    with ThreadPoolExecutor(n_threads, thread_name_prefix="logreg") as executor:
        return dict(zip(chunks, executor.map(result_of, chunks.values()), strict=True))


def with_columns(chunk: Chunk, features: Sequence[str]) -> Chunk:
    """Return a partition with some columns, where they have names."""
    return chunk._replace(X=some_columns(chunk.X, features)) if hasattr(chunk.X, "columns") else chunk


def portable(estimator: Any) -> Any:
    """Return an estimator that can be sent to workers: it knows its columns, and its coefficients if it has any."""
    light = copy.copy(estimator)
    for name in NOT_NEEDED:
        light.__dict__.pop(name, None)
    return light


def lazy_predictions(estimator: Any, X: Any, method: str, offset: Any) -> Any:
    """Return a Dask array of what a method of an estimator predicts, which is computed where it is asked for.

    In the chunks of X, whose lengths are unknown where X is a DataFrame.
    """
    X = in_one_chunk_of_columns(X)
    offset = aligned("offset", offset, X)
    numbers = estimator.classes_[:0] if method == "predict" else np.empty(0)
    meta = np.empty((0, 2)) if method.endswith("proba") else numbers
    predict = partial(predicted, estimator=portable(estimator), method=method, meta=meta)
    beside = () if offset is None else (offset,)
    if not is_array(X):
        return X.map_partitions(predict, *beside, meta=meta)
    if beside:
        beside = (offset[:, None],)
    shape = {"chunks": (X.chunks[0], (2,))} if meta.ndim == 2 else {"drop_axis": 1}
    return X.map_blocks(predict, *beside, dtype=meta.dtype, meta=meta, **shape)


def predicted(X: Any, offset: Any = None, *, estimator: Any, method: str, meta: np.ndarray) -> np.ndarray:
    """Return what a method of an estimator predicts of a partition, of which there may be nothing."""
    if not X.shape[0]:
        return meta
    found: np.ndarray = getattr(estimator, method)(X, None if offset is None else np.ravel(offset))
    return found
