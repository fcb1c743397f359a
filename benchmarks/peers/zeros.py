"""No model at all: the scoring has to reject it."""

import numpy as np


def fit(X, y, C, tol, threads, intercept=True):
    """Return zeros."""
    return np.zeros(X.shape[1]), 0.0
