"""Where a fit has ended: the curvature of all rows there, taken once for all that ask for it."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from logreg.loss import Array
from logreg.penalty import Ridge
from logreg.plan import are_few
from logreg.rows import PartedRows, SelectableRows
from logreg.scale import Scale
from logreg.sums import Sums

SAMPLED = 20_000  # rows that give the coordinates


class Optimum:
    """Coefficients W of shape (d + 1, 1), in the units of the rows, at which a fit under a ridge has ended.

    What is asked for is computed then, from one pass at ``2 n d**2`` flops and a pass for the gradient. The mask
    ``left_out`` tells columns that have no coefficient.
    """

    def __init__(
        self,
        rows: SelectableRows | PartedRows,
        W: Array,
        ridge: Ridge,
        *,
        intercept: bool,
        left_out: np.ndarray | None = None,
    ) -> None:
        self.rows, self.W, self.ridge, self.intercept = rows, W, ridge, intercept
        self.left_out = np.zeros(rows.n_columns, dtype=bool) if left_out is None else left_out

    @cached_property
    def _sums(self) -> Sums:
        """The sums over all rows; with their full curvature, if they are few."""
        return self.rows.sums(self.W, "full" if are_few(self.rows) else "none")

    @property
    def gradient(self) -> Array:
        """The gradient of the loss, summed over the rows, shape (d + 1, 1)."""
        return self._sums.gradient

    @cached_property
    def curvature(self) -> tuple[Scale, Array]:
        """Coordinates of about unit curvature, and the mean curvature of all rows in them, (d + 1, d + 1).

        Of many rows a sample gives the coordinates; columns that it does not show stay as they are.
        """
        strength = self.ridge.strength
        if are_few(self.rows):
            scale = Scale.from_sums(self._sums, strength, self.intercept)
            assert self._sums.curvature is not None
            return scale, scale.curvature(self._sums.curvature[0] / self._sums.weight[0])
        scale = Scale.from_sums(self.rows.sample(SAMPLED, 0).sums(self.W, "diagonal"), strength, self.intercept)
        hidden = scale.unit[:-1] == 0.0
        scale.center[:-1][hidden], scale.unit[:-1][hidden] = 0.0, 1.0
        return scale, self.rows.exact_curvature(self.W, scale)[0]
