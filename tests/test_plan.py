"""The plan: the right curvature for every shape, a start on samples, and an optimum that does not depend on them."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from logreg import LogisticRegression, plan
from logreg.descent import Descent, Diagonal, FullCurvature, Identity, SampledCurvature
from logreg.penalty import Ridge
from logreg.plan import choose, curvature_rows, null_coefficients, price, start_on_samples
from logreg.rows import MemoryRows
from logreg.solve import solve
from logreg.stop import Limits

N, D = 60_000, 12  # tall enough for samples and for sampled curvature
NO_PENALTY = Ridge(np.zeros(1))


class Shape:
    """Rows of which nothing but the shape is known."""

    def __init__(self, n_rows, n_columns):
        self.n_rows, self.n_columns, self.n_values = n_rows, n_columns, n_rows * n_columns

    def sample(self, n_rows, seed):
        return Shape(min(n_rows, self.n_rows), self.n_columns)


def make_tall(seed=0, n=N):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, D)) @ (np.eye(D) + 0.2) * 10.0 ** np.linspace(-3, 3, D)
    z = X / X.std(axis=0) @ np.linspace(-0.5, 0.5, D) - 1.0
    return X, random.random(n) < 1 / (1 + np.exp(-z))


@pytest.fixture(scope="module")
def tall():
    X, y = make_tall()
    rows = MemoryRows(X, y.astype(np.int8))
    descent = Descent(FullCurvature(1))
    optimum = solve(rows, NO_PENALTY, np.zeros((D + 1, 1)), descent, Limits(tol=1e-10)).coefficients
    return SimpleNamespace(X=X, y=y, rows=rows, optimum=optimum)


def distance(data, coefficients):
    """Return the distance of unpenalised coefficients to the optimum, in standard errors."""
    error = (coefficients - data.optimum)[:, 0]
    return float(np.sqrt(error @ data.rows.sums(data.optimum, "full").curvature[0] @ error))


def coefficients_of(clf):
    return np.append(clf.coef_, clf.intercept_)[:, None]


# Which curvature


def kinds(n, d, solver="auto"):
    return [type(preconditioner) for preconditioner, _ in choose(Shape(n, d), 1, solver, 0)]


@pytest.mark.parametrize(
    ("n", "d", "expected"),
    [
        (2, 1, [FullCurvature]),
        (150, 4, [FullCurvature]),
        (2_201, 14, [FullCurvature]),
        (1_000_000, 1, [FullCurvature]),
        (500_000, 100, [SampledCurvature]),
        (60_000, 500, [SampledCurvature]),
        (100, 2_000, [Diagonal, SampledCurvature]),
        (20_000, 40_000, [Diagonal]),
        (50, 5_000, [Diagonal]),
    ],
)
def test_shape_of_the_data_decides_the_curvature(n, d, expected):
    assert kinds(n, d) == expected


def test_thresholds_are_where_they_are_said_to_be():
    n = int(plan.FULL_FLOPS / (2 * 11**2))
    assert kinds(n, 10) == [FullCurvature]
    assert kinds(n + 1, 10) == [SampledCurvature]
    widest = plan.WIDEST_MATRIX - 1  # and the intercept
    assert kinds(10**6, widest)[-1] is SampledCurvature
    assert kinds(10**6, widest + 1) == kinds(1, widest + 1) == [Diagonal]


@pytest.mark.parametrize(("d", "ruler"), [(10, SampledCurvature), (10_000, Diagonal)])
def test_solvers_asked_for_are_the_ones_used(d, ruler):
    assert kinds(10**6, d, "newton") == [FullCurvature]
    assert kinds(10**6, d, "gradient-descent") == [Identity]
    textbook, _ = next(iter(choose(Shape(10**6, d), 1, "gradient-descent", 0)))
    assert type(textbook.ruler) is ruler


def test_diagonal_gets_as_many_passes_as_the_matrix_costs():
    (_, patience), (_, rest) = choose(Shape(100, 2_000), 1, "auto", 0)
    assert patience == price(Shape(100, 2_000)) >= plan.WORTH_TRYING
    assert rest > 10**9
    assert price(Shape(10**6, 2_000)) < price(Shape(10**5, 2_000)) < price(Shape(100, 2_000))


@pytest.mark.parametrize("max_iter", [2, 3, 4, 100])
def test_matrix_goes_on_where_the_diagonal_was_stopped(max_iter, monkeypatch):
    monkeypatch.setattr(plan, "FULL_FLOPS", 0)
    monkeypatch.setattr(plan, "WORTH_TRYING", 0)
    monkeypatch.setattr(plan, "price", lambda rows: 3)
    X, y = make_tall(n=1_000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf = LogisticRegression(max_iter=max_iter, tol=1e-6).fit(X, y)
    assert clf.solver_ == ("diagonal" if max_iter <= 3 else "sampled-curvature")
    assert clf.n_passes_ == len(clf.history_["objective"]) <= max_iter
    assert (np.diff(clf.history_["objective"]) <= 1e-12).all()
    assert clf.converged_ == (max_iter == 100)
    assert [w.category for w in caught] == ([] if clf.converged_ else [ConvergenceWarning])


def test_curvature_comes_from_enough_rows_for_its_columns_at_a_bounded_cost():
    assert curvature_rows(2) == curvature_rows(500) == plan.SAMPLED_ROWS
    assert curvature_rows(600) == 600 * plan.ROWS_A_COLUMN
    for d in range(1, plan.WIDEST_MATRIX):
        assert curvature_rows(d) >= 2 * d
        assert 2 * curvature_rows(d) * d**2 <= max(plan.SAMPLED_FLOPS, 4 * d**3)


# Where to start


def test_start_without_columns_is_the_log_odds_of_the_mean_outcome():
    rows = MemoryRows(np.zeros((8, 2)), np.array([1, 0, 0, 0, 1, 0, 0, 0], dtype=np.int8))
    np.testing.assert_allclose(null_coefficients(rows, 3, True), np.repeat([[0.0], [0.0], [np.log(1 / 3)]], 3, axis=1))
    assert not null_coefficients(rows, 3, False).any()


@pytest.mark.parametrize("seed", range(5))
def test_start_on_samples_is_as_near_as_the_largest_sample_can_tell(tall, seed):
    start = start_on_samples(tall.rows, NO_PENALTY, "auto", True, seed)
    largest = 4 * plan.FIRST_SAMPLE  # the last to be no more than a third of all rows
    sampling_error = np.sqrt((D + 1) * N / largest)
    assert distance(tall, start) < 3 * sampling_error
    assert distance(tall, null_coefficients(tall.rows, 1, True)) > 10 * sampling_error


def test_start_on_samples_reads_no_more_than_the_samples(tall, monkeypatch):
    monkeypatch.setattr(tall.rows, "sums", None)
    sizes, sample = [], tall.rows.sample
    monkeypatch.setattr(tall.rows, "sample", lambda n, seed: sizes.append(n) or sample(n, seed))
    start_on_samples(tall.rows, NO_PENALTY, "auto", True, 0)
    assert sizes == [plan.FIRST_SAMPLE, 4 * plan.FIRST_SAMPLE]


@pytest.mark.parametrize("solver", ["newton", "gradient-descent"])
def test_textbook_methods_and_small_data_start_without_samples(tall, solver):
    null = null_coefficients(tall.rows, 1, True)
    np.testing.assert_array_equal(start_on_samples(tall.rows, NO_PENALTY, solver, True, 0), null)
    few = MemoryRows(tall.X[:3_000], tall.y[:3_000].astype(np.int8))
    np.testing.assert_array_equal(start_on_samples(few, NO_PENALTY, "auto", True, 0), null_coefficients(few, 1, True))


def test_warm_start_at_the_optimum_takes_one_pass(tall):
    start = plan.fit(tall.rows, NO_PENALTY, "auto", Limits(1e-6))[0].coefficients
    solution = plan.fit(tall.rows, NO_PENALTY, "auto", Limits(1e-4), start=start)[0]
    assert len(solution.history) == 1
    np.testing.assert_allclose(solution.coefficients, start, rtol=1e-12)


@pytest.mark.parametrize("start", [1e3, -1e9])
def test_start_worse_than_none_is_dropped(tall, start):
    found = [
        plan.fit(tall.rows, NO_PENALTY, "auto", Limits(1e-4), start=W)[0].coefficients
        for W in (np.full((D + 1, 1), start), null_coefficients(tall.rows, 1, True))
    ]
    np.testing.assert_array_equal(*found)


# What it may not depend on


def test_optimum_is_reached_within_the_tolerance_whatever_the_seed(tall):
    for seed in range(6):
        for tol in (1e-2, 1e-5):
            clf = LogisticRegression(penalty=None, random_state=seed, tol=tol).fit(tall.X, tall.y)
            assert clf.solver_ == "sampled-curvature"
            assert distance(tall, coefficients_of(clf)) < 2 * tol
            assert clf.n_passes_ <= 10


def test_same_seed_gives_the_same_bits(tall):
    first, again, other = (LogisticRegression(random_state=seed).fit(tall.X, tall.y).coef_ for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(*(LogisticRegression().fit(tall.X, tall.y).coef_ for _ in "12"))


@pytest.mark.parametrize("order", [np.argsort, lambda y: np.argsort(~y)], ids=["negatives first", "positives first"])
def test_data_sorted_by_outcome_fit_as_shuffled(tall, order):
    by_outcome = order(tall.y)
    clf = LogisticRegression(penalty=None).fit(tall.X[by_outcome], tall.y[by_outcome])
    assert distance(tall, coefficients_of(clf)) < 2e-4
    assert clf.n_passes_ <= 10


@pytest.mark.parametrize("n_positive", [20, N - 20])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_class_of_twenty_rows_is_fitted_right(tall, n_positive, class_weight):
    y = np.zeros(N, dtype=bool)
    y[np.argsort(tall.X[:, 0] / tall.X[:, 0].std() + np.random.default_rng(0).logistic(size=N))[-n_positive:]] = True
    clf = LogisticRegression(class_weight=class_weight).fit(tall.X, y)
    exact = LogisticRegression(class_weight=class_weight, solver="newton", tol=1e-9).fit(tall.X, y)
    sd = tall.X.std(axis=0)
    np.testing.assert_allclose(clf.coef_ * sd, exact.coef_ * sd, atol=1e-4)


@pytest.mark.parametrize("row", [0, 31_415, N - 1])
@pytest.mark.parametrize("value", [1.0, 1e-3, 1e3])
def test_column_of_a_single_row_is_fitted_right_though_no_sample_sees_it(tall, row, value):
    rare = np.zeros((N, 1))
    rare[row] = value
    X = np.hstack([tall.X, rare])
    clf = LogisticRegression().fit(X, tall.y)
    exact = LogisticRegression(solver="newton", tol=1e-10).fit(X, tall.y)
    np.testing.assert_allclose(clf.coef_[0, -1], exact.coef_[0, -1], rtol=1e-3)
    assert clf.solver_ == "sampled-curvature"
    assert clf.n_passes_ <= 15


def test_unpenalised_column_of_four_rows_is_fitted_right(tall):
    rare = np.zeros((N, 1))
    rare[np.concatenate([np.flatnonzero(tall.y)[:3], np.flatnonzero(~tall.y)[:1]])] = 1.0
    X = np.hstack([tall.X, rare])
    clf = LogisticRegression(penalty=None).fit(X, tall.y)
    exact = LogisticRegression(penalty=None, solver="newton", tol=1e-10).fit(X, tall.y)
    np.testing.assert_allclose(clf.coef_[0, -1], exact.coef_[0, -1], atol=2e-4)  # its standard error is about 1


# Separation that only some rows show


@pytest.mark.parametrize("max_iter", [1, 2, 4, 6, 8, 12, 100])
def test_column_of_few_rows_and_one_outcome_is_told_within_max_iter_passes(tall, max_iter):
    rare = np.zeros((N, 1))
    rare[np.flatnonzero(tall.y)[:30]] = 1.0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf = LogisticRegression(penalty=None, max_iter=max_iter).fit(np.hstack([tall.X, rare]), tall.y)
    assert clf.n_passes_ <= max_iter
    assert len(clf.history_["objective"]) == clf.n_passes_
    assert not clf.converged_
    assert [w.category for w in caught] == [ConvergenceWarning]
    if max_iter == 100:
        assert "separates the outcomes" in str(caught[0].message)
        assert f"fastest those of x{D};" in str(caught[0].message)
