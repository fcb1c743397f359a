"""Rows in memory of which some columns can be worked on: what elastic nets need beyond passes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from logreg.columns import Columns
from logreg.penalty import ElasticNet
from logreg.products import is_sparse, some_columns, values_a_row
from logreg.rows.memory import MemoryRows
from logreg.sums import Array

MOST_TURNS = 8  # of coordinate descent: so many times the curvatures of the rows are taken anew,
MOST_SWEEPS = 4  # each time for so many sweeps over the columns
PAIRED_PRICE = 20.0  # flops that a flop of the curvature by pairs is worth
SAMPLE_FLOPS = 4e9  # of the curvature of some columns, from which on it is taken of a sample
SAMPLED_ROWS, ROWS_A_COLUMN = 20_000, 40  # rows of that sample, at least so many and so many for each column


class SelectableRows(MemoryRows):
    """:class:`MemoryRows` whose columns can be taken, whose curvature can be had of a few of them, and descended on."""

    by_row: SelectableRows | None = None

    def take(self, columns: np.ndarray) -> SelectableRows:
        """Return the same rows with copies of some columns; those of sparse rows are copied once, all, by column."""
        if self.subset is None or not self.is_dense:
            X = self._by_column[:, columns] if is_sparse(self._by_column) else some_columns(self._by_column, columns)
        else:
            X = self.X[np.ix_(self.subset, columns)]
        origin = None if self.origin is None or is_sparse(X) else self.origin[columns]
        return SelectableRows(X, self.y, self.weight, self.offset, n_threads=self.n_threads, origin=origin, whole=self)

    def by_column(self) -> SelectableRows:
        """Return the same sparse rows as a CSC matrix."""
        rows = SelectableRows(self._by_column, self.y, self.weight, self.offset, n_threads=self.n_threads, whole=self)
        rows.by_row = self
        return rows

    def curvature_of(self, w: Array, columns: np.ndarray) -> Array:
        """Return the mean curvature of some columns and the intercept at w, shape (d + 1,); of many rows from a sample.

        In the units of the rows, shape (k + 1, k + 1); costs ``n (k + 1)**2`` flops for n dense rows.
        """
        if self.by_row is not None:
            return self.by_row.curvature_of(w, columns)
        k = len(columns) + 1
        flops = 2.0 * (PAIRED_PRICE * (values_a_row(self.X) + 1) ** 2 if self.paired else k**2)
        rows = self.sample(max(SAMPLED_ROWS, ROWS_A_COLUMN * k, int(SAMPLE_FLOPS / flops)), seed=0)
        if self.paired:
            paired: Array = rows.paired_curvature(w[:, None], columns)[0] / rows.total_weight
            return paired
        if k <= self.n_columns:
            rows, w = rows.take(columns), w[np.append(columns, -1)]
        curvature = rows.sums(w[:, None], "full").curvature
        assert curvature is not None
        mean: Array = curvature[0] / rows.total_weight
        return mean

    @cached_property
    def _by_column(self) -> Any:
        """X in a form of which columns are cheap to take; of a table, its numbers relative to the origin."""
        X = self.X if self.subset is None else self.X[self.subset]
        X = X.tocsr(self.origin) if isinstance(X, Columns) else X
        return X.tocsc() if is_sparse(X) else X

    def coordinate_step(
        self, w: Array, columns: np.ndarray, penalty: ElasticNet, tolerance: float, intercept: bool
    ) -> Array:
        """Return a step from w of shape (d + 1,) by coordinate descent in some columns, without a matrix of them.

        A sweep costs four flops a stored number; after some the curvature of the rows is taken anew, some times.
        """
        from logreg.coordinate_kernels import descend_rows
        from logreg.sweep import fixed, sparse_arrays_of

        X = self._by_column
        if not is_sparse(X):
            X = X[:, columns]
            X = sparse.csc_array(X if self.origin is None else X - self.origin[columns])
        among = columns if X is self._by_column else np.arange(len(columns))
        used = np.flatnonzero(w[:-1])
        state = np.zeros((self.n_rows, 2))
        state[:, 1] = self._by_column[:, used] @ w[used] + w[-1]
        if self.origin is not None and not is_sparse(self._by_column):
            state[:, 1] -= self.origin @ w[:-1]
        if self.offset is not None:
            state[:, 1] += self.offset
        kept = np.append(columns, -1)
        moved, rows = w[kept], (self.y, fixed(self.weight), self.total_weight)
        some_of_X, until = (*sparse_arrays_of(X), among), (tolerance, MOST_TURNS, MOST_SWEEPS)
        descend_rows(some_of_X, rows, state, moved, penalty.arrays, intercept, until)
        step = np.zeros_like(w)
        step[kept] = moved - w[kept]
        return step
