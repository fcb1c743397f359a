"""Wald, likelihood-ratio and score tests agree with R, with formulas and with refits."""

import json
from pathlib import Path

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit
from scipy.stats import chi2, norm

from logreg import LogisticRegression, datasets
from logreg.inference import likelihood
from logreg.inference.chi_square import ChiSquare
from logreg.inference.hypotheses import drop1, lr_test, lr_test_nested, score_test, wald_test
from logreg.setup import Setup

GOLDEN = json.loads((Path(__file__).parent / "golden" / "hypotheses.json").read_text())


def free(**options):
    return LogisticRegression(penalty=None, tol=1e-8, **options)


def of_fit(function, clf, X, y, weight=None, offset=None, *arguments, **options):
    """Return a test of a fit, or a table of tests."""
    with Setup.again(clf, X, y, weight, offset) as setup:
        return function(setup, clf, np.append(clf._coefficients(), clf.intercept_), *arguments, **options)


def in_golden(name):
    X, y = getattr(datasets, f"load_{name}")()
    if name == "penguins":
        X = X[["species", "island", "bill_length_mm", "body_mass_g"]]
    return X, y, pd.DataFrame(GOLDEN["drop1"][name])


def design(X, clf, weight, offset):
    """Return X with a column of ones, and weighted residuals and curvatures of a fit."""
    p = expit(X @ clf.coef_[0] + clf.intercept_ + offset)
    return np.column_stack([X, np.ones(len(X))]), p, weight * p * (1 - p)


@pytest.mark.parametrize("df", [1, 2, 5, 40])
@pytest.mark.parametrize("statistic", [0.0, 1e-9, 1.0, 30.0, 1200.0, 1500.0, 1e4, 1e7])
def test_p_values_are_exact_also_where_a_float_holds_only_their_logarithm(statistic, df):
    found = ChiSquare.of(statistic, df)
    with mpmath.workdps(40):
        p = mpmath.gammainc(df / 2, mpmath.mpf(statistic) / 2, regularized=True)
        logarithm = float(mpmath.log10(p)) if statistic else 0.0
    np.testing.assert_allclose(found.log10_p_value, logarithm, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(found.p_value, float(p), rtol=1e-10)


def test_nothing_tested_has_no_p_value_and_certainty_has_zero():
    assert np.isnan(ChiSquare.of(0.0, 0).p_value)
    assert ChiSquare.of(np.inf, 1).p_value == 0.0


def test_a_wald_test_of_one_coefficient_is_the_square_of_its_z():
    estimate, covariance = np.array([0.8, -1.1]), np.array([[0.04, 0.01], [0.01, 0.09]])
    found = wald_test(estimate, covariance, "b", ["a", "b"])
    z = -1.1 / 0.3
    np.testing.assert_allclose([found.statistic, found.df, found.p_value], [z**2, 1, 2 * norm.sf(-z)], rtol=1e-12)


def test_a_wald_test_of_many_is_the_quadratic_form():
    random = np.random.default_rng(0)
    A, estimate, L = random.normal(size=(6, 4)), random.normal(size=4), random.normal(size=(2, 4))
    V, value = A.T @ A, np.array([0.3, -0.2])
    away = L @ estimate - value
    found = wald_test(estimate, V, L, list("abcd"), value=value)
    np.testing.assert_allclose(found.statistic, away @ np.linalg.solve(L @ V @ L.T, away), rtol=1e-10)
    assert found.df == 2
    again = wald_test(estimate, V, np.vstack([L, L[0] + L[1]]), list("abcd"), value=[*value, value.sum()])
    np.testing.assert_allclose(again.statistic, found.statistic, rtol=1e-8)
    assert again.df == 2  # what follows from others tests nothing


def test_a_wald_test_takes_the_name_of_a_category_column_for_all_its_levels():
    names, V = ["g=1", "g=2", "x", "intercept"], np.diag([1.0, 2.0, 3.0, 4.0])
    found = wald_test(np.ones(4), V, ["g"], names)
    assert found == wald_test(np.ones(4), V, ["g=1", "g=2"], names)
    np.testing.assert_allclose(found.statistic, 1.5)
    np.testing.assert_allclose(wald_test(np.ones(4), V, [0.0, 0.0, 1.0, 1.0], names).statistic, 4 / 7)


@pytest.mark.parametrize("name", list(GOLDEN["drop1"]))
def test_tables_of_terms_dropped_are_those_of_r(name):
    X, y, theirs = in_golden(name)
    ours = of_fit(drop1, free(categories="auto").fit(X, y), X, y)
    assert ours.columns.tolist() == ["term", "df", "deviance", "AIC", "LRT", "p_value"]
    assert ours["term"].tolist() == theirs["term"].tolist()
    assert ours["df"].tolist() == theirs["df"].tolist()
    np.testing.assert_allclose(ours[["deviance", "AIC"]], theirs[["deviance", "AIC"]], rtol=1e-10)
    np.testing.assert_allclose(ours["LRT"], theirs["LRT"], rtol=1e-7)
    np.testing.assert_allclose(ours["p_value"], theirs["p_value"], rtol=1e-6)


@pytest.mark.parametrize("name", list(GOLDEN["drop1"]))
def test_score_and_likelihood_ratio_tests_of_terms_are_those_of_r(name):
    X, y, theirs = in_golden(name)
    clf = free(categories="auto").fit(X, y)
    for row in theirs.itertuples():
        score, ratio = (of_fit(test, clf, X, y, None, None, row.term) for test in (score_test, lr_test))
        np.testing.assert_allclose([score.statistic, score.df], [row.rao, row.df], rtol=1e-6)  # R's weights lag a step
        np.testing.assert_allclose([ratio.statistic, ratio.p_value], [row.LRT, row.p_value], rtol=1e-6)


@pytest.mark.parametrize("model", [free(), LogisticRegression(C=0.3, tol=1e-8), free(fit_intercept=False)], ids=str)
def test_a_likelihood_ratio_is_what_a_fit_without_the_terms_loses(data, model):
    X, y, weight, offset = data
    clf = model.fit(*data[:3], offset=data[3])
    found = of_fit(lr_test, clf, *data, ["x0", "x2"])
    small = type(clf)(**clf.get_params()).fit(X[:, [1]], y, weight, offset=offset)
    np.testing.assert_allclose(found.statistic, 2 * weight.sum() * (small.objective_ - clf.objective_), rtol=1e-8)
    assert found.df == 2
    np.testing.assert_allclose(found.p_value, chi2.sf(found.statistic, 2), rtol=1e-10)


@pytest.mark.parametrize("compiled", [1_000_000, 0], ids=["plain", "compiled"])
@pytest.mark.parametrize("store", [np.asfortranarray, sparse.csr_array, sparse.csc_array, pd.DataFrame])
def test_all_are_the_same_for_every_storage(data, monkeypatch, store, compiled):
    from logreg.rows import memory

    monkeypatch.setattr(memory, "COMPILED_FROM", compiled)
    X = store(data.X)
    X = X.set_axis(["x0", "x1", "x2"], axis=1) if isinstance(X, pd.DataFrame) else X
    clf, plain = free().fit(X, *data[1:3], offset=data[3]), free().fit(*data[:3], offset=data[3])
    pd.testing.assert_frame_equal(of_fit(drop1, clf, X, *data[1:]), of_fit(drop1, plain, *data), rtol=1e-8)
    for options in ({"terms": "x1"}, {"added": data.X[:, 0] ** 2}):
        ours, theirs = of_fit(score_test, clf, X, *data[1:], **options), of_fit(score_test, plain, *data, **options)
        np.testing.assert_allclose(ours.statistic, theirs.statistic, rtol=1e-8)


def test_a_row_of_weight_two_is_the_row_twice(data):
    X, y, _, offset = data
    counts = 1 + np.arange(len(y)) % 3
    repeated = *(np.repeat(part, counts, axis=0) for part in (X, y)), None, np.repeat(offset, counts)
    weighted = X, y, counts, offset
    once, twice = (free().fit(*rows[:3], offset=rows[3]) for rows in (weighted, repeated))
    pd.testing.assert_frame_equal(of_fit(drop1, once, *weighted), of_fit(drop1, twice, *repeated), rtol=1e-8)
    ours, theirs = (
        of_fit(score_test, clf, *rows, "x1") for clf, rows in ((once, weighted), (twice, repeated))
    )  # fmt: skip
    np.testing.assert_allclose(ours.statistic, theirs.statistic, rtol=1e-8)


@pytest.mark.parametrize("C", [np.inf, 0.2])
def test_a_score_test_of_added_columns_is_the_formula(data, C):
    X, y, weight, offset = data
    added = np.column_stack([X[:, 0] ** 2, np.sin(X[:, 1])])
    clf = LogisticRegression(C=C, tol=1e-8).fit(*data[:3], offset=data[3])
    found = of_fit(score_test, clf, *data, added=added)
    A, p, D = design(X, clf, weight, offset)
    H = (A.T * D) @ A + np.diag([1 / C] * 3 + [0.0])
    u, cross = added.T @ (weight * (y - p)), (added.T * D) @ A
    left = (added.T * D) @ added - cross @ np.linalg.solve(H, cross.T)
    np.testing.assert_allclose(found.statistic, u @ np.linalg.solve(left, u), rtol=1e-8)
    assert found.df == 2


def test_a_score_test_of_terms_is_that_of_columns_added_to_the_fit_without_them(data):
    X, y, weight, offset = data
    large, small = free().fit(*data[:3], offset=data[3]), free().fit(X[:, [0, 2]], y, weight, offset=offset)
    excluding = LogisticRegression(C=1e12, penalty_factor=[1.0, np.inf, 1.0], tol=1e-8).fit(*data[:3], offset=data[3])
    found = of_fit(score_test, large, *data, "x1")
    for other in (
        of_fit(score_test, small, X[:, [0, 2]], y, weight, offset, added=X[:, 1]),
        of_fit(score_test, excluding, *data, "x1"),
    ):
        np.testing.assert_allclose(other.statistic, found.statistic, rtol=1e-7)
        assert other.df == found.df == 1


def test_columns_can_be_added_to_categories():
    X, y = datasets.load_penguins()
    clf = free(categories="auto").fit(X[["species", "bill_length_mm"]], y)
    larger = free(categories="auto").fit(X[["species", "bill_length_mm", "body_mass_g"]], y)
    added = of_fit(score_test, clf, X[["species", "bill_length_mm"]], y, added=X["body_mass_g"])
    terms = of_fit(score_test, larger, X[["species", "bill_length_mm", "body_mass_g"]], y, None, None, "body_mass_g")
    np.testing.assert_allclose(added.statistic, terms.statistic, rtol=1e-8)


def test_score_wald_and_likelihood_ratio_meet_in_many_rows():
    random = np.random.default_rng(1)
    X = random.standard_normal((200_000, 3))
    y = random.random(len(X)) < expit(X @ [0.5, 0.01, -0.01] - 1.0)
    clf = free().fit(X, y)
    A, _, D = design(X, clf, 1.0, 0.0)
    covariance = np.linalg.inv((A.T * D) @ A)
    wald = wald_test(np.append(clf.coef_, clf.intercept_), covariance, ["x1", "x2"], ["x0", "x1", "x2", "intercept"])
    ratio, score = (of_fit(test, clf, X, y, None, None, ["x1", "x2"]) for test in (lr_test, score_test))
    np.testing.assert_allclose([wald.statistic, score.statistic], ratio.statistic, rtol=1e-3)


def test_a_nested_fit_is_tested_like_the_terms_it_lacks():
    X, y, _ = in_golden("penguins")
    larger = free(categories="auto").fit(X, y)
    smaller = free(categories="auto").fit(X[["species", "body_mass_g"]], y)
    found = lr_test_nested(larger, smaller, X, y)
    terms = of_fit(lr_test, larger, X, y, None, None, ["island", "bill_length_mm"])
    np.testing.assert_allclose([found.statistic, found.df], [terms.statistic, 3], rtol=1e-8)
    with pytest.raises(ValueError, match="pass the larger model first"):
        lr_test_nested(smaller, larger, X, y)


def test_a_column_that_repeats_others_has_no_degree_of_freedom(data):
    X = np.column_stack([data.X, data.X[:, 1]])
    with pytest.warns(match="repeat"):
        clf = free().fit(X, *data[1:3], offset=data[3])
    table = of_fit(drop1, clf, X, *data[1:])
    assert table["df"].tolist() == [1, 0, 1, 0]
    np.testing.assert_allclose(table["LRT"][[1, 3]], 0.0, atol=1e-8)
    assert table["p_value"][[1, 3]].isna().all()
    both, alone = (
        of_fit(lr_test, clf, X, *data[1:], ["x1", "x3"]),
        of_fit(lr_test, free().fit(*data[:3], offset=data[3]), *data, "x1"),
    )
    np.testing.assert_allclose([both.statistic, both.df], [alone.statistic, 1], rtol=1e-7)


def test_separated_classes_have_likelihood_ratios_all_the_same():
    X, y = datasets.load_endometrial()
    with pytest.warns(match="separates"):
        clf = LogisticRegression(penalty=None).fit(X, y)
    table = of_fit(drop1, clf, X, y).set_index("term")
    held = X["NV"] == 0
    best = free().fit(X[held][["PI", "EH"]], y[held])  # the rows that NV does not make certain
    without = free().fit(X[["PI", "EH"]], y)
    lost = 2 * (len(y) * without.objective_ - held.sum() * best.objective_)
    np.testing.assert_allclose(table.loc["NV", "LRT"], lost, rtol=1e-8)


def test_under_a_ridge_sizes_are_effective_numbers_of_coefficients(data):
    X, y, weight, offset = data
    clf = LogisticRegression(C=0.05, tol=1e-8).fit(*data[:3], offset=data[3])
    table = of_fit(drop1, clf, *data)
    small = LogisticRegression(C=0.05, tol=1e-8).fit(X[:, 1:], y, weight, offset=offset)
    A, p, D = design(X[:, 1:], small, weight, offset)
    H = (A.T * D) @ A
    size = np.trace(np.linalg.solve(H + np.diag([20.0, 20.0, 0.0]), H))
    deviance = -2 * weight @ np.where(y, np.log(p), np.log(1 - p))
    np.testing.assert_allclose(table.loc[0, ["deviance", "AIC"]].tolist(), [deviance, deviance + 2 * size], rtol=1e-8)
    lost = 2 * weight.sum() * (small.objective_ - clf.objective_)
    np.testing.assert_allclose(table.loc[0, "LRT"], lost, rtol=1e-8)


def test_many_terms_can_be_dropped_in_turns(data, monkeypatch):
    clf = free().fit(*data[:3], offset=data[3])
    expected = of_fit(drop1, clf, *data)
    monkeypatch.setattr(likelihood, "MEMORY", 2 * 8 * 16)
    pd.testing.assert_frame_equal(of_fit(drop1, clf, *data), expected, rtol=1e-9)


def test_tiny_p_values_do_not_vanish(data):
    X, y, weight, offset = data
    clf = free().fit(X, y, 300.0 * weight, offset=offset)
    found = of_fit(lr_test, clf, X, y, 300.0 * weight, offset, ["x0", "x2"])
    assert found.p_value == 0.0
    np.testing.assert_allclose(found.log10_p_value, -found.statistic / 2 / np.log(10.0), rtol=1e-12)


def test_what_cannot_be_used_is_refused_in_a_sentence(data):
    clf = free().fit(*data[:3], offset=data[3])
    with pytest.raises(ValueError, match="terms names 'x9', which is not a column"):
        of_fit(lr_test, clf, *data, "x9")
    with pytest.raises(ValueError, match="terms is empty"):
        of_fit(score_test, clf, *data, [])
    with pytest.raises(ValueError, match="pass one of the two"):
        of_fit(score_test, clf, *data)
    with pytest.raises(ValueError, match="added contains nan"):
        of_fit(score_test, clf, *data, added=np.full(200, np.nan))
    with pytest.raises(ValueError, match=r"has shape \(1, 2\); expected a column a coefficient, 3"):
        wald_test(np.ones(3), np.eye(3), [1.0, 0.0], list("abc"))
    lasso = LogisticRegression(l1_ratio=1.0).fit(*data[:3], offset=data[3])
    with pytest.raises(ValueError, match="without an L1 part or bounds"):
        of_fit(drop1, lasso, *data)
