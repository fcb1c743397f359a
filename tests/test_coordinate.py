"""Coordinate descent on quadratic models finds the minimum, whatever the matrix."""

import numpy as np
import pytest

from logreg import coordinate
from logreg.coordinate import QuadraticModel
from logreg.penalty import ElasticNet

S = 12


def elastic_net(l1, l2, low=-np.inf, high=np.inf):
    return ElasticNet(l1, l2, *(np.broadcast_to(bound, l1.shape) for bound in (low, high)), True)


def model(correlation, seed=0):
    """Return a curvature matrix, a gradient and coefficients to start from."""
    random = np.random.default_rng(seed)
    A = random.standard_normal((60, S))
    A = np.sqrt(1 - correlation) * A + np.sqrt(correlation) * A[:, :1]
    return A.T @ A / 60, random.standard_normal(S), random.standard_normal(S)


def violation(H, gradient, start, penalty, v):
    return penalty.violation(v, gradient + H @ (v - start)).max()


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("l1", [0.0, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_no_coefficient_violates_its_optimality_condition(correlation, l1, l2):
    H, gradient, start = model(correlation)
    penalty = elastic_net(np.full(S, l1), np.full(S, l2))
    v = QuadraticModel(H).minimise(gradient, start, penalty, 1e-12)
    assert violation(H, gradient, start, penalty, v) < 1e-10
    assert l1 < 10.0 or not v.any()


@pytest.mark.parametrize("widest", [0, 4])
def test_newton_steps_on_the_support_change_only_the_time(monkeypatch, widest):
    H, gradient, start = model(0.5)
    penalty = elastic_net(np.linspace(0.0, 1.0, S), np.zeros(S))
    plain = QuadraticModel(H).minimise(gradient, start, penalty, 1e-12)
    monkeypatch.setattr(coordinate, "WIDEST_SUPPORT", widest)
    np.testing.assert_allclose(QuadraticModel(H).minimise(gradient, start, penalty, 1e-12), plain, atol=1e-10)


def test_excluded_and_unpenalised_coordinates():
    H, gradient, start = model(0.3)
    l1 = np.full(S, 0.2)
    l1[0], l1[1], start[0] = np.inf, 0.0, 0.0
    v = QuadraticModel(H).minimise(gradient, start, elastic_net(l1, np.zeros(S)), 1e-12)
    assert v[0] == 0.0
    assert abs((gradient + H @ (v - start))[1]) < 1e-10


def test_a_column_twice_has_a_minimum_all_the_same():
    H, gradient, start = model(0.0)
    twice = np.ix_([*range(S), 3], [*range(S), 3])
    H, gradient, start = H[twice], np.append(gradient, gradient[3]), np.append(start, start[3])
    penalty = elastic_net(np.full(S + 1, 0.05), np.zeros(S + 1))
    v = QuadraticModel(H).minimise(gradient, start, penalty, 1e-12)
    assert violation(H, gradient, start, penalty, v) < 1e-9


def test_what_was_given_is_left_alone():
    H, gradient, start = model(0.5)
    given = [array.copy() for array in (H, gradient, start)]
    QuadraticModel(H).minimise(gradient, start, elastic_net(np.full(S, 0.1), np.zeros(S)), 1e-9)
    for before, after in zip(given, (H, gradient, start), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("l1", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("correlation", [0.0, 0.9])
@pytest.mark.parametrize(("low", "high"), [(0.0, np.inf), (-0.3, 0.2), (-np.inf, 0.0), (0.0, 0.0)])
def test_bounds_hold_and_what_is_between_them_is_optimal(correlation, l1, low, high):
    H, gradient, start = model(correlation)
    start = np.clip(start, low, high)
    penalty = elastic_net(np.full(S, l1), np.full(S, 0.01), low, high)
    v = QuadraticModel(H).minimise(gradient, start, penalty, 1e-12)
    assert ((v >= low) & (v <= high)).all()
    assert violation(H, gradient, start, penalty, v) < 1e-10
    best = objective(H, gradient, start, penalty, v)
    for j in range(S):
        for other in np.clip([v[j] - 1e-3, v[j] + 1e-3, 0.0, -0.5, 0.5], low, high):
            moved = v.copy()
            moved[j] = other
            assert objective(H, gradient, start, penalty, moved) >= best - 1e-14


def objective(H, gradient, start, penalty, v):
    return gradient @ (v - start) + (v - start) @ H @ (v - start) / 2 + penalty.value(v)
