"""Curvature of a sample: corrected by what all rows say, renewed where it stands, and all rows in the end."""

import numpy as np
import pytest
from setting import ALL, D, K, N, Setting

from logreg.objective import Objective
from logreg.preconditioner import Diagonal, FullCurvature
from logreg.rows import MemoryRows, memory
from logreg.sampled import BLOCK_LASTS, MISJUDGED, HotBlock, SampledCurvature, calibrated, hottest
from logreg.scale import Scale


def test_curvature_of_a_sample_that_is_all_rows_is_newtons():
    setting = Setting()
    sampled, newton = SampledCurvature(K, setting.rows, N, 0), FullCurvature(K)
    for preconditioner, kind in ((sampled, "diagonal"), (newton, "full")):
        preconditioner.learn(setting.point(), ALL, setting.sums(kind), setting.objective)
    gradient = setting.point().gradient
    np.testing.assert_allclose(sampled.apply(gradient), newton.apply(gradient), rtol=1e-8)


def test_curvature_of_a_sample_has_the_diagonal_of_all_rows():
    setting = Setting()
    sampled = SampledCurvature(K, setting.rows, 100, 0)
    assert sampled.learn(setting.point(), ALL, setting.sums("diagonal"), setting.objective)
    for k in range(K):
        P = np.linalg.inv(np.stack([sampled.factors[k].solve(e) for e in np.eye(D + 1)]))
        diagonal = np.diagonal(setting.curvature(k))
        np.testing.assert_allclose(np.diagonal(P), diagonal, rtol=2e-3)  # its ridge is 1e-3
        assert not np.allclose(P, setting.curvature(k), rtol=1e-2)


@pytest.fixture(params=[False, True], ids=["products", "compiled"])
def tolerance(request, monkeypatch):
    """Return how well curvatures agree, computed either way."""
    if request.param:
        monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    return 1e-4 if request.param else 1e-9


def matrix(preconditioner, k):
    """Return model k's P."""
    return np.linalg.inv(np.stack([preconditioner.factors[k].solve(e) for e in np.eye(D + 1)]))


def learnt(setting, n_sampled):
    sampled = SampledCurvature(K, setting.rows, n_sampled, 0)
    assert sampled.learn(setting.point(), ALL, setting.sums("diagonal"), setting.objective)
    return sampled


def test_renewed_curvature_is_that_of_the_sample_at_the_new_point_with_its_diagonal_corrected(tolerance):
    here, there = Setting(), Setting(at=1.5)
    sampled = learnt(here, 200)
    chosen = np.array([True, False, True])
    old = sampled.apply(here.point().gradient)
    assert sampled.renew(there.point(), chosen, there.objective, more_rows=False)
    assert sampled.wants == "none"
    assert sampled.rows.n_rows == 200
    np.testing.assert_array_equal(sampled.apply(here.point().gradient)[:, 1], old[:, 1])
    ridge = sampled._ridge(D + 1)
    assert 0 < ridge < 1e-3
    for k in (0, 2):
        at_first, now = (
            setting.objective.curvature(sampled.rows.sums(setting.objective.scale.coefficients(setting.B), "full"), k)
            for setting in (here, there)
        )
        penalty = here.objective.penalty_curvature[k]
        share = np.diagonal(at_first) / (np.diagonal(here.curvature(k)) - penalty)
        assert np.abs(share - 1).max() > 0.01  # or correcting would change nothing
        expected = now / np.sqrt(share) / np.sqrt(share)[:, None] + np.diag(penalty)
        expected += np.diag(ridge * np.diagonal(expected))
        assert np.abs(matrix(sampled, k) - expected).max() < tolerance * np.diagonal(expected).max()


def test_curvature_of_a_column_that_the_sample_does_not_show_waits_for_the_next_pass(tolerance):
    setting = Setting(at=0.01)
    X = setting.rows.X.copy()
    drawn = SampledCurvature(K, setting.rows, 100, 0).rows.subset
    unseen = np.setdiff1d(np.arange(N), drawn)[:3]
    X[:, 0] = 0.0
    X[unseen, 0] = 1.0
    rows = MemoryRows(X, setting.rows.y, setting.rows.weight)
    null = rows.sums(np.zeros((D + 1, 1)), "diagonal")
    objective = Objective(Scale.from_sums(null, np.zeros(1), True), setting.penalty)
    sums = rows.sums(objective.scale.coefficients(setting.B), "diagonal")
    point = objective.point(setting.B, sums)
    sampled = SampledCurvature(K, rows, 100, 0)
    assert not np.isin(unseen, sampled.rows.subset).any()
    assert sampled.learn(point, ALL, sums, objective)
    old = sampled.apply(point.gradient)
    for k in range(K):
        P, exact = matrix(sampled, k), objective.diagonal(sums)[k] + objective.penalty_curvature[k]
        assert np.abs(P[0, 1:]).max() < tolerance
        assert P[0, 0] == pytest.approx(exact[0], rel=2e-3)  # a ridge of 1.5e-3
    assert not sampled.renew(point, ALL, objective, more_rows=False)
    assert sampled.wants == "diagonal"
    np.testing.assert_array_equal(sampled.apply(point.gradient), old)
    assert sampled.learn(point, ALL, sums, objective)
    np.testing.assert_allclose(sampled.apply(point.gradient), old, rtol=1e-6)


def test_sampled_curvature_is_kept_until_more_rows_are_asked_for_up_to_all_of_them_to_the_last_digit(tolerance):
    setting, newton = Setting(), FullCurvature(K)
    newton.learn(setting.point(), ALL, setting.sums("full"), setting.objective)
    gradient = setting.point().gradient
    exact = newton.apply(gradient)
    sampled = SampledCurvature(K, setting.rows, 20, 0, price=0.5)
    sizes, prices, errors = [], [], []
    for _ in range(4):
        assert sampled.wants == "diagonal"
        assert sampled.learn(setting.point(), ALL, setting.sums("diagonal"), setting.objective)
        assert sampled.wants == "none"
        kept = sampled.apply(gradient)
        assert not sampled.learn(setting.point(), ALL, setting.sums("none"), setting.objective)
        np.testing.assert_array_equal(sampled.apply(gradient), kept)
        sizes.append(sampled.rows.n_rows)
        prices.append(sampled.price)
        errors.append(np.abs(kept / exact - 1).max())
        at_once = sampled.renew(setting.point(), ALL, setting.objective, more_rows=True)
        assert at_once == (len(sizes) == 4)  # all rows show every column
        assert at_once or np.array_equal(sampled.apply(gradient), kept)
    np.testing.assert_allclose(sizes, [20, 80, 320, N], atol=1)
    np.testing.assert_allclose(prices, 0.5 * 4.0 ** np.arange(4))
    assert min(errors[:3]) > 0.01
    assert 1e-8 < errors[3] < 1e-4  # rounded
    assert np.abs(sampled.apply(gradient) / exact - 1).max() < 1e-8


def test_rejected_point_leaves_the_curvature_to_the_next_pass():
    setting = Setting()
    sampled = SampledCurvature(K, setting.rows, 100, 0)
    none = np.zeros(K, dtype=bool)
    assert not sampled.learn(setting.point(), none, setting.sums("diagonal"), setting.objective)
    assert sampled.wants == "diagonal"


# Calibration


def sampled_and_exact(seed):
    random = np.random.default_rng(seed)
    half = random.standard_normal((D + 1, D + 1)) * [1, 10, 0.1, 1, 1]
    H = half.T @ half
    return H, np.diagonal(H) * random.uniform(1.1 / MISJUDGED, 0.9 * MISJUDGED, D + 1)


@pytest.mark.parametrize("seed", range(10))
def test_calibration_makes_the_diagonal_exact_and_keeps_correlations(seed):
    H, exact = sampled_and_exact(seed)
    found = calibrated(H, exact)
    np.testing.assert_allclose(np.diagonal(found), exact, rtol=1e-14)
    root, sampled = np.sqrt(exact), np.sqrt(np.diagonal(H))
    np.testing.assert_allclose(found / root / root[:, None], H / sampled / sampled[:, None], rtol=1e-12)
    assert np.linalg.eigvalsh(found / root / root[:, None]).min() > 0


@pytest.mark.parametrize("factor", [0.0, 1.01 * MISJUDGED, 0.99 / MISJUDGED])
def test_column_that_the_sample_hardly_saw_varies_alone(factor):
    H, exact = sampled_and_exact(0)
    exact[2] = H[2, 2]
    H[2] *= factor**0.5
    H[:, 2] *= factor**0.5
    found = calibrated(H, exact)
    assert found[2].tolist() == [0.0, 0.0, exact[2], 0.0, 0.0]
    assert found[:, 2].tolist() == [0.0, 0.0, exact[2], 0.0, 0.0]
    assert np.linalg.eigvalsh(found).min() > 0
    assert np.count_nonzero(found) == D * D + 1


def test_column_without_any_curvature_is_left_without():
    H, exact = sampled_and_exact(0)
    H[2], H[:, 2], exact[2] = 0.0, 0.0, 0.0
    found = calibrated(H, exact)
    assert not found[2].any()
    assert np.isfinite(found).all()


# A block of hot columns


def hot_block(setting, n_columns, n_sampled=N):
    block = HotBlock(K, setting.rows, n_columns, n_sampled, 0)
    assert block.wants == "diagonal"
    assert not block.learn(setting.point(), ALL, setting.sums("diagonal"), setting.objective)
    return block


@pytest.mark.parametrize("intercept", [True, False])
def test_block_of_all_columns_and_rows_is_newtons(tolerance, intercept):
    setting = Setting(intercept=intercept)
    newton = FullCurvature(K)
    newton.learn(setting.point(), ALL, setting.sums("full"), setting.objective)
    gradient = setting.point().gradient
    for n_columns in (D, D + 5):
        found = hot_block(setting, n_columns).apply(gradient)
        np.testing.assert_allclose(found, newton.apply(gradient), rtol=tolerance)


@pytest.mark.parametrize("n_columns", [2, 3])
def test_block_leaves_cold_columns_to_the_diagonal(n_columns):
    setting = Setting()
    block, diagonal = hot_block(setting, n_columns), Diagonal()
    diagonal.learn(setting.point(), ALL, setting.sums("diagonal"), setting.objective)
    gradient = setting.point().gradient
    cold = np.setdiff1d(np.arange(D), block.hot)
    np.testing.assert_array_equal(block.apply(gradient)[cold], diagonal.apply(gradient)[cold])
    assert not np.allclose(block.apply(gradient)[block.hot], diagonal.apply(gradient)[block.hot], rtol=1e-3)


def test_block_divides_by_a_symmetric_positive_matrix():
    setting = Setting()
    block = hot_block(setting, 2, n_sampled=100)
    for k in range(K):
        inverse = np.stack([block.apply(np.repeat(e[:, None], K, axis=1))[:, k] for e in np.eye(D + 1)])
        np.testing.assert_allclose(inverse, inverse.T, rtol=1e-9, atol=1e-12)
        assert (np.linalg.eigvalsh(inverse) > 0).all()


def test_block_is_renewed_after_as_long_again_and_again():
    setting = Setting()
    block = hot_block(setting, 2)
    taken_at, last = [1], block.factors[0]
    for n_learnt in range(2, 200):
        block.learn(setting.point(), ALL, setting.sums(block.wants), setting.objective)
        if block.factors[0] is not last:
            taken_at.append(n_learnt)
            last = block.factors[0]
    assert len(taken_at) >= 4
    assert (np.diff(np.log(taken_at)) >= np.log(BLOCK_LASTS) - 1e-12).all()


def test_models_that_rejected_the_point_keep_their_block():
    here, there = Setting(), Setting(at=2.0)
    block = hot_block(here, 2)
    old = block.apply(here.point().gradient)
    block.due = 0
    block.learn(there.point(), np.array([True, False, False]), there.sums("diagonal"), there.objective)
    new = block.apply(here.point().gradient)
    assert not np.allclose(new[:, 0], old[:, 0])
    np.testing.assert_array_equal(new[:, 1:], old[:, 1:])


def test_hottest_columns_are_those_of_most_curvature():
    unit = np.array([1.0, 0.1, 0.0, 5.0, 0.2])  # of which the third does not vary
    np.testing.assert_array_equal(hottest(unit, 2), [1, 4])
    np.testing.assert_array_equal(hottest(unit, 3), [0, 1, 4])
    np.testing.assert_array_equal(hottest(unit, 9), [0, 1, 2, 3, 4])
