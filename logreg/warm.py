"""Compiling ahead of the first fit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, get_args

import numpy as np
from scipy import sparse

from logreg import newton, points
from logreg.columns import Category, Columns, Numbers
from logreg.coordinate import QuadraticModel
from logreg.estimator import LogisticRegression
from logreg.nearby import fit_together
from logreg.penalty import ElasticNet, Ridge
from logreg.rows import SelectableRows, VersionedRows, Versions
from logreg.rows.memory import COMPILED_FROM
from logreg.scale import Scale
from logreg.stop import Limits
from logreg.sums import CurvatureKind

N_COLUMNS = 10


def as_table(X: np.ndarray) -> Columns:
    """Return a table by columns with numbers and codes of the usual types."""
    n = len(X)
    numbers = [Numbers(np.ascontiguousarray(X[:, 0]), 0), Numbers(np.ones(n, dtype=np.int64), 1)]
    categories = [Category(np.zeros(n, dtype=kind), np.array([column, column])) for column, kind in enumerate(CODES, 2)]
    return Columns(numbers, categories, X.shape)


CODES = (np.int8, np.int16, np.int32)
STORAGES: tuple[Callable[[np.ndarray], Any], ...] = (
    np.ascontiguousarray,
    np.asfortranarray,
    sparse.csr_matrix,
    sparse.csc_matrix,
    as_table,
)


def warm_up() -> None:
    """Compile what fits of large data run, or load it from the cache, so that no fit has to.

    Fits of a million numbers and more run compiled code, which the first of them on a machine compiles and the first
    in a process loads. Call this where the wait would disturb, for example when a service starts. It takes about 20
    seconds with an empty cache and two with a full one, and covers dense float64 and float32 of either order,
    sparse matrices and category columns, on one thread and on several, elastic nets, cross-validation, many models of
    few rows, and Firth's penalty.

    The cache is the package's own ``__pycache__``; where that cannot be written to, the user's cache folder
    (``~/.cache/numba`` on Linux); or the folder that the environment variable ``NUMBA_CACHE_DIR`` names. Where none can
    be written to, compiled code lasts as long as the process. It is good for one type of processor and one version of
    logreg, numba and Python.

    Examples
    --------
    >>> import logreg
    >>> logreg.warm_up()
    """
    y = np.zeros(COMPILED_FROM // 5, dtype=np.int8)  # of a table, five numbers and codes a row
    w = np.zeros((N_COLUMNS + 1, 1))
    for store, dtype in product(STORAGES, (np.float64, np.float32)):
        X = store(np.ones((len(y), N_COLUMNS), dtype=dtype))
        for n_threads in (1, 2):
            with SelectableRows(X, y, n_threads=n_threads, origin=None) as rows:
                for kind in get_args(CurvatureKind):
                    sums = rows.sums(w, kind)
                scale = Scale.from_sums(sums, np.zeros(1), intercept=True)
                rows.curvature(w, scale)
                rows.exact_curvature(w, scale)
                rows.sums(np.hstack([w, w]))
                folds = Versions(np.array([0, 1]), counts=np.ones((2, len(y)), dtype=np.bool_))
                VersionedRows(rows, folds).sums(np.hstack([w, w]))
        if rows.is_csc:
            rows.coordinate_step(w[:, 0], np.arange(2), ElasticNet.nothing(2), 1.0, True)
    with SelectableRows(np.eye(N_COLUMNS), y[:N_COLUMNS] + np.arange(N_COLUMNS, dtype=np.int8) % 2) as few:
        fit_together(few, Ridge(np.ones(newton.COMPILED_FROM // few.n_values)), Limits())
    n = points.COMPILED_FROM
    LogisticRegression(penalty="firth", inference=True).fit(np.arange(n)[:, None] % 3, np.arange(n) % 2)
    QuadraticModel(np.eye(2)).minimise(np.ones(2), np.zeros(2), ElasticNet.nothing(2), 1.0)
