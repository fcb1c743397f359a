"""What a first look at outcomes and weights tells, where rows are read batch by batch: the classes, and what counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import column_or_1d

from logreg.loss import Array
from logreg.validate import row_numbers, two_classes


@dataclass(frozen=True)
class Survey:
    """Labels and weights of some rows, added up label by label; the surveys of two sets of rows add up.

    Attributes
    ----------
    labels : ndarray of shape (L,)
        The labels that there are, sorted.
    n_rows, n_counted : ndarray of int, shape (L,)
        Rows of each label, and those of positive weight among them.
    weight, smallest : ndarray of shape (L,)
        The sum of their weights as given, and the smallest positive one.
    is_weighted : bool
        Whether weights are given.
    """

    labels: np.ndarray
    n_rows: np.ndarray
    n_counted: np.ndarray
    weight: np.ndarray
    smallest: Array
    is_weighted: bool

    @classmethod
    def of(cls, labels: Any, weight: Any = None) -> Survey:
        """Return the survey of rows with labels and weights, which are checked."""
        labels = column_or_1d(labels)
        found, codes = distinct(labels)
        weight = checked_weights(weight, len(labels))
        n_rows = np.bincount(codes, minlength=len(found))
        if weight is None:
            return cls(found, n_rows, n_rows, n_rows * 1.0, np.ones(len(found)), False)
        n_counted = np.bincount(codes[weight > 0.0], minlength=len(found))
        smallest = np.full(len(found), np.inf)
        np.minimum.at(smallest, codes, np.where(weight > 0.0, weight, np.inf))
        return cls(found, n_rows, n_counted, np.bincount(codes, weight, len(found)), smallest, True)

    def __add__(self, other: Survey) -> Survey:
        """Return the survey of both sets of rows."""
        labels, places = np.unique(np.concatenate([self.labels, other.labels]), return_inverse=True)

        def added(name: str) -> np.ndarray:
            return np.bincount(places, np.concatenate([getattr(self, name), getattr(other, name)]), len(labels))

        smallest = np.full(len(labels), np.inf)
        np.minimum.at(smallest, places, np.concatenate([self.smallest, other.smallest]))
        n_rows, n_counted = added("n_rows").astype(np.int64), added("n_counted").astype(np.int64)
        return Survey(labels, n_rows, n_counted, added("weight"), smallest, self.is_weighted)

    def outcomes(self, class_weight: Any) -> Outcomes:
        """Return how labels and weights become outcomes and weights of mean 1, after checking that classes are two."""
        classes = two_classes(self.labels)[0]
        if not self.n_counted.all():
            label = classes[np.argmax(self.n_counted)].tolist()
            raise ValueError(f"Only one class, {label!r}, has rows of positive weight; a classifier needs two.")
        factors = np.ones(2)
        if class_weight is not None:
            factors = compute_class_weight(class_weight, classes=classes, y=classes, sample_weight=self.weight)
            if not (np.isfinite(factors) & (factors > 0.0)).all():
                raise ValueError(f"class_weight={class_weight!r} must give both classes finite weights above 0.")
        total, n_counted = float(factors @ self.weight), int(self.n_counted.sum())
        if not np.isfinite(total):
            raise ValueError("The weights add up to infinity; scale them down.")
        mean = total / n_counted
        return Outcomes(
            classes=classes,
            factors=factors / mean if self.is_weighted or class_weight is not None else None,
            n_rows=int(self.n_rows.sum()),
            n_counted=n_counted,
            total_weight=total,
            positive_fraction=float(factors[1] * self.weight[1] / total),
            smallest_weight=float((factors * self.smallest).min() / mean),
        )


class Outcomes(NamedTuple):
    """How labels become 0 and 1, and weights those of mean 1 over the rows that count: by a factor for each class.

    ``factors`` is None where all weights are 1; ``total_weight`` is the sum of the weights as given.
    """

    classes: np.ndarray
    factors: Array | None
    n_rows: int
    n_counted: int
    total_weight: float
    positive_fraction: float
    smallest_weight: float

    def of(self, labels: Any, weight: Any = None) -> tuple[np.ndarray, Array | None]:
        """Return the outcomes (int8) and the weights of some rows."""
        labels = column_or_1d(labels)
        positive = labels == self.classes[1]
        known = positive | (labels == self.classes[0])
        if not known.all():
            row = int(np.argmin(known))
            raise ValueError(f"The target is {labels.tolist()[row]!r} in row {row}, which it was not at first.")
        outcome = positive.astype(np.int8)
        if self.factors is None:
            return outcome, None
        given = checked_weights(weight, len(labels))
        of_class = self.factors[outcome]
        return outcome, of_class if given is None else of_class * given


def distinct(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the one or two labels that there are, sorted, and the number of each row's; raise for any others."""
    if labels.dtype.kind in "biuf":
        low, high = labels.min(), labels.max()
        positive = labels == high
        if low == high and np.isfinite(high):
            return np.array([high]), np.zeros(len(labels), dtype=np.intp)
        if (positive | (labels == low)).all():
            return two_classes(labels)[0], positive.astype(np.intp)
    codes, found = pd.factorize(labels, sort=True)
    if len(found) == 1 and (codes == 0).all():
        return np.asarray(found), codes
    return two_classes(labels)[0], codes


def checked_weights(weight: Any, n_rows: int) -> Array | None:
    """Return weights as floats, after checking that they are finite and none is negative."""
    numbers = row_numbers("weight", weight, n_rows)
    if numbers is not None and numbers.min(initial=0.0) < 0.0:
        row = int(np.argmin(numbers))
        raise ValueError(f"weight is {numbers[row]:g} in row {row}; weights must be finite, and 0 or more.")
    return numbers
