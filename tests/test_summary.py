"""The table of a fit: right to the last digits that published results and other packages have, and honest notes."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit
from scipy.stats import norm

from logreg import CollinearityWarning, LogisticRegression, LogisticRegressionCV, datasets

EXACT = {"penalty": None, "tol": 1e-10}


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(4)
    X = random.standard_normal((300, 4)) @ (np.eye(4) + 0.3)
    y = (random.random(300) < expit(X @ [1.0, 0.0, -0.5, 0.2] + 0.3)).astype(int)
    return X, y


def by_hand(X, y, w, penalty=0.0, weight=1.0):
    """Return errors from the inverse curvature as textbooks write it, the intercept first."""
    with_one = np.column_stack([np.ones(len(X)), X])
    p = expit(with_one @ w)
    H = (with_one * (weight * p * (1 - p))[:, None]).T @ with_one + np.diag([0.0] + [penalty] * X.shape[1])
    return np.sqrt(np.diagonal(np.linalg.inv(H)))


def test_o_rings_are_those_of_r():
    table = LogisticRegression(**EXACT).fit(*datasets.load_orings()).summary()
    np.testing.assert_allclose(table.frame["estimate"], [15.0429016477, -0.2321627442], rtol=1e-9)
    np.testing.assert_allclose(table.frame["std_error"], [7.3786363849, 0.1082365216], rtol=1e-9)
    assert table.fit_frame["deviance"][0] == pytest.approx(20.315193, abs=5e-7)
    assert table.frame.columns.tolist() == [
        "term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high",
    ]  # fmt: skip


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("store", [np.ascontiguousarray, np.asfortranarray, sparse.csr_array, sparse.csc_array])
def test_errors_are_those_of_the_inverse_curvature(rows, store, C):
    X, y = rows
    model = LogisticRegression(C=C, tol=1e-10).fit(store(X), y)
    frame = model.summary(level=0.9).frame
    errors = by_hand(X, y, frame["estimate"].to_numpy(), 1.0 / C)
    np.testing.assert_allclose(frame["std_error"], errors, rtol=1e-9)
    np.testing.assert_allclose(frame["p_value"], 2 * norm.sf(np.abs(frame["estimate"] / errors)), rtol=1e-7)
    np.testing.assert_allclose(frame["conf_low"], frame["estimate"] - norm.ppf(0.95) * errors, rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
def test_so_are_those_of_large_data(order, dtype):
    random = np.random.default_rng(5)
    X = np.asarray(random.standard_normal((60_000, 20)) * 10.0 ** random.integers(-3, 3, 20), dtype, order=order)
    X[:, 7] = random.random(60_000) < 2e-4  # which a sample of the rows does not show
    y = (random.random(60_000) < expit(X[:, 0] / X[:, 0].std() - 1.0)).astype(int)
    frame = LogisticRegression(**EXACT).fit(X, y).summary().frame
    errors = by_hand(X.astype(float), y, frame["estimate"].to_numpy())
    np.testing.assert_allclose(frame["std_error"], errors, rtol=1e-8)


def test_columns_far_from_zero_have_the_errors_of_the_same_near_it(rows):
    X, y = rows
    near = LogisticRegression(**EXACT).fit(X, y).summary().frame
    far = LogisticRegression(**EXACT).fit(X + np.array([1e7, 0.0, 0.0, 0.0]), y).summary().frame
    np.testing.assert_allclose(far["std_error"][1:], near["std_error"][1:], rtol=1e-6)


def test_repeated_rows_are_weights_in_every_number(rows):
    X, y = rows
    times = np.random.default_rng(0).integers(1, 4, len(y))
    weighted = LogisticRegression(**EXACT).fit(X, y, times).summary()
    repeated = LogisticRegression(**EXACT).fit(np.repeat(X, times, axis=0), np.repeat(y, times)).summary()
    pd.testing.assert_frame_equal(weighted.frame, repeated.frame, rtol=1e-7)
    pd.testing.assert_frame_equal(weighted.fit_frame, repeated.fit_frame, rtol=1e-7, check_dtype=False)


def test_the_fit_is_described_by_textbook_formulas(rows):
    X, y = rows
    model = LogisticRegression(**EXACT).fit(X, y)
    fit, p = model.summary().fit_frame.iloc[0], model.predict_proba(X)[:, 1]
    here, null = (
        np.log(np.where(y, p, 1 - p)).sum(),
        len(y) * (y.mean() * np.log(y.mean()) + (1 - y.mean()) * np.log1p(-y.mean())),
    )
    assert fit["log_likelihood"] == pytest.approx(here, rel=1e-12)
    assert fit["null_log_likelihood"] == pytest.approx(null, rel=1e-12)
    assert fit["aic"] == pytest.approx(10 - 2 * here)
    assert fit["bic"] == pytest.approx(5 * np.log(300) - 2 * here)
    assert fit["mcfadden"] == pytest.approx(1 - here / null)
    assert fit["cox_snell"] == pytest.approx(1 - np.exp(2 * (null - here) / 300))
    assert fit["nagelkerke"] == pytest.approx(fit["cox_snell"] / (1 - np.exp(2 * null / 300)))
    assert fit["tjur"] == pytest.approx(p[y == 1].mean() - p[y == 0].mean(), rel=1e-8)
    assert fit["df"] == 4


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_null_model_has_the_offset(rows, fit_intercept):
    X, y = rows
    offset = 0.5 * X[:, 1]
    fit = LogisticRegression(fit_intercept=fit_intercept, **EXACT).fit(X, y, offset=offset).summary().fit_frame.iloc[0]
    null = LogisticRegression(C=1e-12, fit_intercept=fit_intercept, tol=1e-10).fit(X, y, offset=offset)
    p = null.predict_proba(X, offset)[:, 1]
    assert fit["null_log_likelihood"] == pytest.approx(np.log(np.where(y, p, 1 - p)).sum(), rel=1e-8)
    p = LogisticRegression(fit_intercept=fit_intercept, **EXACT).fit(X, y, offset=offset).predict_proba(X, offset)[:, 1]
    assert fit["tjur"] == pytest.approx(p[y == 1].mean() - p[y == 0].mean(), rel=1e-8)


def test_reordered_columns_reorder_the_table(rows):
    X, y = rows
    names, order = np.array(list("abcd")), [2, 0, 3, 1]
    plain = LogisticRegression(**EXACT).fit(pd.DataFrame(X, columns=names), y).summary().frame.set_index("term")
    other = LogisticRegression(**EXACT).fit(pd.DataFrame(X[:, order], columns=names[order]), y).summary().frame
    assert other["term"].tolist() == ["intercept", *names[order]]
    pd.testing.assert_frame_equal(other.set_index("term").loc[plain.index], plain, rtol=1e-7)


def test_a_constant_column_is_an_intercept(rows):
    X, y = rows
    with_one = LogisticRegression(fit_intercept=False, **EXACT).fit(np.column_stack([np.ones(300), X]), y).summary()
    plain = LogisticRegression(**EXACT).fit(X, y).summary()
    np.testing.assert_allclose(with_one.frame.iloc[:, 1:], plain.frame.iloc[:, 1:], rtol=1e-7)


def test_odds_ratios_are_exponentials(rows):
    X, y = rows
    model = LogisticRegression(**EXACT).fit(X, y)
    plain, odds = model.summary().frame, model.summary(exponentiate=True).frame
    for name in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(odds[name], np.exp(plain[name]))
    np.testing.assert_array_equal(odds["p_value"], plain["p_value"])


def test_columns_that_repeat_others_have_no_estimate_and_the_others_those_without_them(rows):
    X, y = rows
    frame = pd.DataFrame(X, columns=list("abcd")).assign(twice=2 * X[:, 0] - X[:, 2] + 3.0, one=5.0)
    with pytest.warns(CollinearityWarning):
        model = LogisticRegression(**EXACT).fit(frame, y)
    table = model.summary()
    plain = LogisticRegression(**EXACT).fit(frame[list("abcd")], y).summary()
    np.testing.assert_allclose(table.frame.iloc[:5, 1:], plain.frame.iloc[:, 1:], rtol=1e-6)
    assert table.frame.iloc[5:, 1:].isna().all().all()
    assert model.aliased_["twice"] == pytest.approx({"a": 2.0, "c": -1.0, "intercept": 3.0})
    assert model.aliased_["one"] == pytest.approx({"intercept": 5.0})
    assert "'twice', 'one'" in table.notes[0]
    np.testing.assert_allclose(table.fit_frame, plain.fit_frame, rtol=1e-6)


def test_p_values_go_as_far_as_floats_do_and_their_logarithms_farther():
    random = np.random.default_rng(1)
    X = random.standard_normal((200_000, 2))
    y = (random.random(200_000) < expit(0.2 * X[:, 0])).astype(int)
    frame = LogisticRegression(**EXACT).fit(X, y).summary().frame.set_index("term")
    assert abs(frame.loc["x0", "statistic"]) > 38.0
    assert frame.loc["x0", "p_value"] == 0.0
    assert frame.loc["x0", "log10_p_value"] == pytest.approx(
        (np.log(2) + norm.logsf(abs(frame.loc["x0", "statistic"]))) / np.log(10)
    )
    assert frame.loc["x1", "p_value"] > 0.0
    y = (random.random(200_000) < expit(0.1 * X[:, 0])).astype(int)
    frame = LogisticRegression(**EXACT).fit(X, y).summary().frame.set_index("term")
    assert 0.0 < frame.loc["x0", "p_value"] < 1e-80
    assert "log10_p_value" not in frame


def test_penalties_are_said_and_an_l1_part_has_no_errors(rows):
    X, y = rows
    assert "maximum likelihood" in LogisticRegression(**EXACT).fit(X, y).summary().title
    ridge = LogisticRegression(C=0.5).fit(X, y).summary()
    assert ridge.title == "Logistic regression: log-loss and a ridge of C=0.5"
    assert ridge.notes[0].startswith("A penalty shrinks the estimates")
    lasso = LogisticRegression(C=0.05, l1_ratio=1.0).fit(X, y)
    assert lasso.summary().frame["std_error"].isna().all()
    assert "not known" in lasso.summary().notes[0]
    with pytest.raises(ValueError, match="With an L1 part"):
        lasso.covariance()


def test_a_fit_without_its_curvature_says_how_to_keep_it(rows):
    X, y = rows
    with pytest.raises(ValueError, match="inference=True"):
        LogisticRegression(inference=False).fit(X, y).summary()
    with pytest.raises(ValueError, match=r"^inference='yes' must be 'auto', True or False"):
        LogisticRegression(inference="yes").fit(X, y)
    with pytest.raises(ValueError, match=r"^level=1.0 must be between 0 and 1"):
        LogisticRegression().fit(X, y).summary(level=1.0)


def test_a_pickle_is_small_and_knows_everything():
    random = np.random.default_rng(1)
    X = random.standard_normal((100_000, 20))
    model = LogisticRegression().fit(X, (X[:, 0] + random.logistic(size=100_000) > 0).astype(int))
    stored = pickle.dumps(model)
    assert len(stored) < 32_000
    pd.testing.assert_frame_equal(pickle.loads(stored).summary().frame, model.summary().frame)


def test_the_table_of_a_cross_validation_is_that_of_its_final_fit(rows):
    X, y = rows
    clf = LogisticRegressionCV(tol=1e-9).fit(X, y)
    single = LogisticRegression(C=clf.C_, tol=1e-9).fit(X, y)
    pd.testing.assert_frame_equal(clf.summary().frame, single.summary().frame, rtol=1e-6)
    assert clf.summary().title == single.summary().title


def test_it_prints_and_renders(rows):
    X, y = rows
    table = LogisticRegression(C=1.0).fit(pd.DataFrame(X, columns=["a_b", "c", "d&e", "f"]), y).summary()
    assert str(table) == repr(table)
    assert "a_b" in str(table)
    assert "McFadden" in str(table)
    assert "<table" in table._repr_html_()
    assert table.to_markdown().splitlines()[0].startswith("| term | estimate |")
    assert len(table.to_markdown().splitlines()) == 7
    assert r"a\_b" in table.to_latex()
    assert r"d\&e" in table.to_latex()
