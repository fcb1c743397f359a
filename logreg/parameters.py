"""What a user may ask for: every parameter of the estimator, checked, and what is said where it makes no sense."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from logreg.loss import Array
from logreg.plan import WIDEST_MATRIX, Solver
from logreg.predictors import column_names

OWN_SOLVERS: tuple[Solver, ...] = ("auto", "gradient-descent", "newton")
SKLEARN_SOLVERS = ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga")  # all mean "auto"
PENALTIES = ("l1", "l2", "elasticnet", "firth", "deprecated", "none", None)
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


def penalty_of(estimator: Any) -> tuple[float, float]:
    """Check penalty, C and l1_ratio, and return ``1 / C``, 0 for no penalty, and the share of L1 in it."""
    penalty, C, l1_ratio = estimator.penalty, estimator.C, estimator.l1_ratio
    check_number("C", C, above=0.0)
    if penalty not in PENALTIES:
        raise ValueError(
            f"penalty={penalty!r} is not known; use 'l2' (ridge), 'l1' (lasso), 'elasticnet' with an l1_ratio, "
            "'firth', or None for no penalty."
        )
    if penalty in ("none", "firth", None) or np.isinf(C):
        return 0.0, 0.0
    if penalty == "elasticnet" and l1_ratio is None:
        raise ValueError("penalty='elasticnet' needs an l1_ratio, from 0 (ridge) to 1 (lasso).")
    if penalty == "l1":
        l1_ratio = 1.0
    elif l1_ratio is None:
        l1_ratio = 0.0
    check_number("l1_ratio", l1_ratio, least=0.0)
    if l1_ratio > 1.0:
        raise ValueError(f"l1_ratio={l1_ratio!r} must be at most 1, which is the lasso.")
    return 1.0 / float(C), float(l1_ratio)


def refuse_firth(estimator: Any) -> None:
    """Raise for a fit by Firth's penalised likelihood, where only the likelihood or a ridge will do."""
    information = getattr(estimator, "_information", None)
    if estimator.penalty == "firth" or (information is not None and information.penalty == "firth"):
        raise ValueError(
            "This is not known under Firth's penalty, which depends on all rows; use summary() or conf_int(), or "
            "another penalty."
        )


def penalty_factors(option: Any, names: np.ndarray | None, n_terms: int) -> Array:
    """Return the penalty factor of each term, from an array or a dict of names, of terms or of category columns."""
    if option is None:
        return np.ones(n_terms)
    if isinstance(option, Mapping):
        factor = np.ones(n_terms)
        for name, value in option.items():
            factor[terms_called("penalty_factor", name, names, n_terms)] = value
    else:
        factor = np.asarray(option, dtype=np.float64)
        if factor.shape != (n_terms,):
            raise ValueError(
                f"penalty_factor has shape {factor.shape}; expected one factor a coefficient, shape ({n_terms},), or a "
                "dict from names to factors."
            )
    wrong = np.flatnonzero(~(factor >= 0.0))
    if wrong.size:
        raise ValueError(
            f"penalty_factor is {factor[wrong[0]]:g} for {column_names(wrong[:1], names)}; factors must be 0 (never "
            "penalised) or more, infinity to exclude a column."
        )
    if n_terms and np.isinf(factor).all():
        raise ValueError("penalty_factor is infinite for all columns, which excludes all of them; leave some in.")
    return factor


def coefficient_bounds(
    bounds: Any, positive: bool, names: np.ndarray | None, n_terms: int
) -> tuple[Array, Array] | None:
    """Return the least and the greatest value of each coefficient, None where nothing bounds any."""
    if bounds is None and not positive:
        return None
    both = np.tile([-np.inf, np.inf], (n_terms, 1))
    if isinstance(bounds, Mapping):
        for name, pair in bounds.items():
            if np.shape(pair) != (2,):
                raise ValueError(f"bounds of {name!r} are {pair!r}; expected a pair, the least and the greatest value.")
            both[terms_called("bounds", name, names, n_terms)] = pair
    elif bounds is not None:
        both = np.array(bounds, dtype=np.float64)
        if both.shape != (n_terms, 2):
            raise ValueError(
                f"bounds has shape {both.shape}; expected a pair a coefficient, shape ({n_terms}, 2), or a dict from "
                "names to pairs."
            )
    low, high = np.ascontiguousarray(both.T)
    wrong = np.flatnonzero(~((low <= 0.0) & (high >= 0.0)))
    if wrong.size:
        j = wrong[0]
        raise ValueError(
            f"bounds are {low[j]:g} and {high[j]:g} for {column_names(wrong[:1], names)}; 0 must be between them, or "
            "one of them."
        )
    return (np.maximum(low, 0.0) if positive else low), high


def terms_called(option: str, name: Any, names: np.ndarray | None, n_terms: int) -> np.ndarray:
    """Return the positions of the term of a name, or of all levels of the category column of that name."""
    known = [f"x{j}" for j in range(n_terms)] if names is None else [str(known) for known in names]
    found = [j for j, term in enumerate(known) if term == name or term.startswith(f"{name}=")]
    if not found:
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"{option} names {name!r}, which is not a column{hint}")
    return np.array(found)


def path_ratio(ratio: float | None, n_columns: int, n_rows: int) -> float:
    """Return the last penalty of a grid over its first, as glmnet chooses it where nobody says."""
    if ratio is None:
        return 1e-4 if n_rows > n_columns else 1e-2
    check_number("ratio", ratio, above=0.0)
    if ratio >= 1.0:
        raise ValueError(
            f"ratio={ratio!r} must be less than 1, because a path goes from strong penalties to weak ones."
        )
    return float(ratio)


def inverse_strengths(Cs: Any, *, endless: bool = False) -> Array:
    """Return the Cs of a path, after checking them; infinity, for no penalty, may be among them where ``endless``."""
    try:
        numbers = np.atleast_1d(np.asarray(Cs, dtype=np.float64))
    except (TypeError, ValueError):
        numbers = np.empty(0)
    allowed = (numbers > 0.0) & (endless | np.isfinite(numbers))
    if numbers.ndim > 1 or not numbers.size or not allowed.all():
        raise ValueError(f"Cs={Cs!r} must be a list of positive{'' if endless else ' finite'} numbers.")
    return numbers


def l1_ratios(estimator: Any) -> Array:
    """Return the l1_ratios to choose from, after checking them against the penalty."""
    given, penalty = estimator.l1_ratios, estimator.penalty
    if penalty == "l1":
        return np.ones(1)
    if penalty in ("l2", "none", None) or given is None:
        return np.zeros(1)
    try:
        ratios = np.atleast_1d(np.asarray(given, dtype=np.float64))
    except (TypeError, ValueError):
        ratios = np.empty(0)
    if ratios.ndim > 1 or not ratios.size or not ((ratios >= 0.0) & (ratios <= 1.0)).all():
        raise ValueError(f"l1_ratios={given!r} must be a list of numbers from 0 (ridge) to 1 (lasso).")
    return ratios


def check_selection(estimator: Any) -> None:
    """Check the parameters that say how a cross-validation chooses."""
    if estimator.select not in ("best", "1se"):
        raise ValueError(f"select={estimator.select!r} must be 'best' or '1se'.")
    for name in ("refit", "use_legacy_attributes"):
        if not isinstance(getattr(estimator, name), (bool, np.bool_)):
            raise ValueError(f"{name}={getattr(estimator, name)!r} must be True or False.")
    if isinstance(estimator.Cs, str) and estimator.Cs != "auto":
        raise ValueError(f"Cs={estimator.Cs!r} must be 'auto', a number of values, or a list of positive numbers.")


def check_parameters(estimator: Any) -> None:
    """Check the parameters that are numbers, and those kept for scikit-learn's sake."""
    check_number("tol", estimator.tol, least=0.0)
    check_number("max_iter", estimator.max_iter, least=1, integer=True)
    for name in ("fit_intercept", "warm_start", "standardize", "positive"):
        if not isinstance(getattr(estimator, name), (bool, np.bool_)):
            raise ValueError(f"{name}={getattr(estimator, name)!r} must be True or False.")
    if estimator.inference not in ("auto", True, False):
        raise ValueError(f"inference={estimator.inference!r} must be 'auto', True or False.")
    if estimator.on_separation not in ("warn", "raise", "firth", "ignore"):
        raise ValueError(f"on_separation={estimator.on_separation!r} must be 'warn', 'raise', 'firth' or 'ignore'.")
    check_number("firth_weight", estimator.firth_weight, least=0.0)
    if not isinstance(estimator.flic, (bool, np.bool_)):
        raise ValueError(f"flic={estimator.flic!r} must be True or False.")
    narrowed = estimator.positive or estimator.bounds is not None or estimator.penalty_factor is not None
    if estimator.penalty == "firth" and narrowed:
        raise ValueError(
            "penalty='firth' knows no bounds and no factors; leave out positive, bounds and penalty_factor, or use "
            "another penalty."
        )
    check_categories(estimator)
    check_number("forgetting_factor", estimator.forgetting_factor, above=0.0)
    if estimator.forgetting_factor > 1.0:
        raise ValueError(f"forgetting_factor={estimator.forgetting_factor!r} must be at most 1, which forgets nothing.")
    check_checkpoint(estimator.checkpoint)
    if estimator.multi_class not in ("auto", "ovr", "deprecated", None):
        raise ValueError(
            f"multi_class={estimator.multi_class!r} is not supported: this model is binary, and scikit-learn's "
            "multinomial form of it has another optimum; use 'auto'."
        )
    if estimator.n_jobs is not None and (not isinstance(estimator.n_jobs, Integral) or estimator.n_jobs == 0):
        raise ValueError(f"n_jobs={estimator.n_jobs!r} must be None, -1 or a number of threads.")


def has_one_penalty(estimator: Any) -> bool:
    """Tell whether an estimator fits one penalty, not one that it chooses from all rows."""
    return hasattr(estimator, "C")


def check_for_stream(estimator: Any) -> None:
    """Raise for parameters that need all rows at once, and for penalties other than a ridge."""
    if estimator.penalty == "firth" or penalty_of(estimator)[1] > 0.0:
        raise ValueError(
            "partial_fit knows a ridge or no penalty, neither an L1 part nor 'firth'; use penalty='l2', or fit."
        )
    if estimator.positive or estimator.bounds is not None:
        raise ValueError("partial_fit knows no bounds; leave out positive and bounds, or fit all rows.")
    if estimator.standardize:
        raise ValueError(
            "standardize=True needs the spreads of all rows, which partial_fit never has; use penalty_factor."
        )
    if isinstance(estimator.class_weight, str):
        raise ValueError(
            f"class_weight={estimator.class_weight!r} needs the outcomes of all rows, which partial_fit never has; "
            "pass a dict."
        )


def check_width_of_stream(n_columns: int) -> None:
    """Raise where the memory of a stream would be too large a matrix."""
    if n_columns >= WIDEST_MATRIX:
        raise ValueError(
            f"X has {n_columns} columns, and partial_fit holds a curvature of their number squared; fit all rows, or "
            f"choose fewer than {WIDEST_MATRIX} columns."
        )


def check_checkpoint(path: Any) -> None:
    """Raise unless a checkpoint can be written where it is wanted."""
    if path is None:
        return
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(f"checkpoint={path!r} must be None or the path of a file.")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder) or os.path.isdir(path):
        raise ValueError(f"checkpoint={os.fspath(path)!r} must be a file in a folder that exists.")


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
