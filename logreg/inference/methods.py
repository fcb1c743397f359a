"""The methods of a fitted estimator that infer; each imports its room when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from logreg.inference.information import Information
from logreg.loss import Array

if TYPE_CHECKING:
    from logreg.inference.summary import Summary

RIDGE = (
    "A penalty shrinks the estimates, and the errors are those of the penalised curvature: they say how much the "
    "estimates vary, not how far they are from the truth."
)
SPARSE = (
    "With an L1 part or bounds the errors of the estimates are not known, as which of them are 0 depends on the data; "
    "refit the chosen columns on other rows without the penalty, or use bootstrap."
)
ALIASED = "Without an estimate are columns that repeat combinations of others: {columns} (see aliased_)."
UNCERTAIN = "The fit did not converge, so these are not the numbers of an optimum."


class Inference:
    """What :class:`LogisticRegression` says about its coefficients beside their values."""

    _information: Information | None = None

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
            robust errors.

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
            estimates = self._ordered(np.append(self._coefficients(), self.intercept_))  # type: ignore[attr-defined]
            frame = coefficient_frame(terms, estimates, np.full(len(terms), np.nan), level, exponentiate)
            return Summary(frame, pd.DataFrame(index=[0]), self._objective_text(), [SPARSE])
        information = self._known()
        covariance = self.covariance() if isinstance(cov, str) and cov == "model" else cov
        errors = np.sqrt(np.diagonal(covariance.loc[terms, terms]))
        estimates = self._ordered(information.estimates)
        notes += [RIDGE] if information.penalised else []
        if information.aliases:
            names = ", ".join(repr(terms[j + self.fit_intercept]) for j in information.aliases)  # type: ignore[attr-defined]
            notes.append(ALIASED.format(columns=names))
        notes += [] if self.converged_ else [UNCERTAIN]  # type: ignore[attr-defined]
        frame = coefficient_frame(terms, estimates, errors, level, exponentiate)
        has_intercept = bool(self.fit_intercept)  # type: ignore[attr-defined]
        return Summary(frame, fit_frame(information, has_intercept), self._objective_text(), notes)

    def covariance(self, kind: str = "model") -> pd.DataFrame:
        """Return the covariance of the estimates, with the names of the terms, the intercept first.

        "model" is the inverse of the curvature at the optimum, ``(X' diag(s p (1 - p)) X + penalty)^-1``.
        """
        if kind != "model":
            raise ValueError(f"kind={kind!r} is not known; use 'model'.")
        terms = self._terms_and_intercept()
        root = self._ordered(self._known().root)
        return pd.DataFrame(root @ root.T, index=terms, columns=terms)

    @property
    def aliased_(self) -> dict[str, dict[str, float]]:
        """Columns that repeat combinations of others, without a penalty, and these combinations."""
        information, terms = self._known(), [*self.feature_names_out_, "intercept"]  # type: ignore[attr-defined]
        return {
            str(terms[j]): {
                str(term): float(share) for term, share in zip(terms, combination, strict=True) if share != 0.0
            }
            for j, combination in information.aliases.items()
        }

    def _known(self) -> Information:
        """Return what was kept of the curvature; raise if nothing was."""
        check_is_fitted(self)
        if self._is_sparse_penalty():
            raise ValueError(SPARSE)
        if self._information is None:
            raise ValueError(
                "The fit kept no curvature, because its rows and columns are many or inference=False; fit with "
                "inference=True for standard errors."
            )
        return self._information

    def _is_sparse_penalty(self) -> bool:
        check_is_fitted(self)
        return bool(np.isfinite(self.kkt_))  # type: ignore[attr-defined]

    def _ordered(self, of_coefficients: Array) -> Array:
        """Return what is known of coefficients (d + 1, ...) with the intercept first, where there is one."""
        first = of_coefficients[-1:] if self.fit_intercept else of_coefficients[:0]  # type: ignore[attr-defined]
        return np.concatenate([first, of_coefficients[:-1]])

    def _terms_and_intercept(self) -> list[str]:
        names = [str(name) for name in self.feature_names_out_]  # type: ignore[attr-defined]
        return ["intercept", *names] if self.fit_intercept else names  # type: ignore[attr-defined]

    def _objective_text(self) -> str:
        """Return in words what was minimised."""
        model = self._with_penalty()  # type: ignore[attr-defined]
        penalty, C, l1_ratio = model.penalty, model.C, model.l1_ratio
        if penalty in (None, "none") or np.isinf(C):
            return "Logistic regression by maximum likelihood"
        share = 1.0 if penalty == "l1" else float(l1_ratio or 0.0)
        kind = "a ridge" if share == 0.0 else "a lasso" if share == 1.0 else f"an elastic net of l1_ratio={share:g}"
        return f"Logistic regression: log-loss and {kind} of C={C:g}"


def check_level(level: float) -> None:
    """Raise unless a level is a probability."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level!r} must be between 0 and 1, such as 0.95.")
