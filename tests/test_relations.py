"""What must not change a fit, and what must change it in a known way, over solver x storage x dtype x penalty."""

from io import BytesIO
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet
from scipy import sparse

from logreg import LogisticRegression, plan, scan_batches
from logreg.penalty import Ridge
from logreg.rows import MemoryRows, memory
from logreg.stop import Limits

N, D = 240, 4

STORAGES = {
    "C-order": np.ascontiguousarray,
    "F-order": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "CSR": sparse.csr_matrix,
    "CSR array, 64-bit": lambda X: with_long_indices(sparse.csr_array(X)),
    "CSC": sparse.csc_matrix,
    "CSC, 64-bit": lambda X: with_long_indices(sparse.csc_matrix(X)),
    "DataFrame": lambda X: pd.DataFrame(X, columns=list("abcd")),
}
# Names of solvers, and the ways "auto" takes on larger data, brought down to the size of a test.
SOLVERS = ["newton", "gradient-descent", "auto", "sampled", "diagonal", "hot block", "compiled"]


class OnDisk(NamedTuple):
    """Rows to be written to Parquet, with the outcomes that a fit has for them."""

    X: np.ndarray

    def scan(self, y, weight):
        columns = pd.DataFrame(self.X, columns=list("abcd")).assign(y=y)
        file = BytesIO()
        (columns if weight is None else columns.assign(weight=weight)).to_parquet(file, row_group_size=50)
        table = parquet.ParquetFile(file)
        batches = [table.read_row_group(k) for k in range(table.num_row_groups)]
        return scan_batches(batches, target="y", weight=None if weight is None else "weight")


def with_long_indices(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@pytest.fixture(params=SOLVERS)
def solver(request, monkeypatch):
    if request.param == "sampled":
        monkeypatch.setattr(plan, "FULL_FLOPS", 0)
        monkeypatch.setattr(plan, "SAMPLED_ROWS", 80)
        monkeypatch.setattr(plan, "ROWS_A_COLUMN", 10)
        monkeypatch.setattr(plan, "FIRST_SAMPLE", 60)
    elif request.param == "diagonal":
        monkeypatch.setattr(plan, "WIDEST_MATRIX", 0)
    elif request.param == "hot block":
        monkeypatch.setattr(plan, "WIDEST_MATRIX", 0)
        monkeypatch.setattr(plan, "WIDE_PATIENCE", -10)  # none
        monkeypatch.setattr(plan, "HOT_COLUMNS", 2)
        monkeypatch.setattr(plan, "HOT_ROWS", 100)
    elif request.param == "compiled":
        monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    return request.param if request.param in ("newton", "gradient-descent") else "auto"


@pytest.fixture(params=[1.0, np.inf], ids=["penalised", "unpenalised"])
def C(request):
    return request.param


@pytest.fixture(params=[np.float64, np.float32], ids=["float64", "float32"])
def dtype(request):
    return request.param


@pytest.fixture(params=STORAGES)
def hold(request, dtype):
    return lambda X: STORAGES[request.param](X.astype(dtype))


@pytest.fixture(params=[*STORAGES, "Parquet"])
def store(request, dtype):
    return lambda X: (STORAGES | {"Parquet": OnDisk})[request.param](X.astype(dtype))


def make_data(seed=0):
    """Rows with zeros to spare, exact in float32, of which no combination separates the outcomes."""
    random = np.random.default_rng(seed)
    X = np.round(random.standard_normal((N, D)) * [1, 10, 0.1, 1], 2) * (random.random((N, D)) < 0.7)
    X = X.astype(np.float32).astype(np.float64)
    p = 1 / (1 + np.exp(-(X @ [0.8, -0.05, 4.0, 0.3] - 0.5)))
    return X, (random.random(N) < p).astype(int)


def coefficients(X, y, solver, C, sample_weight=None, **parameters):
    clf = LogisticRegression(C=C, solver=solver, tol=1e-9, max_iter=20_000, **parameters)
    data = (X.scan(y, sample_weight),) if isinstance(X, OnDisk) else (X, y, sample_weight)
    clf.fit(*data)
    return np.append(clf.coef_, clf.intercept_)


def assert_same(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-8)


def test_storage_and_solver_do_not_move_the_optimum(store, solver, C):
    X, y = make_data()
    assert_same(coefficients(store(X), y, solver, C), coefficients(X, y, "newton", C))


def test_order_of_rows_does_not_matter(store, solver, C):
    X, y = make_data()
    order = np.random.default_rng(1).permutation(N)
    assert_same(coefficients(store(X), y, solver, C), coefficients(store(X[order]), y[order], solver, C))


def test_weight_two_is_a_row_twice_and_weight_zero_is_no_row(store, solver, C):
    X, y = make_data()
    weight = np.random.default_rng(2).integers(0, 3, N)
    repeated = np.repeat(np.arange(N), weight)
    assert_same(coefficients(store(X), y, solver, C, weight), coefficients(store(X[repeated]), y[repeated], solver, C))


def test_swapping_the_labels_flips_the_signs(store, solver, C):
    X, y = make_data()
    assert_same(coefficients(store(X), y, solver, C), -coefficients(store(X), 1 - y, solver, C))


def test_units_and_order_of_columns_only_rescale_and_reorder_unpenalised_coefficients(store, solver):
    X, y = make_data()
    units, order = np.array([1024.0, 2.0**-10, -16.0, 1.0]), [2, 0, 3, 1]  # powers of 2 change no digit
    W = coefficients(store(X[:, order] * units), y, solver, np.inf)
    plain = coefficients(store(X), y, solver, np.inf)
    assert_same(W[:-1] * units, plain[order])
    assert_same(W[-1], plain[-1])


def test_mixing_unpenalised_columns_mixes_their_coefficients(solver):
    X, y = make_data()
    A = np.random.default_rng(3).standard_normal((D, D))
    assert_same(A @ coefficients(X @ A, y, solver, np.inf)[:-1], coefficients(X, y, solver, np.inf)[:-1])


def test_shifting_a_column_moves_the_intercept_alone(store, solver, C):
    X, y = make_data()
    W, shifted = coefficients(store(X), y, solver, C), coefficients(store(X + 64.0), y, solver, C)
    np.testing.assert_allclose(shifted[:-1], W[:-1], rtol=2e-5, atol=1e-6)  # float32 rounds the shifted columns
    np.testing.assert_allclose(shifted[-1], W[-1] - 64.0 * W[:-1].sum(), rtol=2e-5, atol=1e-4)


def test_offset_of_a_column_is_that_column_with_its_coefficient_fixed(hold, solver, C):
    X, y = make_data()
    clf = LogisticRegression(C=C, solver=solver, tol=1e-9, max_iter=20_000)
    clf.fit(hold(X), y, offset=3.0 * X[:, 0])
    assert clf.converged_
    moved = LogisticRegression(C=C, solver=solver, tol=1e-9, max_iter=20_000).fit(hold(X), y)
    if np.isinf(C):  # without a penalty the column takes up what the offset leaves
        assert_same(clf.coef_[0] + [3.0, 0, 0, 0], moved.coef_[0])
        assert_same(clf.intercept_, moved.intercept_)
    else:
        gradient_of_penalty = clf.coef_[0] / C
        residual = clf.predict_proba(hold(X), offset=3.0 * X[:, 0])[:, 1] - y
        np.testing.assert_allclose(X.T @ residual, -gradient_of_penalty, atol=1e-6)


def test_scale_of_weights_is_the_scale_of_C(store, solver):
    X, y = make_data()
    weight = np.random.default_rng(4).random(N)
    assert_same(coefficients(store(X), y, solver, 2.0, weight), coefficients(store(X), y, solver, 2e6, weight / 1e6))


@pytest.mark.parametrize("intercept", [True, False])
def test_fitting_many_models_at_once_is_fitting_them_one_by_one(hold, solver, intercept):
    X, y = make_data()
    strengths = np.array([0.0, 1e-4, 1e-2, 1.0, 100.0])
    limits = Limits(tol=1e-9, max_iter=20_000)
    if solver == "gradient-descent":
        strengths = strengths[:3]  # one set of coordinates serves all models, of which the textbook bears less
    rows = MemoryRows(hold(X) if not isinstance(hold(X), pd.DataFrame) else hold(X).to_numpy(), y.astype(np.int8))
    together = plan.fit(rows, Ridge(strengths), solver, limits, intercept=intercept)[0]
    assert all(status.is_optimum for status in together.status)
    for k, strength in enumerate(strengths):
        alone = plan.fit(rows, Ridge(np.array([strength])), solver, limits, intercept=intercept)[0]
        assert_same(together.coefficients[:, k], alone.coefficients[:, 0])


@pytest.mark.parametrize("kind", ["none", "diagonal", "full"])
@pytest.mark.parametrize("n_models", [1, 3])
@pytest.mark.parametrize("compiled", [True, False])
def test_sums_do_not_depend_on_where_the_rows_are_cut(hold, kind, n_models, compiled, monkeypatch):
    monkeypatch.setattr(memory, "COMPILED_FROM", 0 if compiled else 10**9)
    X, y = make_data()
    random = np.random.default_rng(5)
    weight, offset, W = random.random(N), random.standard_normal(N), random.standard_normal((D + 1, n_models))
    stored = hold(X).to_numpy() if isinstance(hold(X), pd.DataFrame) else hold(X)

    def rows(start, stop):
        return MemoryRows(
            stored[start:stop], y[start:stop].astype(np.int8), weight[start:stop], offset[start:stop], origin=None
        )

    whole = rows(0, N).sums(W, kind)
    for cut in (1, 100, N - 1):
        parts = rows(0, cut).sums(W, kind) + rows(cut, N).sums(W, kind)
        np.testing.assert_allclose(parts.weight, whole.weight, rtol=1e-13)
        np.testing.assert_allclose(parts.loss, whole.loss, rtol=1e-13)
        np.testing.assert_allclose(parts.gradient, whole.gradient, rtol=1e-11, atol=1e-11)
        if kind == "none":
            assert parts.curvature is None
            assert whole.curvature is None
        else:
            np.testing.assert_allclose(parts.curvature, whole.curvature, rtol=1e-11, atol=1e-11)


def test_compiled_and_plain_sums_agree(hold, monkeypatch):
    X, y = make_data()
    stored = hold(X).to_numpy() if isinstance(hold(X), pd.DataFrame) else hold(X)
    random = np.random.default_rng(6)
    weight, offset, W = random.random(N), random.standard_normal(N), 5 * random.standard_normal((D + 1, 1))
    found = []
    for threshold in (0, 10**9):
        monkeypatch.setattr(memory, "COMPILED_FROM", threshold)
        found.append(MemoryRows(stored, y.astype(np.int8), weight, offset, n_threads=2).sums(W, "diagonal"))
    for field in ("weight", "loss", "gradient", "curvature"):
        np.testing.assert_allclose(getattr(found[0], field), getattr(found[1], field), rtol=1e-12, atol=1e-12)


# Tables of categories, and the one-hot columns that they stand for

TABLES = {
    "codes": lambda frame, dtype: frame[["city", "stage"]],
    "mixed": lambda frame, dtype: frame.astype({"dose": dtype}),
    "mixed, integers": lambda frame, dtype: frame.drop(columns="dose"),
    "one-hot, dense": lambda frame, dtype: one_hot(frame).astype(dtype),
    "one-hot, CSR": lambda frame, dtype: sparse.csr_array(one_hot(frame).astype(dtype)),
    "one-hot, CSC": lambda frame, dtype: sparse.csc_matrix(one_hot(frame).astype(dtype)),
    "one-hot, CSR of integers": lambda frame, dtype: sparse.csr_matrix(one_hot(frame.iloc[:, ::2]).astype(np.int8)),
    "one-hot, bools": lambda frame, dtype: one_hot(frame[["city", "stage"]]).astype(bool),
}  # fmt: skip


@pytest.fixture(params=TABLES)
def table(request, dtype):
    return lambda frame: TABLES[request.param](frame, dtype)


def make_frame(seed=0):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "city": pd.Categorical(random.choice(["Bern", "Oslo", "Rome"], N)),
            "dose": random.standard_normal(N).astype(np.float32).astype(float),
            "count": random.integers(-3, 4, N).astype(np.int8),
            "stage": pd.Categorical(random.choice(["low", "mid", "high", "top"], N)),
        }
    )
    scores = frame["dose"] - (frame["city"] == "Oslo") + 0.5 * (frame["stage"] == "mid") - 0.2 * frame["count"]
    return frame, (random.random(N) < 1 / (1 + np.exp(-scores))).astype(int).to_numpy()


def one_hot(frame):
    """Return the columns of numbers and all levels, in the order of the frame."""
    return np.column_stack([pd.get_dummies(frame[[name]], dtype=float).to_numpy() for name in frame])


def predicted(X, y, solver, rows=None, sample_weight=None):
    """Return the scores of a penalised fit: what the same rows have in common whatever their columns are called."""
    clf = LogisticRegression(solver=solver, tol=1e-9, max_iter=20_000, categories="auto").fit(X, y, sample_weight)
    return clf.decision_function(X if rows is None else rows)


def test_categories_have_the_optimum_of_their_one_hot_columns(table, solver):
    frame, y = make_frame()
    stored = table(frame)
    columns = one_hot(stored) if isinstance(stored, pd.DataFrame) else stored
    columns = columns.toarray() if sparse.issparse(columns) else columns
    clf = LogisticRegression(solver=solver, tol=1e-9, max_iter=20_000, categories="auto").fit(stored, y)
    assert_same(np.append(clf.coef_, clf.intercept_), coefficients(columns.astype(float), y, "newton", 1.0))


def test_order_of_rows_of_a_table_does_not_matter(table, solver):
    frame, y = make_frame()
    order = np.random.default_rng(1).permutation(N)
    shuffled = frame.iloc[order]
    assert_same(predicted(table(frame), y, solver)[order], predicted(table(shuffled), y[order], solver))


def test_weight_two_is_a_row_of_a_table_twice(table, solver):
    frame, y = make_frame()
    weight = np.random.default_rng(2).integers(0, 3, N)
    repeated = np.repeat(np.arange(N), weight)
    weighted = predicted(table(frame), y, solver, sample_weight=weight)
    assert_same(predicted(table(frame.iloc[repeated]), y[repeated], solver, rows=table(frame)), weighted)


def test_swapping_the_labels_of_a_table_flips_the_signs(table, solver):
    frame, y = make_frame()
    assert_same(predicted(table(frame), y, solver), -predicted(table(frame), 1 - y, solver))
