"""Streams: what a model remembers of batches that it has seen once, and how it takes in another.

The memory is a sum of quadratics, one a batch: d x d numbers, no rows. A batch moves the coefficients to the minimum of

    memory(w)  +  loss of the batch at w  +  penalty(w),

by Newton's method, and then joins the memory as a quadratic itself. That one is not the tangent at the minimum w: later
batches will move the coefficients on, by about what is unknown about them now, so that slope and curvature are those
expected around w. Without this each batch would leave a small error of the same sign.

Coefficients that moved farther leave the memory with quadratics of places where they are no longer. The rows are gone,
but each batch of a shuffled stream is a sample of them: the memory is carried along by the change of the expected
quadratics of the batch's rows, each of which stands for many. A batch carries the memory over the move before itself,
of which its rows are independent, those of either outcome for their like.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from logreg.descent import Descent
from logreg.expected import Normal, carried_sums, expected_sums
from logreg.factor import Factor
from logreg.objective import Objective
from logreg.penalty import Ridge
from logreg.preconditioner import FullCurvature
from logreg.rows import MemoryRows, Rows
from logreg.scale import Scale
from logreg.solve import NonFiniteSumsError, Solution, solve
from logreg.stop import Limits, Status
from logreg.sums import Array, CurvatureKind, Sums

STILL_TO_COME = 4.0  # rows that a stream is expected to have in the end, over those that it has had
KEPT = 0.5  # of the curvature of a memory in every direction, at least, when it is carried along
HALVINGS = 4
ROUNDING = 1e-9  # of a unit diagonal


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


@dataclass(frozen=True)
class Memory:
    """The quadratic of all batches so far, and where they were when they became part of it.

    Attributes
    ----------
    quadratic : Quadratic
    old, last : ndarray of shape (2,)
        The weights of the two outcomes in all batches but the last, and in the last.
    places : tuple of Normal
        At most two: the coefficients around which the old ones are expected, and the last.
    """

    quadratic: Quadratic
    old: Array
    last: Array
    places: tuple[Normal, ...] = ()

    @classmethod
    def nothing(cls, n_columns: int) -> Memory:
        """Return the memory of no batches."""
        return cls(Quadratic.nothing(n_columns), np.zeros(2), np.zeros(2))

    def times(self, share: float) -> Memory:
        """Return the same as if the rows had a share of their weights."""
        return replace(self, quadratic=self.quadratic.times(share), old=share * self.old, last=share * self.last)


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
    memory: Memory,
    batch: MemoryRows,
    penalty: Ridge,
    start: Array,
    limits: Limits,
    *,
    intercept: bool = True,
    one_class: bool = False,
) -> tuple[Memory, Solution]:
    """Take in a batch: return the memory with it, and the minimum of memory, batch and penalty.

    While they determine no minimum, because columns separate the few outcomes so far or all are of one class, a row
    of the batch is added that says nothing: the curvature at coefficients of 0 with the weight of one row (the unit
    information prior of Kass and Wasserman, J. Am. Stat. Assoc. 90, 1995). It is forgotten with the next batch.

    Parameters
    ----------
    memory : Memory
    batch : MemoryRows
    penalty : Ridge
        On the scale of the mean over memory and batch.
    start : ndarray of shape (d + 1, 1)
    limits : Limits
    intercept, one_class : bool
        Whether there is one; whether all rows so far, of the memory and the batch, have the same outcome.

    Notes
    -----
    ``2 m d**2`` flops a step for m rows, of which there are two to five, twice as many for what is expected around the
    minimum, seven times as many to carry the memory, and about ``12 d**3``. Each batch at its own optimum is the
    implicit step of the recursive variational Gaussian approximation (Lambert, Bonnabel and Bach, Stat. Comput. 32,
    2022); with one step and the tangent it would be the extended Kalman filter (Ollivier, Electron. J. Stat. 12, 2018).
    """
    known = carried(memory, batch, penalty, intercept)
    rows = RememberingRows(batch, known)
    solution = minimise(rows, penalty, start, limits, intercept)
    if one_class or not solution.status[0].is_optimum:
        null = np.zeros_like(start)
        said_nothing = Quadratic.around(null, batch.sums(null, "full")).times(1.0 / batch.total_weight)
        said_nothing = replace(said_nothing, weight=0.0, constant=0.0, linear=np.zeros(len(start)))
        rows = RememberingRows(batch, known + said_nothing)
        solution = replace(minimise(rows, penalty, null, limits, intercept), status=[Status.SEPARATED])
    W = solution.coefficients
    here = Normal(W, still_unknown(rows.sums(W, "full"), penalty, intercept))
    expected = added(expected_sums(block, here) for block in batch.chunks())
    outcomes = np.bincount(batch.y, batch.weight, minlength=2).astype(float)
    places = *memory.places[-1:], here
    return Memory(known + Quadratic.around(W, expected), memory.old + memory.last, outcomes, places), solution


def carried(memory: Memory, batch: MemoryRows, penalty: Ridge, intercept: bool) -> Quadratic:
    """Return the quadratic of a memory, its old batches carried to the place of the last by the rows of a new one.

    Of the change as much is taken as leaves half of the curvature in every direction, by halving; none of a column
    about which the memory knows nothing.
    """
    known = memory.quadratic
    if len(memory.places) < 2:
        return known
    before, after = memory.places
    sums = replace(known.sums(before.mean), weight=np.array([known.weight + batch.total_weight]))
    inverse = inverse_curvature(sums, penalty, intercept)
    outcomes = np.bincount(batch.y, batch.weight, minlength=2)
    times = np.divide(memory.old, outcomes, out=np.zeros(2), where=outcomes > 0.0)
    sample = batch.sums(before.mean, "full")
    if not sample.all_finite():
        raise NonFiniteSumsError
    assert sample.curvature is not None
    claimed = inverse @ (known.weight / batch.total_weight * sample.curvature[0]) @ inverse
    found = [carried_sums(block, before, after, times, inverse, claimed) for block in batch.chunks()]
    there, here = (added(parts) for parts in zip(*found, strict=True))
    change = Quadratic.around(after.mean, here) + Quadratic.around(before.mean, there).times(-1.0)
    scale = Scale.from_sums(sums, penalty.strength, intercept)
    objective = Objective(scale, penalty)
    enough = (1.0 - KEPT) * (objective.curvature(sums, 0) + np.diag(objective.penalty_curvature[0]))
    moved = scale.curvature(change.curvature) / sums.weight[0]
    varies = scale.unit > 0.0
    change = replace(change, weight=0.0, linear=change.linear * varies)
    change = replace(change, curvature=change.curvature * np.outer(varies, varies))
    for share in 0.5 ** np.arange(HALVINGS):
        if is_positive(enough + share * moved):
            return known + change.times(share)
    return known


def is_positive(H: Array) -> bool:
    """Tell whether a curvature of about unit diagonal is positive in every direction, or 0 to rounding."""
    try:
        np.linalg.cholesky(H + ROUNDING * np.eye(len(H)))
    except np.linalg.LinAlgError:
        return False
    return True


def added(sums: Iterable[Sums]) -> Sums:
    """Return the sums over all of some disjoint sets of rows."""
    return reduce(add, sums)


def minimise(rows: Rows, penalty: Ridge, start: Array, limits: Limits, intercept: bool) -> Solution:
    """Return the minimum by Newton's method."""
    return solve(rows, penalty, start, Descent(FullCurvature(1), limits.tol, penalty.free), limits, intercept=intercept)


def still_unknown(sums: Sums, penalty: Ridge, intercept: bool) -> Array:
    """Return the covariance of the way that coefficients still have to go, from sums where they are, (d + 1, d + 1).

    That is the inverse curvature now, less the one expected at the end of the stream; little where the penalty knows
    more than the rows do.
    """
    now, at_the_end = (inverse_curvature(sums, penalty, intercept, share) for share in (1.0, STILL_TO_COME))
    return now - at_the_end


def inverse_curvature(sums: Sums, penalty: Ridge, intercept: bool, share: float = 1.0) -> Array:
    """Return the inverse of the curvature of sums and penalty, (d + 1, d + 1), as if there were so many times the rows.

    The sums' weight is that of the mean beside which the penalty stands.
    """
    scale = Scale.from_sums(sums, penalty.strength, intercept)
    objective = Objective(scale, penalty)
    H = share * objective.curvature(sums, 0) + np.diag(objective.penalty_curvature[0])
    found: Array = scale.coefficients(scale.coefficients(Factor(H).solve(np.eye(len(H)))).T) / sums.weight[0]
    return found
