"""Which coefficients some rows determine, whatever their outcomes."""

from __future__ import annotations

import copy
from functools import partial
from typing import NamedTuple, Self

import numpy as np

from logreg.rank import repeats
from logreg.rows import PartedRows, SelectableRows
from logreg.scale import Scale
from logreg.solve import NonFiniteSumsError
from logreg.sums import Array, CurvatureKind, Sums

OPEN = 1e-8  # share of a coefficient that the rows do not determine, from which on it is more than rounding


class Determined(NamedTuple):
    """What rows determine: ``T @ vectors`` spans it, where T leads from coordinates to the units of X."""

    T: Array
    values: Array
    vectors: Array


def determined(sums: Sums, intercept: bool, origin: Array | None) -> Determined:
    """Return the eigenvectors of the mean curvature, in its own coordinates, whose values are more than rounding."""
    scale = Scale.from_sums(sums, np.zeros(1), intercept)
    frozen = scale.unit == 0
    scale.unit[:-1][frozen[:-1]] = 1.0
    assert sums.curvature is not None
    H = scale.curvature(sums.curvature[0] / sums.weight[0])
    H[frozen], H[:, frozen] = 0.0, 0.0
    return determined_by(scale, H, origin)


def determined_by(scale: Scale, H: Array, origin: Array | None) -> Determined:
    """Return the same of a mean curvature H in coordinates, which are made those of its own unit diagonal."""
    diagonal = np.diagonal(H)
    unit = np.divide(1.0, np.sqrt(np.maximum(diagonal, 0.0)), out=np.ones_like(diagonal), where=diagonal > 0)
    values, vectors = np.linalg.eigh(H * unit * unit[:, None])
    some = values > 10 * len(values) * np.finfo(float).eps * values[-1]
    return Determined(to_user_units(scale, origin) * unit, values[some], vectors[:, some])


def to_user_units(scale: Scale, origin: Array | None) -> Array:
    """Return the matrix from coordinates to coefficients of X, (d + 1, d + 1)."""
    T = np.diag(scale.unit)
    T[-1, :-1] = -(scale.center[:-1] + (0.0 if origin is None else origin)) * scale.unit[:-1]
    return T


def finite_terms(sums: Sums, intercept: bool, origin: Array | None) -> np.ndarray:
    """Return a mask of the coefficients that rows of such sums determine, shape (d + 1,)."""
    if not sums.weight.any():
        return np.append(np.zeros(len(sums.gradient) - 1, dtype=bool), not intercept)
    T, _, vectors = determined(sums, intercept, origin)
    open_part = np.linalg.norm(T - (T @ vectors) @ vectors.T, axis=1)
    finite: np.ndarray = open_part <= OPEN * np.linalg.norm(T, axis=1)
    return finite


class Design(NamedTuple):
    """Columns that are no combination of columns to their left, and what they are read relative to."""

    kept: np.ndarray
    origin: Array | None

    @classmethod
    def independent(
        cls, rows: SelectableRows | PartedRows, intercept: bool, left_out: np.ndarray | None = None
    ) -> tuple[Self, Sums]:
        """Return those of some rows, but for those of a mask that are left out, and their sums; two passes.

        Dense columns are read relative to their means, so that those far from zero keep their digits in products.
        """
        everything, d = np.arange(rows.n_columns), rows.n_columns
        design = cls(everything, rows.origin)
        if rows.is_dense and intercept:
            sums = finite(rows.total(partial(design.sums, kind="diagonal")))
            center = Scale.from_sums(sums, np.zeros(1), True).center[:-1]
            design = cls(everything, center + (0.0 if rows.origin is None else rows.origin))
        sums = finite(rows.total(design.sums))
        assert sums.curvature is not None
        scale = Scale.from_sums(sums, np.zeros(1), intercept)
        if left_out is not None:
            scale.unit[:-1][left_out] = 0.0
        kept = np.flatnonzero(~repeats(scale.curvature(sums.curvature[0] / sums.weight[0])[:-1, :-1]))
        among = np.append(kept, d)
        sums = Sums(sums.weight, sums.loss, sums.gradient[among], sums.curvature[:, among[:, None], among])
        return cls(kept, None if design.origin is None else design.origin[kept]), sums

    def of(self, rows: SelectableRows) -> SelectableRows:
        """Return rows with these columns only, relative to their origin."""
        rows = copy.copy(rows)  # so that what the taking of columns keeps goes with it
        if len(self.kept) < rows.n_columns:
            rows = rows.take(self.kept)
        if rows.is_dense:
            rows.origin = self.origin
        return rows

    def plain(self, rows: SelectableRows) -> SelectableRows:
        """Return the same, plain."""
        return plain(self.of(rows))

    def sums(self, rows: SelectableRows, kind: CurvatureKind = "full") -> Sums:
        """Return the sums of the rows that count, all of weight 1, where every p is one half."""
        return sums_of_counted(self.of(rows), kind)


def finite(sums: Sums) -> Sums:
    """Return sums after checking that they are numbers."""
    if not sums.all_finite():
        raise NonFiniteSumsError
    return sums


def counted_rows(rows: SelectableRows) -> np.ndarray:
    """Return a mask of the rows of positive weight."""
    return np.ones(rows.n_rows, dtype=bool) if rows.weight is None else rows.weight > 0


def sums_of_counted(rows: SelectableRows, kind: CurvatureKind = "full") -> Sums:
    """Return the sums of the rows that count, all of weight 1, where every p is one half."""
    return sums_at_zero(plain(rows), counted_rows(rows), kind)


def sums_at_zero(rows: SelectableRows, chosen: np.ndarray, kind: CurvatureKind) -> Sums:
    """Return the sums of some rows, all of weight 1, where every p is one half; one pass."""
    if not chosen.any():
        return Sums.zeros(rows.n_columns, 1, kind)
    return rows.with_outcomes(rows.y, chosen.astype(np.float64)).sums(np.zeros((rows.n_columns + 1, 1)), kind)


def plain(rows: SelectableRows) -> SelectableRows:
    """Return the same rows without offsets, which change no direction, and in a form of which rows can be picked."""
    if rows.is_csc:
        X = rows.X.tocsr()
        return SelectableRows(X, rows.y, rows.weight, n_threads=rows.n_threads, origin=None, whole=rows)
    rows = copy.copy(rows)
    rows.offset = None
    return rows
