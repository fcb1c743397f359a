"""Rows in parts, on disk or on other machines: a pass is the sum over the parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from operator import methodcaller
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from logreg.rows.base import Rows
from logreg.rows.memory import FAST_FLOPS, PAIRED_READING, MemoryRows, is_worth_compiling, sums_at_half
from logreg.rows.selectable import SelectableRows
from logreg.rows.spool import Batch
from logreg.scale import Scale, spreads
from logreg.sums import Array, CurvatureKind, Sums

POOL_ROWS_A_COLUMN, LARGEST_POOL = 100, 40_000_000  # of rows that samples are drawn from; numbers of all of them

Result = TypeVar("Result")


@dataclass(frozen=True)
class Extent:
    """What is known of rows in parts before the first pass.

    Attributes
    ----------
    n_rows : int
    n_counted : int
        Rows of positive weight.
    n_columns : int
    values_a_row : float
        Stored numbers or codes a row.
    positive_fraction : float
        Weighted mean of the outcomes.
    smallest_weight : float
        The smallest positive weight, where their mean is 1.
    is_dense : bool
        Whether the parts are arrays, not sparse matrices or tables by columns.
    has_offset : bool
        Whether a part of the scores is known.
    """

    n_rows: int
    n_counted: int
    n_columns: int
    values_a_row: float
    positive_fraction: float
    smallest_weight: float
    is_dense: bool
    has_offset: bool


class PartedRows(Rows):
    """Rows in parts, each of which is in memory, as :class:`SelectableRows`, while it is worked on.

    A part has rows of positive weight, weights whose mean over the rows of all parts that count is 1, the columns and
    the origin of the whole, and, where there are threads here, ``whole=self``.

    Parameters
    ----------
    extent : Extent
    n_threads : int
        Threads of this process that share a part, or a sample.
    origin : ndarray of shape (d,) or None
        What all parts subtract from their columns as they are read.
    """

    least_pool = 4_000_000  # numbers of the rows that samples are drawn from, which are kept in memory, for few columns

    def __init__(self, extent: Extent, *, n_threads: int = 1, origin: Array | None = None) -> None:
        self.extent, self.n_threads, self.origin = extent, n_threads, origin
        self.n_rows, self.n_counted, self.n_columns = extent.n_rows, extent.n_counted, extent.n_columns
        self.n_values = int(extent.values_a_row * extent.n_rows)
        self.total_weight = float(extent.n_counted)
        self.positive_fraction, self.smallest_weight = extent.positive_fraction, extent.smallest_weight
        self.is_dense, self.has_offset = extent.is_dense, extent.has_offset
        self.compiled = is_worth_compiling(self.n_values, self.is_dense)
        if self.compiled and n_threads > 1:
            self.executor = ThreadPoolExecutor(n_threads, thread_name_prefix="logreg")
        if self.compiled and self.is_dense:
            self.flops_a_value = FAST_FLOPS
        elif self.compiled:
            self.reading_a_value = PAIRED_READING

    @property
    def pool_rows(self) -> float:
        """How many rows to keep for samples: so many a column that they tell its curvature, as far as memory goes."""
        enough = POOL_ROWS_A_COLUMN * self.n_columns**2 if self.is_dense else 0
        return max(self.least_pool, min(enough, LARGEST_POOL)) * self.n_rows / max(self.n_values, 1)

    def part(self, batch: Batch) -> SelectableRows:
        """Return the rows of a batch as a part of these."""
        X, y, weight, offset = batch[:4]
        part = SelectableRows(X, y, weight, offset, n_threads=self.n_threads, origin=self.origin, whole=self)
        part.place = batch.place
        return part

    @abstractmethod
    def total(self, function: Callable[[SelectableRows], Result]) -> Result:
        """Return the sum by ``+`` of a function of the parts, added in their order: one pass.

        The function is pickled where parts are on other machines.
        """

    @abstractmethod
    def sample(self, n_rows: int, seed: int) -> MemoryRows | Self:
        """Return about ``n_rows`` random rows in memory, fewer where that would be too many for it.

        Their weights have the mean 1, and ``is_sample`` is True; a source with no more rows than that returns itself.
        """

    def sums(self, W: Array, kind: CurvatureKind = "none") -> Sums:
        """Make one pass: the sums over all parts at coefficients W of shape (d + 1, K), intercepts last."""
        found: Sums = self.total(methodcaller("sums", W, kind))
        return found

    def curvature(self, W: Array, scale: Scale, columns: np.ndarray | None = None) -> np.ndarray:
        """Return the mean curvature of K models in coordinates, of k columns (None: all) and the intercept; one pass.

        Shape (K, k + 1, k + 1); only the lower triangles count.
        """
        return self._mean(methodcaller("curvature", W, scale, columns))

    def exact_curvature(self, W: Array, scale: Scale) -> Array:
        """Return the same of all columns in float64, both triangles."""
        return self._mean(methodcaller("exact_curvature", W, scale))

    def _mean(self, of_part: Callable[[SelectableRows], np.ndarray]) -> np.ndarray:
        mean: np.ndarray = self.total(partial(weighted, of_part=of_part)) / self.total_weight
        return mean

    def spread(self) -> Array:
        """Return the weighted standard deviations of the columns, 1 of constant ones, shape (d,); one pass."""
        return spreads(self.total(sums_at_half))

    def changed(self, change: Callable[[SelectableRows], SelectableRows]) -> PartedRows:
        """Return rows of which a function changes every part: its columns, weights or offsets; one pass."""
        return ChangedRows(self, change)


class ChangedRows(PartedRows):
    """Rows in parts that a function changes as they are worked on; parts that then have no weight are left out.

    Parameters
    ----------
    whole : PartedRows
    change : callable
        Returns a part with other columns, weights or offsets. It is pickled where parts are on other machines.
    """

    def __init__(self, whole: PartedRows, change: Callable[[SelectableRows], SelectableRows]) -> None:
        self.whole, self.change = whole, change
        known = self.total(Tally.of)
        extent = Extent(
            whole.n_rows,
            known.n_counted,
            known.n_columns,
            known.n_values / known.n_rows,
            known.positive / known.weight,
            known.smallest_weight,
            known.is_dense,
            known.has_offset,
        )
        super().__init__(extent, origin=known.origin)
        self.total_weight, self.n_threads, self.executor = known.weight, whole.n_threads, whole.executor

    def total(self, function: Callable[[SelectableRows], Result]) -> Result:
        """Return the sum by ``+`` of a function of the changed parts, added in their order: one pass."""
        found: Result = self.whole.total(partial(result_of, change=self.change, function=function)).found[0]
        return found

    def sample(self, n_rows: int, seed: int) -> MemoryRows | Self:
        """Return what a sample of the rows is changed to, or these themselves where most of it has no weight then."""
        drawn = self.whole.sample(n_rows, seed)
        if isinstance(drawn, SelectableRows):
            sample = self.change(drawn)
            if 2 * sample.n_counted > drawn.n_counted:
                return sample
        return self


@dataclass(frozen=True)
class Tally:
    """What is known of parts of rows, which adds up."""

    n_rows: int
    n_counted: int
    n_columns: int
    n_values: int
    weight: float
    positive: float
    smallest_weight: float
    is_dense: bool
    has_offset: bool
    origin: Array | None

    @classmethod
    def of(cls, part: SelectableRows) -> Self:
        """Return what is known of one part."""
        return cls(
            part.n_rows,
            part.n_counted,
            part.n_columns,
            part.n_values,
            part.total_weight,
            part.total_weight * part.positive_fraction,
            part.smallest_weight,
            part.is_dense,
            part.has_offset,
            part.origin,
        )

    def __add__(self, other: Tally) -> Tally:
        """Return what is known of both."""
        return replace(
            self,
            n_rows=self.n_rows + other.n_rows,
            n_counted=self.n_counted + other.n_counted,
            n_values=self.n_values + other.n_values,
            weight=self.weight + other.weight,
            positive=self.positive + other.positive,
            smallest_weight=min(self.smallest_weight, other.smallest_weight),
        )


class Perhaps(NamedTuple):
    """A result in a tuple, which is empty where no row counts."""

    found: tuple[Any, ...]

    def __add__(self, other: Perhaps) -> Perhaps:  # type: ignore[override]
        """Return the sum of the results that there are."""
        found = self.found + other.found
        return Perhaps((found[0] + found[1],) if len(found) == 2 else found)


def result_of(
    part: SelectableRows,
    change: Callable[[SelectableRows], SelectableRows],
    function: Callable[[SelectableRows], Any],
) -> Perhaps:
    """Return a function of a changed part, if some of its rows count."""
    changed = change(part)
    return Perhaps((function(changed),) if changed.n_counted else ())


def weighted(part: SelectableRows, of_part: Callable[[SelectableRows], Any]) -> Any:
    """Return the total over a part of what a function says of its mean row, in float64."""
    return np.float64(part.total_weight) * of_part(part)
