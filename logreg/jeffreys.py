"""The log-likelihood with Jeffreys' penalty, ``l + tau * log det I``, and its slopes, at many points at once.

A row enters the information I, and its leverage, by the products of its numbers in pairs: with these held in a matrix
both are one product of matrices for all points together.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from logreg.plan import WIDEST_MATRIX
from logreg.predictors import column_names
from logreg.products import Block, add_square, is_sparse, pieces, quietly
from logreg.rank import repeats
from logreg.rows import MemoryRows
from logreg.scale import Scale
from logreg.solve import NonFiniteSumsError
from logreg.sums import Array

HELD = 4_000_000  # products of pairs up to which they are held between passes
PAIRED_POINTS, PAIRED_WIDTH = 4, 64  # points from which on, and columns up to which, pairs are made
NARROW = 16  # columns up to which calls cost more than the inverse itself


class Points(NamedTuple):
    """What was found at K points of m coordinates: l + tau log det I and log det I, both (K,); slopes; information.

    ``score`` and ``penalty_score``, its part that is the penalty's, are (m, K); ``information`` is (K, m, m).
    """

    value: Array
    log_det: Array
    score: Array
    penalty_score: Array
    information: Array

    def of(self, which: np.ndarray) -> Points:
        """Return some points, chosen by a mask or by number."""
        by_column = self.score[:, which], self.penalty_score[:, which]
        return Points(self.value[which], self.log_det[which], *by_column, self.information[which])

    def put(self, which: np.ndarray, points: Points) -> None:
        """Set some points."""
        self.value[which], self.log_det[which], self.information[which] = (
            points.value,
            points.log_det,
            points.information,
        )
        self.score[:, which], self.penalty_score[:, which] = points.score, points.penalty_score


@dataclass
class Piece:
    """Some rows in coordinates: their numbers Z (n, m), outcomes, weights as given and offsets.

    ``held`` says whether it serves other passes too, and keeps what it can for them.
    """

    Z: Array
    y: np.ndarray
    weight: Array | float
    offset: Array | None
    held: bool
    kept: tuple[Array, Array] | None = None

    @cached_property
    def pairs(self) -> Array:
        """The products of the numbers of a row, shape (n, m (m + 1) / 2), in the order of ``numpy.tril_indices``."""
        n, m = self.Z.shape
        found, stop = np.empty((n, m * (m + 1) // 2)), 0
        for j in range(m):
            start, stop = stop, stop + j + 1
            np.multiply(self.Z[:, : j + 1], self.Z[:, j : j + 1], out=found[:, start:stop])
        return found

    @cached_property
    def sign(self) -> Array:
        """1 for an outcome of 0 and -1 for one of 1, shape (n, 1)."""
        return 1.0 - 2.0 * self.y[:, None]

    @cached_property
    def signed(self) -> Array:
        """Z with these signs."""
        return self.Z * self.sign

    def likelihood(self, B: Array) -> tuple[Array, Array, Array, Array]:
        """Return log-likelihood (K,), its slope (m, K), ``p (1 - p)`` with the weights, and ``sign (1 - 2 p)``, (n, K).

        As in :func:`logreg.loss.terms`, with the signs on Z and little memory: many points on few rows spend their time
        here.
        """
        wrong = self.Z @ B
        if self.offset is not None:
            wrong += self.offset[:, None]
        wrong *= self.sign
        e = np.exp(-np.abs(wrong))
        loss = np.log1p(e)
        loss += np.maximum(wrong, 0.0)
        curvature = 1.0 + e
        np.divide(1.0, curvature, out=curvature)
        e *= curvature
        residual = np.where(wrong > 0.0, curvature, e)
        curvature *= e
        tilt = 1.0 - 2.0 * residual
        if not isinstance(self.weight, float) or self.weight != 1.0:
            for term in (loss, residual, curvature):
                term *= self.weight
        if self.held:
            self.kept = curvature, tilt
        return -loss.sum(axis=0), -(self.signed.T @ residual), curvature, tilt

    def information(self, curvature: Array, paired: bool) -> Array:
        """Return ``Z' diag(D_k) Z``, shape (K, m, m), or (K, m (m + 1) / 2) where pairs are made."""
        if paired:
            by_pair: Array = curvature.T @ self.pairs
            return by_pair
        found = np.zeros((curvature.shape[1], *[self.Z.shape[1]] * 2))
        for k, D in enumerate(curvature.T):
            add_square(self.Z * np.sqrt(D)[:, None], found[k])
        return found

    def penalty_slope(self, B: Array, inverse: Array, paired: bool) -> Array:
        """Return the slope of log det I, ``Z' (h (1 - 2 p))`` with leverages ``h_i = D_i z_i' I^-1 z_i``: (m, K)."""
        curvature, tilt = self.kept or self.likelihood(B)[2:]
        if paired:
            q = self.pairs @ inverse.T
        else:
            q = np.stack([np.einsum("ij,ij->i", self.Z @ one, self.Z) for one in inverse], axis=1)
        q *= curvature
        q *= tilt
        slope: Array = self.signed.T @ q
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
        self.low = np.tril_indices(self.width)
        self.log_unit = 2.0 * float(np.log(self.scale.unit[: self.width]).sum())
        self.holds = rows.n_rows * self.width * (self.width + 1) // 2 <= HELD

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
        """Return what is to be known at points B of shape (m, K), from two passes; value -inf where I is singular."""
        paired = B.shape[1] >= PAIRED_POINTS and self.width <= PAIRED_WIDTH

        def first(piece: Piece) -> tuple[Array, ...]:
            value, score, curvature, _ = piece.likelihood(B)
            return value, score, piece.information(curvature, paired)

        value, score, information = self._sum(first, B.shape[1], paired)
        if paired:
            information = self._unpacked(information)
        log_det, inverse = determinant_and_inverse(information, self.low)
        if paired:
            inverse = inverse[:, self.low[0], self.low[1]] * np.where(self.low[0] == self.low[1], 1.0, 2.0)
        (slope,) = self._sum(lambda piece: (piece.penalty_slope(B, inverse, paired),), B.shape[1], paired)
        slope *= self.tau
        log_det -= self.log_unit
        return Points(value + self.tau * log_det, log_det, score + slope, slope, information)

    def _unpacked(self, by_pair: Array) -> Array:
        i, j = self.low
        whole = np.empty((len(by_pair), self.width, self.width))
        whole[:, i, j] = by_pair
        whole[:, j, i] = by_pair
        return whole

    def _sum(self, function: Callable[[Piece], tuple[Array, ...]], n_points: int, paired: bool) -> list[Array]:
        def over(part: Block | list[Piece]) -> list[Array]:
            found = map(function, part if isinstance(part, list) else self._pieces(part, n_points, paired))
            return [sum(some[1:], start=some[0]) for some in zip(*found, strict=True)]

        parts: Iterable[Block | list[Piece]] = self._held if self.holds else self.rows.chunks()
        return [sum(some[1:], start=some[0]) for some in zip(*self.rows.map(over, parts), strict=True)]

    @cached_property
    def _held(self) -> list[list[Piece]]:
        return [[self._piece(block, True)] for block in self.rows.chunks()]

    def _pieces(self, block: Block, n_points: int, paired: bool) -> Iterable[Piece]:
        width = len(self.low[0]) if paired else self.width
        return (self._piece(piece, False) for piece in pieces(block, max(width, n_points), "full"))

    def _piece(self, block: Block, held: bool) -> Piece:
        X = block.values()
        Z = np.ones((len(block.y), self.width))
        d = self.rows.n_columns
        np.subtract(X.toarray() if is_sparse(X) else X, self.scale.center[:-1], out=Z[:, :d])
        Z[:, :d] *= self.scale.unit[:-1]
        weight = self.unit_weight if block.weight is None else self.unit_weight * block.weight[:, None]
        return Piece(Z, block.y, weight, block.offset, held)


def determinant_and_inverse(information: Array, low: tuple[np.ndarray, np.ndarray]) -> tuple[Array, Array]:
    """Return log det, -inf where it is not positive definite, and the inverse, 0 there, of K matrices.

    ``low`` are the places of a lower triangle.
    """
    if information.shape[1] <= NARROW:
        with contextlib.suppress(np.linalg.LinAlgError):  # which of them it was is not said
            root = np.linalg.cholesky(information)
            diagonals: Array = np.einsum("kjj->kj", root)
            return 2.0 * np.log(diagonals).sum(axis=1), np.asarray(np.linalg.inv(information), dtype=np.float64)
    log_det, inverse = np.full(len(information), -np.inf), np.zeros_like(information)
    for k, one in enumerate(information):
        upper, failed = lapack.dpotrf(one.T, lower=0, clean=0)
        if not failed:
            log_det[k] = 2.0 * np.log(upper.diagonal()).sum()
            inverse[k] = lapack.dpotri(upper, lower=0, overwrite_c=1)[0].T
    i, j = low
    inverse[:, j, i] = inverse[:, i, j]
    return log_det, inverse


def by_row(rows: MemoryRows) -> MemoryRows:
    """Return the same rows; those of a CSC matrix as a copy by row, out of which blocks of rows can be cut."""
    if not rows.is_csc:
        return rows
    copied = copy.copy(rows)
    copied.X, copied.is_csc = rows.X.tocsr(), False
    copied.paired = copied.compiled
    return copied
