"""Directions: always downhill, exact where the curvature is known, and learning from the steps where it is not."""

from itertools import pairwise

import numpy as np
import pytest
from setting import ALL, D, K

from logreg import limited
from logreg.descent import FAR, LEAST_PROMISE, Descent
from logreg.objective import Point
from logreg.preconditioner import Preconditioner
from logreg.sums import Sums


class Plain(Preconditioner):
    """A P that stays, whatever it hears; it notes for which models it is asked to renew, and if from more rows."""

    def __init__(self, memory, price=0.0, P=1.0, at_once=False):
        self.memory, self.price, self.P, self.at_once, self.asked = memory, price, P, at_once, []

    def learn(self, point, accepted, sums, objective):
        return False

    def renew(self, point, models, objective, more_rows):
        self.asked.append((models.tolist(), more_rows))
        return self.at_once

    def apply(self, gradient):
        return gradient / self.P if np.ndim(self.P) == 0 else np.linalg.solve(self.P, gradient)


def quadratic(seed=0, d=6, n_models=K):
    """Return curvatures of condition 100 and a function from B to its point, whose optimum is B = 1."""
    random = np.random.default_rng(seed)
    bases = [np.linalg.qr(random.standard_normal((d, d)))[0] for _ in range(n_models)]
    H = np.stack([Q * np.geomspace(0.1, 10.0, d) @ Q.T for Q in bases])

    def point(B):
        gradient = np.einsum("kij,jk->ik", H, B - 1.0)
        return Point(B, 0.5 * (gradient * (B - 1.0)).sum(axis=0), gradient)

    return H, point


def exact_steps(descent, H, point, n_steps):
    """Return the point after steps to the minimum along each direction."""
    no_sums = Sums.zeros(H.shape[1] - 1, len(H), "none")
    here = point(np.zeros((H.shape[1], len(H))))
    before = here
    for _ in range(n_steps):
        descent.learn(before, here, np.ones(len(H), dtype=bool), no_sums, None)
        direction = descent.direction(here.gradient)
        length = -(direction * here.gradient).sum(axis=0) / np.einsum("ik,kij,jk->k", direction, H, direction)
        before, here = here, point(here.B + length * direction)
    return here


# The memory


def test_memory_of_ten_ends_on_a_quadratic_in_as_many_steps_as_it_has_dimensions():
    H, point = quadratic()
    start = np.linalg.norm(point(np.zeros((6, K))).gradient, axis=0)
    with_memory = exact_steps(Descent(Plain(memory=10)), H, point, 6)
    without = exact_steps(Descent(Plain(memory=0)), H, point, 6)
    assert (np.linalg.norm(with_memory.gradient, axis=0) < 1e-10 * start).all()
    assert (np.linalg.norm(without.gradient, axis=0) > 1e-3 * start).all()


def test_memory_fulfils_the_secant_equation_of_the_last_step():
    random = np.random.default_rng(1)
    _, point = quadratic()
    descent = Descent(Plain(memory=3))
    here = point(random.standard_normal((6, K)))
    for _ in range(5):
        before, here = here, point(random.standard_normal((6, K)))
        descent.learn(before, here, ALL, Sums.zeros(5, K, "none"), None)
    step, change = here.B - before.B, here.gradient - before.gradient
    np.testing.assert_allclose(descent.direction(change), -step, rtol=1e-10, atol=1e-12)


def test_long_steps_are_remembered_in_half_the_digits(monkeypatch):
    found = []
    for long in (10**9, 0):
        monkeypatch.setattr(limited, "LONG", long)
        H, point = quadratic(d=40)
        descent = Descent(Plain(memory=5))
        exact_steps(descent, H, point, 8)
        assert descent.memory.vectors.dtype == (np.float64 if long else np.float32)
        gradient = np.random.default_rng(0).standard_normal((40, K))
        found.append(descent.direction(gradient))
        assert found[-1].dtype == np.float64
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_every_direction_descends_whatever_is_remembered(seed):
    random = np.random.default_rng(seed)
    descent = Descent(Plain(memory=4))
    points = [
        Point(random.standard_normal((D + 1, K)), np.zeros(K), random.standard_normal((D + 1, K))) for _ in "12345"
    ]
    points[2].B[:, 1] = points[1].B[:, 1]  # a model that stood still
    points[3].gradient[:, 2] = points[2].gradient[:, 2]  # a step along which nothing changed
    for before, here in pairwise(points):  # half of these steps look concave
        descent.learn(before, here, ALL, Sums.zeros(D, K, "none"), None)
        gradient = random.standard_normal((D + 1, K)) * 10.0 ** random.integers(-6, 6, K)
        direction = descent.direction(gradient)
        assert np.isfinite(direction).all()
        assert ((gradient * direction).sum(axis=0) < 0).all()


def newest_first(pairs, gradient, P):
    """Return the direction by the formula for the inverse curvature, updated pair by pair, for one model."""
    *_, (s, y) = pairs
    inverse = np.linalg.inv(P) * (s @ y) / (y @ np.linalg.solve(P, y))
    for step, change in pairs:
        r = 1 / (step @ change)
        left = np.eye(len(step)) - r * np.outer(step, change)
        inverse = left @ inverse @ left.T + r * np.outer(step, step)
    return -inverse @ gradient


@pytest.mark.parametrize("changes", [False, True], ids=["P stays", "P changes on the way"])
def test_memory_updates_the_inverse_of_any_preconditioner(changes):
    random = np.random.default_rng(4)
    _, point = quadratic()
    halves = random.standard_normal((2, 6, 6))
    first, second = (half @ half.T + np.eye(6) for half in halves)
    descent, steps = Descent(Plain(memory=3, P=first)), []
    here = point(random.standard_normal((6, K)))
    for i in range(5):
        before, here = here, point(random.standard_normal((6, K)))
        if changes and i == 3:
            descent.preconditioner.P = second  # as a pass that brings a diagonal tells
        descent.learn(before, here, ALL, Sums.zeros(5, K, "diagonal" if i == 3 else "none"), None)
        descent.direction(here.gradient)
        steps.append((here.B - before.B, here.gradient - before.gradient))
    gradient = random.standard_normal((6, K))
    found = descent.direction(gradient)
    for k in range(K):
        pairs = [(step[:, k], change[:, k]) for step, change in steps[-3:]]
        expected = newest_first(pairs, gradient[:, k], descent.preconditioner.P)
        np.testing.assert_allclose(found[:, k], expected, rtol=1e-9)


def test_models_remember_apart():
    H, point = quadratic()
    together = exact_steps(Descent(Plain(memory=5)), H, point, 4)
    for k in range(K):
        alone = exact_steps(Descent(Plain(memory=5)), H[k : k + 1], lambda B, k=k: one_of(point, B, k), 4)
        np.testing.assert_allclose(together.B[:, k], alone.B[:, 0], rtol=1e-8, atol=1e-10)


def one_of(point, B, k):
    found = point(np.repeat(B, K, axis=1))
    return Point(B, found.value[k : k + 1], found.gradient[:, k : k + 1])


# What fresh curvature is worth


def descend(descent, contractions, first=0.1, weight=1e6, n_models=1):
    """Let gradients shrink by factors a pass, from a size, in coordinates of unit curvature."""
    sums = Sums.zeros(D, n_models, "none")
    sums.weight[:] = weight
    gradient = np.zeros((D + 1, n_models))
    gradient[0] = first
    here = Point(np.ones((D + 1, n_models)), np.zeros(n_models), gradient)
    for contraction in contractions:
        before, here = here, Point(0.5 * here.B, here.value, here.gradient * contraction)
        descent.learn(before, here, np.ones(n_models, dtype=bool), sums, None)
    return descent


@pytest.mark.parametrize(
    ("contraction", "price", "is_worth_it"),
    [
        (0.05, 1.0, False),  # 4 passes are left
        (0.5, 1.0, True),  # 20 passes, where fresh curvature would do with 9 and its price
        (0.5, 5.0, True),
        (0.5, 20.0, False),
        (0.9, 20.0, True),  # 130 passes
        (0.9, 200.0, False),
        (0.99, 1e9, False),
        (2.0, 1.0, True),
        (2.0, 1e9, False),
    ],
)
@pytest.mark.parametrize("first", [0.1, 10.0], ids=["near", "far"])
def test_curvature_is_renewed_where_the_passes_left_cost_more(contraction, price, is_worth_it, first):
    descent = descend(Descent(Plain(4, price), tol=1e-4), [contraction], first)
    assert [models for models, _ in descent.preconditioner.asked] == [[True]] * is_worth_it
    assert len(descent.memory) == 1  # until the fresh curvature is there


@pytest.mark.parametrize(("first", "more_rows"), [(0.9 * FAR, True), (1.1 * FAR, False)])
def test_more_rows_are_taken_only_near_the_optimum(first, more_rows):
    assert descend(Descent(Plain(4, 0.1), tol=1e-4), [0.9], first).preconditioner.asked == [([True], more_rows)]


def test_more_rows_are_not_taken_where_their_price_is_what_they_save():
    assert descend(Descent(Plain(4, 5.0), tol=1e-4), [0.9]).preconditioner.asked == [([True], False)]


@pytest.mark.parametrize("tol", [1e3, 1e-300, 0.0])
def test_descent_that_is_there_needs_no_curvature_and_one_without_a_tolerance_counts_on(tol):
    asked = descend(Descent(Plain(4, 1.0), tol), [0.9]).preconditioner.asked
    assert len(asked) == (tol < 1)


def test_contraction_is_judged_over_two_steps():
    for contractions, times in (([0.01, 0.9], 0), ([0.01, 0.9, 0.9], 1)):
        descent = descend(Descent(Plain(4, 1.0), tol=1e-4), contractions)
        assert len(descent.preconditioner.asked) == times


def test_only_models_that_contract_poorly_are_renewed():
    descent = descend(Descent(Plain(4, 1.0), tol=1e-4), [np.array([0.9, 0.01, 0.8])], n_models=3)
    assert [models for models, _ in descent.preconditioner.asked] == [[True, False, True]]


def test_model_at_its_optimum_to_the_last_digit_is_left_alone():
    descent = descend(Descent(Plain(4, 1.0), tol=1e-4), [0.9, 0.9], first=np.array([0.0, 0.1]), n_models=2)
    assert [models for models, _ in descent.preconditioner.asked] == [[False, True]] * 2


def test_model_without_a_penalty_is_believed_on_fresh_curvature_only():
    free = np.array([True, False])
    descent = descend(Descent(Plain(4, 1e9), 1e-4, free), [0.1], first=1e-7, n_models=2)
    assert [models for models, _ in descent.preconditioner.asked] == [[True, False]]
    assert not descend(Descent(Plain(4, 1e9), 1e-4, free), [0.1], n_models=2).preconditioner.asked


def test_fresh_curvature_forgets_and_promises_what_it_brought_the_last_time():
    descent = descend(Descent(Plain(4, 8.0, at_once=True), tol=1e-4), [0.75])
    assert len(descent.preconditioner.asked) == 1
    gradient = np.random.default_rng(2).standard_normal((D + 1, 1))
    np.testing.assert_array_equal(descent.direction(gradient), -gradient)
    descend(descent, [0.75])  # the first was the sample's own; from here on it is known what renewing brings
    assert len(descent.preconditioner.asked) == 2
    descend(descent, [LEAST_PROMISE])
    assert len(descent.preconditioner.asked) == 2
