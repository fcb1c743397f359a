"""Cross-validation as versions of the rows: every fold's fit under every penalty, together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from logreg.elastic import FREE, tolerances
from logreg.nearby import Ends, fit_nearby
from logreg.penalty import ElasticNet, Ridge
from logreg.plan import fit as fit_rows
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
        pairs = [(row_numbers(train), row_numbers(test)) for train, test in splits]
        if not pairs:
            raise ValueError("cv yields no splits; pass a number of folds, a splitter, or a list of (train, test).")
        problem = setup.problem
        counted = np.ones(len(problem.y), dtype=bool) if problem.weight is None else problem.weight > 0
        for f, (train, test) in enumerate(pairs):
            for name, rows in (("trains on", train), ("holds out", test)):
                there = problem.classes[np.unique(problem.y[rows[counted[rows]]])].tolist()
                if not there or (name == "trains on" and len(there) < 2):
                    what = f"rows of one class only, {there[0]!r}" if there else "no rows that count"
                    raise ValueError(f"Fold {f} {name} {what}; use StratifiedKFold, or fewer folds.")
        return cls([train for train, _ in pairs], [test for _, test in pairs])

    def __len__(self) -> int:
        """Return the number of folds."""
        return len(self.train)

    def counts(self, n_rows: int) -> np.ndarray:
        """Return how often each row counts in the training set of each fold, shape (F, n): bools where they can be."""
        counts = np.stack([np.bincount(train, minlength=n_rows) for train in self.train])
        return counts.astype(np.bool_ if counts.max() <= 1 else np.float64)


def row_numbers(chosen: Any) -> np.ndarray:
    """Return the numbers of chosen rows, which may be a mask."""
    rows = np.asarray(chosen)
    return np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.intp)


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
    """Fits of all rows and of each fold, for one l1_ratio and C penalties.

    Attributes
    ----------
    whole : ndarray of shape (d + 1, C)
        Coefficients of the fits of all rows, in the units of the rows.
    folds : ndarray of shape (F, C, d + 1)
    n_iter : ndarray of int, shape (F, C)
    unfinished : int
        Fits that did not arrive,
    decrement : float
        and how far the farthest is from its optimum, in standard errors; NaN with an L1 part.
    n_passes : int
    """

    whole: Array
    folds: Array
    n_iter: np.ndarray
    unfinished: int
    decrement: float
    n_passes: int


def fit_grid(
    setup: Setup, rows: VersionedRows, inverse_Cs: Array, l1_ratio: float, limits: Limits, seed: int
) -> GridOfFits:
    """Fit all rows and every fold under C penalties; ``rows`` has a version for each fold and C models of it.

    A ridge's fits of all rows travel together, and then those of the folds, each from its own. With an L1 part or
    bounds each fold is a path of its own, from strong penalties to weak ones.
    """
    as_given = setup.problem.total_weight / setup.rows.total_weight
    total_weight = (as_given * rows.total_weight).reshape(rows.n_versions, -1)
    if setup.is_ridge(l1_ratio):
        return _ridges(setup, rows, inverse_Cs, inverse_Cs / total_weight, limits, seed)
    paths = [_down(setup, setup.rows, setup.spread, setup.strengths(inverse_Cs), l1_ratio, limits)]
    for f, strengths in enumerate(inverse_Cs / total_weight):
        version = rows.version(f)
        spread = version.spread() if setup.standardize else 1.0
        paths.append(_down(setup, version, spread, strengths, l1_ratio, limits))
    return GridOfFits(
        whole=paths[0].coefficients,
        folds=np.stack([path.coefficients.T for path in paths[1:]]),
        n_iter=np.stack([path.n_iter for path in paths[1:]]),
        unfinished=sum(not status.is_optimum for path in paths for status in path.status),
        decrement=np.nan,
        n_passes=sum(path.n_passes for path in paths),
    )


def paths_of(setup: Setup, fits: list[GridOfFits]) -> Array:
    """Return the coefficients of all folds in the user's units, shape (F, R, C, d + 1)."""
    stacked = np.stack([fit.folds for fit in fits], axis=1)
    W = setup.rows.in_user_units(stacked.reshape(-1, stacked.shape[-1]).T)
    return W.T.reshape(stacked.shape)


def _ridges(
    setup: Setup, rows: VersionedRows, inverse_Cs: Array, strengths: Array, limits: Limits, seed: int
) -> GridOfFits:
    ridges = setup.ridge(setup.strengths(inverse_Cs))
    to_start_from = replace(limits, tol=max(limits.tol, NEARBY))
    solution, _ = fit_rows(setup.rows, ridges, "auto", to_start_from, intercept=setup.intercept, seed=seed)
    whole = Ends.of(solution)
    n_folds, n_Cs = strengths.shape
    spread: Array | float = 1.0
    if setup.standardize:
        spread = np.repeat([rows.version(f).spread() for f in range(n_folds)], n_Cs, axis=0).T
    penalty = Ridge.of_factors(strengths.ravel(), setup.factor, spread)
    neighbour = np.tile(np.arange(n_Cs), n_folds)
    near = fit_nearby(rows, penalty, whole.coefficients, neighbour, limits, intercept=setup.intercept, seed=seed)
    every = whole.join([near])
    W = every.coefficients
    W[:-1][np.isinf(setup.factor)] = 0.0
    late = np.array([not status.is_optimum for status in every.status])
    return GridOfFits(
        whole=W[:, :n_Cs],
        folds=W[:, n_Cs:].T.reshape(n_folds, n_Cs, -1),
        n_iter=near.n_iter.reshape(n_folds, n_Cs),
        unfinished=int(late.sum()),
        decrement=float(every.decrement[late].max(initial=0.0)),
        n_passes=every.n_passes,
    )


def _down(
    setup: Setup, rows: SelectableRows, spread: Array | float, strengths: Array, l1_ratio: float, limits: Limits
) -> Ends:
    """Fit a path of elastic nets over rows; its answers are in the order of the strengths."""
    unit = ElasticNet.of_factors(l1_ratio, setup.factor, spread, setup.bounds)
    path = ElasticPath(rows, unit, replace(limits, tol=FREE * limits.tol), setup.intercept)
    W = np.zeros((rows.n_columns + 1, len(strengths)))
    status, n_iter, objective = [Status.CONVERGED] * len(strengths), np.zeros(len(strengths), int), np.zeros(0)
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
    return Ends(W, status, n_iter, objective, objective, path.n_passes)
