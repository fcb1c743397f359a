"""What Firth's likelihood computes at many points: compiled code agrees with NumPy, and formulas with both."""

import subprocess
import sys

import numpy as np
import pytest

from logreg import LogisticRegression, point_kernels, points
from logreg.points import Arithmetic, arithmetic

BY_NUMPY = Arithmetic(*(getattr(points, name) for name in Arithmetic._fields))
COMPILED = Arithmetic(*(getattr(point_kernels, name) for name in Arithmetic._fields))
SHAPES = [(2, 1, 1), (40, 3, 1), (300, 6, 12), (129, 21, 4), (90, 51, 3)]  # rows, columns, points


def rows_and_points(n, width, n_points, *, far=False):
    """Return rows by column with a last one of ones, outcomes, weights, offsets, pairs, and points."""
    random = np.random.default_rng(n)
    Z = np.vstack([random.standard_normal((width - 1, n)), np.ones(n)])
    i, j = np.tril_indices(width)
    B = random.standard_normal((n_points, width)) * (40.0 if far else 0.5) / width**0.5
    return Z, (random.random(n) < 0.4) * 1.0, random.choice([0.0, 0.5, 3.0], n), random.normal(size=n), Z[i] * Z[j], B


def definite(n_points, width, seed):
    """Return positive definite matrices."""
    roots = np.random.default_rng(seed).standard_normal((n_points, width, 2 * width))
    return roots @ roots.swapaxes(1, 2)


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_points_agree(shape, far):
    given = rows_and_points(*shape, far=far)
    Z, pairs = given[0], given[4]
    found, expected = (of.terms(*given[:4], given[-1].copy()) for of in (COMPILED, BY_NUMPY))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    curvature, tilted = (np.ascontiguousarray(part) for part in expected[2:])
    information = BY_NUMPY.information(Z, pairs, curvature)
    scale = np.abs(information).max()
    np.testing.assert_allclose(COMPILED.information(Z, pairs, curvature), information, rtol=1e-12, atol=1e-14 * scale)
    inverse = definite(shape[2], shape[1], 0)
    slope, ours = (of.penalty_slope(Z, pairs, tilted, inverse) for of in (BY_NUMPY, COMPILED))
    np.testing.assert_allclose(ours, slope, rtol=1e-11, atol=1e-13 * np.abs(inverse).max() * shape[0])


@pytest.mark.parametrize("of", [BY_NUMPY, COMPILED])
def test_points_are_those_of_the_formulas(of):
    Z, y, weight, offset, _, B = given = rows_and_points(300, 6, 5)
    value, log_det, score, slope, information = of.points(*given)
    for k, b in enumerate(B):
        z = b @ Z + offset
        p = 1.0 / (1.0 + np.exp(-z))
        D = weight * p * (1.0 - p)
        inverse = np.linalg.inv((Z * D) @ Z.T)
        leverage = D * np.einsum("ji,jk,ki->i", Z, inverse, Z)
        assert value[k] == pytest.approx(weight @ (y * z - np.logaddexp(0.0, z)), rel=1e-12)
        assert log_det[k] == pytest.approx(np.linalg.slogdet((Z * D) @ Z.T)[1], rel=1e-11)
        np.testing.assert_allclose(score[k], Z @ (weight * (y - p)), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(slope[k], Z @ (leverage * (1.0 - 2.0 * p)), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(information[k], (Z * D) @ Z.T, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("of", [BY_NUMPY, COMPILED])
@pytest.mark.parametrize("width", [1, 4, 21, 64])
def test_matrices_are_inverted_where_they_are_definite(of, width):
    matrices = definite(4, width, 1)
    matrices[1] = 0.0
    matrices[2] *= -1.0
    log_det, inverse = of.invert(matrices)
    np.testing.assert_array_equal(log_det[[1, 2]], -np.inf)
    np.testing.assert_array_equal(inverse[[1, 2]], 0.0)
    np.testing.assert_allclose(log_det[[0, 3]], np.linalg.slogdet(matrices[[0, 3]])[1], rtol=1e-12, atol=1e-12)
    for k in (0, 3):
        np.testing.assert_allclose(inverse[k] @ matrices[k], np.eye(width), atol=1e-9)


@pytest.mark.parametrize("of", [BY_NUMPY, COMPILED])
def test_what_is_learnt_from_steps_is_the_curvature_along_them(of):
    random = np.random.default_rng(2)
    width, which = 3, np.array([2, 0])
    true, A = definite(3, width, 3), np.zeros((3, width, width))
    for _ in range(width):
        step = random.standard_normal((2, width))
        of.learn(A, which, step, np.einsum("kij,kj->ki", true[which], step))
    np.testing.assert_allclose(A[which], true[which], rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(A[1], 0.0)
    before = A.copy()
    of.learn(A, which, np.zeros((2, width)), np.zeros((2, width)))
    np.testing.assert_array_equal(A, before)


@pytest.mark.parametrize("of", [BY_NUMPY, COMPILED])
@pytest.mark.parametrize("in_planes", [False, True])
def test_steps_stay_in_their_planes_and_are_cut(of, in_planes):
    random = np.random.default_rng(4)
    n_points, width, which = 4, 5, np.array([3, 1])
    information, A = definite(n_points, width, 5), 0.01 * definite(n_points, width, 6)
    A[3] *= 1e4  # more than the information, which then is all that counts
    curvature = np.where(np.arange(n_points)[:, None, None] == 3, information, information - A)
    score, planes = random.standard_normal((2, n_points, width)) * [[[300.0]], [[1.0]]]
    step, distance, length = np.zeros((n_points, width)), np.zeros(n_points), np.zeros(n_points)
    known = A, information, score, planes if in_planes else np.empty((0, width))
    of.aim(which, known, (step, distance, length))
    for k in which:
        expected = np.linalg.solve(curvature[k], score[k])
        across = np.linalg.solve(curvature[k], planes[k])
        if in_planes:
            expected -= across * (planes[k] @ expected) / (planes[k] @ across)
            assert planes[k] @ step[k] == pytest.approx(0.0, abs=1e-9)
        np.testing.assert_allclose(step[k], expected, rtol=1e-9)
        assert distance[k] == pytest.approx(np.sqrt(expected @ score[k]), rel=1e-10)
        assert length[k] == pytest.approx(min(1.0, points.LONGEST / np.abs(expected).max()), rel=1e-10)
        np.testing.assert_allclose(
            of.divide(A, which[which == k], information[[k]], planes[[k], None])[0, 0], across, rtol=1e-9
        )
    assert length.min() == 0.0 < length[which].min() < 1.0
    np.testing.assert_array_equal(step[[0, 2]], 0.0)


@pytest.mark.parametrize("of", [BY_NUMPY, COMPILED])
def test_searches_reach_the_level_of_a_parabola(of):
    width, sides = 3, np.array([-1.0, 1.0, 1.0])
    information, planes = np.repeat(definite(1, width, 8), 3, axis=0), np.eye(3)
    summit, level, going = np.array([1.0, -2.0, 0.5]), -1.9, np.array([0, 1, 2])
    A, slope = np.zeros((3, width, width)), np.zeros((3, width))
    reach = np.sqrt(-2.0 * level * np.diag(np.linalg.inv(information[0])))
    B = summit + 0.7 * (sides * reach)[:, None] * planes
    state = B, np.tile(summit, (3, 1)), slope, A, np.zeros(3), np.zeros(3), np.full(3, np.inf)
    for n_arrived in (0, 3):
        away = B - summit
        value = -0.5 * np.einsum("kj,kij,ki->k", away, information, away)
        score = -np.einsum("kij,kj->ki", information, away)
        found = value, value, score, np.zeros_like(score), information.copy()
        assert of.approach(going, found, (planes, sides, summit, level, 1e-8), state).sum() == n_arrived
    np.testing.assert_allclose(np.diag(B), summit + sides * reach, rtol=1e-12)


def test_searches_agree_wherever_they_are():
    random, n, width = np.random.default_rng(9), 400, 4
    sides, going = random.choice([-1.0, 1.0], n), random.permutation(n)[:300]
    goal = random.standard_normal((n, width)), sides, random.standard_normal(n), -2.0, 1e-8
    B, before, known_slope = random.standard_normal((3, n, width))
    inner, outer = np.sort(random.uniform(0.0, 5.0, (2, n)), axis=0)
    outer[::2] = np.inf
    start = B, before, known_slope, 0.1 * definite(n, width, 10), random.uniform(0.0, 1e-4, n), inner, outer
    score = random.standard_normal((300, width)) * random.choice([1e-3, 1.0, 30.0], (300, 1))
    value = random.normal(-2.0, 1.0, 300)
    value[:3] = -np.inf
    found = value, value, score, random.standard_normal((300, width)), definite(300, width, 11)
    ends = []
    for of in (BY_NUMPY, COMPILED):
        state = tuple(part.copy() for part in start)
        arrived = of.approach(going, tuple(part.copy() for part in found), goal, state)
        ends.append((arrived, *state))
    for by_numpy, compiled, before_it in zip(*ends, (None, *start), strict=True):
        np.testing.assert_allclose(compiled, by_numpy, rtol=1e-9, atol=1e-10)
        assert before_it is None or (compiled != before_it).any()  # each kind of step was taken


@pytest.mark.parametrize("separated", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_fits_agree(separated, weighted, intercept, monkeypatch):
    random = np.random.default_rng(7)
    X = random.standard_normal((150, 4)) * [1.0, 10.0, 0.1, 1.0]
    y = X[:, 0] + 0.05 * X[:, 1] + (0.0 if separated else 1.0) * random.logistic(size=150) > 0.2
    weight = random.uniform(0.2, 3.0, 150) if weighted else None
    frames = []
    for threshold in (0, 1e300):
        monkeypatch.setattr(points, "COMPILED_FROM", threshold)
        clf = LogisticRegression(penalty="firth", firth_weight=0.4, fit_intercept=intercept, tol=1e-9)
        frame = clf.fit(X, y, weight, offset=0.1 * X[:, 3]).summary().frame
        frames.append(frame.drop(columns="term").to_numpy(dtype=float))
    np.testing.assert_allclose(*frames, rtol=1e-7, atol=1e-9)


def test_constants_are_the_same():
    for name in ("LONGEST", "TELLING", "FAR", "REACH", "NEAR", "CLOSE", "SHRINKS"):
        assert getattr(point_kernels, name) == getattr(points, name)


def test_rows_that_pay_for_it_are_served_by_compiled_code():
    assert arithmetic(1_000, 6) == COMPILED
    assert arithmetic(79, 4) == BY_NUMPY
    assert arithmetic(100_000, 65) == BY_NUMPY


def test_a_small_fit_does_not_load_numba():
    code = (
        "import sys; from logreg import LogisticRegression, datasets;"
        "LogisticRegression(penalty='firth').fit(*datasets.load_endometrial()); sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
