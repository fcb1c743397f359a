"""Robust covariances: those of R and statsmodels, and what weights, groups, units and storages must not change."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from inferring import STATSMODELS, STUDIES, Fit, R, assert_covariances_agree, study
from scipy import sparse

import logreg.inference.robust as room
from logreg import LogisticRegression, datasets, products
from logreg.inference.robust import robust_covariance
from logreg.rows import memory
from logreg.setup import Setup

HC = ["HC0", "HC1", "HC2", "HC3"]
KINDS = [*HC, "cluster"]
WEIGHT_TYPES = ["frequency", "precision", "sampling"]


def robust(fit, kind, groups=None, **options):
    with fit.setup() as setup:
        return robust_covariance(setup, fit.w, fit.inverse, kind, groups, **options)


def groups_of(data, kind):
    return np.arange(len(data.y)) % 37 if kind == "cluster" else None


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", STUDIES)
def test_sandwiches_are_those_of_r(name, weighted):
    X, y, groups, weight = study(name, weighted)
    fit, theirs = Fit(X, y, weight), R[f"{name}_weighted" if weighted else name]
    np.testing.assert_allclose(fit.w, theirs["coefficients"], rtol=1e-10)
    for kind in KINDS:
        found = robust(fit, kind, groups if kind == "cluster" else None, weight_type="precision")
        assert_covariances_agree(found, np.array(theirs[kind]))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", STUDIES)
def test_design_weights_give_what_the_survey_package_does(name, weighted):
    X, y, groups, weight = study(name, weighted)
    fit, theirs = Fit(X, y, weight), R[f"{name}_weighted" if weighted else name]
    assert_covariances_agree(robust(fit, "HC1", weight_type="sampling"), np.array(theirs["survey"]))
    clustered = robust(fit, "cluster", groups, weight_type="sampling")
    assert_covariances_agree(clustered, np.array(theirs["survey_cluster"]))


@pytest.mark.parametrize("name", STUDIES)
def test_sandwiches_are_those_of_statsmodels(name):
    X, y, groups, _ = study(name)
    fit, theirs = Fit(X, y), STATSMODELS[name]
    assert_covariances_agree(robust(fit, "HC0"), np.array(theirs["HC0"]))
    assert_covariances_agree(robust(fit, "cluster", groups), np.array(theirs["cluster"]))
    weighted = Fit(X, y, study(name, weighted=True)[3])
    assert_covariances_agree(robust(weighted, "HC0"), np.array(theirs["weighted_HC0"]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_weight_2_is_the_row_twice(data, kind):
    X, y, offset, groups = data.X, data.y, data.offset, groups_of(data, kind)
    times = 1 + np.arange(len(y)) % 4
    once = Fit(X, y, times.astype(float), offset)
    twice = Fit(np.repeat(X, times, axis=0), np.repeat(y, times), None, np.repeat(offset, times))
    repeated = None if groups is None else np.repeat(groups, times)
    assert_covariances_agree(robust(once, kind, groups), robust(twice, kind, repeated), 1e-9)


@pytest.mark.parametrize("weight_type", WEIGHT_TYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_weight_0_is_absent(data, kind, weight_type):
    X, y, weight, offset = data
    counts, groups = np.arange(len(y)) % 5 > 0, groups_of(data, kind)
    weight = 3.0 * np.ceil(weight)
    X = X.copy()
    X[~counts] *= 100.0  # which would have a leverage above 1
    zeros = Fit(X, y, np.where(counts, weight, 0.0), offset)
    absent = Fit(X[counts], y[counts], weight[counts], offset[counts])
    some = None if groups is None else groups[counts]
    found = robust(zeros, kind, groups, weight_type=weight_type)
    assert_covariances_agree(found, robust(absent, kind, some, weight_type=weight_type), 1e-9)


@pytest.mark.parametrize("weight_type", ["precision", "sampling"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_unit_of_weights_does_not_matter_unless_they_count_rows(data, kind, weight_type):
    groups, (X, y, weight, offset) = groups_of(data, kind), data
    once, tenfold = Fit(X, y, weight, offset), Fit(X, y, 1000.0 * weight, offset)
    expected = robust(once, kind, groups, weight_type=weight_type)
    assert_covariances_agree(robust(tenfold, kind, groups, weight_type=weight_type), expected, 1e-9)


def test_equal_weights_of_1_are_of_every_type(data):
    fit = Fit(data.X, data.y)
    for kind in ("HC0", "HC2", "HC3"):
        found = [robust(fit, kind, weight_type=weight_type) for weight_type in WEIGHT_TYPES]
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("weight_type", WEIGHT_TYPES)
def test_groups_of_one_row_each_give_hc1(data, weight_type):
    fit, groups = Fit(data.X, data.y, None, data.offset), np.arange(len(data.y))[::-1]
    found, expected = (
        robust(fit, "cluster", groups, weight_type=weight_type),
        robust(fit, "HC1", weight_type=weight_type),
    )
    assert_covariances_agree(found, expected, 1e-12)
    n, k = len(data.y), 1 if weight_type == "sampling" else 4
    np.testing.assert_allclose(expected, n / (n - k) * robust(fit, "HC0", weight_type=weight_type), rtol=1e-12)


def test_the_formulas_are_those_of_the_docstring(data):
    X, y, weight, offset = data
    fit, groups = Fit(X, y, weight, offset), groups_of(data, "cluster")
    u = (y - fit.p)[:, None] * fit.ones
    copy = fit.p * (1 - fit.p) * np.einsum("ij,ij->i", fit.ones @ fit.inverse, fit.ones)
    for weight_type, h, s in (("frequency", copy, weight), ("precision", weight * copy, weight**2)):
        M = u.T @ ((s / (1 - h) ** 2)[:, None] * u)
        assert_covariances_agree(robust(fit, "HC3", weight_type=weight_type), fit.inverse @ M @ fit.inverse, 1e-10)
    sums = np.stack([(weight[:, None] * u)[groups == g].sum(axis=0) for g in range(37)])
    expected = 37 / 36 * (weight.sum() - 1) / (weight.sum() - 4) * fit.inverse @ sums.T @ sums @ fit.inverse
    assert_covariances_agree(robust(fit, "cluster", groups), expected, 1e-10)


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
@pytest.mark.parametrize("kind", ["HC1", "HC3", "cluster"])
def test_every_storage_gives_the_same(store, cut, kind, monkeypatch):
    random = np.random.default_rng(5)
    X = random.integers(-2, 3, (300, 6)) * (random.random((300, 6)) < 0.5).astype(float)
    y = (X[:, :3].sum(axis=1) + random.logistic(size=300) > 0).astype(int)
    weight, groups = random.integers(1, 4, 300).astype(float), random.integers(0, 9, 300) if kind == "cluster" else None
    fit = Fit(X, y, weight)
    expected = robust(fit, kind, groups)
    if cut:
        monkeypatch.setattr(memory, "COMPILED_FROM", 1)
        monkeypatch.setattr(memory, "THREADED_FROM", 1)
        monkeypatch.setattr(memory, "LARGE", 1)
        monkeypatch.setattr(memory, "SUMS_SHARE", 1)
        monkeypatch.setattr(products, "VALUES_AT_ONCE", 100)
    clf = LogisticRegression(penalty=None, n_jobs=3).fit(store(X), y, weight)
    with Setup.again(clf, store(X), y, weight, None) as setup:
        found = robust_covariance(setup, fit.w, fit.inverse, kind, groups)
    assert_covariances_agree(found, expected, 1e-11)


@pytest.mark.parametrize("piece", [1, 2, 5, 40])
def test_groups_may_be_longer_and_shorter_than_what_is_read_at_once(data, piece, monkeypatch):
    fit, groups = Fit(data.X, data.y, data.weight), np.repeat(["c", "a", "d", "b"], [90, 1, 49, 60])
    expected = robust(fit, "cluster", groups)

    def cut(block, *_):
        return (block.rows(start, min(start + piece, len(block.y))) for start in range(0, len(block.y), piece))

    monkeypatch.setattr(room, "pieces", cut)
    assert_covariances_agree(robust(fit, "cluster", groups), expected, 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_levels_of_categories_are_columns_of_0_and_1(kind):
    X, y = datasets.load_penguins()
    X = X[["species", "bill_length_mm", "body_mass_g"]].assign(body_mass_g=X["body_mass_g"] / 1e3)
    dummies = pd.get_dummies(X, columns=["species"], dtype=float, drop_first=True)
    order = sorted(dummies.columns, key=lambda name: not name.startswith("species"))
    groups = np.arange(len(y)) // 5 if kind == "cluster" else None
    fit = Fit(dummies[order], y)
    clf = LogisticRegression(penalty=None, categories="auto", tol=1e-10).fit(X, y)
    with Setup.again(clf, X, y, None, None) as setup:
        found = robust_covariance(setup, fit.w, fit.inverse, kind, groups)
    assert_covariances_agree(found, robust(fit, kind, groups), 1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_order_and_units_of_columns_go_with_the_answer(data, kind):
    groups, order, unit = groups_of(data, kind), np.array([2, 0, 1]), np.array([1e-6, 1.0, 1e5])
    expected = robust(Fit(data.X, data.y), kind, groups)
    found = robust(Fit(data.X[:, order] * unit, data.y), kind, groups)
    units, places = np.append(unit, 1.0), np.append(order, 3)
    assert_covariances_agree(found * np.outer(units, units), expected[np.ix_(places, places)], 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_columns_far_from_zero_change_nothing_but_the_intercept(data, kind):
    groups, near = groups_of(data, kind), Fit(data.X, data.y)
    far = Fit(data.X + np.array([0.0, 1e5, 0.0]), data.y)
    move = np.eye(4)
    move[3, 1] = -1e5
    far.inverse = move @ near.inverse @ move.T
    far.w = move @ near.w
    found, expected = robust(far, kind, groups), robust(near, kind, groups)
    assert_covariances_agree(found[:3, :3], expected[:3, :3], 1e-8)
    assert_covariances_agree(found, move @ expected @ move.T, 1e-8)


def test_without_an_intercept_it_has_no_error(data):
    fit = Fit(data.X, data.y, fit_intercept=False)
    X, D = data.X, fit.p * (1 - fit.p)
    C = np.linalg.inv(X.T @ (D[:, None] * X))
    fit.inverse = np.pad(C, (0, 1))
    u = (data.y - fit.p)[:, None] * X
    found = robust(fit, "HC1")
    assert not found[-1].any()
    assert_covariances_agree(found[:3, :3], 200 / 197 * C @ u.T @ u @ C, 1e-10)


def test_coefficients_without_an_estimate_have_no_error_and_count_for_nothing(data):
    fit = Fit(data.X, data.y)
    expected = robust(fit, "HC1")
    repeated = LogisticRegression().fit(np.insert(data.X, 1, data.X[:, 0], axis=1), data.y)
    fit.w, fit.inverse = np.insert(fit.w, 1, np.nan), np.insert(np.insert(fit.inverse, 1, np.nan, 0), 1, np.nan, 1)
    with Setup.again(repeated, np.insert(data.X, 1, data.X[:, 0], axis=1), data.y, None, None) as setup:
        found = robust_covariance(setup, fit.w, fit.inverse, "HC1")
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 1]).all()
    assert_covariances_agree(np.delete(np.delete(found, 1, 0), 1, 1), expected, 1e-12)


def test_under_a_wrong_variance_it_is_right_where_the_model_is_not():
    """Rows in pairs of equal outcomes: half as many tell something, so the variance is twice the model's."""
    random = np.random.default_rng(2)
    X = np.repeat(random.standard_normal((4000, 2)), 2, axis=0)
    y = np.repeat((X[::2, 0] + random.logistic(size=4000) > 0).astype(int), 2)
    fit = Fit(X, y)
    ratio = np.diagonal(robust(fit, "cluster", np.arange(8000) // 2)) / np.diagonal(fit.inverse)
    np.testing.assert_allclose(ratio, 2.0, rtol=0.1)
    np.testing.assert_allclose(np.diagonal(robust(fit, "HC0")) / np.diagonal(fit.inverse), 1.0, rtol=0.1)


def test_it_is_symmetric_and_has_no_negative_eigenvalues(data):
    for kind in KINDS:
        found = robust(Fit(data.X, data.y), kind, groups_of(data, kind))
        np.testing.assert_array_equal(found, found.T)
        assert np.linalg.eigvalsh(found).min() > 0.0


@pytest.mark.parametrize("kind", ["HC0", "HC3", "cluster"])
def test_memory_stays_far_below_that_of_the_rows(kind):
    random = np.random.default_rng(0)
    X = random.standard_normal((100_000, 40), dtype=np.float32)
    y = (X[:, 0] + random.logistic(size=len(X)) > 0).astype(int)
    clf = LogisticRegression(n_jobs=1).fit(X, y)
    groups = np.arange(len(y))[::-1] if kind == "cluster" else None
    w, inverse = np.append(clf.coef_, clf.intercept_), np.eye(41) * 1e-5
    with Setup.again(clf, X, y, None, None) as setup:
        tracemalloc.start()
        robust_covariance(setup, w, inverse, kind, groups)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 0.8 * X.nbytes


def nearly(groups, value):
    groups = np.array(groups, dtype=object)
    groups[7] = value
    return groups


@pytest.mark.parametrize(
    ("kind", "groups", "options", "message"),
    [
        ("HC4", None, {}, r"^kind='HC4' must be 'HC0' or 'HC1' or 'HC2' or 'HC3' or 'cluster'\.$"),
        ("HC0", None, {"weight_type": "analytic"}, "^weight_type='analytic' must be 'frequency' or"),
        ("cluster", None, {}, "^kind='cluster' needs the group of each row; pass groups"),
        ("HC0", np.arange(200), {}, "^kind='HC0' knows no groups"),
        ("cluster", np.arange(199), {}, r"^groups has shape \(199,\); expected one label a row, shape \(200,\)"),
        ("cluster", np.zeros(200), {}, "^groups holds one group only"),
        ("cluster", nearly(np.arange(200), None), {}, "^groups holds a missing label, first in row 7"),
        ("cluster", pd.Series(nearly(np.arange(200), np.nan)), {}, "^groups holds a missing label, first in row 7"),
    ],
)
def test_what_cannot_be_used_is_explained(data, kind, groups, options, message):
    fit = Fit(data.X, data.y)
    with pytest.raises(ValueError, match=message):
        robust(fit, kind, groups, **options)


def test_groups_of_rows_of_weight_0_do_not_count(data):
    counts = np.arange(200) < 150
    fit = Fit(data.X, data.y, counts.astype(float))
    with pytest.raises(ValueError, match=r"^groups holds one group only"):
        robust(fit, "cluster", ~counts)


def test_labels_of_groups_may_be_anything(data):
    fit, numbers = Fit(data.X, data.y), np.arange(200) % 3
    expected = robust(fit, "cluster", numbers)
    for labels in (np.array(["x", "y", "z"])[numbers], pd.Categorical.from_codes(numbers, ["c", "b", "a"])):
        np.testing.assert_allclose(robust(fit, "cluster", pd.Series(labels)), expected, rtol=1e-9)
    np.testing.assert_allclose(robust(fit, "cluster", numbers.tolist()), expected, rtol=1e-9)


def test_a_row_of_leverage_1_is_told(data):
    X, y = np.column_stack([data.X, np.arange(200) == 7]), data.y
    fit = Fit(X, y, C=1.0, penalty="l2")
    fit.inverse[3, 3] = 1.0 / (fit.p[7] * (1 - fit.p[7]))
    fit.inverse[3, [0, 1, 2, 4]] = fit.inverse[[0, 1, 2, 4], 3] = 0.0
    with pytest.raises(ValueError, match=r"^1 rows have a leverage of 1, because .+ pass kind='HC1'"):
        robust(fit, "HC3")
    assert np.isfinite(robust(fit, "HC1")).all()


def test_weights_that_add_up_to_few_rows_are_told(data):
    fit = Fit(data.X, data.y, np.full(200, 0.01))
    with pytest.raises(
        ValueError, match=r"^kind='HC1' divides by the number of rows, 2, less that of coefficients, 4; "
    ):
        robust(fit, "HC1")
    assert np.isfinite(robust(fit, "HC1", weight_type="precision")).all()


@pytest.mark.parametrize("kind", ["HC0", "HC3", "cluster"])
def test_a_number_that_is_not_finite_is_found(data, kind):
    fit, X = Fit(data.X, data.y), data.X.copy()
    X[5, 1] = np.nan
    fit.data = X, *fit.data[1:]
    with pytest.raises(ValueError, match=r"^Input X contains NaN, first in column 1, row 5"):
        robust(fit, kind, groups_of(data, kind))
