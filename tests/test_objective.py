"""The objective in coordinates: its gradient and curvature are derivatives, its value that of the user's formula."""

import numpy as np
import pytest

from logreg import log_loss
from logreg.objective import Objective, Point
from logreg.penalty import Ridge
from logreg.products import Block, block_sums
from logreg.scale import Scale

N, D, K = 120, 4, 2
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((N, D)) * [0.01, 1.0, 10.0, 1.0] + [0.0, 1.0, -30.0, 0.0]
Y = RANDOM.integers(0, 2, N)
WEIGHT = RANDOM.random(N)
B = RANDOM.standard_normal((D + 1, K))
STRENGTHS = {  # of K penalties on D coefficients
    "one a model": np.array([0.0, 0.3]),
    "one a coefficient": np.array([[0.0, 0.1], [0.3, 1.0], [2.0, 0.0], [0.5, 0.7]]),
}
EVERY_STRENGTH = pytest.mark.parametrize("strength", STRENGTHS.values(), ids=STRENGTHS)
EVERY_INTERCEPT = pytest.mark.parametrize("intercept", [True, False])


def make_objective(intercept=True, strength=STRENGTHS["one a model"]):
    null = sums_at(np.zeros((D + 1, 1)), "diagonal")
    return Objective(Scale.from_sums(null, np.zeros(1), intercept), Ridge(strength))


def sums_at(W, kind="none"):
    return block_sums(Block(X, Y, WEIGHT), W, kind)


def point_at(objective, coordinates):
    return objective.point(coordinates, sums_at(objective.scale.coefficients(coordinates)))


@EVERY_STRENGTH
@EVERY_INTERCEPT
def test_value_is_mean_log_loss_plus_penalty_on_the_users_coefficients(intercept, strength):
    objective = make_objective(intercept, strength)
    W = objective.scale.coefficients(B)
    point = point_at(objective, B)
    penalties = (np.broadcast_to(strength, (D, K)) * W[:-1] ** 2).sum(axis=0) / 2
    for k in range(K):
        expected = log_loss(Y, X @ W[:-1, k] + W[-1, k], WEIGHT) + penalties[k]
        assert point.value[k] == pytest.approx(expected, rel=1e-13)


@EVERY_STRENGTH
@EVERY_INTERCEPT
def test_gradient_and_curvature_are_the_derivatives_in_coordinates(intercept, strength):
    objective, h = make_objective(intercept, strength), 1e-5
    here = point_at(objective, B)
    sums = sums_at(objective.scale.coefficients(B), "full")
    H = np.stack([objective.curvature(sums, k) + np.diag(objective.penalty_curvature[k]) for k in range(K)])
    for j in range(D + 1):
        step = np.zeros_like(B)
        step[j] = h
        low, high = point_at(objective, B - step), point_at(objective, B + step)
        np.testing.assert_allclose((high.value - low.value) / (2 * h), here.gradient[j], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(((high.gradient - low.gradient) / (2 * h)).T, H[:, j], rtol=1e-6, atol=1e-7)


@EVERY_INTERCEPT
@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_diagonal_and_intercept_row_are_those_of_the_curvature(intercept, kind):
    objective = make_objective(intercept)
    W = objective.scale.coefficients(B)
    diagonals, (means, totals) = objective.diagonal(sums_at(W, kind)), objective.means(sums_at(W, kind))
    rows = intercept * np.column_stack([(totals * means)[:, :-1], totals])
    for k in range(K):
        H = objective.curvature(sums_at(W, "full"), k)
        np.testing.assert_allclose(diagonals[k], np.diagonal(H), rtol=1e-9)
        np.testing.assert_allclose(rows[k], H[-1], rtol=1e-9, atol=1e-12)


def test_curvature_is_never_negative_even_by_rounding():
    far = X + 1e9
    sums = block_sums(Block(far, Y), np.zeros((D + 1, 1)), "diagonal")
    objective = Objective(Scale(np.append(far.mean(axis=0), 0.0), np.ones(D + 1)), Ridge(np.zeros(1)))
    diagonals = objective.diagonal(sums)
    assert (diagonals >= 0).all()


def test_chosen_models_move_and_the_rest_stay():
    ours, theirs = (Point(np.full((D + 1, K), v), np.full(K, v), np.full((D + 1, K), v)) for v in (1.0, 2.0))
    mixed = ours.where(np.array([True, False]), theirs)
    assert mixed.value.tolist() == [2.0, 1.0]
    np.testing.assert_array_equal(mixed.B, np.tile([2.0, 1.0], (D + 1, 1)))
    np.testing.assert_array_equal(mixed.gradient, np.tile([2.0, 1.0], (D + 1, 1)))
