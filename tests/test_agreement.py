"""The same optimum as independent implementations and published results, on every data set of the package."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression as Peer

from logreg import LogisticRegression, datasets

# Without a penalty these have no finite optimum: complete and quasi-complete separation.
SEPARATED = {"breast_cancer", "endometrial"}
LOADERS = ["orings", "penguins", "titanic", "anes96", "nhefs", "breast_cancer", "endometrial", "flights"]
TOO_WIDE_FOR_A_MATRIX = {"flights": ["tailnum"]}  # 3,000 levels: the peer would take minutes


def encoded(name):
    X, y = getattr(datasets, f"load_{name}")()
    X = X.drop(columns=TOO_WIDE_FOR_A_MATRIX.get(name, []))
    return pd.get_dummies(X, drop_first=True, dtype=float), y


def standardised(X):
    return (X - X.mean()) / X.std().replace(0, 1)


@pytest.mark.parametrize("scale", [lambda X: X, standardised], ids=["raw", "standardised"])
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3, np.inf])
@pytest.mark.parametrize("name", LOADERS)
def test_optimum_is_that_of_newton_cholesky(name, C, scale):
    X, y = encoded(name)
    X = scale(X)
    if np.isinf(C) and name in SEPARATED:
        pytest.skip("no finite optimum exists")
    ours = LogisticRegression(C=C, tol=1e-11).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's line search warns when it has reached rounding
        theirs = Peer(C=C, tol=1e-12, solver="newton-cholesky", max_iter=1000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8, atol=1e-8 * np.abs(theirs.coef_).max())
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-8)
