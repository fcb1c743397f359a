"""Many outcomes over the same X: each model is the one that its outcome alone gives."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

from logreg import CollinearityWarning, LogisticRegression, fit_many
from logreg.rows import versions

STORAGES = [np.ascontiguousarray, np.asfortranarray, np.float32, sparse.csr_array, sparse.csc_array, pd.DataFrame]


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(2)
    X = random.standard_normal((300, 5)).astype(np.float32).astype(np.float64)
    scores = X @ random.standard_normal((5, 20)) + random.uniform(-2.0, 1.0, 20)
    Y = (random.random((300, 20)) < expit(0.7 * scores)).astype(int)
    return X, Y, random.uniform(0.5, 2.0, 300), 0.3 * random.standard_normal(300)


def assert_as_one_by_one(fits, X, Y, weight=None, offset=None, **options):
    for k, model in enumerate(fits):
        alone = LogisticRegression(**options | {"tol": 1e-8}).fit(X, Y[:, k], weight, offset=offset)
        np.testing.assert_allclose(model.coef_, alone.coef_, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(model.intercept_, alone.intercept_, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(model.predict(X), alone.predict(X))


@pytest.mark.parametrize("compiled", [2_000_000, 0], ids=["plain", "compiled"])
@pytest.mark.parametrize("store", STORAGES)
@pytest.mark.parametrize("penalty", ["l2", None])
def test_each_model_is_that_of_its_outcome_alone(rows, monkeypatch, store, compiled, penalty):
    monkeypatch.setattr(versions, "COMPILED_FROM", compiled)
    X, Y, *_ = rows
    X = store(X)
    fits = fit_many(X, Y, penalty=penalty, tol=1e-7)
    assert len(fits) == 20
    assert fits.converged.all()
    assert_as_one_by_one(fits, X, Y, penalty=penalty)


@pytest.mark.parametrize(
    "options",
    [
        {"C": 0.01},
        {"class_weight": "balanced"},
        {"class_weight": {0: 1.0, 1: 3.0}},
        {"fit_intercept": False},
        {"standardize": True},
        {"penalty_factor": [0.0, 1.0, np.inf, 1.0, 2.0]},
        {"l1_ratio": 0.5, "C": 0.1},
        {"positive": True},
    ],
    ids=str,
)
def test_so_it_is_with_every_option_weights_and_an_offset(rows, options):
    X, Y, weight, offset = rows
    fits = fit_many(X, Y[:, :6], sample_weight=weight, offset=offset, tol=1e-7, **options)
    assert_as_one_by_one(fits, X, Y[:, :6], weight, offset, **options)


def test_labels_and_names_are_those_of_each_outcome(rows):
    X, Y, *_ = rows
    frame = pd.DataFrame(
        {"ill": np.where(Y[:, 0], "yes", "no"), "dead": Y[:, 1] > 0, "score": np.where(Y[:, 2], 2.0, -1.0)}
    )
    fits = fit_many(pd.DataFrame(X, columns=list("abcde")), frame)
    assert list(fits.outcomes) == ["ill", "dead", "score"]
    assert [model.classes_.tolist() for model in fits] == [["no", "yes"], [False, True], [-1.0, 2.0]]
    table = fits.frame()
    assert list(table.columns) == ["outcome", "term", "estimate"]
    assert table["term"].tolist()[:6] == ["intercept", *"abcde"]
    assert table.query("outcome == 'dead'")["estimate"].tolist() == [fits.intercepts[1], *fits.coefs[1]]


def test_one_outcome_that_cannot_be_fitted_leaves_the_others(rows):
    X, Y, *_ = rows
    Y = Y[:, :4].astype(float)
    Y[:, 1] = 0.0
    Y[7, 2] = np.nan
    fits = fit_many(X, Y)
    assert fits.failed.keys() == {1, 2}
    assert fits.failed[1] == "y holds only one class, 0.0; a classifier needs two."
    assert fits.failed[2].startswith("Input y contains NaN, first in row 7")
    assert np.isnan(fits.coefs[1]).all()
    with pytest.raises(ValueError, match=r"^Outcome 1 was not fitted: y holds only one class"):
        fits[1]
    assert_as_one_by_one([fits[0], fits[3]], X, Y[:, [0, 3]])


def test_weights_of_zero_can_leave_an_outcome_with_one_class(rows):
    X, Y, *_ = rows
    weight = np.where(Y[:, 0] == 1, 1.0, 0.0)
    fits = fit_many(X, Y[:, :3], sample_weight=weight)
    assert list(fits.failed) == [0]
    assert fits.failed[0].startswith("Only one class, 1, has rows of positive weight")


def test_fits_are_a_list(rows):
    X, Y, *_ = rows
    fits = fit_many(X, Y)
    assert isinstance(fits[-1], LogisticRegression)
    np.testing.assert_array_equal(fits[-1].coef_, fits[19].coef_)
    assert len(fits[2:5]) == 3
    with pytest.raises(IndexError):
        fits[20]


def test_outcomes_that_the_columns_separate_are_said_once(rows):
    X, Y, *_ = rows
    Y = Y.copy()
    Y[:, 3] = X[:, 0] > 0.1
    with pytest.warns(ConvergenceWarning, match=r"^1 of 20 outcomes, among them 3, did not arrive.*separate") as said:
        fits = fit_many(X, Y, penalty=None)
    assert len(said) == 1
    assert np.flatnonzero(~fits.converged).tolist() == [3]


def test_columns_that_repeat_others_are_said_once_and_the_norm_is_least(rows):
    X, Y, *_ = rows
    X = np.column_stack([X, X[:, 0] + X[:, 1]])
    with pytest.warns(CollinearityWarning) as said:
        fits = fit_many(X, Y[:, :5], penalty=None, tol=1e-7)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollinearityWarning)
        assert_as_one_by_one(fits, X, Y[:, :5], penalty=None)


@pytest.mark.parametrize(
    ("Y", "message"),
    [
        (np.zeros((300, 2), dtype=int), "^None of the outcomes can be fitted; the first: y holds only one class"),
        (np.zeros(300), r"^Y has shape \(300,\); expected a column an outcome"),
        (np.zeros((300, 0)), r"^Y has shape \(300, 0\)"),
        (np.arange(400).reshape(200, 2) % 3 > 0, "inconsistent numbers of samples"),
    ],
)
def test_outcomes_that_cannot_be_used_are_explained(rows, Y, message):
    with pytest.raises(ValueError, match=message):
        fit_many(rows[0], Y)


def test_bad_numbers_in_X_are_located(rows):
    X, Y, *_ = rows
    X = X.copy()
    X[5, 2] = np.nan
    with pytest.raises(ValueError, match=r"^Input X contains NaN, first in column 2, row 5"):
        fit_many(X, Y)


def test_checkpoints_are_refused():
    with pytest.raises(ValueError, match="keeps no checkpoints"):
        fit_many(np.eye(4), np.eye(4, dtype=int), checkpoint="fit.npz")
