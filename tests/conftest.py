"""Data that several files of tests share."""

from typing import NamedTuple

import numpy as np
import pytest

collect_ignore_glob = ["golden/*.py"]  # which make golden numbers by other packages


class Data(NamedTuple):
    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    offset: np.ndarray


@pytest.fixture(scope="session")
def data():
    """200 rows of 3 correlated columns on scales 1, 10 and 0.1, with weights and offsets; the arrays are read-only."""
    random = np.random.default_rng(7)
    X = random.normal(size=(200, 3)) @ [[1.0, 5.0, 0.0], [0.0, 10.0, 0.05], [0.0, 0.0, 0.1]]
    offset = random.normal(size=200)
    y = (X @ [2.0, -0.2, 15.0] + offset + random.logistic(size=200) > 0).astype(int)
    arrays = Data(X, y, random.uniform(0.2, 3.0, size=200), offset)
    for array in arrays:
        array.flags.writeable = False
    return arrays
