"""The likelihood over the rows of a fit: its values, slopes and curvatures, and optima of some of the coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from logreg import parameters
from logreg.factor import Factor
from logreg.leave_one_out import check_distance
from logreg.loss import Array
from logreg.objective import Objective, Point
from logreg.plan import WIDEST_MATRIX, null_coefficients
from logreg.rows import PartedRows, SelectableRows
from logreg.scale import CONSTANT, Scale
from logreg.setup import Setup
from logreg.solve import NonFiniteSumsError

MEMORY = 1 << 28  # bytes of inverse curvatures of models that travel together
ARRIVED = 1e-11  # twice the log-likelihood that is left to gain at an optimum
EXACT = 1e-9  # relative length of steps that ends a search
NEAR = 0.25  # twice the log-likelihood left to gain, up to which Newton's steps need no check
FALLS = 1 / 16  # of what is left, in squares, with every pass; else the curvature is taken anew
MOST_PASSES = 300


@dataclass(frozen=True)
class Likelihood:
    """Minus the log-likelihood, of the weights as given and with the ridge if any.

    Its coordinates are coefficients in units of the null model's curvature.

    Attributes
    ----------
    rows : SelectableRows or PartedRows
    objective : Objective
    total_weight : float
        The sum of the weights as given.
    null_curvature : ndarray of shape (d + 1, d + 1)
        That of the intercept's model, without the penalty's.
    """

    rows: SelectableRows | PartedRows
    objective: Objective
    total_weight: float
    null_curvature: Array

    @classmethod
    def of(cls, estimator: Any, setup: Setup) -> Self:
        """Return the likelihood of a fit; coordinates of columns that are left out or do not vary are frozen."""
        strength, l1_ratio = parameters.penalty_of(estimator)
        if not setup.is_ridge(l1_ratio):
            raise ValueError(
                "Tests and intervals from the likelihood need one that is smooth, without an L1 part or bounds; use "
                "penalty=None, or bootstrap."
            )
        rows = setup.source
        if rows.n_columns > WIDEST_MATRIX:
            raise ValueError(
                f"Tests and intervals need a curvature matrix of {rows.n_columns} columns, and it is held for up to "
                f"{WIDEST_MATRIX}; select fewer first, for example with an L1 penalty."
            )
        penalty = setup.ridge(np.array([setup.strengths(strength)]))
        sums = rows.sums(null_coefficients(rows, 1, setup.intercept), "full")
        if not sums.all_finite():
            raise NonFiniteSumsError
        unit = Scale.from_sums(sums, penalty.strength, setup.intercept).unit
        scale = Scale(np.zeros_like(unit), np.where(np.append(setup.left_out, False), 0.0, unit))
        objective, total = Objective(scale, penalty), setup.total_weight
        return cls(rows, objective, total, total * objective.curvature(sums, 0))

    @property
    def pull(self) -> Array:
        """The penalty's curvature, shape (d + 1,)."""
        pull: Array = self.total_weight * self.objective.penalty_curvature[0]
        return pull

    def coordinates(self, w: Array) -> Array:
        """Return coefficients in user units, shape (d + 1,), as coordinates, (d + 1, 1)."""
        return self.objective.scale.coordinates(self.rows.from_user_units(w[:, None]))

    def point(self, B: Array) -> Point:
        """Return value and gradient at coordinates (d + 1, K); one pass."""
        mean = self.objective.point(B, self.rows.sums(self.objective.scale.coefficients(B)))
        return Point(B, self.total_weight * mean.value, self.total_weight * mean.gradient)

    def curvature(self, B: Array) -> Array:
        """Return the curvatures at coordinates (d + 1, K), the penalty's among them, (K, d + 1, d + 1); one pass."""
        sums = self.rows.sums(self.objective.scale.coefficients(B), "full")
        H = self.total_weight * self.objective.curvature(sums, np.arange(B.shape[1]))
        np.einsum("kjj->kj", H)[:] += self.pull
        return H

    def kept(self, dropped: np.ndarray) -> np.ndarray:
        """Return the mask of coordinates (d + 1,) without those that are frozen or dropped."""
        kept: np.ndarray = self.objective.scale.unit > 0.0
        kept[dropped] = False
        return kept

    def rank(self, dropped: np.ndarray) -> int:
        """Return how many coefficients the rows determine, the intercept among them, without some columns."""
        kept = self.kept(dropped)
        scale = centred(self.null_curvature)
        H = scale.curvature(self.null_curvature)
        np.einsum("jj->j", H)[H.diagonal() <= CONSTANT * self.null_curvature.diagonal()] = 0.0
        kept &= H.diagonal() > 0.0
        return rank_of(Factor(H[np.ix_(kept, kept)]))

    def df(self, dropped: np.ndarray) -> int:
        """Return how many fewer coefficients the rows determine without some columns."""
        return self.rank(np.arange(0)) - self.rank(dropped)

    def size(self, B: Array, dropped: np.ndarray) -> float:
        """Return the effective number of coefficients, ``tr(H^-1 (H - penalty))``: without one, those determined."""
        kept = self.kept(dropped)
        if not self.pull[kept].any():
            return self.rank(dropped)
        H = self.curvature(B)
        return float(np.einsum("ij,ji->", inverses(H, kept[:, None])[0], H[0] - np.diag(self.pull)))

    def without(self, top: Point, groups: list[np.ndarray]) -> Point:
        """Return the optima without the columns of each group, all together, from the optimum with them."""
        H, kept = self.curvature(top.B), np.column_stack([self.kept(dropped) for dropped in groups])
        inverse = inverses(np.repeat(H, len(groups), axis=0), kept)
        gap = np.where(kept, 0.0, top.B)
        start = np.where(kept, top.B + (inverse @ (H[0] @ gap).T[:, :, None])[:, :, 0].T, 0.0)
        return self.minimum(start, kept, inverse)

    def minimum(self, B: Array, kept: np.ndarray, inverse: Array, arrived: float = ARRIVED) -> Point:
        """Return the optima of K models from B by Newton's steps, with the inverse curvatures given as long as it goes.

        Coordinates that a mask (d + 1, K) does not keep stay where they are. A curvature serves while that goes fast;
        without end, as of separated classes, it stops where no likelihood is left to gain.
        """
        here = self.point(B)
        before = np.full(B.shape[1], np.inf)
        for _ in range(MOST_PASSES):
            step = -(inverse @ here.gradient.T[:, :, None])[:, :, 0].T
            left = -np.einsum("jk,jk->k", here.gradient, step)
            if (slow := left > np.maximum(FALLS * before, arrived)).any():
                inverse[slow] = inverses(self.curvature(here.B[:, slow]), kept[:, slow])
                step[:, slow] = -(inverse[slow] @ here.gradient.T[slow, :, None])[:, :, 0].T
                left = -np.einsum("jk,jk->k", here.gradient, step)
            if (left <= arrived).all():
                break
            before, length, there = left, np.ones(B.shape[1]), self.point(here.B + step)
            while (worse := (there.value > here.value) & (left > NEAR) & (length > EXACT)).any():
                length[worse] /= 2.0
                there = self.point(here.B + length * step)
            here = there
        return here


def centred(H: Array) -> Scale:
    """Return coordinates in which the intercept of a curvature is orthogonal to all columns."""
    center = H[-1] / H[-1, -1] if H[-1, -1] > 0 else np.zeros(len(H))
    center[-1] = 0.0
    return Scale(center, np.ones(len(H)))


def inverses(H: Array, kept: np.ndarray | None) -> Array:
    """Return inverses, or pseudo-inverses, of K curvatures on the coordinates that a mask (d + 1, K) keeps, else 0.

    Each is centred by its own weights first, so that columns far from zero, and levels whose rows are all but certain,
    keep their digits. None keeps all.
    """
    found, everything = np.empty_like(H), np.eye(H.shape[-1])
    for k, matrix in enumerate(H):
        masked = matrix if kept is None else matrix * np.outer(kept[:, k], kept[:, k])
        scale = centred(masked)
        half = scale.coefficients(Factor(scale.curvature(masked)).solve(everything))
        found[k] = scale.coefficients(half.T)
    return found


def optimum(likelihood: Likelihood, estimator: Any, w: Array) -> Point:
    """Return the optimum, nearer than the fit stopped; raise if these are other rows."""
    parameters.refuse_firth(estimator)
    B, everything = likelihood.coordinates(w), np.ones((len(w), 1), dtype=bool)
    inverse = inverses(likelihood.curvature(B), None)
    gradient = likelihood.point(B).gradient[:, 0]
    distance = float(np.sqrt(max(gradient @ inverse[0] @ gradient, 0.0)))
    check_distance(estimator, distance)
    return likelihood.minimum(B, everything, inverse)


def turns(n_models: int, width: int) -> list[slice]:
    """Return slices of models that travel together, for their inverse curvatures of (width, width)."""
    at_once = max(1, MEMORY // (8 * width**2))
    return [slice(start, start + at_once) for start in range(0, n_models, at_once)]


def rank_of(factor: Factor) -> int:
    """Return the rank of a matrix from its factor, without the coordinates in which it is 0."""
    found = len(factor.values) if factor.diagonalised else len(factor.unit)
    return found - int(np.count_nonzero(factor.unit == 0.0))
