"""Tables that are read batch by batch, anew in every pass: their columns and what each is for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import pandas as pd

from logreg.categories import as_frame
from logreg.categories import column_names as names_of_frame
from logreg.products import is_sparse

Result = TypeVar("Result")


class Frame(NamedTuple):
    """A table of named columns, in pandas or Arrow, the place that it comes from, and the number of its piece."""

    values: Any
    place: str
    piece: int


class Chunk(NamedTuple):
    """Some rows: X, a frame, of pandas or Arrow, or an array; labels, weights and offsets; and where they come from."""

    X: Any
    y: Any
    weight: Any
    offset: Any
    place: str
    piece: int


class Scan(ABC):
    """A table that is read batch by batch: where it is, and what its columns are; it holds no rows.

    Made by :func:`logreg.scan_parquet`, :func:`logreg.scan_csv` and :func:`logreg.scan_batches`. An estimator takes it
    for X in ``fit``, ``score`` and predictions; outcomes, weights and offsets are columns of it.

    Attributes
    ----------
    target, weight, offset : str or None
        The columns of outcomes, weights and offsets.
    categories : list of str or None
        The columns whose levels have a coefficient each; None leaves it to the estimator.
    """

    def __init__(
        self,
        target: str | None,
        features: Sequence[str] | None,
        categories: Sequence[str] | None,
        weight: str | None,
        offset: str | None,
    ) -> None:
        for name, value in (("features", features), ("categories", categories)):
            if isinstance(value, str):
                raise ValueError(f"{name}={value!r} must be a list of columns, such as [{value!r}].")
        self.target, self.weight, self.offset = target, weight, offset
        self.categories = None if categories is None else list(categories)
        self._features = None if features is None else list(features)

    def __enter__(self) -> Self:
        """Hold what a look at the rows needs, for as long as it takes."""
        return self

    def __exit__(self, *exception: object) -> None:  # noqa: B027 - most hold nothing
        """Let go of it."""

    @property
    @abstractmethod
    def names(self) -> list[str] | None:
        """The names of all columns, None where there are none."""

    @abstractmethod
    def read(self, columns: list[str], pieces: Sequence[int] | None) -> Iterator[Frame | Chunk]:
        """Return an iterator over batches with some columns, of the pieces of these numbers (None: all)."""

    @property
    def features(self) -> list[str] | None:
        """The columns of X: those asked for, or all that are nothing else; None where columns have no names."""
        if self._features is not None or self.names is None:
            return self._features
        return [name for name in self.names if name not in (self.target, self.weight, self.offset)]

    def chunks(
        self, features: Sequence[str], *, labels: bool = True, pieces: Sequence[int] | None = None
    ) -> Iterator[Chunk]:
        """Return an iterator over the rows, always in the same order: some columns as X, and outcomes if wanted."""
        target, weight = (self.target, self.weight) if labels else (None, None)
        others = [name for name in (target, weight, self.offset) if name is not None]
        wanted = list(dict.fromkeys([*features, *others]))
        for found in self.read(wanted, pieces):
            if isinstance(found, Chunk):
                yield found
                continue
            with at(found.place):
                refuse_missing(wanted, column_names(found.values))
                X = some_columns(found.values, features)
                y, weights, offset = (column(found.values, name) for name in (target, weight, self.offset))
            yield Chunk(X, y, weights, offset, found.place, found.piece)

    def first(self, features: Sequence[str]) -> Chunk | None:
        """Return the first rows, None if there are no rows."""
        return next(self.chunks(features), None)

    def map(self, function: Callable[[Chunk], Result], features: Sequence[str]) -> Iterator[Result]:
        """Return an iterator over a function of the chunks."""
        return map(function, self.chunks(features))

    def to_frame(self) -> pd.DataFrame:
        """Return the columns of the scan as a DataFrame in memory: features, target, weight and offset."""
        if self.features is None:
            raise ValueError("The batches of this scan are arrays, whose columns have no names; join them yourself.")
        others = [name for name in (self.target, self.weight, self.offset) if name is not None]
        wanted = list(dict.fromkeys([*self.features, *others]))
        return pd.concat([as_pandas(chunk.X) for chunk in self.chunks(wanted, labels=False)], ignore_index=True)


class BatchScan(Scan):
    """A scan of what a function returns an iterator of, anew in every pass."""

    def __init__(self, factory: Callable[[], Iterable[Any]], *columns: Any) -> None:
        super().__init__(*columns)
        self.factory = factory
        self.last: Any = None

    @cached_property
    def names(self) -> list[str] | None:
        """The names of the columns of the first batch, None if it is an array."""
        for found in self.read([], None):
            values = found.X if isinstance(found, Chunk) else found.values
            return None if isinstance(values, np.ndarray) or is_sparse(values) else column_names(values)
        return None

    def read(self, columns: list[str], pieces: Sequence[int] | None) -> Iterator[Frame | Chunk]:
        """Return an iterator over the batches, each of which has all its columns."""
        batches = self.factory()
        if iter(batches) is batches and batches is self.last:
            raise one_shot(batches)
        self.last = batches
        for number, values in enumerate(batches):
            place = f"Batch {number}"
            is_pair = isinstance(values, tuple)
            if is_pair and len(values) not in (2, 3):
                raise ValueError(f"{place} is a tuple of {len(values)}; expected (X, y) or (X, y, weight).")
            X = values[0] if is_pair else values
            X = X if is_arrow(X) or isinstance(X, np.ndarray) or is_sparse(X) else as_frame(X)
            if X is None or not (is_pair or hasattr(X, "columns")):
                raise ValueError(
                    f"{place} holds a {type(values).__name__}; expected DataFrames, Arrow tables or tuples (X, y)."
                )
            if not X.shape[0]:
                continue
            if not is_pair:
                yield Frame(X, place, 0)
                continue
            y, weight = (*values[1:], None)[:2]
            with at(place):
                refuse_other_lengths(X.shape[0], y=y, weight=weight)
                if not isinstance(X, np.ndarray) and not is_sparse(X):
                    X = some_columns(X, columns or column_names(X))
            yield Chunk(X, y, weight, None, place, 0)


def refuse_other_lengths(n_rows: int, **values: Any) -> None:
    """Raise unless there is a value for each row."""
    for name, given in values.items():
        if given is not None and len(given) != n_rows:
            raise ValueError(f"X has {n_rows} rows, {name} has {len(given)}; pass one for each row.")


def one_shot(values: Any) -> ValueError:
    """Return the error for an iterator, which can be read once."""
    return ValueError(
        f"A {type(values).__name__} can be read once, and a fit reads all rows several times; pass a list, or a "
        "function that returns a new iterator at each call."
    )


@contextmanager
def at(place: str) -> Iterator[None]:
    """Say in errors where rows come from."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def is_arrow(values: Any) -> bool:
    """Tell whether this is a table or a batch of Arrow."""
    return hasattr(values, "replace_schema_metadata")


def column_names(values: Any) -> list[str]:
    """Return the names of the columns of a frame."""
    return list(values.schema.names) if is_arrow(values) else names_of_frame(values)


def column(values: Any, name: str | None) -> pd.Series | None:
    """Return a column of a frame, in pandas."""
    if name is None:
        return None
    found: pd.Series = values.column(name).to_pandas() if is_arrow(values) else values[name]
    return found


def some_columns(values: Any, names: Sequence[str]) -> Any:
    """Return a frame's columns of these names, on the same memory."""
    return values.select(list(names)) if is_arrow(values) else pd.DataFrame({name: values[name] for name in names})


def as_pandas(values: Any) -> pd.DataFrame:
    """Return a frame as one of pandas, on the same memory where that can be."""
    frame: pd.DataFrame = values.to_pandas(split_blocks=True) if is_arrow(values) else values
    return frame


def refuse_missing(wanted: Sequence[str], there: Sequence[str]) -> None:
    """Raise unless columns are there."""
    missing = [name for name in wanted if name not in there]
    if missing:
        shown = ", ".join(map(repr, list(there)[:8])) + (", ..." if len(there) > 8 else "")
        raise ValueError(f"There is no column {missing[0]!r}; the columns are {shown}.")
