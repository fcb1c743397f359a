"""Marginal effects and intervals of predictions: statsmodels' numbers, finite differences, tails, storages."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from inferring import STATSMODELS, STUDIES, Fit, study
from mpmath import mp
from scipy import sparse
from scipy.stats import norm

from logreg import LogisticRegression, datasets, products
from logreg.inference import changes, effects
from logreg.inference.effects import marginal_effects, predict_interval
from logreg.inference.robust import robust_covariance
from logreg.predictors import check_columns
from logreg.rows import memory
from logreg.sigmoid import logit, sigmoid

NAMES = np.array(["a", "b", "c", "d", "e", "f"], dtype=object)
COLUMNS = ["term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]


def effects_of(fit, X=None, names=None, covariance=None, **options):
    X = np.asarray(fit.data[0]) if X is None else X
    names = NAMES[: X.shape[1]] if names is None else names
    return marginal_effects(X, fit.w, fit.inverse if covariance is None else covariance, names, **options)


@pytest.fixture
def mixed():
    """A column of numbers, two of 0 and 1, and one of small numbers, with weights and offsets."""
    random = np.random.default_rng(4)
    X = np.column_stack([random.normal(2, 1, 400), random.integers(0, 2, (400, 2)), random.integers(0, 5, 400)])
    offset, weight = random.normal(size=400), random.uniform(0.2, 3.0, 400)
    y = (X @ [0.5, 1.0, -2.0, 0.2] - 1 + offset + random.logistic(size=400) > 0).astype(int)
    return X, y, weight, offset


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize(
    ("key", "options"),
    [("average", {}), ("at_mean", {"kind": "at_mean"}), ("average_of_numbers", {"discrete": False})],
)
def test_effects_are_those_of_statsmodels(name, key, options):
    X, y, _, _ = study(name)
    found, theirs = effects_of(Fit(X, y), names=X.columns.to_numpy(), **options), STATSMODELS[name][key]
    assert found.columns.tolist() == COLUMNS
    assert found["term"].tolist() == X.columns.tolist()
    np.testing.assert_allclose(found["estimate"], theirs["estimate"], rtol=1e-9)
    np.testing.assert_allclose(found["std_error"], theirs["std_error"], rtol=1e-9)


@pytest.mark.parametrize("name", STUDIES)
def test_robust_covariances_give_robust_errors(name):
    X, y, groups, _ = study(name)
    fit, theirs = Fit(X, y), STATSMODELS[name]["average_clustered"]
    with fit.setup() as setup:
        covariance = robust_covariance(setup, fit.w, fit.inverse, "cluster", groups)
    found = effects_of(fit, names=X.columns.to_numpy(), covariance=covariance)
    np.testing.assert_allclose(found["estimate"], theirs["estimate"], rtol=1e-9)
    np.testing.assert_allclose(found["std_error"], theirs["std_error"], rtol=1e-9)


def plain_effects(X, w, weight, offset, kind, discrete):
    """Return the effects of the columns by the formula, at any coefficients."""
    if kind == "at_mean":
        X, offset, weight = np.average(X, axis=0, weights=weight)[None], np.average(offset, weights=weight), None
    found = []
    for j in range(X.shape[1]):
        if discrete and j in (1, 2):
            ends = [np.column_stack([X[:, :j], np.full(len(X), value), X[:, j + 1 :]]) for value in (0.0, 1.0)]
            low, high = (sigmoid(end @ w[:-1] + w[-1] + offset) for end in ends)
            change = high - low
        else:
            p = sigmoid(X @ w[:-1] + w[-1] + offset)
            change = w[j] * p * (1 - p)
        found.append(np.average(change, weights=weight))
    return np.array(found)


@pytest.mark.parametrize("kind", ["average", "at_mean"])
@pytest.mark.parametrize("discrete", [True, False])
def test_errors_are_those_of_finite_differences(mixed, kind, discrete):
    X, y, weight, offset = mixed
    fit = Fit(X, y, weight, offset)
    found = effects_of(fit, kind=kind, discrete=discrete, weight=weight, offset=offset)
    np.testing.assert_allclose(found["estimate"], plain_effects(X, fit.w, weight, offset, kind, discrete), rtol=1e-10)
    gradient = np.empty((5, 4))
    for j, step in enumerate(1e-5 * np.eye(5)):
        up, down = (plain_effects(X, fit.w + sign * step, weight, offset, kind, discrete) for sign in (1, -1))
        gradient[j] = (up - down) / 2e-5
    expected = np.sqrt(np.einsum("ij,ij->j", gradient, fit.inverse @ gradient))
    np.testing.assert_allclose(found["std_error"], expected, rtol=1e-7)


def test_errors_are_how_much_effects_vary(mixed):
    X, y, _, _ = mixed
    fit, random = Fit(X, y), np.random.default_rng(1)
    found = effects_of(fit)
    true = sigmoid(fit.ones @ fit.w)
    drawn = [effects_of(Fit(X, (random.random(400) < true).astype(int)))["estimate"] for _ in range(200)]
    np.testing.assert_allclose(np.std(drawn, axis=0), found["std_error"], rtol=0.2)


@pytest.mark.parametrize("kind", ["average", "at_mean"])
def test_values_that_are_held_are_those_of_other_rows(mixed, kind):
    X, y, weight, offset = mixed
    fit, other = Fit(X, y, weight, offset), X.copy()
    other[:, 0], other[:, 3] = 1.5, 2.0
    options = {"kind": kind, "weight": weight, "offset": offset}
    expected = effects_of(fit, other, **options)
    for store in (np.asarray, sparse.csr_array, sparse.csc_array):
        found = effects_of(fit, store(X), at={"a": 1.5, "d": 2.0}, **options)
        np.testing.assert_allclose(found.drop(columns="term"), expected.drop(columns="term"), rtol=1e-9)


def test_a_row_of_weight_2_is_the_row_twice(mixed):
    X, y, _, offset = mixed
    times = 1 + np.arange(len(y)) % 3
    once = effects_of(Fit(X, y, times.astype(float), offset), weight=times.astype(float), offset=offset)
    repeated = np.repeat(X, times, axis=0), np.repeat(y, times), None, np.repeat(offset, times)
    twice = effects_of(Fit(*repeated), offset=repeated[3])
    np.testing.assert_allclose(once.drop(columns="term"), twice.drop(columns="term"), rtol=1e-8)


@pytest.mark.parametrize("kind", ["average", "at_mean"])
def test_places_and_units_of_columns_go_with_the_answer(mixed, kind):
    X, y, _, _ = mixed
    expected = effects_of(Fit(X, y), kind=kind)
    order, unit = [2, 3, 0, 1], np.array([1.0, 1.0, 1e-5, 1.0])
    found = effects_of(Fit(X[:, order] * unit, y), kind=kind)
    np.testing.assert_allclose(found["estimate"] * unit, expected["estimate"][order], rtol=1e-8)
    np.testing.assert_allclose(found["p_value"], expected["p_value"][order], rtol=1e-6)


@pytest.mark.parametrize("kind", ["average", "at_mean"])
def test_columns_far_from_zero_change_nothing(mixed, kind):
    X, y, _, _ = mixed
    near, far = Fit(X, y), Fit(X, y)
    move = np.eye(5)
    move[4, 0] = -1e5
    far.w, far.inverse = move @ near.w, move @ near.inverse @ move.T
    for at in ({}, {"a": 1e5 + 2.0}):
        found = effects_of(far, X + np.array([1e5, 0.0, 0.0, 0.0]), kind=kind, at=at)
        expected = effects_of(near, kind=kind, at={"a": 2.0} if at else {})
        np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=1e-8)
        np.testing.assert_allclose(found["std_error"], expected["std_error"], rtol=1e-6)


def test_a_column_that_is_nearly_always_1_is_one_of_0_and_1():
    random = np.random.default_rng(0)
    own = np.ones(300_000)
    own[12_345] = 0.0
    X = np.column_stack([random.normal(size=300_000), own])
    assert memory.far_origin(X).tolist() == [0.0, 1.0]
    w = np.array([1.0, 2.0, -1.0])
    found = marginal_effects(X, w, np.eye(3), NAMES[:2])
    expected = sigmoid(X[:, 0] + 1.0) - sigmoid(X[:, 0] - 1.0)
    assert found["estimate"][1] == pytest.approx(expected.mean())


def test_changes_are_accurate_in_the_tails():
    X, w = np.array([[0.0, 700.0], [1.0, 700.0]]), np.array([1e-3, 1.0, 0.0])
    found = marginal_effects(X, w, np.eye(3), NAMES[:2])
    mp.dps = 400
    expected = 1 / (1 + mp.exp(-mp.mpf(700) - mp.mpf(w[0]))) - 1 / (1 + mp.exp(-mp.mpf(700)))
    assert found["estimate"][0] == pytest.approx(float(expected), rel=1e-12)
    mirrored = marginal_effects(X, -w, np.eye(3), NAMES[:2])
    assert mirrored["estimate"][0] == pytest.approx(-float(expected), rel=1e-12)


def test_p_values_are_accurate_as_far_as_a_float_goes(mixed):
    X, y, _, _ = mixed
    fit = Fit(X, y)
    z = effects_of(fit)["statistic"].to_numpy()
    found = effects_of(fit, covariance=fit.inverse * (np.abs(z).max() / 37.0) ** 2)
    largest = found["statistic"].abs().idxmax()
    mp.dps = 30
    expected = mp.erfc(abs(mp.mpf(found["statistic"][largest])) / mp.sqrt(2))
    assert 0 < float(expected) < 1e-290
    assert found["p_value"][largest] == pytest.approx(float(expected), rel=1e-11)


def test_intervals_have_the_level_asked_for(mixed):
    X, y, _, _ = mixed
    found = effects_of(Fit(X, y), level=0.8)
    reach = norm.ppf(0.9) * found["std_error"]
    np.testing.assert_allclose(found["conf_low"], found["estimate"] - reach, rtol=1e-12)
    np.testing.assert_allclose(found["conf_high"], found["estimate"] + reach, rtol=1e-12)


STORAGES = {
    "F-order": np.asfortranarray,
    "CSR": sparse.csr_array,
    "CSC": sparse.csc_matrix,
    "float32": lambda X: X.astype(np.float32),
    "integers": lambda X: X.astype(np.int8),
}


@pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("kind", ["average", "at_mean"])
def test_every_storage_gives_the_same(store, cut, kind, monkeypatch):
    random = np.random.default_rng(5)
    X = random.integers(-2, 3, (300, 6)) * (random.random((300, 6)) < 0.5).astype(float)
    X[:, 3:] = np.abs(X[:, 3:]) > 1
    y = (X[:, :3].sum(axis=1) + random.logistic(size=300) > 0).astype(int)
    weight, fit = random.integers(1, 4, 300).astype(float), Fit(X, y)
    options = {"kind": kind, "weight": weight, "at": {"b": 1.0}}
    expected = effects_of(fit, **options)
    interval = predict_interval(X, fit.w, fit.root)
    if cut:
        for name in ("COMPILED_FROM", "THREADED_FROM", "LARGE", "SUMS_SHARE"):
            monkeypatch.setattr(memory, name, 1)
        monkeypatch.setattr(products, "VALUES_AT_ONCE", 100)
        monkeypatch.setattr(effects, "VALUES_AT_ONCE", 100)
    found = effects_of(fit, store(X), n_threads=3, **options)
    np.testing.assert_allclose(found.drop(columns="term"), expected.drop(columns="term"), rtol=1e-9)
    np.testing.assert_allclose(predict_interval(store(X), fit.w, fit.root), interval, rtol=1e-12)


@pytest.fixture
def penguins():
    X, y = datasets.load_penguins()
    return X[["species", "bill_length_mm", "island"]], y


def of_categories(X, y, at_rows=None, **options):
    """Return the fit, its term names, covariance and the matrix of 0 and 1 that the categories stand for."""
    clf = LogisticRegression(categories="auto", tol=1e-10, **options).fit(X, y)
    table = check_columns(clf, X if at_rows is None else at_rows)
    w, matrix = np.append(clf.coef_, clf.intercept_), table.tocsr().toarray()
    return clf, table, w, matrix


@pytest.mark.parametrize("options", [{"penalty": None}, {"C": 1.0}], ids=str)
def test_levels_change_from_the_first_of_their_column(penguins, options):
    X, y = penguins
    clf, table, w, _ = of_categories(X, y, **options)
    covariance = np.diag(np.arange(1.0, len(w) + 1.0))
    found = marginal_effects(table, w, covariance, clf.feature_names_out_, encoding=clf._encoding).set_index("term")
    assert "species=Adelie" not in found.index
    assert len(found) == 5
    for name in ("species", "island"):
        first, *others = clf.categories_[name]
        for level in others:
            low, high = (clf.predict_proba(X.assign(**{name: value}))[:, 1] for value in (first, level))
            assert found["estimate"][f"{name}={level}"] == pytest.approx((high - low).mean(), rel=1e-9)

    def gentoo(w):
        ends = [check_columns(clf, X.assign(species=value)).tocsr() for value in ("Adelie", "Gentoo")]
        low, high = (sigmoid(end @ w[:-1] + w[-1]) for end in ends)
        return (high - low).mean()

    gradient = [(gentoo(w + step) - gentoo(w - step)) / 2e-5 for step in 1e-5 * np.eye(len(w))]
    error = np.sqrt(np.square(gradient) @ np.diagonal(covariance))
    assert found["std_error"]["species=Gentoo"] == pytest.approx(error, rel=1e-6)


def test_levels_that_the_rows_do_not_have_change_too(penguins):
    X, y = penguins
    some = X[X["species"] == "Adelie"]
    clf, table, w, _ = of_categories(X, y, some.assign(species=some["species"].astype(str)), C=1.0)
    found = marginal_effects(table, w, np.eye(len(w)), clf.feature_names_out_, encoding=clf._encoding)
    low, high = (clf.predict_proba(some.assign(species=level))[:, 1] for level in ("Adelie", "Gentoo"))
    assert found.set_index("term")["estimate"]["species=Gentoo"] == pytest.approx((high - low).mean())


def test_levels_may_be_numbers_like_others(penguins):
    X, y = penguins
    clf, table, w, matrix = of_categories(X, y, C=1.0)
    found = marginal_effects(
        table, w, np.eye(len(w)), clf.feature_names_out_, encoding=clf._encoding, discrete=False, kind="average"
    )
    expected = marginal_effects(matrix, w, np.eye(len(w)), clf.feature_names_out_, discrete=False)
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("kind", ["average", "at_mean"])
def test_a_level_may_be_held(penguins, kind):
    X, y = penguins
    clf, table, w, _ = of_categories(X, y, C=1.0)
    options = {"encoding": clf._encoding, "kind": kind}
    found = marginal_effects(
        table, w, np.eye(len(w)), clf.feature_names_out_, at={"species": 0, "species=Gentoo": 1}, **options
    )
    other = check_columns(clf, X.assign(species="Gentoo"))
    expected = marginal_effects(other, w, np.eye(len(w)), clf.feature_names_out_, **options)
    pd.testing.assert_frame_equal(found, expected)


def test_coefficients_without_an_estimate_have_no_effect_to_tell(mixed):
    X, y, _, _ = mixed
    fit = Fit(X, y)
    expected = effects_of(fit)
    fit.w, fit.inverse = np.insert(fit.w, 1, np.nan), np.insert(np.insert(fit.inverse, 1, np.nan, 0), 1, np.nan, 1)
    found = effects_of(fit, np.insert(X, 1, X[:, 0], axis=1))
    assert found.loc[1, COLUMNS[1:]].isna().all()
    np.testing.assert_allclose(found.drop(index=1)[COLUMNS[1:]], expected[COLUMNS[1:]], rtol=1e-10)


def test_a_coefficient_that_is_excluded_has_no_effect(mixed):
    X, y, _, _ = mixed
    fit = Fit(X, y)
    fit.w[0], fit.inverse[0], fit.inverse[:, 0] = 0.0, 0.0, 0.0
    found = effects_of(fit).loc[0]
    assert found["estimate"] == found["std_error"] == 0.0
    assert np.isnan(found["p_value"])


@pytest.mark.parametrize("store", [np.asarray, sparse.csc_array], ids=["dense", "CSC"])
def test_memory_stays_far_below_that_of_the_rows(store):
    random = np.random.default_rng(0)
    X = random.integers(0, 2, (200_000, 60)).astype(float)
    X[:, :20] += random.random((200_000, 20))
    X = store(X)
    w, root = random.normal(size=61) / 10, np.eye(61) * 1e-3
    tracemalloc.start()
    marginal_effects(X, w, root @ root.T, np.arange(60).astype(str))
    predict_interval(X, w, root)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.4 * 8 * 200_000 * 60


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "median"}, r"^kind='median' must be 'average' or 'at_mean'\.$"),
        ({"at": {"q": 1.0}}, r"^at names 'q', which is not a column"),
        ({"at": {"a": np.nan}}, r"^at gives 'a' the value nan; pass a finite number"),
    ],
)
def test_what_cannot_be_used_is_explained(mixed, options, message):
    with pytest.raises(ValueError, match=message):
        effects_of(Fit(*mixed[:2]), **options)


@pytest.mark.parametrize("kind", ["average", "at_mean"])
def test_a_number_that_is_not_finite_is_found(mixed, kind):
    X, y, _, _ = mixed
    fit, X = Fit(X, y), X.copy()
    X[5, 1] = np.nan
    with pytest.raises(ValueError, match=r"^Input X contains NaN, first in column 'b', row 5"):
        effects_of(fit, X, kind=kind)
    with pytest.raises(ValueError, match=r"^Input X contains NaN, first in column 'b', row 5"):
        predict_interval(X, fit.w, fit.root, names=NAMES)


def test_intervals_of_predictions_are_those_of_scores(mixed):
    X, y, weight, offset = mixed
    fit = Fit(X, y, weight, offset)
    found = predict_interval(X, fit.w, fit.root, 0.9, offset=offset)
    z = fit.clf.decision_function(X, offset)
    e = np.sqrt(np.einsum("ij,ij->i", fit.ones @ fit.inverse, fit.ones))
    np.testing.assert_allclose(found[:, 1], fit.p, rtol=1e-12)
    np.testing.assert_allclose(
        logit(found), z[:, None] + norm.ppf(0.95) * e[:, None] * [-1, 0, 1], rtol=1e-9, atol=1e-9
    )


def test_intervals_of_predictions_stay_inside_and_keep_their_digits():
    X, w = np.array([[-700.0], [-40.0], [40.0], [2000.0]]), np.array([1.0, 0.0])
    found = predict_interval(X, w, np.diag([0.0, 1.0]))
    assert ((found >= 0.0) & (found <= 1.0)).all()
    q = norm.ppf(0.975)
    np.testing.assert_allclose(found[0], np.exp([-700.0 - q, -700.0, -700.0 + q]), rtol=1e-12)
    np.testing.assert_allclose(found[1], np.exp([-40.0 - q, -40.0, -40.0 + q]), rtol=1e-12)
    assert (np.diff(found[:2], axis=1) > 0.0).all()


def test_intervals_cover_the_probability():
    random = np.random.default_rng(8)
    X = random.normal(size=(150, 2))
    true, covered = sigmoid(X @ [1.0, -0.5]), []
    for _ in range(150):
        fit = Fit(X, (random.random(150) < true).astype(int))
        low, _, high = predict_interval(X, fit.w, fit.root, 0.8).T
        covered.append((low <= true) & (true <= high))
    assert np.mean(covered) == pytest.approx(0.8, abs=0.05)


def test_intervals_of_categories_are_those_of_their_matrix(penguins):
    _, table, w, matrix = of_categories(*penguins, C=1.0)
    root = np.random.default_rng(0).normal(size=(len(w), 3))
    np.testing.assert_allclose(predict_interval(table, w, root), predict_interval(matrix, w, root), rtol=1e-12)


def test_columns_of_0_and_1_are_told_from_others():
    X = np.array([[0.0, 1.0, 0.0, 2.0, 1.0], [1.0, 0.0, 0.5, 0.0, 1.0], [0.0, 1.0, 1.0, 1.0, 1.0]])
    for store in (np.asarray, sparse.csr_array, sparse.csc_array):
        block = products.Block(store(X), np.zeros(3, dtype=np.int8))
        assert changes.binary_columns(block, np.zeros(5)).tolist() == [True, True, False, False, True]
