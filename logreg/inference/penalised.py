"""A fit by Firth's penalised likelihood, and what is kept of it: likelihood-ratio tests and profile intervals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from logreg.firth import Climb, FirthSolution, fit_firth
from logreg.firth_profile import TIGHT, penalised_likelihood_tests, profile_intervals, summit
from logreg.inference.information import Information, null_loss
from logreg.inference.optimum import Optimum
from logreg.jeffreys import JeffreysLikelihood
from logreg.leave_one_out import check_distance
from logreg.loss import Array
from logreg.penalty import Ridge
from logreg.setup import Setup
from logreg.solve import Solution
from logreg.stop import Limits

TESTS_AFFORDABLE = 4e8  # n d**3 up to which tests and intervals are made unasked


def fit_penalised(
    setup: Setup, estimator: Any, limits: Limits, start: Array | None
) -> tuple[Solution, Information | None]:
    """Fit by Firth's likelihood, and make its tests and intervals where they are wanted and cost little."""
    likelihood = likelihood_of(setup, estimator)
    found = fit_firth(likelihood, limits, start, flic=estimator.flic)
    if estimator.inference is False:
        return found.solution, None
    d = setup.rows.n_columns + 1
    costs_little = setup.rows.n_rows * float(d) ** 3 <= TESTS_AFFORDABLE
    W = found.solution.coefficients
    statistic, ends = None, None
    if estimator.inference is True or costs_little:
        places = slice(None) if setup.intercept else slice(-1)
        statistic, ends = np.full(d, np.nan), np.full((d, 2), np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # an end that is not found is NaN
            found.climb.run(TIGHT)
            statistic[places] = penalised_likelihood_tests(found.climb)[0]
            ends[places] = profile_intervals(found.climb)
    return found.solution, information_of_firth(setup, found, W, statistic, ends)


def likelihood_of(setup: Setup, estimator: Any) -> JeffreysLikelihood:
    """Return Firth's likelihood of the rows of a fit."""
    total = setup.total_weight
    return JeffreysLikelihood(setup.rows, estimator.firth_weight, total, setup.intercept, setup.names)


def summit_of_fit(setup: Setup, estimator: Any, w: Array) -> Climb:
    """Return the maximum over these rows; raise if a fit that converged, to w in the user's units, is not there.

    Apart from the intercept, where ``flic`` has moved it.
    """
    likelihood, W = likelihood_of(setup, estimator), setup.rows.from_user_units(w[:, None])
    top = summit(likelihood, W)
    away, information = likelihood.coordinates(W)[:, 0] - top.B[0], top.found.information[0]
    if estimator.flic and setup.intercept:
        away[-1] = -(information[-1, :-1] @ away[:-1]) / information[-1, -1]
    check_distance(estimator, float(np.sqrt(away @ information @ away)))
    return top


def information_of_firth(
    setup: Setup, found: FirthSolution, W: Array, statistic: Array | None, ends: Array | None
) -> Information:
    """Return what is kept of a fit by Firth's likelihood."""
    rows, total = setup.rows, setup.total_weight
    values, vectors = np.linalg.eigh(found.covariance)
    return Information(
        estimates=rows.in_user_units(W)[:, 0],
        root=vectors * np.sqrt(np.maximum(values, 0.0)),
        aliases={},
        n_rows=rows.n_counted,
        total_weight=total,
        log_likelihood=found.log_likelihood,
        null_log_likelihood=-null_loss(rows, setup.intercept) * total / rows.total_weight,
        discrimination=Optimum(rows, W, Ridge(np.zeros(1)), intercept=setup.intercept).discrimination,
        penalty="firth",
        ends=ends,
        likelihood_ratios=statistic,
    )
