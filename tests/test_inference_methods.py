"""The inferring methods of a fitted estimator: what they need, refuse, and agree on."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning

from logreg import CollinearityWarning, LogisticRegression, LogisticRegressionCV, datasets, fit_many, logistic_path

EXACT = {"penalty": None, "tol": 1e-10}


@pytest.fixture(scope="module")
def cohort():
    X, y = datasets.load_nhefs()
    return X[["qsmk", "sex", "age", "smokeyrs"]], y


@pytest.fixture(scope="module")
def fitted(cohort):
    return LogisticRegression(**EXACT).fit(*cohort)


@pytest.fixture(scope="module")
def separated():
    X, y = datasets.load_endometrial()
    with pytest.warns(ConvergenceWarning, match="separates the outcomes"):
        return LogisticRegression(penalty=None).fit(X, y), X, y


OPTIONS = [{"penalty": None}, {"C": 1e-3}, {"penalty": None, "fit_intercept": False}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_curvature_that_is_kept_takes_the_last_step_to_the_optimum(options):
    random = np.random.default_rng(0)
    X = random.standard_normal((60_000, 30)) * np.geomspace(0.1, 10.0, 30)
    y = random.random(60_000) < expit(X[:, :5].sum(axis=1) - 1.0)
    kept, not_kept = (LogisticRegression(inference=keep, **options).fit(X, y) for keep in (True, False))
    exact = LogisticRegression(tol=1e-10, **options).fit(X, y)
    errors = exact.summary().frame["std_error"].to_numpy()[-30:]
    assert not_kept.solver_ == "sampled-curvature"
    assert kept.n_passes_ == not_kept.n_passes_ < exact.n_passes_
    assert np.abs((kept.coef_ - exact.coef_)[0] / errors).max() < 1e-9 < np.abs(not_kept.coef_ - exact.coef_).max()
    fall = kept.summary().fit_frame["deviance"][0] - exact.summary().fit_frame["deviance"][0]
    assert abs(fall) < 1e-8


@pytest.mark.parametrize("n", [3_000, 60_000])
def test_constant_column_beside_an_intercept_stays_out_of_the_last_step(n):
    random = np.random.default_rng(0)
    X = sparse.csr_array(np.column_stack([np.full(n, 3.0), random.standard_normal((n, 20))]))
    y = random.random(n) < expit(X[:, [1]].toarray()[:, 0] - 1.0)
    clf = LogisticRegression(penalty=None).fit(X, y)
    frame = clf.summary().frame.set_index("term")
    without = LogisticRegression(penalty=None).fit(X[:, 1:], y).summary().frame.set_index("term")
    assert clf.coef_[0, 0] == 0.0
    assert np.isnan(frame.loc["x0", "std_error"])
    assert frame.loc["intercept", "std_error"] == pytest.approx(without.loc["intercept", "std_error"], rel=1e-4)


def test_a_test_of_one_coefficient_is_its_statistic_squared(fitted, cohort):
    frame = fitted.summary().frame.set_index("term")
    assert fitted.wald_test("age").statistic == pytest.approx(frame.loc["age", "statistic"] ** 2)
    robust = fitted.covariance("HC3", *cohort)
    with_robust = fitted.summary(cov=robust).frame.set_index("term")
    assert fitted.wald_test("age", cov=robust).statistic == pytest.approx(with_robust.loc["age", "statistic"] ** 2)
    assert with_robust.loc["age", "std_error"] != frame.loc["age", "std_error"]


def test_likelihood_ratio_tests_agree_with_the_table_of_all_terms(fitted, cohort):
    X, y = cohort
    table = fitted.drop1(X, y).set_index("term")
    assert fitted.lr_test("sex", X, y).statistic == pytest.approx(table.loc["sex", "LRT"], rel=1e-8)
    smaller = LogisticRegression(**EXACT).fit(X.drop(columns="sex"), y)
    fall = smaller.summary().fit_frame["deviance"][0] - fitted.summary().fit_frame["deviance"][0]
    assert table.loc["sex", "LRT"] == pytest.approx(fall, rel=1e-8)
    added = smaller.score_test(X[["sex"]], X.drop(columns="sex"), y)
    assert added.statistic == pytest.approx(fall, rel=0.05)


@pytest.mark.parametrize("method", ["wald", "profile", "score"])
def test_intervals_hold_the_estimate_and_widen_with_the_level(fitted, cohort, method):
    wide, narrow = (fitted.conf_int(*cohort, method=method, level=level) for level in (0.99, 0.8))
    assert list(wide.columns) == ["term", "estimate", "conf_low", "conf_high"]
    assert (wide["conf_low"] < narrow["conf_low"]).all()
    assert (narrow["conf_low"] < narrow["estimate"]).all()
    assert (narrow["estimate"] < narrow["conf_high"]).all()
    assert (narrow["conf_high"] < wide["conf_high"]).all()


def test_prediction_intervals_hold_the_prediction(fitted, cohort):
    X, _ = cohort
    low, p, high = fitted.predict_interval(X).T
    np.testing.assert_allclose(p, fitted.predict_proba(X)[:, 1], rtol=1e-12)
    assert (low > 0).all()
    assert (low < p).all()
    assert (p < high).all()
    assert (high < 1).all()


@pytest.mark.parametrize("weight_type", ["frequency", "precision", "sampling"])
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}], ids=str)
def test_a_covariance_reaches_every_table_test_and_interval(cohort, weight_type, options):
    X, y = cohort
    weights = 1.0 + np.arange(len(X)) % 3
    clf = LogisticRegression(**EXACT, **options).fit(X, y, weights)
    cov = clf.covariance("HC1", X, y, weights, weight_type=weight_type)
    errors, q = np.sqrt(np.diagonal(cov)), norm.ppf(0.975)
    frame = clf.summary(cov=cov).frame
    np.testing.assert_allclose(frame["std_error"], errors, rtol=1e-12)
    np.testing.assert_allclose(clf.conf_int(cov=cov)["conf_low"], frame["estimate"] - q * errors, rtol=1e-12)
    assert clf.wald_test("sex", cov=cov).statistic == pytest.approx(
        frame.set_index("term").loc["sex", "statistic"] ** 2
    )
    ones = np.column_stack([np.ones(len(X)), X])[:, len(options) :]
    z = np.sqrt(np.einsum("ij,jk,ik->i", ones, cov, ones)) * q
    np.testing.assert_allclose(logit(clf.predict_interval(X, cov=cov)[:, 2]), clf.decision_function(X) + z, rtol=1e-9)
    effects, bent = clf.marginal_effects(X, cov=cov).set_index("term"), expit(clf.decision_function(X))
    slope, bend = bent * (1 - bent), bent * (1 - bent) * (1 - 2 * bent)
    w = clf.summary().frame.set_index("term")["estimate"]["age"]
    gradient = w * (bend @ ones) / len(X) + slope.mean() * (cov.index == "age")
    assert effects.loc["age", "std_error"] == pytest.approx(np.sqrt(gradient @ cov @ gradient))


def test_weights_for_precision_have_the_model_s_covariance_and_those_for_sampling_need_the_rows(cohort):
    X, y = cohort
    clf = LogisticRegression(**EXACT).fit(X, y, 1.0 + np.arange(len(X)) % 3)
    pd.testing.assert_frame_equal(clf.covariance(weight_type="precision"), clf.covariance())
    with pytest.raises(ValueError, match=r"pass covariance\('HC1', X, y, sample_weight, weight_type='sampling'\)"):
        clf.covariance(weight_type="sampling")


def test_joint_tests_leave_out_what_repeats_others(fitted, cohort):
    X, y = cohort
    with pytest.warns(CollinearityWarning):
        clf = LogisticRegression(**EXACT).fit(X.assign(months=12 * X["age"], one=1.0), y)
    joint, plain = clf.wald_test(["age", "months", "sex"]), fitted.wald_test(["age", "sex"])
    assert (joint.statistic, joint.df) == (pytest.approx(plain.statistic, rel=1e-6), 2)
    equal = np.array([[0, 0, 1.0, 0, 0, 0, 0], [0, 0, 1.0, 0, -1.0, 0, 0]])  # age is 0.05; age is months
    alone = clf.wald_test(equal, value=[0.05, 0.0])
    assert (alone.statistic, alone.df) == (pytest.approx(fitted.wald_test("age", value=0.05).statistic, rel=1e-6), 1)
    with pytest.raises(ValueError, match=r"^All hypotheses are about coefficients without an estimate"):
        clf.wald_test(["months", "one"])


@pytest.mark.parametrize("value", [5.0, 0.0, 1e-3])
def test_under_a_ridge_a_constant_column_has_the_error_that_the_penalty_leaves_it(cohort, value):
    X, y = cohort
    X, plain = X.assign(constant=value), LogisticRegression(C=0.5, tol=1e-10).fit(X, y).summary().frame
    clf = LogisticRegression(C=0.5, tol=1e-10).fit(X, y)
    frame = clf.summary().frame
    assert frame["estimate"][5] == pytest.approx(0.0, abs=1e-12)
    assert frame["std_error"][5] == pytest.approx(np.sqrt(0.5), rel=1e-9)  # its likelihood is the penalty w**2
    np.testing.assert_allclose(frame["std_error"][1:5], plain["std_error"][1:5], rtol=1e-7)
    assert frame["std_error"][0] == pytest.approx(np.hypot(plain["std_error"][0], value * np.sqrt(0.5)), rel=1e-7)
    ends = clf.conf_int(X, y, method="profile").iloc[5]
    np.testing.assert_allclose([ends["conf_low"], ends["conf_high"]], frame.iloc[5, 5:].astype(float), rtol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda clf, X, y: clf.covariance("HC1", X, y),
        lambda clf, X, y: clf.influence(X, y),
        lambda clf, X, y: clf.loo_scores(X, y),
        lambda clf, X, y: clf.drop1(X, y),
        lambda clf, X, y: clf.lr_test("age", X, y),
        lambda clf, X, y: clf.score_test(X[["age"]] ** 2, X, y),
        lambda clf, X, y: clf.conf_int(X, y, method="profile"),
        lambda clf, X, y: clf.bootstrap(X, y, n=2),
    ],
)
@pytest.mark.parametrize("options", [{}, {"penalty": "l2", "C": 0.1, "standardize": True}], ids=str)
def test_rows_that_are_not_those_of_the_fit_are_told(cohort, call, options):
    X, y = cohort
    clf = LogisticRegression(**EXACT | options).fit(X, y)
    with pytest.raises(ValueError, match=r"standard errors from the optimum of these rows, so they were fitted"):
        call(clf, X[:1000], y[:1000])


def test_rows_weigh_as_much_as_there_are_coefficients(fitted, cohort):
    influence = fitted.influence(*cohort)
    assert influence["leverage"].sum() == pytest.approx(5.0, rel=1e-8)
    assert fitted.loo_scores(*cohort).leverage.sum() == pytest.approx(5.0, rel=1e-6)


def test_all_of_it_is_there_for_the_final_fit_of_a_cross_validation(cohort):
    X, y = cohort
    clf = LogisticRegressionCV(standardize=True).fit(X, y)
    assert len(clf.covariance("HC1", X, y)) == 5
    assert len(clf.influence(X, y)) == len(y)
    assert len(clf.marginal_effects(X)) == 4
    assert len(clf.conf_int(X, y, method="profile")) == 5


@pytest.mark.parametrize("call", ["predict_interval", "marginal_effects", "influence", "covariance", "wald_test"])
def test_a_separated_fit_has_no_curvature_to_tell_from(separated, call):
    clf, X, y = separated
    given = {"influence": (X, y), "covariance": (), "wald_test": ("NV",)}.get(call, (X,))
    with pytest.raises(ValueError, match=r"^Columns separate the outcomes"):
        getattr(clf, call)(*given)
    with pytest.raises(ValueError, match=r"^Columns separate the outcomes"):
        clf.bootstrap(X, y)


def test_its_table_has_limits_and_a_one_sided_interval(separated):
    clf, X, y = separated
    frame = clf.summary().frame.set_index("term")
    np.testing.assert_allclose(
        frame.loc[["intercept", "PI", "EH"], "estimate"], [4.3045178, -0.0421834, -2.9026056], rtol=1e-6
    )
    np.testing.assert_allclose(
        frame.loc[["intercept", "PI", "EH"], "std_error"], [1.63729861, 0.04433196, 0.84555156], rtol=1e-6
    )
    assert frame.loc["NV", "estimate"] == np.inf
    assert frame.loc["NV", "conf_high"] == np.inf
    profile = clf.conf_int(X, y, method="profile").set_index("term")
    assert frame.loc["NV", "conf_low"] == pytest.approx(profile.loc["NV", "conf_low"], rel=1e-6)
    assert clf.summary().fit_frame["deviance"][0] == pytest.approx(55.393, abs=5e-4)


def test_separation_can_raise_be_ignored_and_is_found_by_cross_validation_too(separated):
    clf, X, y = separated
    assert clf.separation_.kind == "quasi"
    with pytest.raises(ValueError, match=r"those of 'NV'. Use a penalty"):
        LogisticRegression(penalty=None, on_separation="raise").fit(X, y)
    assert LogisticRegression(penalty=None, on_separation="ignore").fit(X, y).separation_ is None
    with pytest.warns(ConvergenceWarning):
        cv = LogisticRegressionCV(Cs=[np.inf], cv=3).fit(X, y)
    assert cv.separation_.kind == "quasi"
    np.testing.assert_allclose(cv.summary().frame["conf_low"], clf.summary().frame["conf_low"], rtol=1e-6)
    assert LogisticRegression().fit(X, y).separation_ is None


def test_printing_never_fails(cohort):
    X, y = cohort
    for options in ({"l1_ratio": 1.0}, {"positive": True}, {"l1_ratio": 0.5}, {"fit_intercept": False}):
        assert str(LogisticRegression(**options).fit(X, y).summary())
    assert str(logistic_path(X, y, n_penalties=3).estimator(2).summary())
    assert LogisticRegression(fit_intercept=False).fit(np.zeros((20, 2)), np.arange(20) % 2).summary().frame.shape == (
        2,
        7,
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda clf, X, y: clf.summary(cov="HC1"), "^cov must be 'model', or what covariance"),
        (lambda clf, X, y: clf.wald_test("age", cov=np.eye(5)), "^cov must be 'model', or what covariance"),
        (lambda clf, X, y: clf.covariance("HC1"), "^kind='HC1' needs the rows of the fit"),
        (lambda clf, X, y: clf.covariance("HC4", X, y), "^kind='HC4' must be 'model' or 'HC0'"),
        (lambda clf, X, y: clf.covariance(weight_type="odd"), "^weight_type='odd' must be"),
        (lambda clf, X, y: clf.covariance(groups=y), "^kind='model' knows no groups"),
        (lambda clf, X, y: clf.conf_int(X, y, method="score", cov=clf.covariance()), "which knows no cov"),
        (lambda clf, X, y: clf.conf_int(method="profile"), "^method='profile' needs the rows of the fit"),
        (lambda clf, X, y: clf.conf_int(method="bayes"), "^method='bayes' must be"),
        (lambda clf, X, y: clf.conf_int(level="a"), "^level='a' must be between 0 and 1"),
        (lambda clf, X, y: fit_many(X, pd.DataFrame({"a": y, "b": 1 - y}))[0].summary(), "^No curvature was kept"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(fitted, cohort, call, message):
    with pytest.raises(ValueError, match=message):
        call(fitted, *cohort)
