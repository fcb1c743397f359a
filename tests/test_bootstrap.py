"""The bootstrap: replicates are fits of resampled rows, and intervals say how much coefficients vary."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from scipy.special import expit, logit
from sklearn.exceptions import ConvergenceWarning

from logreg import LogisticRegression, bootstrap, datasets, detect_separation, stop
from logreg.bootstrap import draw
from logreg.rows import versions
from logreg.setup import Setup

STORAGES = [np.ascontiguousarray, np.asfortranarray, np.float32, sparse.csr_array, sparse.csc_array, pd.DataFrame]


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(5)
    X = random.standard_normal((400, 4)).astype(np.float32).astype(np.float64)
    y = np.where(random.random(400) < expit(X @ [1.0, -0.5, 0.0, 0.3] - 0.5), "yes", "no")
    return X, y, random.uniform(0.5, 2.0, 400), 0.3 * random.standard_normal(400)


def one_by_one(model, X, y, weight, offset, n, method="multinomial"):
    """Fit the same replicates, each as rows with weights."""
    fitted = model.fit(X, y, weight, offset=offset)
    counts = draw(Setup.again(fitted, X, y, weight, offset), n, method, np.random.RandomState(0))
    for count in counts:
        weights = count if weight is None else count * weight
        alone = LogisticRegression(**fitted.get_params()).fit(X, y, weights, offset=offset)
        yield np.append(alone.coef_, alone.intercept_)


@pytest.mark.parametrize("compiled", [2_000_000, 0], ids=["plain", "compiled"])
@pytest.mark.parametrize("store", STORAGES)
def test_replicates_are_fits_of_resampled_rows(rows, monkeypatch, store, compiled):
    monkeypatch.setattr(versions, "COMPILED_FROM", compiled)
    X, y, *_ = rows
    X = store(X)
    model = LogisticRegression(tol=1e-8)
    expected = np.array(list(one_by_one(model, X, y, None, None, 12)))
    found = model.bootstrap(X, y, n=12, random_state=np.random.RandomState(0))
    np.testing.assert_allclose(np.column_stack([found.coefs, found.intercepts]), expected, rtol=1e-5, atol=1e-7)
    assert found.converged.all()
    assert len(found) == 12


@pytest.mark.parametrize(
    "options",
    [
        {"penalty": None},
        {"C": 0.01, "standardize": False, "penalty_factor": [0.0, 1.0, np.inf, 1.0]},
        {"fit_intercept": False},
        {"l1_ratio": 1.0, "C": 0.05},
        {"positive": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["multinomial", "poisson"])
def test_so_they_are_under_every_penalty_with_weights_and_an_offset(rows, options, method):
    X, y, weight, offset = rows
    model = LogisticRegression(tol=1e-8, **options)
    expected = np.array(list(one_by_one(model, X, y, weight, offset, 6, method)))
    found = model.bootstrap(X, y, weight, offset=offset, n=6, method=method, random_state=np.random.RandomState(0))
    np.testing.assert_allclose(np.column_stack([found.coefs, found.intercepts]), expected, rtol=1e-4, atol=1e-6)


def test_the_same_seed_draws_the_same_rows(rows):
    X, y, *_ = rows
    model = LogisticRegression().fit(X, y)
    first, again, other = (model.bootstrap(X, y, n=5, random_state=seed).coefs for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("kind", ["percentile", "bca"])
def test_intervals_cover_the_truth_as_often_as_they_say(kind):
    random = np.random.default_rng(7)
    truth, covered = np.array([0.8, -0.4]), []
    for _ in range(60):
        X = random.standard_normal((300, 2))
        y = (random.random(300) < expit(X @ truth)).astype(int)
        model = LogisticRegression(penalty=None).fit(X, y)
        table = model.bootstrap(X, y, n=300, random_state=0).summary(level=0.8, kind=kind).iloc[1:]
        covered.append((table["conf_low"] <= truth) & (truth <= table["conf_high"]))
    assert 0.68 < np.mean(covered) < 0.92  # 120 intervals at 0.8: three standard errors either side


def test_standard_errors_are_those_of_the_curvature_on_large_data(rows):
    random = np.random.default_rng(8)
    X = random.standard_normal((5_000, 3))
    y = (random.random(5_000) < expit(X @ [1.0, 0.0, -1.0])).astype(int)
    model = LogisticRegression(penalty=None).fit(X, y)
    p = model.predict_proba(X)[:, 1]
    with_one = np.column_stack([np.ones(5_000), X])
    errors = np.sqrt(np.diagonal(np.linalg.inv((with_one * (p * (1 - p))[:, None]).T @ with_one)))
    found = model.bootstrap(X, y, n=1_000, random_state=0).summary()
    np.testing.assert_allclose(found["std_error"], errors, rtol=0.1)
    np.testing.assert_allclose(found["estimate"], np.append(model.intercept_, model.coef_))


@pytest.mark.parametrize("kind", ["percentile", "BCa"])
def test_intervals_of_a_rare_outcome_are_those_of_scipy(kind):
    y = np.repeat([0, 1], [270, 30])
    X = np.random.default_rng(11).standard_normal((300, 1))
    sample = LogisticRegression(C=1e-9).fit(X, y).bootstrap(X, y, n=4_000, random_state=0)  # the intercept alone
    found = sample.summary(kind=kind.lower()).set_index("term").loc["intercept"]
    random = np.random.default_rng(0)
    other = stats.bootstrap(
        (y,), lambda y, axis: logit(y.mean(axis=axis)), method=kind, n_resamples=4_000, rng=random
    ).confidence_interval
    np.testing.assert_allclose(found[["conf_low", "conf_high"]].astype(float), other, atol=0.04)
    assert found["conf_high"] - found["estimate"] < found["estimate"] - found["conf_low"]  # rare ones have a long tail


def test_the_tables_have_names_and_the_intercept_first():
    X, y = datasets.load_orings()
    model = LogisticRegression().fit(X, y)
    sample = model.bootstrap(X, y, n=20, random_state=0)
    assert list(sample.frame().columns) == ["intercept", "Temperature"]
    assert list(sample.summary().columns) == ["term", "estimate", "std_error", "conf_low", "conf_high"]
    without = LogisticRegression(fit_intercept=False).fit(X, y).bootstrap(X, y, n=20, random_state=0)
    assert list(without.frame().columns) == ["Temperature"]
    assert list(without.summary()["term"]) == ["Temperature"]


def test_replicates_without_a_finite_optimum_are_left_out_with_a_warning():
    X = np.arange(12.0)[:, None]
    y = np.array([0] * 5 + [1, 0] + [1] * 5)  # two rows apart from separation, which many resamples miss
    model = LogisticRegression(penalty=None).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="resamples have no finite optimum or did not reach it"):
        sample = model.bootstrap(X, y, n=50, random_state=0)
    assert 0 < sample.converged.sum() < 50
    assert np.isfinite(sample.summary().drop(columns="term")).all().all()


@pytest.mark.parametrize("growth", [stop.GROWTH, np.inf], ids=["as it is", "noticed by no descent"])
@pytest.mark.parametrize("weighted", [False, True])
def test_replicates_that_a_rare_dummy_separates_are_left_out_and_only_those(monkeypatch, growth, weighted):
    monkeypatch.setattr(stop, "GROWTH", growth)
    random = np.random.default_rng(1)
    X = np.column_stack([random.standard_normal((400, 2)), np.arange(400) < 8])
    y = np.where(np.arange(400) < 8, np.arange(400) > 0, random.random(400) < expit(X[:, 0])).astype(int)
    weight = random.uniform(0.5, 2.0, 400) if weighted else None
    model = LogisticRegression(penalty=None).fit(X, y, weight)
    with pytest.warns(ConvergenceWarning, match="have no finite optimum or did not reach it, and are left out"):
        sample = model.bootstrap(X, y, weight, n=60, random_state=np.random.RandomState(0))
    counts = draw(Setup.again(model, X, y, weight, None), 60, "multinomial", np.random.RandomState(0))
    overlapping = [detect_separation(X, y, count).kind is None for count in counts]
    assert 10 < sum(overlapping) < 50  # the one dummy of outcome 0 is drawn in two of three resamples
    np.testing.assert_array_equal(sample.converged, overlapping)
    assert np.abs(sample.coefs[sample.converged]).max() < 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "^n=0 must be an integer at least 1"),
        ({"method": "jackknife"}, "^method='jackknife' must be 'multinomial' or 'poisson'"),
    ],
)
def test_bad_parameters_are_explained(rows, options, message):
    X, y, *_ = rows
    with pytest.raises(ValueError, match=message):
        LogisticRegression().fit(X, y).bootstrap(X, y, **options)


def test_bad_intervals_and_other_rows_are_explained(rows):
    X, y, *_ = rows
    model = LogisticRegression().fit(X, y)
    sample = bootstrap.bootstrap(model, X, y, n=5, random_state=0)
    with pytest.raises(ValueError, match=r"^level=1.0 must be less than 1"):
        sample.summary(level=1.0)
    with pytest.raises(ValueError, match=r"^kind='normal' must be 'percentile' or 'bca'"):
        sample.summary(kind="normal")
    with pytest.raises(ValueError, match="so they were fitted to others"):
        model.bootstrap(X[:200], y[:200], n=5)
