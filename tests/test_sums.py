"""Sums over the rows: where the parentheses go does not matter, nor which models are still on their way."""

from dataclasses import fields

import numpy as np
import pytest

from logreg.products import Block, block_sums
from logreg.sums import Sums

D, K = 3, 4
EVERY_KIND = pytest.mark.parametrize("kind", ["none", "diagonal", "full"])


def sums_of(seed, kind, n_models=K, n_columns=D):
    """Return the sums over 20 random rows, at coefficients that are the same for every seed."""
    random = np.random.default_rng(seed)
    block = Block(random.standard_normal((20, n_columns)), random.integers(0, 2, 20), random.random(20))
    return block_sums(block, np.random.default_rng(99).standard_normal((n_columns + 1, n_models)), kind)


def parts(sums):
    return [getattr(sums, field.name) for field in fields(sums) if getattr(sums, field.name) is not None]


def assert_close(ours, theirs, rtol):
    assert len(parts(ours)) == len(parts(theirs))
    for our, their in zip(parts(ours), parts(theirs), strict=True):
        np.testing.assert_allclose(our, their, rtol=rtol, atol=rtol)


@EVERY_KIND
def test_addition_is_commutative_and_associative(kind):
    a, b, c = (sums_of(seed, kind) for seed in range(3))
    assert_close(a + b, b + a, rtol=0)
    assert_close((a + b) + c, a + (b + c), rtol=1e-14)
    for ours, first, second in zip(parts(a + b), parts(a), parts(b), strict=True):
        np.testing.assert_array_equal(ours, first + second)
        assert np.abs(second).max() > 0.1


@EVERY_KIND
def test_sums_over_no_rows_change_nothing(kind):
    a, nothing = sums_of(0, kind), Sums.zeros(D, K, kind)
    assert [part.shape for part in parts(nothing)] == [part.shape for part in parts(a)]
    assert_close(a + nothing, a, rtol=0)
    assert_close(nothing + a, a, rtol=0)


def test_curvature_is_known_of_all_rows_or_of_none():
    assert (sums_of(0, "full") + sums_of(1, "none")).curvature is None


@pytest.mark.parametrize("n_columns", [1, 2, 5])
def test_both_kinds_of_curvature_have_the_same_diagonal_and_intercept_row(n_columns):
    full, diagonal = (sums_of(0, kind, n_columns=n_columns) for kind in ("full", "diagonal"))
    for ours, theirs in zip(diagonal.diagonal(), full.diagonal(), strict=True):
        assert ours.shape == (K, n_columns + 1)
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    for k in range(K):
        np.testing.assert_array_equal(full.diagonal()[0][k], np.diagonal(full.curvature[k]))
        np.testing.assert_array_equal(full.diagonal()[1][k], full.curvature[k, -1])


def test_a_pass_without_curvature_has_no_diagonal():
    with pytest.raises(ValueError, match="ask the pass for kind 'diagonal' or 'full'"):
        sums_of(0, "none").diagonal()


@EVERY_KIND
@pytest.mark.parametrize("part", ["loss", "gradient", "curvature"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_sum_that_is_no_number_is_noticed(kind, part, value):
    sums = sums_of(0, kind)
    assert sums.all_finite()
    if getattr(sums, part) is not None:
        getattr(sums, part).flat[-1] = value
        assert not sums.all_finite()


@EVERY_KIND
@pytest.mark.parametrize("live", [[True, False, True, True], [False, False, True, False], [True] * 4])
def test_live_models_keep_their_place_among_the_settled(kind, live):
    live = np.array(live)
    sums = sums_of(0, kind, n_models=live.sum())
    whole = sums.spread(live)
    np.testing.assert_array_equal(whole.weight[live], sums.weight)
    np.testing.assert_array_equal(whole.loss[live], sums.loss)
    np.testing.assert_array_equal(whole.gradient[:, live], sums.gradient)
    assert (whole.weight > 0).all()  # sums are divided by it
    assert not whole.gradient[:, ~live].any()
    assert not whole.loss[~live].any()
    if kind == "none":
        assert whole.curvature is None
    else:
        np.testing.assert_array_equal(whole.curvature[live], sums.curvature)
        assert not whole.curvature[~live].any()
