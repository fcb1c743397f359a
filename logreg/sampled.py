"""The curvature of a sample of the rows as a preconditioner: what only the sample says of columns, and when it is told.

It stands between the diagonal and the curvature of all rows: few passes, none of which costs much more than reading.
"""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np

from logreg.factor import Factor
from logreg.objective import Objective, Point
from logreg.preconditioner import Diagonal, FullCurvature
from logreg.scale import Scale
from logreg.sums import Array, CurvatureKind, Sums

MISJUDGED = 4.0  # factor by which a sampled column's curvature is off when only few of its rows were drawn
UNSEEN = 1e-5  # share of a column's curvature, in directions of which a sample shows none
NOISE = 0.6  # the same times ``(d / m)**2``, for the noise of a sample of m rows, which makes flat directions flatter
ROUNDED = 1e-6  # the same where all rows were added up in float32
BLOCK_LASTS = 3  # times as many passes before a hot block is renewed as before it was taken
GROWTH = 4  # times as many rows, when a sample was too small


class RowSource(Protocol):
    """Rows whose curvature can be taken, of all or of a sample."""

    is_sample: bool

    def sums(self, W: Array, kind: CurvatureKind = "none") -> Sums:
        """Return the sums over the rows."""

    def curvature(self, W: Array, scale: Scale, columns: np.ndarray | None = None) -> np.ndarray:
        """Return the mean curvature of each model in coordinates, of some columns (None: all) and the intercept.

        Only the lower triangles count.
        """

    def of(self, models: np.ndarray) -> RowSource:
        """Return the rows that some models see."""

    def sample(self, n_rows: int, seed: int) -> RowSource:
        """Return a sample of them, or themselves where they are no more."""


class SampledCurvature(FullCurvature):
    """The curvature of a sample of the rows, its diagonal made exact by a pass over all of them.

    It is kept as long as it contracts well, and renewed where the descent stands when it does not. When that does not
    help, near the optimum, the sample was too small: it grows until it is all rows, whose curvature is first rounded to
    float32, then taken to the last digit. Costs ``2 m d**2`` flops a renewal for m sampled rows.
    """

    name = "sampled-curvature"
    wants: CurvatureKind = "diagonal"
    exact = False
    memory = 10

    def __init__(self, n_models: int, rows: RowSource, n_sampled: int, seed: int, price: float = 1.0) -> None:
        super().__init__(n_models)
        self.all_rows, self.n_sampled, self.seed, self.price = rows, n_sampled, seed, price
        self.rows = rows.sample(n_sampled, seed)
        self.rounded = self.rows.is_sample
        self.shown: list[Array] = [np.empty(0)] * n_models  # diagonal of the sample, over that of all rows

    def borrow(self, factors: list[Factor]) -> Self:
        """Start with the curvatures of neighbouring models, one for each model, and keep them while they serve."""
        self.factors, self.wants = list(factors), "none"
        self.shown = [np.ones(len(factor.unit)) for factor in factors]
        return self

    def learn(self, point: Point, accepted: np.ndarray, sums: Sums, objective: Objective) -> bool:
        """Take the curvature of the models that accepted the point, when the pass brought its diagonal."""
        if sums.curvature is None or not accepted.any():
            return False
        self.wants = "none"
        self._take(point, accepted, objective, objective.diagonal(sums))
        return True

    def renew(self, point: Point, models: np.ndarray, objective: Objective, more_rows: bool) -> bool:
        """Renew at once, all rows to the last digit; a sample that hides a column or shall grow, with the next pass."""
        if not self.rows.is_sample:
            self.rounded = False
        elif more_rows:
            self.n_sampled *= GROWTH
            self.price *= GROWTH
            self.rows = self.all_rows.sample(self.n_sampled, self.seed)
            self.wants = "diagonal"
            return False
        elif not all(is_shown(self.shown[k]).all() for k in np.flatnonzero(models)):
            self.wants = "diagonal"
            return False
        self._take(point, models, objective, None)
        return True

    def _take(self, point: Point, models: np.ndarray, objective: Objective, exact: Array | None) -> None:
        penalty = objective.penalty_curvature
        chosen = np.flatnonzero(models)
        if not self.rows.is_sample and not self.rounded:
            every = self._curvature(point, chosen, objective)
            np.einsum("kjj->kj", every)[:] += penalty[chosen]
            return self.factorise(chosen, every)
        for k, H in zip(chosen.tolist(), self._curvature(point, chosen, objective), strict=True):
            if self.rows.is_sample:
                H = self._calibrated(H, k, exact)
            np.einsum("jj->j", H)[:] += penalty[k]
            ridge = self._ridge(len(H))
            while (factor := Factor(H, ridge)).diagonalised and self.rows.is_sample and ridge < 1.0:
                ridge *= 10.0  # what looks singular in a sample must not be taken for that
            if factor.diagonalised and self.rounded:  # float32 does not tell flat directions from none
                self.rounded = False
                return self._take(point, models, objective, exact)
            self.factors[k] = factor
        return None

    def _calibrated(self, H: np.ndarray, k: int, exact: Array | None) -> np.ndarray:
        sampled = np.diagonal(H).astype(np.float64)
        if exact is None:  # what the sample shows of a column has changed, how well it shows it has not
            return calibrated(H, sampled / self.shown[k])
        self.shown[k] = np.divide(sampled, exact[k], out=np.ones_like(sampled), where=exact[k] > 0)
        return calibrated(H, exact[k])

    def _ridge(self, d: int) -> float:
        return ridge_of_sample(d, self.n_sampled) if self.rows.is_sample else ROUNDED * self.rounded

    def _curvature(self, point: Point, models: np.ndarray, objective: Objective) -> np.ndarray:
        W = objective.scale.coefficients(point.B)[:, models]
        if self.rounded:
            return self.rows.of(models).curvature(W, objective.scale)
        return objective.curvature(self.rows.of(models).sums(W, "full"), np.arange(len(models)))


def ridge_of_sample(n_columns: int, n_sampled: int) -> float:
    """Return what is added to the unit diagonal of a sampled curvature, for what the sample does not tell."""
    return UNSEEN + NOISE * (n_columns / n_sampled) ** 2


def is_shown(share: Array) -> np.ndarray:
    """Tell which columns a sample shows well, of whose curvature it has such shares."""
    return (share > 1 / MISJUDGED) & (share < MISJUDGED)


def calibrated(H: np.ndarray, diagonal: Array) -> np.ndarray:
    """Rescale a sampled curvature in place to an exact diagonal, and return it.

    A column that the sample shows with a quite different curvature was hardly seen in it, and varies alone.
    """
    sampled = np.diagonal(H)
    share = np.divide(sampled, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
    ratio = np.sqrt(np.divide(1.0, share, out=np.zeros_like(diagonal), where=is_shown(share))).astype(H.dtype)
    H *= ratio
    H *= ratio[:, None]
    np.einsum("jj->j", H)[:] = diagonal
    return H


class HotBlock(Diagonal):
    """The curvature of the columns where there is most of it, from a sample of the rows; the diagonal of the others.

    Its block takes ``m a**2`` flops for m sampled rows of a numbers and ``k**3 / 3`` for the factor of k columns; it is
    renewed more and more rarely.
    """

    name = "hot-block"

    def __init__(self, n_models: int, rows: RowSource, n_columns: int, n_sampled: int, seed: int) -> None:
        super().__init__()
        self.rows, self.n_columns, self.n_sampled = rows.sample(n_sampled, seed), n_columns, n_sampled
        self.hot = np.empty(0, dtype=np.intp)
        self.due = 1
        self.factors: list[Factor | None] = [None] * n_models

    def learn(self, point: Point, accepted: np.ndarray, sums: Sums, objective: Objective) -> bool:
        """Renew the diagonal and the block when the pass brought one."""
        super().learn(point, accepted, sums, objective)
        if sums.curvature is None or not accepted.any() or self.n_learnt < self.due:
            return False
        self.due = BLOCK_LASTS * self.n_learnt
        if not self.hot.size:
            self.hot = hottest(objective.scale.unit[:-1], self.n_columns)
        chosen = np.flatnonzero(accepted)
        W = objective.scale.coefficients(point.B)[:, chosen]
        ridge = ridge_of_sample(self.n_columns, self.n_sampled) if self.rows.is_sample else 0.0
        for k, H in zip(chosen.tolist(), self.rows.of(chosen).curvature(W, objective.scale, self.hot), strict=True):
            cross, total = H[-1, :-1], H[-1, -1] or 1.0
            if not self.has_intercept:  # the sample does not tell
                total = self.total[k, 0]
                cross = total * self.mean[k, self.hot]
            penalty = objective.penalty_curvature[k, self.hot]
            block = calibrated(H[:-1, :-1] - np.outer(cross, cross / total), self.spread[k, self.hot] - penalty)
            np.einsum("jj->j", block)[:] += penalty
            self.factors[k] = Factor(block, ridge)
        return False

    def _divided(self, centred: Array) -> Array:
        divided = super()._divided(centred)
        for k, factor in enumerate(self.factors):
            if factor is not None:
                divided[self.hot, k] = factor.solve(centred[self.hot, k])
        return divided


def hottest(unit: Array, n_columns: int) -> np.ndarray:
    """Return the columns of most curvature, ascending: those of the smallest units, frozen ones aside."""
    size = np.where(unit > 0, unit, np.inf)
    return np.sort(np.argpartition(size, n_columns - 1)[:n_columns]) if n_columns < len(unit) else np.arange(len(unit))
