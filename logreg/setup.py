"""What a fit is set up with: its rows, checked, and its penalty, read off an estimator's parameters."""

from __future__ import annotations

import copy
from functools import cached_property, partial
from types import TracebackType
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from logreg import elastic, parameters, partitions, predictors, reading, validate
from logreg.batches import Scan
from logreg.penalty import ElasticNet, Ridge
from logreg.plan import Solver
from logreg.plan import fit as fit_rows
from logreg.rank import Redundancy
from logreg.rows import PartedRows, SelectableRows
from logreg.solve import NonFiniteSumsError, Solution
from logreg.stop import Limits
from logreg.sums import Array
from logreg.threads import n_threads


class Setup:
    """The rows and the penalty of a fit: ``with Setup.learn(...) as setup: ...`` holds threads for its passes.

    NaN and infinity in X, which passes find, leave it as the sentence that says where they are.

    Parameters
    ----------
    estimator : LogisticRegression
        Whose parameters these are.
    source : SelectableRows or PartedRows
        The rows, wherever they are. Rooms that need them in memory ask for ``rows``, which raises where they are not.
    total_weight : float
        The sum of the weights as given.
    problem : Problem, default=None
        The checked data, if they are in memory.
    """

    def __init__(
        self,
        estimator: Any,
        source: SelectableRows | PartedRows,
        total_weight: float,
        problem: validate.Problem | None = None,
    ) -> None:
        self.source, self.total_weight, self._problem = source, total_weight, problem
        self.names, n_terms = estimator._terms(), source.n_columns
        self.factor = parameters.penalty_factors(estimator.penalty_factor, self.names, n_terms)
        self.bounds = parameters.coefficient_bounds(estimator.bounds, estimator.positive, self.names, n_terms)
        self.intercept, self.standardize = estimator.fit_intercept, estimator.standardize

    @classmethod
    def learn(
        cls, estimator: Any, X: Any, y: Any, sample_weight: Any, offset: Any, *, drop_first: bool = False
    ) -> Self:
        """Check the data of a fit, and record their columns and classes on the estimator.

        ``drop_first`` says whether each category column goes without a coefficient for its first level.
        """
        X, y, sample_weight, offset = as_scan(estimator, X, y, sample_weight, offset)
        if isinstance(X, Scan):
            refuse_beside(y, sample_weight, offset)
            with X:
                return cls(estimator, *reading.learn(estimator, X, n_threads(estimator.n_jobs), drop_first=drop_first))
        problem = validate.training_data(estimator, X, y, sample_weight, offset, drop_first=drop_first)
        estimator.classes_ = problem.classes
        return cls._in_memory(estimator, problem)

    @classmethod
    def again(cls, estimator: Any, X: Any, y: Any, sample_weight: Any, offset: Any) -> Self:
        """Check the data that a fitted estimator was fitted to."""
        check_is_fitted(estimator)
        X, y, sample_weight, offset = as_scan(estimator, X, y, sample_weight, offset)
        if isinstance(X, Scan):
            refuse_beside(y, sample_weight, offset)
            with X:
                return cls(estimator, *reading.again(estimator, X, n_threads(estimator.n_jobs)))
        return cls._in_memory(estimator, validate.data_of_fit(estimator, X, y, sample_weight, offset))

    @classmethod
    def _in_memory(cls, estimator: Any, problem: validate.Problem) -> Self:
        origin = "auto" if estimator.fit_intercept else None  # without an intercept zero is where it is
        data = problem.X, problem.y, problem.weight, problem.offset
        rows = SelectableRows(*data, n_threads=n_threads(estimator.n_jobs), origin=origin)
        return cls(estimator, rows, problem.total_weight, problem)

    @property
    def rows(self) -> SelectableRows:
        """The rows in memory."""
        if isinstance(self.source, PartedRows):
            raise NotInMemoryError
        return self.source

    @property
    def problem(self) -> validate.Problem:
        """The checked data in memory."""
        if self._problem is None:
            raise NotInMemoryError
        return self._problem

    def beside(self, problem: validate.Problem, rows: SelectableRows) -> Self:
        """Return the same set-up of other rows in memory."""
        other = copy.copy(self)
        other._problem, other.source = problem, rows
        return other

    def __enter__(self) -> Self:
        """Hold the rows' threads."""
        self.source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of them, and say where X is not finite if a pass found that."""
        try:
            if isinstance(error, NonFiniteSumsError):
                found = self.source.total(partial(not_finite, names=self.names))
                raise (found or (error,))[0] from None
        finally:
            self.source.__exit__()

    @cached_property
    def spread(self) -> Array | float:
        """The spreads of the columns where the penalty acts on standardised ones, else 1."""
        return self.source.spread() if self.standardize else 1.0

    @property
    def left_out(self) -> np.ndarray:
        """Mask of the columns that have no coefficient, because their penalty is infinite."""
        return np.isinf(self.factor)

    def strengths(self, inverse_C: Any) -> Any:
        """Return ``lam = 1 / (C * S)`` on the scale of the mean loss."""
        return inverse_C / self.total_weight

    def ridge(self, strength: Array) -> Ridge:
        """Return ridges of such strengths, on the scale of the mean loss, shape (K,)."""
        return Ridge.of_factors(strength, self.factor, self.spread)

    def elastic_net(self, l1_ratio: float) -> ElasticNet:
        """Return the elastic net of strength 1."""
        return ElasticNet.of_factors(l1_ratio, self.factor, self.spread, self.bounds)

    def is_ridge(self, l1_ratio: float) -> bool:
        """Tell whether a ridge is all there is: no L1 part and no bounds."""
        return l1_ratio == 0.0 and self.bounds is None

    def solve(
        self, strength: float, l1_ratio: float, solver: Solver, limits: Limits, start: Array | None, seed: int
    ) -> tuple[Solution, Redundancy | None]:
        """Fit one model, from a start in the units of the rows, if there is one."""
        if not self.is_ridge(l1_ratio):
            unit = self.elastic_net(l1_ratio)
            return elastic.fit(self.rows, strength, unit, limits, intercept=self.intercept, start=start)
        parameters.check_width(solver, self.source.n_columns)
        ridge = self.ridge(np.array([strength]))
        solution, redundancy = fit_rows(
            self.source, ridge, solver, limits, intercept=self.intercept, seed=seed, start=start
        )
        solution.coefficients[:-1][self.left_out] = 0.0
        return solution, redundancy


class NotInMemoryError(ValueError):
    """Rows are needed in memory, where neither a scan nor a Dask collection has them."""

    def __init__(self) -> None:
        super().__init__(
            "This needs rows in memory, and neither a scan nor a Dask collection has them there: they serve fits with "
            "a ridge or without a penalty, their summary, intervals and predictions; pass arrays or a DataFrame, "
            "such as scan.to_frame() or X.compute()."
        )


def as_scan(estimator: Any, X: Any, y: Any, sample_weight: Any, offset: Any) -> tuple[Any, Any, Any, Any]:
    """Return Dask collections as a scan with nothing beside it, anything else as it is."""
    if not partitions.is_collection(X):
        return X, y, sample_weight, offset
    validate.check_labels(estimator, y)
    return partitions.scan_of(X, y, sample_weight, offset), None, None, None


def refuse_beside(y: Any, sample_weight: Any, offset: Any) -> None:
    """Raise for arrays beside a scan, of which they are columns."""
    beside = {"target": y, "weight": sample_weight, "offset": offset}
    for name, given in beside.items():
        if given is not None:
            raise ValueError(
                "A scan brings its own outcomes, weights and offsets, so none can stand beside it; name the column, as "
                f"in scan_parquet(..., {name}={name[0]!r})."
            )


def not_finite(part: SelectableRows, names: np.ndarray | None) -> tuple[ValueError, ...]:
    """Return the error that says where a part of the rows is not finite, if it is not."""
    if part.sums(np.zeros((part.n_columns + 1, 1)), "diagonal").all_finite():
        return ()
    error = predictors.explain_not_finite(part.X, names)
    return (ValueError(f"{part.place}: {error}") if part.place else error,)
