"""What a user may ask for: every parameter of the estimator, checked, and what is said where it makes no sense."""

from __future__ import annotations

import difflib
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from logreg.plan import Solver

OWN_SOLVERS: tuple[Solver, ...] = ("auto", "gradient-descent", "newton")
SKLEARN_SOLVERS = ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga")  # all mean "auto"
PENALTIES = ("l1", "l2", "elasticnet", "deprecated", "none", None)
WIDEST_NEWTON = 20_000


def solver_of(estimator: Any) -> Solver:
    """Check the parameters that choose the method, and return the solver meant."""
    solver = estimator.solver
    if solver in SKLEARN_SOLVERS:
        return "auto"
    if solver not in OWN_SOLVERS:
        known = [*OWN_SOLVERS, *SKLEARN_SOLVERS]
        near = difflib.get_close_matches(str(solver), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"solver={solver!r} is not known; choose one of {', '.join(map(repr, known))}{hint}")
    return solver  # type: ignore[no-any-return]


def strength_of(estimator: Any) -> float:
    """Check penalty, C and l1_ratio, and return ``1 / C``; 0 means no penalty."""
    penalty, C, l1_ratio = estimator.penalty, estimator.C, estimator.l1_ratio
    check_number("C", C, above=0.0)
    if penalty not in PENALTIES:
        raise ValueError(f"penalty={penalty!r} is not known; use 'l2', or None for no penalty.")
    if penalty in ("none", None):
        return 0.0
    is_ridge = penalty != "l1" and (l1_ratio == 0 or (l1_ratio is None and penalty != "elasticnet"))
    if not is_ridge:
        raise ValueError(
            f"penalty={penalty!r} with l1_ratio={l1_ratio!r} asks for an L1 penalty, which this version does not "
            "fit; use penalty='l2' with l1_ratio=0.0 (ridge)."
        )
    return 1.0 / float(C)


def check_parameters(estimator: Any) -> None:
    """Check the parameters that are numbers, and those kept for scikit-learn's sake."""
    check_number("tol", estimator.tol, least=0.0)
    check_number("max_iter", estimator.max_iter, least=1, integer=True)
    for name in ("fit_intercept", "warm_start"):
        if not isinstance(getattr(estimator, name), (bool, np.bool_)):
            raise ValueError(f"{name}={getattr(estimator, name)!r} must be True or False.")
    check_categories(estimator)
    if estimator.multi_class not in ("auto", "ovr", "deprecated", None):
        raise ValueError(
            f"multi_class={estimator.multi_class!r} is not supported: this model is binary, and scikit-learn's "
            "multinomial form of it has another optimum; use 'auto'."
        )
    if estimator.n_jobs is not None and (not isinstance(estimator.n_jobs, Integral) or estimator.n_jobs == 0):
        raise ValueError(f"n_jobs={estimator.n_jobs!r} must be None, -1 or a number of threads.")


def check_categories(estimator: Any) -> None:
    """Check what is to happen to columns that are not numbers."""
    for name, choices in (("unknown", ("error", "ignore")), ("missing", ("error", "level"))):
        if getattr(estimator, name) not in choices:
            raise ValueError(f"{name}={getattr(estimator, name)!r} must be {' or '.join(map(repr, choices))}.")
    listed = estimator.categories
    if isinstance(listed, str) and listed not in ("error", "auto"):
        raise ValueError(f"categories={listed!r} must be 'error', 'auto' or a list of columns, such as [{listed!r}].")
    if not isinstance(listed, (str, list, tuple, np.ndarray, pd.Index)):
        raise ValueError(f"categories={listed!r} must be 'error', 'auto' or a list of columns.")


def check_number(
    name: str, value: Any, *, above: float = -np.inf, least: float = -np.inf, integer: bool = False
) -> None:
    """Raise unless a parameter is a number within its bounds."""
    is_number = isinstance(value, Integral if integer else Real) and not isinstance(value, bool)
    if not (is_number and value > above and value >= least):
        bound = f"greater than {above:g}" if above > -np.inf else f"at least {least:g}"
        raise ValueError(f"{name}={value!r} must be {'an integer' if integer else 'a number'} {bound}.")


def check_width(solver: Solver, n_columns: int) -> None:
    """Raise if a solver would need a curvature matrix that does not fit in memory."""
    if solver == "newton" and n_columns > WIDEST_NEWTON:
        raise ValueError(
            f"solver='newton' needs a curvature matrix of {n_columns + 1} columns squared, "
            f"{8e-9 * (n_columns + 1) ** 2:.0f} GB; use solver='auto'."
        )
