"""Directions: always downhill, exact where the curvature is known, and learning from the steps where it is not."""

from itertools import pairwise, product

import numpy as np
import pytest

from logreg.descent import FAR, LEAST_PROMISE, Descent
from logreg.objective import Objective, Point
from logreg.penalty import Ridge
from logreg.preconditioner import (
    MISJUDGED,
    Diagonal,
    FullCurvature,
    Identity,
    Preconditioner,
    SampledCurvature,
    calibrated,
)
from logreg.rows import MemoryRows, memory
from logreg.scale import Scale
from logreg.sums import Sums

N, D, K = 500, 4, 3
ALL = np.ones(K, dtype=bool)


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


class Setting:
    """Rows, an objective on them with and without a penalty for K models, and a point with its sums."""

    def __init__(self, seed=0, at=0.5):
        random = np.random.default_rng(seed)
        X = random.standard_normal((N, D)) @ (np.eye(D) + 0.4) + [0.0, 2.0, 0.0, 0.0]
        self.rows = MemoryRows(X, random.integers(0, 2, N).astype(np.int8), random.random(N))
        null = self.rows.sums(np.zeros((D + 1, 1)), "diagonal")
        self.penalty = Ridge(np.array([0.0, 0.1, 1.0]))
        self.objective = Objective(Scale.from_sums(null, np.zeros(1), True), self.penalty)
        self.B = at * random.standard_normal((D + 1, K))

    def sums(self, kind):
        return self.rows.sums(self.objective.scale.coefficients(self.B), kind)

    def point(self):
        return self.objective.point(self.B, self.sums("none"))

    def curvature(self, k):
        """Return model k's curvature, penalty included."""
        return self.objective.curvature(self.sums("full"), k) + np.diag(self.objective.penalty_curvature[k])


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
    assert len(descent.pairs) == 1  # until the fresh curvature is there


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


# The preconditioners


def test_newton_divides_by_the_curvature_of_each_model():
    setting = Setting()
    newton = FullCurvature(K)
    newton.learn(setting.point(), ALL, setting.sums("full"), setting.objective)
    gradient = setting.point().gradient
    for k in range(K):
        expected = np.linalg.solve(setting.curvature(k), gradient[:, k])
        np.testing.assert_allclose(newton.apply(gradient)[:, k], expected, rtol=1e-10)
        decrement = np.sqrt(gradient[:, k] @ expected)
        assert newton.distance(gradient, -newton.apply(gradient))[k] == pytest.approx(decrement)


@pytest.mark.parametrize("make", [FullCurvature, lambda k: SampledCurvature(k, Setting().rows, N, 0)])
def test_models_that_rejected_the_point_keep_their_curvature(make):
    setting, elsewhere = Setting(), Setting(at=3.0)
    preconditioner = make(K)
    preconditioner.learn(setting.point(), ALL, setting.sums("full"), setting.objective)
    gradient = setting.point().gradient
    old = preconditioner.apply(gradient)
    accepted = np.array([True, False, True])
    preconditioner.learn(elsewhere.point(), accepted, elsewhere.sums("full"), elsewhere.objective)
    new = preconditioner.apply(gradient)
    np.testing.assert_array_equal(new[:, 1], old[:, 1])
    assert (np.abs(new - old).max(axis=0)[accepted] > 0.01).all()


def test_diagonal_is_the_inverse_of_a_matrix_that_ties_the_intercept_to_the_columns():
    setting = Setting(at=1.5)
    diagonal = Diagonal()
    diagonal.learn(setting.point(), ALL, setting.sums("diagonal"), setting.objective)
    x = np.random.default_rng(3).standard_normal((D + 1, K))
    for k in range(K):
        H = setting.curvature(k)
        s, h = H[-1, -1], H[-1, :-1] / H[-1, -1]
        assert np.abs(h).max() > 0.1  # or decoupling would change nothing
        P = H.copy()
        P[:-1, :-1] = np.diag(np.diagonal(H)[:-1] - s * h**2) + s * np.outer(h, h)
        np.testing.assert_allclose(diagonal.apply(np.repeat((P @ x[:, k])[:, None], K, 1))[:, k], x[:, k], rtol=1e-9)


def test_diagonal_is_newtons_where_columns_are_tied_to_the_intercept_alone():
    design = np.array(list(product([0.0, 1.0], repeat=D)))  # every combination once, so that no column tells of others
    rows = MemoryRows(design * [1.0, 20.0, 0.5, 3.0], (design[:, 0] + design[:, 2] > 0).astype(np.int8))
    W = np.zeros((D + 1, 1))
    objective = Objective(Scale(np.zeros(D + 1), np.ones(D + 1)), Ridge(np.zeros(1)))
    sums = rows.sums(W, "full")
    point, found = objective.point(W, sums), []
    for preconditioner in (Diagonal(), FullCurvature(1)):
        preconditioner.learn(point, np.ones(1, dtype=bool), sums, objective)
        found.append(preconditioner.apply(point.gradient))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-10, atol=1e-12)


def test_diagonal_is_renewed_early_and_then_every_tenth_pass():
    setting, diagonal = Setting(), Diagonal()
    wanted = []
    for _ in range(40):
        wanted.append(diagonal.wants)
        diagonal.learn(setting.point(), ALL, setting.sums(diagonal.wants), setting.objective)
    assert [i for i, kind in enumerate(wanted) if kind == "diagonal"] == [0, 1, 3, 5, 9, 19, 29, 39]


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
        P, exact = matrix(sampled, k), objective.diagonal(sums)[0][k] + objective.penalty_curvature[k]
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


def test_textbook_step_has_the_length_that_was_right_for_the_step_before():
    descent = Identity(FullCurvature(K))
    gradient = np.random.default_rng(5).standard_normal((D + 1, K))
    np.testing.assert_array_equal(descent.apply(gradient), gradient)
    step = np.random.default_rng(6).standard_normal((D + 1, K))
    curvature = np.array([2.0, 5.0, -1.0])  # the last model's step looks concave, and teaches nothing
    descent.secant(step, step * curvature)
    np.testing.assert_allclose(descent.apply(gradient), gradient / [2.0, 5.0, 1.0], rtol=1e-12)


def test_textbook_descent_tells_the_distance_that_its_ruler_measures():
    setting = Setting()
    ruler, newton = FullCurvature(K), FullCurvature(K)
    textbook = Identity(ruler)
    assert textbook.wants == "full"
    for preconditioner in (textbook, newton):
        preconditioner.learn(setting.point(), ALL, setting.sums("full"), setting.objective)
    gradient = setting.point().gradient
    expected = newton.distance(gradient, -newton.apply(gradient))
    np.testing.assert_allclose(textbook.distance(gradient, -textbook.apply(gradient)), expected, rtol=1e-12)


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
