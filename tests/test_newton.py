"""Compiled Newton steps lead many models of few rows to where each gets by itself, or say that they do not."""

import numpy as np
import pytest
from scipy import sparse

from logreg import (
    LogisticRegression,
    LogisticRegressionCV,
    factor,
    fit_many,
    newton,
    newton_kernels,
    plan,
    search,
    stop,
)
from logreg.datasets import load_endometrial, load_penguins
from logreg.nearby import Neighbours, fit_nearby, fit_together
from logreg.newton import arrive, is_worth_it
from logreg.newton_kernels import left_after_step
from logreg.penalty import Ridge
from logreg.rows import SelectableRows, VersionedRows, Versions
from logreg.solve import NonFiniteSumsError
from logreg.stop import Limits, Status

N, D = 500, 5
STRENGTHS = np.array([0.0, 1e-3, 0.1, 10.0])
EXACT = Limits(tol=1e-9)


@pytest.fixture(autouse=True)
def compiled_at_once(monkeypatch):
    monkeypatch.setattr(newton, "COMPILED_FROM", 0)


def make_rows(*, weights=False, offsets=False, store=np.ascontiguousarray, n=N, d=D):
    random = np.random.default_rng(0)
    X = np.round(random.standard_normal((n, d)) * np.logspace(-2, 3, d) + np.arange(d), 3)
    scores = (X - np.arange(d)) @ (random.standard_normal(d) / np.logspace(-2, 3, d) / d**0.5)
    y = (random.random(n) < 1 / (1 + np.exp(-scores))).astype(np.int8)
    weight = random.choice([0.0, 0.5, 2.0], n) if weights else None
    return SelectableRows(store(X), y, weight, 0.3 * random.standard_normal(n) if offsets else None, n_threads=2)


def versions_of(kind, rows, n_models):
    """Return versions of the rows for so many models each: folds, resamples, other outcomes, or all the same."""
    random = np.random.default_rng(1)
    if kind == "the same":
        return Versions(np.zeros(n_models, dtype=np.intp))
    of_model = np.repeat(np.arange(3), n_models)
    if kind == "folds":
        return Versions(of_model, counts=np.arange(rows.n_rows)[None, :] % 3 != np.arange(3)[:, None])
    if kind == "resamples":
        return Versions(of_model, counts=random.poisson(1.0, (3, rows.n_rows)).astype(np.uint8))
    return Versions(of_model, outcomes=(random.random((3, rows.n_rows)) < [[0.1], [0.5], [0.8]]).astype(np.int8))


def one_by_one(versioned, penalty, intercept):
    fits = []
    for k, v in enumerate(versioned.versions.of_model.tolist()):
        ridge = penalty.of(np.array([k]))
        fits.append(plan.fit(versioned.version(v), ridge, "newton", EXACT, intercept=intercept)[0].coefficients[:, 0])
    return np.stack(fits, axis=1)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("offsets", [False, True])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("kind", ["the same", "folds", "resamples", "outcomes"])
def test_every_model_arrives_where_it_does_by_itself(kind, weights, offsets, intercept):
    rows = make_rows(weights=weights, offsets=offsets)
    versions = versions_of(kind, rows, len(STRENGTHS))
    versioned = VersionedRows(rows, versions)
    penalty = Ridge(np.resize(STRENGTHS, len(versions.of_model)))
    start = plan.null_coefficients(versioned, len(versions.of_model), intercept)
    found = arrive(versioned, penalty, start, Limits(tol=1e-6), intercept)
    assert found.arrived.all()
    assert found.decrement.max() <= 1e-6
    assert (found.steps >= 1).all()
    expected = one_by_one(versioned, penalty, intercept)
    unit = np.append(np.logspace(-2, 3, D), 1.0)[:, None]
    np.testing.assert_allclose(found.coefficients * unit, expected * unit, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 7, 8, 12])
def test_any_number_of_columns_will_do(d):
    rows = make_rows(n=600, d=d)
    found = fit_together(rows, Ridge(STRENGTHS), EXACT)
    expected = plan.fit(rows, Ridge(STRENGTHS), "newton", EXACT)[0].coefficients
    np.testing.assert_allclose(found.coefficients, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("store", [np.asfortranarray, np.float32, lambda X: X + 1e6])
def test_any_array_will_do(store):
    rows = make_rows(store=store)
    found = fit_together(rows, Ridge(STRENGTHS), EXACT)
    expected = plan.fit(rows, Ridge(STRENGTHS), "newton", EXACT)[0].coefficients
    np.testing.assert_allclose(found.coefficients, expected, rtol=1e-7, atol=1e-9)


def test_the_objective_is_that_of_the_optimum():
    rows = make_rows(weights=True)
    found = fit_together(rows, Ridge(STRENGTHS), EXACT)
    solution = plan.fit(rows, Ridge(STRENGTHS), "newton", EXACT)[0]
    np.testing.assert_allclose(found.objective, solution.history[-1].objective, rtol=1e-13)


def test_the_distance_left_after_a_step_is_a_bound():
    rows = make_rows()
    free = Ridge(np.zeros(1))
    same = VersionedRows(rows, versions_of("the same", rows, 1))
    loose = arrive(same, free, np.zeros((D + 1, 1)), Limits(tol=0.1), True)
    optimum = plan.fit(rows, free, "newton", EXACT)[0].coefficients
    H = rows.sums(optimum, "full").curvature[0]
    away = loose.coefficients - optimum
    assert float((away.T @ H @ away)[0, 0]) ** 0.5 <= loose.decrement[0] <= 0.1


def test_far_steps_promise_nothing():
    assert left_after_step(1.0, 0.2) == np.inf
    assert left_after_step(0.01, 0.001) == pytest.approx(0.01 * 0.0005, rel=1e-2)


def test_separated_models_are_left_to_the_loop_and_the_others_arrive():
    X, y = load_endometrial()
    rows = SelectableRows(X.to_numpy(dtype=np.float64), y.to_numpy().astype(np.int8))
    penalty = Ridge(np.array([0.0, 0.01]))
    same = VersionedRows(rows, versions_of("the same", rows, 2))
    found = arrive(same, penalty, np.zeros((4, 2)), Limits(), True)
    assert found.arrived.tolist() == [False, True]
    ends = fit_together(rows, penalty, Limits())
    assert ends.status == [Status.SEPARATED, Status.CONVERGED]


def test_columns_that_repeat_others_are_left_to_the_loop():
    X = np.random.default_rng(0).standard_normal((N, 3))
    X = np.column_stack([X, X[:, 0] - X[:, 1], np.full(N, 7.0)])
    rows = SelectableRows(X, make_rows().y)
    ends = fit_together(rows, Ridge(np.array([0.0, 0.1])), EXACT)
    expected = plan.fit(rows, Ridge(np.array([0.0, 0.1])), "newton", EXACT)[0].coefficients
    scores, theirs = X @ ends.coefficients[:-1] + ends.coefficients[-1], X @ expected[:-1] + expected[-1]
    np.testing.assert_allclose(scores, theirs, rtol=1e-6, atol=1e-8)


def test_a_model_of_too_few_passes_does_not_claim_to_have_arrived():
    ends = fit_together(make_rows(), Ridge(STRENGTHS), Limits(tol=1e-9, max_iter=2))
    assert Status.OUT_OF_PASSES in ends.status


def test_columns_left_out_stay_at_zero():
    rows = make_rows()
    penalty = Ridge.of_factors(STRENGTHS, np.array([1.0, np.inf, 0.0, 1.0, 1.0]))
    ends = fit_together(rows, penalty, EXACT)
    expected = plan.fit(rows, penalty, "newton", EXACT)[0].coefficients
    assert np.abs(ends.coefficients[1]).max() < 1e-100
    np.testing.assert_allclose(ends.coefficients, expected, rtol=1e-7, atol=1e-9)


def test_numbers_that_are_not_finite_are_found():
    rows = make_rows()
    rows.X[3, 1] = np.nan
    with pytest.raises(NonFiniteSumsError):
        fit_together(rows, Ridge(STRENGTHS), Limits())


def test_threads_and_company_change_nothing():
    rows, alone = make_rows(), make_rows()
    alone.n_threads = 1
    versions = versions_of("folds", rows, len(STRENGTHS))
    penalty = Ridge(np.resize(STRENGTHS, len(versions.of_model)))
    start = np.zeros((D + 1, len(versions.of_model)))
    by_two, by_one = (arrive(VersionedRows(some, versions), penalty, start, EXACT, True) for some in (rows, alone))
    np.testing.assert_array_equal(by_two.coefficients, by_one.coefficients)
    few = np.array([1, 6])
    some = VersionedRows(rows, versions).of(few)
    found = arrive(some, penalty.of(few), start[:, few], EXACT, True)  # in other coordinates
    np.testing.assert_allclose(found.coefficients, by_two.coefficients[:, few], rtol=1e-9)


@pytest.mark.parametrize("listens", [True, False])
def test_sparse_rows_and_fits_with_listeners_go_through_the_loop(listens):
    dense = VersionedRows(make_rows(), versions_of("the same", make_rows(), 2))
    assert is_worth_it(dense, Limits(on_pass=(lambda W, found: False) if listens else None)) is not listens
    rows = make_rows(store=sparse.csr_array)
    assert not is_worth_it(VersionedRows(rows, versions_of("the same", rows, 2)), Limits())


def test_folds_start_anywhere_and_end_at_the_same_place():
    rows = make_rows()
    versioned = VersionedRows(rows, versions_of("folds", rows, 2))
    penalty, near = Ridge(np.resize([0.1, 1.0], 6)), np.zeros((D + 1, 1))
    neighbours = Neighbours(near, np.zeros(6, dtype=np.intp))
    far = np.random.default_rng(3).standard_normal((D + 1, 6)) / np.append(np.logspace(-2, 3, D), 1.0)[:, None]
    ends = [fit_nearby(versioned, penalty, neighbours, EXACT, start=start) for start in (None, 3.0 * far)]
    np.testing.assert_allclose(ends[0].coefficients, ends[1].coefficients, rtol=1e-8, atol=1e-10)


def test_a_cross_validation_is_the_same_to_its_listener(capsys):
    X, _ = load_penguins()
    y = X.pop("species") == "Adelie"
    X = X[["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]]
    silent = LogisticRegressionCV(tol=1e-10).fit(X, y)
    told = LogisticRegressionCV(tol=1e-10, verbose=1).fit(X, y)
    assert "models on their way" in capsys.readouterr().out
    np.testing.assert_allclose(silent.scores_, told.scores_, rtol=1e-9)


def test_many_outcomes_are_fits_of_each_by_itself():
    random = np.random.default_rng(0)
    X = random.standard_normal((400, 6))
    Y = (random.random((400, 40)) < 1 / (1 + np.exp(-(X @ random.standard_normal((6, 40)))))).astype(int)
    fits = fit_many(X, Y, penalty=None)
    for k in (0, 17, 39):
        alone = LogisticRegression(penalty=None, tol=1e-9).fit(X, Y[:, k])
        np.testing.assert_allclose(fits.coefs[k], alone.coef_[0], rtol=1e-6)


def test_steps_are_judged_by_the_constants_of_the_loop():
    for name in ("OVERSHOOT", "ROUNDING", "SHORT", "LARGEST_SHARE"):
        assert getattr(newton_kernels, name) == getattr(search, name)
    assert newton_kernels.ILL_CONDITIONED == factor.ILL_CONDITIONED
    assert newton_kernels.GROWTH == stop.GROWTH
