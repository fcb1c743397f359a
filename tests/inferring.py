"""What tests of inference share: fits with their covariance by the plain formula, and golden numbers of R and others.

Those are written by tests/golden/inference.R (R 4.2.2, sandwich 3.0-2, survey 4.1-1) and tests/golden/inference.py
(statsmodels 0.15).
"""

import json
from pathlib import Path

import numpy as np

from logreg import LogisticRegression, datasets
from logreg.setup import Setup

GOLDEN = Path(__file__).parent / "golden"
R = json.loads((GOLDEN / "inference_r.json").read_text())
STATSMODELS = json.loads((GOLDEN / "inference.json").read_text())
STUDIES = {
    "nhefs": (datasets.load_nhefs, ["qsmk", "sex", "age", "education", "smokeyrs", "wt71"], "age", "exercise"),
    "anes96": (datasets.load_anes96, ["popul", "selfLR", "PID", "age", "income"], "income", "TVnews"),
    "orings": (datasets.load_orings, ["Temperature"], "Temperature", None),
}


class Fit:
    """A fit, its coefficients with the intercept last, and their covariance by the plain formula."""

    def __init__(self, X, y, weight=None, offset=None, **options):
        self.data = X, y, weight, offset
        self.clf = LogisticRegression(**({"penalty": None, "tol": 1e-12} | options)).fit(X, y, weight, offset=offset)
        self.w = np.append(self.clf.coef_, self.clf.intercept_)
        values = X.toarray() if hasattr(X, "toarray") else np.asarray(X, dtype=float)
        self.ones = np.column_stack([values, np.ones(len(values))])
        self.p = self.clf.predict_proba(X, offset)[:, 1]
        self.weight = np.ones(len(values)) if weight is None else weight
        curvature = self.weight * self.clf.predict_proba(X, offset).prod(axis=1)
        H = self.ones.T @ (curvature[:, None] * self.ones)
        unit = 1.0 / np.sqrt(np.diagonal(H))
        self.root = unit[:, None] * np.linalg.inv(np.linalg.cholesky(H * unit * unit[:, None])).T
        self.inverse = self.root @ self.root.T

    def setup(self):
        return Setup.again(self.clf, *self.data)


def study(name, weighted=False):
    """Return X, y, groups and weights (None for 1) of a study as the golden numbers have them."""
    load, columns, group, weight = STUDIES[name]
    X, y = load()
    s = None
    if weighted:
        s = 1.0 + (np.arange(len(X)) % 3 if weight is None else X[weight].to_numpy())
    return X[columns].astype(float), y, X[group].to_numpy(), s


def assert_covariances_agree(ours, theirs, tolerance=1e-8):
    """Compare in units of the standard errors."""
    errors = np.sqrt(np.diagonal(theirs))
    np.testing.assert_allclose(ours / np.outer(errors, errors), theirs / np.outer(errors, errors), atol=tolerance)
