"""LogisticRegression: the model as a scikit-learn classifier."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from logreg import parameters
from logreg.checkpoint import Checkpoint
from logreg.inference.information import kept_information
from logreg.inference.methods import Inference
from logreg.inference.optimum import Optimum
from logreg.inference.penalised import fit_penalised
from logreg.inference.separation import Separation, separation_at
from logreg.inference.tables import with_ends
from logreg.loss import Array
from logreg.predicting import Predicting
from logreg.products import is_sparse
from logreg.rank import Redundancy
from logreg.report import Reporter, attributes_of, has_callbacks, predictor_of, warn_of
from logreg.rows import Rows
from logreg.setup import Setup
from logreg.solve import Solution
from logreg.stop import Limits, Status
from logreg.streaming import Streaming

if TYPE_CHECKING:
    from logreg.bootstrap import Bootstrap
    from logreg.leave_one_out import LeaveOneOut


class LogisticRegression(Predicting, Streaming, Inference, CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Binary logistic regression, fitted by gradient descent preconditioned with the sigmoid's derivative.

    Minimises over coefficients w and intercept b

        (1/S) * sum_i s_i * (softplus(z_i) - y_i * z_i)  +  1/(C*S) * penalty(w),     z_i = x_i . w + b,
        penalty(w) = sum_j f_j * (l1_ratio * |w_j| + (1 - l1_ratio) / 2 * w_j**2)

    where ``p_i = sigmoid(z_i)`` is the probability of the second class, s_i are the weights and S is their sum. The
    gradient is ``X'(p - y)`` and the curvature ``X' diag(p (1 - p)) X``, because the sigmoid's derivative is
    expressed by its own value. C and weights mean what they mean in scikit-learn; the intercept is never penalised.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty; ``inf`` for none.
    penalty : {"l2", "l1", "elasticnet", "firth", None}, default="l2"
        None is maximum likelihood, whatever C is; "l1" means ``l1_ratio=1``; "firth" maximises
        ``l(w, b) + firth_weight * log det I(w, b)`` for the information I, which is finite under separation and takes
        the bias of small samples away (Firth, Biometrika 80, 1993); the others leave it to ``l1_ratio``.
    firth_weight : float, default=0.5
        Of "firth"; 1/2 is Jeffreys' prior.
    flic : bool, default=False
        Whether "firth" gets the intercept under which the mean probability is the mean outcome (Puhr, Heinze, Nold,
        Lusa and Geroldinger, Stat. Med. 36, 2017).
    l1_ratio : float, default=0.0
        Share of the L1 norm in the penalty, from 0, the ridge, to 1, the lasso. Above 0 the optimum has coefficients
        that are exactly 0, and ``solver`` has no say.
    penalty_factor : array-like of shape (n_terms,) or dict of names, default=None
        The factors f_j, None for 1: 0 for a column that is never penalised, infinity for one that is left out. A dict
        names terms, or category columns for all of their levels; what it does not name has 1. glmnet rescales its
        factors to a mean of 1, so its ``lambda`` is ``mean(f) / (C*S)``; here they are taken as they are.
    standardize : bool, default=False
        Whether the penalty acts on standardised columns, which is to multiply w_j in it by the column's standard
        deviation. The coefficients are in the user's units all the same.
    positive : bool, default=False
        Whether coefficients must not be negative. The intercept may be.
    bounds : array-like of shape (n_terms, 2) or dict of names, default=None
        The least and the greatest value of each coefficient, 0 between them; a dict names terms, or category columns
        for all of their levels. With bounds, as with an L1 part, ``solver`` has no say.
    tol : float, default=1e-4
        Distance to the optimum at which to stop, in standard errors of the coefficients: it depends neither on the
        units of X nor on the number of rows. Where ``inference`` keeps the curvature, a Newton step by it follows and
        leaves about the square of that distance. With an L1 part, the largest violation of an optimality condition, in
        units of the penalty, and a hundred times that in units of the penalty that zeroes the model (see ``kkt_``).
    fit_intercept : bool, default=True
    class_weight : dict or "balanced", default=None
        Weights of the classes, which multiply the sample weights.
    random_state : int, RandomState or None, default=None
        Picks the rows of the samples that large data start from; the optimum does not depend on it beyond ``tol``.
        None means a fixed sample, so that fits repeat.
    solver : {"auto", "gradient-descent", "newton"}, default="auto"
        Curvature that preconditions the gradient: chosen by the shape of the data, none, or that of all rows.
        scikit-learn's solver names are accepted and mean "auto": the optimum is the same.
    max_iter : int, default=100
        Most passes over the rows.
    verbose : int, default=0
        1 prints a line a pass.
    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit.
    categories : {"error", "auto"} or list, default="error"
        Which columns of a frame are categories, each of whose levels has a coefficient: none, so that text raises;
        those of text, of a category type or of bools; or those listed, by name. Under a penalty all levels have one,
        without a penalty all but the first of each column.
    unknown : {"error", "ignore"}, default="error"
        Whether a level that fit has not seen raises in predictions, or contributes nothing.
    missing : {"error", "level"}, default="error"
        Whether a missing cell in a category column raises, or is a level of its own, the last one.
    inference : {"auto", True, False}, default="auto"
        Whether the curvature at the optimum is kept, d x d numbers, for ``summary`` and all that needs standard errors:
        "auto" keeps it where it costs little, up to ``n d**2 = 2e9``.
    on_separation : {"warn", "raise", "firth", "ignore"}, default="warn"
        What to do where a combination of the columns separates the outcomes of a fit without a penalty, so that it has
        no finite optimum: "firth" fits again with that penalty, in memory. Whether it does is found out exactly, by
        linear programming, wherever the rows are (see ``separation_``).
    n_jobs : int, default=None
        Threads for large data. None means what ``joblib.parallel_config`` says, or else all cores, and one inside a
        joblib worker.
    forgetting_factor : float, default=1.0
        Share of the past that :meth:`partial_fit` keeps at each batch; 1 forgets nothing. With less, about
        ``1 / (1 - forgetting_factor)`` batches count, and the coefficients follow data that change.
    checkpoint : path, default=None
        A file that holds the coefficients after every pass, one number a column. Where it exists, ``fit`` goes on from
        it, so that a fit that was killed loses one pass; one of other data or another penalty raises. It is removed
        when a fit has ended at its optimum. Each fit needs a file of its own.
    dual, intercept_scaling, multi_class : optional
        Accepted for scikit-learn's sake; none of them changes the optimum.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_terms)
        Change of the log-odds of ``classes_[1]`` a unit of each column, and of each level of a category.
    intercept_ : ndarray of shape (1,)
    classes_ : ndarray of shape (2,)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only when X has column names that are all strings.
    feature_names_out_ : ndarray of shape (n_terms,)
        What the coefficients belong to: columns, and ``column=level`` for the levels of categories.
    categories_ : dict of str to ndarray
        The levels of each category column in the order of their coefficients; NaN, the last, is for missing cells.
    n_iter_ : ndarray of shape (1,)
        Steps taken.
    n_passes_ : int
        Times that all rows were read.
    converged_ : bool
    decrement_ : float
        Distance to the optimum after the last pass, in standard errors of the coefficients.
    kkt_ : float
        With an L1 part or bounds, the certificate: the largest violation of an optimality condition, over the smallest
        penalty that zeroes the model, 0 at the optimum. Else NaN.
    gap_ : float
        With an L1 part or bounds, a second certificate: the duality gap, by which ``objective_`` is above the minimum
        at most. Else NaN.
    objective_ : float
        The minimum found, a mean a unit of weight, after the last pass.
    solver_ : str
        The preconditioner used: "newton", "sampled-curvature", "hot-block", "diagonal", "gradient-descent" or, with
        an L1 part, "coordinate-descent".
    separation_ : Separation or None
        Which coefficients of a fit without a penalty have no finite optimum, and the proof; None if all have one, or,
        after a warning, if programs would have to hold too many rows of a scan to tell.
    history_ : dict of ndarray
        "objective", "decrement", "step" and "accepted", a value a pass; ``pandas.DataFrame(history_)`` shows it.

    Warns
    -----
    ConvergenceWarning
        If the answer is not an optimum: too few passes, or perfectly separated classes without a penalty.
    CollinearityWarning
        If columns repeat others without a penalty; the solution of minimum norm in standardised units is returned.

    Notes
    -----
    n rows and d columns cost ``4 n d`` flops a pass, and all rows are read 4 to 15 times for usual data. While
    ``2 n d**2`` is below 1e7 the method is Newton's. Larger data start on samples of the rows and take the curvature
    from some tens of thousands of rows, in float32: it decides how many passes a fit takes, not where it ends. Data of
    3,000 columns and more take the curvature's diagonal with a limited memory of past steps (L-BFGS; Nocedal, 1980)
    and, where that takes long, a matrix of the 1,000 columns of most curvature. Sparse rows and category columns cost
    ``4 n a`` flops a pass, for a stored numbers or codes a row.
    The gradient is always exact and from every row. See Nocedal and Wright, Numerical Optimization, 2006, chapters 3
    and 7; for curvature from samples, Byrd, Chin, Neveitt and Nocedal, SIAM J. Optim. 21, 2011.
    With an L1 part each step goes to the minimum of a quadratic model and the penalty, found by coordinate descent
    (Friedman, Hastie and Tibshirani, J. Stat. Software 33, 2010) and Newton steps on the support; wide data are fitted
    on the columns that matter, and a pass over all columns checks those left out. ``2 n k**2`` flops for the curvature
    of k columns that matter; sparse rows are copied once, by column.

    Examples
    --------
    >>> from logreg import LogisticRegression
    >>> from logreg.datasets import load_orings
    >>> X, y = load_orings()
    >>> clf = LogisticRegression(penalty=None).fit(X, y)
    >>> clf.coef_.round(4), clf.intercept_.round(4)
    (array([[-0.2322]]), array([15.0429]))
    """

    coef_: Any
    intercept_: Array
    classes_: np.ndarray
    categories_: dict[str, np.ndarray]
    n_features_in_: int
    feature_names_in_: np.ndarray
    n_iter_: np.ndarray
    n_passes_: int
    converged_: bool
    decrement_: float
    kkt_: float
    gap_: float
    objective_: float
    solver_: str
    separation_: Separation | None
    history_: dict[str, np.ndarray]

    def __init__(
        self,
        C: float = 1.0,
        *,
        penalty: str | None = "l2",
        l1_ratio: float | None = 0.0,
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
        warm_start: bool = False,
        categories: Any = "error",
        unknown: str = "error",
        missing: str = "error",
        inference: bool | str = "auto",
        on_separation: str = "warn",
        firth_weight: float = 0.5,
        flic: bool = False,
        n_jobs: int | None = None,
        forgetting_factor: float = 1.0,
        checkpoint: Any = None,
    ) -> None:
        self.C = C
        self.penalty = penalty
        self.l1_ratio = l1_ratio
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
        self.warm_start = warm_start
        self.categories = categories
        self.unknown = unknown
        self.missing = missing
        self.inference = inference
        self.on_separation = on_separation
        self.firth_weight = firth_weight
        self.flic = flic
        self.n_jobs = n_jobs
        self.forgetting_factor = forgetting_factor
        self.checkpoint = checkpoint

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, d), or scan
            Numbers of any type up to 64 bits, used as they are, without a copy; and category columns, see
            ``categories``. A scan, of :func:`logreg.scan_parquet` for example, brings its own outcomes, weights and
            offsets, and is read anew in each pass. Arrays and DataFrames of Dask are held by the workers of the
            current ``distributed.Client``; without one their partitions are computed anew in each pass. What stands
            beside them is of Dask as well.
        y : array-like of shape (n,)
            Two classes: numbers, bools or strings; none beside a scan.
        sample_weight : array-like of shape (n,), default=None
            Non-negative; a row of weight 2 is a row twice, a row of weight 0 is absent.
        offset : array-like of shape (n,), default=None
            Part of each row's score that is known: ``z_i = offset_i + x_i . w + b``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            In one sentence, for anything in the data or the parameters that cannot be used. Whatever stops a fit,
            the estimator stays as it was before.
        """
        strength, _ = parameters.penalty_of(self)
        parameters.solver_of(self)
        parameters.check_parameters(self)
        context = self._init_callback_context(max_subtasks=self.max_iter)
        fitted = copy.copy(self)  # all is written to a copy, which takes this estimator's place at the end
        fitted._stream = None
        setup = Setup.learn(fitted, X, y, sample_weight, offset, drop_first=strength == 0.0)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        told = {"estimator": self, "X": X, "y": y, "metadata": metadata}
        context.call_on_fit_task_begin(**told)
        rows = setup.source

        def state(W: Array) -> dict[str, Any]:
            return fitted._fitted_state() | predictor_of(rows.in_user_units(W))

        with setup:
            listens = self.verbose or has_callbacks(self)
            tell = Reporter(context, told, state, self.verbose) if listens else None
            checkpoint = Checkpoint(self.checkpoint, fitted, setup)
            limits = checkpoint.watching(Limits(self.tol, self.max_iter, tell))
            start = checkpoint.start(self._warm_coefficients(rows, fitted))
            solution, redundancy = self._solve(fitted, setup, limits, start)
        context.call_on_fit_task_end(**told, reconstruction_attributes=fitted._fitted_state())
        if solution.status[0] is not Status.SEPARATED or self.on_separation != "ignore":
            warn_of(
                solution, redundancy, fitted._terms(), fitted._endless(solution)
            )  # where that is an error, nothing has changed
        checkpoint.end(solution.status[0])
        self.__dict__ = fitted.__dict__
        return self

    def _solve(
        self, fitted: LogisticRegression, setup: Setup, limits: Limits, start: Array | None
    ) -> tuple[Solution, Redundancy | None]:
        """Minimise, and put on ``fitted`` the attributes of the solution and what inference needs."""
        (inverse_C, l1_ratio), redundancy, fitted.separation_ = parameters.penalty_of(self), None, None
        strength, free = setup.strengths(inverse_C), inverse_C == 0.0 and setup.is_ridge(l1_ratio)
        firth = self.penalty == "firth"
        if not firth:
            solver = parameters.solver_of(self)
            solution, redundancy = setup.solve(strength, l1_ratio, solver, limits, start, self._seed())
            ridge = setup.ridge(np.array([strength]))
            of_fit = {"intercept": setup.intercept, "left_out": setup.left_out, "solution": solution}
            optimum = Optimum(setup.source, solution.coefficients, ridge, **of_fit)
            if free and self.on_separation != "ignore":
                fitted.separation_ = separation_at(setup, optimum)
            firth = fitted.separation_ is not None and self.on_separation == "firth"
        if firth:
            solution, fitted._information = fit_penalised(setup, self, limits, start)
        elif fitted.separation_ is not None:
            if self.on_separation == "raise":
                raise ValueError(f"{fitted.separation_} Use a penalty, for example C=1.0, or leave such columns out.")
            solution = replace(solution, status=[Status.SEPARATED])
        W = setup.source.in_user_units(solution.coefficients)
        if not firth:
            options = self.inference, optimum, l1_ratio, solution, redundancy, fitted.separation_
            fitted._information = kept_information(setup, *options)
            if fitted._information is not None and redundancy is None and fitted.separation_ is None:
                W = fitted._information.estimates[:, None]  # nearer to the optimum
        fitted.__dict__ |= attributes_of(W, solution)
        if fitted._information is not None and fitted.separation_ is not None and not firth:
            fitted._information = with_ends(fitted._information, setup, fitted)
        return solution, redundancy

    def _endless(self, solution: Solution) -> str | None:
        """Return for a warning which coefficients a separated fit leaves without an optimum, None if it is none."""
        if self.separation_ is None or solution.status[0] is not Status.SEPARATED:
            return None
        return self.separation_.endless(self._terms())

    def loo_scores(
        self, X: Any, y: Any, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None
    ) -> LeaveOneOut:
        """Return the score that each row of the fit would have had without it, and their log-loss, without a refit.

        See :func:`logreg.leave_one_out.leave_one_out`; X, y, weights and offset are those of the fit.
        """
        from logreg.leave_one_out import leave_one_out

        return leave_one_out(self._with_penalty(), X, y, sample_weight, offset)

    def bootstrap(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        offset: ArrayLike | None = None,
        n: int = 200,
        method: str = "multinomial",
        random_state: Any = None,
    ) -> Bootstrap:
        """Return the coefficients of n resamples of the rows of the fit, and intervals from them.

        See :func:`logreg.bootstrap.bootstrap`; X, y, weights and offset are those of the fit.
        """
        from logreg.bootstrap import bootstrap

        options = {"n": n, "method": method, "random_state": random_state}
        return bootstrap(self._with_penalty(), X, y, sample_weight, offset=offset, **options)

    @property
    def feature_names_out_(self) -> np.ndarray:
        """Names of the terms, one a coefficient: columns, or ``column=level``; x0, x1, ... where there are no names."""
        check_is_fitted(self)
        terms = self._terms()
        return np.array([f"x{j}" for j in range(self.n_features_in_)], dtype=object) if terms is None else terms

    def coef_frame(self) -> pd.DataFrame:
        """Return the coefficients as a table with the columns ``term`` and ``estimate``; the intercept comes first."""
        terms, estimates = list(self.feature_names_out_), self._coefficients()
        if self.fit_intercept:
            terms, estimates = ["intercept", *terms], np.append(self.intercept_, estimates)
        return pd.DataFrame({"term": terms, "estimate": estimates})

    def sparsify(self) -> Self:
        """Hold ``coef_`` as a CSR matrix, which takes less memory where most coefficients are 0; return self."""
        check_is_fitted(self)
        self.coef_ = sparse.csr_matrix(self.coef_)
        return self

    def densify(self) -> Self:
        """Hold ``coef_`` as an array again; return self."""
        check_is_fitted(self)
        self.coef_ = self._coefficients()[None, :]
        return self

    def to_torch(self) -> Any:
        """Return the fitted model as a ``torch.nn.Module``: ``linear``, then ``activation``, a final sigmoid.

        Its forward maps a tensor of shape (n, d) to the (n,) probabilities of ``classes_[1]``, in float32 until
        ``.double()`` is called, and can be trained onward. Needs PyTorch, the extra ``logreg[torch]``.
        """
        check_is_fitted(self)
        from logreg.unit import sigmoid_unit

        return sigmoid_unit(self._coefficients()[None, :], self.intercept_)

    def _with_penalty(self) -> LogisticRegression:
        """Return the fitted estimator of one penalty: this one, unless overridden."""
        return self

    def _coefficients(self) -> Array:
        """Return the coefficients, shape (n_terms,), also after ``sparsify``."""
        dense: Array = (self.coef_.toarray() if is_sparse(self.coef_) else self.coef_)[0]
        return dense

    def _fitted_state(self) -> dict[str, Any]:
        # For callbacks, which put it over the attributes of an earlier fit; names of that must not shine through.
        return {"feature_names_in_": None} | vars(self)

    def _terms(self) -> np.ndarray | None:
        return getattr(self, "feature_names_in_", None) if self._encoding is None else self._encoding.terms

    def _seed(self) -> int:
        if self.random_state is None:
            return 0
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _warm_coefficients(self, rows: Rows, fitted: LogisticRegression) -> Array | None:
        if not self.warm_start or getattr(self, "coef_", np.empty((0, 0))).shape[1] != rows.n_columns:
            return None
        if (self._encoding or fitted._encoding) and list(self.feature_names_out_) != list(fitted.feature_names_out_):
            return None
        W = np.append(self._coefficients(), self.intercept_ * self.fit_intercept)[:, None]
        return rows.from_user_units(W)

    def __sklearn_tags__(self) -> Tags:
        """Declare a binary classifier that takes sparse X."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.sparse = True
        return tags
