"""The report of what could make a fit unreliable."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from logreg import CollinearityWarning, LogisticRegression, datasets


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(6)
    X = random.standard_normal((500, 3))
    X[:, 2] = X[:, 0] + 0.1 * random.standard_normal(500)
    y = (random.random(500) < expit(X[:, 0] - X[:, 1])).astype(int)
    return pd.DataFrame(X, columns=["a", "b", "nearly_a"]), y


def test_variance_inflation_is_that_of_a_weighted_regression_on_the_others(rows):
    X, y = rows
    clf = LogisticRegression(penalty=None, tol=1e-10).fit(X, y)
    p = clf.predict_proba(X)[:, 1]
    root = np.sqrt(p * (1 - p))[:, None]
    with_one = np.column_stack([np.ones(500), X])
    for j, factor in enumerate(clf.diagnose(X, y).frame["variance_inflation"], 1):
        others = np.delete(with_one, j, axis=1) * root
        target = with_one[:, j] * root[:, 0]
        left = target - others @ np.linalg.lstsq(others, target, rcond=None)[0]
        alone = target - root[:, 0] * (root[:, 0] @ target) / (root[:, 0] @ root[:, 0])
        assert factor == pytest.approx((alone @ alone) / (left @ left), rel=1e-6)


def test_events_are_counted_and_condition_and_separation_told(rows):
    X, y = rows
    found = LogisticRegression(penalty=None).fit(X, y).diagnose(X, y)
    assert found.events_per_variable == pytest.approx(min(y.sum(), 500 - y.sum()) / 3)
    assert found.condition > 10.0
    assert found.separation.kind is None
    assert str(found) == repr(found)
    assert "! variance inflation, largest: 'nearly_a'" in str(found) or "! variance inflation, largest: 'a'" in str(
        found
    )
    X, y = datasets.load_endometrial()
    found = LogisticRegression(C=1.0).fit(X, y).diagnose(X, y)
    assert found.separation.kind == "quasi"
    assert "! separation" in str(found)


def test_a_fit_without_a_penalty_is_calibrated_and_a_ridge_shrinks(rows):
    X, y = rows
    plain = LogisticRegression(penalty=None, tol=1e-10).fit(X, y).diagnose(X, y)
    assert plain.calibration_slope == pytest.approx(1.0, abs=1e-7)
    assert plain.calibration_intercept == pytest.approx(0.0, abs=1e-7)
    assert LogisticRegression(C=0.01).fit(X, y).diagnose(X, y).calibration_slope > 1.1


def test_columns_that_repeat_others_have_an_endless_factor(rows):
    X, y = rows
    with pytest.warns(CollinearityWarning):
        clf = LogisticRegression(penalty=None).fit(X.assign(twice=2 * X["b"]), y)
    frame = clf.diagnose(X.assign(twice=2 * X["b"]), y).frame.set_index("term")["variance_inflation"]
    assert frame["twice"] > 1e10
    assert frame["a"] < 1e3
