"""Profile and score intervals are the exact roots that other routes find, and move with the data as they should."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.optimize import brentq, minimize
from scipy.special import expit
from scipy.stats import chi2
from sklearn.exceptions import ConvergenceWarning

from logreg import LogisticRegression, datasets
from logreg.inference import intervals, likelihood
from logreg.inference.intervals import profile_intervals, score_intervals
from logreg.rows import memory
from logreg.setup import Setup

GOLDEN = json.loads((Path(__file__).parent / "golden" / "intervals.json").read_text())
BOTH = pytest.mark.parametrize("find", [profile_intervals, score_intervals])


def table(find, model, X, y, weight=None, offset=None, **options):
    """Return the intervals of a model fitted to these rows, by term."""
    clf = model.fit(X, y, weight, offset=offset)
    return of_fit(find, clf, X, y, weight, offset, **options)


def of_fit(find, clf, X, y, weight=None, offset=None, **options):
    with Setup.again(clf, X, y, weight, offset) as setup:
        found = find(setup, clf, np.append(clf._coefficients(), clf.intercept_), **options)
    return found.set_index("term")


def ends(*arguments, **options):
    return table(*arguments, **options)[["conf_low", "conf_high"]].to_numpy()


def free(**options):
    return LogisticRegression(penalty=None, **options)


class Independent:
    """Constrained fits by scipy: the others of ``X, 1`` are free, one coefficient is part of the offset."""

    def __init__(self, X, y, weight=None, offset=None, ridge=0.0):
        self.X, self.y = np.column_stack([X, np.ones(len(y))]), y
        self.weight = np.ones(len(y)) if weight is None else weight
        self.offset = np.zeros(len(y)) if offset is None else offset
        self.ridge = np.append(np.full(self.X.shape[1] - 1, ridge), 0.0)

    def fit(self, j=None, b=0.0):
        """Return the least value, and all coefficients there."""
        kept = np.arange(self.X.shape[1]) != (-1 if j is None else j)
        full = np.zeros(len(kept))
        full[~kept] = b

        def value(v):
            w = full.copy()
            w[kept] = v
            z = self.X @ w + self.offset
            p = expit(z)
            H = (self.X.T * (self.weight * p * (1 - p))) @ self.X + np.diag(self.ridge)
            gradient = self.X.T @ (self.weight * (p - self.y)) + self.ridge * w
            loss = self.weight @ (np.logaddexp(0.0, z) - self.y * z) + self.ridge @ w**2 / 2
            return loss, gradient[kept], H[np.ix_(kept, kept)]

        found = minimize(
            lambda v: value(v)[:2], full[kept], jac=True, hess=lambda v: value(v)[2], method="trust-exact",
            options={"gtol": 1e-9},
        )  # fmt: skip
        full[kept] = found.x
        return found.fun, full

    def curvature(self, w):
        p = expit(self.X @ w + self.offset)
        return (self.X.T * (self.weight * p * (1 - p))) @ self.X + np.diag(self.ridge)

    def excess(self, j, b, level, least, find):
        value, w = self.fit(j, b)
        if find is profile_intervals:
            return 2.0 * (value - least) - chi2.ppf(level, 1)
        slope = self.X[:, j] @ (self.weight * (expit(self.X @ w + self.offset) - self.y)) + self.ridge[j] * b
        return slope**2 * np.linalg.inv(self.curvature(w))[j, j] - chi2.ppf(level, 1)

    def ends(self, j, level, find):
        least, w = self.fit()
        se = np.sqrt(np.linalg.inv(self.curvature(w))[j, j])
        return [
            brentq(lambda b: self.excess(j, b, level, least, find), w[j], w[j] + side * 8 * se, xtol=1e-11 * se)
            for side in (-1, 1)
        ]


@pytest.mark.parametrize("name", list(GOLDEN["profile"]))
def test_profile_intervals_are_the_roots_that_r_finds(name):
    X, y = getattr(datasets, f"load_{name}")()
    theirs = pd.DataFrame(GOLDEN["profile"][name]).set_index("term")
    ours = table(profile_intervals, free(), X, y)
    width = (theirs["high"] - theirs["low"]).to_numpy()[:, None]
    difference = ours[["conf_low", "conf_high"]].to_numpy() - theirs.loc[ours.index].to_numpy()
    np.testing.assert_allclose(difference / width, 0.0, atol=1e-8)


@BOTH
@pytest.mark.parametrize("C", [np.inf, 0.5])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_both_are_the_roots_that_scipy_finds_with_weights_an_offset_and_a_ridge(data, find, C, level):
    found = ends(find, LogisticRegression(C=C), *data, level=level)
    other = Independent(*data, ridge=1.0 / C)
    for j, pair in zip([3, 0, 1, 2], found, strict=True):
        np.testing.assert_allclose(pair, other.ends(j, level, find), rtol=1e-6)


def test_profile_ends_are_exact_far_beyond_what_interpolation_gives(data):
    found = ends(profile_intervals, LogisticRegression(), *data)
    other = Independent(*data, ridge=1.0)
    least, _ = other.fit()
    for j, pair in zip([3, 0, 1, 2], found, strict=True):
        for b in pair:
            assert abs(other.excess(j, b, 0.95, least, profile_intervals)) < 1e-9


@BOTH
@pytest.mark.parametrize("store", [np.asfortranarray, sparse.csr_array, sparse.csc_array, pd.DataFrame])
@pytest.mark.parametrize("compiled", [1_000_000, 0], ids=["plain", "compiled"])
def test_they_are_the_same_for_every_storage(data, monkeypatch, find, store, compiled):
    expected = ends(find, free(), *data)
    monkeypatch.setattr(memory, "COMPILED_FROM", compiled)
    np.testing.assert_allclose(ends(find, free(n_jobs=2), store(data.X), *data[1:]), expected, rtol=1e-8)


@BOTH
def test_a_row_of_weight_two_is_the_row_twice(data, find):
    X, y, _, offset = data
    counts = 1 + np.arange(len(y)) % 3
    repeated = (np.repeat(part, counts, axis=0) for part in (X, y))
    expected = ends(find, LogisticRegression(), *repeated, None, np.repeat(offset, counts))
    np.testing.assert_allclose(ends(find, LogisticRegression(), X, y, counts, offset), expected, rtol=1e-8)


@BOTH
def test_columns_can_be_in_any_order_and_in_any_units(data, find):
    X, y, weight, offset = data
    expected = ends(find, free(), *data)
    np.testing.assert_allclose(ends(find, free(), X[:, ::-1], *data[1:])[[0, 3, 2, 1]], expected, rtol=1e-8)
    unit = np.array([1e-6, -1e3, 40.0])
    scaled = ends(find, free(), X * unit, y, weight, offset)
    np.testing.assert_allclose(scaled[[0, 1, 3]] * [[1.0], [1e-6], [40.0]], expected[[0, 1, 3]], rtol=1e-8)
    np.testing.assert_allclose(scaled[2, ::-1] * -1e3, expected[2], rtol=1e-8)


@BOTH
def test_columns_may_lie_far_from_zero(data, find):
    X, y, weight, offset = data
    expected = ends(find, free(), *data)[1:]
    np.testing.assert_allclose(
        ends(find, free(), X + np.array([1e5, 0.0, 30.0]), y, weight, offset)[1:], expected, rtol=1e-7
    )


@BOTH
def test_an_offset_of_a_column_shifts_its_interval(data, find):
    X, y, weight, offset = data
    expected = ends(find, free(), *data) - [[0.5], [0.0], [0.1], [0.0]]
    shifted = ends(find, free(), X, y, weight, offset + 0.5 + 0.1 * X[:, 1])
    np.testing.assert_allclose(shifted, expected, rtol=1e-7)


@BOTH
@pytest.mark.parametrize("model", [free(), LogisticRegression(C=0.1), free(fit_intercept=False)])
def test_swapping_the_labels_mirrors_them(data, find, model):
    X, y, weight, offset = data
    expected = -ends(find, model, *data)[:, ::-1]
    np.testing.assert_allclose(ends(find, model, X, 1 - y, weight, -offset), expected, rtol=1e-8)


@BOTH
def test_without_an_intercept_none_is_found(data, find):
    X, y, weight, offset = data
    found = table(find, free(fit_intercept=False), *data)
    assert found.index.tolist() == ["x0", "x1", "x2"]
    other = Independent(X, y, weight, offset)
    other.X = other.X[:, :3]
    other.ridge = np.zeros(3)
    for j, pair in enumerate(found[["conf_low", "conf_high"]].to_numpy()):
        np.testing.assert_allclose(pair, other.ends(j, 0.95, find), rtol=1e-6)


@BOTH
def test_they_end_in_infinity_where_classes_are_separated_and_only_there(find):
    X, y = datasets.load_endometrial()
    with pytest.warns(match="separates"):
        clf = free().fit(X, y)
    found = of_fit(find, clf, X, y)
    assert found.loc["NV", "conf_high"] == np.inf
    assert np.isfinite(found.drop(index="NV")[["conf_low", "conf_high"]]).all(axis=None)
    held = X["NV"].to_numpy() == 0  # the rows that have a say in the others
    rest = ends(find, free(), X[held].drop(columns="NV"), y[held])
    np.testing.assert_allclose(found.drop(index="NV")[["conf_low", "conf_high"]], rest, rtol=1e-6)
    other = Independent(X, y.to_numpy())
    least = Independent(X[held].drop(columns="NV"), y[held].to_numpy()).fit()[0]
    low = brentq(lambda b: other.excess(0, b, 0.95, least, find), 0.0, 8.0, xtol=1e-10)
    np.testing.assert_allclose(found.loc["NV", "conf_low"], low, rtol=1e-6)


def test_the_end_of_an_infinite_estimate_is_exact_wherever_the_fit_has_stopped():
    """From an optimum without curvature the first steps are rounding, which must not be counted as way."""
    random = np.random.default_rng(1)
    x, weight, offset = random.standard_normal((1_200, 2)), random.uniform(0.5, 2.0, 1_200), random.normal(size=1_200)
    dummy = np.arange(1_200) % 97 == 0
    X, y = np.column_stack([x, dummy]), dummy | (x @ [1.0, -0.5] + offset - 1 + random.logistic(size=1_200) > 0)
    ends = []
    for tol in (1e-2, 1e-4, 1e-8):
        with pytest.warns(ConvergenceWarning, match="x2"):
            clf = LogisticRegression(penalty=None, tol=tol).fit(X, y, weight, offset=offset)
        ends.append(clf.summary().frame["conf_low"].iloc[-1])

    def fall(at):
        rest = LogisticRegression(penalty=None, tol=1e-10).fit(x, y, weight, offset=offset + at * dummy)
        scores = rest.decision_function(x, offset + at * dummy)
        return 2 * weight @ np.logaddexp(0, np.where(y, -scores, scores))

    exact = brentq(lambda at: fall(at) - fall(50.0) - chi2.ppf(0.95, 1), 0.5, 20.0, xtol=1e-12)
    np.testing.assert_allclose(ends, exact, rtol=1e-7)


@BOTH
@pytest.mark.parametrize("rows", [6, 400])
def test_they_are_half_lines_where_one_column_separates_all(find, rows):
    x = np.linspace(-1.0, 1.0, rows)[:, None]
    with pytest.warns(match="separates"):
        clf = free().fit(x, x[:, 0] > 0)
    found = of_fit(find, clf, x, x[:, 0] > 0)
    assert found.loc["x0", "conf_high"] == np.inf
    assert 0.0 < found.loc["x0", "conf_low"] < np.inf
    assert found.loc["intercept", ["conf_low", "conf_high"]].tolist() == [-np.inf, np.inf]


@BOTH
def test_coefficients_that_nothing_determines_have_no_ends(data, find):
    X, y, weight, offset = data
    with pytest.warns(match="repeat"):
        clf = free().fit(np.column_stack([X, X[:, 1]]), y, weight, offset=offset)
    found = of_fit(find, clf, np.column_stack([X, X[:, 1]]), y, weight, offset)[["conf_low", "conf_high"]]
    np.testing.assert_array_equal(found.loc[["x1", "x3"]], [[-np.inf, np.inf]] * 2)
    np.testing.assert_allclose(found.loc[["intercept", "x0", "x2"]], ends(find, free(), *data)[[0, 1, 3]], rtol=1e-7)


@BOTH
def test_columns_left_out_have_no_interval_and_change_none(data, find):
    model = free(penalty_factor=[1.0, np.inf, 1.0]).set_params(penalty="l2", C=2.0)
    found = ends(find, model, *data)
    assert np.isnan(found[2]).all()
    alone = ends(find, LogisticRegression(C=2.0), data.X[:, [0, 2]], *data[1:])
    np.testing.assert_allclose(found[[0, 1, 3]], alone, rtol=1e-8)


@BOTH
def test_some_columns_can_be_asked_for_by_name(find):
    X, y = datasets.load_penguins()
    X = X[["species", "body_mass_g"]]
    every = table(find, free(categories="auto"), X, y)
    some = table(find, free(categories="auto"), X, y, columns=["species", "intercept"])
    assert some.index.tolist() == ["species=Chinstrap", "species=Gentoo", "intercept"]
    np.testing.assert_allclose(some, every.loc[some.index], rtol=1e-9)
    assert table(find, free(categories="auto"), X, y, columns="body_mass_g").index.tolist() == ["body_mass_g"]


def test_many_searches_can_travel_in_turns(data, monkeypatch):
    expected = ends(profile_intervals, free(), *data)
    monkeypatch.setattr(likelihood, "MEMORY", 3 * 8 * 16)
    np.testing.assert_allclose(ends(profile_intervals, free(), *data), expected, rtol=1e-9)


def test_searches_that_arrive_nowhere_say_so(data, monkeypatch):
    monkeypatch.setattr(intervals, "MOST_PASSES", 1)
    with pytest.warns(match="Ends of the intervals of 'intercept', 'x0'"):
        found = ends(profile_intervals, free(), *data)
    assert np.isnan(found).all()


@BOTH
def test_what_cannot_be_used_is_refused_in_a_sentence(data, find):
    with pytest.raises(ValueError, match=r"level=1.0 must be less than 1"):
        table(find, free(), *data, level=1.0)
    with pytest.raises(ValueError, match="columns names 'x7', which is not a column"):
        table(find, free(), *data, columns=["x7"])
    with pytest.raises(ValueError, match="without an L1 part or bounds"):
        table(find, LogisticRegression(l1_ratio=0.5), *data)
    clf = free().fit(*data[:3], offset=data[3])
    with pytest.raises(ValueError, match="standard errors from the optimum of these rows"):
        of_fit(find, clf, data.X * 2.0, data.y)


def test_profile_intervals_cover_the_truth_as_often_as_they_say():
    random = np.random.default_rng(3)
    truth, hits = np.array([-0.5, 1.0, 0.0]), 0
    for _ in range(300):
        X = random.standard_normal((120, 2))
        y = random.random(120) < expit(X @ truth[1:] + truth[0])
        low, high = ends(profile_intervals, free(), X, y, level=0.9).T
        hits += (low < truth) & (truth < high)
    assert np.all(np.abs(hits / 300 - 0.9) < 0.05)
