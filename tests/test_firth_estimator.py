"""Firth's penalty in the estimator: tables, intervals, and where it is not known."""

import numpy as np
import pytest

from logreg import LogisticRegression, LogisticRegressionCV, datasets, fit_many


@pytest.fixture(scope="module")
def tumours():
    return datasets.load_endometrial()


@pytest.fixture(scope="module")
def firth(tumours):
    return LogisticRegression(penalty="firth", tol=1e-9).fit(*tumours)


def test_the_table_is_that_of_logistf(firth):
    frame = firth.summary().frame
    np.testing.assert_allclose(frame["estimate"], [3.77455951, 2.92927330, -0.03475175, -2.60416387], rtol=1e-6)
    np.testing.assert_allclose(frame["std_error"], [1.48869, 1.55076, 0.03958, 0.77602], rtol=2e-4)
    np.testing.assert_allclose(frame["conf_low"], [1.0825371, 0.6097244, -0.1244587, -4.3651832], rtol=1e-6)
    np.testing.assert_allclose(frame["conf_high"], [7.20928050, 7.85463171, 0.04045547, -1.23272106], rtol=1e-6)


def test_intervals_of_other_levels_lie_inside(firth, tumours):
    narrow = firth.conf_int(*tumours, method="profile", level=0.8)
    wide = firth.summary().frame
    assert (narrow["conf_low"] > wide["conf_low"]).all()
    assert (narrow["conf_high"] < wide["conf_high"]).all()
    with pytest.raises(ValueError, match=r"^method='score' is not known for penalty='firth'"):
        firth.conf_int(*tumours, method="score")


def test_separated_fits_can_turn_to_it(firth, tumours):
    turned = LogisticRegression(penalty=None, on_separation="firth", tol=1e-9).fit(*tumours)
    np.testing.assert_allclose(turned.coef_, firth.coef_, rtol=1e-7)
    assert turned.separation_.kind == "quasi"
    assert turned.summary().title == firth.summary().title
    assert firth.separation_ is None


def test_the_mean_probability_is_the_mean_outcome_with_flic(tumours):
    X, y = tumours
    clf = LogisticRegression(penalty="firth", flic=True).fit(X, y)
    assert clf.predict_proba(X)[:, 1].mean() == pytest.approx(np.mean(y), abs=1e-9)


def test_repeated_rows_are_weights(tumours):
    X, y = tumours
    times = np.random.default_rng(0).integers(1, 3, len(y))
    weighted = LogisticRegression(penalty="firth", tol=1e-9).fit(X, y, times).summary().frame
    again = np.repeat(np.arange(len(y)), times)
    repeated = LogisticRegression(penalty="firth", tol=1e-9).fit(X.iloc[again], y.iloc[again]).summary().frame
    np.testing.assert_allclose(weighted.iloc[:, 1:], repeated.iloc[:, 1:], rtol=1e-5)


@pytest.mark.parametrize("flic", [False, True])
def test_rows_of_another_fit_are_refused(tumours, flic):
    X, y = tumours
    clf = LogisticRegression(penalty="firth", flic=flic).fit(X, y)
    asks = (
        lambda *rows: clf.covariance("HC1", *rows),
        lambda *rows: clf.conf_int(*rows, method="profile"),
        lambda *rows: clf.influence(*rows),
    )
    for ask in asks:
        ask(X, y)
        for others in ((X[::-1], y), (X.iloc[20:], y[20:]), (X, y, np.arange(len(y)) % 3 + 1.0)):
            with pytest.raises(ValueError, match=r"standard errors from the optimum of these rows"):
                ask(*others)


@pytest.mark.parametrize("call", ["bootstrap", "loo_scores", "influence", "drop1"])
def test_what_is_not_known_under_it_says_so(firth, tumours, call):
    if call == "influence":
        assert len(firth.influence(*tumours)) == 79
        return
    with pytest.raises(ValueError, match=r"^This is not known under Firth's penalty"):
        getattr(firth, call)(*tumours)


def test_it_has_no_c_to_choose_and_no_bounds(tumours):
    X, y = tumours
    with pytest.raises(ValueError, match="has no C to choose"):
        LogisticRegressionCV(penalty="firth").fit(X, y)
    with pytest.raises(ValueError, match="knows no bounds"):
        LogisticRegression(penalty="firth", positive=True).fit(X, y)
    with pytest.raises(ValueError, match="one outcome at a time"):
        fit_many(X, np.column_stack([y, y]), penalty="firth")
    with pytest.raises(ValueError, match=r"^firth_weight=-1 must be"):
        LogisticRegression(penalty="firth", firth_weight=-1).fit(X, y)
