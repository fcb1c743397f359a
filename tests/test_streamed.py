"""Rows that are read batch by batch, ahead of the kernels: the same numbers, and nothing left behind."""

import threading
import time
from itertools import pairwise

import numpy as np
import pytest

from logreg import LogisticRegression, scan_batches, sigmoid
from logreg.columns import Category, Columns, Numbers
from logreg.rows import Batch, Extent, SelectableRows, StreamedRows, memory, spool
from logreg.rows.streamed import POOL_PLACES, joined, read_ahead, some_pieces


def streamed(X, y, size, weight=None, n_threads=1):
    """Return rows in batches, each a piece of its own, and a list of the pieces that were read."""
    read = []
    starts = list(range(0, len(y), size))

    def batches(pieces):
        for piece in range(len(starts)) if pieces is None else pieces:
            read.append(piece)
            some = slice(starts[piece], starts[piece] + size)
            part = None if weight is None else weight[some]
            yield Batch(X[some], y[some], part, None, f"batch {piece}", piece)

    counts = np.ones(len(y)) if weight is None else weight > 0
    counted = np.array([[(counts * (y == k))[i : i + size].sum() for k in (0, 1)] for i in starts], dtype=np.int64)
    positive = float(np.average(y, weights=weight))
    smallest = 1.0 if weight is None else float(weight[weight > 0].min())
    extent = Extent(len(y), int(counts.sum()), X.shape[1], X.shape[1], positive, smallest, True, False)
    return StreamedRows(batches, counted, extent, n_threads=n_threads), read


def make_data(n=20_000, d=3, share=0.4):
    random = np.random.default_rng(0)
    return random.standard_normal((n, d)).astype(np.float32), (random.random(n) < share).astype(np.int8)


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("logreg")]


@pytest.mark.parametrize("size", [1, 7, 500, 5_000])
def test_pass_adds_batches_in_their_order(size):
    X, y = make_data(1_000)
    rows, _ = streamed(X, y, size)
    W = np.full((4, 1), 0.2)
    np.testing.assert_allclose(rows.sums(W).gradient, SelectableRows(X, y).sums(W).gradient, rtol=1e-12)
    assert np.array_equal(rows.sums(W).gradient, rows.sums(W).gradient)
    assert not readers()


def test_batches_of_rows_without_weight_are_passed_over():
    X, y = make_data(1_000)
    weight = np.where(np.arange(1_000) < 200, 0.0, 1.0)
    rows, _ = streamed(X, y, 100, weight)
    W = np.full((4, 1), 0.2)
    np.testing.assert_allclose(rows.sums(W).loss, SelectableRows(X[200:], y[200:]).sums(W).loss, rtol=1e-12)


@pytest.mark.parametrize("share", [0.4, 0.01])
def test_sample_estimates_the_whole_and_keeps_the_rare(share):
    X, y = make_data(40_000, share=share)
    rows, read = streamed(X, y, 1_000)
    sample = rows.sample(4_000, 0)
    assert sample.is_sample
    assert 3_000 < sample.n_rows <= 4_400
    assert len(set(read)) <= 2 * POOL_PLACES < 40
    assert sample.y.sum() >= 0.9 * min(y.sum() * len(set(read)) / 40, 0.25 * 4_000)
    W = np.array([[0.5], [0.0], [0.0], [-0.4]])
    ours, theirs = sample.sums(W), rows.sums(W)
    np.testing.assert_allclose(ours.loss / ours.weight, theirs.loss / theirs.weight, rtol=0.1)
    assert sample.positive_fraction == pytest.approx(rows.positive_fraction, rel=0.2)


def test_sample_of_weighted_rows_has_their_weights():
    X, y = make_data(40_000)
    weight = np.where(X[:, 0] > 0, 1.5, 0.5)
    rows, _ = streamed(X, y, 1_000, weight)
    sample = rows.sample(10_000, 0)
    share = sample.weight[sample.X[sample.subset if sample.subset is not None else slice(None)][:, 0] > 0].sum()
    assert share / sample.weight.sum() == pytest.approx(0.75, abs=0.03)


def test_sample_of_a_sorted_source_is_drawn_from_all_of_it():
    X, y = make_data(40_000)
    rows, read = streamed(X[np.argsort(X[:, 0])], y, 400)
    sample = rows.sample(4_000, 0)
    assert set(read) == set(range(100))
    at_half = sample.sums(np.zeros((4, 1)), "diagonal")
    assert abs(at_half.diagonal()[1][0, 0] / at_half.diagonal()[1][0, -1]) < 0.05  # the mean of the column


def test_scan_of_many_columns_takes_as_many_passes_as_memory():
    random = np.random.default_rng(0)
    X = random.standard_normal((50_000, 500), dtype=np.float32)
    X[:, 1:] += 0.5 * X[:, :1]
    y = (random.random(50_000) < sigmoid(X @ random.standard_normal(500) * 0.1)).astype(np.int8)
    batches = [(X[start : start + 10_000], y[start : start + 10_000]) for start in range(0, 50_000, 10_000)]
    from_batches, in_memory = (LogisticRegression().fit(*rows) for rows in ([scan_batches(batches)], [X, y]))
    assert abs(from_batches.n_passes_ - in_memory.n_passes_) <= 1


def test_batch_of_few_rows_of_a_class_may_give_none_of_them(monkeypatch):
    monkeypatch.setattr(StreamedRows, "least_pool", 6_000)
    X, y = make_data(20_000)
    y.sort()
    y[:10_000:500] = 1  # two in each of ten batches, where a tenth of the rows is drawn
    rows, _ = streamed(X, y, 1_000)
    assert 1_500 < rows.sample(5_000, 0).n_rows <= 2_000


def test_short_batch_may_give_no_row_to_a_sample(monkeypatch):
    monkeypatch.setattr(StreamedRows, "least_pool", 3_000)
    X, y = make_data(60_002)
    starts = [0, 2, *range(1_002, 60_002, 1_000)]
    batches = [Batch(X[a:b], y[a:b], None, None, "", k) for k, (a, b) in enumerate(pairwise([*starts, 60_002]))]
    counted = np.array([np.bincount(batch.y, minlength=2) for batch in batches])
    extent = Extent(60_002, 60_002, 3, 3, float(y.mean()), 1.0, True, False)
    rows = StreamedRows(lambda pieces: (batches[k] for k in [0, *pieces]), counted, extent)
    assert rows.sample(2_000, 0).n_rows > 200


def test_sample_of_all_rows_is_the_rows_themselves():
    rows, read = streamed(*make_data(1_000), 100)
    assert rows.sample(1_000, 0) is rows
    assert not read


def test_pieces_are_chosen_where_the_rare_class_is():
    counted = np.zeros((100, 2), dtype=np.int64)
    counted[:, 0], counted[57, 1] = 1_000, 12
    assert 57 in some_pieces(counted, np.random.default_rng(0))


def test_source_that_changes_between_passes_is_noticed():
    X, y = make_data(1_000)
    rows, _ = streamed(X, y, 100)
    whole = rows.read
    rows.read = lambda pieces: (batch for batch in whole(pieces) if batch.piece != 3)
    with pytest.raises(ValueError, match=r"held 1,000 rows at first and 900 rows later, so it changed"):
        rows.sums(np.zeros((4, 1)))


def test_error_of_the_reader_reaches_the_pass():
    def items():
        yield 1
        raise OSError("gone")

    found = []
    with pytest.raises(OSError, match="gone"):
        found.extend(read_ahead(items(), 1))
    assert not readers()


def test_interrupt_in_the_middle_of_a_pass_stops_the_thread_and_closes_the_source():
    closed = []

    def batches(pieces):
        try:
            for k in range(1_000):
                yield Batch(*make_data(100), None, None, str(k), 0)
        finally:
            closed.append(True)

    extent = Extent(100_000, 100_000, 3, 3, 0.4, 1.0, True, False)
    rows = StreamedRows(batches, np.ones((1, 2), dtype=np.int64), extent, n_threads=2)

    def interrupted(part):
        raise KeyboardInterrupt

    with rows, pytest.raises(KeyboardInterrupt):
        rows.total(interrupted)
    assert closed == [True]
    assert not readers()


def test_thread_reads_no_further_ahead_than_it_may():
    read = []
    items = read_ahead((read.append(k) or k for k in range(100)), 1)
    next(items)
    time.sleep(0.05)
    assert len(read) <= 3
    items.close()
    assert not readers()


@pytest.fixture
def spooling(monkeypatch):
    monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    monkeypatch.setattr(spool, "MEMORY_SHARE", 1.0)


@pytest.mark.parametrize("weight", [None, np.linspace(0.5, 1.5, 1_000)], ids=["plain", "weighted"])
def test_arrays_are_read_once_and_then_spooled(spooling, weight):
    X, y = make_data(1_000)
    rows, read = streamed(X, y, 100, weight, n_threads=2)
    W = np.full((4, 1), 0.2)
    with rows:
        rows.sample(300, 0)
        first, second = rows.sums(W, "diagonal"), rows.sums(W, "diagonal")
    assert read == list(range(10))
    assert np.array_equal(first.gradient, second.gradient)
    np.testing.assert_allclose(first.gradient, SelectableRows(X, y, weight).sums(W).gradient, rtol=1e-6)


@pytest.mark.parametrize("order", ["C", "F"])
def test_spool_returns_what_it_was_given(order):
    X, y = make_data(50)
    given = Batch(np.asarray(X, order=order), y, None, np.arange(50.0), "here", 3)
    kept = spool.Spool()
    assert kept.could_add(given)
    kept.finish()
    (found,) = kept
    kept.close()
    for ours, theirs in zip(found[:2] + found[3:4], given[:2] + given[3:4], strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert found.X.flags.c_contiguous
    assert (found.weight, found.place, found.piece) == (None, "here", 3)


def test_full_disk_only_costs_time(spooling, monkeypatch):
    monkeypatch.setattr(spool.Spool, "could_add", lambda self, batch: batch.piece < 4)
    X, y = make_data(1_000)
    rows, read = streamed(X, y, 100)
    W = np.full((4, 1), 0.2)
    with rows:
        for _ in range(3):
            np.testing.assert_allclose(rows.sums(W).loss, SelectableRows(X, y).sums(W).loss, rtol=1e-6)
    assert len(read) == 30


def test_what_would_not_stay_in_memory_is_not_spooled():
    assert spool.is_worth_spooling(1_000_000)
    assert not spool.is_worth_spooling(10**15)


def test_tables_are_joined_by_what_their_codes_stand_for():
    first = Columns([Numbers(np.array([1.0, 2.0]), 0)], [Category(np.array([0, 1]), np.array([1, 2, -1]))], (2, 3))
    second = Columns([Numbers(np.array([3.0]), 0)], [Category(np.array([0]), np.array([2, 1, -1]))], (1, 3))
    expected = np.vstack([first.tocsr().toarray(), second.tocsr().toarray()])
    np.testing.assert_array_equal(joined([first, second]).tocsr().toarray(), expected)
