"""Category columns: the levels that a fit learns, and the codes and names that stand for them.

Frames of any library become pandas columns here, one by one; numbers and codes stay in the arrays they came in.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd

from logreg.columns import NO_COLUMN, Category, Columns, Numbers

CODES_AT_ONCE = 65_536
MISSING = "missing"  # how the level of missing cells is called
KINDS = {
    "string": "text",
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "decimal": "numbers",
    "boolean": "bools",
    "datetime64": "dates",
    "datetime": "dates",
    "date": "dates",
    "empty": "nothing",
}  # what pandas infers of values, as sentences call it


class Levels(NamedTuple):
    """The levels of a category column in the order of their coefficients; missing cells are the last, or none."""

    values: pd.Index
    missing: bool

    @property
    def array(self) -> np.ndarray:
        """Return the levels themselves, that of missing cells as NaN."""
        return np.append(self.values.to_numpy(dtype=object), [np.nan] * self.missing)

    @property
    def labels(self) -> list[str]:
        """Return what the levels are called."""
        return [str(value) for value in self.values] + [MISSING] * self.missing


@dataclass(frozen=True)
class Encoding:
    """What a fit learnt of a frame: its columns' names, and the levels of those that are categories.

    Attributes
    ----------
    names : list of str
    levels : dict of int to Levels
        By position of the column.
    drop_first : bool
        Whether the first level of each column is the reference, without a coefficient.
    """

    names: list[str]
    levels: dict[int, Levels]
    drop_first: bool

    @classmethod
    def learn(cls, frame: pd.DataFrame, chosen: set[int], missing: str, drop_first: bool) -> Encoding:
        """Return the encoding of a frame whose chosen columns are categories."""
        names = column_names(frame)
        levels = {}
        for position in sorted(chosen):
            categorical = as_categorical(frame.iloc[:, position], names[position])
            used = is_used(categorical)
            if used[-1] and missing == "error":
                raise missing_cell(categorical, names[position])
            levels[position] = Levels(categorical.categories[used[:-1]], bool(used[-1]))
        return cls(names, levels, drop_first)

    @property
    def by_name(self) -> dict[str, np.ndarray]:
        """Return the levels of each category column, that of missing cells as NaN."""
        return {self.names[position]: levels.array for position, levels in self.levels.items()}

    @property
    def terms(self) -> np.ndarray:
        """Return the names of the coefficients: of a number its column's, of a level ``column=level``."""
        terms: list[str] = []
        for position, name in enumerate(self.names):
            if position in self.levels:
                terms += [f"{name}={label}" for label in self.levels[position].labels[self.drop_first :]]
            else:
                terms.append(name)
        return np.array(terms, dtype=object)

    def encode(self, frame: pd.DataFrame, unknown: str, missing: str) -> Columns:
        """Return a frame as numbers and codes: of levels by their labels, whatever codes the frame has for them."""
        numbers, categories, column = [], [], 0
        for position, name in enumerate(self.names):
            series = frame.iloc[:, position]
            if position in self.levels:
                levels = self.levels[position]
                codes, place = placed(series, name, levels, unknown, missing)
                has_column = place >= self.drop_first
                categories.append(Category(codes, np.where(has_column, column + place - self.drop_first, NO_COLUMN)))
                column += len(levels.labels) - self.drop_first
            else:
                numbers.append(Numbers(as_numbers(series, name), column))
                column += 1
        return Columns(numbers, categories, (len(frame), column))


def placed(series: pd.Series, name: str, levels: Levels, unknown: str, missing: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes of a column, and the place among the levels of each code and of missing cells, -1 for none."""
    categorical = as_categorical(series, name)
    refuse_other_kind(categorical.categories, levels.values, name)
    has_missing = categorical.codes.min(initial=0) < 0
    if has_missing and missing == "error":
        raise missing_cell(categorical, name)
    place = np.append(levels.values.get_indexer(categorical.categories), len(levels.values) if levels.missing else -1)
    unseen = place < 0
    unseen[-1] &= has_missing
    if unseen.any():
        unseen &= is_used(categorical)
    if unseen.any() and unknown == "error":
        row = int(np.argmax(unseen[categorical.codes]))
        what = "a missing cell" if categorical.codes[row] < 0 else repr(categorical[row])
        raise ValueError(
            f"Column {name!r} holds {what}, first in row {row}, a level that fit has not seen; pass unknown='ignore' "
            "to let such levels contribute nothing."
        )
    return categorical.codes, place


def is_used(categorical: pd.Categorical) -> np.ndarray:
    """Tell of each category, and in the last place of missing cells, whether a row has it."""
    codes = categorical.codes
    used = np.zeros(len(categorical.categories) + 1, dtype=bool)
    used[-1] = codes.min(initial=0) < 0
    used[codes[:: len(codes) // CODES_AT_ONCE + 1]] = True  # which may be all that there are, also of a sorted column
    for start in range(0, len(codes), CODES_AT_ONCE):  # NumPy widens the codes that it is given
        if used[:-1].all():
            break
        used[codes[start : start + CODES_AT_ONCE]] = True
    return used


def missing_cell(categorical: pd.Categorical, name: str) -> ValueError:
    """Return the error for missing cells in a category column."""
    row = int(np.argmin(categorical.codes))
    return ValueError(
        f"Column {name!r} has missing cells, first in row {row}; pass missing='level' to make them a level of their "
        "own."
    )


def refuse_other_kind(found: pd.Index, learnt: pd.Index, name: str) -> None:
    """Raise if labels are of another kind than those of the fit: numbers where text was."""
    now, then = kind_of_labels(found), kind_of_labels(learnt)
    if now != then and "nothing" not in (now, then):
        raise ValueError(
            f"Column {name!r} holds {now}, where the model was fitted to levels that are {then}; convert it first, for "
            "example with astype."
        )


def kind_of_labels(values: Any) -> str:
    """Return what values are called in sentences: "text", "numbers", "bools", "dates" or pandas' own word."""
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    return KINDS.get(inferred, inferred)


def chosen_columns(frame: pd.DataFrame, categories: Any) -> set[int]:
    """Return the positions of the columns that are categories: of text, categories or bools, or those listed."""
    if isinstance(categories, str):  # "auto"
        return {position for position in range(frame.shape[1]) if is_category(frame.iloc[:, position])}
    return {position_of(column, frame) for column in categories}


def position_of(column: Any, frame: pd.DataFrame) -> int:
    """Return the position of a column that a user lists."""
    names = column_names(frame)
    for known in (list(frame.columns), names):
        if column in known:
            return known.index(column)
    near = difflib.get_close_matches(str(column), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; its columns are {', '.join(map(repr, names[:8]))}."
    raise ValueError(f"categories lists {column!r}, which X does not have{hint}")


def with_codes(frame: pd.DataFrame, chosen: set[int]) -> pd.DataFrame:
    """Return a frame whose chosen columns are categorical, so that labels are looked at once."""
    names, coded = column_names(frame), frame.copy(deep=False)
    for position in chosen:
        if not isinstance(frame.dtypes.iloc[position], pd.CategoricalDtype):  # of which this would be a copy
            coded.isetitem(position, as_categorical(frame.iloc[:, position], names[position]))
    return coded


def is_category(series: pd.Series) -> bool:
    """Tell whether a column holds categories, text or bools."""
    if isinstance(series.dtype, pd.CategoricalDtype) or is_dictionary(series):
        return True
    return not is_number_type(series) and kind_of_labels(series) in ("text", "bools")


def is_dictionary(series: pd.Series) -> bool:
    """Tell whether a column is Arrow's kind of categories."""
    return str(series.dtype).startswith("dictionary")


def is_number_type(series: pd.Series) -> bool:
    """Tell from its dtype alone that a column holds numbers."""
    return pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype)


def as_categorical(series: pd.Series, name: str) -> pd.Categorical:
    """Return a column as levels and codes: categories in their own order, other labels sorted."""
    if is_dictionary(series):
        series = series.astype("category")
    if isinstance(series.dtype, pd.CategoricalDtype):
        return cast(pd.Categorical, series.array)
    if series.dtype == object and kind_of_labels(series) not in KINDS.values():
        raise ValueError(
            f"Column {name!r} mixes kinds of labels ({kind_of_labels(series)}); convert it with astype(str)."
        )
    return pd.Categorical(series)


def as_numbers(series: pd.Series, name: str) -> np.ndarray:
    """Return a column of numbers, without a copy where NumPy holds them one after the other."""
    if not (is_number_type(series) or kind_of_labels(series) in ("numbers", "bools", "nothing")):
        raise ValueError(
            f"Column {name!r} holds {kind_of_labels(series)} ({series.dtype}), not numbers; list it in categories, or "
            "convert it."
        )
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biuf" and series.dtype.itemsize <= 8:
        values = series.to_numpy()
        values = values.astype(np.float64) if values.dtype == np.float16 else values
    else:
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.ascontiguousarray(values)


def as_frame(X: Any) -> pd.DataFrame | None:
    """Return a frame of any library, or an array of labels, as a pandas DataFrame; None for anything else."""
    if isinstance(X, pd.DataFrame):
        return X
    if hasattr(X, "get_columns"):  # polars
        return pd.DataFrame({series.name: from_polars(series) for series in X.get_columns()}, copy=False)
    if hasattr(X, "to_pandas") and hasattr(X, "schema"):  # Arrow
        frame: pd.DataFrame = X.to_pandas()
        return frame
    if isinstance(X, np.ndarray) and X.ndim == 2:
        return pd.DataFrame(X).infer_objects()
    return None


def from_polars(series: Any) -> Any:
    """Return a polars Series as an array: its categories in their own order, null as missing."""
    kind = str(series.dtype)
    if kind.startswith("Enum"):
        codes = series.to_physical().cast(int).fill_null(-1).to_numpy()
        return pd.Categorical.from_codes(codes, categories=pd.Index(series.dtype.categories))
    if kind.startswith(("Categorical", "String")):
        return pd.Categorical(series.cast(str).to_list())
    return series.to_numpy()


def column_names(frame: pd.DataFrame) -> list[str]:
    """Return the names of a frame's columns as scikit-learn knows them: x0, x1, ... where they are not text."""
    names = list(frame.columns)
    return names if all(isinstance(name, str) for name in names) else [f"x{j}" for j in range(len(names))]
