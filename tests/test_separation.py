"""Separation is told exactly: which rows, which coefficients, and what a fit without a penalty tends to."""

import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from logreg import LogisticRegression
from logreg.datasets import load_breast_cancer, load_endometrial, load_titanic
from logreg.detect import detect_separation
from logreg.inference import margins, recession, separation
from logreg.inference.separation import limits_of
from logreg.inference.suspicion import suspicious
from logreg.setup import Setup

INF = np.inf


def setup_of(X, y, weight=None, fit_intercept=True, offset=None):
    clf = LogisticRegression(penalty=None, fit_intercept=fit_intercept)
    return Setup.learn(clf, X, y, weight, offset, drop_first=True)


def limit_fit(X, y, weight=None, fit_intercept=True, offset=None):
    with setup_of(X, y, weight, fit_intercept, offset) as setup:
        found = detect_separation(X, y, weight, fit_intercept=fit_intercept)
        return limits_of(setup.rows, found, setup.problem.total_weight)


def overlapping(n=400, d=3, seed=0):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d))
    return X, (X @ np.linspace(1, -1, d) + random.logistic(size=n) > 0).astype(int)


def rare_dummy(n=2_000, seed=0):
    """Two columns that overlap, and a dummy of 1 % of the rows, all of the second class."""
    X, y = overlapping(n, 2, seed)
    dummy = np.random.default_rng(seed + 1).random(n) < 0.01
    return np.column_stack([X, dummy]), np.where(dummy, 1, y)


def assert_proves(found, X, y, weight=None):
    """Check the recession direction on the rows: it keeps all that count, and moves those that are separated."""
    X = np.asarray(X, dtype=float)
    margins = (2 * np.asarray(y) - 1) * (X @ found.recession[:-1] + found.recession[-1])
    separated = np.ones(len(X), dtype=bool) if weight is None else np.asarray(weight) > 0
    separated[found.rows] = False
    largest = (np.abs(X) @ np.abs(found.recession[:-1]) + np.abs(found.recession[-1])).max(initial=0.0)
    assert (margins[separated] > 1e-9 * largest).all()
    assert (np.abs(margins[found.rows]) <= 1e-9 * largest).all()


def exact(X, y, fit_intercept):
    """Return the rows left, and the least and largest entry of each coefficient over all extreme rays, in integers.

    An extreme ray of the receding directions keeps d - 1 independent margins at 0, which leaves it one line: all of
    them are tried.
    """
    A = (np.column_stack([X, np.ones(len(X), dtype=int)]) if fit_intercept else X) * (2 * y - 1)[:, None]
    d = A.shape[1]
    some = A[np.array(list(combinations(range(len(A)), d - 1)), dtype=int)]
    minors = [(-1) ** j * np.linalg.det(np.delete(some, j, axis=2)) for j in range(d)]
    lines = np.unique(np.rint(np.stack(minors, axis=1)).astype(int), axis=0)
    lines = lines[lines.any(axis=1)]
    lines = np.vstack([lines, -lines])
    margins = lines @ A.T
    recede = (margins >= 0).all(axis=1)
    rays = np.vstack([lines[recede], np.zeros((1, d), dtype=int)])
    return np.flatnonzero(~(margins[recede] > 0).any(axis=0)), rays.min(axis=0), rays.max(axis=0)


@pytest.fixture(params=["by proofs", "by programs"])
def way(request, monkeypatch):
    """Let Newton steps prove what they can, or leave all to linear programs."""
    monkeypatch.setattr(separation, "FAST_PROGRAMS", -1 if request.param == "by proofs" else 10_000)
    return request.param


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_small_integers_agree_with_all_their_extreme_rays(way, fit_intercept):
    kinds = {None: 0, "quasi": 0, "complete": 0}
    random = np.random.default_rng(3)
    for _ in range(250):
        n, d = int(random.integers(5, 15)), int(random.integers(1, 4))
        X = random.integers(-2, 3, (n, d)) * (random.random((n, d)) < 0.7)
        y = (X @ random.integers(-2, 3, d) + random.normal(size=n) > 0).astype(int)
        whole = np.column_stack([X, np.ones(n)]) if fit_intercept else X
        if np.ptp(y) == 0 or np.linalg.matrix_rank(whole) < whole.shape[1]:
            continue
        found = detect_separation(X, y, fit_intercept=fit_intercept)
        left, least, largest = exact(X, y, fit_intercept)
        np.testing.assert_array_equal(found.rows, left)
        assert_proves(found, X, y)
        kinds[found.kind] += 1
        directions = found.directions if fit_intercept else found.directions[:-1]
        finite, either = (least == 0) & (largest == 0), (least < 0) & (largest > 0)
        np.testing.assert_array_equal(directions == 0, finite)
        np.testing.assert_array_equal(directions[~either & ~finite], np.where(least < 0, -INF, INF)[~either & ~finite])
    assert min(kinds.values()) >= 25, kinds


def test_endometrial_has_the_limits_of_detectseparation(way):
    X, y = load_endometrial()
    found = detect_separation(X, y)
    assert found.kind == "quasi"
    assert found.frame().to_dict("list") == {
        "term": ["intercept", "NV", "PI", "EH"],
        "limit": ["finite", INF, "finite", "finite"],
    }
    np.testing.assert_array_equal(found.rows, np.flatnonzero(X["NV"] == 0))
    limit = limit_fit(X, y)
    np.testing.assert_allclose(limit.coefficients, [INF, -0.0421834, -2.9026056, 4.3045178], rtol=0, atol=1e-7)
    np.testing.assert_allclose(limit.standard_errors, [INF, 0.04433196, 0.84555156, 1.63729861], rtol=0, atol=1e-7)
    assert limit.deviance == pytest.approx(55.393, abs=5e-4)
    assert str(found) == (
        "A combination of the columns separates the outcomes in part, in 13 of 79 rows, so without a penalty there is "
        "no finite optimum: coefficients would grow without end, those of 'NV'."
    )


def test_limits_are_what_strong_and_stronger_fits_approach():
    X, y = load_endometrial()
    clf = LogisticRegression(C=1e9, tol=1e-8, max_iter=1_000, penalty_factor={"PI": 0, "EH": 0}).fit(X, y)
    limit = limit_fit(X, y)
    np.testing.assert_allclose(clf.coef_[0, 1:], limit.coefficients[1:3], rtol=1e-5)
    np.testing.assert_allclose(clf.intercept_, limit.coefficients[3], rtol=1e-5)


def test_overlap_has_a_finite_limit_that_is_the_fit(way):
    X, y = overlapping()
    weight, offset = np.linspace(0.5, 7, len(y)), np.linspace(-1, 1, len(y))
    found = detect_separation(X, y)
    assert found.kind is None
    assert not found.directions.any()
    assert not found.recession.any()
    assert len(found.rows) == len(y)
    assert "no combination" in str(found).lower()
    clf = LogisticRegression(penalty=None, tol=1e-9).fit(X, y, weight, offset=offset)
    limit = limit_fit(X, y, weight, offset=offset)
    np.testing.assert_allclose(limit.coefficients, [*clf.coef_[0], *clf.intercept_], rtol=1e-8)
    p = clf.predict_proba(X, offset)[:, 1]
    Z = np.column_stack([X, np.ones(len(X))])
    covariance = np.linalg.inv(Z.T @ ((weight * p * (1 - p))[:, None] * Z))
    np.testing.assert_allclose(limit.standard_errors, np.sqrt(np.diag(covariance)), rtol=1e-8)
    assert limit.deviance == pytest.approx(-2 * weight @ np.log(np.where(y, p, 1 - p)), rel=1e-10)


def test_complete_separation_leaves_no_row(way):
    X, y = load_breast_cancer()
    found = detect_separation(X, y)
    assert (found.kind, len(found.rows)) == ("complete", 0)
    assert_proves(found, X, y)
    assert np.isinf(found.directions).all()
    limit = limit_fit(X, y)
    assert limit.deviance == 0.0
    np.testing.assert_array_equal(limit.coefficients, found.directions)


def test_one_row_in_the_way_makes_the_difference(way):
    x = np.linspace(-1, 1, 5_000)
    y = (x > 0).astype(int)
    assert detect_separation(x[:, None], y).kind == "complete"
    touching = x.copy()
    touching[2_500] = touching[2_499]
    found = detect_separation(touching[:, None], y)
    assert found.kind == "quasi"
    np.testing.assert_array_equal(found.rows, [2_499, 2_500])
    y[0] = 1
    assert detect_separation(x[:, None], y).kind is None


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6, 1e-7])
def test_a_narrow_gap_counts(way, gap):
    x = np.concatenate([np.linspace(-1, -gap / 2, 300), np.linspace(gap / 2, 1, 300)])
    y = np.repeat([0, 1], 300)
    assert detect_separation(x[:, None], y).kind == "complete"
    x[[299, 300]] = x[[300, 299]]
    assert detect_separation(x[:, None], y).kind is None


FORMS = {
    "array": lambda X: X,
    "by column": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "CSR": sparse.csr_matrix,
    "CSC": sparse.csc_array,
    "CSR of float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "frame": lambda X: pd.DataFrame(X, columns=["a", "b", "rare"]),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_a_rare_dummy_of_one_outcome_goes_to_infinity_in_every_form(way, form, seed):
    X, y = rare_dummy(seed=seed)
    found = detect_separation(form(X), y)
    assert found.kind == "quasi"
    np.testing.assert_array_equal(found.directions, [0, 0, INF, 0])
    np.testing.assert_array_equal(found.rows, np.flatnonzero(X[:, 2] == 0))
    limit, rest = limit_fit(form(X), y), X[:, 2] == 0
    clf = LogisticRegression(penalty=None, tol=1e-9).fit(X[rest, :2], y[rest])
    np.testing.assert_allclose(limit.coefficients, [*clf.coef_[0], INF, *clf.intercept_], rtol=1e-5)


def test_two_dummies_go_their_ways_and_an_intercept_between_levels_goes_too(way):
    X, y = rare_dummy()
    other = (X[:, 2] == 0) & (np.arange(len(X)) % 50 == 0)
    y[other] = 0
    found = detect_separation(np.column_stack([X, other]), y)
    np.testing.assert_array_equal(found.directions, [0, 0, INF, -INF, 0])
    level = np.arange(60) % 3  # of which the first, which has no coefficient, is all of one class
    y = np.where(level == 0, 1, np.arange(60) // 3 % 2)
    found = detect_separation(np.column_stack([level == 1, level == 2]).astype(float), y)
    np.testing.assert_array_equal(found.directions, [-INF, -INF, INF])
    np.testing.assert_array_equal(found.rows, np.flatnonzero(level > 0))


def test_category_columns_are_named_by_level(way):
    frame = pd.DataFrame({"site": ["north", "south", "west"] * 40, "dose": np.arange(120) % 7})
    y = np.where(frame["site"] == "west", "yes", np.where(np.arange(120) // 3 % 2, "yes", "no"))
    found = detect_separation(frame, y, categories="auto")
    assert found.kind == "quasi"
    assert dict(found.frame().to_numpy().tolist())["site=west"] == INF
    assert (found.frame()["limit"] == "finite").sum() == 3


def test_far_columns_are_judged_by_what_varies(way):
    X, y = rare_dummy()
    far = X + np.array([1e6, -1e9, 0])
    found = detect_separation(far, y)
    np.testing.assert_array_equal(found.directions, [0, 0, INF, 0])
    x = np.arange(40.0)
    found = detect_separation((1e6 + x)[:, None], x > 19)
    assert found.kind == "complete"
    np.testing.assert_array_equal(found.directions, [INF, -INF])


def test_columns_somewhat_far_from_zero_keep_the_digits_that_tell_what_is_finite(way):
    """Their products cancel at 900 standard deviations from zero, where columns are not yet read as far ones."""
    X, y = rare_dummy()
    found = detect_separation(X + np.array([900.0, -500.0, 0.0]), y)
    np.testing.assert_array_equal(found.directions, [0, 0, INF, 0])
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    found = detect_separation(X @ turn + np.array([900.0, -500.0, 90.0]), y)  # all columns have a part of the dummy
    np.testing.assert_array_equal(found.rows, np.flatnonzero(X[:, 2] == 0))
    np.testing.assert_array_equal(found.directions[:-1], np.where(turn[2] > 0, INF, -INF))


def test_units_change_nothing(way):
    X, y = rare_dummy()
    found = detect_separation(X * [1e-12, 1e9, 1e5], y)
    np.testing.assert_array_equal(found.directions, [0, 0, INF, 0])


def test_repeated_columns_are_open_and_hide_nothing(way):
    X, y = rare_dummy()
    repeated = np.column_stack([X[:, 2], X, X[:, 0] - X[:, 1], np.ones(len(X))])
    found = detect_separation(repeated, y)
    np.testing.assert_array_equal(found.directions, [INF, 0, 0, np.nan, np.nan, np.nan, 0])
    assert found.frame()["limit"].tolist() == ["finite", INF, "finite", "finite", "open", "open", "open"]
    np.testing.assert_array_equal(found.rows, np.flatnonzero(X[:, 2] == 0))
    limit, plain = limit_fit(repeated, y), limit_fit(X, y)
    np.testing.assert_allclose(limit.coefficients[[1, 2, 6]], plain.coefficients[[0, 1, 3]], rtol=1e-9)
    np.testing.assert_allclose(limit.standard_errors[[1, 2, 6]], plain.standard_errors[[0, 1, 3]], rtol=1e-9)
    assert np.isnan(limit.coefficients[3:6]).all()
    X, y = overlapping()
    assert detect_separation(np.column_stack([X, X]), y).kind is None


def test_constant_columns_alone_separate_nothing(way):
    found = detect_separation(np.ones((6, 2)), [0, 1] * 3)
    assert found.kind is None
    assert np.isnan(found.directions[:2]).all()


@pytest.mark.parametrize("d", [30, 200, 600])
def test_wide_data_are_separated_completely(way, d):
    random = np.random.default_rng(d)
    X, y = random.standard_normal((30, d)), np.arange(30) % 2
    found = detect_separation(X, y)
    assert found.kind == "complete"
    assert_proves(found, X, y)
    assert np.isinf(found.directions).sum() == 30
    X[1] = X[0]  # the same row in both classes
    found = detect_separation(X, y)
    np.testing.assert_array_equal(found.rows, [0, 1])


def test_an_intercept_can_separate_and_is_not_invented(way):
    x = np.array([1.0, 2.0, 3.0, 4.0])[:, None]
    assert detect_separation(x, [0, 0, 1, 1]).kind == "complete"
    found = detect_separation(x, [0, 0, 1, 1], fit_intercept=False)
    assert found.kind is None
    assert found.frame()["term"].tolist() == ["x0"]
    found = detect_separation(x - 2.5, [0, 0, 1, 1], fit_intercept=False)
    assert (found.kind, found.directions.tolist()) == ("complete", [INF, 0.0])


def test_limits_without_an_intercept_may_be_of_rows_of_one_class(way):
    X = np.array([[1.0, 0], [-2.0, 0], [0.5, 1.0], [1.5, -1.0]])
    y = [1, 1, 1, 0]
    found = detect_separation(X, y, fit_intercept=False)
    np.testing.assert_array_equal(found.rows, [0, 1])
    np.testing.assert_array_equal(found.directions, [0, INF, 0])
    a = limit_fit(X, y, fit_intercept=False).coefficients[0]
    assert 1 / (1 + np.exp(a)) == pytest.approx(2 / (1 + np.exp(-2 * a)))


def test_rows_twice_and_rows_of_weight_0_are_that(way):
    X, y = rare_dummy()
    once = detect_separation(X, y)
    twice = detect_separation(np.vstack([X, X]), np.append(y, y))
    np.testing.assert_array_equal(twice.directions, once.directions)
    np.testing.assert_array_equal(twice.rows, np.append(once.rows, once.rows + len(X)))
    in_the_way = np.vstack([X, [[0.0, 0.0, 1.0]]]), np.append(y, 0)
    assert detect_separation(*in_the_way).kind is None
    weight = np.append(np.full(len(y), 1e-200), 0.0)
    found = detect_separation(*in_the_way, weight)
    np.testing.assert_array_equal(found.rows, once.rows)
    assert found.n_rows == len(y)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("kind", [None, "quasi", "complete"])
def test_few_rows_at_a_time_find_the_same(monkeypatch, kind, form):
    random = np.random.default_rng(5)
    X = random.standard_normal((3_000, 5)) * (random.random((3_000, 5)) < 0.5)
    z = X @ [1, -1, 2, 0.5, -0.3]
    y = (z > 0.3).astype(int)
    if kind != "complete":
        y[np.argmin(z)] = 1
    if kind == "quasi":
        X[:, 4] = random.random(3_000) * (random.random(3_000) < 0.05) * (z > z.min())
        y[X[:, 4] > 0] = 1
    expected = detect_separation(form(X), y)
    assert expected.kind == kind
    monkeypatch.setattr(margins, "FIRST_ROWS", 20)
    monkeypatch.setattr(margins, "FIRST_ROWS_A_COLUMN", 2)
    monkeypatch.setattr(margins, "MORE_ROWS", 10)
    monkeypatch.setattr(recession, "FEW_ROWS", 100)
    found = detect_separation(form(X), y)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.directions == 0, expected.directions == 0)
    assert_proves(found, X, y)


@pytest.mark.parametrize(("seed", "spread"), [(119, 0.1), (107, 0.3)])
def test_programs_in_which_highs_loses_its_way_are_solved_in_a_smaller_box(seed, spread):
    random = np.random.default_rng(seed)
    n, d = int(random.integers(30, 300)), int(random.integers(2, 7))
    X = random.normal(size=(n, d))
    X[:, 0] = random.random(n) < 0.05
    y = (X[:, -1] - 1 + spread * random.logistic(size=n) > 0).astype(int)
    found = detect_separation(X, y)
    assert found.kind == "quasi"
    assert_proves(found, X, y)
    assert suspects(X[found.rows], y[found.rows]).size == 0  # an independent proof that nothing separates the others


def suspects(X, y, weight=None, fit_intercept=True):
    with warnings.catch_warnings(), setup_of(X, y, weight, fit_intercept) as setup:
        warnings.simplefilter("ignore")
        clf = LogisticRegression(penalty=None, fit_intercept=fit_intercept).fit(X, y, weight)
        W = setup.rows.from_user_units(np.append(clf.coef_[0], clf.intercept_ * fit_intercept)[:, None])
        return suspicious(setup.rows, W, intercept=fit_intercept)


def test_a_fit_of_overlapping_rows_proves_that_they_overlap():
    X, y = overlapping()
    assert suspects(X, y).size == 0
    assert suspects(X, y, fit_intercept=False).size == 0
    assert suspects(np.column_stack([X, X[:, 0] + X[:, 1]]), y).size == 0
    titanic, survived = load_titanic()
    numbers = titanic.select_dtypes("number").fillna(0.0)
    assert suspects(numbers, survived).size == 0


def test_separated_rows_are_suspicious():
    X, y = rare_dummy()
    np.testing.assert_array_equal(suspects(X, y), np.flatnonzero(X[:, 2]))
    X, y = load_endometrial()
    np.testing.assert_array_equal(suspects(X, y), np.flatnonzero(X["NV"]))
    assert suspects(*load_breast_cancer()).size > 0


def test_no_separated_row_is_ever_taken_for_overlapping():
    random = np.random.default_rng(11)
    separated = 0
    for _ in range(150):
        n, d = int(random.integers(8, 40)), int(random.integers(1, 4))
        X = random.integers(-2, 3, (n, d)) * (random.random((n, d)) < 0.6)
        y = (X @ random.normal(size=d) * 2 + random.logistic(size=n) > 0).astype(int)
        if np.ptp(y) == 0:
            continue
        found = detect_separation(X, y)
        separated += found.kind is not None
        assert (suspects(X, y).size > 0) == (found.kind is not None)
    assert separated >= 30


def test_what_cannot_be_used_is_said_as_in_a_fit():
    X, y = overlapping()
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"^Input X contains NaN, first in column 1, row 3"):
        detect_separation(X, y)
    with pytest.raises(ValueError, match=r"^y holds only one class"):
        detect_separation(X, np.ones(len(X)))
    with pytest.raises(ValueError, match=r"^X has 3,001 columns, and separation"):
        detect_separation(np.zeros((4, 3_001)), [0, 1, 0, 1])


def test_tables_with_far_and_repeated_columns_have_the_limits_of_near_ones(way):
    random = np.random.default_rng(2)
    site, dose = random.choice(["north", "south", "west"], 300), random.normal(size=300)
    y = np.where(site == "west", 1, (dose + random.logistic(size=300) > 0).astype(int))

    def limits(frame):
        clf = LogisticRegression(penalty=None, categories="auto")
        with Setup.learn(clf, frame, y, None, None, drop_first=True) as setup:
            found = detect_separation(frame, y, categories="auto")
            return found, limits_of(setup.rows, found)

    near, near_limit = limits(pd.DataFrame({"dose": dose, "site": site}))
    far, far_limit = limits(pd.DataFrame({"dose": dose + 1e6, "again": 2 * dose, "site": site}))
    assert near.frame()["limit"].tolist() == ["finite", "finite", "finite", INF]
    assert far.frame()["limit"].tolist() == ["finite", "finite", "open", "finite", INF]
    slope = near_limit.coefficients[0]
    np.testing.assert_allclose(far_limit.coefficients[[0, 2]], near_limit.coefficients[[0, 1]], rtol=1e-6)
    assert far_limit.coefficients[-1] == pytest.approx(near_limit.coefficients[-1] - 1e6 * slope, rel=1e-6)
    np.testing.assert_allclose(far_limit.standard_errors[[0, 2]], near_limit.standard_errors[[0, 1]], rtol=1e-6)
    assert far_limit.deviance == pytest.approx(near_limit.deviance)


def test_a_column_left_out_of_the_model_separates_nothing():
    X, y = overlapping()
    with_copy = np.column_stack([X, y])
    clf = LogisticRegression(penalty=None, penalty_factor=[0, 0, 0, np.inf]).fit(with_copy, y)
    assert clf.separation_ is None
    expected = LogisticRegression(penalty=None).fit(X, y).coef_[0]
    np.testing.assert_allclose(clf.coef_[0], np.append(expected, 0.0), rtol=1e-6)


def test_the_limits_of_a_separated_fit_leave_out_what_the_model_does():
    X, y = load_endometrial()
    frame = X.assign(copy=1.0 * y)
    with pytest.warns(ConvergenceWarning, match="NV"):
        clf = LogisticRegression(penalty=None, penalty_factor={"copy": np.inf}).fit(frame, y)
    with pytest.warns(ConvergenceWarning, match="NV"):
        expected = LogisticRegression(penalty=None).fit(X, y).summary().frame
    frame = clf.summary().frame.iloc[:-1]
    np.testing.assert_allclose(frame["estimate"], expected["estimate"], rtol=1e-6)
    np.testing.assert_allclose(frame["std_error"], expected["std_error"], rtol=1e-6)
