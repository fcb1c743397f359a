"""Dividing by a curvature, however badly conditioned, and by the part of it that varies where it is singular."""

import mpmath
import numpy as np
import pytest
from scipy import linalg

from logreg.factor import Factor

UNITS = 10.0 ** np.array([-8, 3, 0, 8, -3, 1])
D = len(UNITS)


def positive_definite(eigenvalues, seed=0):
    """Return a matrix of given eigenvalues whose eigenvectors are random."""
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(eigenvalues), len(eigenvalues))))
    return Q * eigenvalues @ Q.T


def exact_solution(H, g):
    with mpmath.workdps(60):
        return np.array([float(x) for x in mpmath.lu_solve(mpmath.matrix(H.tolist()), mpmath.matrix(g.tolist()))])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("units", [np.ones(D), UNITS], ids=["plain", "badly scaled"])
def test_division_solves_the_system_in_any_units(seed, units):
    H = positive_definite(np.array([0.1, 0.5, 1.0, 2.0, 3.0, 10.0]), seed) * units * units[:, None]
    g = np.random.default_rng(seed).standard_normal(D) * units
    factor = Factor(H)
    assert not factor.deficient
    np.testing.assert_allclose(factor.solve(g), exact_solution(H, g), rtol=1e-12)


@pytest.mark.parametrize("smallest", [1e-3, 1e-6, 1e-9])
def test_ill_conditioned_system_is_solved_as_exactly_as_its_condition_allows(smallest):
    H = positive_definite(np.array([smallest, 1.0, 1.0, 1.0, 1.0, 2.0]))
    factor = Factor(H)
    assert not factor.deficient
    g = np.random.default_rng(1).standard_normal(D)
    exact = exact_solution(H, g)
    assert np.linalg.norm(factor.solve(g) - exact) <= 1e-14 / smallest * np.linalg.norm(exact)


def test_hilbert_matrix_is_solved():
    H = linalg.hilbert(8)  # condition 1.5e10
    solution = np.arange(1.0, 9.0)
    np.testing.assert_allclose(Factor(H).solve(H @ solution), solution, rtol=1e-4)


@pytest.mark.parametrize("rank", [1, 3, 5])
@pytest.mark.parametrize("units", [np.ones(D), UNITS], ids=["plain", "badly scaled"])
def test_singular_system_gets_the_solution_of_minimum_norm_in_units_of_the_diagonal(rank, units):
    half = np.random.default_rng(2).standard_normal((D, rank))
    H = half @ half.T * units * units[:, None]
    factor = Factor(H)
    assert factor.deficient
    root = np.sqrt(np.diagonal(H))
    g = H @ (np.random.default_rng(3).standard_normal(D) / units)  # in the range of H
    expected = np.linalg.pinv(H / root / root[:, None], rcond=1e-10, hermitian=True) @ (g / root) / root
    np.testing.assert_allclose(factor.solve(g) * root, expected * root, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(H @ factor.solve(g) / units, g / units, rtol=1e-9, atol=1e-9)
    assert -factor.solve(g) @ g < 0.0  # a direction of descent


def test_column_that_does_not_vary_stays_where_it_is():
    H = positive_definite(np.arange(1.0, D + 1.0))
    H[2], H[:, 2] = 0.0, 0.0
    g = np.random.default_rng(4).standard_normal(D)
    factor = Factor(H)
    rest = [0, 1, 3, 4, 5]
    assert not factor.deficient
    assert factor.solve(g)[2] == 0.0
    np.testing.assert_allclose(factor.solve(g)[rest], np.linalg.solve(H[np.ix_(rest, rest)], g[rest]), rtol=1e-12)
    assert not Factor(np.zeros((D, D))).solve(g).any()


@pytest.mark.parametrize("ridge", [1e-3, 0.5])
def test_ridge_is_added_in_units_of_the_diagonal(ridge):
    H = positive_definite(np.arange(1.0, D + 1.0)) * UNITS * UNITS[:, None]
    g = np.random.default_rng(5).standard_normal(D) * UNITS
    with_ridge = H + np.diag(ridge * np.diagonal(H))
    np.testing.assert_allclose(Factor(H, ridge).solve(g), exact_solution(with_ridge, g), rtol=1e-12)


RIDGED = pytest.mark.xfail(strict=True, reason="with many columns, the last pivot is many times the ridge")


@pytest.mark.parametrize("d", [2, 3, pytest.param(20, marks=RIDGED)])
def test_estimate_is_called_singular_before_its_ridge_hides_it(d):
    shares = np.full(d, 1 / d)
    one_hot = np.diag(shares) - np.outer(shares, shares)  # the curvature of all dummies of d equal groups
    assert Factor(one_hot, ridge=1e-3).deficient
    assert not Factor(one_hot[1:, 1:], ridge=1e-3).deficient
