"""``logistic_path``: the fits of one data set under many penalties, and what can be asked of them."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from logreg import parameters
from logreg.elastic import FREE
from logreg.estimator import LogisticRegression
from logreg.grid import strengths_that_matter
from logreg.loss import Array
from logreg.report import warn_of
from logreg.ridges import fit_ridges
from logreg.setup import Setup
from logreg.stop import Limits
from logreg.strengths import ElasticPath, Optimum

SATURATED = 0.999  # deviance ratio from which on a path only follows the outcomes to infinity


@dataclass(frozen=True)
class Path:
    """The fits of a path, strongest penalty first or in the order of the ``Cs`` that were given.

    Attributes
    ----------
    penalties : ndarray of shape (m,)
        ``lam = 1 / (C * S)``, on the scale of the mean loss.
    Cs : ndarray of shape (m,)
        The same as scikit-learn's C.
    coefs : csr_array of shape (m, n_terms)
        Exactly 0 where a column is left out.
    intercepts : ndarray of shape (m,)
    df : ndarray of shape (m,)
        Degrees of freedom: coefficients that are not 0; of ridges the trace of ``H (H + penalty)^-1``.
    deviance_ratio : ndarray of shape (m,)
        1 - deviance / deviance of the intercept alone.
    kkt : ndarray of shape (m,)
        Certificates: the largest violation of an optimality condition, over the penalty that zeroes the model; NaN for
        ridges, which none does.
    computed : ndarray of bool, shape (m,)
        Where it is False the path ended before; intercept and deviance ratio are NaN.
    converged : ndarray of bool, shape (m,)
        Where the tolerance was reached.
    n_passes : int
        Times that all rows were read.
    feature_names : ndarray of shape (n_terms,)
    """

    penalties: Array
    Cs: Array
    coefs: sparse.csr_array
    intercepts: Array
    df: np.ndarray
    deviance_ratio: Array
    kkt: Array
    computed: np.ndarray
    converged: np.ndarray
    n_passes: int
    model: LogisticRegression

    @property
    def feature_names(self) -> np.ndarray:
        """Names of the terms, one a coefficient."""
        return self.model.feature_names_out_

    def __len__(self) -> int:
        """Return the number of penalties."""
        return len(self.penalties)

    def estimator(self, i: int) -> LogisticRegression:
        """Return the fit of penalty i as a fitted estimator.

        Raises
        ------
        ValueError
            If the path ended before.
        """
        if not self.computed[i]:
            raise ValueError(
                f"Penalty {i} was not computed, as the path ended before; pass full=True, or i of another."
            )
        fitted = copy.copy(self.model)
        fitted.C = float(self.Cs[i])
        fitted.coef_, fitted.intercept_ = self.coefs[[i]].toarray(), self.intercepts[[i]]
        fitted.gap_ = np.nan  # which a fit of one penalty says
        fitted.kkt_, fitted.converged_ = float(self.kkt[i]), bool(self.converged[i])
        fitted.separation_, fitted.n_passes_ = None, self.n_passes
        return fitted

    def predict_proba(self, X: Any, offset: ArrayLike | None = None) -> Array:
        """Return the probabilities of both classes under every penalty, shape (m, n, 2); NaN where not computed."""
        there = np.flatnonzero(self.computed)
        found = np.stack([self.estimator(i).predict_proba(X, offset) for i in there.tolist()])
        everywhere = np.full((len(self), *found.shape[1:]), np.nan)
        everywhere[there] = found
        return everywhere

    def frame(self) -> pd.DataFrame:
        """Return a table with a row a penalty: penalty, C, df, deviance_ratio and kkt."""
        names = {"penalty": self.penalties, "C": self.Cs, "df": self.df, "deviance_ratio": self.deviance_ratio}
        return pd.DataFrame(names | {"kkt": self.kkt})

    def relax(
        self, i: int, X: Any, y: Any, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None
    ) -> LogisticRegression:
        """Fit the columns that penalty i selects, without a penalty: the relaxed lasso of Meinshausen (2007).

        Returns a fitted estimator of all columns, those not selected with a coefficient of 0.
        """
        model = self.estimator(i)
        selected = model.coef_[0] != 0
        if selected.any():
            model.set_params(l1_ratio=0.0, C=1.0, penalty_factor=np.where(selected, 0.0, np.inf))
            model.fit(X, y, sample_weight, offset=offset)
        return model  # where nothing is selected, the intercept is all there is to fit


def logistic_path(
    X: Any,
    y: Any,
    *,
    l1_ratio: float = 1.0,
    Cs: ArrayLike | None = None,
    n_penalties: int = 100,
    ratio: float | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    tol: float = 1e-6,
    full: bool = False,
    **options: Any,
) -> Path:
    """Fit an elastic net, or a ridge, for every penalty of a descending grid.

    Minimises what :class:`LogisticRegression` does, for the price of a few fits: with an L1 part each starts where the
    last one ended; ridges travel together, a pass over X serving all.

    Parameters
    ----------
    X, y
        As in :meth:`LogisticRegression.fit`.
    l1_ratio : float, default=1.0
        Share of the L1 norm in the penalty, from 0, ridges, to 1, the lasso.
    Cs : array-like, default=None
        Inverse strengths, as scikit-learn's C, in any order. None means a grid from the penalty that zeroes all
        penalised coefficients; of ridges from one that leaves next to nothing of them to one too weak to matter.
    n_penalties : int, default=100
        Penalties of that grid, evenly spaced in the logarithm,
    ratio : float, default=None
        and the last one over the first; None means 1e-4, or 1e-2 where there are more columns than rows, and for
        ridges what the data say.
    sample_weight, offset : array-like of shape (n,), default=None
        As in :meth:`LogisticRegression.fit`.
    tol : float, default=1e-6
        Largest violation of an optimality condition, over the penalty that zeroes the model; for ridges the distance
        to the optimum, in standard errors.
    full : bool, default=False
        Whether to go on where the deviance ratio has reached 0.999: the outcomes are then all but separated.
    **options
        Parameters of :class:`LogisticRegression`: fit_intercept, class_weight, penalty_factor, standardize, positive,
        bounds, categories, unknown, missing, max_iter (passes a penalty), n_jobs.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        In one sentence, for anything in the data or the parameters that cannot be used.

    Warns
    -----
    ConvergenceWarning
        If a penalty took more than ``max_iter`` passes.

    Examples
    --------
    >>> from logreg import logistic_path
    >>> from logreg.datasets import load_breast_cancer
    >>> path = logistic_path(*load_breast_cancer(), n_penalties=5)
    >>> path.frame()["df"].tolist()
    [0, 1, 2, 4, 5]
    """
    model = LogisticRegression(l1_ratio=l1_ratio, tol=tol, **options)
    parameters.check_parameters(model)
    if model.penalty in ("firth", "none", None):
        raise ValueError(f"penalty={model.penalty!r} has no strength to vary; use 'l2', 'l1' or 'elasticnet'.")
    parameters.solver_of(model)
    l1_ratio = parameters.penalty_of(model)[1]
    if l1_ratio == 0.0 and (model.positive or model.bounds is not None):
        raise ValueError(f"l1_ratio={l1_ratio!r} leaves no L1 part; a path with bounds needs one above 0, up to 1.")
    parameters.check_number("n_penalties", n_penalties, least=1, integer=True)
    setup = Setup.learn(model, X, y, sample_weight, offset)
    n_columns = setup.rows.n_columns
    if setup.is_ridge(l1_ratio):
        return ridge_path(model, setup, Cs, n_penalties, ratio)
    with setup:
        path = ElasticPath(setup.rows, setup.elastic_net(l1_ratio), Limits(FREE * tol, model.max_iter), setup.intercept)
        if Cs is None and path.largest == 0.0:
            raise ValueError(
                "No penalised column varies with y, so there is no largest penalty for a grid to start from; pass "
                "Cs, or look at the columns: are they constant, excluded or never penalised?"
            )
        if Cs is None:
            share = parameters.path_ratio(ratio, n_columns, setup.rows.n_rows)
            penalties = path.largest * np.geomspace(1.0, share, n_penalties)
        else:
            penalties = setup.strengths(1.0 / parameters.inverse_strengths(Cs))
        order = np.argsort(-penalties, kind="stable")
        found: dict[int, Optimum] = {}
        ratios = np.full(len(penalties), np.nan)
        for i, optimum in zip(order.tolist(), path.down(penalties[order], tol * path.largest), strict=False):
            found[i], ratios[i] = optimum, 1.0 - optimum.place.loss / path.null_loss
            if ratios[i] >= SATURATED and not full:
                break
    if path.of_free is not None:
        warn_of(path.separated or path.of_free, path.redundancy, model._terms())
    if path.separated is None:
        warn_of_path(found, penalties, ratios, tol * path.largest)
    W = np.zeros((n_columns + 1, len(penalties)))
    kkt = np.full(len(penalties), np.nan)
    for i, optimum in found.items():
        W[:, i], kkt[i] = optimum.place.w, optimum.violation / (path.largest or 1.0)
    W = setup.rows.in_user_units(W)
    coefs = sparse.csr_array(W[:-1].T)
    return Path(
        penalties=penalties,
        Cs=1.0 / (penalties * setup.total_weight),
        coefs=coefs,
        intercepts=np.where(np.isnan(kkt), np.nan, W[-1]),
        df=np.diff(coefs.indptr),
        deviance_ratio=ratios,
        kkt=kkt,
        computed=~np.isnan(kkt),
        converged=kkt <= tol,
        n_passes=path.n_passes,
        model=model,
    )


def ridge_path(model: LogisticRegression, setup: Setup, Cs: Any, n_penalties: int, ratio: float | None) -> Path:
    """Return the path of ridges, all fitted together."""
    with setup:
        if Cs is None:
            weakest, strongest = strengths_that_matter(setup, 0.0)
            share = weakest / strongest if ratio is None else parameters.path_ratio(ratio, 0, 0)
            penalties = strongest * np.geomspace(1.0, share, n_penalties)
        else:
            penalties = setup.strengths(1.0 / parameters.inverse_strengths(Cs))
        found = fit_ridges(setup, penalties, Limits(model.tol, model.max_iter), 0)
    late = np.array([not status.is_optimum for status in found.ends.status])
    if late.any():
        warnings.warn(
            f"{late.sum()} of {len(late)} penalties did not reach the tolerance, the first of them "
            f"{penalties[late][0]:.3g}; raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=3,
        )
    W = setup.rows.in_user_units(found.ends.coefficients)
    return Path(
        penalties=penalties,
        Cs=1.0 / (penalties * setup.total_weight),
        coefs=sparse.csr_array(W[:-1].T),
        intercepts=W[-1],
        df=found.df,
        deviance_ratio=found.deviance_ratio,
        kkt=np.full(len(penalties), np.nan),
        computed=np.ones(len(penalties), dtype=bool),
        converged=~late,
        n_passes=found.ends.n_passes,
        model=model,
    )


def warn_of_path(found: dict[int, Optimum], penalties: Array, ratios: Array, tolerance: float) -> None:
    """Warn if a path ended early, or some of its fits did not reach the tolerance."""
    if len(found) < len(penalties):
        last = list(found)[-1]
        warnings.warn(
            f"The path ended at penalty {penalties[last]:.3g}, number {len(found)} of {len(penalties)}, where the "
            f"deviance ratio is {ratios[last]:.4f}: weaker ones only follow the outcomes to infinity; pass full=True "
            "for them.",
            ConvergenceWarning,
            stacklevel=3,
        )
    late = [i for i, optimum in found.items() if optimum.violation > tolerance]
    if late:
        worst = max(found[i].violation for i in late) / penalties[late[0]]
        warnings.warn(
            f"{len(late)} of {len(penalties)} penalties did not reach the tolerance, the first of them "
            f"{penalties[late[0]]:.3g}; the largest violation is {worst:.2g} of it; raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=3,
        )
