"""Many models near solved ones arrive where each does by itself, however they travel and however far the way is."""

import numpy as np
import pytest
from scipy import sparse

from logreg import nearby, plan
from logreg.nearby import Ends, Neighbours, fit_nearby, models_at_once
from logreg.penalty import Ridge
from logreg.rows import SelectableRows, VersionedRows, Versions, memory, versions
from logreg.stop import Limits, Status

N, D = 300, 4
STRENGTHS = np.array([1e-4, 1e-2, 1.0])
LIMITS = Limits(tol=1e-9, max_iter=1_000)
STORAGES = {
    "dense": np.ascontiguousarray,
    "float32": lambda X: X.astype(np.float32),
    "CSR": sparse.csr_array,
    "CSC": sparse.csc_array,
    "far from zero": lambda X: X + np.array([1e5, 0.0, 0.0, 0.0]),
}


def make_rows(store=np.ascontiguousarray, n=N, seed=0, n_threads=1, origin="auto"):
    """Rows with weights and offsets, exact in float32, that no combination of columns separates."""
    random = np.random.default_rng(seed)
    X = np.round(random.standard_normal((n, D)) * [1, 10, 0.1, 1], 2) * (random.random((n, D)) < 0.8)
    X = X.astype(np.float32).astype(np.float64)
    y = (random.random(n) < 1 / (1 + np.exp(-(X @ [0.8, -0.05, 4.0, 0.3] - 0.5)))).astype(np.int8)
    weight, offset = random.uniform(0.5, 2.0, n), 0.3 * random.standard_normal(n)
    return SelectableRows(store(X), y, weight, offset, n_threads=n_threads, origin=origin)


def make_folds(rows, n_folds=4):
    return np.arange(rows.n_rows)[None, :] % n_folds != np.arange(n_folds)[:, None]


def bootstrap(rows):
    random = np.random.default_rng(1)
    drawn = random.integers(0, rows.n_rows, (4, rows.n_rows))
    return np.stack([np.bincount(index, minlength=rows.n_rows) for index in drawn]).astype(np.uint8)


def whole_fits(rows, intercept=True):
    return plan.fit(rows, Ridge(STRENGTHS), "auto", LIMITS, intercept=intercept)[0].coefficients


def one_by_one(rows, penalty, intercept=True):
    """Return the coefficients of each model from a fit of its own, which starts from nothing."""
    strength = np.broadcast_to(penalty.strength, (rows.n_columns, len(rows.versions.of_model)))
    fits = []
    for k, v in enumerate(rows.versions.of_model.tolist()):
        fit, _ = plan.fit(rows.version(v), Ridge(strength[:, [k]]), "newton", LIMITS, intercept=intercept)
        assert fit.status[0].is_optimum
        fits.append(fit.coefficients[:, 0])
    return np.stack(fits, axis=1)


def assert_same(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-8 * np.abs(theirs).max())


def of_folds(whole, counts):
    """Return the rows in a version for each fold and three models of it, their penalties and their neighbours."""
    n_folds = len(counts)
    rows = VersionedRows(whole, Versions(np.repeat(np.arange(n_folds), 3), counts=counts))
    return rows, Ridge(np.tile(STRENGTHS, n_folds)), np.tile(np.arange(3), n_folds)


# The ways that rows travel on larger data, brought down to the size of a test.
WAYS = ["plain", "compiled", "threads", "sampled", "batches", "wide", "wide batches", "wide with a hot block"]


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    if request.param in ("compiled", "threads"):
        monkeypatch.setattr(versions, "COMPILED_FROM", 0)
    if request.param == "threads":
        monkeypatch.setattr(memory, "COMPILED_FROM", 0)
        monkeypatch.setattr(memory, "THREADED_FROM", 0)
    if request.param == "sampled":
        monkeypatch.setattr(plan, "FULL_FLOPS", 0)
        monkeypatch.setattr(plan, "SAMPLED_ROWS", 80)
        monkeypatch.setattr(plan, "ROWS_A_COLUMN", 10)
        monkeypatch.setattr(plan, "MOST_ROWS_A_COLUMN", 20)
    if "batches" in request.param:
        monkeypatch.setattr(nearby, "MEMORY", 8 * nearby.NUMBERS_A_COLUMN * (D + 1) * 5)  # five models at a time
    if "wide" in request.param:
        monkeypatch.setattr(nearby, "WIDEST_MATRIX", 0)
        monkeypatch.setattr(plan, "WIDEST_MATRIX", 0)
    if "hot" in request.param:
        monkeypatch.setattr(plan, "WIDE_PATIENCE", -10)  # none
        monkeypatch.setattr(plan, "HOT_COLUMNS", 2)
        monkeypatch.setattr(plan, "HOT_ROWS", 100)
    return request.param


@pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)
@pytest.mark.parametrize("counts", [make_folds, bootstrap])
def test_fits_of_folds_and_resamples_are_those_of_each_by_itself(store, counts, way):
    with make_rows(store, n_threads=2) as whole:
        rows, penalty, neighbour = of_folds(whole, counts(whole))
        with rows:
            ends = fit_nearby(rows, penalty, Neighbours(whole_fits(whole), neighbour), LIMITS)
            assert all(status.is_optimum for status in ends.status)
            assert_same(ends.coefficients, one_by_one(rows, penalty))
            assert ends.coefficients.shape == (D + 1, 12)
            assert len(ends.n_iter) == len(ends.decrement) == len(ends.objective) == len(ends.status) == 12
            assert (ends.n_iter > 0).all()
            assert ends.n_passes > ends.n_iter.max()


def test_without_an_intercept_there_is_none(way):
    whole = make_rows(origin=None)
    rows, penalty, neighbour = of_folds(whole, make_folds(whole))
    with rows:
        ends = fit_nearby(rows, penalty, Neighbours(whole_fits(whole, False), neighbour), LIMITS, intercept=False)
    assert not ends.coefficients[-1].any()
    assert_same(ends.coefficients, one_by_one(rows, penalty, False))


def test_outcomes_of_their_own_are_fitted_from_the_null_model(way):
    whole = make_rows()
    outcomes = (np.random.default_rng(3).random((6, N)) < 0.4).astype(np.int8)
    rows = VersionedRows(whole, Versions(np.arange(6), outcomes=outcomes))
    penalty = Ridge(np.full(6, 0.01))
    with rows:
        ends = fit_nearby(
            rows, penalty, Neighbours(plan.null_coefficients(whole, 1, True), np.zeros(6, dtype=int)), LIMITS
        )
    assert_same(ends.coefficients, one_by_one(rows, penalty))


def test_each_model_may_have_penalties_of_its_own_on_each_column(way):
    whole = make_rows()
    factors = np.array([[1.0, 0.0, 3.0, 0.5], [0.2, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.0]]).T
    rows = VersionedRows(whole, Versions(np.arange(4), counts=make_folds(whole)))
    with rows:
        ends = fit_nearby(rows, Ridge(0.01 * factors), Neighbours(whole_fits(whole), np.zeros(4, dtype=int)), LIMITS)
    assert_same(ends.coefficients, one_by_one(rows, Ridge(0.01 * factors)))


@pytest.mark.parametrize("away", [1.0, -1.0, 5.0])  # neighbours are optima of like rows, never saturated
def test_models_arrive_from_neighbours_far_away(away, way):
    whole = make_rows()
    rows, penalty, neighbour = of_folds(whole, make_folds(whole))
    unit = np.append(1 / np.std(np.asarray(whole.X), axis=0), 1.0)[:, None]
    near = whole_fits(whole) + away * unit * np.random.default_rng(4).standard_normal((D + 1, 3))
    with rows:
        ends = fit_nearby(rows, penalty, Neighbours(near, neighbour), LIMITS)
    assert all(status.is_optimum for status in ends.status)
    assert_same(ends.coefficients, one_by_one(rows, penalty))


def test_versions_that_are_all_but_separated_arrive_far_from_their_neighbours(way):
    """Of the second version only rows count that the first column separates, but for two of them."""
    whole = make_rows()
    score = np.asarray(whole.X)[:, 0]
    right = (score > 0) == (whole.y == 1)
    right[np.flatnonzero(~right)[:2]] = True
    rows = VersionedRows(whole, Versions(np.repeat([0, 1], 3), counts=np.stack([np.ones(N, dtype=bool), right])))
    penalty, neighbour = Ridge(np.tile(STRENGTHS, 2)), np.tile(np.arange(3), 2)
    with rows:
        ends = fit_nearby(rows, penalty, Neighbours(whole_fits(whole), neighbour), LIMITS)
    assert all(status.is_optimum for status in ends.status)
    assert_same(ends.coefficients, one_by_one(rows, penalty))
    assert np.abs(ends.coefficients[0, 3]) > 3 * np.abs(ends.coefficients[0, 0])


def test_an_unpenalised_version_that_is_separated_is_called_so():
    whole = make_rows()
    whole.weight = None
    right = (np.asarray(whole.X)[:, 0] > 0) == (whole.y == 1)
    whole = SelectableRows(whole.X, whole.y)
    rows = VersionedRows(whole, Versions(np.arange(2), counts=np.stack([np.ones(N, dtype=bool), right])))
    near = plan.fit(whole, Ridge(np.zeros(1)), "auto", LIMITS)[0].coefficients
    with rows:
        ends = fit_nearby(rows, Ridge(np.zeros(2)), Neighbours(near, np.zeros(2, dtype=int)), LIMITS)
    assert ends.status[0].is_optimum
    assert ends.status[1] is Status.SEPARATED
    assert_same(ends.coefficients[:, [0]], near)


def test_models_at_their_optimum_need_no_step(way):
    whole = make_rows()
    rows = VersionedRows(whole, Versions(np.zeros(3, dtype=int), counts=np.ones((1, N), dtype=bool)))
    with rows:
        ends = fit_nearby(rows, Ridge(STRENGTHS), Neighbours(whole_fits(whole), np.arange(3)), Limits(tol=1e-6))
    assert ends.n_iter.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(ends.decrement <= 1e-6, True)


def test_too_few_passes_are_called_so_and_told(way):
    whole = make_rows()
    rows, penalty, neighbour = of_folds(whole, make_folds(whole))
    with rows:
        ends = fit_nearby(rows, penalty, Neighbours(whole_fits(whole), neighbour), Limits(tol=1e-14, max_iter=2))
    assert ends.status == [Status.OUT_OF_PASSES] * 12
    assert (ends.decrement > 1e-14).all()


def test_every_pass_is_told(way):
    told = []
    limits = Limits(1e-8, 1_000, lambda W, found: told.append((W.shape, found.decrement.shape)))
    whole = make_rows()
    rows, penalty, neighbour = of_folds(whole, make_folds(whole))
    with rows:
        ends = fit_nearby(rows, penalty, Neighbours(whole_fits(whole), neighbour), limits)
    assert len(told) == ends.n_passes
    assert all(decrement == (W[1],) for W, decrement in told)


def test_a_gigabyte_holds_many_narrow_models_and_few_wide_ones(monkeypatch):
    assert models_at_once(10) > 100_000
    assert 1 < models_at_once(1_000_000) < 10
    assert models_at_once(10**9) == 1
    monkeypatch.setattr(nearby, "MEMORY", 8 * nearby.NUMBERS_A_COLUMN * 11 * 7)
    assert models_at_once(10) == 7


@pytest.mark.parametrize("at_once", [1, 5, 12, 100])
def test_batches_hold_as_many_models_as_fit_and_answer_in_order(at_once, monkeypatch):
    monkeypatch.setattr(nearby, "models_at_once", lambda n_columns: at_once)
    widths = []
    whole = make_rows()
    rows, penalty, neighbour = of_folds(whole, make_folds(whole))
    limits = Limits(1e-9, 100, lambda W, found: widths.append(W.shape[1]))
    with rows:
        ends = fit_nearby(rows, penalty, Neighbours(whole_fits(whole), neighbour), limits)
    assert max(widths) == min(at_once, 12)
    assert_same(ends.coefficients, one_by_one(rows, penalty))


def test_ends_are_joined_one_after_the_other():
    def ends(k, n_passes):
        return Ends(np.full((2, k), k), [Status.CONVERGED] * k, np.full(k, k), np.full(k, 0.1), np.ones(k), n_passes)

    joined = ends(1, 3).join([ends(2, 4), ends(3, 5)])
    assert joined.coefficients[0].tolist() == joined.n_iter.tolist() == [1, 2, 2, 3, 3, 3]
    assert len(joined.status) == len(joined.decrement) == len(joined.objective) == 6
    assert joined.n_passes == 12


def test_models_of_the_same_neighbour_share_a_factor():
    whole = make_rows()
    rows, *_ = of_folds(whole, make_folds(whole))
    neighbours = Neighbours(whole_fits(whole), np.tile([2, 0], 3))
    _, factors = neighbours.factors(rows, Ridge(np.tile(STRENGTHS[[2, 0]], 3)), 0, True)
    assert factors[0] is factors[2] is factors[4]
    assert factors[1] is factors[3] is factors[5]
    assert factors[0] is not factors[1]
