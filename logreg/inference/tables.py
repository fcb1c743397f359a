"""The methods of a fitted estimator that tell estimates with their errors and intervals."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning

from logreg import validate
from logreg.inference.information import Information
from logreg.inference.known import SPARSE, Known, check_level, lacks_rows
from logreg.loss import Array
from logreg.predictors import check_columns
from logreg.setup import Setup

if TYPE_CHECKING:
    from logreg.estimator import LogisticRegression
    from logreg.inference.summary import Summary

RIDGE = (
    "A penalty shrinks the estimates, and the errors are those of the penalised curvature: they say how much the "
    "estimates vary, not how far they are from the truth."
)
ALIASED = "Without an estimate are columns that repeat combinations of others: {columns} (see aliased_)."
SEPARATED = (
    "Columns separate the outcomes (see separation_): infinite estimates have no standard error, the others are the "
    "limits of a fit. Intervals of the infinite ones are profile-likelihood intervals; a penalty has a finite optimum."
)
LEVEL = 0.95
FIRTH = (
    "Statistics and p-values are penalised likelihood-ratio tests; 95 % intervals are penalised profile-likelihood "
    "intervals, others are of Wald."
)
FIRTH_WALD = (
    "Tests and intervals are of Wald; fit with inference=True, or call conf_int(X, y, method='profile'), for those of "
    "the penalised likelihood."
)
UNCERTAIN = "The fit did not converge, so these are not the numbers of an optimum."


class Tables(Known):
    """What :class:`LogisticRegression` says about how sure its coefficients and probabilities are."""

    def summary(self, *, exponentiate: bool = False, level: float = 0.95, cov: Any = "model") -> Summary:
        """Return the table of the fit: estimates, standard errors, tests and intervals, and how well it fits.

        Parameters
        ----------
        exponentiate : bool, default=False
            Whether estimates and intervals are odds ratios; standard errors stay those of the log-odds.
        level : float, default=0.95
            Of the intervals.
        cov : "model" or DataFrame, default="model"
            The covariance of the estimates: the inverse of the curvature, or what :meth:`covariance` returned for
            robust errors, for rows that depend on each other, or for weights that are no numbers of rows.

        Raises
        ------
        ValueError
            If the fit kept no curvature; the sentence says how it does.

        Examples
        --------
        >>> from logreg import LogisticRegression
        >>> from logreg.datasets import load_orings
        >>> clf = LogisticRegression(penalty=None, tol=1e-8).fit(*load_orings())
        >>> clf.summary().frame.round(4)[["term", "estimate", "std_error", "p_value"]].to_dict("records")[1]
        {'term': 'Temperature', 'estimate': -0.2322, 'std_error': 0.1082, 'p_value': 0.032}
        """
        from logreg.inference.summary import Summary, coefficient_frame, fit_frame

        check_level(level)
        terms, notes = self._terms_and_intercept(), []
        if self._is_sparse_penalty():
            estimates = self._ordered(self._all_coefficients())
            frame = coefficient_frame(terms, estimates, np.full(len(terms), np.nan), level, exponentiate)
            return Summary(frame, pd.DataFrame(index=[0]), self._objective_text(), [SPARSE])
        information = self._known()
        if information.errors_at_limit is not None:
            errors = self._ordered(information.errors_at_limit)
            notes.append(SEPARATED)
        else:
            errors = self._ordered(np.sqrt(np.diagonal(self._covariance_of(cov))))
        by_likelihood = isinstance(cov, str)
        estimates = self._ordered(information.estimates)
        if information.penalty == "firth":
            notes.append(FIRTH if information.likelihood_ratios is not None else FIRTH_WALD)
        elif information.penalty == "ridge":
            notes.append(RIDGE)
        if information.aliases:
            names = ", ".join(repr(terms[j + self.fit_intercept]) for j in information.aliases)
            notes.append(ALIASED.format(columns=names))
        notes += [] if self.converged_ or information.errors_at_limit is not None else [UNCERTAIN]
        frame = coefficient_frame(terms, estimates, errors, level, exponentiate)
        if information.likelihood_ratios is not None and by_likelihood:
            ratios = self._ordered(information.likelihood_ratios)
            frame["statistic"], frame["p_value"] = ratios, np.exp(np.log(2.0) + norm.logsf(np.sqrt(ratios)))
        if information.ends is not None and level == LEVEL and by_likelihood:
            ends = self._ordered(information.ends)
            known = ~np.isnan(ends[:, 0])
            frame.loc[known, ["conf_low", "conf_high"]] = np.exp(ends[known]) if exponentiate else ends[known]
        has_intercept = bool(self.fit_intercept)
        return Summary(frame, fit_frame(information, has_intercept), self._objective_text(), notes)

    def covariance(
        self,
        kind: str = "model",
        X: Any = None,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        offset: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        weight_type: str = "frequency",
    ) -> pd.DataFrame:
        """Return the covariance of the estimates, with the names of the terms, the intercept first.

        Parameters
        ----------
        kind : {"model", "HC0", "HC1", "HC2", "HC3", "cluster"}, default="model"
            The inverse of the curvature at the optimum, ``(X' diag(s p (1 - p)) X + penalty)^-1``; or a sandwich of it
            that allows for other variances, or for rows that depend on each other within groups.
        X, y, sample_weight, offset
            Those of the fit, for all kinds but "model": one more pass. Only "cluster" needs them in memory.
        groups : array-like of shape (n,), default=None
            One label a row, for "cluster".
        weight_type : {"frequency", "precision", "sampling"}, default="frequency"
            What a weight of 2 is: the row twice, a row of half the variance, or one that stands for another that was
            not drawn. Of the model's covariance the first two are the same. See
            :func:`logreg.inference.robust.robust_covariance`.

        Raises
        ------
        ValueError
            In one sentence, for parameters that cannot be used, and rows that are not those of the fit.

        Examples
        --------
        The errors of rows that stand for 1, 2 or 3 of a population, in every table, test and interval:

        >>> import numpy as np
        >>> from logreg import LogisticRegression
        >>> from logreg.datasets import load_orings
        >>> X, y = load_orings()
        >>> weights = 1.0 + np.arange(len(X)) % 3
        >>> clf = LogisticRegression(penalty=None, tol=1e-8).fit(X, y, weights)
        >>> design = clf.covariance("HC1", X, y, weights, weight_type="sampling")
        >>> clf.summary(cov=design).frame["std_error"].round(4).tolist()
        [6.9089, 0.1066]
        >>> round(clf.wald_test("Temperature", cov=design).p_value, 4), clf.predict_interval(X, cov=design).shape
        (0.0633, (23, 3))
        """
        from logreg.inference import robust

        robust.check_kind(kind, groups, weight_type, ("model", *robust.KINDS))
        information = self._known(with_curvature=True)
        if kind == "model":
            found = information.covariance
        elif lacks_rows(X, y):
            raise ValueError(f"kind={kind!r} needs the rows of the fit; pass covariance({kind!r}, X, y).")
        else:
            with Setup.again(self._with_penalty(), X, y, sample_weight, offset) as setup:
                self._check_rows(setup, information)
                found = robust.robust_covariance(
                    setup, information.estimates, information.covariance, kind, groups, weight_type=weight_type
                )
        terms, ordered = self._terms_and_intercept(), self._ordered(self._ordered(found).T)
        return pd.DataFrame(ordered, index=terms, columns=terms)

    def conf_int(
        self,
        X: Any = None,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        offset: ArrayLike | None = None,
        method: str = "wald",
        level: float = 0.95,
        cov: Any = "model",
    ) -> pd.DataFrame:
        """Return confidence intervals: ``term, estimate, conf_low, conf_high``, the intercept first.

        Parameters
        ----------
        X, y, sample_weight, offset
            Those of the fit, for "profile" and "score".
        method : {"wald", "profile", "score"}, default="wald"
            Estimate and standard error; or the values that a likelihood-ratio test, or a score test, does not reject,
            the other coefficients at their optimum: exact roots, infinite where a test never rejects.
        level : float, default=0.95
        cov : "model" or DataFrame, default="model"
            As in :meth:`summary`, for "wald".
        """
        from logreg.inference import intervals

        check_level(level)
        if method not in ("wald", "profile", "score"):
            raise ValueError(f"method={method!r} must be 'wald', 'profile' or 'score'.")
        if method == "wald":
            return self.summary(level=level, cov=cov).frame[["term", "estimate", "conf_low", "conf_high"]]
        if not isinstance(cov, str):
            raise ValueError(f"method={method!r} asks the likelihood, which knows no cov; pass method='wald'.")
        if lacks_rows(X, y):
            raise ValueError(f"method={method!r} needs the rows of the fit; pass conf_int(X, y, method={method!r}).")
        find = intervals.profile_intervals if method == "profile" else intervals.score_intervals
        model = self._with_penalty()
        with Setup.again(model, X, y, sample_weight, offset) as setup:
            if self._known().penalty == "firth":
                return self._firth_intervals(setup, model, method, level)
            table = find(setup, model, self._all_coefficients(), level=level)
        if self._information is not None:
            table["estimate"] = self._ordered(self._information.estimates)  # of a separated fit the limits
        return table

    def _firth_intervals(self, setup: Setup, model: LogisticRegression, method: str, level: float) -> pd.DataFrame:
        """Return profile intervals of Firth's likelihood."""
        from logreg.firth_profile import profile_intervals
        from logreg.inference.penalised import summit_of_fit

        if method == "score":
            raise ValueError("method='score' is not known for penalty='firth'; use 'wald' or 'profile'.")
        w = self._all_coefficients()
        ends = np.full((len(w), 2), np.nan)
        places = slice(None) if setup.intercept else slice(-1)
        ends[places] = profile_intervals(summit_of_fit(setup, model, w), level=level)
        low, high = self._ordered(ends).T
        terms, estimates = self._terms_and_intercept(), self._ordered(w)
        return pd.DataFrame({"term": terms, "estimate": estimates, "conf_low": low, "conf_high": high})

    def predict_interval(
        self, X: Any, level: float = 0.95, *, offset: ArrayLike | None = None, cov: Any = "model"
    ) -> Array:
        """Return for each row the probability of ``classes_[1]`` between the ends of its interval, shape (n, 3).

        ``sigmoid(z -+ q sqrt(x' C x))`` for the score z and the covariance C of the estimates, ``cov`` as in
        :meth:`summary`: low, p and high.
        """
        from logreg.inference.effects import predict_interval
        from logreg.inference.robust import root_of

        check_level(level)
        root, C = self._known(with_curvature=True).root, self._covariance_of(cov)
        root = root if isinstance(cov, str) else root_of(C)
        X = check_columns(self, X)
        known = validate.row_numbers("offset", offset, X.shape[0])
        names = self.feature_names_out_
        return predict_interval(X, self._all_coefficients(), root, level, offset=known, names=names)

    @property
    def aliased_(self) -> dict[str, dict[str, float]]:
        """Columns that repeat combinations of others, without a penalty, and these combinations."""
        information, terms = self._known(), [*self.feature_names_out_, "intercept"]
        return {
            str(terms[j]): {
                str(term): float(share) for term, share in zip(terms, combination, strict=True) if share != 0.0
            }
            for j, combination in information.aliases.items()
        }

    def _objective_text(self) -> str:
        """Return in words what was minimised."""
        model = self._with_penalty()
        penalty, C, l1_ratio = model.penalty, model.C, model.l1_ratio
        if self._information is not None and self._information.penalty == "firth":
            return f"Logistic regression by Firth's penalised likelihood, l + {model.firth_weight:g} log det I"
        unpenalised = self._information is not None and self._information.penalty == "none"
        if penalty in (None, "none") or np.isinf(C) or unpenalised:
            return "Logistic regression by maximum likelihood"
        share = 1.0 if penalty == "l1" else float(l1_ratio or 0.0)
        kind = "a ridge" if share == 0.0 else "a lasso" if share == 1.0 else f"an elastic net of l1_ratio={share:g}"
        return f"Logistic regression: log-loss and {kind} of C={C:g}"


def with_ends(information: Information, setup: Setup, estimator: LogisticRegression) -> Information:
    """Return the information of a fit separated in part with profile intervals of its infinite coefficients."""
    from logreg.inference.intervals import profile_intervals

    separation, w = estimator.separation_, estimator._all_coefficients()
    endless = np.flatnonzero(np.isinf(information.estimates))
    if separation is None or separation.kind == "complete" or not endless.size:  # complete: no row tells an end
        return information
    ends = np.full((len(w), 2), np.nan)
    with warnings.catch_warnings(), suppress(ValueError, np.linalg.LinAlgError):
        warnings.simplefilter("ignore", ConvergenceWarning)  # an end that is not found stays NaN
        table = profile_intervals(setup, estimator, w, level=LEVEL, columns=endless)
        ends[endless] = table[["conf_low", "conf_high"]]
    return replace(information, ends=ends)
