"""What each row does to a fit: R's numbers, the formulas, and what storages and units must not change."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from inferring import STUDIES, Fit, R, study
from scipy import sparse

from logreg import LogisticRegression, datasets, products
from logreg.inference.influence import FIELDS, influence
from logreg.rows import memory
from logreg.setup import Setup


def rows_of(fit):
    with fit.setup() as setup:
        return influence(setup, fit.w, fit.root)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", STUDIES)
def test_numbers_are_those_of_r(name, weighted):
    X, y, _, weight = study(name, weighted)
    theirs = pd.DataFrame(R[f"{name}_weighted" if weighted else name]["influence"]).set_index("rows")
    found = rows_of(Fit(X, y, weight))
    assert found.columns.tolist() == list(FIELDS) == theirs.columns.tolist()
    assert len(found) == len(X)
    for field in FIELDS:
        np.testing.assert_allclose(found.loc[theirs.index, field], theirs[field], rtol=1e-8, atol=1e-12)


def test_the_formulas_are_those_of_the_docstring(data):
    X, y, weight, offset = data
    fit = Fit(X, y, weight, offset, penalty="l2", C=0.3)
    found, p = rows_of(fit), fit.p
    h = weight * p * (1 - p) * np.einsum("ij,ij->i", fit.ones @ fit.inverse, fit.ones)
    loss = -np.log(np.where(y == 1, p, 1 - p))
    d, r = np.sign(y - p) * np.sqrt(2 * weight * loss), np.sqrt(weight) * (y - p) / np.sqrt(p * (1 - p))
    expected = h, d, r, d / np.sqrt(1 - h), (r / (1 - h)) ** 2 * h / 4
    for field, values in zip(FIELDS, expected, strict=True):
        np.testing.assert_allclose(found[field], values, rtol=1e-9)


def test_leverages_add_up_to_the_number_of_coefficients(data):
    assert rows_of(Fit(data.X, data.y, data.weight))["leverage"].sum() == pytest.approx(4.0)


def test_cooks_distance_is_how_far_a_refit_without_the_row_moves(data):
    fit = Fit(data.X, data.y)
    found, H = rows_of(fit)["cooks_distance"], np.linalg.inv(fit.inverse)
    true = []
    for i in range(60):
        others = np.arange(200) != i
        moved = Fit(data.X[others], data.y[others]).w - fit.w
        true.append(moved @ H @ moved / 4)
    assert np.corrcoef(found[:60], true)[0, 1] > 0.99
    np.testing.assert_allclose(found[:60], true, rtol=0.5, atol=1e-3)


def test_the_deviance_is_the_sum_of_squares(data):
    fit = Fit(data.X, data.y, data.weight)
    loss = -np.log(np.where(data.y == 1, fit.p, 1 - fit.p))
    assert (rows_of(fit)["residual_deviance"] ** 2).sum() == pytest.approx(2 * data.weight @ loss)


def test_residuals_are_accurate_in_both_tails(data):
    fit = Fit(data.X, data.y)
    z = np.array([-1000.0, -40.0, 40.0, 1000.0])
    fit.data = np.column_stack([z, np.zeros((4, 2))]), np.array([1, 1, 1, 0]), None, None
    fit.w = np.array([1.0, 0.0, 0.0, 0.0])
    found = rows_of(fit)
    np.testing.assert_allclose(found["residual_deviance"], [2000**0.5, 80**0.5, (2 * np.exp(-40)) ** 0.5, -(2000**0.5)])
    np.testing.assert_allclose(found["residual_pearson"], [np.exp(500), np.exp(20), np.exp(-20), -np.exp(500)])


def test_a_row_of_weight_0_does_nothing(data):
    X, y, weight, offset = data
    weight = np.where(np.arange(len(y)) % 3 == 0, 0.0, weight)
    found = rows_of(Fit(X, y, weight, offset))
    assert not found[weight == 0].to_numpy().any()
    absent = rows_of(Fit(X[weight > 0], y[weight > 0], weight[weight > 0], offset[weight > 0]))
    np.testing.assert_allclose(found[weight > 0], absent, rtol=1e-9)


def test_a_row_whose_score_no_other_row_tells_has_no_standardised_residual(data):
    fit = Fit(np.column_stack([data.X, np.arange(200) == 7]), data.y, penalty="l2", C=1.0)
    fit.root = np.diag([0.0, 0.0, 0.0, 1.0 / np.sqrt(fit.p[7] * (1 - fit.p[7])), 0.0])
    found = rows_of(fit)
    assert found["leverage"][7] == pytest.approx(1.0)
    assert np.flatnonzero(found.isna().any(axis=1)).tolist() == [7]
    assert found.loc[7].isna().tolist() == [False, False, False, True, True]


STORAGES = {
    "F-order": np.asfortranarray,
    "CSR": sparse.csr_array,
    "CSC": sparse.csc_matrix,
    "frame": pd.DataFrame,
    "float32": lambda X: X.astype(np.float32),
    "integers": lambda X: X.astype(np.int8),
}


@pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)
@pytest.mark.parametrize("cut", [False, True])
def test_every_storage_gives_the_same(store, cut, monkeypatch):
    random = np.random.default_rng(5)
    X = random.integers(-2, 3, (300, 6)) * (random.random((300, 6)) < 0.5).astype(float)
    y = (X[:, :3].sum(axis=1) + random.logistic(size=300) > 0).astype(int)
    weight = random.integers(1, 4, 300).astype(float)
    fit = Fit(X, y, weight)
    expected = rows_of(fit)
    if cut:
        for name in ("COMPILED_FROM", "THREADED_FROM", "LARGE", "SUMS_SHARE"):
            monkeypatch.setattr(memory, name, 1)
        monkeypatch.setattr(products, "VALUES_AT_ONCE", 100)
    clf = LogisticRegression(penalty=None, n_jobs=3).fit(store(X), y, weight)
    with Setup.again(clf, store(X), y, weight, None) as setup:
        found = influence(setup, fit.w, fit.root)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_levels_of_categories_are_columns_of_0_and_1():
    X, y = datasets.load_penguins()
    X = X[["species", "bill_length_mm", "body_mass_g"]].assign(body_mass_g=X["body_mass_g"] / 1e3)
    dummies = pd.get_dummies(X, columns=["species"], dtype=float, drop_first=True)
    fit = Fit(dummies[sorted(dummies.columns, key=lambda name: not name.startswith("species"))], y)
    clf = LogisticRegression(penalty=None, categories="auto", tol=1e-10).fit(X, y)
    with Setup.again(clf, X, y, None, None) as setup:
        found = influence(setup, fit.w, fit.root)
    np.testing.assert_allclose(found, rows_of(fit), rtol=1e-8)


def test_units_and_places_of_columns_change_nothing(data):
    expected = rows_of(Fit(data.X, data.y))
    found = rows_of(Fit(data.X[:, [2, 0, 1]] * [1e-6, 1.0, 1e5], data.y))
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_columns_far_from_zero_change_nothing(data):
    near, far = Fit(data.X, data.y), Fit(data.X + np.array([0.0, 1e7, 0.0]), data.y)
    move = np.eye(4)
    move[3, 1] = -1e7
    far.w, far.root = move @ near.w, move @ near.root
    np.testing.assert_allclose(rows_of(far), rows_of(near), rtol=1e-5)


def test_coefficients_without_an_estimate_count_for_nothing(data):
    fit, X = Fit(data.X, data.y), np.insert(data.X, 1, data.X[:, 0], axis=1)
    expected = rows_of(fit)
    fit.clf, fit.data = LogisticRegression().fit(X, data.y), (X, data.y, None, None)
    fit.w, fit.root = np.insert(fit.w, 1, np.nan), np.insert(fit.root, 1, np.nan, axis=0)
    np.testing.assert_allclose(rows_of(fit), expected, rtol=1e-10)


@pytest.mark.parametrize("store", [np.asarray, sparse.csc_array], ids=["dense", "CSC"])
def test_memory_stays_far_below_that_of_the_rows(store):
    random = np.random.default_rng(0)
    X = random.standard_normal((50_000, 60))
    y = (X[:, 0] + random.logistic(size=len(X)) > 0).astype(int)
    X = store(X)
    clf = LogisticRegression(n_jobs=1, max_iter=30).fit(X, y)
    with Setup.again(clf, X, y, None, None) as setup:
        tracemalloc.start()
        influence(setup, np.append(clf.coef_, clf.intercept_), np.eye(61) * 1e-3)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 0.8 * 8 * 50_000 * 60


def test_a_number_that_is_not_finite_is_found(data):
    fit, X = Fit(data.X, data.y), data.X.copy()
    X[5, 1] = np.inf
    fit.data = X, *fit.data[1:]
    with pytest.raises(ValueError, match=r"^Input X contains infinity, first in column 1, row 5"):
        rows_of(fit)
