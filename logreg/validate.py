"""What comes in beside X: labels, weights and offsets, and what is said where they cannot be used.

Everything behind this room sees numbers: y as 0 and 1, weights of mean 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from logreg.loss import Array
from logreg.predictors import check_columns, is_plain, learn_columns, refuse_complex
from logreg.products import is_sparse

LARGEST = 1e300  # weights and offsets beyond it overflow in sums


class Problem(NamedTuple):
    """Checked training data.

    X has the shape (n, d); y is int8 of shape (n,); weight has mean 1 over the rows that count, or is None;
    ``total_weight`` is the sum of the weights as given.
    """

    X: Any
    y: np.ndarray
    weight: Array | None
    offset: Array | None
    classes: np.ndarray
    total_weight: float


def training_data(
    estimator: Any, X: Any, y: Any, sample_weight: Any, offset: Any, *, drop_first: bool = False
) -> Problem:
    """Check X, y, weights and offset, and record the column names on the estimator.

    Values of X are not looked at: the first pass finds NaN and infinity, and predictors.explain_not_finite says where.
    """
    check_labels(estimator, y)
    return problem(estimator, learn_columns(estimator, X, drop_first), y, sample_weight, offset)


def data_of_fit(estimator: Any, X: Any, y: Any, sample_weight: Any, offset: Any) -> Problem:
    """Check what an estimator is said to have been fitted to, and that columns and classes are those of the fit."""
    check_labels(estimator, y)
    again = problem(estimator, check_columns(estimator, X), y, sample_weight, offset)
    if not np.array_equal(again.classes, estimator.classes_):
        found, known = (" and ".join(map(repr, two.tolist())) for two in (again.classes, estimator.classes_))
        raise ValueError(f"y holds the classes {found}, but the model was fitted to {known}; pass the y of the fit.")
    return again


def check_labels(estimator: Any, y: Any) -> None:
    """Raise unless labels are there, in an array."""
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")
    if is_sparse(y):
        raise ValueError("y is sparse; pass a dense array of labels (y.toarray().ravel()).")
    refuse_complex("y", y)


def problem(estimator: Any, X: Any, y: Any, sample_weight: Any, offset: Any) -> Problem:
    """Check labels, weights and offset against the rows of X."""
    n = X.shape[0]
    labels = y if is_plain(y, 1) else column_or_1d(y, warn=True)
    if len(labels) != n:
        raise ValueError(f"X and y have inconsistent numbers of samples: X has {n} rows, y has {len(labels)}.")
    classes, outcome = two_classes(labels)
    weight = row_numbers("sample_weight", sample_weight, n)
    if weight is not None:
        check_weights("sample_weight", weight, outcome, classes)
    if estimator.class_weight is not None:
        by_class = compute_class_weight(estimator.class_weight, classes=classes, y=labels, sample_weight=weight)
        weight = by_class[outcome] * (1.0 if weight is None else weight)
        check_weights("class_weight", weight, outcome, classes)
    total = float(n)
    if weight is not None:
        weight, total = normalised(weight)
    return Problem(X, outcome, weight, row_numbers("offset", offset, n), classes, total)


def two_classes(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two classes, sorted, and the labels as 0 and 1 (int8)."""
    if labels.dtype.kind in "biuf" and labels.size:
        low, high = labels.min(), labels.max()
        positive = labels == high
        whole = float(low).is_integer() and float(high).is_integer()
        if low < high and whole and (positive | (labels == low)).all():
            return np.array([low, high]), positive.astype(np.int8)
    infinite = np.isinf(labels) if labels.dtype.kind == "f" else np.zeros(len(labels), dtype=bool)
    wrong = infinite | pd.isna(labels)
    if wrong.any():
        row = int(np.argmax(wrong))
        what = "infinity" if infinite[row] else "NaN"
        raise ValueError(f"Input y contains {what}, first in row {row}; drop or label such rows.")
    kind = type_of_target(labels, input_name="y")
    if kind not in ("binary", "multiclass"):
        what, cure = f"objects such as {labels[0]!r}", "convert them with y.astype(int) or y.astype(str)"
        if kind == "continuous":
            what, cure = "continuous numbers", "a classifier needs two classes"
        raise ValueError(f"Unknown label type: y holds {what}; {cure}.")
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) == 1:
        raise ValueError(f"y holds only one class, {classes.tolist()[0]!r}; a classifier needs two.")
    if len(classes) > 2:
        shown = ", ".join(repr(label) for label in classes[:6].tolist()) + (", ..." if len(classes) > 6 else "")
        raise ValueError(
            "Only binary classification is supported. The type of the target is multiclass: "
            f"{len(classes)} classes ({shown}); wrap the estimator in sklearn.multiclass.OneVsRestClassifier."
        )
    return classes, codes.astype(np.int8)


def known_labels(y: Any, classes: np.ndarray, n: int) -> np.ndarray:
    """Return labels as bools, True for the second of two known classes, after checking them."""
    labels = y if is_plain(y, 1) else column_or_1d(y, warn=True)
    if len(labels) != n:
        raise ValueError(f"X and y have inconsistent numbers of samples: X has {n} rows, y has {len(labels)}.")
    unknown = ~np.isin(labels, classes)
    if unknown.any():
        row = int(np.argmax(unknown))
        raise ValueError(f"y holds {labels.tolist()[row]!r} in row {row}, which is not one of the classes of the fit.")
    return np.asarray(labels == classes[1])


def row_numbers(name: str, values: Any, n_rows: int) -> Array | None:
    """Return one finite float a row, or None."""
    if values is None:
        return None
    if is_sparse(values):
        raise ValueError(f"{name} is sparse; pass a dense array ({name}.toarray().ravel()).")
    refuse_complex(name, values)
    try:
        numbers = np.asarray(values, dtype=np.float64, order="C")  # kernels are compiled for contiguous numbers
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold one number a row: {error}.") from None
    if numbers.ndim == 0:
        numbers = np.full(n_rows, numbers)
    if numbers.shape != (n_rows,):
        raise ValueError(f"{name} has shape {numbers.shape}; expected one number a row, shape ({n_rows},).")
    small = np.abs(numbers) <= LARGEST
    if not small.all():
        row = int(np.argmin(small))
        raise ValueError(
            f"{name} contains {numbers[row]:g}, first in row {row}; pass finite numbers, up to {LARGEST:g}."
        )
    return numbers


def check_weights(name: str, weight: Array, outcome: np.ndarray, classes: np.ndarray) -> None:
    """Raise unless the weights are finite, none is negative, and rows of both classes have a positive one."""
    wrong = ~((weight >= 0) & np.isfinite(weight))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"{name} gives row {row} the weight {weight[row]:g}; weights must be finite, and 0 or more.")
    present = np.unique(outcome[weight > 0])
    if len(present) == 0:
        raise ValueError("All weights are zero, so no row counts; pass positive weights for rows of both classes.")
    if len(present) == 1:
        label = classes[present].tolist()[0]
        raise ValueError(f"Only one class, {label!r}, has rows of positive weight; a classifier needs two.")


def normalised(weight: Array) -> tuple[Array, float]:
    """Return weights of mean 1 over the rows that count, and the sum of the weights as given."""
    total = float(weight.sum())
    if not np.isfinite(total):
        raise ValueError("The weights add up to infinity; scale them down.")
    return weight / (total / np.count_nonzero(weight)), total
