"""The margins of rows along directions in the coefficients, wherever the rows are.

The margin of row i is ``m_i = s_i (x_i . w + b)``, s_i = 1 for y_i = 1 and else -1. Directions B are held in
coordinates: columns of unit variance, centred where that costs nothing.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import sparse

from logreg.inference.determined import counted_rows, sums_at_zero
from logreg.products import Block, is_sparse, pieces, product
from logreg.rows import PartedRows, SelectableRows
from logreg.scale import Scale
from logreg.sums import Array, Sums

FIRST_ROWS, FIRST_ROWS_A_COLUMN = 1_000, 10  # the first program has at least so many rows, and so many for each column,
FIRST_VALUES = 1_000_000  # while these are no more numbers
MORE_ROWS = 1_000  # of those that a direction lets down, at most so many are added at a time
FALLS = 1e-9  # fall of a margin that is more than rounding
GROWS = 1e-6  # growth of a margin that is more than rounding, where that of a row can be 1


class Left(NamedTuple):
    """The rows that count and that none of some directions separates: coefficients W of shape (d + 1, K)."""

    W: Array

    def of(self, rows: SelectableRows) -> np.ndarray:
        """Return a mask of them; one pass."""
        return left_by(rows, signed_scores(rows, self.W))

    def sums(self, rows: SelectableRows) -> Sums:
        """Return their sums, all of weight 1, where every p is one half; two passes."""
        return sums_at_zero(rows, self.of(rows), "full")


@dataclass(frozen=True)
class ProgramRows:
    """Some rows: their margins as coefficients on directions, and along one; of too many those that fall the most."""

    coefficients: sparse.csr_array
    margins: Array
    most: int

    def __add__(self, other: ProgramRows) -> ProgramRows:
        """Return the rows of both."""
        return ProgramRows(
            sparse.vstack([self.coefficients, other.coefficients], format="csr"),
            np.concatenate([self.margins, other.margins]),
            self.most,
        ).lowest()

    def lowest(self) -> ProgramRows:
        """Return the rows that fall the most, if they are too many."""
        if len(self.margins) <= self.most:
            return self
        index = np.argpartition(self.margins, self.most)[: self.most]
        return ProgramRows(self.coefficients[index], self.margins[index], self.most)


@dataclass(frozen=True)
class Look:
    """What a pass along a new direction has seen: the rows that it and others leave, and those that it lets down.

    Attributes
    ----------
    sums : Sums
        Of the rows left, all of weight 1, where every p is one half.
    falls : ProgramRows
    """

    sums: Sums
    falls: ProgramRows

    def __add__(self, other: Look) -> Look:
        """Return what was seen of the rows of both."""
        return Look(self.sums + other.sums, self.falls + other.falls)


class SignedRows:
    """The margins of rows as linear functions of a direction.

    Parameters
    ----------
    rows : SelectableRows or PartedRows
        Of linearly independent columns, without offsets.
    scale : Scale
        The coordinates of directions.
    """

    def __init__(self, rows: SelectableRows | PartedRows, scale: Scale) -> None:
        self.rows, self.scale = rows, scale
        self.n_coordinates = len(scale.unit)

    def look(self, B: Array, floor: float) -> Look:
        """Return what a pass sees along directions (d + 1, K), of which the last lets down margins below a floor."""
        W = self.scale.coefficients(B)
        return self.rows.total(partial(look_along, W=W, floor=floor, scale=self.scale))

    def mean(self, sums: Sums) -> Array:
        """Return the mean margin of rows of such sums, as coefficients on B, shape (d + 1,)."""
        mean: Array = -2.0 * self.scale.gradient(sums.gradient / sums.weight)[:, 0]
        return mean

    def left(self, B: Array) -> sparse.csr_array:
        """Return the margins of the rows that directions (d + 1, K) leave, as coefficients on B; one pass."""
        left = Left(self.scale.coefficients(B))
        return self.rows.total(partial(held_of, left=left, scale=self.scale)).coefficients

    def first(self) -> sparse.csr_array:
        """Return the margins of the rows in the first program, likewise: a sample, or all, if these are few."""
        d = self.n_coordinates
        most = max(FIRST_ROWS, min(FIRST_ROWS_A_COLUMN * d, FIRST_VALUES // d))
        rows = self.rows if self.rows.n_counted <= 2 * most else self.rows.sample(most, 0)
        return SignedRows(rows, self.scale).left(np.zeros((d, 0)))  # type: ignore[arg-type]


def n_rows_of(sums: Sums) -> int:
    """Return of how many rows, all of weight 1, sums are."""
    return round(float(sums.weight[0]))


def look_along(rows: SelectableRows, W: Array, floor: float, scale: Scale) -> Look:
    """Return what is seen of some rows along directions (d + 1, K)."""
    margins = signed_scores(rows, W)
    last = margins[:, -1]
    falls = np.flatnonzero(counted_rows(rows) & (last < floor))
    if len(falls) > MORE_ROWS:
        falls = falls[np.argpartition(last[falls], MORE_ROWS)[:MORE_ROWS]]
    sums = sums_at_zero(rows, left_by(rows, margins), "none")
    return Look(sums, ProgramRows(coefficients_of(rows, falls, scale), last[falls], MORE_ROWS))


def held_of(rows: SelectableRows, left: Left, scale: Scale) -> ProgramRows:
    """Return the rows that some directions leave."""
    index = np.flatnonzero(left.of(rows))
    return ProgramRows(coefficients_of(rows, index, scale), np.zeros(len(index)), sys.maxsize)


def left_by(rows: SelectableRows, margins: Array) -> np.ndarray:
    """Return a mask of the rows that count and none of whose margins (n, K) grows."""
    left: np.ndarray = counted_rows(rows) & (margins <= GROWS).all(axis=1)
    return left


def coefficients_of(rows: SelectableRows, index: np.ndarray, scale: Scale) -> sparse.csr_array:
    """Return the margins of some rows, as coefficients on B, shape (k, d + 1)."""
    if not len(index):
        return sparse.csr_array((0, len(scale.unit)))
    X, unit = rows.at(index, None).ranges(1)[0].values(), scale.unit
    if is_sparse(X):
        scaled = sparse.csr_array(X) @ sparse.diags_array(unit[:-1])
    else:
        scaled = sparse.csr_array((X - scale.center[:-1]) * unit[:-1])
    ones = sparse.csr_array(np.full((len(index), 1), unit[-1]))
    signs = sparse.diags_array(signs_of(rows)[index])
    return sparse.csr_array(signs @ sparse.hstack([scaled, ones], format="csr"))


def signs_of(rows: SelectableRows) -> Array:
    """Return 1 for rows of the second class, and -1 for the others."""
    return np.where(rows.y == 1, 1.0, -1.0)


def signed_scores(rows: SelectableRows, W: Array) -> Array:
    """Return how the margin of every row changes along W of shape (d + 1, K), shape (n, K); one pass."""
    found = linear_scores(rows, W)
    found *= signs_of(rows)[:, None]
    return found


def linear_scores(rows: SelectableRows, W: Array) -> Array:
    """Return ``x_i . w + b`` of every row, without offsets, for W of shape (d + 1, K), shape (n, K); one pass."""
    if not W.shape[1]:
        return np.zeros((rows.n_rows, 0))

    def scores(block: Block) -> Array:
        found = np.concatenate([product(piece.values(), W[:-1]) for piece in pieces(block, W.shape[1], "none")])
        return np.asarray(found + W[-1], dtype=np.float64)

    return np.concatenate(list(rows.map(scores, rows.chunks())))
