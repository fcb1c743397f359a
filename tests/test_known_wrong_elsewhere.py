"""What other packages are known to get wrong is right here."""

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

from logreg import LogisticRegression
from logreg.inference.summary import coefficient_frame


@pytest.fixture(scope="module")
def identity():
    """Return a classifier whose score of a row is the row's only number."""
    clf = LogisticRegression().fit([[-1.0], [1.0]], [0, 1])
    clf.coef_, clf.intercept_ = np.ones((1, 1)), np.zeros(1)
    return clf


@pytest.mark.parametrize("score", [-800.0, -40.0, -36.0, 0.0, 36.0, 40.0, 800.0])
def test_log_probabilities_of_both_classes_are_accurate_at_every_score(identity, score):
    with mpmath.workdps(400):
        truth = [float(-mpmath.log1p(mpmath.exp(sign * mpmath.mpf(score)))) for sign in (1, -1)]
    found = identity.predict_log_proba([[score]])[0]
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, truth, rtol=1e-15)  # the first class by 1 - p is -inf from 37 on


@pytest.mark.parametrize("score", [-40.0, -1.5, 0.0, 0.3, 40.0])
def test_probabilities_are_sigmoids_of_the_score_itself_not_of_twice_it(identity, score):
    np.testing.assert_allclose(identity.predict_proba([[score]])[0], expit([-score, score]), rtol=1e-15)


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(3)
    X = np.column_stack([random.standard_normal((2_000, 2)), np.arange(2_000) % 100 == 0])
    y = (random.random(2_000) < expit(X[:, 0] ** 2 - 1.0)).astype(
        int
    )  # no logistic curve, so the choice of errors shows
    return X, y


def test_a_rare_dummy_of_one_outcome_is_found_and_named(rows):
    X, y = rows
    y = np.where(X[:, 2] == 1, 1, y)
    with pytest.warns(ConvergenceWarning, match="separates the outcomes.*'rare'"):
        clf = LogisticRegression(penalty=None).fit(pd.DataFrame(X, columns=["a", "b", "rare"]), y)
    assert clf.separation_.kind == "quasi"
    np.testing.assert_array_equal(clf.separation_.directions, [0.0, 0.0, np.inf, 0.0])
    assert clf.summary().frame["estimate"][3] == np.inf


def test_standard_errors_are_those_of_the_model_neither_robust_nor_dispersed(rows):
    X, y = rows
    clf = LogisticRegression(penalty=None, tol=1e-10).fit(X, y)
    ones, p = np.column_stack([np.ones(len(X)), X]), clf.predict_proba(X)[:, 1]
    errors = np.sqrt(np.diagonal(np.linalg.inv((ones.T * (p * (1 - p))) @ ones)))
    np.testing.assert_allclose(clf.summary().frame["std_error"], errors, rtol=1e-9)
    dispersion = (clf.influence(X, y)["residual_pearson"] ** 2).sum() / (len(X) - 4)
    assert abs(dispersion - 1.0) > 1e-4  # so errors that carry it would be others,
    robust = np.sqrt(np.diagonal(clf.covariance("HC1", X, y)))
    assert (np.abs(robust / errors - 1.0) > 1e-4).all()  # and so would be these


@pytest.mark.parametrize("z", [5.0, 8.2, 8.4, 20.0, 37.0])
def test_p_values_are_not_0_as_long_as_a_float_can_hold_them(z):
    frame = coefficient_frame(["x"], np.array([-0.1 * z]), np.array([0.1]), 0.95)
    with mpmath.workdps(40):
        truth = mpmath.erfc(mpmath.mpf(z) / mpmath.sqrt(2))
    np.testing.assert_allclose(frame["p_value"], float(truth), rtol=1e-11)
    assert "log10_p_value" not in frame


@pytest.mark.parametrize("z", [39.0, 60.0, 1e4])
def test_beyond_that_their_logarithms_are_told(z):
    frame = coefficient_frame(["x"], np.array([0.1 * z]), np.array([0.1]), 0.95)
    with mpmath.workdps(40):
        truth = mpmath.log10(mpmath.erfc(mpmath.mpf(z) / mpmath.sqrt(2)))
    assert frame["p_value"][0] == 0.0
    np.testing.assert_allclose(frame["log10_p_value"], float(truth), rtol=1e-13)
