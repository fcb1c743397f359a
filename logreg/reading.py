"""How the batches of a scan become rows: a first look that learns classes and levels, then numbers in every pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from logreg import categories, predictors
from logreg.batches import Chunk, Scan, as_pandas, at, column_names, is_arrow
from logreg.categories import Encoding, Levels, as_numbers
from logreg.partitions import Shards, is_collection, lazy_predictions, portable
from logreg.products import is_sparse, values_a_row
from logreg.rows import Batch, ClusterRows, Extent, PartedRows, StreamedRows
from logreg.rows.memory import far_origin
from logreg.survey import Outcomes, Survey
from logreg.validate import known_labels, row_numbers

# What pandas and Arrow call types whose numbers are exact in float32.
EXACT_IN_FLOAT32 = {"int8", "int16", "uint8", "uint16", "bool"}
FLOAT32 = {"float32", "float", "halffloat"}
ARROW_NUMBERS = re.compile(r"u?int\d|float|double|halffloat")


class Look(NamedTuple):
    """What a first look at a scan found: its survey, of all rows and of each piece, and the levels of categories."""

    survey: Survey
    pieces: dict[int, Survey]
    levels: dict[int, Levels]


class Glance(NamedTuple):
    """What a look at some rows found: where they come from, their survey, the levels of their columns."""

    place: str
    piece: int
    survey: Survey
    levels: list[Levels]


@dataclass(frozen=True)
class Reader:
    """Turns the batches of a scan into numbers, for an estimator that knows their columns.

    Attributes
    ----------
    estimator : LogisticRegression
        With the names of the columns, and the levels of those that are categories.
    outcomes : Outcomes
    """

    estimator: Any
    outcomes: Outcomes

    def batches(self, scan: Scan, pieces: Sequence[int] | None) -> Iterator[Batch]:
        """Return an iterator over the rows of a scan, of the pieces of these numbers (None: all)."""
        return map(self.batch, scan.chunks(columns_of(self.estimator), pieces=pieces))

    def batch(self, chunk: Chunk) -> Batch:
        """Return some rows as numbers."""
        with at(chunk.place):
            X = numbers_of(self.estimator, chunk.X)
            y, weight = self.outcomes.of(chunk.y, chunk.weight)
            offset = row_numbers("offset", chunk.offset, len(y))
        return Batch(X, y, weight, offset, chunk.place, chunk.piece)


def learn(estimator: Any, scan: Scan, n_threads: int, *, drop_first: bool) -> tuple[PartedRows, float]:
    """Return the rows of a scan and the sum of their weights as given; record columns and classes on the estimator.

    A first look reads the columns of outcomes, weights and categories, and all columns of the first batch.
    """
    first = first_chunk(scan, scan.features or [])
    estimator._encoding, estimator.categories_ = None, {}
    validate_data(estimator, as_pandas(first.X) if is_frame(first.X) else first.X, reset=True, skip_check_array=True)
    chosen = chosen_columns(estimator, scan, first)
    look = look_at(scan, estimator, chosen)
    if chosen:
        estimator._encoding = Encoding(columns_of(estimator), look.levels, drop_first)
        estimator.categories_ = estimator._encoding.by_name
    outcomes = look.survey.outcomes(estimator.class_weight)
    estimator.classes_ = outcomes.classes
    return rows_of(estimator, scan, look, outcomes, first, n_threads)


def again(estimator: Any, scan: Scan, n_threads: int) -> tuple[PartedRows, float]:
    """Return the rows of a scan that an estimator is said to have been fitted to, likewise."""
    first = first_chunk(scan, columns_of(estimator))
    look = look_at(scan, estimator, [])
    outcomes = look.survey.outcomes(estimator.class_weight)
    if not np.array_equal(outcomes.classes, estimator.classes_):
        found, known = (" and ".join(map(repr, two.tolist())) for two in (outcomes.classes, estimator.classes_))
        raise ValueError(f"The target has the classes {found}, but the model was fitted to {known}.")
    return rows_of(estimator, scan, look, outcomes, first, n_threads)


def rows_of(
    estimator: Any, scan: Scan, look: Look, outcomes: Outcomes, first: Chunk, n_threads: int
) -> tuple[PartedRows, float]:
    """Return the rows of a scan after a first look, and the sum of their weights as given."""
    with at(first.place):
        X = numbers_of(estimator, first.X)
    extent = Extent(
        n_rows=outcomes.n_rows,
        n_counted=outcomes.n_counted,
        n_columns=X.shape[1],
        values_a_row=values_a_row(X),
        positive_fraction=outcomes.positive_fraction,
        smallest_weight=outcomes.smallest_weight,
        is_dense=isinstance(X, np.ndarray),
        has_offset=first.offset is not None,
    )
    counted = np.zeros((max(look.pieces) + 1, 2), dtype=np.int64)
    sizes = np.zeros(len(counted), dtype=np.int64)
    for piece, survey in look.pieces.items():
        sizes[piece] = survey.n_rows.sum()
        counted[piece, np.searchsorted(outcomes.classes, survey.labels)] = survey.n_counted
    origin = far_origin(X) if estimator.fit_intercept else None  # without an intercept zero is where it is
    reader = Reader(portable(estimator), outcomes)
    make: Callable[..., PartedRows] = partial(StreamedRows, partial(reader.batches, scan), counted)
    if isinstance(scan, Shards):
        make = partial(ClusterRows, scan.held.client, scan.held.futures, reader.batch, counted, sizes)
    return make(extent, n_threads=n_threads, origin=origin), outcomes.total_weight


def look_at(scan: Scan, estimator: Any, chosen: list[int]) -> Look:
    """Read outcomes, weights and the chosen category columns of all rows."""
    names = [] if scan.features is None else [columns_of(estimator)[position] for position in chosen]
    pieces: dict[int, Survey] = {}
    levels: dict[int, Levels] = {}
    for glance in scan.map(partial(glance_at, n_chosen=len(chosen), missing=estimator.missing), names):
        piece, survey = glance.piece, glance.survey
        pieces[piece] = pieces[piece] + survey if piece in pieces else survey
        with at(glance.place):
            for position, name, found in zip(chosen, names, glance.levels, strict=True):
                levels[position] = together(levels.get(position), found, name)
    return Look(reduce(add, pieces.values()), pieces, levels)


def glance_at(chunk: Chunk, n_chosen: int, missing: str) -> Glance:
    """Return the survey of some rows, and the levels of their columns if those are chosen categories."""
    with at(chunk.place):
        survey, levels = Survey.of(chunk.y, chunk.weight), []
        if n_chosen:
            frame = categories.with_codes(as_pandas(chunk.X), set(range(n_chosen)))
            levels = list(Encoding.learn(frame, set(range(n_chosen)), missing, False).levels.values())
    return Glance(chunk.place, chunk.piece, survey, levels)


def is_elsewhere(X: Any) -> bool:
    """Tell whether rows are not in memory: a scan or a Dask collection."""
    return isinstance(X, Scan) or is_collection(X)


def predictions(estimator: Any, scan: Any, method: str, offset: Any) -> Any:
    """Return an iterator over what a method of an estimator predicts of each batch of a scan, in its order.

    Of a Dask collection, an array of Dask.
    """
    check_is_fitted(estimator)
    if is_collection(scan):
        return lazy_predictions(estimator, scan, method, offset)
    if offset is not None:
        raise ValueError("A scan brings its own offsets; name their column, as in scan_parquet(..., offset='o').")
    chunks = scan.chunks(columns_of(estimator) or scan.features or [], labels=False)
    return (predicted(estimator, chunk, method) for chunk in chunks)


def predicted(estimator: Any, chunk: Chunk, method: str) -> np.ndarray:
    """Return what a method of an estimator predicts of some rows."""
    with at(chunk.place):
        X = as_pandas(chunk.X) if is_frame(chunk.X) else chunk.X
        found: np.ndarray = getattr(estimator, method)(X, chunk.offset)
    return found


def accuracy(estimator: Any, scan: Scan) -> float:
    """Return the weighted share of rows of a scan whose more probable class is theirs; one pass."""
    check_is_fitted(estimator)
    of_chunks = partial(right_of, estimator=portable(estimator))
    right, total = map(sum, zip(*scan.map(of_chunks, columns_of(estimator) or scan.features or []), strict=True))
    return float(right / total)


def right_of(chunk: Chunk, estimator: Any) -> tuple[float, float]:
    """Return the weight of the rows whose more probable class is theirs, and of all rows of a chunk."""
    if chunk.y is None:
        raise without_target()
    scores = predicted(estimator, chunk, "decision_function")
    correct = known_labels(chunk.y, estimator.classes_, len(chunk.y)) == (scores > 0)
    weight = row_numbers("weight", chunk.weight, len(correct))
    if weight is None:
        return float(correct.sum()), float(len(correct))
    return float(correct @ weight), float(weight.sum())


def together(known: Levels | None, found: Levels, name: str) -> Levels:
    """Return the levels of both of two sets of rows: sorted, unless they are the same."""
    if known is None:
        return found
    categories.refuse_other_kind(found.values, known.values, name)
    return Levels(known.values.union(found.values), known.missing or found.missing)


def first_chunk(scan: Scan, features: Sequence[str]) -> Chunk:
    """Return the first rows of a scan, which has to say what their outcomes are."""
    chunk = scan.first(features)
    if chunk is None:
        raise ValueError("The scan has no rows, where at least one of each class is needed.")
    if chunk.y is None:
        raise without_target()
    return chunk


def without_target() -> ValueError:
    """Return the error for a scan that does not say what the outcomes are."""
    return ValueError("The scan has no target; name the column of outcomes, as in scan_parquet(..., target='y').")


def is_frame(X: Any) -> bool:
    """Tell whether rows are a frame, of pandas or Arrow, not an array or a sparse matrix."""
    return not (isinstance(X, np.ndarray) or is_sparse(X))


def chosen_columns(estimator: Any, scan: Scan, first: Chunk) -> list[int]:
    """Return the positions of the columns that are categories, as the scan or the estimator says."""
    option = estimator.categories if scan.categories is None else scan.categories
    if not is_frame(first.X) or (isinstance(option, str) and option == "error"):
        return []
    return sorted(categories.chosen_columns(as_pandas(first.X), option))


def columns_of(estimator: Any) -> list[str]:
    """Return the names of the columns that an estimator was fitted to, none if they have none."""
    return list(getattr(estimator, "feature_names_in_", []))


def numbers_of(estimator: Any, X: Any) -> Any:
    """Return rows as numbers: an array, by column where they are a frame, or what their categories are encoded as."""
    if not is_frame(X):
        return predictors.check_columns(estimator, X)
    if estimator._encoding is not None:
        return estimator._encoding.encode(as_pandas(X), estimator.unknown, estimator.missing)
    names = column_names(X)
    columns = [X.column(name) if is_arrow(X) else X[name] for name in names]
    types = {str(values.type if is_arrow(X) else values.dtype) for values in columns}
    fits = bool(types & FLOAT32) and types <= FLOAT32 | EXACT_IN_FLOAT32
    numbers = np.empty(X.shape, dtype=np.float32 if fits else np.float64, order="F")
    for position, (name, values) in enumerate(zip(names, columns, strict=True)):
        numbers[:, position] = numbers_of_column(values, name)
    return numbers


def numbers_of_column(values: Any, name: str) -> np.ndarray:
    """Return a column of pandas or Arrow as numbers, on the same memory where that can be."""
    if not hasattr(values, "null_count"):
        return as_numbers(values, name)
    if values.null_count == 0 and ARROW_NUMBERS.match(str(values.type)):
        numbers: np.ndarray = values.to_numpy(zero_copy_only=False)
        return numbers
    return as_numbers(values.to_pandas(), name)
