"""``fit_many``: many binary outcomes over the same X, fitted together."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import logit
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight

from logreg import parameters, validate
from logreg.estimator import LogisticRegression
from logreg.loss import Array
from logreg.nearby import Ends, Neighbours, fit_nearby, fit_one_by_one
from logreg.penalty import Ridge
from logreg.plan import WIDEST_MATRIX
from logreg.rank import Redundancy, minimum_norm
from logreg.report import warn_of_repeats
from logreg.rows import VersionedRows, Versions
from logreg.setup import Setup
from logreg.stop import Limits, Status

NEIGHBOURS = 16  # null models of as many shares of positive outcomes, whose curvature is shared


class Outcomes(NamedTuple):
    """Many outcomes, checked: as 0 and 1 and which classes these are, or why an outcome cannot be fitted.

    ``values`` has the shape (K, n), ``classes`` a pair an outcome, and ``failed`` sentences by outcome number.
    """

    values: np.ndarray
    classes: list[np.ndarray]
    names: np.ndarray
    failed: dict[int, str]


class Fits(Sequence[LogisticRegression]):
    """The fitted models of many outcomes: a list of estimators, made when they are asked for.

    Attributes
    ----------
    outcomes : ndarray of shape (K,)
        Names: those of the columns of a DataFrame, or numbers.
    coefs : ndarray of shape (K, n_terms)
        NaN where an outcome could not be fitted.
    intercepts : ndarray of shape (K,)
    converged : ndarray of bool, shape (K,)
    failed : dict
        For the number of each outcome that could not be fitted the sentence that says why.
    n_passes : int
        Times that all rows were read.
    """

    def __init__(self, model: LogisticRegression, outcomes: Outcomes, fitted: np.ndarray, W: Array, ends: Ends) -> None:
        n_outcomes = len(outcomes.names)
        self.outcomes, self.failed = outcomes.names, outcomes.failed
        self.coefs, self.intercepts = np.full((n_outcomes, len(W) - 1), np.nan), np.full(n_outcomes, np.nan)
        self.coefs[fitted], self.intercepts[fitted] = W[:-1].T, W[-1]
        self.converged = np.zeros(n_outcomes, dtype=bool)
        self.converged[fitted] = [status.is_optimum for status in ends.status]
        self.n_passes = ends.n_passes
        self._model, self._classes, self._ends = model, outcomes.classes, ends
        self._place = np.full(n_outcomes, -1)  # among the models that were fitted
        self._place[fitted] = np.arange(len(fitted))

    def __len__(self) -> int:
        """Return the number of outcomes."""
        return len(self.outcomes)

    @overload
    def __getitem__(self, k: int) -> LogisticRegression: ...
    @overload
    def __getitem__(self, k: slice) -> list[LogisticRegression]: ...
    def __getitem__(self, k: int | slice) -> LogisticRegression | list[LogisticRegression]:
        """Return the fitted model of outcome k, or of several; ValueError where there is none."""
        if isinstance(k, slice):
            return [self[i] for i in range(*k.indices(len(self)))]
        k = range(len(self))[k]
        if k in self.failed:
            raise ValueError(f"Outcome {self.outcomes.tolist()[k]!r} was not fitted: {self.failed[k]}")
        model, place = copy.copy(self._model), self._place[k]
        model.classes_ = self._classes[k]
        model.coef_, model.intercept_ = self.coefs[[k]], self.intercepts[[k]]
        model.converged_, model.n_passes_ = bool(self.converged[k]), self.n_passes
        model.kkt_ = model.gap_ = np.nan  # which a fit of its own says
        model.separation_ = None
        model.n_iter_ = self._ends.n_iter[[place]].astype(np.int32)
        model.decrement_, model.objective_ = float(self._ends.decrement[place]), float(self._ends.objective[place])
        return model

    def frame(self) -> pd.DataFrame:
        """Return a table with the columns outcome, term and estimate, the intercept of each outcome first."""
        with_intercept = np.column_stack([self.intercepts, self.coefs])
        terms = np.append("intercept", self._model.feature_names_out_)
        chosen = slice(None) if self._model.fit_intercept else slice(1, None)
        table = pd.DataFrame(with_intercept[:, chosen], index=self.outcomes, columns=terms[chosen])
        long = table.rename_axis("outcome").reset_index().melt("outcome", var_name="term", value_name="estimate")
        order = np.arange(len(long)).reshape(table.shape[1], -1).T.ravel()
        return long.iloc[order].reset_index(drop=True)


def fit_many(
    X: Any, Y: Any, *, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None, **options: Any
) -> Fits:
    """Fit a model to each of many binary outcomes over the same X.

    All travel together: a pass over X serves the models of all outcomes, and outcomes of like prevalence start with the
    same curvature.

    Parameters
    ----------
    X, sample_weight, offset
        As in :meth:`LogisticRegression.fit`, the same for all outcomes.
    Y : array-like or DataFrame of shape (n, K)
        A column an outcome, each of two classes of its own.
    **options
        Parameters of :class:`LogisticRegression`.

    Returns
    -------
    Fits
        A list of fitted estimators. An outcome that cannot be fitted, such as a constant one, is marked as failed with
        the sentence that says why, and the others are fitted.

    Raises
    ------
    ValueError
        In one sentence, for an X, weights or parameters that cannot be used, or if all outcomes fail.

    Warns
    -----
    ConvergenceWarning
        Once, if some models did not arrive at an optimum.

    Notes
    -----
    ``4 n d`` flops and n exponentials a model and pass, in matrix products; unpenalised models end with
    ``n d**2`` for a curvature of their own. Under a penalty with an L1 part, or bounds, outcomes are fitted one after
    the other.

    Examples
    --------
    >>> import pandas as pd
    >>> from logreg import fit_many
    >>> from logreg.datasets import load_penguins
    >>> X, _ = load_penguins()
    >>> fits = fit_many(X[["bill_length_mm", "bill_depth_mm"]], pd.get_dummies(X["species"]))
    >>> dict(zip(fits.outcomes, fits.intercepts.round(1).tolist()))
    {'Adelie': 24.3, 'Chinstrap': -31.1, 'Gentoo': 28.3}
    """
    model = LogisticRegression(**options)
    (strength, l1_ratio), _ = parameters.penalty_of(model), parameters.solver_of(model)
    parameters.check_parameters(model)
    if model.penalty == "firth":
        raise ValueError("penalty='firth' is fitted one outcome at a time; use LogisticRegression(penalty='firth').")
    if model.checkpoint is not None:
        raise ValueError("fit_many keeps no checkpoints, which are of one model; leave checkpoint out.")
    outcomes = many_outcomes(Y)
    for_setup = copy.copy(model).set_params(class_weight=None)
    fail_without_both_classes(outcomes, validate.row_numbers("sample_weight", sample_weight, outcomes.values.shape[1]))
    first = next((k for k in range(len(outcomes.names)) if k not in outcomes.failed), None)
    if first is None:
        raise ValueError(f"None of the outcomes can be fitted; the first: {next(iter(outcomes.failed.values()))}")
    setup = Setup.learn(for_setup, X, outcomes.values[first], sample_weight, offset, drop_first=strength == 0.0)
    fitted = np.array([k for k in range(len(outcomes.names)) if k not in outcomes.failed])
    values = outcomes.values if len(fitted) == len(outcomes.names) else outcomes.values[fitted]
    counts = None
    if model.class_weight is not None:
        classes = [outcomes.classes[k] for k in fitted.tolist()]
        counts = class_counts(model.class_weight, classes, values, setup.problem.weight)
    limits = Limits(model.tol, model.max_iter)
    with setup, VersionedRows(setup.rows, Versions(np.arange(len(fitted)), counts=counts, outcomes=values)) as rows:
        strengths = strength / (rows.total_weight * (setup.total_weight / setup.rows.total_weight))
        ends = fit_outcomes(setup, rows, strengths, l1_ratio, limits)
        redundancy = repeats(setup, strengths, l1_ratio, ends.coefficients)
    W = ends.coefficients if redundancy is None else redundancy.coefficients
    learnt = {name: value for name, value in vars(for_setup).items() if name.endswith("_") or name == "_encoding"}
    model.__dict__ |= learnt
    warn_of_many(ends, redundancy, outcomes.names[fitted], model)
    return Fits(model, outcomes, fitted, setup.rows.in_user_units(W), ends)


def many_outcomes(Y: Any) -> Outcomes:
    """Check many outcomes; one that has not two classes fails by itself."""
    named = isinstance(Y, pd.DataFrame)
    names = np.asarray(Y.columns if named else np.arange(np.shape(Y)[1] if np.ndim(Y) == 2 else 0))
    if not len(names):
        raise ValueError(f"Y has shape {np.shape(Y)}; expected a column an outcome, shape (n, K).")
    values = np.zeros((len(names), len(Y)), dtype=np.int8)
    classes, failed = [np.array([0, 1])] * len(names), {}
    plain = Y if isinstance(Y, np.ndarray) else Y.to_numpy() if named and len(set(Y.dtypes)) == 1 else None
    if plain is not None and plain.dtype.kind in "biu" and plain.size and are_zeros_and_ones(plain):
        ones = np.ascontiguousarray(plain.astype(np.int8).T)
        if (ones.any(axis=1) & ~ones.all(axis=1)).all():
            return Outcomes(ones, [np.array([0, 1], dtype=plain.dtype)] * len(names), names, {})
    for k in range(len(names)):
        labels = Y.iloc[:, k].to_numpy() if named else np.asarray(Y)[:, k]
        try:
            classes[k], values[k] = validate.two_classes(labels)
        except ValueError as error:
            failed[k] = str(error)
    return Outcomes(values, classes, names, failed)


def are_zeros_and_ones(numbers: np.ndarray) -> bool:
    """Tell whether bools or integers are all 0 or 1, which one look at their bits together tells."""
    return bool(np.bitwise_or.reduce(numbers, axis=None) in (0, 1))


def fail_without_both_classes(outcomes: Outcomes, weight: Array | None) -> None:
    """Fail the outcomes of which only one class has rows of positive weight."""
    if weight is None or weight.all():
        return
    counted = outcomes.values[:, weight > 0]
    for k in np.flatnonzero(counted.min(axis=1) == counted.max(axis=1)).tolist():
        label = outcomes.classes[k].tolist()[counted[k, 0]]
        outcomes.failed.setdefault(
            k, f"Only one class, {label!r}, has rows of positive weight; a classifier needs two."
        )


def class_counts(class_weight: Any, classes: list[np.ndarray], values: np.ndarray, weight: Array | None) -> Array:
    """Return the weights that classes give to rows in each outcome, shape (K, n)."""
    counts = np.empty(values.shape)
    for count, pair, value in zip(counts, classes, values, strict=True):
        count[:] = compute_class_weight(class_weight, classes=pair, y=pair[value], sample_weight=weight)[value]
        validate.check_weights("class_weight", count, value, pair)
    return counts


def fit_outcomes(setup: Setup, rows: VersionedRows, strengths: Array, l1_ratio: float, limits: Limits) -> Ends:
    """Return where the fits of all outcomes end, each from its null model."""
    if not setup.is_ridge(l1_ratio):
        unit = setup.elastic_net(l1_ratio)
        return fit_one_by_one(rows, strengths, unit, limits, intercept=setup.intercept, start=None)
    start = np.zeros((rows.n_columns + 1, len(strengths)))
    start[-1] = logit(rows.positive_fraction) * setup.intercept
    ends = np.unique(np.quantile(np.abs(start[-1]), np.linspace(0.0, 1.0, NEIGHBOURS)))
    near = np.zeros((rows.n_columns + 1, len(ends)))
    near[-1] = ends
    neighbours = Neighbours(near, np.abs(np.abs(start[-1])[:, None] - ends).argmin(axis=1))
    penalty = Ridge.of_factors(strengths, setup.factor, setup.spread)
    found = fit_nearby(rows, penalty, neighbours, limits, intercept=setup.intercept, start=start)
    found.coefficients[:-1][setup.left_out] = 0.0
    return found


def repeats(setup: Setup, strengths: Array, l1_ratio: float, W: Array) -> Redundancy | None:
    """Return what is redundant among the columns, and coefficients of minimum norm, where there is no penalty."""
    if strengths.any() or not setup.is_ridge(l1_ratio) or setup.rows.n_columns >= WIDEST_MATRIX:
        return None
    redundancy = minimum_norm(setup.rows.sums(np.zeros_like(W[:, :1]), "full"), W, setup.intercept)
    return redundancy if redundancy.columns.any() else None


def warn_of_many(ends: Ends, redundancy: Redundancy | None, names: np.ndarray, model: LogisticRegression) -> None:
    """Warn once of columns that repeat others, and once of models that did not arrive."""
    if redundancy is not None:
        warn_of_repeats(redundancy, model._terms())
    late = np.array([not status.is_optimum for status in ends.status])
    if not late.any():
        return
    separated = np.array([status is Status.SEPARATED for status in ends.status])
    why = (
        f"for {separated.sum()} of them the columns separate the outcomes, so that without a penalty there is no "
        "finite optimum: use a penalty, for example C=1.0"
        if separated.any()
        else f"max_iter={model.max_iter} passes were too few: raise max_iter"
    )
    warnings.warn(
        f"{late.sum()} of {len(late)} outcomes, among them {names[late].tolist()[0]!r}, did not arrive at an optimum; "
        f"{why}.",
        ConvergenceWarning,
        stacklevel=3,
    )
