"""What a fit tells: callbacks and the terminal pass by pass, then its attributes, and a warning where one is due."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.callback import CallbackContext
from sklearn.exceptions import ConvergenceWarning

from logreg.loss import Array
from logreg.predictors import column_names
from logreg.rank import Redundancy
from logreg.solve import Solution
from logreg.stop import Pass, Status

STACK = 4  # frames between a warning of a fit and the line of the user that calls it


class CollinearityWarning(UserWarning):
    """Some columns repeat others, and without a penalty nothing says how to share their effect."""


class Reporter:
    """Tells scikit-learn's callbacks, and with ``verbose`` the terminal, of each pass of one model's fit.

    Parameters
    ----------
    context : CallbackContext
        Of the fit.
    told : dict
        What every hook is given: estimator, X, y and metadata.
    state : callable
        From coefficients (d + 1, 1) to all attributes of an estimator that predicts with them.
    verbose : int
    """

    def __init__(
        self, context: CallbackContext, told: dict[str, Any], state: Callable[[Array], dict[str, Any]], verbose: int
    ) -> None:
        self.context, self.told, self.state, self.verbose = context, told, state, verbose
        self.n_passes = 0

    def __call__(self, W: Array, found: Pass) -> bool:
        """Tell of a pass that found this at coefficients W, and return whether a callback asks to stop."""
        self.n_passes += 1
        if self.verbose:
            rejected = "" if found.accepted[0] else " (rejected)"
            print(
                f"pass {self.n_passes}: objective {found.objective[0]:.10g}, {found.decrement[0]:.2g} standard errors "
                f"from the optimum, step {found.step[0]:.2g}{rejected}"
            )
        task = self.context.subcontext(task_name="pass")
        task.call_on_fit_task_begin(**self.told)
        return bool(task.call_on_fit_task_end(**self.told, reconstruction_attributes=lambda: self.state(W)))


class PassReporter:
    """Tells scikit-learn's callbacks, and with ``verbose`` the terminal, of each pass of many models' fits.

    Parameters
    ----------
    context : CallbackContext
        Of the fit.
    told : dict
        What every hook is given: estimator, X, y and metadata.
    tol : float
        Distance to the optimum at which a model has arrived.
    verbose : int
    """

    def __init__(self, context: CallbackContext, told: dict[str, Any], tol: float, verbose: int) -> None:
        self.context, self.told, self.tol, self.verbose = context, told, tol, verbose
        self.n_passes = 0

    def __call__(self, W: Array, found: Pass) -> bool:
        """Tell of a pass that found this of K models, and return whether a callback asks to stop."""
        self.n_passes += 1
        if self.verbose:
            away = found.decrement > self.tol
            print(
                f"pass {self.n_passes}: {away.sum()} of {away.size} models on their way, the farthest "
                f"{found.decrement.max():.2g} standard errors from its optimum"
            )
        task = self.context.subcontext(task_name="pass")
        task.call_on_fit_task_begin(**self.told)
        return bool(task.call_on_fit_task_end(**self.told))


def has_callbacks(estimator: Any) -> bool:
    """Tell whether anyone listens to this estimator's fit: callbacks set on it, or propagated to it by a search."""
    return hasattr(estimator, "_skl_callbacks")


def predictor_of(W: Array) -> dict[str, Array]:
    """Return coefficients of shape (d + 1, 1) as the attributes that predictions need."""
    return {"coef_": np.ascontiguousarray(W[:-1].T), "intercept_": W[-1].copy()}


def attributes_of(W: Array, solution: Solution) -> dict[str, Any]:
    """Return all attributes of an estimator that say what a fit found, and how."""
    last = solution.history[-1]
    columns = map(np.concatenate, zip(*solution.history, strict=True))
    history = dict(zip(Pass._fields, columns, strict=True))
    return predictor_of(W) | {
        "n_iter_": np.array([np.count_nonzero(history["accepted"]) - 1], dtype=np.int32),
        "n_passes_": len(solution.history),
        "solver_": solution.solver,
        "converged_": bool(solution.status[0].is_optimum),
        "decrement_": float(last.decrement[0]),
        "kkt_": solution.kkt,
        "gap_": solution.gap,
        "objective_": float(last.objective[0]),
        "history_": history,
    }


def warn_of(
    solution: Solution, redundancy: Redundancy | None, names: np.ndarray | None, endless: str | None = None
) -> None:
    """Warn if the solution of one model is no optimum, or one of many; ``endless`` are coefficients without one."""
    if redundancy is not None and redundancy.columns.any():
        warn_of_repeats(redundancy, names)
    if endless is not None:
        warnings.warn(Status.SEPARATED.value.format(columns=endless), ConvergenceWarning, stacklevel=STACK)
        return
    status = solution.status[0]
    if status in (Status.SEPARATED, Status.OUT_OF_PASSES):
        unfinished = solution.unfinished[:, 0]
        farthest = np.argsort(-unfinished, kind="stable")[:3]
        farthest = farthest[unfinished[farthest] >= 0.1 * unfinished.max()]
        sentence = status.value.format(
            columns=column_names(farthest, names),
            decrement=float(solution.history[-1].decrement[0]),
            n_passes=len(solution.history),
        )
        warnings.warn(sentence, ConvergenceWarning, stacklevel=STACK)


def warn_of_repeats(redundancy: Redundancy, names: np.ndarray | None) -> None:
    """Warn that some columns repeat others."""
    warnings.warn(
        f"Columns {column_names(np.flatnonzero(redundancy.columns), names)} are constant or repeat combinations of "
        "other columns, so without a penalty their coefficients are not determined, and the solution of minimum norm "
        "in standardised units is returned; drop them or use a penalty.",
        CollinearityWarning,
        stacklevel=STACK + 1,
    )
