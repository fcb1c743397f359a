"""The methods of a fitted estimator that test, and that ask rows; each imports its room when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import ArrayLike

from logreg import validate
from logreg.inference.known import check_level
from logreg.inference.tables import Tables
from logreg.predictors import check_columns
from logreg.setup import Setup
from logreg.threads import n_threads

if TYPE_CHECKING:
    from logreg.inference.chi_square import ChiSquare
    from logreg.inference.diagnosis import Diagnosis


class Inference(Tables):
    """What :class:`LogisticRegression` says about its coefficients beside their values."""

    def wald_test(self, terms: Any, *, value: Any = 0.0, cov: Any = "model") -> ChiSquare:
        """Test that coefficients, or combinations of them, have a value: ``(R w - v)' (R C R')^-1 (R w - v)``.

        Parameters
        ----------
        terms : str, list of str, or array-like of shape (m, n_terms + 1)
            Names of terms, or of category columns for all their levels; or the combinations R, the intercept last.
            What is said of columns that repeat others (``aliased_``) is left out.
        value : float or array-like of shape (m,), default=0
        cov : "model" or DataFrame, default="model"
            As in :meth:`summary`.
        """
        from logreg.inference.hypotheses import wald_test

        estimates, covariance = self._known(with_curvature=True).estimates, self._covariance_of(cov)
        return wald_test(estimates, covariance, terms, self.feature_names_out_, value=value)

    def lr_test(
        self, terms: Any, X: Any, y: Any, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None
    ) -> ChiSquare:
        """Test that coefficients are 0 by refitting without them: twice the fall of the log-likelihood.

        ``terms`` are names of terms or of category columns, or another fitted estimator whose model is part of this
        one. X, y, weights and offset are those of the fit.
        """
        from logreg.inference.hypotheses import lr_test, lr_test_nested

        model = self._with_penalty()
        if isinstance(terms, Inference):
            return lr_test_nested(model, terms._with_penalty(), X, y, sample_weight, offset)
        with Setup.again(model, X, y, sample_weight, offset) as setup:
            return lr_test(setup, model, self._all_coefficients(), terms)

    def score_test(
        self, added: Any, X: Any, y: Any, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None
    ) -> ChiSquare:
        """Test that columns which are not in the model add nothing, without fitting them (Rao, 1948).

        ``added`` has the shape (n, m); X, y, weights and offset are those of the fit.
        """
        from logreg.inference.hypotheses import score_test

        model = self._with_penalty()
        with Setup.again(model, X, y, sample_weight, offset) as setup:
            return score_test(setup, model, self._all_coefficients(), added=added)

    def drop1(
        self, X: Any, y: Any, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None
    ) -> pd.DataFrame:
        """Return what the fit loses without each term, or category column: ``term, df, deviance, AIC, LRT, p_value``.

        X, y, weights and offset are those of the fit.
        """
        from logreg.inference.hypotheses import drop1

        model = self._with_penalty()
        with Setup.again(model, X, y, sample_weight, offset) as setup:
            return drop1(setup, model, self._all_coefficients())

    def marginal_effects(
        self,
        X: Any,
        sample_weight: ArrayLike | None = None,
        *,
        offset: ArrayLike | None = None,
        kind: str = "average",
        at: Any = None,
        level: float = 0.95,
        cov: Any = "model",
    ) -> pd.DataFrame:
        """Return by how much the probability changes with each column, with errors by the delta method.

        The mean over the rows of ``p (1 - p) w_j`` for "average", at the mean row for "at_mean"; of columns of 0 and 1,
        and of levels of categories, the difference between having it and not. ``cov`` is that of :meth:`summary`.
        See :func:`logreg.inference.effects.marginal_effects`.
        """
        from logreg.inference.effects import marginal_effects

        check_level(level)
        covariance = self._covariance_of(cov)
        X = check_columns(self, X)
        return marginal_effects(
            X,
            self._all_coefficients(),
            covariance,
            self.feature_names_out_,
            kind,
            weight=validate.row_numbers("sample_weight", sample_weight, X.shape[0]),
            offset=validate.row_numbers("offset", offset, X.shape[0]),
            at=at,
            encoding=self._encoding,
            level=level,
            n_threads=n_threads(self.n_jobs),
        )

    def influence(
        self, X: Any, y: Any, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None
    ) -> pd.DataFrame:
        """Return how much each row of the fit weighs in it, a row a row.

        ``leverage, residual_deviance, residual_pearson, residual_standardised, cooks_distance``, as R's functions for
        generalised linear models define them. X, y, weights and offset are those of the fit.
        """
        from logreg.inference.influence import influence

        information, model = self._known(with_curvature=True), self._with_penalty()
        with Setup.again(model, X, y, sample_weight, offset) as setup:
            self._check_rows(setup, information)
            return influence(setup, self._all_coefficients(), information.root)

    def diagnose(
        self, X: Any, y: Any, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None
    ) -> Diagnosis:
        """Return what could make the fit unreliable, a report when it is printed.

        Variance inflation factors and the condition of the columns, events per variable, whether columns separate the
        outcomes, and the calibration of the scores; on the rows of the fit, or on others.
        """
        from logreg.inference.diagnosis import diagnose

        model = self._with_penalty()
        with Setup.again(model, X, y, sample_weight, offset) as setup:
            return diagnose(setup, self._all_coefficients(), self.feature_names_out_)
