"""Rows in parts add up to what the same rows in memory do."""

from functools import reduce
from itertools import pairwise
from operator import add

import numpy as np
import pytest

from logreg.rows import Extent, PartedRows, SelectableRows
from logreg.scale import Scale

CUTS = {"one part": [], "two": [70], "uneven": [1, 3, 150], "one row each": list(range(1, 200))}


class ListedRows(PartedRows):
    """Parts that are held in a list, as another machine would."""

    def __init__(self, data, cuts, *, is_weighted=True, has_offset=True, origin=None):
        weight = data.weight / data.weight.mean() if is_weighted else None
        self.whole = SelectableRows(data.X, data.y, weight, data.offset if has_offset else None, origin=origin)
        ends = [0, *cuts, len(data.y)]
        self.parts = [
            SelectableRows(
                data.X[start:stop],
                data.y[start:stop],
                None if weight is None else weight[start:stop],
                data.offset[start:stop] if has_offset else None,
                origin=origin,
            )
            for start, stop in pairwise(ends)
        ]
        positive = self.whole.positive_fraction
        n, d = data.X.shape
        extent = Extent(n, n, d, d, positive, self.whole.smallest_weight, is_dense=True, has_offset=has_offset)
        super().__init__(extent, origin=origin)

    def total(self, function):
        return reduce(add, map(function, self.parts))

    def sample(self, n_rows, seed):
        return self


@pytest.fixture(params=CUTS)
def rows(request, data):
    return ListedRows(data, CUTS[request.param])


@pytest.mark.parametrize("kind", ["none", "diagonal", "full"])
@pytest.mark.parametrize("n_models", [1, 3])
def test_sums_of_parts_add_up(rows, kind, n_models):
    W = np.random.default_rng(0).normal(size=(4, n_models)) * 0.1
    ours, theirs = rows.sums(W, kind), rows.whole.sums(W, kind)
    for name in ("weight", "loss", "gradient") + (("curvature",) if kind != "none" else ()):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12, atol=1e-12)


def test_mean_curvatures_of_parts_weigh_them(rows):
    W = np.array([[0.3], [-0.02], [2.0], [0.1]])
    scale = Scale.from_sums(rows.sums(W, "diagonal"), np.zeros(1), True)
    lower = np.tril_indices(4)
    for name in ("curvature", "exact_curvature"):
        ours, theirs = getattr(rows, name)(W, scale)[0], getattr(rows.whole, name)(W, scale)[0]
        np.testing.assert_allclose(ours[lower], theirs[lower], rtol=1e-11, atol=1e-12)
    some = np.array([0, 2])
    ours, theirs = rows.curvature(W, scale, some), rows.whole.curvature(W, scale, some)
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


def test_spreads_know_no_offsets(rows):
    np.testing.assert_allclose(rows.spread(), rows.whole.spread(), rtol=1e-12)


def test_total_in_memory_is_that_of_one_part(data):
    rows = SelectableRows(data.X, data.y)
    assert rows.total(lambda part: part.n_rows) == rows.n_counted == 200


def test_parts_have_one_origin(data):
    rows = ListedRows(data, [50], origin=np.array([1.0, 0.0, -2.0]))
    W = np.ones((4, 1))
    np.testing.assert_allclose(rows.in_user_units(W)[:, 0], [1, 1, 1, 2.0])
    np.testing.assert_allclose(rows.from_user_units(rows.in_user_units(W)), W)


def test_parts_say_what_a_plan_asks(data):
    rows = ListedRows(data, [50])
    for name in ("n_rows", "n_columns", "n_values", "n_counted", "has_offset", "is_dense", "smallest_weight"):
        assert getattr(rows, name) == getattr(rows.whole, name)
    assert rows.total_weight == pytest.approx(rows.whole.total_weight)


def first_two(part):
    return part.take(np.arange(2)).with_outcomes(part.y, np.where(part.X[:, 0] > 0, 2.0, 0.0))


def nothing(part):
    return part.with_outcomes(part.y, np.zeros(part.n_rows))


def test_changed_rows_are_the_sum_of_their_changed_parts(rows):
    ours, theirs = rows.changed(first_two), rows.whole.changed(first_two)
    W = np.array([[0.3], [-0.02], [0.1]])
    for name in ("n_rows", "n_counted", "n_columns", "has_offset", "is_dense", "smallest_weight", "total_weight"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.positive_fraction == pytest.approx(theirs.positive_fraction)
    np.testing.assert_allclose(ours.sums(W).gradient, theirs.sums(W).gradient, rtol=1e-11, atol=1e-11)
    scale = Scale.from_sums(ours.sums(W, "diagonal"), np.zeros(1), True)
    np.testing.assert_allclose(ours.exact_curvature(W, scale), theirs.exact_curvature(W, scale), rtol=1e-11, atol=1e-12)
    assert ours.sample(10, 0) is ours  # as there is no smaller sample to change


def test_rows_without_weight_add_up_to_nothing(rows):
    assert rows.changed(first_two).total(lambda part: [part.n_counted]) == [
        part.n_counted for part in map(first_two, rows.parts) if part.n_counted
    ]
