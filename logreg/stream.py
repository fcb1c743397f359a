"""Streams: what a model remembers of batches that it has seen once, and how it takes in another.

The memory is a sum of quadratics, one a batch: d x d numbers, no rows. A batch moves the coefficients to the minimum of

    memory(w)  +  loss of the batch at w  +  penalty(w),

by Newton's method, and then joins the memory as a quadratic itself. That one is not the tangent at the minimum w: later
batches will move the coefficients on, by about what is unknown about them now, so that slope and curvature are those
expected around w. Without this each batch would leave a small error of the same sign.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from logreg.descent import Descent
from logreg.factor import Factor
from logreg.loss import terms
from logreg.objective import Objective
from logreg.penalty import Ridge
from logreg.preconditioner import FullCurvature
from logreg.products import Block, add_full, is_sparse, pieces, product
from logreg.rows import MemoryRows, Rows
from logreg.scale import Scale
from logreg.solve import Solution, solve
from logreg.stop import Limits, Status
from logreg.sums import Array, CurvatureKind, Sums

STILL_TO_COME = 4.0  # rows that a stream is expected to have in the end, over those that it has had
NODES = np.array([-(3.0**0.5), 0.0, 3.0**0.5])  # of a normal score, by Gauss and Hermite,
SHARES = np.array([1.0, 4.0, 1.0]) / 6.0  # and their weights
MIDDLE = 1


@dataclass(frozen=True)
class Quadratic:
    """A loss that is known as ``constant + linear'w + w'Hw / 2``, of rows that nobody holds any more.

    Attributes
    ----------
    weight : float
        Of those rows.
    constant : float
    linear : ndarray of shape (d + 1,)
    curvature : ndarray of shape (d + 1, d + 1)
    """

    weight: float
    constant: float
    linear: Array
    curvature: Array

    @classmethod
    def nothing(cls, n_columns: int) -> Quadratic:
        """Return the loss of no rows."""
        return cls(0.0, 0.0, np.zeros(n_columns + 1), np.zeros((n_columns + 1, n_columns + 1)))

    @classmethod
    def around(cls, W: Array, sums: Sums) -> Quadratic:
        """Return the quadratic that has these sums at coefficients W (d + 1, 1), full curvature among them."""
        assert sums.curvature is not None
        w, gradient, H = W[:, 0], sums.gradient[:, 0], sums.curvature[0]
        pull = H @ w
        constant = float(sums.loss[0] - gradient @ w + 0.5 * pull @ w)
        return cls(float(sums.weight[0]), constant, gradient - pull, H)

    def __add__(self, other: Quadratic) -> Quadratic:
        """Add the losses of other rows."""
        return Quadratic(
            self.weight + other.weight,
            self.constant + other.constant,
            self.linear + other.linear,
            self.curvature + other.curvature,
        )

    def times(self, share: float) -> Quadratic:
        """Return the same as if the rows had a share of their weights."""
        return Quadratic(share * self.weight, share * self.constant, share * self.linear, share * self.curvature)

    def sums(self, W: Array) -> Sums:
        """Return the sums at coefficients W of shape (d + 1, 1), as if a pass had found them."""
        pull = self.curvature @ W
        loss = self.constant + ((self.linear[:, None] + 0.5 * pull) * W).sum(axis=0)
        return Sums(np.array([self.weight]), loss, self.linear[:, None] + pull, self.curvature[None])


class RememberingRows(Rows):
    """A batch of rows, and a memory of others: their sums are added."""

    def __init__(self, batch: MemoryRows, memory: Quadratic) -> None:
        self.batch, self.memory = batch, memory
        self.n_rows, self.n_columns, self.n_values = batch.n_rows, batch.n_columns, batch.n_values
        self.positive_fraction, self.compiled, self.origin = batch.positive_fraction, batch.compiled, batch.origin
        self.total_weight = batch.total_weight + memory.weight
        self.smallest_weight = 0.0 if memory.curvature.any() else batch.smallest_weight  # a quadratic proves nothing

    def sums(self, W: Array, kind: CurvatureKind = "none") -> Sums:
        """Make one pass over the batch, for the full curvature whatever is asked for."""
        return self.batch.sums(W, "full") + self.memory.sums(W)

    def curvature(self, W: Array, scale: Scale, columns: np.ndarray | None = None) -> np.ndarray:
        """Return the mean curvature of all columns in coordinates."""
        sums = self.sums(W, "full")
        assert sums.curvature is not None
        found: np.ndarray = scale.curvature(sums.curvature) / self.total_weight
        return found

    def sample(self, n_rows: int, seed: int) -> Rows:
        """Return all: a memory has no rows to draw from."""
        return self


def absorb(
    memory: Quadratic,
    batch: MemoryRows,
    penalty: Ridge,
    start: Array,
    limits: Limits,
    *,
    intercept: bool = True,
    one_class: bool = False,
) -> tuple[Quadratic, Solution]:
    """Take in a batch: return the memory with it, and the minimum of memory, batch and penalty.

    While they determine no minimum, because columns separate the few outcomes so far or all are of one class, a row
    of the batch is added that says nothing: the curvature at coefficients of 0 with the weight of one row (the unit
    information prior of Kass and Wasserman, J. Am. Stat. Assoc. 90, 1995). It is forgotten with the next batch.

    Parameters
    ----------
    memory : Quadratic
    batch : MemoryRows
    penalty : Ridge
        On the scale of the mean over memory and batch.
    start : ndarray of shape (d + 1, 1)
    limits : Limits
    intercept, one_class : bool
        Whether there is one; whether all rows so far, of the memory and the batch, have the same outcome.

    Notes
    -----
    ``2 m d**2`` flops a step for m rows, of which there are two to five, as many for what is expected around the
    minimum, and ``d**3``. Each batch at its own optimum is the implicit step of the recursive variational Gaussian
    approximation (Lambert, Bonnabel and Bach, Stat. Comput. 32, 2022); with one step and the tangent it would be the
    extended Kalman filter (Ollivier, Electron. J. Stat. 12, 2018).
    """
    rows = RememberingRows(batch, memory)
    solution = minimise(rows, penalty, start, limits, intercept)
    if one_class or not solution.status[0].is_optimum:
        null = np.zeros_like(start)
        said_nothing = Quadratic.around(null, batch.sums(null, "full")).times(1.0 / batch.total_weight)
        said_nothing = replace(said_nothing, weight=0.0, constant=0.0, linear=np.zeros(len(start)))
        rows = RememberingRows(batch, memory + said_nothing)
        solution = replace(minimise(rows, penalty, null, limits, intercept), status=[Status.SEPARATED])
    W = solution.coefficients
    unknown = still_unknown(rows.sums(W, "full"), penalty, intercept)
    expected = reduce(add, batch.map(lambda block: expected_sums(block, W, unknown), batch.chunks()))
    return memory + Quadratic.around(W, expected), solution


def minimise(rows: Rows, penalty: Ridge, start: Array, limits: Limits, intercept: bool) -> Solution:
    """Return the minimum by Newton's method."""
    return solve(rows, penalty, start, Descent(FullCurvature(1), limits.tol, penalty.free), limits, intercept=intercept)


def still_unknown(sums: Sums, penalty: Ridge, intercept: bool) -> Array:
    """Return the covariance of the way that coefficients still have to go, from sums where they are, (d + 1, d + 1).

    That is the inverse curvature now, less the one expected at the end of the stream; little where the penalty knows
    more than the rows do.
    """
    scale = Scale.from_sums(sums, penalty.strength, intercept)
    objective = Objective(scale, penalty)
    H, pull = objective.curvature(sums, 0), np.diag(objective.penalty_curvature[0])
    one = np.eye(len(H))
    ahead = Factor(H + pull).solve(one) - Factor(STILL_TO_COME * H + pull).solve(one)
    found: Array = scale.coefficients(scale.coefficients(ahead).T) / sums.weight[0]
    return found


def expected_sums(block: Block, W: Array, unknown: Array) -> Sums:
    """Return the sums over a block at W of shape (d + 1, 1), gradient and curvature as expected around there.

    With coefficients of mean W and covariance V the score of a row has the mean ``z_i`` and the variance
    ``x_i'V x_i``: its residual and its curvature are averaged over that.
    """
    total = Sums.zeros(len(W) - 1, 1, "full")
    assert total.curvature is not None
    for piece in pieces(block, len(W), "full"):
        X = piece.values()
        scores = product(X, W[:-1]) + W[-1]
        if piece.offset is not None:
            scores += piece.offset[:, None]
        nodes = scores + np.sqrt(variances(X, unknown))[:, None] * NODES
        loss, residual, curvature = terms(nodes, piece.y)
        weight = np.ones(len(piece.y)) if piece.weight is None else piece.weight
        residual, curvature = (weight * (term @ SHARES) for term in (residual, curvature))
        total.weight[:] += weight.sum()
        total.loss[:] += weight @ loss[:, MIDDLE]
        total.gradient[:-1, 0] += X.T @ residual
        total.gradient[-1] += residual.sum()
        add_full(X, curvature[:, None], total.curvature)
    return total


def variances(X: Any, V: Array) -> Array:
    """Return ``(x_i, 1)' V (x_i, 1)`` of all rows, shape (n,)."""
    half = X @ V[:-1, :-1]
    of_columns = np.asarray(X.multiply(half).sum(axis=1)).ravel() if is_sparse(X) else np.einsum("ij,ij->i", half, X)
    found: Array = np.maximum(of_columns + 2.0 * (X @ V[:-1, -1]) + V[-1, -1], 0.0)
    return found
