"""What a fitted estimator knows for inference, and in which order it is told."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from logreg import parameters
from logreg.batches import Scan
from logreg.inference.information import Information
from logreg.loss import Array
from logreg.setup import Setup

if TYPE_CHECKING:
    from logreg.estimator import LogisticRegression

SPARSE = (
    "With an L1 part or bounds the errors of the estimates are not known, as which of them are 0 depends on the data; "
    "refit the chosen columns on other rows without the penalty, or use bootstrap."
)


class Known:
    """What a fit has kept of its curvature, for the methods that infer."""

    _information: Information | None = None
    _encoding: Any
    intercept_: Array
    fit_intercept: bool
    converged_: bool
    kkt_: float
    n_jobs: int | None

    if TYPE_CHECKING:

        @property
        def feature_names_out_(self) -> np.ndarray:
            """Names of the terms."""

        def _with_penalty(self) -> LogisticRegression:
            """Return the fitted estimator of one penalty."""

        def _coefficients(self) -> Array:
            """Return the coefficients, shape (n_terms,)."""

    def _all_coefficients(self) -> Array:
        """Return the coefficients with the intercept last, shape (d + 1,)."""
        return np.append(self._coefficients(), self.intercept_)

    def _check_rows(self, setup: Setup, information: Information) -> None:
        """Raise if these rows are not those of the fit."""
        from logreg.inference.penalised import summit_of_fit
        from logreg.leave_one_out import check_rows

        model, w = self._with_penalty(), self._all_coefficients()
        if information.penalty == "firth":
            summit_of_fit(setup, model, w)
        else:
            check_rows(model, setup, w, information.root)

    def _covariance_of(self, cov: Any) -> Array:
        """Return the covariance that a user means, shape (d + 1, d + 1), the intercept last."""
        covariance, terms = self._known(with_curvature=True).covariance, self._terms_and_intercept()
        if isinstance(cov, str) and cov == "model":
            return covariance
        if not isinstance(cov, pd.DataFrame) or set(cov.index) != set(terms):
            raise ValueError("cov must be 'model', or what covariance(...) of this fit returned, such as for 'HC1'.")
        ordered = [*terms[1:], terms[0]] if self.fit_intercept else terms
        found = np.zeros_like(covariance)
        found[: len(terms), : len(terms)] = cov.loc[ordered, ordered]
        return found

    def _known(self, *, with_curvature: bool = False) -> Information:
        """Return what was kept of the curvature; raise if nothing was, or where a separated fit has none."""
        check_is_fitted(self)
        if self._is_sparse_penalty():
            raise ValueError(SPARSE)
        if self._information is None:
            raise ValueError(
                "No curvature was kept, as the fit is one of many, its rows and columns are many, or inference=False; "
                "fit LogisticRegression(inference=True) for standard errors."
            )
        if with_curvature and self._information.errors_at_limit is not None:
            raise ValueError(
                "Columns separate the outcomes (see separation_), so there is no optimum whose curvature would tell; "
                "use summary(), conf_int(X, y, method='profile'), or a penalty."
            )
        return self._information

    def _is_sparse_penalty(self) -> bool:
        check_is_fitted(self)
        model = self._with_penalty()
        return parameters.penalty_of(model)[1] > 0.0 or model.positive or model.bounds is not None

    def _ordered(self, of_coefficients: Array) -> Array:
        """Return what is known of coefficients (d + 1, ...) with the intercept first, where there is one."""
        first = of_coefficients[-1:] if self.fit_intercept else of_coefficients[:0]
        return np.concatenate([first, of_coefficients[:-1]])

    def _terms_and_intercept(self) -> list[str]:
        names = [str(name) for name in self.feature_names_out_]
        return ["intercept", *names] if self.fit_intercept else names


def check_level(level: Any) -> None:
    """Raise unless a level is a probability."""
    if not isinstance(level, Real) or not 0.0 < float(level) < 1.0:
        raise ValueError(f"level={level!r} must be between 0 and 1, such as 0.95.")


def lacks_rows(X: Any, y: Any) -> bool:
    """Tell whether the rows of a fit are not given: by X and y, or by a scan, which has its outcomes."""
    return X is None or (y is None and not isinstance(X, Scan))
