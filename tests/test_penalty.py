"""The ridge penalty: a curvature for each coefficient, of which the intercept is free."""

import numpy as np
import pytest

from logreg.penalty import Ridge

D, K = 4, 3
STRENGTHS = {
    "one a model": np.array([0.0, 0.5, 100.0]),
    "one a coefficient": np.random.default_rng(1).random((D, K)) * (np.arange(D) != 2)[:, None],
}
EVERY_STRENGTH = pytest.mark.parametrize("strength", STRENGTHS.values(), ids=STRENGTHS)


@EVERY_STRENGTH
def test_curvature_in_coordinates_is_the_strength_in_their_units_and_spares_the_intercept(strength):
    unit = np.array([2.0, 0.1, 1.0, 0.0, 1.0])
    curvature = Ridge(strength).curvature(unit)
    for k, j in np.ndindex(K, D):
        assert curvature[k, j] == pytest.approx((strength[k] if strength.ndim == 1 else strength[j, k]) * unit[j] ** 2)
    assert not curvature[:, -1].any()


def test_model_is_free_when_one_of_its_coefficients_is():
    assert Ridge(np.array([0.0, 1e-300, 2.0])).free.tolist() == [True, False, False]
    assert Ridge(np.array([[0.0, 1.0], [1.0, 1.0]])).free.tolist() == [True, False]


@EVERY_STRENGTH
def test_penalties_add_up(strength):
    more = np.array([0.5, 0.0, 2.0, 1.0])
    both = Ridge(strength).plus(more)
    extra = Ridge(np.repeat(more[:, None], K, axis=1))
    unit = np.array([2.0, 0.1, 1.0, 3.0, 1.0])
    expected = Ridge(strength).curvature(unit) + extra.curvature(unit)
    np.testing.assert_allclose(both.curvature(unit), expected, rtol=1e-14)
