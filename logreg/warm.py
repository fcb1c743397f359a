"""Compiling ahead of the first fit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, get_args

import numpy as np
from scipy import sparse

from logreg.rows.memory import COMPILED_FROM, MemoryRows
from logreg.scale import Scale
from logreg.sums import CurvatureKind

N_COLUMNS = 10
STORAGES: tuple[Callable[[np.ndarray], Any], ...] = (np.ascontiguousarray, np.asfortranarray, sparse.csr_matrix)


def warm_up() -> None:
    """Compile what fits of large data run, or load it from the cache, so that no fit has to.

    Fits of a million numbers and more run compiled code, which the first of them on a machine compiles and the first
    in a process loads. Call this where the wait would disturb, for example when a service starts. It takes about 10
    seconds with an empty cache and one second with a full one, and covers dense float64 and float32 of either order
    and CSR matrices, on one thread and on several.

    The cache is the package's own ``__pycache__``; where that cannot be written to, the user's cache folder
    (``~/.cache/numba`` on Linux); or the folder that the environment variable ``NUMBA_CACHE_DIR`` names. Where none can
    be written to, compiled code lasts as long as the process. It is good for one type of processor and one version of
    logreg, numba and Python.

    Examples
    --------
    >>> import logreg
    >>> logreg.warm_up()
    """
    y = np.zeros(COMPILED_FROM // N_COLUMNS, dtype=np.int8)
    w = np.zeros((N_COLUMNS + 1, 1))
    for store, dtype in product(STORAGES, (np.float64, np.float32)):
        X = store(np.ones((len(y), N_COLUMNS), dtype=dtype))
        for n_threads in (1, 2):
            with MemoryRows(X, y, n_threads=n_threads, origin=None) as rows:
                for kind in get_args(CurvatureKind):
                    sums = rows.sums(w, kind)
                rows.curvature(w, Scale.from_sums(sums, np.zeros(1), intercept=True))
