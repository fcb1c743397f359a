"""The plan: the right curvature for every shape, a start on samples, and an optimum that does not depend on them."""

import warnings
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from logreg import LogisticRegression, plan
from logreg.descent import Descent
from logreg.penalty import Ridge
from logreg.plan import choose, curvature_rows, null_coefficients, price, row_price, start_on_samples
from logreg.preconditioner import Diagonal, FullCurvature, Identity
from logreg.rows import MemoryRows, memory
from logreg.sampled import HotBlock, SampledCurvature
from logreg.solve import solve
from logreg.stop import Limits

N, D = 60_000, 12  # tall enough for samples and for sampled curvature
NO_PENALTY = Ridge(np.zeros(1))


class Shape:
    """Rows of which nothing but the shape is known."""

    is_sample = False
    flops_a_value = memory.FAST_FLOPS
    reading_a_value = 1.0

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
        (20_000, 40_000, [Diagonal, HotBlock]),
        (50, 5_000, [Diagonal, HotBlock]),
    ],
)
def test_shape_of_the_data_decides_the_curvature(n, d, expected):
    assert kinds(n, d) == expected


def test_thresholds_are_where_they_are_said_to_be():
    n = int((plan.FULL_FLOPS - 11**3 / 3) / (2 * 11**2))
    assert kinds(n, 10) == [FullCurvature]
    assert kinds(n + 1, 10) == [SampledCurvature]
    widest = plan.WIDEST_MATRIX - 1  # and the intercept
    assert kinds(10**6, widest)[-1] is SampledCurvature
    assert kinds(10**6, widest + 1) == kinds(1, widest + 1) == [Diagonal, HotBlock]


@pytest.mark.parametrize(("d", "ruler"), [(10, SampledCurvature), (10_000, Diagonal)])
def test_solvers_asked_for_are_the_ones_used(d, ruler):
    assert kinds(10**6, d, "newton") == [FullCurvature]
    assert kinds(10**6, d, "gradient-descent") == [Identity]
    textbook, _ = next(iter(choose(Shape(10**6, d), 1, "gradient-descent", 0)))
    assert type(textbook.ruler) is ruler


def test_sparse_rows_whose_curvature_is_dear_try_the_diagonal_first(monkeypatch):
    monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    X = sparse.random(20_000, 1_500, 0.005, format="csr", random_state=0)
    y = np.arange(20_000, dtype=np.int8) % 2
    first, _ = next(choose(MemoryRows(X, y), 1, "auto", 0))
    assert type(first) is Diagonal
    dense, _ = next(choose(MemoryRows(X.toarray(), y), 1, "auto", 0))
    assert type(dense) is SampledCurvature


def test_wide_data_give_the_diagonal_a_chance_before_a_hot_block():
    (_, patience), (block, rest) = choose(Shape(10**6, 40_000), 1, "auto", 0)
    assert plan.WIDE_PATIENCE <= patience < 2 * plan.WIDE_PATIENCE
    assert (block.rows.n_rows, block.n_columns) == (plan.HOT_ROWS, plan.HOT_COLUMNS)
    assert rest > 10**9


def test_diagonal_gets_as_many_passes_as_the_matrix_costs():
    (_, patience), (_, rest) = choose(Shape(100, 2_000), 1, "auto", 0)
    assert patience == int(price(Shape(100, 2_000))) >= plan.WORTH_TRYING
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
    assert curvature_rows(Shape(30_000, 2)) == curvature_rows(Shape(30_000, 499)) == plan.SAMPLED_ROWS
    assert curvature_rows(Shape(30_000, 599)) == 600 * plan.ROWS_A_COLUMN
    for n, d in product([10**3, 10**5, 10**7], range(1, plan.WIDEST_MATRIX, 7)):
        rows = Shape(n, d)
        m = curvature_rows(rows)
        assert m >= 2 * (d + 1)
        cheap = 2 * m * (d + 1) ** 2 <= max(plan.SAMPLED_FLOPS, 4 * (d + 1) ** 3)
        as_a_pass = m * row_price(rows) <= rows.n_values
        assert cheap or as_a_pass
        assert m <= max(plan.SAMPLED_ROWS, plan.MOST_ROWS_A_COLUMN * (d + 1))


def test_curvature_comes_from_more_rows_the_less_it_costs_beside_a_pass():
    counts = [curvature_rows(Shape(n, 100)) for n in (10**4, 10**5, 10**6, 10**7)]
    assert counts == sorted(counts)
    assert counts[0] == plan.SAMPLED_ROWS < counts[1] < counts[2] == counts[3] == 101 * plan.MOST_ROWS_A_COLUMN


@pytest.mark.parametrize("d", [1, 12, 300, 2_500])
def test_price_is_in_passes_over_the_rows(d):
    prices = [price(Shape(n, d)) for n in (10**6, 10**7, 10**8)]
    assert prices[0] >= prices[1] >= prices[2] > 0
    whole = Shape(2 * d, d)  # all of them are sampled, a product of d by d
    factor = (d + 1) ** 3 / 3 / memory.FAST_FLOPS
    squares = 2 * (d + 1) ** 2 / memory.FAST_FLOPS
    assert price(whole) == pytest.approx((2 * d * (d + squares) + factor) / (2 * d**2 + 1))


# Where to start


def test_start_without_columns_is_the_log_odds_of_the_mean_outcome():
    rows = MemoryRows(np.zeros((8, 2)), np.array([1, 0, 0, 0, 1, 0, 0, 0], dtype=np.int8))
    np.testing.assert_allclose(null_coefficients(rows, 3, True), np.repeat([[0.0], [0.0], [np.log(1 / 3)]], 3, axis=1))
    assert not null_coefficients(rows, 3, False).any()


SIZES = [1_000, 8_000]  # the next were more than a sixth of all rows
LARGEST = SIZES[-1]


@pytest.fixture
def two_samples(monkeypatch):
    """Let samples begin small enough for two of them."""
    monkeypatch.setattr(plan, "FIRST_SAMPLE", SIZES[0])


@pytest.mark.parametrize("seed", range(5))
def test_start_on_samples_is_as_near_as_the_largest_sample_can_tell(tall, seed, two_samples):
    start = start_on_samples(tall.rows, NO_PENALTY, "auto", True, seed)
    sampling_error = np.sqrt((D + 1) * N / LARGEST)
    assert distance(tall, start) < 2 * sampling_error
    assert distance(tall, null_coefficients(tall.rows, 1, True)) > 7 * sampling_error


def test_start_on_samples_reads_no_more_than_the_samples(tall, two_samples, monkeypatch):
    monkeypatch.setattr(tall.rows, "sums", None)
    sizes, sample = [], tall.rows.sample
    monkeypatch.setattr(tall.rows, "sample", lambda n, seed: sizes.append(n) or sample(n, seed))
    start_on_samples(tall.rows, NO_PENALTY, "auto", True, 0)
    assert sizes == SIZES


@pytest.mark.parametrize(("d", "distance"), [(3, 1.0), (15, 1.0), (63, 2.0)])
def test_samples_are_left_within_a_share_of_what_they_cannot_tell(d, distance, two_samples, monkeypatch):
    random = np.random.default_rng(0)
    rows = MemoryRows(random.standard_normal((N, d)), random.integers(0, 2, N, dtype=np.int8))
    found, descend = [], plan.descend

    def watched(sample, penalty, start, solver, limits, intercept, seed):
        found.append((limits.tol, descend(sample, penalty, start, solver, limits, intercept, seed)))
        return found[-1][1]

    monkeypatch.setattr(plan, "descend", watched)
    start_on_samples(rows, NO_PENALTY, "auto", True, 0)
    assert [tol for tol, _ in found] == [distance] * 2
    for _, solution in found:
        assert solution.history[-1].decrement[0] <= distance


def levels(counts, n=1_000):
    """Return a 0/1 column for each count, of rows one after the other."""
    X, start = np.zeros((n, len(counts))), 0
    for j, count in enumerate(counts):
        X[start : start + count, j] = 1.0
        start += count
    return X


def test_rows_behind_a_level_are_counted_whatever_its_units():
    counts = [1, 7, 300]
    centred = np.random.default_rng(0).standard_normal((1_000, 1))
    rows = MemoryRows(np.hstack([levels(counts) * [1.0, 1e-6, -1e6], centred]), np.arange(1_000, dtype=np.int8) % 2)
    found = plan.rows_behind(rows.sums(np.zeros((5, 1)), "diagonal"), 1_000)
    np.testing.assert_allclose(found[:3], counts, rtol=1e-10)
    assert found[3] < 10


def test_levels_of_one_outcome_look_saturated_and_no_others():
    y = np.arange(1_000) % 2
    X = levels([40, 40, 40])
    y[:40], y[40:80] = 0, 1
    rows = MemoryRows(X, y.astype(np.int8))
    W = np.array([[-6.0], [6.0], [0.1], [0.0]])
    found = plan.saturated(rows.sums(W, "diagonal"), rows.sums(np.zeros((4, 1)), "diagonal"), True, 0.3)
    np.testing.assert_array_equal(found, [True, True, False])


def test_start_forgets_what_a_few_rows_of_one_outcome_said_in_the_sample(two_samples):
    random = np.random.default_rng(3)
    X, y = make_tall()
    rare, common = np.zeros(N), (random.random(N) < 0.3).astype(float)
    rare[:: N // 100] = 1.0  # a hundred rows, of which a sample sees some
    y[rare == 1] = False
    rows = MemoryRows(np.column_stack([X, rare, common]), y.astype(np.int8))
    start = start_on_samples(rows, Ridge(np.array([1e-9])), "auto", True, 0)
    assert start[-3, 0] == 0.0
    assert (start[:-3] != 0.0).all()
    assert start[-2, 0] != 0.0


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
    clf = LogisticRegression(tol=1e-5).fit(X, tall.y)  # of a standard error, which may be 30 times the coefficient
    exact = LogisticRegression(solver="newton", tol=1e-10).fit(X, tall.y)
    np.testing.assert_allclose(clf.coef_[0, -1], exact.coef_[0, -1], rtol=1e-3)
    assert clf.solver_ == "sampled-curvature"
    assert clf.n_passes_ <= 20  # which cost less than fresh curvature


def test_unpenalised_column_of_four_rows_is_fitted_right(tall):
    rare = np.zeros((N, 1))
    rare[np.concatenate([np.flatnonzero(tall.y)[:3], np.flatnonzero(~tall.y)[:1]])] = 1.0
    X = np.hstack([tall.X, rare])
    clf = LogisticRegression(penalty=None).fit(X, tall.y)
    exact = LogisticRegression(penalty=None, solver="newton", tol=1e-10).fit(X, tall.y)
    np.testing.assert_allclose(clf.coef_[0, -1], exact.coef_[0, -1], atol=2e-4)  # its standard error is about 1


def test_columns_that_differ_by_a_thousandth_are_fitted_within_the_tolerance():
    random = np.random.default_rng(0)
    d, apart = 100, 1e-3
    X = random.standard_normal((N, 1)) + apart * random.standard_normal((N, d))
    X[:, :10] = random.standard_normal((N, 10))
    w = 0.02 / apart * random.standard_normal(d)
    w[10:] -= w[10:].mean()
    y = random.random(N) < 1 / (1 + np.exp(-X @ w))
    clf = LogisticRegression(penalty=None).fit(X, y)
    exact = LogisticRegression(penalty=None, solver="newton", tol=1e-8).fit(X, y)
    assert clf.converged_
    assert clf.solver_ == "sampled-curvature"
    assert np.sqrt(2 * N * max(clf.objective_ - exact.objective_, 0.0)) < 1e-3  # in standard errors


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
