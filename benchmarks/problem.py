"""What a problem is, and where real data are read from: the folder in LOGREG_BENCH_DATA."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

DATA = Path(os.environ.get("LOGREG_BENCH_DATA", Path(__file__).parents[2] / "shared" / "data" / "large"))


class Problem(NamedTuple):
    """X of shape (n, d), outcomes 0 and 1, scikit-learn's C, what the table says, and whether there is an intercept.

    X is an array, a CSR matrix, or a frame with category columns.
    """

    X: Any
    y: np.ndarray
    C: float
    note: str
    intercept: bool = True


def real(name):
    """Return the path of a file of real data."""
    path = DATA / name
    if not path.exists():
        raise FileNotFoundError(
            f"{name} is not in the folder LOGREG_BENCH_DATA; benchmarks/README.md says where it is."
        )
    return path


def real_frame(name, share):
    """Return a frame of real data, every so many rows of it where only a share is wanted."""
    return pd.read_parquet(real(name)).iloc[:: round(1 / share)].reset_index(drop=True)
