"""Cross-validation as versions of the rows: every fold's fit under every penalty, together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from logreg.elastic import FREE, tolerances
from logreg.nearby import Ends, Neighbours, fit_nearby, fit_together
from logreg.penalty import ElasticNet, Ridge
from logreg.plan import are_many, start_on_samples
from logreg.rows import SelectableRows, VersionedRows
from logreg.setup import Setup
from logreg.stop import Limits, Status
from logreg.strengths import ElasticPath
from logreg.sums import Array

NEARBY = 0.01  # standard errors from the optimum that are near enough for folds to start from


@dataclass(frozen=True)
class Folds:
    """Which rows each fold trains on and which it holds out.

    Attributes
    ----------
    train, test : list of ndarray of int
        Row numbers, one array a fold.
    """

    train: list[np.ndarray]
    test: list[np.ndarray]

    @classmethod
    def of(cls, splits: Iterable[tuple[Any, Any]], setup: Setup) -> Folds:
        """Take the splits of a splitter, after checking that both classes count in every fold."""
        n = len(setup.problem.y)
        pairs = [(row_numbers(train, n, f), row_numbers(test, n, f)) for f, (train, test) in enumerate(splits)]
        if not pairs:
            raise ValueError("cv yields no splits; pass a number of folds, a splitter, or a list of (train, test).")
        problem = setup.problem
        counted = np.ones(len(problem.y), dtype=bool) if problem.weight is None else problem.weight > 0
        for f, (train, test) in enumerate(pairs):
            for name, rows in (("trains on", train), ("holds out", test)):
                there = problem.classes[np.unique(problem.y[rows[counted[rows]]])].tolist()
                if not there or (name == "trains on" and len(there) < 2):
                    what = f"rows of one class only, {there[0]!r}" if there else "no rows of positive weight"
                    cure = "use StratifiedKFold, or fewer folds" if there else "shuffle the rows, or drop such rows"
                    raise ValueError(f"Fold {f} {name} {what}; {cure}.")
        return cls([train for train, _ in pairs], [test for _, test in pairs])

    def __len__(self) -> int:
        """Return the number of folds."""
        return len(self.train)

    def counts(self, n_rows: int) -> np.ndarray:
        """Return how often each row counts in the training set of each fold, shape (F, n): bools where they can be."""
        counts = np.stack([np.bincount(train, minlength=n_rows) for train in self.train])
        return counts.astype(np.bool_ if counts.max() <= 1 else np.float64)


def row_numbers(chosen: Any, n_rows: int, fold: int) -> np.ndarray:
    """Return the numbers of the rows that a fold chooses, which may be a mask."""
    rows = np.asarray(chosen)
    if rows.dtype == np.bool_:
        return np.flatnonzero(rows)
    if rows.size and (rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n_rows):
        raise ValueError(f"Fold {fold} has rows that X has not; pass numbers from 0 to {n_rows - 1}, or masks.")
    return rows.astype(np.intp)


def balancing(setup: Setup, counts: np.ndarray, sample_weight: Array | None) -> np.ndarray:
    """Return counts that balance the classes in each training set, where the weights of the rows do so in all rows."""
    y = setup.problem.y
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    by_class = np.stack([weight * (y == 0), weight * (y == 1)], axis=1)
    here, overall = counts @ by_class, by_class.sum(axis=0)  # weights of the classes
    share: Array = (here.sum(axis=1, keepdims=True) / here) / (overall.sum() / overall)
    return np.asarray(counts * share[:, y])


@dataclass(frozen=True)
class GridOfFits:
    """Fits of each fold, for one l1_ratio and C penalties.

    Attributes
    ----------
    coefficients : ndarray of shape (F, C, d + 1)
        In the units of the rows; the last is the intercept.
    n_iter : ndarray of int, shape (F, C)
    unfinished : int
        Fits that did not arrive,
    decrement : float
        and how far the farthest is from its optimum, in standard errors; NaN with an L1 part.
    n_passes : int
    """

    coefficients: Array
    n_iter: np.ndarray
    unfinished: int
    decrement: float
    n_passes: int


def fit_grid(
    setup: Setup, rows: VersionedRows, inverse_Cs: Array, l1_ratio: float, limits: Limits, seed: int
) -> GridOfFits:
    """Fit every fold under C penalties; ``rows`` has a version for each fold and C models of it.

    All ridges travel together. With an L1 part or bounds each fold is a path of its own, from strong penalties to weak
    ones.
    """
    as_given = setup.total_weight / setup.rows.total_weight
    total_weight = (as_given * rows.total_weight).reshape(rows.n_versions, -1)
    strengths = inverse_Cs / total_weight
    if setup.is_ridge(l1_ratio):
        ends = _ridges(setup, rows, inverse_Cs, strengths, limits, seed)
    else:
        paths = []
        for f, of_fold in enumerate(strengths):
            version = rows.version(f)
            spread = version.spread() if setup.standardize else 1.0
            paths.append(_down(setup, version, spread, of_fold, l1_ratio, limits))
        ends = paths[0].join(paths[1:])
    late = np.array([status in (Status.OUT_OF_PASSES, Status.SEPARATED) for status in ends.status])
    return GridOfFits(
        coefficients=ends.coefficients.T.reshape(*strengths.shape, -1),
        n_iter=ends.n_iter.reshape(strengths.shape),
        unfinished=int(late.sum()),
        decrement=float(ends.decrement[late].max(initial=0.0)),
        n_passes=ends.n_passes,
    )


def paths_of(setup: Setup, fits: list[GridOfFits]) -> Array:
    """Return the coefficients of all folds in the user's units, shape (F, R, C, d + 1)."""
    stacked = np.stack([fit.coefficients for fit in fits], axis=1)
    W = setup.rows.in_user_units(stacked.reshape(-1, stacked.shape[-1]).T)
    return W.T.reshape(stacked.shape)


def _ridges(setup: Setup, rows: VersionedRows, inverse_Cs: Array, strengths: Array, limits: Limits, seed: int) -> Ends:
    """Fit all folds under all ridges, from samples of the rows where there are many, else from the fits of all rows."""
    ridges, whole = setup.ridge(setup.strengths(inverse_Cs)), setup.rows
    n_folds, n_Cs = strengths.shape
    n_passes = 0
    if are_many(whole):
        near = start_on_samples(whole, ridges, "auto", setup.intercept, seed)
    else:
        to_start_from = replace(limits, tol=max(limits.tol, NEARBY))
        of_all = fit_together(whole, ridges, to_start_from, intercept=setup.intercept, seed=seed)
        near, n_passes = of_all.coefficients, of_all.n_passes
    spread: Array | float = 1.0
    if setup.standardize:
        spread = np.repeat([rows.version(f).spread() for f in range(n_folds)], n_Cs, axis=0).T
    penalty = Ridge.of_factors(strengths.ravel(), setup.factor, spread)
    neighbours = Neighbours(near, np.tile(np.arange(n_Cs), n_folds))
    ends = fit_nearby(rows, penalty, neighbours, limits, intercept=setup.intercept, seed=seed)
    ends.coefficients[:-1][setup.left_out] = 0.0
    return replace(ends, n_passes=n_passes + ends.n_passes)


def _down(
    setup: Setup, rows: SelectableRows, spread: Array | float, strengths: Array, l1_ratio: float, limits: Limits
) -> Ends:
    """Fit a path of elastic nets over rows; its answers are in the order of the strengths."""
    unit = ElasticNet.of_factors(l1_ratio, setup.factor, spread, setup.bounds)
    path = ElasticPath(rows, unit, replace(limits, tol=FREE * limits.tol), setup.intercept)
    W = np.zeros((rows.n_columns + 1, len(strengths)))
    status, n_iter = [Status.CONVERGED] * len(strengths), np.zeros(len(strengths), dtype=np.intp)
    unknown = np.full(len(strengths), np.nan)
    if path.separated is not None:
        W[:] = path.separated.coefficients
        status = [Status.SEPARATED] * len(strengths)
    else:
        order = np.argsort(-strengths, kind="stable")
        enough = tolerances(path.largest or 1.0, strengths[order], limits.tol)
        for k, tolerance, found in zip(order.tolist(), enough, path.down(strengths[order], enough), strict=True):
            W[:, k], n_iter[k] = found.place.w, len(found.history)
            if found.violation > tolerance and len(found.history) >= limits.max_iter:
                status[k] = Status.OUT_OF_PASSES
    return Ends(W, status, n_iter, unknown, unknown, path.n_passes)
