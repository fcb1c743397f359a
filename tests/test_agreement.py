"""The same optimum as independent implementations and published results, on every data set of the package."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as Peer

from logreg import LogisticRegression, datasets

# Without a penalty these have no finite optimum: complete separation, a column of quasi-complete separation, and
# destinations whose few flights were all late or all on time.
SEPARATED = {"breast_cancer", "endometrial", "flights"}
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
        with pytest.warns(ConvergenceWarning, match="separates the outcomes"):
            LogisticRegression(C=C).fit(X, y)
        return
    ours = LogisticRegression(C=C, tol=1e-11).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's line search warns when it has reached rounding
        theirs = Peer(C=C, tol=1e-12, solver="newton-cholesky", max_iter=1000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8, atol=1e-8 * np.abs(theirs.coef_).max())
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-8)


@pytest.mark.parametrize("tol", [1e-4, 1e-10])
def test_orings_are_those_of_r(tol):
    X, y = datasets.load_orings()  # glm(distress ~ Temperature, binomial, orings)
    clf = LogisticRegression(penalty=None, tol=tol).fit(X, y)
    standard_errors = [0.1082365216, 7.3786363849]
    np.testing.assert_allclose(clf.coef_[0, 0], -0.2321627442, atol=max(1e-10, tol * standard_errors[0]))
    np.testing.assert_allclose(clf.intercept_[0], 15.0429016477, atol=max(1e-10, tol * standard_errors[1]))
    assert 2 * 23 * clf.objective_ == pytest.approx(20.315193, abs=1e-6)  # the residual deviance


def test_grouped_cells_fit_as_the_people_they_count():
    X, y = datasets.load_titanic()
    cells, survived, count = datasets.load_titanic_cells()
    people = LogisticRegression(tol=1e-11).fit(X, y)
    grouped = LogisticRegression(tol=1e-11).fit(cells, survived, sample_weight=count)
    np.testing.assert_allclose(grouped.coef_, people.coef_, rtol=1e-10)


def random_problem(seed):
    """Correlated columns of scales from 1e-6 to 1e6, some far from zero, sometimes more columns than rows."""
    random = np.random.default_rng(seed)
    n, d = int(10 ** random.uniform(1, 3.7)), int(10 ** random.uniform(0, 2))
    mixing = np.eye(d) + 0.5 * random.standard_normal((d, d)) * (random.random((d, d)) < 0.3)
    X = random.standard_normal((n, d)) @ mixing * 10 ** random.uniform(-6, 6, d)
    X += random.standard_normal(d) * 10 ** random.uniform(-6, 6, d)
    scores = (X - X.mean(0)) / X.std(0) @ random.standard_normal(d) * random.uniform(0.1, 3) / np.sqrt(d)
    y = random.random(n) < 1 / (1 + np.exp(-scores - random.standard_normal()))
    y[:2] = [True, False]
    return X, y


@pytest.mark.parametrize("seed", range(200))
def test_unscaled_columns_need_no_lecture(seed):
    X, y = random_problem(seed)
    clf = LogisticRegression().fit(X, y)  # any warning is an error here
    assert clf.decrement_ <= 1e-4


@pytest.mark.parametrize("name", LOADERS)
def test_unscaled_real_data_need_no_lecture(name):
    X, y = encoded(name)
    assert LogisticRegression().fit(X, y).decrement_ <= 1e-4


def test_unscaled_one_hot_income_needs_no_lecture():
    folder = Path(os.environ.get("LOGREG_BENCH_DATA", Path(__file__).parents[2] / "shared" / "data" / "large"))
    if not (folder / "adult.csv.gz").exists():
        pytest.skip("adult.csv.gz is not in the folder that LOGREG_BENCH_DATA names")
    table = pd.read_csv(folder / "adult.csv.gz")
    y = table.pop("gt50k")
    X = pd.get_dummies(table, dtype=float)
    clf = LogisticRegression().fit(X, y)
    assert clf.decrement_ <= 1e-4
    tight = LogisticRegression(tol=1e-11).fit(X, y)
    assert clf.objective_ == pytest.approx(tight.objective_, rel=1e-9)
