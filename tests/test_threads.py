"""One thread of linear algebra while threads share the rows, whoever is inside, and as many as before at the end."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from logreg import LogisticRegression
from logreg.rows import MemoryRows, memory
from logreg.threads import linear_algebra, one_blas_thread


def blas_threads():
    """Return the numbers of threads of the BLAS libraries in this process."""
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def set_blas_threads(limits):
    """Set the numbers of threads from a thread that ends: threadpoolctl lets one living thread decide at a time."""
    thread = threading.Thread(target=threadpool_limits, args=(limits,))
    thread.start()
    thread.join()


@pytest.fixture(autouse=True)
def two_blas_threads():
    """Give every library two threads, so that one is a limit on a machine of any size."""
    with threadpool_limits(None):
        pass  # whatever was decided before, this thread decides no more
    original = [library for library in threadpool_info() if library["user_api"] == "blas"]
    set_blas_threads({library["filepath"]: 2 for library in original})
    assert set(blas_threads()) == {2}
    yield
    set_blas_threads({library["filepath"]: library["num_threads"] for library in original})


@pytest.fixture
def compiled(monkeypatch):
    monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    monkeypatch.setattr(memory, "THREADED_FROM", 0)


def make_rows(n_threads=2):
    random = np.random.default_rng(0)
    return MemoryRows(random.standard_normal((400, 3)), random.integers(0, 2, 400, dtype=np.int8), n_threads=n_threads)


def test_every_library_has_one_thread_inside_and_its_own_number_after():
    with one_blas_thread:
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {2}


def test_limit_nests():
    with one_blas_thread:
        with one_blas_thread:
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}


def test_limit_is_gone_after_an_error_inside():
    for _ in range(2):
        with pytest.raises(KeyError), one_blas_thread:
            raise KeyError
        assert one_blas_thread.n_inside == 0
        assert set(blas_threads()) == {2}


def test_limit_lasts_until_the_last_thread_has_left():
    first_is_inside, first_may_leave, first_has_left, may_end = (threading.Event() for _ in range(4))

    def first():
        with one_blas_thread:
            first_is_inside.set()
            first_may_leave.wait(10)
        first_has_left.set()
        may_end.wait(10)

    with ThreadPoolExecutor(1) as executor:
        executor.submit(first)
        try:
            assert first_is_inside.wait(10)
            with one_blas_thread:
                first_may_leave.set()
                assert first_has_left.wait(10)
                assert set(blas_threads()) == {1}  # though the one who set the limit is gone
            assert set(blas_threads()) == {2}
        finally:
            may_end.set()


def test_limit_of_one_thread_keeps_no_other_from_setting_its_own():
    left, may_end = threading.Event(), threading.Event()

    def come_and_stay():
        with one_blas_thread:
            pass
        left.set()
        may_end.wait(10)

    with ThreadPoolExecutor(1) as executor:
        executor.submit(come_and_stay)
        try:
            assert left.wait(10)
            with threadpool_limits(1):
                assert set(blas_threads()) == {1}
            with one_blas_thread:
                assert set(blas_threads()) == {1}
        finally:
            may_end.set()


def test_many_threads_that_come_and_go_leave_the_number_as_it_was():
    barrier = threading.Barrier(8)

    def come_and_go(_):
        barrier.wait(10)
        return [one_thread_inside() for _ in range(100)]

    def one_thread_inside():
        with one_blas_thread:
            return {library.num_threads for library in blas} == {1}

    blas = linear_algebra()
    with ThreadPoolExecutor(8) as executor:
        found = list(executor.map(come_and_go, range(8)))
    assert all(all(each) for each in found)
    assert set(blas_threads()) == {2}


def test_rows_that_threads_share_keep_linear_algebra_to_them(compiled):
    with make_rows() as rows:
        assert set(blas_threads()) == {1}
        with make_rows():
            pass
        assert set(blas_threads()) == {1}
        rows.sums(np.zeros((4, 1)))


def test_small_rows_leave_linear_algebra_alone():
    with make_rows():
        assert set(blas_threads()) == {2}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_fit_that_ends_well_or_badly_gives_the_threads_back(n_jobs, compiled, monkeypatch):
    rows, seen = make_rows(), []
    read = MemoryRows.block_sums
    monkeypatch.setattr(
        MemoryRows, "block_sums", lambda *given: seen.append(blas_threads()) or read(*given), raising=True
    )
    clf = LogisticRegression(n_jobs=n_jobs).fit(rows.X, rows.y)
    assert clf.converged_
    assert {threads for found in seen for threads in found} == {1}
    assert set(blas_threads()) == {2}
    X = rows.X.copy()
    X[7, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        clf.fit(X, rows.y)
    assert set(blas_threads()) == {2}

    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(MemoryRows, "block_sums", interrupted)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(rows.X, rows.y)
    assert set(blas_threads()) == {2}
    assert one_blas_thread.n_inside == 0
