"""Whether the columns separate the outcomes, exactly, and what a fit without a penalty tends to if they do."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from logreg.inference.determined import Design, determined, finite_terms, to_user_units
from logreg.inference.margins import Left, SignedRows, n_rows_of
from logreg.inference.optimum import Optimum
from logreg.inference.recession import UndecidedError, greatest_recession
from logreg.inference.suspicion import n_suspicious, recession_of_newton
from logreg.penalty import Ridge
from logreg.plan import WIDEST_MATRIX, descend
from logreg.predictors import column_names
from logreg.report import STACK
from logreg.rows import PartedRows, SelectableRows
from logreg.scale import Scale
from logreg.setup import Setup
from logreg.stop import Limits
from logreg.sums import Array

FAST_PROGRAMS = 50  # columns up to which linear programs take less time than Newton's passes
ROUNDING = 1e-10  # share of a coefficient of a direction that is rounding
PRECISE = 1e-9  # distance to the limit, in standard errors
KINDS = {"complete": "completely", "quasi": "in part"}


@dataclass(frozen=True)
class Separation:
    """Whether a direction in the coefficients improves some rows and worsens none, and what follows from it.

    Attributes
    ----------
    kind : {"complete", "quasi"} or None
        Whether it improves all rows, some, or none: then the likelihood has its maximum at finite coefficients.
    directions : ndarray of shape (d + 1,)
        Where each coefficient goes without a penalty, the intercept's last: infinity, minus infinity, or 0 where it
        stays finite. NaN where the data leave it open: for a column that repeats columns to its left, and for a
        coefficient that may go either way.
    recession : ndarray of shape (d + 1,)
        The proof: ``X @ recession[:-1] + recession[-1]`` is 0 on ``rows``, to rounding, else positive for the second
        class and negative for the first.
    rows : ndarray of int or None
        The rows that nothing separates, ascending, of those that count. None for a scan and for Dask collections, whose
        rows may be too many to be numbered.
    n_separated : int
        How many rows it improves.
    n_rows : int
        The rows that count: those of positive weight.
    terms : ndarray of str, shape (d,)
    fit_intercept : bool
    rest : Rest
        How to tell the rows that nothing separates.
    """

    kind: str | None
    directions: Array
    recession: Array
    rows: np.ndarray | None
    n_separated: int
    n_rows: int
    terms: np.ndarray
    fit_intercept: bool
    rest: Rest = field(repr=False)

    def frame(self) -> pd.DataFrame:
        """Return a table with the columns ``term`` and ``limit``: inf, -inf, "finite" or "open"; intercept first."""
        limits = ["open" if np.isnan(x) else "finite" if x == 0 else x for x in self.directions.tolist()]
        terms = list(self.terms)
        if self.fit_intercept:
            terms = ["intercept", *terms]
        limits = [limits[-1], *limits[:-1]] if self.fit_intercept else limits[:-1]
        return pd.DataFrame({"term": terms, "limit": pd.Series(limits, dtype=object)})

    def endless(self, names: np.ndarray | None) -> str:
        """Return for a sentence which coefficients go to infinity, the columns by these names, None for numbers."""
        columns = np.flatnonzero(np.isinf(self.directions[:-1]))
        return column_names(columns, names) if columns.size else "the intercept"

    def __str__(self) -> str:
        if self.kind is None:
            return "No combination of the columns separates the outcomes, so there is a finite optimum."
        return (
            f"A combination of the columns separates the outcomes {KINDS[self.kind]}, in {self.n_separated} of "
            f"{self.n_rows} rows, so without a penalty there is no finite optimum: coefficients would grow without "
            f"end, those of {self.endless(self.terms)}."
        )


class Rest(NamedTuple):
    """The rows that nothing separates, wherever they are."""

    design: Design
    left: Left

    def alone(self, rows: SelectableRows) -> SelectableRows:
        """Return the rows of the design, with a weight of 0 for all others."""
        rows = self.design.of(rows)
        return rows.with_outcomes(rows.y, self.left.of(rows) * (1.0 if rows.weight is None else rows.weight))


class LimitFit(NamedTuple):
    """What a fit without a penalty tends to where columns separate the outcomes, in the units of X.

    Attributes
    ----------
    coefficients, standard_errors : ndarray of shape (d + 1,)
        The intercept's last. Infinite coefficients have infinite errors; both are NaN where the data leave them open.
    deviance : float
        Twice the log-loss, added up over the rows with their weights.
    """

    coefficients: Array
    standard_errors: Array
    deviance: float


def separation_at(setup: Setup, optimum: Optimum) -> Separation | None:
    """Return how columns separate the outcomes of a fit without a penalty, None if they do not.

    A Newton step there mostly proves that they do not; else it is found out exactly, or we warn that it was not. Data
    of more columns than a matrix can have are not looked at.
    """
    if setup.source.n_columns > WIDEST_MATRIX or not n_suspicious(optimum):
        return None
    try:
        found = separation_of(setup.source, setup.names, intercept=setup.intercept, left_out=setup.left_out)
    except UndecidedError as error:
        warnings.warn(str(error), ConvergenceWarning, stacklevel=STACK + 1)
        return None
    return found if found.kind else None


def separation_of(
    source: SelectableRows | PartedRows,
    names: np.ndarray | None,
    *,
    intercept: bool,
    left_out: np.ndarray | None = None,
) -> Separation:
    """Return the separation of rows by columns but for those of a mask that are left out.

    The terms are x0, x1, ... if they have no names.
    """
    d = source.n_columns
    if d > WIDEST_MATRIX:
        raise ValueError(
            f"X has {d:,} columns, and separation is looked for among at most {WIDEST_MATRIX:,}; leave some out."
        )
    design, moments = Design.independent(source, intercept, left_out)
    rows = source.changed(design.plain)
    scale = Scale.from_sums(moments, np.zeros(1), intercept and rows.is_dense)  # sparse columns stay sparse
    scale.unit[-1] = intercept
    signed = SignedRows(rows, scale)
    proven = recession_of_newton(signed, intercept) if len(design.kept) > FAST_PROGRAMS else None
    B, each = greatest_recession(signed, moments) if proven is None else proven
    left = Left(scale.coefficients(each))
    sums = rows.total(left.sums)
    places, T = np.append(design.kept, d), to_user_units(scale, design.origin)
    directions, recession = np.full(d + 1, np.nan), np.zeros(d + 1)
    recession[places] = T @ B
    rounding = np.linalg.norm(T, axis=1) * np.abs(B).max(initial=0.0) * ROUNDING
    # A coefficient is finite if the rows left determine it. If not, some receding directions move it; where all that
    # do agree on the sign, the one that separates most rows has that sign. Where they do not, it is one of many.
    endless = ~finite_terms(sums, intercept, design.origin)
    unclear = np.abs(recession[places]) <= rounding
    directions[places] = np.where(endless, np.where(unclear, np.nan, np.inf * np.sign(T @ B + unclear)), 0.0)
    rest, n_left, n = Rest(design, left), n_rows_of(sums), source.n_counted
    kind = None if n_left == n else "quasi" if n_left else "complete"
    found = np.flatnonzero(left.of(rows)) if isinstance(rows, SelectableRows) else None
    terms = np.array([f"x{j}" for j in range(d)], dtype=object) if names is None else np.asarray(names, dtype=object)
    return Separation(kind, directions, recession, found, n - n_left, n, terms, intercept, rest)


def limits_of(rows: SelectableRows | PartedRows, separation: Separation, total_weight: float | None = None) -> LimitFit:
    """Return what a fit of these rows without a penalty tends to: the fit of the rows that nothing separates.

    The others fit perfectly in the limit. The coefficients that the rest determine are finite, and have the standard
    errors of that fit, whose likelihood is the supremum of that of all rows (Geyer, Electron. J. Stat. 3, 2009).

    Parameters
    ----------
    rows : SelectableRows or PartedRows
        Those of the separation, with their weights and offsets.
    separation : Separation
    total_weight : float, default=None
        The sum of the weights as given, for standard errors and deviance; None: that of the rows.

    Notes
    -----
    Newton's method on those rows, some passes at ``n d**2`` flops.
    """
    intercept, d = separation.fit_intercept, rows.n_columns
    limit = separation.directions.copy()
    errors = np.where(np.isinf(limit), np.inf, limit)
    if separation.kind == "complete":
        return LimitFit(limit, errors, 0.0)
    scaled = 1.0 if total_weight is None else total_weight / rows.total_weight
    (kept, origin), rows = separation.rest.design, rows.changed(separation.rest.alone)
    start, free = np.zeros((len(kept) + 1, 1)), Ridge(np.zeros(1))
    W = descend(rows, free, start, "newton", Limits(tol=PRECISE), intercept, 0).coefficients
    sums = rows.sums(W, "full")
    T, values, vectors = determined(sums, intercept, origin)
    root = T @ (vectors / np.sqrt(values * sums.weight[0] * scaled))
    finite = separation.directions == 0
    among = finite[np.append(kept, d)]
    if origin is not None:
        W[-1] -= origin @ W[:-1]
    limit[finite], errors[finite] = W[among, 0], np.sqrt((root[among] ** 2).sum(axis=1))
    return LimitFit(limit, errors, 2.0 * scaled * float(sums.loss[0]))
