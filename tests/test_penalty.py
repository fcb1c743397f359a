"""The ridge penalty: its gradient and curvature are the derivatives of its value, and the intercept is free of it."""

import numpy as np
import pytest

from logreg.penalty import Ridge

D, K = 4, 3
W = np.random.default_rng(0).standard_normal((D + 1, K))
STRENGTHS = {
    "one a model": np.array([0.0, 0.5, 100.0]),
    "one a coefficient": np.random.default_rng(1).random((D, K)) * (np.arange(D) != 2)[:, None],
}
EVERY_STRENGTH = pytest.mark.parametrize("strength", STRENGTHS.values(), ids=STRENGTHS)


def test_value_is_half_the_strength_times_the_sum_of_squares():
    value = Ridge(np.array([2.0, 0.5])).value(np.array([[3.0, 0.0], [-1.0, 2.0], [50.0, 50.0]]))
    assert value.tolist() == [10.0, 1.0]
    value = Ridge(np.array([[2.0], [0.0]])).value(np.array([[3.0], [7.0], [50.0]]))
    assert value.tolist() == [9.0]


@EVERY_STRENGTH
def test_gradient_is_the_derivative_of_the_value(strength):
    penalty, h = Ridge(strength), 1e-6
    gradient = penalty.gradient(W)
    for j in range(D + 1):
        step = np.zeros_like(W)
        step[j] = h
        difference = (penalty.value(W + step) - penalty.value(W - step)) / (2 * h)
        np.testing.assert_allclose(difference, gradient[j], atol=1e-6)
    assert not gradient[-1].any()


@EVERY_STRENGTH
def test_curvature_is_the_derivative_of_the_gradient_in_coordinates(strength):
    penalty, unit = Ridge(strength), np.array([2.0, 0.1, 1.0, 0.0])
    curvature = penalty.curvature(unit)
    assert curvature.shape == (K, D + 1)
    ones = np.ones((D + 1, K))  # the penalty is a parabola, so that its gradient at 1 is its curvature
    scaled = np.append(unit, 1.0)[:, None] ** 2 * penalty.gradient(ones)
    np.testing.assert_allclose(curvature, scaled.T, rtol=1e-14)


def test_model_is_free_when_one_of_its_coefficients_is():
    assert Ridge(np.array([0.0, 1e-300, 2.0])).free.tolist() == [True, False, False]
    assert Ridge(np.array([[0.0, 1.0], [1.0, 1.0]])).free.tolist() == [True, False]


@EVERY_STRENGTH
def test_penalties_add_up(strength):
    more = np.array([0.5, 0.0, 2.0, 1.0])
    both = Ridge(strength).plus(more)
    extra = Ridge(np.repeat(more[:, None], K, axis=1))
    np.testing.assert_allclose(both.value(W), Ridge(strength).value(W) + extra.value(W), rtol=1e-14)
    np.testing.assert_allclose(both.gradient(W), Ridge(strength).gradient(W) + extra.gradient(W), rtol=1e-14)
    unit = np.array([2.0, 0.1, 1.0, 3.0])
    expected = Ridge(strength).curvature(unit) + extra.curvature(unit)
    np.testing.assert_allclose(both.curvature(unit), expected, rtol=1e-14)
