"""Directions: always downhill, exact where the curvature is known, and learning from the steps where it is not."""

from itertools import pairwise, product

import numpy as np
import pytest

from logreg.descent import (
    CONTRACTION,
    MISJUDGED,
    Descent,
    Diagonal,
    FullCurvature,
    Identity,
    Preconditioner,
    SampledCurvature,
    calibrated,
)
from logreg.objective import Objective, Point
from logreg.penalty import Ridge
from logreg.rows import MemoryRows
from logreg.scale import Scale
from logreg.sums import Sums

N, D, K = 500, 4, 3
ALL = np.ones(K, dtype=bool)


class Plain(Preconditioner):
    """P = 1, whatever it hears; it counts its disappointments."""

    def __init__(self, memory):
        self.memory, self.disappointed = memory, 0

    def learn(self, point, accepted, sums, objective):
        return False

    def disappoint(self):
        self.disappointed += 1

    def apply(self, gradient):
        return gradient


class Setting:
    """Rows, an objective on them with and without a penalty for K models, and a point with its sums."""

    def __init__(self, seed=0, at=0.5):
        random = np.random.default_rng(seed)
        X = random.standard_normal((N, D)) @ (np.eye(D) + 0.4) + [0.0, 2.0, 0.0, 0.0]
        self.rows = MemoryRows(X, random.integers(0, 2, N).astype(np.int8), random.random(N))
        null = self.rows.sums(np.zeros((D + 1, 1)), "diagonal")
        self.objective = Objective(Scale.from_sums(null, np.zeros(1), True), Ridge(np.array([0.0, 0.1, 1.0])))
        self.B = at * random.standard_normal((D + 1, K))

    def sums(self, kind):
        return self.rows.sums(self.objective.scale.coefficients(self.B), kind)

    def point(self):
        return self.objective.point(self.B, self.sums("none"))

    def curvature(self, k):
        """Return model k's curvature, penalty included."""
        return self.objective.curvature(self.sums("full"), k) + np.diag(self.objective.penalty_curvature()[k])


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


def test_models_remember_apart():
    H, point = quadratic()
    together = exact_steps(Descent(Plain(memory=5)), H, point, 4)
    for k in range(K):
        alone = exact_steps(Descent(Plain(memory=5)), H[k : k + 1], lambda B, k=k: one_of(point, B, k), 4)
        np.testing.assert_allclose(together.B[:, k], alone.B[:, 0], rtol=1e-8, atol=1e-10)


def one_of(point, B, k):
    found = point(np.repeat(B, K, axis=1))
    return Point(B, found.value[k : k + 1], found.gradient[:, k : k + 1])


def test_poor_contraction_disappoints_and_a_new_preconditioner_forgets():
    here = Point(np.ones((D + 1, K)), np.zeros(K), np.ones((D + 1, K)))
    for shrunk, disappointed in ((0.9 * CONTRACTION, 0), (1.1 * CONTRACTION, 1)):
        descent = Descent(Plain(memory=4))
        descent.learn(
            here, Point(0.5 * here.B, here.value, shrunk * here.gradient), ALL, Sums.zeros(D, K, "none"), None
        )
        assert descent.preconditioner.disappointed == disappointed
        assert len(descent.pairs) == 1
    descent.preconditioner.learn = lambda *found: True
    descent.learn(here, Point(0.5 * here.B, here.value, 0.5 * here.gradient), ALL, Sums.zeros(D, K, "none"), None)
    gradient = np.random.default_rng(2).standard_normal((D + 1, K))
    np.testing.assert_array_equal(descent.direction(gradient), -gradient)


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
    objective = Objective(Scale(np.zeros(D), np.ones(D), True), Ridge(np.zeros(1)))
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


def test_sampled_curvature_is_kept_until_it_disappoints_and_then_comes_from_ever_more_rows():
    setting = Setting()
    sampled = SampledCurvature(K, setting.rows, 20, 0)
    sizes = []
    for _ in range(5):
        assert sampled.wants == "diagonal"
        assert sampled.learn(setting.point(), ALL, setting.sums("diagonal"), setting.objective)
        assert sampled.wants == "none"
        assert not sampled.learn(setting.point(), ALL, setting.sums("none"), setting.objective)
        sizes.append(sampled.rows.n_rows)
        sampled.disappoint()
    np.testing.assert_allclose(sizes, [20, 20, 80, 320, N], atol=1)


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
