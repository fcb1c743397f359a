"""Where a fit has ended: what all rows say there, found once for all that ask."""

from __future__ import annotations

from functools import cached_property, partial, reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np

from logreg.inference.margins import linear_scores, signs_of
from logreg.loss import Array
from logreg.penalty import Ridge
from logreg.plan import are_few
from logreg.products import Block, pieces, product
from logreg.rows import PartedRows, SelectableRows
from logreg.scale import Scale
from logreg.sigmoid import sigmoid
from logreg.solve import Solution
from logreg.sums import Sums

SAMPLED = 20_000  # rows that give the coordinates, where the descent did not


class Optimum:
    """Coefficients W of shape (d + 1, 1), in the units of the rows, at which a fit under a ridge has ended.

    What is asked for is found then: one pass at ``2 n d**2`` flops for the curvature, and one for margins.

    Parameters
    ----------
    rows : SelectableRows or PartedRows
    W : ndarray of shape (d + 1, 1)
    ridge : Ridge
    intercept : bool
    left_out : ndarray of bool, shape (d,), default=None
        Columns that have no coefficient.
    solution : Solution, default=None
        Of the fit, whose last pass has the gradient.
    """

    def __init__(
        self,
        rows: SelectableRows | PartedRows,
        W: Array,
        ridge: Ridge,
        *,
        intercept: bool,
        left_out: np.ndarray | None = None,
        solution: Solution | None = None,
    ) -> None:
        self.rows, self.W, self.ridge, self.intercept = rows, W, ridge, intercept
        self.left_out = np.zeros(rows.n_columns, dtype=bool) if left_out is None else left_out
        self.solution = solution
        self.seen: Margins | None = None

    @cached_property
    def _sums(self) -> Sums:
        """The sums over all rows; with their full curvature, if they are few."""
        return self.rows.sums(self.W, "full" if are_few(self.rows) else "none")

    @property
    def gradient(self) -> Array:
        """The gradient of the loss, summed over the rows, shape (d + 1, 1)."""
        last = self.solution
        if are_few(self.rows) or last is None or last.scale is None or last.gradient is None:
            return self._sums.gradient
        return float(self.rows.total_weight) * last.scale.raw_gradient(last.gradient)

    @cached_property
    def curvature(self) -> tuple[Scale, Array]:
        """Coordinates of about unit curvature, and the mean curvature of all rows in them, (d + 1, d + 1).

        Of many rows the descent has coordinates, or a sample gives them; columns that they freeze stay as they are.
        """
        if are_few(self.rows):
            scale = Scale.from_sums(self._sums, self.ridge.strength, self.intercept)
            assert self._sums.curvature is not None
            return scale, scale.curvature(self._sums.curvature[0] / self._sums.weight[0])
        known = None if self.solution is None else self.solution.scale
        if known is None:
            sample = self.rows.sample(SAMPLED, 0).sums(self.W, "diagonal")
            known = Scale.from_sums(sample, self.ridge.strength, self.intercept)
        scale = Scale(known.center.copy(), known.unit.copy())
        hidden = scale.unit[:-1] == 0.0
        scale.center[:-1][hidden], scale.unit[:-1][hidden] = 0.0, 1.0
        return scale, self.rows.exact_curvature(self.W, scale)[0]

    def margins(self, limit: float | None = None) -> Margins:
        """Return what margins of all rows tell, which is seen once, unless there is a limit to count rows beyond."""
        if self.seen is None or limit is not None:
            look = partial(sums_of_margins, W=self.W, limit=np.inf if limit is None else limit)
            self.seen = Margins(*self.rows.total(look).tolist())
        return self.seen

    @property
    def discrimination(self) -> float:
        """The difference of mean probabilities between the outcomes (Tjur, Am. Stat. 63, 2009)."""
        share, (_, positive, negative) = float(self.rows.positive_fraction), self.margins()
        return 1.0 - (positive / share + negative / (1.0 - share)) / float(self.rows.total_weight)


class Margins(NamedTuple):
    """How many rows that count have a margin beyond a limit, and the sums of ``|y - p|`` over those of each outcome."""

    n_beyond: float
    positive: float
    negative: float


def margins_of(rows: SelectableRows, W: Array) -> Array:
    """Return the scores of all rows, with the sign of their outcomes, shape (n,)."""
    found = linear_scores(rows, W)[:, 0]
    if rows.offset is not None:
        found += rows.offset
    found *= signs_of(rows)
    return found


def sums_of_margins(rows: SelectableRows, W: Array, limit: float) -> Any:
    """Return :class:`Margins` of some rows as an array, so that they add up."""
    look = partial(sums_over_block, W=W, limit=limit)
    return reduce(add, rows.map(look, rows.chunks()))


def sums_over_block(block: Block, W: Array, limit: float) -> Array:
    """Return the same of a block of rows, piece by piece."""
    found = np.zeros(3)
    for piece in pieces(block, 1, "none"):
        wrong = product(piece.values(), W[:-1])[:, 0]
        wrong += W[-1, 0]
        if piece.offset is not None:
            wrong += piece.offset
        wrong *= 1.0 - 2.0 * piece.y
        missed = sigmoid(wrong)
        if not wrong.min() > -limit:
            counted = True if piece.weight is None else piece.weight > 0.0
            found[0] += np.count_nonzero(counted & ~(wrong > -limit))
        if piece.weight is not None:
            missed *= piece.weight
        positive = missed @ piece.y.astype(np.float64)
        found[1:] += positive, missed.sum() - positive
    return found
