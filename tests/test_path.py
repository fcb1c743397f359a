"""Paths: the same optima as single fits, a grid from the null model, certificates, and where they end."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

from logreg import LogisticRegression, datasets, log_loss, logistic_path, strengths

STORAGES = [np.ascontiguousarray, np.asfortranarray, sparse.csr_array, sparse.csc_array, pd.DataFrame]


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(1)
    X = random.standard_normal((200, 30)) @ (np.eye(30) + 0.1)
    y = np.where(X[:, 0] - X[:, 1] + random.logistic(size=200) > 0.5, "yes", "no")
    return X, y, random.uniform(0.5, 2.0, 200), 0.3 * random.standard_normal(200)


@pytest.mark.parametrize("store", STORAGES)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("narrow", [1_000, 0], ids=["everywhere", "working sets"])
def test_each_fit_is_that_of_a_single_penalty(rows, monkeypatch, store, l1_ratio, narrow):
    monkeypatch.setattr(strengths, "NARROW", narrow)
    X, y, weight, offset = rows
    path = logistic_path(
        store(X), y, l1_ratio=l1_ratio, n_penalties=12, ratio=0.01, sample_weight=weight, offset=offset, tol=1e-10
    )
    assert path.kkt.max() <= 1e-10
    assert path.computed.all()
    for i in (1, 6, 11):
        single = LogisticRegression(C=path.Cs[i], l1_ratio=l1_ratio, tol=1e-9).fit(store(X), y, weight, offset=offset)
        again = path.estimator(i)
        np.testing.assert_allclose(again.coef_, single.coef_, atol=1e-6)
        np.testing.assert_allclose(again.intercept_, single.intercept_, atol=1e-6)
        np.testing.assert_allclose(
            path.predict_proba(store(X), offset)[i], single.predict_proba(store(X), offset), atol=1e-6
        )
        assert again.predict(store(X)).tolist() == single.predict(store(X)).tolist()


def test_the_grid_starts_where_the_first_column_comes_in(rows):
    X, y, *_ = rows
    path = logistic_path(X, y, n_penalties=50)
    assert path.df[0] == 0
    assert 1 <= path.df[1] <= 3
    assert path.deviance_ratio[0] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(path.penalties[[0, -1]], path.penalties[0] * np.array([1.0, 1e-4]))
    np.testing.assert_allclose(path.Cs * path.penalties * len(y), 1.0)
    assert (np.diff(path.deviance_ratio) >= -1e-9).all()
    np.testing.assert_array_equal(path.df, np.count_nonzero(path.coefs.toarray(), axis=1))
    assert len(path) == 50


def test_the_grid_starts_with_unpenalised_columns_fitted(rows):
    X, y, *_ = rows
    path = logistic_path(X, y, n_penalties=20, ratio=0.1, penalty_factor={"x0": 0.0, "x2": np.inf}, tol=1e-9)
    free = LogisticRegression(penalty=None).fit(X[:, :1], y)
    assert path.df[0] == 1
    assert path.coefs[[0]].toarray()[0, 0] == pytest.approx(free.coef_[0, 0], abs=1e-4)
    assert path.df[1] > 1
    assert not path.coefs[:, [2]].count_nonzero()
    assert path.deviance_ratio[0] > 0.01


def test_wide_grids_end_at_a_hundredth():
    random = np.random.default_rng(0)
    X, y = random.standard_normal((40, 100)), random.integers(0, 2, 40)
    path = logistic_path(X, y, n_penalties=3)
    assert path.penalties[-1] / path.penalties[0] == pytest.approx(0.01)


def test_the_order_of_the_Cs_is_the_users(rows):
    X, y, *_ = rows
    Cs = [1.0, 0.01, 10.0, 0.1]
    path = logistic_path(X, y, Cs=Cs)
    np.testing.assert_allclose(path.Cs, Cs)
    ascending = logistic_path(X, y, Cs=sorted(Cs))
    np.testing.assert_allclose(path.coefs.toarray(), ascending.coefs.toarray()[np.argsort(np.argsort(Cs))], atol=1e-12)


def test_a_path_of_separated_classes_ends_with_a_sentence():
    random = np.random.default_rng(0)
    X = random.standard_normal((60, 5))
    y = (X[:, 0] > 0).astype(int)
    with pytest.warns(
        ConvergenceWarning, match=r"^The path ended at penalty .+ of 60, where the deviance ratio is 0\.999"
    ):
        path = logistic_path(X, y, n_penalties=60, ratio=1e-5)
    last = path.computed.sum()
    assert 1 < last < 60
    assert path.computed[:last].all()
    assert (path.deviance_ratio[: last - 1] < 0.999).all()
    for values in (path.deviance_ratio, path.kkt, path.intercepts):
        assert np.isnan(values[last:]).all()
    assert np.isnan(path.predict_proba(X)[last:]).all()
    with pytest.raises(ValueError, match=r"^Penalty 59 was not computed, as the path ended before"):
        path.estimator(59)
    full = logistic_path(X, y, n_penalties=60, ratio=1e-5, full=True, max_iter=500)
    assert full.computed.all()
    np.testing.assert_allclose(full.coefs.toarray()[:last], path.coefs.toarray()[:last])


def test_the_relaxed_fit_is_the_maximum_likelihood_of_the_selected_columns(rows):
    X, y, weight, offset = rows
    path = logistic_path(X, y, n_penalties=10, ratio=0.1, sample_weight=weight, offset=offset)
    relaxed = path.relax(5, X, y, weight, offset=offset)
    selected = path.coefs[[5]].toarray()[0] != 0
    free = LogisticRegression(penalty=None).fit(X[:, selected], y, weight, offset=offset)
    np.testing.assert_allclose(relaxed.coef_[:, selected], free.coef_, atol=1e-5)
    assert not relaxed.coef_[:, ~selected].any()
    assert not path.relax(0, X, y, weight, offset=offset).coef_.any()


def test_category_columns_have_names_and_certificates():
    X, y = datasets.load_flights()
    X = X[["carrier", "dest", "distance"]]
    path = logistic_path(X, y, categories="auto", n_penalties=8, ratio=0.01, penalty_factor={"carrier": 0.5})
    assert path.kkt.max() <= 1e-6
    assert "carrier=AA" in path.feature_names
    assert set(path.estimator(7).coef_frame()["term"]) == {"intercept", *path.feature_names}
    assert path.frame().columns.tolist() == ["penalty", "C", "df", "deviance_ratio", "kkt"]


def test_too_few_passes_are_told(rows):
    X, y, *_ = rows
    with pytest.warns(ConvergenceWarning, match=r"of 5 penalties did not reach the tolerance, the first of them"):
        logistic_path(X, y, n_penalties=5, max_iter=2, tol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l1_ratio": 0.0, "positive": True}, "^l1_ratio=0.0 leaves no L1 part; a path with bounds"),
        ({"l1_ratio": 2.0}, "^l1_ratio=2.0 must be at most 1"),
        ({"Cs": [1.0, -1.0]}, "must be a list of positive finite numbers"),
        ({"Cs": []}, "must be a list of positive finite numbers"),
        ({"Cs": [np.nan]}, "must be a list of positive finite numbers"),
        ({"n_penalties": 0}, "^n_penalties=0 must be an integer at least 1"),
        ({"ratio": 1.0}, "^ratio=1.0 must be less than 1"),
        ({"ratio": 0.0}, "^ratio=0.0 must be a number greater than 0"),
        ({"penalty_factor": {"x31": 0.0}}, "^penalty_factor names 'x31', which is not a column; did you mean 'x"),
        ({"penalty_factor": np.full(30, np.inf)}, "^penalty_factor is infinite for all columns"),
        ({"colour": 1}, "unexpected keyword argument 'colour'"),
    ],
)
def test_bad_parameters_are_explained(rows, options, message):
    X, y, *_ = rows
    with pytest.raises((ValueError, TypeError), match=message):
        logistic_path(X, y, **options)


def test_bad_numbers_are_located(rows):
    X, y, *_ = rows
    wrong = X.copy()
    wrong[3, 2] = np.inf
    with pytest.raises(ValueError, match=r"^Input X contains infinity, first in column 2, row 3;"):
        logistic_path(wrong, y)


def test_columns_that_say_nothing_give_no_grid():
    y = np.arange(20) % 2
    with pytest.raises(ValueError, match=r"^No penalised column varies with y, so there is no largest penalty .*\?$"):
        logistic_path(np.zeros((20, 3)), y)
    with pytest.raises(ValueError, match=r"^No penalised column varies with y"):
        logistic_path(np.random.default_rng(0).standard_normal((20, 2)), y, penalty_factor=[0.0, np.inf])
    assert not logistic_path(np.zeros((20, 3)), y, Cs=[1.0]).coefs.nnz


@pytest.mark.parametrize("standardize", [False, True])
def test_two_rows_have_a_path(standardize):
    X = np.random.default_rng(0).standard_normal((2, 6))
    path = logistic_path(X, [0, 1], standardize=standardize)
    assert path.kkt.max() <= 1e-6
    assert LogisticRegression(l1_ratio=1.0).fit(X, [0, 1]).converged_


@pytest.mark.parametrize(
    "options", [{}, {"standardize": True}, {"fit_intercept": False}, {"penalty_factor": [0.0] * 2 + [1.0] * 28}]
)
def test_ridges_of_a_path_are_the_fits_of_one_penalty(rows, options):
    X, y, *_ = rows
    path = logistic_path(X, y, l1_ratio=0.0, n_penalties=6, **options)
    assert (np.diff(path.penalties) < 0).all()
    assert path.computed.all()
    for i in range(6):
        alone = LogisticRegression(C=path.Cs[i], tol=1e-8, **options).fit(X, y)
        np.testing.assert_allclose(path.estimator(i).coef_, alone.coef_, rtol=1e-5, atol=1e-8)
        null = LogisticRegression(C=1e-12, fit_intercept=options.get("fit_intercept", True)).fit(X, y)
        if "penalty_factor" not in options:
            ratio = 1.0 - log_loss(y == "yes", alone.decision_function(X)) / log_loss(
                y == "yes", null.decision_function(X)
            )
            assert path.deviance_ratio[i] == pytest.approx(ratio, abs=1e-6)


def test_ridges_go_from_none_of_the_degrees_of_freedom_to_nearly_all():
    random = np.random.default_rng(3)
    X = random.normal(size=(2_000, 5))
    y = (random.random(2_000) < expit(X @ [1.0, -1.0, 0.5, 0.0, 0.0])).astype(int)
    path = logistic_path(X, y, l1_ratio=0.0, n_penalties=10)
    assert path.df[0] < 0.1
    assert path.df[-1] > 4.9
    assert (np.diff(path.df) > 0).all()
    assert (np.diff(path.deviance_ratio) > 0).all()
    leverage = path.estimator(4).loo_scores(X, y).leverage
    assert leverage.sum() - 1.0 == pytest.approx(path.df[4], rel=1e-6)


def test_a_relaxed_fit_has_the_table_of_the_chosen_columns_alone():
    X, y = datasets.load_nhefs()
    path = logistic_path(X, y, standardize=True, n_penalties=20, ratio=0.01, tol=1e-8)
    table = path.relax(8, X, y).summary()
    chosen = X.columns[path.coefs[[8]].toarray()[0] != 0]
    alone = LogisticRegression(penalty=None, tol=1e-8).fit(X[chosen], y).summary()
    assert table.title == alone.title
    kept = table.frame[table.frame["std_error"].notna()].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, alone.frame, rtol=1e-5)
