"""The log-likelihood with Jeffreys' penalty, ``l + tau * log det I``, and its slopes, at many points at once.

A row enters the information I, and its leverage, by the products of its numbers in pairs: with these held in a matrix
both are one product of matrices for all points together.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from typing import NamedTuple

import numpy as np

from logreg.plan import WIDEST_MATRIX
from logreg.points import PAIRED_WIDTH, Arithmetic, arithmetic
from logreg.predictors import column_names
from logreg.products import Block, add_square, is_sparse, pieces, quietly
from logreg.rank import repeats
from logreg.rows import MemoryRows
from logreg.scale import Scale
from logreg.solve import NonFiniteSumsError
from logreg.sums import Array

HELD = 4_000_000  # products of pairs up to which they are held between passes
PAIRED_POINTS = 4  # points from which on pairs are made, of up to PAIRED_WIDTH columns,
CACHED = 50_000  # and products of pairs up to which they always are


class Points(NamedTuple):
    """What was found at K points of m coordinates: l + tau log det I and log det I, both (K,); slopes; information.

    ``score`` and ``penalty_score``, its part that is the penalty's, are (K, m); ``information`` is (K, m, m).
    """

    value: Array
    log_det: Array
    score: Array
    penalty_score: Array
    information: Array

    def of(self, which: np.ndarray) -> Points:
        """Return some points, chosen by a mask or by number."""
        return Points(*(part[which] for part in self))

    def put(self, which: np.ndarray, points: Points) -> None:
        """Set some points."""
        for part, new in zip(self, points, strict=True):
            part[which] = new


@dataclass
class Piece:
    """Some rows in coordinates: their numbers Z by column (m, n), outcomes, weights as given and offsets.

    ``held`` says whether it serves other passes too, and keeps what it can for them.
    """

    Z: Array
    y: Array
    weight: Array
    offset: Array
    arithmetic: Arithmetic
    held: bool
    tilted: Array | None = None

    @cached_property
    def pairs(self) -> Array:
        """The products of the numbers of a row, shape (m (m + 1) / 2, n), in the order of ``numpy.tril_indices``."""
        m, n = self.Z.shape
        found, stop = np.empty((m * (m + 1) // 2, n)), 0
        for j in range(m):
            start, stop = stop, stop + j + 1
            np.multiply(self.Z[: j + 1], self.Z[j], out=found[start:stop])
        return found

    def points(self, B: Array) -> tuple[Array, ...]:
        """Return log-likelihood, log det I, the slopes of both and I, where these are all rows."""
        return self.arithmetic.points(self.Z, self.y, self.weight, self.offset, self.pairs, B)

    def sums(self, B: Array, paired: bool) -> tuple[Array, Array, Array]:
        """Return log-likelihood (K,), its slope (K, m) and the information (K, m, m) at B (K, m)."""
        value, slope, curvature, tilted = self.arithmetic.terms(self.Z, self.y, self.weight, self.offset, B)
        if self.held:
            self.tilted = tilted
        if paired:
            return value, slope, self.arithmetic.information(self.Z, self.pairs, curvature)
        information = np.zeros((len(B), *[len(self.Z)] * 2))
        for k, D in enumerate(curvature):
            add_square((self.Z * np.sqrt(D)).T, information[k])
        return value, slope, information

    def penalty_slope(self, B: Array, inverse: Array, paired: bool) -> Array:
        """Return the slope of log det I, (K, m)."""
        tilted = self.tilted
        if tilted is None:
            tilted = self.arithmetic.terms(self.Z, self.y, self.weight, self.offset, B)[-1]
        if paired:
            return self.arithmetic.penalty_slope(self.Z, self.pairs, tilted, inverse)
        q = np.stack([np.einsum("ji,ji->i", one @ self.Z, self.Z) for one in inverse])
        q *= tilted
        slope: Array = q @ self.Z.T
        return slope


class JeffreysLikelihood:
    """``l(w) + tau log det I(w)``, ``I = X~' diag(s p (1 - p)) X~``, in standardised coordinates B of the coefficients.

    X~ has a column of ones if there is an intercept. The weights s are taken as given, so a row of weight 2 is the row
    twice. The determinant is that of the user's units.

    Parameters
    ----------
    rows : MemoryRows
        With weights of any scale.
    tau : float
    total_weight : float
        The sum of the weights as given.
    intercept : bool
    names : ndarray, default=None
        Of the columns, for sentences.

    Raises
    ------
    ValueError
        If columns are constant or repeat others: then det I is 0 everywhere.
    """

    def __init__(
        self, rows: MemoryRows, tau: float, total_weight: float, intercept: bool, names: np.ndarray | None = None
    ) -> None:
        if rows.n_columns > WIDEST_MATRIX:
            raise ValueError(
                f"Firth's penalty needs the information of all {rows.n_columns} columns, a matrix that is held for up "
                f"to {WIDEST_MATRIX}; select columns, or use a ridge penalty."
            )
        self.tau, self.total_weight, self.intercept = tau, total_weight, intercept
        self.unit_weight = total_weight / rows.total_weight
        self.rows = by_row(rows)
        plain = copy.copy(self.rows)
        plain.offset = None  # so that p (1 - p) is the same in every row
        moments = plain.sums(np.zeros((rows.n_columns + 1, 1)), "full")
        if not moments.all_finite() or moments.curvature is None:
            raise NonFiniteSumsError
        self.scale = Scale.from_sums(moments, np.zeros(1), intercept)
        correlation = self.scale.curvature(moments.curvature[0] / moments.weight[0])[:-1, :-1]
        redundant = np.flatnonzero(repeats(correlation))
        if redundant.size:
            raise ValueError(
                f"Columns {column_names(redundant, names)} are constant or repeat combinations of other columns, where "
                "Firth's penalty, the determinant of the information, is 0 whatever the coefficients; drop them."
            )
        self.width = rows.n_columns + intercept
        self.log_unit = 2.0 * float(np.log(self.scale.unit[: self.width]).sum())
        self.arithmetic = arithmetic(rows.n_rows, self.width)
        self.n_products = rows.n_rows * self.width * (self.width + 1) // 2

    @cached_property
    def to_user(self) -> Array:
        """The matrix from coordinates to coefficients in the user's units, shape (d + 1, m), the intercept last."""
        return self.rows.in_user_units(self.coefficients(np.eye(self.width)))

    def coefficients(self, B: Array) -> Array:
        """Return coordinates as coefficients in the units of the rows, shape (d + 1, K)."""
        return self.scale.coefficients(B if self.intercept else np.vstack([B, np.zeros((1, B.shape[1]))]))

    def coordinates(self, W: Array) -> Array:
        """Return coefficients in the units of the rows, shape (d + 1, K), as coordinates."""
        return self.scale.coordinates(W)[: self.width]

    @quietly
    def at(self, B: Array) -> Points:
        """Return what is to be known at points B of shape (K, m), from two passes; value -inf where I is singular."""
        paired = self.width <= PAIRED_WIDTH and (len(B) >= PAIRED_POINTS or self.n_products <= CACHED)
        if paired and self.n_products <= HELD and len(self._held) == 1:
            value, log_det, score, slope, information = self._held[0].points(B)
        else:
            value, score, information = self._sum(lambda piece: piece.sums(B, paired), len(B), paired)
            log_det, inverse = self.arithmetic.invert(information)
            (slope,) = self._sum(lambda piece: (piece.penalty_slope(B, inverse, paired),), len(B), paired)
        slope *= self.tau
        log_det -= self.log_unit
        return Points(value + self.tau * log_det, log_det, score + slope, slope, information)

    def _sum(self, function: Callable[[Piece], tuple[Array, ...]], n_points: int, paired: bool) -> tuple[Array, ...]:
        if self.n_products <= HELD:
            return reduce(added, self.rows.map(function, self._held))
        width = self.width * (self.width + 1) // 2 if paired else self.width

        def over(block: Block) -> tuple[Array, ...]:
            some = pieces(block, max(width, n_points), "full")
            return reduce(added, (function(self._piece(piece, False)) for piece in some))

        return reduce(added, self.rows.map(over, self.rows.chunks()))

    @cached_property
    def _held(self) -> list[Piece]:
        return [self._piece(block, True) for block in self.rows.chunks()]

    def _piece(self, block: Block, held: bool) -> Piece:
        X = block.values()
        Z = np.ones((self.width, len(block.y)))
        d = self.rows.n_columns
        np.subtract((X.toarray() if is_sparse(X) else X).T, self.scale.center[:-1, None], out=Z[:d])
        Z[:d] *= self.scale.unit[:-1, None]
        y = block.y.astype(np.float64)
        weight = np.full_like(y, self.unit_weight)
        if block.weight is not None:
            weight *= block.weight
        offset = np.zeros_like(y) if block.offset is None else block.offset.astype(np.float64)
        return Piece(Z, y, weight, offset, self.arithmetic, held)


def added(some: tuple[Array, ...], others: tuple[Array, ...]) -> tuple[Array, ...]:
    """Return the sums of two tuples, one by one."""
    return tuple(map(add, some, others))


def by_row(rows: MemoryRows) -> MemoryRows:
    """Return the same rows; those of a CSC matrix as a copy by row, out of which blocks of rows can be cut."""
    if not rows.is_csc:
        return rows
    copied = copy.copy(rows)
    copied.X, copied.is_csc = rows.X.tocsr(), False
    copied.paired = copied.compiled
    return copied
