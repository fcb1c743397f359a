"""Versions of the same rows: the sums of each model are those of its version by itself, in whatever form rows come."""

import threading

import numpy as np
import pytest
from scipy import sparse
from setting import assert_sums_agree

from logreg.columns import NO_COLUMN, Category, Columns, Numbers
from logreg.rows import SelectableRows, VersionedRows, Versions, memory, versions
from logreg.scale import Scale
from logreg.sums import Sums

N, D, F = 150, 4, 3
OF_MODEL = np.array([0, 2, 1, 0, 2])  # models are in no order, and versions have different numbers of them
STORAGES = {
    "C-order": np.ascontiguousarray,
    "F-order": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "float32": lambda X: X.astype(np.float32),
    "integers": lambda X: np.rint(4 * X).astype(np.int16),
    "CSR": sparse.csr_matrix,
    "CSR array of float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "CSC": sparse.csc_matrix,
    "table": lambda X: make_table(X),
    "far from zero": lambda X: X + np.array([0.0, 1e6, 0.0, -1e5]),
    "table far from zero": lambda X: make_table(X + np.array([1e5, 0.0, 0.0, 0.0])),
}
EVERY_STORAGE = pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)
COUNTS = {
    "no counts": lambda times: None,
    "bools": lambda times: times > 0,
    "uint8": lambda times: times.astype(np.uint8),
    "float64": lambda times: times * 0.7,
}
WHICH = pytest.mark.parametrize("which", ["plain", "compiled", "rows compiled too"])


def make_table(X):
    """Return a table of numbers and of a category with a level and a missing cell that have no column."""
    codes = (3 * np.abs(np.asarray(X)[:, 1])).astype(np.int8) % 4 - 1
    numbers = [Numbers(np.ascontiguousarray(X[:, 0]), 0), Numbers(np.rint(X[:, 2]).astype(np.int8), 3)]
    return Columns(numbers, [Category(codes, np.array([1, 2, NO_COLUMN, NO_COLUMN]))], (len(codes), D))


def make_rows(store=np.ascontiguousarray, weighted=True, n_threads=1, with_offset=True):
    random = np.random.default_rng(0)
    X = random.standard_normal((N, D)) * (random.random((N, D)) < 0.7)
    y = (random.random(N) < 0.4).astype(np.int8)
    weight = random.random(N) * (random.random(N) < 0.9) if weighted else None
    offset = random.standard_normal(N) if with_offset else None
    return SelectableRows(store(X), y, weight, offset, n_threads=n_threads)


def make_versions(counts="bools", outcomes=False, of_model=OF_MODEL, n=N):
    random = np.random.default_rng(1)
    times = random.integers(0, 3, (F, n))
    given = (random.random((F, n)) < 0.5).astype(np.int8) if outcomes else None
    return Versions(of_model, counts=COUNTS[counts](times), outcomes=given)


def coefficients(rows, n_models=5):
    """Return coefficients under which no score is beyond 20, whatever the units of the columns."""
    return 2.0 * np.random.default_rng(2).standard_normal((rows.n_columns + 1, n_models))


def alone(rows, versions, W, kind="none"):
    """Return the sums of each model over rows that have its version's weights and outcomes as their own."""
    found = Sums.zeros(rows.n_columns, W.shape[1], kind)
    for k, v in enumerate(versions.of_model.tolist()):
        weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight
        weight = weight if versions.counts is None else weight * versions.counts[v]
        y = rows.y if versions.outcomes is None else versions.outcomes[v]
        version = SelectableRows(rows.X, y, weight, rows.offset, origin=rows.origin, subset=rows.subset)
        found.put(np.array([k]), version.sums(W[:, [k]], kind))
    return found


@pytest.fixture
def code(which, monkeypatch):
    """Have scores turned into residuals by NumPy or by a compiled kernel, by one thread or those of the rows."""
    monkeypatch.setattr(versions, "COMPILED_FROM", 10**12 if which == "plain" else 0)
    monkeypatch.setattr(memory, "COMPILED_FROM", 0 if which == "rows compiled too" else 10**12)
    monkeypatch.setattr(memory, "THREADED_FROM", 0)
    return which


# The pass


@EVERY_STORAGE
@WHICH
@pytest.mark.parametrize("kind", ["none", "diagonal", "full"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_sums_are_those_of_each_version_by_itself(store, code, kind, n_threads):
    with make_rows(store, n_threads=n_threads) as whole, VersionedRows(whole, make_versions()) as rows:
        assert rows.compiled == (code != "plain")
        W = coefficients(whole)
        assert_sums_agree(rows.sums(W, kind), alone(whole, rows.versions, W, kind), 1e-10)


@WHICH
@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("outcomes", [False, True], ids=["", "outcomes"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weights"])
@pytest.mark.parametrize("with_offset", [False, True], ids=["", "offset"])
@pytest.mark.parametrize("kind", ["none", "diagonal"])
def test_counts_outcomes_weights_and_offsets_all_count(code, counts, outcomes, weighted, with_offset, kind):
    whole = make_rows(weighted=weighted, with_offset=with_offset)
    given = make_versions(counts, outcomes, OF_MODEL if counts != "no counts" or outcomes else np.zeros(5, dtype=int))
    with whole, VersionedRows(whole, given) as rows:
        W = coefficients(whole)
        assert_sums_agree(rows.sums(W, kind), alone(whole, given, W, kind), 1e-12)


@WHICH
@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array, sparse.csc_array, make_table])
def test_rows_that_are_picked_from_others_keep_their_own_counts(store, code):
    whole = make_rows(store).at(np.random.default_rng(3).permutation(N)[:80], np.linspace(0.0, 2.0, 80))
    with VersionedRows(whole, make_versions(n=80)) as rows:
        W = coefficients(whole)
        assert_sums_agree(rows.sums(W), alone(whole, rows.versions, W), 1e-11)


@EVERY_STORAGE
@WHICH
def test_sums_do_not_depend_on_the_size_of_the_pieces(store, code, monkeypatch):
    with make_rows(store, n_threads=2) as whole, VersionedRows(whole, make_versions("uint8", outcomes=True)) as rows:
        W = coefficients(whole)
        at_once = rows.sums(W)
        monkeypatch.setattr(versions, "SCORES_AT_ONCE", 1)  # which is 64 rows, the least
        assert_sums_agree(rows.sums(W), at_once, 1e-10)


@EVERY_STORAGE
@pytest.mark.parametrize("which", ["compiled"])
def test_threads_give_the_same_bits_every_time(store, code):
    with make_rows(store, n_threads=3) as whole, VersionedRows(whole, make_versions()) as rows:
        W = coefficients(whole)
        first = rows.sums(W)
        for _ in range(10):
            again = rows.sums(W)
            np.testing.assert_array_equal(again.loss, first.loss)
            np.testing.assert_array_equal(again.gradient, first.gradient)


@WHICH
def test_a_thousand_models_of_a_version_are_as_many_fits_of_it(code):
    whole, W = make_rows(), coefficients(make_rows(), 1_000)
    with VersionedRows(whole, make_versions(of_model=np.full(1_000, 1))) as rows:
        assert_sums_agree(rows.sums(W), rows.version(1).sums(W), 1e-11)


@WHICH
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weights"])
@pytest.mark.parametrize("counts", ["bools", "uint8", "float64"])
def test_scores_of_eight_hundred_keep_losses_and_residuals_finite_and_exact(code, weighted, counts):
    X = np.array([[-800.0], [800.0], [40.0], [0.0]])
    y, weight = np.array([1, 1, 0, 0], dtype=np.int8), np.array([1.0, 2.0, 3.0, 4.0]) if weighted else None
    given = Versions(
        np.arange(2), counts=np.array([[1, 1, 1, 1], [0, 1, 0, 1]]).astype(COUNTS[counts](np.ones(1)).dtype)
    )
    with VersionedRows(SelectableRows(X, y, weight), given) as rows:
        sums = rows.sums(np.array([[1.0, 1.0], [0.0, 0.0]]))
    s = np.ones(4) if weight is None else weight
    losses, residuals = s * [800.0, 0.0, 40.0 + np.exp(-40.0), np.log(2.0)], s * [-1.0, 0.0, 1.0, 0.5]
    np.testing.assert_allclose(sums.loss, [losses.sum(), losses[[1, 3]].sum()], rtol=1e-14)
    np.testing.assert_allclose(sums.gradient[1], [residuals.sum(), residuals[[1, 3]].sum()], rtol=1e-14)


# What versions say of themselves


@pytest.mark.parametrize("outcomes", [False, True], ids=["", "outcomes"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weights"])
def test_totals_are_those_of_the_version_of_each_model(weighted, outcomes):
    whole, given = make_rows(weighted=weighted), make_versions("float64", outcomes)
    rows = VersionedRows(whole, given)
    assert rows.n_versions == F
    assert (rows.n_rows, rows.n_columns, rows.n_values) == (whole.n_rows, whole.n_columns, whole.n_values)
    weight = given.counts[OF_MODEL] * (1.0 if whole.weight is None else whole.weight)
    y = given.outcomes[OF_MODEL] if outcomes else whole.y
    np.testing.assert_allclose(rows.total_weight, weight.sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(rows.positive_fraction, (weight * y).sum(axis=1) / weight.sum(axis=1), rtol=1e-13)
    assert rows.smallest_weight == pytest.approx(weight[weight > 0].min())


def test_a_version_is_the_rows_with_its_counts_as_weights_and_its_outcomes():
    whole, given = make_rows(), make_versions("uint8", outcomes=True)
    rows = VersionedRows(whole, given)
    for v in range(F):
        version = rows.version(v)
        np.testing.assert_array_equal(version.weight, whole.weight * given.counts[v])
        np.testing.assert_array_equal(version.y, given.outcomes[v])
        assert version.X is whole.X
        assert version.origin is whole.origin
    assert whole.total_weight == pytest.approx(whole.weight.sum())  # as before


def test_of_rows_in_one_version_all_models_see_the_same():
    rows = VersionedRows(make_rows(), Versions(np.zeros(2, dtype=int)))
    assert rows.n_versions == 1
    W = coefficients(rows, 2)
    assert_sums_agree(rows.sums(W), rows.whole.sums(W))


@WHICH
@pytest.mark.parametrize("kind", ["none", "diagonal", "full"])
@pytest.mark.parametrize(
    "chosen", [np.array([True, False, False, True, True]), np.array([4, 1]), np.array([2, 2, 0])], ids=str
)
def test_rows_of_some_models_have_their_sums_and_their_totals(code, kind, chosen):
    with make_rows() as whole, VersionedRows(whole, make_versions(outcomes=True)) as rows:
        W, some = coefficients(whole), rows.of(chosen)
        every, found = rows.sums(W, kind), some.sums(W[:, chosen], kind)
        curvature = None if every.curvature is None else every.curvature[chosen]
        expected = Sums(every.weight[chosen], every.loss[chosen], every.gradient[:, chosen], curvature)
        assert_sums_agree(found, expected, 1e-11)
        np.testing.assert_array_equal(some.total_weight, rows.total_weight[chosen])
        np.testing.assert_array_equal(some.positive_fraction, rows.positive_fraction[chosen])
        np.testing.assert_array_equal(rows.versions.of_model, OF_MODEL)  # of all rows as before


def test_some_of_some_models_are_some_of_all():
    rows = VersionedRows(make_rows(), make_versions())
    W = coefficients(rows)
    twice = rows.of(np.array([3, 1, 4])).of(np.array([False, True, True]))
    assert_sums_agree(twice.sums(W[:, [1, 4]]), rows.of(np.array([1, 4])).sums(W[:, [1, 4]]))


# Curvatures


@EVERY_STORAGE
@WHICH
@pytest.mark.parametrize("columns", [None, np.array([3, 1])], ids=["all columns", "some columns"])
def test_curvature_is_the_mean_over_the_version_of_each_model(store, code, columns):
    with make_rows(store) as whole, VersionedRows(whole, make_versions("float64", outcomes=True)) as rows:
        W = coefficients(whole)
        scale = Scale.from_sums(whole.sums(np.zeros((D + 1, 1)), "diagonal"), np.zeros(1), True)
        found = rows.curvature(W, scale, columns)
        full = rows.sums(W, "full")
    kept = np.arange(D + 1) if columns is None else np.append(columns, D)
    for k in range(len(OF_MODEL)):
        H = scale.of(columns).curvature(full.curvature[k][np.ix_(kept, kept)]) / full.weight[k]
        np.testing.assert_allclose(np.tril(found[k]), np.tril(H), rtol=1e-5, atol=2e-6)


# Samples


@EVERY_STORAGE
@WHICH
@pytest.mark.parametrize("counts", ["bools", "uint8", "float64"])
def test_a_sample_has_the_counts_and_outcomes_of_the_rows_drawn(store, code, counts):
    with make_rows(store) as whole, VersionedRows(whole, make_versions(counts, outcomes=True)) as rows:
        index, drawn = whole.drawn(60, seed=3)
        sample, W = rows.sample(60, seed=3), coefficients(whole)
        assert (sample.n_rows, sample.is_sample) == (60, True)
        np.testing.assert_array_equal(sample.versions.counts, rows.versions.counts[:, index])
        np.testing.assert_array_equal(sample.versions.outcomes, rows.versions.outcomes[:, index])
        for kind in ("none", "full"):
            assert_sums_agree(sample.sums(W, kind), alone(drawn, sample.versions, W, kind), 1e-10)


def test_a_sample_of_as_many_rows_as_there_are_is_all_of_them():
    rows = VersionedRows(make_rows(), make_versions())
    assert rows.sample(N, seed=0) is rows
    assert rows.sample(N + 1, seed=0) is rows


def test_samples_of_some_models_are_of_some_models():
    rows = VersionedRows(make_rows(), make_versions())
    sample = rows.of(np.array([1, 2])).sample(60, seed=1)
    np.testing.assert_array_equal(sample.versions.of_model, OF_MODEL[[1, 2]])
    W = coefficients(rows, 2)
    assert_sums_agree(sample.sums(W), rows.sample(60, seed=1).of(np.array([1, 2])).sums(W))


def test_samples_estimate_the_curvature_of_each_version():
    random = np.random.default_rng(5)
    n = 4_000
    X, y = random.standard_normal((n, 3)), (random.random(n) < 0.3).astype(np.int8)
    counts = np.stack([X[:, 0] < 0.3, X[:, 0] > -0.3])  # versions that see different rows
    rows = VersionedRows(SelectableRows(X, y), Versions(np.array([0, 1]), counts=counts))
    W = 0.5 * random.standard_normal((4, 2))

    def means(source):
        sums = source.sums(W, "full")
        return (sums.curvature / sums.weight[:, None, None])[:, *np.triu_indices(4)]

    found = np.array([means(rows.sample(400, seed)) for seed in range(100)])
    error = found.mean(axis=0) - means(rows)
    assert (np.abs(error) < 5 * found.std(axis=0) / 10).all()


# Threads, and coefficients in the user's units


@pytest.mark.parametrize("which", ["compiled", "rows compiled too", "plain"])
def test_threads_end_with_the_rows_even_when_a_pass_fails(code):
    def ours():
        return [thread for thread in threading.enumerate() if thread.name.startswith("logreg")]

    with make_rows(n_threads=2) as whole:
        with VersionedRows(whole, make_versions()) as rows:
            rows.sums(coefficients(whole))
            assert bool(ours()) == (code != "plain")
        whole.sums(np.zeros((D + 1, 1)))  # the rows themselves live on
        with pytest.raises(ValueError, match=r"matmul|broadcast"), VersionedRows(whole, make_versions()) as rows:
            rows.sums(np.zeros((D, 5)))  # a coefficient too few
    assert not ours()


def test_coefficients_are_told_in_the_units_of_the_data():
    whole = make_rows(STORAGES["far from zero"])
    rows, W = VersionedRows(whole, make_versions()), coefficients(make_rows())
    np.testing.assert_array_equal(rows.in_user_units(W), whole.in_user_units(W))
    assert (rows.in_user_units(W)[-1] != W[-1]).all()


# Versions


def test_versions_of_models_and_of_rows_are_cut_from_all():
    given = make_versions("uint8", outcomes=True)
    of_models = given.models(np.array([4, 0]))
    assert of_models.of_model.tolist() == [2, 0]
    assert of_models.counts is given.counts
    of_rows = given.rows(slice(10, 30))
    assert of_rows.of_model is given.of_model
    np.testing.assert_array_equal(of_rows.counts, given.counts[:, 10:30])
    np.testing.assert_array_equal(of_rows.outcomes, given.outcomes[:, 10:30])
    nothing = Versions(OF_MODEL).rows(slice(3))
    assert nothing.counts is None
    assert nothing.outcomes is None
