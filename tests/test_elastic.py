"""Elastic nets: certified optima on every storage, what must not change them, and agreement with others."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, sparse
from sklearn import linear_model
from sklearn.exceptions import ConvergenceWarning

from logreg import CollinearityWarning, LogisticRegression, datasets, logistic_path, proximal, strengths
from logreg.rows import memory, selectable

N, D = 150, 12
STORAGES = {
    "C-order": np.ascontiguousarray,
    "F-order": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "CSR": sparse.csr_array,
    "CSC": sparse.csc_matrix,
    "DataFrame": pd.DataFrame,
}
WAYS = ["everywhere", "working sets", "by rows", "sampled", "compiled", "compiled working sets"]


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Small data take one way; here they take each of those of larger data."""
    if request.param in ("working sets", "by rows", "compiled working sets"):
        monkeypatch.setattr(strengths, "NARROW", 0)
    if request.param == "by rows":
        monkeypatch.setattr(proximal, "WIDEST_MATRIX", 0)
    elif request.param == "sampled":
        monkeypatch.setattr(selectable, "SAMPLE_FLOPS", 0)
        monkeypatch.setattr(selectable, "SAMPLED_ROWS", 90)
        monkeypatch.setattr(selectable, "ROWS_A_COLUMN", 1)
    elif "compiled" in request.param:
        monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    return request.param


@pytest.fixture(scope="module")
def rows():
    """Return X with sparse columns on different scales, y, weights and offsets."""
    random = np.random.default_rng(3)
    X = np.round(random.standard_normal((N, D)) * (random.random((N, D)) < 0.6), 2) * np.geomspace(0.5, 4.0, D)
    offset = 0.5 * random.standard_normal(N)
    y = (X[:, :3] @ [1.0, -0.7, 0.4] + offset + random.logistic(size=N) > 0.3).astype(int)
    return X, y, random.integers(0, 4, N).astype(float), offset


def lasso(C=0.3, l1_ratio=1.0, tol=1e-9, **parameters):
    return LogisticRegression(C=C, l1_ratio=l1_ratio, tol=tol, **parameters)


def violations(clf, X, y, weight=None, offset=0.0, factor=1.0):
    """Return how far each coefficient, and the intercept, is from its optimality condition, in units of 1 / C."""
    X = np.asarray(X, dtype=float)
    weight = np.ones(len(y)) if weight is None else weight
    w, factor = clf.coef_[0], np.broadcast_to(factor, X.shape[1])
    residual = weight * (1 / (1 + np.exp(-(X @ w + clf.intercept_ + offset))) - y)
    l1 = factor * clf.l1_ratio
    slope = clf.C * (X.T @ residual) + np.where(w != 0, factor, 0.0) * (1 - clf.l1_ratio) * w
    with np.errstate(invalid="ignore"):
        at_zero = np.maximum(abs(slope) - l1, 0)
    found = np.where(w != 0, abs(slope + np.where(w != 0, l1, 0.0) * np.sign(w)), at_zero)
    return np.append(found, abs(clf.C * residual.sum()) * clf.fit_intercept)


@pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.01])
@pytest.mark.parametrize("intercept", [True, False])
def test_no_coefficient_violates_its_optimality_condition(rows, way, store, l1_ratio, intercept):
    X, y, weight, offset = rows
    clf = lasso(l1_ratio=l1_ratio, fit_intercept=intercept).fit(store(X), y, weight, offset=offset)
    assert clf.converged_
    assert clf.solver_ == "coordinate-descent"
    tolerance = 1e-4 if store is STORAGES["float32"] else 1e-7
    assert violations(clf, X, y, weight, offset).max() < tolerance
    assert 0 <= clf.kkt_ < 1e-8


@pytest.mark.parametrize("C", [0.01, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_agrees_with_scikit_learn(rows, C, l1_ratio):
    X, y, weight, _ = rows
    saga = {"solver": "saga", "tol": 1e-12, "max_iter": 100_000, "random_state": 0}  # others stop at 0 now and then
    theirs = linear_model.LogisticRegression(C=C, l1_ratio=l1_ratio, **saga)
    theirs.fit(X, y, weight)
    ours = lasso(C, l1_ratio).fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)


def test_every_spelling_of_the_lasso_is_one(rows):
    X, y, *_ = rows
    plain = lasso().fit(X, y)
    for parameters in ({"penalty": "l1", "l1_ratio": 0.0}, {"penalty": "elasticnet"}, {"penalty": "deprecated"}):
        np.testing.assert_array_equal(lasso(**{"l1_ratio": 1.0, **parameters}).fit(X, y).coef_, plain.coef_)
    ridge = LogisticRegression(C=0.3).fit(X, y)
    near = lasso(l1_ratio=1e-9).fit(X, y)
    np.testing.assert_allclose(near.coef_, ridge.coef_, atol=1e-4)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_relations(rows, way, l1_ratio):
    X, y, weight, offset = rows
    plain = lasso(l1_ratio=l1_ratio).fit(X, y, weight, offset=offset)

    def same(clf, coef=plain.coef_, intercept=plain.intercept_):
        np.testing.assert_allclose(clf.coef_, coef, atol=1e-6)
        np.testing.assert_allclose(clf.intercept_, intercept, atol=1e-6)

    repeated = np.repeat(np.arange(N), weight.astype(int))
    same(lasso(l1_ratio=l1_ratio).fit(X[repeated], y[repeated], offset=offset[repeated]))
    order = np.random.default_rng(0).permutation(N)
    same(lasso(l1_ratio=l1_ratio).fit(X[order], y[order], weight[order], offset=offset[order]))
    columns = np.random.default_rng(1).permutation(D)
    same(lasso(l1_ratio=l1_ratio).fit(X[:, columns], y, weight, offset=offset), plain.coef_[:, columns])
    same(lasso(l1_ratio=l1_ratio).fit(X, 1 - y, weight, offset=-offset), -plain.coef_, -plain.intercept_)
    same(
        lasso(l1_ratio=l1_ratio).fit(X + 1.0, y, weight, offset=offset), intercept=plain.intercept_ - plain.coef_.sum()
    )
    same(lasso(0.03, l1_ratio).fit(X, y, 10.0 * weight, offset=offset))
    same(lasso(l1_ratio=l1_ratio, class_weight={0: 1.0, 1: 1.0}).fit(X, y, weight, offset=offset))


def test_codes_are_one_hot_columns(way):
    X, y = datasets.load_flights()
    X, y = X[["carrier", "origin", "hour"]].iloc[:2_000], y[:2_000]
    clf = lasso(C=0.1, categories="auto").fit(X, y)
    one_hot = pd.DataFrame(index=X.index)
    for term in clf.feature_names_out_:
        name, _, level = term.partition("=")
        one_hot[term] = (X[name] == level).astype(float) if level else X[name]
    one_hot = one_hot[list(clf.feature_names_out_)]
    dense = lasso(C=0.1).fit(one_hot, y)
    np.testing.assert_allclose(clf.coef_, dense.coef_, atol=1e-6)
    assert violations(clf, one_hot, (y == clf.classes_[1]).astype(int)).max() < 1e-6
    assert (clf.coef_ == 0).any()


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_penalty_factors(rows, way, l1_ratio):
    X, y, weight, offset = rows
    factor = np.ones(D)
    factor[:3], factor[5] = [0.0, np.inf, 2.5], 0.0
    clf = lasso(0.1, l1_ratio, penalty_factor=factor).fit(X, y, weight, offset=offset)
    assert clf.coef_[0, 1] == 0.0
    assert clf.coef_[0, 0] != 0.0
    assert violations(clf, X, y, weight, offset, factor).max() < 1e-7
    named = {f"x{j}": factor[j] for j in (0, 1, 2, 5)}
    by_name = lasso(0.1, l1_ratio, penalty_factor=named).fit(X, y, weight, offset=offset)
    np.testing.assert_array_equal(by_name.coef_, clf.coef_)
    without = lasso(0.1, l1_ratio, penalty_factor=np.delete(factor, 1))
    without.fit(np.delete(X, 1, axis=1), y, weight, offset=offset)
    np.testing.assert_allclose(np.delete(clf.coef_, 1, axis=1), without.coef_, atol=1e-6)


def test_penalty_factors_of_a_ridge(rows):
    X, y, weight, offset = rows
    factor = np.linspace(0.0, 3.0, D)
    clf = LogisticRegression(C=0.3, tol=1e-9, penalty_factor=factor).fit(X, y, weight, offset=offset)
    assert violations(clf, X, y, weight, offset, factor).max() < 1e-6
    factor[4] = np.inf
    clf.fit(X, y, weight, offset=offset)
    assert clf.coef_[0, 4] == 0.0
    without = LogisticRegression(C=0.3, tol=1e-9, penalty_factor=np.delete(factor, 4))
    without.fit(np.delete(X, 4, axis=1), y, weight, offset=offset)
    np.testing.assert_allclose(np.delete(clf.coef_, 4, axis=1), without.coef_, atol=1e-8)


def test_the_penalty_that_zeroes_the_model(rows, way):
    X, y, *_ = rows
    strongest = np.abs(X.T @ (y - y.mean())).max()
    assert not lasso(C=0.999 / strongest).fit(X, y).coef_.any()
    assert np.count_nonzero(lasso(C=1.01 / strongest).fit(X, y).coef_) == 1


@pytest.mark.parametrize("correlation", [0.0, 0.95])
def test_wide_data_find_their_columns(correlation):
    random = np.random.default_rng(5)
    X = random.standard_normal((80, 600))
    X = np.sqrt(1 - correlation) * X + np.sqrt(correlation) * random.standard_normal((80, 1))
    y = (X[:, 0] - X[:, 1] + random.logistic(size=80) > 0).astype(int)
    for l1_ratio in (1.0, 0.4):
        for store in (np.asfortranarray, sparse.csr_array):
            clf = lasso(1.0, l1_ratio).fit(store(X), y)
            assert violations(clf, X, y).max() < 1e-7


def test_a_column_left_out_wrongly_comes_back(rows, monkeypatch):
    monkeypatch.setattr(strengths, "NARROW", 0)
    X, y, *_ = rows
    plain = lasso(3.0).fit(X, y)
    monkeypatch.setattr(strengths.ElasticPath, "_likely", lambda path, *_: path.in_play.copy())
    np.testing.assert_allclose(lasso(3.0).fit(X, y).coef_, plain.coef_, atol=1e-6)


def test_repeated_and_constant_columns(rows, way):
    X, y, *_ = rows
    X = np.column_stack([X, X[:, 0], np.full(N, 7.0), np.zeros(N)])
    clf = lasso(tol=1e-7).fit(X, y)
    assert violations(clf, X, y).max() < 1e-5
    assert not clf.coef_[0, -2:].any()


def test_float32_keeps_its_memory_and_its_optimum(rows):
    X, y, *_ = rows
    np.testing.assert_allclose(
        lasso(tol=1e-7).fit(X.astype(np.float32), y).coef_,
        lasso().fit(X.astype(np.float32).astype(float), y).coef_,
        atol=1e-5,
    )


def test_a_warm_start_saves_passes_and_changes_nothing(rows):
    X, y, *_ = rows
    clf = lasso(warm_start=True).fit(X, y)
    cold = clf.coef_.copy()
    clf.fit(X, y)
    assert clf.n_passes_ <= 2
    np.testing.assert_allclose(clf.coef_, cold, atol=1e-7)
    clf.set_params(penalty_factor={"x0": np.inf}).fit(X, y)
    assert clf.coef_[0, 0] == 0.0


def test_too_few_passes_are_told(rows):
    X, y, *_ = rows
    with pytest.warns(
        ConvergenceWarning, match=r"^After max_iter=2 passes the coefficients are still .+ from the optimum"
    ):
        clf = lasso(3.0, max_iter=2).fit(X, y)
    assert not clf.converged_


def test_separated_classes_have_a_lasso(rows):
    X, y, *_ = rows
    X = X.copy()
    X[:, 0] += 10.0 * y
    clf = lasso(10.0).fit(X, y)
    assert violations(clf, X, y).max() < 1e-6


def test_bad_numbers_are_found_and_change_nothing(rows):
    X, y, *_ = rows
    clf = lasso().fit(X, y)
    before = clf.coef_.copy()
    for store in (np.asarray, sparse.csr_array):
        wrong = X.copy()
        wrong[17, 4] = np.nan
        with pytest.raises(ValueError, match=r"^Input X contains NaN, first in column 4, row 17;"):
            clf.fit(store(wrong), y)
    np.testing.assert_array_equal(clf.coef_, before)


def test_every_pass_is_told(rows, capsys):
    X, y, *_ = rows
    lasso(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("pass 1: objective 0.")
    objectives = [float(line.split()[3].rstrip(",")) for line in lines]
    assert objectives[-1] < objectives[0]


def test_sparse_coefficients_predict_the_same(rows):
    X, y, *_ = rows
    clf = lasso().fit(X, y)
    dense, table = clf.predict_proba(X), clf.coef_frame()
    assert clf.sparsify() is clf
    assert clf.coef_.nnz == np.count_nonzero(clf.densify().coef_)
    clf.sparsify()
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(X), dense)
    pd.testing.assert_frame_equal(again.coef_frame(), table)
    assert isinstance(clf.densify().coef_, np.ndarray)


def test_a_refit_without_l1_has_no_certificate(rows):
    X, y, *_ = rows
    assert np.isnan(lasso().fit(X, y).set_params(l1_ratio=0.0).fit(X, y).kkt_)


def test_fits_are_quiet(rows):
    X, y, *_ = rows
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for C in np.geomspace(1e-4, 1e4, 9):
            assert LogisticRegression(C=C, l1_ratio=1.0).fit(X, y).converged_


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array, sparse.csc_array], ids=["dense", "CSR", "CSC"])
def test_standardised_is_a_penalty_on_standardised_columns(rows, store, l1_ratio):
    X, y, weight, offset = rows
    X = np.column_stack([X, np.full(N, 3.0)])  # a constant column has nothing to standardise
    mean = weight @ X / weight.sum()
    spread = np.sqrt(weight @ (X - mean) ** 2 / weight.sum())
    spread[-1] = 1.0
    clf = lasso(0.3, l1_ratio, tol=1e-10, standardize=True).fit(store(X), y, weight, offset=offset)
    by_hand = lasso(0.3, l1_ratio, tol=1e-10).fit(X / spread, y, weight, offset=offset)
    np.testing.assert_allclose(clf.coef_, by_hand.coef_ / spread, atol=1e-8)


def test_standardised_columns_do_not_depend_on_units(rows):
    X, y, _, _ = rows
    unit = 10.0 ** np.random.default_rng(2).integers(-3, 4, D)
    for l1_ratio in (0.0, 1.0):
        one, other = (lasso(0.3, l1_ratio, tol=1e-10, standardize=True).fit(Z, y) for Z in (X, X * unit + 5.0 * unit))
        np.testing.assert_allclose(one.coef_, other.coef_ * unit, atol=1e-8)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array, sparse.csc_array], ids=["dense", "CSR", "CSC"])
def test_the_duality_gap_bounds_what_is_left_to_gain(rows, store, l1_ratio, intercept):
    X, y, weight, offset = rows
    options = {"penalty_factor": {"x2": 0.0, "x5": np.inf}, "fit_intercept": intercept}
    best = lasso(0.5, l1_ratio, tol=1e-11, **options).fit(store(X), y, weight, offset=offset)
    assert 0.0 <= best.gap_ < 1e-12
    for tol in (0.3, 0.03, 1e-3):
        rough = lasso(0.5, l1_ratio, tol=tol, **options).fit(store(X), y, weight, offset=offset)
        gained = rough.objective_ - best.objective_
        assert gained <= rough.gap_ + 1e-14
        assert rough.gap_ < 0.1 * tol


def test_a_ridge_has_no_duality_gap(rows):
    X, y, _, _ = rows
    assert np.isnan(LogisticRegression().fit(X, y).gap_)


def test_unpenalised_columns_that_separate_are_named(rows):
    X, y, _, _ = rows
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(D)]).assign(answer=y)
    with pytest.warns(ConvergenceWarning, match=r"separates the outcomes.* fastest those of 'answer'; use a penalty"):
        clf = lasso(0.5, penalty_factor={"answer": 0.0}).fit(frame, y)
    assert not clf.converged_
    with pytest.warns(ConvergenceWarning, match="fastest those of 'answer'"):
        logistic_path(frame, y, n_penalties=3, penalty_factor={"answer": 0.0})


def test_unpenalised_columns_that_repeat_others_are_named(rows):
    X, y, _, _ = rows
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(D)]).assign(again=2.0 * X[:, 1] + 1.0)
    factor = {"x1": 0.0, "again": 0.0}
    with pytest.warns(CollinearityWarning, match="^Columns 'again' are constant or repeat"):
        clf = lasso(0.5, penalty_factor=factor).fit(frame, y)
    once = lasso(0.5, penalty_factor={"x1": 0.0}).fit(frame.drop(columns="again"), y)
    np.testing.assert_allclose(clf.decision_function(frame), once.decision_function(frame.iloc[:, :D]), atol=1e-6)
    with pytest.warns(CollinearityWarning, match="again"):
        logistic_path(frame, y, n_penalties=3, ratio=0.5, penalty_factor=factor)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)
def test_bounds_give_the_optimum_that_a_general_optimiser_finds(rows, way, store, l1_ratio):
    X, y, weight, offset = rows
    X = X.astype(np.float32).astype(float)  # the same numbers in every storage
    low, high = np.full(D, -np.inf), np.full(D, np.inf)
    low[[0, 1]], high[[1, 2]], low[3], high[3] = 0.0, 0.05, -0.1, 0.1
    clf = lasso(0.3, l1_ratio, bounds=np.column_stack([low, high])).fit(store(X), y, weight, offset=offset)
    total, strength = weight.sum(), 1 / 0.3

    def objective(parts):
        w = parts[:D] - parts[D : 2 * D]
        z = X @ w + parts[-1] + offset
        penalty = l1_ratio * parts[:-1].sum() + (1 - l1_ratio) / 2 * w @ w
        slope = X.T @ (weight * (1 / (1 + np.exp(-z)) - y)) + strength * (1 - l1_ratio) * w
        gradient = np.concatenate([slope, -slope]) + strength * l1_ratio
        last = (weight * (1 / (1 + np.exp(-z)) - y)).sum()
        value = weight @ (np.logaddexp(0, z) - y * z) + strength * penalty
        return value / total, np.append(gradient, last) / total

    limits = [*zip(np.zeros(D), high, strict=True), *zip(np.zeros(D), -low, strict=True), (None, None)]
    best = optimize.minimize(
        objective,
        np.zeros(2 * D + 1),
        jac=True,
        bounds=limits,
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10},
    )
    w = clf.coef_[0]
    assert ((w >= low) & (w <= high)).all()
    assert clf.objective_ <= best.fun + 1e-10
    assert clf.objective_ >= best.fun - clf.gap_ - 1e-8
    assert clf.gap_ < 1e-9
    np.testing.assert_allclose(w, best.x[:D] - best.x[D : 2 * D], atol=2e-4)


def test_positive_is_a_bound_at_zero(rows):
    X, y, _, _ = rows
    clf = lasso(0.3, positive=True).fit(X, y)
    assert (clf.coef_ >= 0).all()
    assert (clf.coef_ > 0).any()
    by_bounds = lasso(0.3, bounds={f"x{j}": (0.0, np.inf) for j in range(D)}).fit(X, y)
    np.testing.assert_array_equal(clf.coef_, by_bounds.coef_)
    path = logistic_path(X, y, n_penalties=8, ratio=0.05, positive=True)
    assert path.coefs.data.min() > 0
    assert path.kkt.max() <= 1e-6
    assert path.df[0] == 0
    without = lasso(0.3).fit(X, y)
    wide = lasso(0.3, bounds=np.tile([-50.0, 50.0], (D, 1))).fit(X, y)
    np.testing.assert_allclose(wide.coef_, without.coef_, atol=1e-8)


def test_bounds_without_a_penalty(rows):
    X, y, _, _ = rows
    X = X[:, :4]
    clf = LogisticRegression(penalty=None, bounds={"x0": (0.0, 0.1), "x3": (-0.2, 0.0)}, tol=1e-8).fit(X, y)
    assert clf.converged_
    assert clf.coef_[0, 0] == 0.1
    held = clf.coef_[0, [0, 3]]
    rest = LogisticRegression(penalty=None, tol=1e-8).fit(X[:, [1, 2]], y, offset=X[:, [0, 3]] @ held)
    np.testing.assert_allclose(clf.coef_[0, [1, 2]], rest.coef_[0], atol=1e-6)


def test_bounds_with_categories_and_warm_starts():
    X, y = datasets.load_penguins()
    clf = LogisticRegression(C=5.0, categories="auto", missing="level", bounds={"species": (0.0, 0.5)}, warm_start=True)
    clf.fit(X, y)
    frame = clf.coef_frame().set_index("term")["estimate"]
    levels = frame[[term for term in frame.index if term.startswith("species=")]]
    assert levels.between(0.0, 0.5).all()
    assert clf.set_params(bounds={"species": (0.0, 0.2)}).fit(X, y).coef_frame()["estimate"].isin([0.2]).any()


def test_levels_that_the_intercept_makes_up_leave_exact_zeros():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"side": random.choice(["left", "right"], 200), "size": random.standard_normal(200)})
    y = (frame["size"] + random.logistic(size=200) > 0).astype(int)
    for C in (0.05, 1.0, 20.0):
        size = np.abs(LogisticRegression(C=C, l1_ratio=1.0, categories="auto", tol=1e-9).fit(frame, y).coef_)
        assert ((size == 0) | (size > 1e-10)).all()
