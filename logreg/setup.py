"""What a fit is set up with: its rows, checked, and its penalty, read off an estimator's parameters."""

from __future__ import annotations

from functools import cached_property
from types import TracebackType
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from logreg import elastic, parameters, predictors, validate
from logreg.penalty import ElasticNet, Ridge
from logreg.plan import Solver
from logreg.plan import fit as fit_rows
from logreg.rank import Redundancy
from logreg.rows import SelectableRows
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
    problem : Problem
        The checked data.
    """

    def __init__(self, estimator: Any, problem: validate.Problem) -> None:
        self.problem, self.names = problem, estimator._terms()
        n_terms = problem.X.shape[1]
        self.factor = parameters.penalty_factors(estimator.penalty_factor, self.names, n_terms)
        self.bounds = parameters.coefficient_bounds(estimator.bounds, estimator.positive, self.names, n_terms)
        self.intercept, self.standardize = estimator.fit_intercept, estimator.standardize
        origin = "auto" if self.intercept else None  # without an intercept zero is where it is
        data = problem.X, problem.y, problem.weight, problem.offset
        self.rows = SelectableRows(*data, n_threads=n_threads(estimator.n_jobs), origin=origin)

    @classmethod
    def learn(
        cls, estimator: Any, X: Any, y: Any, sample_weight: Any, offset: Any, *, drop_first: bool = False
    ) -> Self:
        """Check the data of a fit, and record their columns and classes on the estimator.

        ``drop_first`` says whether each category column goes without a coefficient for its first level.
        """
        problem = validate.training_data(estimator, X, y, sample_weight, offset, drop_first=drop_first)
        estimator.classes_ = problem.classes
        return cls(estimator, problem)

    @classmethod
    def again(cls, estimator: Any, X: Any, y: Any, sample_weight: Any, offset: Any) -> Self:
        """Check the data that a fitted estimator was fitted to."""
        check_is_fitted(estimator)
        return cls(estimator, validate.data_of_fit(estimator, X, y, sample_weight, offset))

    def __enter__(self) -> Self:
        """Hold the rows' threads."""
        self.rows.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of them, and say where X is not finite if a pass found that."""
        self.rows.__exit__()
        if isinstance(error, NonFiniteSumsError):
            raise predictors.explain_not_finite(self.problem.X, self.names) from None

    @cached_property
    def spread(self) -> Array | float:
        """The spreads of the columns where the penalty acts on standardised ones, else 1."""
        return self.rows.spread() if self.standardize else 1.0

    def strengths(self, inverse_C: Any) -> Any:
        """Return ``lam = 1 / (C * S)`` on the scale of the mean loss."""
        return inverse_C / self.problem.total_weight

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
        parameters.check_width(solver, self.rows.n_columns)
        ridge = self.ridge(np.array([strength]))
        solution, redundancy = fit_rows(
            self.rows, ridge, solver, limits, intercept=self.intercept, seed=seed, start=start
        )
        solution.coefficients[:-1][np.isinf(self.factor)] = 0.0
        return solution, redundancy
