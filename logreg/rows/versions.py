"""The same rows in several versions: folds of them, resamples of them, or other outcomes beside them.

Each model belongs to a version. A pass reads the rows once for the models of all versions: scores are one product with
X, the gradient is one product with its transpose, and between them each score becomes a residual of its own version.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from operator import add
from typing import Any, Self

import numpy as np

from logreg.loss import terms
from logreg.products import Block, is_sparse, values_a_row
from logreg.rows.base import BlockRows
from logreg.rows.memory import RANGES
from logreg.rows.selectable import SelectableRows
from logreg.scale import Scale
from logreg.sums import Array, CurvatureKind, Sums

SCORES_AT_ONCE = 262_144  # of all models, so that they stay in cache between the products,
VALUES_AT_ONCE = 262_144  # and numbers of the rows
COMPILED_FROM = 2_000_000  # scores a pass; below, loading compiled code costs more than it saves


class Versions:
    """What tells versions of the same rows apart, and which of them each model sees.

    Parameters
    ----------
    of_model : ndarray of int, shape (K,)
    counts : ndarray of shape (V, n), default=None
        How often each row counts in each version, beside its weight: bools, small integers or floats.
    outcomes : ndarray of int8, shape (V, n), default=None
        The outcomes in each version; None for those of the rows.
    """

    def __init__(
        self, of_model: np.ndarray, *, counts: np.ndarray | None = None, outcomes: np.ndarray | None = None
    ) -> None:
        self.of_model, self.counts, self.outcomes = of_model, counts, outcomes

    def smallest_count(self) -> float:
        """Return the smallest positive count: 1 but for fractions."""
        if self.counts is None or self.counts.dtype.kind != "f":
            return 1.0
        return float(self.counts.min(where=self.counts > 0, initial=np.inf))

    def models(self, chosen: np.ndarray) -> Versions:
        """Return the versions of some models, chosen by a mask or by their numbers."""
        return Versions(self.of_model[chosen], counts=self.counts, outcomes=self.outcomes)

    def rows(self, chosen: Any) -> Versions:
        """Return the versions of some rows."""
        counts, outcomes = (None if part is None else part[:, chosen] for part in (self.counts, self.outcomes))
        return Versions(self.of_model, counts=counts, outcomes=outcomes)


class VersionedRows(BlockRows):
    """Rows in memory in several versions: the sums of each model are over the rows of its version.

    Parameters
    ----------
    whole : SelectableRows
        The rows themselves, whose weights the counts multiply.
    versions : Versions
    origin : VersionedRows, default=None
        What these are a sample of: its threads serve them too.
    """

    def __init__(self, whole: SelectableRows, versions: Versions, origin: VersionedRows | None = None) -> None:
        self.whole, self.versions = whole, versions
        self.n_rows, self.n_columns, self.n_values = whole.n_rows, whole.n_columns, whole.n_values
        self.flops_a_value, self.reading_a_value = whole.flops_a_value, whole.reading_a_value
        self.is_sample, self.executor = whole.is_sample, whole.executor
        total, positive = self._totals()
        self.total_weight = total[versions.of_model]
        self.positive_fraction = (positive / total)[versions.of_model]
        self.smallest_weight = whole.smallest_weight * versions.smallest_count()
        # Whether each row counts once or not at all, so that the logs of many losses can be taken at once.
        self.once = whole.weight is None and (versions.counts is None or versions.counts.dtype == np.bool_)
        self.compiled = whole.compiled or self.n_rows * len(versions.of_model) >= COMPILED_FROM
        self.has_threads = origin is None and self.compiled and not whole.compiled and whole.n_threads > 1
        if origin is not None:
            self.executor = origin.executor
        elif self.has_threads:
            self.executor = ThreadPoolExecutor(whole.n_threads, thread_name_prefix="logreg")

    def __enter__(self) -> Self:
        """Hold threads of its own, where the rows themselves have none."""
        return super().__enter__() if self.has_threads else self

    def __exit__(self, *exception: object) -> None:
        """Let go of threads of its own."""
        if self.has_threads:
            super().__exit__(*exception)

    @property
    def n_versions(self) -> int:
        """The number of versions."""
        several = self.versions.counts if self.versions.counts is not None else self.versions.outcomes
        return 1 if several is None else len(several)

    def _totals(self) -> tuple[Array, Array]:
        """Return the weights of all rows and of those with outcome 1 in each version."""
        counts, outcomes, y = self.versions.counts, self.versions.outcomes, self.whole.y
        weight = np.ones(self.n_rows) if self.whole.weight is None else self.whole.weight
        if counts is None and outcomes is not None and self.whole.weight is None:
            return np.full(len(outcomes), float(self.n_rows)), outcomes.sum(axis=1, dtype=np.float64)
        total, positive = np.empty((2, self.n_versions))
        for v in range(self.n_versions):
            of_version = weight if counts is None else counts[v] * weight
            total[v] = of_version.sum()
            positive[v] = np.einsum("i,i->", of_version, y if outcomes is None else outcomes[v])
        return total, positive

    def version(self, v: int) -> SelectableRows:
        """Return the rows in one version, with weights of their own."""
        counts, outcomes = self.versions.counts, self.versions.outcomes
        weight = self.whole.weight
        if counts is not None:
            weight = counts[v] * (1.0 if weight is None else weight)
        return self.whole.with_outcomes(self.whole.y if outcomes is None else outcomes[v], weight)

    def of(self, models: np.ndarray) -> Self:
        """Return the rows for some models only, chosen by a mask or by their numbers."""
        some = copy.copy(self)
        some.versions = self.versions.models(models)
        some.positive_fraction, some.total_weight = self.positive_fraction[models], self.total_weight[models]
        return some

    def chunks(self) -> Iterable[Block]:
        """Return the rows in ranges, some for each thread."""
        return self.whole.ranges(RANGES * self.whole.n_threads) if self.has_threads else self.whole.chunks()

    def sample(self, n_rows: int, seed: int) -> VersionedRows:
        """Draw a sample of all rows, the same for all versions."""
        index, sample = self.whole.drawn(n_rows, seed)
        return self if sample is self.whole else VersionedRows(sample, self.versions.rows(index), self)

    def in_user_units(self, W: Array) -> Array:
        """Return coefficients of these rows as coefficients of X."""
        return self.whole.in_user_units(W)

    def sums(self, W: Array, kind: CurvatureKind = "none") -> Sums:
        """Make one pass for all versions; for a curvature one for each version."""
        if kind != "none":
            found = Sums.zeros(self.n_columns, W.shape[1], kind)
            for models, rows in self._by_version():
                found.put(models, rows.sums(W[:, models], kind))
            return found
        found = reduce(add, self.map(lambda block: self._block_sums(*block, W), self._blocks()))
        found.weight[:] = self.total_weight
        return found

    def sums_near(self, W: Array, neighbour: np.ndarray) -> Sums | None:
        """Return the sums of models that are where a few are, W (d + 1, F): of all rows, less those that do not count.

        For the price of one or two passes for F models; None where rows count otherwise than once or not at all.
        """
        counts = self.versions.counts
        if counts is None or counts.dtype != np.bool_:
            return None
        whole, weight = self.whole, self.whole.weight
        counted = np.ones(self.n_rows, dtype=bool) if weight is None else weight > 0
        left_out = [np.flatnonzero(counted & ~count) for count in counts]
        parts = [self._sums_at(index, W) for index in left_out]
        apart = np.array_equal(np.sort(np.concatenate(left_out)), np.flatnonzero(counted))
        total = reduce(add, parts) if apart else whole.sums(W)
        held = [parts[v] for v in self.versions.of_model.tolist()]
        return Sums(
            self.total_weight,
            np.array([total.loss[f] - of.loss[f] for f, of in zip(neighbour.tolist(), held, strict=True)]),
            np.stack(
                [total.gradient[:, f] - of.gradient[:, f] for f, of in zip(neighbour.tolist(), held, strict=True)],
                axis=1,
            ),
        )

    def _sums_at(self, index: np.ndarray, W: Array) -> Sums:
        if not index.size:
            return Sums.zeros(self.n_columns, W.shape[1], "none")
        weight = self.whole.weight
        return self.whole.at(index, None if weight is None else weight[index]).sums(W)

    def curvature(self, W: Array, scale: Scale, columns: np.ndarray | None = None) -> np.ndarray:
        """Return the mean curvature of each model over its version, in coordinates."""
        by_model: list[Any] = [None] * W.shape[1]
        for models, rows in self._by_version():
            for k, H in zip(models.tolist(), rows.curvature(W[:, models], scale, columns), strict=True):
                by_model[k] = H
        return np.stack(by_model)

    def _by_version(self) -> Iterator[tuple[np.ndarray, SelectableRows]]:
        """Yield the models of each version that has some, and its rows."""
        for v in np.unique(self.versions.of_model).tolist():
            yield np.flatnonzero(self.versions.of_model == v), self.version(v)

    def _blocks(self) -> Iterator[tuple[Block, Versions]]:
        """Yield ranges of the rows, each with the versions of its rows."""
        start = 0
        for block in self.chunks():
            stop = start + len(block.y)
            yield block, self.versions.rows(slice(start, stop))
            start = stop

    def _block_sums(self, block: Block, versions: Versions, W: Array) -> Sums:
        """Return the sums over a block of rows: ``4 n d K`` flops and an exponential a score."""
        found = Sums.zeros(self.n_columns, W.shape[1], "none")
        if self.compiled and self.whole.is_dense:
            add_dense(block, versions, self.once, W, found)
        else:
            self._add_pieces(block, versions, W, found)
        return found

    def _add_pieces(self, block: Block, versions: Versions, W: Array, found: Sums) -> None:
        """Add rows of any storage, piece by piece."""
        coefficients, intercepts = np.ascontiguousarray(W[:-1].T), np.ascontiguousarray(W[-1])
        residuals = compiled_residuals if self.compiled else plain_residuals
        for piece, some in self._pieces(block, versions, W.shape[1]):
            X = piece.values()
            if is_sparse(X):
                scores = np.ascontiguousarray((X @ W[:-1]).T)
            else:
                X = np.asarray(X, dtype=np.float64)
                scores = coefficients @ X.T
            if piece.offset is not None:
                scores += piece.offset
            residuals(scores, intercepts, (piece, some), self.once, (found.loss, found.gradient[-1]))
            found.gradient[:-1] += X.T @ scores.T if is_sparse(X) else (scores @ X).T

    def _pieces(self, block: Block, versions: Versions, n_models: int) -> Iterator[tuple[Block, Versions]]:
        n, X = len(block.y), block.X
        size = max(64, int(min(SCORES_AT_ONCE / n_models, VALUES_AT_ONCE / max(values_a_row(X), 1.0))))
        if size >= n or (is_sparse(X) and X.format == "csc"):
            yield block, versions
            return
        for start in range(0, n, size):
            stop = min(start + size, n)
            yield block.rows(start, stop), versions.rows(slice(start, stop))


def add_dense(block: Block, versions: Versions, once: bool, W: Array, found: Sums) -> None:
    """Add a block of dense rows to losses and gradients by the compiled kernel."""
    from logreg.model_kernels import dense_models
    from logreg.sweep import dense_arrays_of, fixed

    X, by_column, origin = dense_arrays_of(block)
    subset = np.empty(0, dtype=np.int32) if block.subset is None else block.subset
    gradient = np.zeros(W.T.shape)
    dense_models(
        X,
        by_column,
        (origin, fixed(block.offset), fixed(subset)),
        arrays_of_versions(block, versions),
        once,
        fixed(np.ascontiguousarray(W.T)),
        (found.loss, gradient),
    )
    found.gradient[:] = gradient.T


def arrays_of_versions(block: Block, versions: Versions) -> tuple[np.ndarray, ...]:
    """Return outcomes, weight, counts and the versions of the models as the kernels take them."""
    from logreg.sweep import fixed

    y = block.y[None, :] if versions.outcomes is None else np.ascontiguousarray(versions.outcomes)
    counts = np.empty((0, 0), dtype=np.uint8)
    if versions.counts is not None:
        counts = np.ascontiguousarray(versions.counts)
        counts = counts.view(np.uint8) if counts.dtype == np.bool_ else counts
    return fixed(y), fixed(block.weight), fixed(counts), fixed(versions.of_model)


def compiled_residuals(
    scores: Array, intercepts: Array, rows: tuple[Block, Versions], once: bool, sums: tuple[Array, Array]
) -> None:
    """Turn the scores of a block but for intercepts, (K, m), into residuals in place.

    Add to ``sums = (losses, sums of residuals)``.
    """
    from logreg.model_kernels import residuals_of_models
    from logreg.sweep import fixed

    residuals_of_models(scores, fixed(intercepts), arrays_of_versions(*rows), once, sums)


def plain_residuals(
    scores: Array, intercepts: Array, rows: tuple[Block, Versions], once: bool, sums: tuple[Array, Array]
) -> None:
    """Do the same with NumPy, for small data."""
    block, versions = rows
    y = block.y if versions.outcomes is None else versions.outcomes[versions.of_model].T
    weight = np.ones(1) if versions.counts is None else versions.counts[versions.of_model].T
    if block.weight is not None:
        weight = weight * block.weight[:, None]
    loss, residual = (term * weight for term in terms((scores + intercepts[:, None]).T, y)[:2])
    sums[0][:] += loss.sum(axis=0)
    sums[1][:] += residual.sum(axis=0)
    scores[:] = residual.T
