"""What comes in as X: arrays, sparse matrices and frames, and what is said where they cannot be used.

Everything behind this room sees numbers: X dense, CSR/CSC or a table by columns.
"""

from __future__ import annotations

import re
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.validation import validate_data

from logreg import categories
from logreg.columns import Columns
from logreg.products import is_sparse

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
NUMBERS = (*FLOATS, *map(np.dtype, ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")))
COPIED_UP_TO = 500_000  # stored numbers of a sparse matrix whose rows are not sorted: beyond, it is used unsorted
NUMBER_TYPES = re.compile(r"u?int\d|float|double|half|bool|decimal|null|sparse")  # as data frames call them


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
        return with_bytes(X) if is_sparse(X) else X.view(np.uint8)
    return X


def with_bytes(X: Any) -> Any:
    """Return a sparse matrix of bools as one of 0 and 1, on the same memory."""
    return type(X)((X.data.view(np.uint8), X.indices, X.indptr), shape=X.shape)


def may_repeat(X: Any) -> bool:
    """Tell whether a matrix may store two numbers for one place; where a copy is dear, whether it does."""
    if X.has_canonical_format or X.has_sorted_indices or X.nnz < COPIED_UP_TO:
        return not X.has_canonical_format
    from logreg.sparse_kernels import has_repeats

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
