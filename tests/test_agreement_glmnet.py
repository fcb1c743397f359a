"""Elastic nets agree with R's glmnet 4.1-6, whose answers tests/golden/glmnet.R wrote.

Its threshold is 1e-20: at 1e-14 its coefficients of correlated columns of breast_cancer are 1e-5 from the optimum.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from logreg import LogisticRegression, datasets, logistic_path

GOLDEN = pd.read_csv(Path(__file__).parent / "golden" / "glmnet.csv")
LOADERS = {
    "anes96": datasets.load_anes96,
    "nhefs": datasets.load_nhefs,
    "breast_cancer": datasets.load_breast_cancer,
    "endometrial": datasets.load_endometrial,
}


def given(name, theirs):
    """Return X, y and weights as glmnet had them, and its penalties and coefficients (penalties, terms)."""
    X, y = LOADERS[name]()
    table = theirs.pivot(index="penalty", columns="term", values="estimate").sort_index(ascending=False)
    X = X[[term for term in theirs["term"].unique() if term != "intercept"]].astype(float)
    weight = 1.0 + X["qsmk"].to_numpy() if name == "nhefs" else np.ones(len(X))
    return X, y, weight, table.index.to_numpy(), table[["intercept", *X.columns]].to_numpy()


@pytest.mark.parametrize(("name", "l1_ratio"), list(GOLDEN.groupby(["data", "l1_ratio"]).groups))
def test_standardised_paths_and_fits_are_those_of_glmnet(name, l1_ratio):
    theirs = GOLDEN.query("data == @name and l1_ratio == @l1_ratio")
    X, y, weight, penalties, coefficients = given(name, theirs)
    spread = np.append(
        1.0, np.sqrt(np.average((X - np.average(X, axis=0, weights=weight)) ** 2, axis=0, weights=weight))
    )
    Cs = 1.0 / (penalties * weight.sum())
    options = {"l1_ratio": l1_ratio, "standardize": True, "tol": 1e-9}
    path = logistic_path(X, y, Cs=Cs, sample_weight=weight, **options)
    ours = np.column_stack([path.intercepts, path.coefs.toarray()])
    np.testing.assert_allclose(ours[:, 1:] * spread[1:], coefficients[:, 1:] * spread[1:], atol=1e-6)
    np.testing.assert_allclose(ours[:, 0], coefficients[:, 0], rtol=1e-6)
    np.testing.assert_array_equal(ours[:, 1:] == 0, coefficients[:, 1:] == 0)
    for C, intercept, coefs in zip(Cs, path.intercepts, path.coefs.toarray(), strict=True):
        clf = LogisticRegression(C=C, **options).fit(X, y, weight)
        np.testing.assert_allclose(clf.coef_[0] * spread[1:], coefs * spread[1:], atol=1e-7)
        np.testing.assert_allclose(clf.intercept_, intercept, rtol=1e-6)
