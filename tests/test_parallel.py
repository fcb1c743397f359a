"""Fits side by side, in threads and in processes, are the fits one after the other."""

import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from threadpoolctl import threadpool_limits

from logreg import LogisticRegression
from logreg.rows import memory
from logreg.threads import n_threads

BACKENDS = ["loky", "threading", "multiprocessing"]

# Python 3.12 and newer warn of every fork while threads exist, and loky keeps some.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def one_thread_of_linear_algebra():
    """Matrix products repeat bit for bit with the same number of BLAS threads, of which workers have fewer."""
    with threadpool_limits(1):
        yield


def in_workers(backend):
    return parallel_config(backend, n_jobs=2, **({"inner_max_num_threads": 1} if backend == "loky" else {}))


@pytest.fixture(scope="module", params=["small", "large"])
def problems(request):
    """Return four problems, with few rows or with enough for compiled kernels."""
    shape = {"small": (2_000, 8), "large": (60_000, 20)}[request.param]
    random = np.random.default_rng(2)
    X = random.normal(size=shape)
    if request.param == "large":
        assert X.size >= memory.COMPILED_FROM
    return [(X, (X[:, j] + random.logistic(size=len(X)) > 0).astype(int)) for j in range(4)]


@pytest.fixture(params=[1, 2], ids=["n_jobs=1", "n_jobs=2"])
def clf(request):
    return LogisticRegression(tol=1e-8, n_jobs=request.param)


def what_was_fitted(clf):
    """Return every number of a fit, to be compared bit for bit."""
    return [clf.coef_.tobytes(), clf.intercept_.tobytes(), clf.n_passes_, clf.history_["objective"].tobytes()]


def fits_in_turn(clf, problems):
    return [what_was_fitted(clone(clf).fit(X, y)) for X, y in problems]


def test_fits_from_four_threads_at_once_are_the_fits_in_turn_bit_for_bit(problems, clf):
    barrier = threading.Barrier(4)

    def fit(problem):
        barrier.wait()
        return what_was_fitted(clone(clf).fit(*problem))

    with ThreadPoolExecutor(4) as executor:
        found = list(executor.map(fit, problems))
    assert found == fits_in_turn(clf, problems)
    assert len({coefficients for coefficients, *_ in found}) == 4


@pytest.mark.parametrize("backend", BACKENDS)
def test_fits_in_workers_of_joblib_are_the_fits_in_turn_bit_for_bit(problems, clf, backend):
    with in_workers(backend):
        fits = Parallel()(delayed(clone(clf).fit)(X, y) for X, y in problems)
    assert [what_was_fitted(fit) for fit in fits] == fits_in_turn(clf, problems)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fit_in_a_worker_that_leaves_n_jobs_open_is_the_fit_of_one_thread(problems, backend):
    clf = LogisticRegression(tol=1e-8)
    with in_workers(backend):
        fits = Parallel()(delayed(clone(clf).fit)(X, y) for X, y in problems[:2])
    assert [what_was_fitted(fit) for fit in fits] == fits_in_turn(clf.set_params(n_jobs=1), problems[:2])


def test_a_fit_repeats_bit_for_bit(problems, clf):
    assert fits_in_turn(clf, problems[:1] * 3) == fits_in_turn(clf, problems[:1]) * 3


def test_the_number_of_threads_does_not_move_the_optimum(problems):
    X, y = problems[0]
    one, *more = (LogisticRegression(tol=1e-8, n_jobs=n).fit(X, y) for n in (1, 2, 3, None))
    for clf in more:
        assert_allclose(clf.coef_, one.coef_, rtol=1e-10, atol=1e-12)
        assert_allclose(clf.intercept_, one.intercept_, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_cross_validation_in_workers_gives_the_scores_of_one_process(problems, backend):
    X, y = problems[0]
    clf = LogisticRegression(tol=1e-8)
    with in_workers(backend):
        scores = cross_val_score(clf, X, y, cv=3, scoring="neg_log_loss")
    assert_allclose(scores, cross_val_score(clf, X, y, cv=3, scoring="neg_log_loss"), rtol=1e-10)


def test_no_threads_are_left_over_after_a_fit(problems, monkeypatch):
    seen = set()
    sums = memory.MemoryRows.block_sums

    def watched(self, block, W, kind):
        seen.add(threading.current_thread().name)
        return sums(self, block, W, kind)

    monkeypatch.setattr(memory.MemoryRows, "block_sums", watched)
    before = set(threading.enumerate())
    X, y = problems[0]
    LogisticRegression(n_jobs=2).fit(X, y)
    assert set(threading.enumerate()) <= before
    assert any(name.startswith("logreg") for name in seen) == (X.size >= memory.COMPILED_FROM)


# How many threads


def test_threads_are_counted_as_in_scikit_learn():
    cores = joblib.cpu_count()
    assert n_threads(None) == cores
    assert n_threads(-1) == cores
    assert n_threads(-cores) == 1
    assert n_threads(-cores - 5) == 1
    assert n_threads(3) == 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_joblib_worker_gets_one_thread_unless_it_asks_for_more(backend):
    asked = [None, None, 3, -1]
    with parallel_config(backend, n_jobs=2):
        found = Parallel()(delayed(n_threads)(n_jobs) for n_jobs in asked)
    assert found == [1, 1, 3, joblib.cpu_count()]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_parallel_loop_of_one_job_leaves_all_cores_to_the_fit(backend):
    assert Parallel(n_jobs=1, backend=backend)(delayed(n_threads)(None) for _ in range(2)) == [joblib.cpu_count()] * 2


def test_parallel_config_decides_when_n_jobs_is_open():
    with parallel_config(n_jobs=1):
        assert n_threads(None) == 1
        assert n_threads(2) == 2
    with parallel_config("threading", n_jobs=3):
        assert n_threads(None) == 3
    with parallel_config(n_jobs=-1):
        assert n_threads(None) == joblib.cpu_count()
    assert n_threads(None) == joblib.cpu_count()
