"""Predictions: scores, classes and probabilities, of rows in memory, of scans and of Dask collections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from logreg import predictors, validate
from logreg.batches import Scan
from logreg.loss import Array
from logreg.predict import Formula, linear, log_probabilities, predict_rows, probabilities
from logreg.reading import accuracy, is_elsewhere, predictions
from logreg.setup import as_scan, refuse_beside


class Predicting:
    """What :class:`LogisticRegression` predicts."""

    classes_: np.ndarray
    intercept_: Array

    if TYPE_CHECKING:

        def _coefficients(self) -> Array:
            """Return the coefficients, shape (n_terms,)."""

        def _terms(self) -> np.ndarray | None:
            """Return the names of the terms."""

    def decision_function(self, X: Any, offset: ArrayLike | None = None) -> Any:
        """Return the linear scores ``x_i . w + b + offset_i``: log-odds of ``classes_[1]``, shape (n,).

        Of a scan, here and in the predictions below, an iterator over the results of its batches, in their order; of a
        Dask collection a Dask array, lazily.

        Raises
        ------
        ValueError
            If the columns are not those of fit, in number, name and order, or X holds NaN or infinity.
        """
        if is_elsewhere(X):
            return predictions(self, X, "decision_function", offset)
        return self._predict(X, offset, linear)

    def predict(self, X: Any, offset: ArrayLike | None = None) -> Any:
        """Return the more probable class of each row, shape (n,)."""
        if is_elsewhere(X):
            return predictions(self, X, "predict", offset)
        positive = self.decision_function(X, offset) > 0
        return self.classes_[positive.astype(np.intp)]

    def predict_proba(self, X: Any, offset: ArrayLike | None = None) -> Any:
        """Return the probabilities of both classes, in the order of ``classes_``, shape (n, 2).

        The columns are sigmoid(-z) and sigmoid(z), so that both keep their relative precision where 1 - p would not.
        """
        if is_elsewhere(X):
            return predictions(self, X, "predict_proba", offset)
        return self._predict(X, offset, probabilities, 2)

    def predict_log_proba(self, X: Any, offset: ArrayLike | None = None) -> Any:
        """Return the logarithms of the probabilities, finite for every finite score, shape (n, 2)."""
        if is_elsewhere(X):
            return predictions(self, X, "predict_log_proba", offset)
        return self._predict(X, offset, log_probabilities, 2)

    def predict_to_parquet(self, scan: Scan, path: Any) -> None:
        """Write a Parquet file with a row for each of a scan's, in its order, batch by batch.

        Its columns are ``probability``, of ``classes_[1]``, and ``predicted``, the more probable class. The file
        appears when it is complete. Needs pyarrow, the extra ``logreg[parquet]``.
        """
        check_is_fitted(self)
        from logreg.files import write_predictions

        write_predictions(self, scan, path)

    def score(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None
    ) -> float:
        """Return the accuracy: the weighted share of rows whose more probable class is theirs; X may be a scan."""
        X, y, sample_weight, offset = as_scan(self, X, y, sample_weight, offset)
        if isinstance(X, Scan):
            refuse_beside(y, sample_weight, offset)
            with X:
                return accuracy(self, X)
        return float(accuracy_score(y, self.predict(X, offset), sample_weight=sample_weight))

    def _predict(self, X: Any, offset: ArrayLike | None, formula: Formula, *shape: int) -> Array:
        check_is_fitted(self)
        X = predictors.check_columns(self, X)
        known = validate.row_numbers("offset", offset, X.shape[0])
        out = np.empty((X.shape[0], *shape))
        if not predict_rows(X, np.append(self._coefficients(), self.intercept_), known, formula, out):
            raise predictors.explain_not_finite(X, self._terms())
        return out
