"""LogisticRegressionCV: the penalty chosen by cross-validation, all folds and penalties in the same passes."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.callback import with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from logreg import parameters, validate
from logreg.estimator import LogisticRegression
from logreg.folds import Folds, GridOfFits, balancing, fit_grid, paths_of
from logreg.grid import inverse_strengths
from logreg.held_out import METRICS, check_scores, scores_of_metric, scores_of_scorer
from logreg.loss import Array
from logreg.report import PassReporter, has_callbacks, predictor_of, warn_of
from logreg.rows import VersionedRows, Versions
from logreg.selection import best_of_folds, choose, legacy_layout, results
from logreg.setup import Setup
from logreg.stop import Limits

LEARNT = ("_encoding", "_information")  # private attributes of a fit
OWN = ("Cs", "l1_ratios", "cv", "scoring", "select", "refit", "use_legacy_attributes")  # beside LogisticRegression's


class LogisticRegressionCV(LogisticRegression):
    """Logistic regression whose penalty is chosen by cross-validation.

    For every fold f and every penalty it minimises what :class:`LogisticRegression` does over the rows of the fold's
    training set, where other rows have weight 0. All folds and all C of a ridge travel together: a pass over X serves
    them all, each fold starts from the fit of all rows, and shares its curvature.

    Parameters
    ----------
    Cs : "auto", int or array-like, default="auto"
        Inverse strengths of the penalty. "auto" takes ten, evenly spaced in the logarithm, from the penalty that zeroes
        the model to one too weak to matter, as the data say; an int takes so many from 1e-4 to 1e4, as scikit-learn
        does; an array is taken as it is.
    l1_ratios : array-like, default=(0.0,)
        Shares of the L1 norm in the penalty, to choose from as well.
    cv : int, splitter or iterable, default=None
        Number of stratified folds, None for 5; a splitter; or (train, test) pairs.
    scoring : str or callable, default="neg_log_loss"
        "neg_log_loss", "neg_brier_score", "accuracy" and "roc_auc" are computed from the scores of held-out rows; any
        other scorer of scikit-learn is given a fitted estimator for each fold and penalty. None means accuracy.
    select : {"best", "1se"}, default="best"
        The penalty of the best mean score, or the largest within one standard error of that (Breiman, Friedman, Olshen
        and Stone, 1984, as in glmnet's lambda.1se).
    refit : bool, default=True
        Whether to fit all rows under the chosen penalty. Else the coefficients are the mean over the folds, each at the
        penalty that suits it best.
    use_legacy_attributes : bool, default=False
        Whether C_, l1_ratio_, scores_, coefs_paths_ and n_iter_ have the shapes of scikit-learn before version 1.10.
    penalty, penalty_factor, standardize, positive, bounds, tol, fit_intercept, class_weight, random_state, solver, \
max_iter, multi_class, verbose, categories, unknown, missing, inference, on_separation, \
firth_weight, flic, n_jobs, dual, intercept_scaling
        As in :class:`LogisticRegression`, for every fit. Levels of categories are learnt from all rows; "balanced"
        weights are those of each training set.

    Attributes
    ----------
    C_, l1_ratio_ : float
        The penalty chosen.
    Cs_, l1_ratios_ : ndarray
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs, 1, n_terms + 1)
        Coefficients of the folds, the intercept last, where there is one.
    cv_results_ : dict
        As that of scikit-learn's GridSearchCV; ``pandas.DataFrame(cv_results_)`` shows it.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        Steps taken.
    n_passes_ : int
        Times that all rows were read, for all fits.
    best_estimator_ : LogisticRegression
        The final fit as an estimator of one penalty.
    coef_, intercept_, classes_, ...
        All other attributes of :class:`LogisticRegression`, of the final fit.

    Warns
    -----
    ConvergenceWarning
        Once, if some fits did not arrive at their optimum.

    Notes
    -----
    K models, folds times penalties, of n rows and d columns cost ``4 n d K`` flops a pass, in matrix products, and
    n K exponentials; three or four such passes are usual, after as many for the fits of all rows. Memory for about
    ``60 K d`` numbers, and n times the folds bytes; models travel in groups that fit into a gigabyte.

    Examples
    --------
    >>> from logreg import LogisticRegressionCV
    >>> from logreg.datasets import load_breast_cancer
    >>> X, y = load_breast_cancer()
    >>> clf = LogisticRegressionCV(cv=5, standardize=True).fit(X, y)
    >>> clf.scores_.shape, round(clf.score(X, y), 2)
    ((5, 1, 10), -0.06)
    """

    C_: Any
    l1_ratio_: Any
    Cs_: Array
    l1_ratios_: Array
    scores_: Any
    coefs_paths_: Any
    cv_results_: dict[str, Any]

    def __init__(
        self,
        Cs: Any = "auto",
        *,
        l1_ratios: Any = (0.0,),
        cv: Any = None,
        scoring: Any = "neg_log_loss",
        select: str = "best",
        refit: bool = True,
        use_legacy_attributes: bool = False,
        penalty: str | None = "deprecated",
        penalty_factor: Any = None,
        standardize: bool = False,
        positive: bool = False,
        bounds: Any = None,
        dual: bool = False,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        class_weight: dict[Any, float] | str | None = None,
        random_state: Any = None,
        solver: str = "auto",
        max_iter: int = 100,
        multi_class: str | None = "auto",
        verbose: int = 0,
        categories: Any = "error",
        unknown: str = "error",
        missing: str = "error",
        inference: bool | str = "auto",
        on_separation: str = "warn",
        firth_weight: float = 0.5,
        flic: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.cv = cv
        self.scoring = scoring
        self.select = select
        self.refit = refit
        self.use_legacy_attributes = use_legacy_attributes
        self.penalty = penalty
        self.penalty_factor = penalty_factor
        self.standardize = standardize
        self.positive = positive
        self.bounds = bounds
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.multi_class = multi_class
        self.verbose = verbose
        self.categories = categories
        self.unknown = unknown
        self.missing = missing
        self.inference = inference
        self.on_separation = on_separation
        self.firth_weight = firth_weight
        self.flic = flic
        self.n_jobs = n_jobs

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(
        self, X: Any, y: Any, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None, **params: Any
    ) -> Self:
        """Choose the penalty and fit the model.

        Parameters
        ----------
        X, y, sample_weight, offset
            As in :meth:`LogisticRegression.fit`; the weights count in fits and in scores.
        **params
            ``groups`` for the splitter; with scikit-learn's metadata routing whatever splitter and scorer ask for.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            In one sentence, for anything in the data or the parameters that cannot be used: a fold with one class, Cs
            that are not positive, a scorer that returns NaN. Whatever stops a fit, the estimator stays as it was.
        """
        model, l1_ratios = self._model(), parameters.l1_ratios(self)
        parameters.check_selection(self)
        scorer = None if self._is_own_metric() else get_scorer(self.scoring)
        if scorer is not None and offset is not None:
            raise ValueError(self._without_offset())
        routed = self._routed(sample_weight, params)
        context = self._init_callback_context(max_subtasks=None)
        began = time.perf_counter()
        setup = Setup.learn(model, X, y, sample_weight, offset, drop_first=self.penalty in ("none", None))
        told = {"estimator": self, "X": X, "y": y, "metadata": None}
        context.call_on_fit_task_begin(**told)
        folds = Folds.of(check_cv(self.cv, y, classifier=True).split(X, y, **routed.splitter.split), setup)
        weight = validate.row_numbers("sample_weight", sample_weight, setup.rows.n_rows)
        tell = PassReporter(context, told, self.tol, self.verbose) if self.verbose or has_callbacks(self) else None
        limits = Limits(self.tol, self.max_iter, tell)
        with setup:
            Cs = np.array([np.inf]) if self.penalty in ("none", None) else inverse_strengths(self.Cs, l1_ratios, setup)
            fits = self._fits(setup, folds, Cs, l1_ratios, weight, limits)
            seconds = time.perf_counter() - began
            if scorer is None:
                scores = scores_of_metric(setup, folds, fits, weight, self.scoring)
            else:
                given = dict(routed.scorer.score)
                if "sample_weight" in given:
                    given["sample_weight"] = weight
                scores = scores_of_scorer(scorer, model, folds, paths_of(setup, fits), (X, y), given)
            check_scores(scores, Cs, l1_ratios)
            timed = seconds, time.perf_counter() - began - seconds
            ratio, best = choose(scores, Cs, self.select)
            C, l1_ratio = float(Cs[best]), float(l1_ratios[ratio])
            # The mean over the folds is the fit of all rows but for second-order terms.
            start = fits[ratio].coefficients[:, best].mean(axis=0)[:, None]
            model.set_params(C=C, l1_ratio=l1_ratio, inference=self.inference if self.refit else False)
            solution, redundancy = model._solve(model, setup, replace(limits, on_pass=None), start)
        paths = paths_of(setup, fits)
        found: dict[str, Any] = {
            "C_": C,
            "l1_ratio_": l1_ratio,
            "scores_": scores,
            "coefs_paths_": paths[:, :, :, None, : paths.shape[-1] - (not self.fit_intercept)],
            "n_iter_": np.stack([fit.n_iter for fit in fits], axis=1),
            "n_passes_": sum(fit.n_passes for fit in fits) + len(solution.history),
        }
        if not self.refit:
            mean, found["C_"], found["l1_ratio_"] = best_of_folds(scores, paths, Cs, l1_ratios)
            found |= predictor_of(mean[:, None])
        found |= {"Cs_": Cs, "l1_ratios_": l1_ratios, "cv_results_": results(scores, Cs, l1_ratios, timed)}
        if self.use_legacy_attributes:
            found = legacy_layout(found, model.classes_[1], self.l1_ratios is not None)
        context.call_on_fit_task_end(
            **told, reconstruction_attributes={"feature_names_in_": None} | vars(model) | found
        )
        if model.separation_ is None:
            warn_of_fits(fits, self.max_iter)
        if model.separation_ is not None or redundancy is not None:
            warn_of(solution, redundancy, model._terms(), model._endless(solution))
        learnt = {name: value for name, value in vars(model).items() if name.endswith("_") or name in LEARNT}
        kept = {name: value for name, value in vars(self).items() if not name.endswith("_")}
        self.__dict__ = kept | learnt | found
        return self

    def score(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None
    ) -> float:
        """Return what ``scoring`` says of the rows; with an offset only for the scores that are computed here."""
        if self._is_own_metric():
            outcome = validate.known_labels(y, self.classes_, X.shape[0] if hasattr(X, "shape") else len(X))
            weight = validate.row_numbers("sample_weight", sample_weight, len(outcome))
            return float(METRICS[self.scoring](self.decision_function(X, offset)[None, :], outcome, weight)[0])
        if offset is not None:
            raise ValueError(self._without_offset())
        given = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(get_scorer(self.scoring)(self, X, y, **given))

    @property
    def best_estimator_(self) -> LogisticRegression:
        """The final fit as an estimator of one penalty."""
        check_is_fitted(self)
        chosen = self._model()
        learnt = {name: value for name, value in vars(self).items() if name.endswith("_") or name in LEARNT}
        chosen.__dict__ |= learnt
        chosen.set_params(C=float(np.ravel(self.C_)[0]), l1_ratio=float(np.ravel(self.l1_ratio_)[0]))
        return chosen

    def _with_penalty(self) -> LogisticRegression:
        return self.best_estimator_

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what splitter and scorer ask for."""
        to_split, to_score = MethodMapping().add(caller="fit", callee="split"), MethodMapping()
        to_score = to_score.add(caller="fit", callee="score").add(caller="score", callee="score")
        router = MetadataRouter(owner=self).add_self_request(self).add(splitter=self.cv, method_mapping=to_split)
        scorer = None if self.scoring is None else get_scorer(self.scoring)
        return router if scorer is None else router.add(scorer=scorer, method_mapping=to_score)

    def _model(self) -> LogisticRegression:
        """Return an estimator of one penalty with the parameters of this one, after checking them."""
        mine = {name: value for name, value in self.get_params(deep=False).items() if name not in OWN}
        model = LogisticRegression(**mine | {"penalty": "l2" if self.penalty == "l1" else self.penalty})
        if self.penalty == "firth":
            raise ValueError("penalty='firth' has no C to choose; use LogisticRegression(penalty='firth').")
        parameters.penalty_of(model)
        parameters.solver_of(model)
        parameters.check_parameters(model)
        return model

    def _is_own_metric(self) -> bool:
        return self.scoring is None or (isinstance(self.scoring, str) and self.scoring in METRICS)

    def _without_offset(self) -> str:
        known = ", ".join(repr(name) for name in METRICS if name)
        return f"scoring={self.scoring!r} cannot take the offset into account; use one of {known}."

    def _routed(self, sample_weight: Any, params: dict[str, Any]) -> Bunch:
        """Return what is for the splitter's ``split`` and for the scorer's ``score``."""
        if get_config()["enable_metadata_routing"]:
            routed: Bunch = process_routing(self, "fit", sample_weight=sample_weight, **params)
            return routed
        unknown = set(params) - {"groups"}
        if unknown:
            raise TypeError(f"fit got {', '.join(sorted(unknown))}, which it passes on only with metadata routing.")
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return Bunch(splitter=Bunch(split=params), scorer=Bunch(score=weights))

    def _fits(
        self, setup: Setup, folds: Folds, Cs: Array, l1_ratios: Array, weight: Array | None, limits: Limits
    ) -> list[GridOfFits]:
        counts = folds.counts(setup.rows.n_rows)
        if isinstance(self.class_weight, str):
            counts = balancing(setup, counts, weight)
        versions = Versions(np.repeat(np.arange(len(folds)), len(Cs)), counts=counts)
        seed = self._seed()
        with VersionedRows(setup.rows, versions) as rows:
            return [fit_grid(setup, rows, 1.0 / Cs, ratio, limits, seed) for ratio in l1_ratios.tolist()]


def warn_of_fits(fits: list[GridOfFits], max_iter: int) -> None:
    """Warn once if some of the fits did not arrive."""
    late = sum(fit.unfinished for fit in fits)
    if late:
        total = sum(fit.n_iter.size for fit in fits)
        away = max(fit.decrement for fit in fits)
        how_far = f", the farthest {away:.2g} standard errors from its optimum" if away > 0.0 else ""
        warnings.warn(
            f"{late} of {total} fits did not arrive within max_iter={max_iter} passes{how_far}; raise max_iter, or "
            "leave out the largest Cs.",
            ConvergenceWarning,
            stacklevel=4,
        )
