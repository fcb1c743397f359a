"""Preconditioners: exact where the curvature is known, and near it where a diagonal or a number stands for it."""

from itertools import product

import numpy as np
import pytest
from setting import ALL, D, K, N, Setting

from logreg.objective import Objective
from logreg.penalty import Ridge
from logreg.preconditioner import Diagonal, FullCurvature, Identity
from logreg.rows import MemoryRows
from logreg.sampled import SampledCurvature
from logreg.scale import Scale


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


def test_diagonal_without_an_intercept_is_the_inverse_of_a_matrix_about_the_means():
    setting = Setting(at=1.5, intercept=False)
    diagonal = Diagonal()
    diagonal.learn(setting.point(), ALL, setting.sums("diagonal"), setting.objective)
    x = np.random.default_rng(3).standard_normal((D + 1, K))
    x[-1] = 0.0
    full, scale = setting.sums("full"), setting.objective.scale
    for k in range(K):
        mean = scale.unit[:-1] * full.curvature[k, -1, :-1] / full.curvature[k, -1, -1]
        s = full.curvature[k, -1, -1] / full.weight[k]
        assert np.abs(mean).max() > 0.1
        P = np.diag(np.diagonal(setting.curvature(k))[:-1] - s * mean**2) + s * np.outer(mean, mean)
        g = np.append(P @ x[:-1, k], 0.0)
        np.testing.assert_allclose(diagonal.apply(np.repeat(g[:, None], K, 1))[:, k], x[:, k], rtol=1e-9, atol=1e-12)


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
