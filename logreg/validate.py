"""What comes in: X, y, weights and labels, and what is said where they cannot be used.

Everything behind this room sees numbers: X dense, CSR/CSC or a table by columns; y as 0 and 1; weights of mean 1.
"""

from __future__ import annotations

import re
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d, validate_data

from logreg import categories
from logreg.columns import Columns
from logreg.loss import Array
from logreg.products import is_sparse

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
NUMBERS = (*FLOATS, *map(np.dtype, ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")))
COPIED_UP_TO = 500_000  # stored numbers of a sparse matrix whose rows are not sorted: beyond, it is used unsorted
LARGEST = 1e300  # weights and offsets beyond it overflow in sums
NUMBER_TYPES = re.compile(r"u?int\d|float|double|half|bool|decimal|null|sparse")  # as data frames call them


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

    Values of X are not looked at: the first pass finds NaN and infinity, :func:`explain_not_finite` says where.
    """
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")
    if is_sparse(y):
        raise ValueError("y is sparse; pass a dense array of labels (y.toarray().ravel()).")
    refuse_complex("y", y)
    X = learn_columns(estimator, X, drop_first)
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


def learn_columns(estimator: Any, X: Any, drop_first: bool) -> Any:
    """Return X as numbers, after recording its columns, and the levels of those that are categories, on the estimator.

    Without the first level of each column, where that is to be dropped.
    """
    estimator._encoding, estimator.categories_ = None, {}
    refuse_query(X)
    option = estimator.categories
    are_numbers = isinstance(option, str) and (option == "error" or is_plain(X, 2))
    frame = None if are_numbers else categories.as_frame(X)
    chosen = set() if frame is None else categories.chosen_columns(frame, option)
    if frame is None and not isinstance(option, str) and len(option):
        raise ValueError(f"categories lists columns, but X is a {type(X).__name__}; pass a DataFrame that has them.")
    if frame is None or not chosen:
        return check_numbers(estimator, X, reset=True)
    check_names(estimator, frame, reset=True)
    frame = categories.with_codes(frame, chosen)
    encoding = categories.Encoding.learn(frame, chosen, estimator.missing, drop_first)
    estimator._encoding, estimator.categories_ = encoding, encoding.by_name
    return encoding.encode(frame, estimator.unknown, estimator.missing)


def check_columns(estimator: Any, X: Any) -> Any:
    """Return X as numbers, after checking its columns against those of the fit."""
    refuse_query(X)
    if estimator._encoding is None:
        return check_numbers(estimator, X, reset=False)
    frame = categories.as_frame(X)
    if frame is None:
        raise ValueError(
            f"X is a {type(X).__name__}, but the model was fitted to category columns; pass a DataFrame with them."
        )
    check_names(estimator, frame, reset=False)
    return estimator._encoding.encode(frame, estimator.unknown, estimator.missing)


def check_names(estimator: Any, frame: pd.DataFrame, *, reset: bool) -> None:
    """Check the names and the number of a frame's columns, and that it has rows."""
    validate_data(estimator, frame, reset=reset, skip_check_array=True)
    if not len(frame):
        raise ValueError(f"Found array with 0 sample(s) (shape={frame.shape}) while a minimum of 1 is required.")


def check_numbers(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return X as an array or CSR/CSC matrix of numbers, after checking its columns against the estimator's."""
    if is_plain(X, 2) and X.dtype in NUMBERS and X.size and not hasattr(estimator, "feature_names_in_"):
        if reset:
            estimator.n_features_in_ = X.shape[1]
        if X.shape[1] == estimator.n_features_in_:
            return X
    refuse_complex("X", X)
    refuse_text(X)
    X = validate_data(
        estimator,
        X,
        reset=reset,
        accept_sparse=["csr", "csc"],
        dtype=[*NUMBERS, np.bool_],
        ensure_all_finite=False,
    )
    if is_sparse(X) and may_repeat(X):
        X = X.astype(X.dtype if X.dtype in FLOATS else np.float64)  # a copy, in which counts add up
        X.sum_duplicates()
    if X.dtype == np.bool_:
        return X._with_data(X.data.view(np.uint8), copy=False) if is_sparse(X) else X.view(np.uint8)
    return X


def may_repeat(X: Any) -> bool:
    """Tell whether a matrix may store two numbers for one place; where a copy is dear, whether it does."""
    if X.has_canonical_format or X.has_sorted_indices or X.nnz < COPIED_UP_TO:
        return not X.has_canonical_format
    from logreg.kernels import has_repeats

    return bool(has_repeats(X.indices, X.indptr, X.shape[1 if X.format == "csr" else 0]))


def is_plain(values: Any, n_dimensions: int) -> bool:
    """Tell whether this is an array of numbers, for which scikit-learn's checks take long to find nothing."""
    return type(values) is np.ndarray and values.ndim == n_dimensions and values.dtype.kind in "biuf"


def kind_of(values: Any) -> str:
    """Return NumPy's letter for the kind of an array's values; not a letter for anything else."""
    return str(getattr(getattr(values, "dtype", None), "kind", "unknown"))


def refuse_complex(name: str, values: Any) -> None:
    """Raise for an array of complex numbers."""
    if kind_of(values) == "c":
        raise ValueError(f"Complex data not supported: {name} holds {values.dtype}; pass real numbers.")


def refuse_query(X: Any) -> None:
    """Raise for a query of polars that holds no data."""
    if hasattr(X, "collect"):
        raise ValueError(f"X is a {type(X).__name__}, a query that has not run yet; pass X.collect().")


def refuse_text(X: Any) -> None:
    """Raise for text, categories or dates in an array or, naming the columns, in a DataFrame."""
    if kind_of(X) in "USTMm":
        raise ValueError(f"X holds {X.dtype}, not numbers; pass categories='auto', or convert it first.")
    named = zip(X.columns, X.dtypes, strict=True) if hasattr(X, "columns") and hasattr(X, "dtypes") else ()
    wrong = []
    for position, (name, dtype) in enumerate(named):
        if str(dtype) == "object":  # of pandas: anything, numbers as well
            is_numeric = all(isinstance(value, (Number, np.bool_, type(None))) for value in X.iloc[:, position])
        else:
            is_numeric = NUMBER_TYPES.match(str(dtype).lower()) is not None
        if not is_numeric:
            wrong.append(f"{name!r} ({dtype})")
    if wrong:
        raise ValueError(
            f"Columns {', '.join(wrong)} are not numbers; pass categories='auto', or a list of columns, to give each "
            "level of a category a coefficient, or convert them first."
        )


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


def explain_not_finite(X: Any, names: np.ndarray | None) -> ValueError:
    """Return the error that says where X holds NaN or infinity, or numbers too large to square."""
    largest = np.zeros(X.shape[1])
    for start in range(0, X.shape[0], 4096):
        some = X[start : start + 4096]
        entries = sparse.coo_array(some.tocsr() if isinstance(some, Columns) else some)
        wrong = np.flatnonzero(~np.isfinite(entries.data))
        if wrong.size:
            first = wrong[np.argmin(entries.row[wrong])]
            what = "NaN" if np.isnan(entries.data[first]) else "infinity"
            return ValueError(
                f"Input X contains {what}, first in column {column_name(entries.col[first], names)}, row "
                f"{start + entries.row[first]}; impute or drop such rows first, for example with SimpleImputer."
            )
        np.maximum.at(largest, entries.col, np.abs(entries.data))
    column = int(np.argmax(largest))
    return ValueError(
        f"Input X holds numbers too large to square and add up, up to {largest[column]:.3g} in column "
        f"{column_name(column, names)}; rescale that column."
    )


def column_name(column: int, names: np.ndarray | None) -> str:
    """Return how a column is called in messages."""
    return repr(names[column]) if names is not None else str(column)


def column_names(columns: np.ndarray, names: np.ndarray | None, most: int = 5) -> str:
    """Return the names of some columns for a sentence, at most so many; x0, x1, ... where they have none."""
    shown = ", ".join(f"x{j}" if names is None else repr(names[j]) for j in columns[:most].tolist())
    return f"{shown} and {len(columns) - most} more" if len(columns) > most else shown
