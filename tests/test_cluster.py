"""Dask collections: the fit of the same rows in memory, whatever happens to the workers that hold them."""

import _thread
import gc
import os
import signal
import threading
import time
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

pytest.importorskip("distributed")

import dask.array as da
import dask.dataframe as dd
from dask.delayed import delayed
from distributed import Client, LocalCluster, SchedulerPlugin, get_task_stream
from sklearn.exceptions import ConvergenceWarning

from logreg import LogisticRegression, LogisticRegressionCV, detect_separation, logistic_path, partitions
from logreg.inference import separation
from logreg.rows import cluster as rooms
from logreg.rows.cluster import Counted, Tree, tree_of
from logreg.rows.held import balanced
from logreg.setup import Setup

N, PARTITIONS = 1_200, 5
NAMES = ["a", "b", "c"]
TIGHT = {"tol": 1e-9}


def make_frame(n=N, seed=0):
    """Numbers, a category, weights, offsets and an outcome of names."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.standard_normal((n, 3)), columns=NAMES)
    frame["color"] = random.choice(["red", "green", "blue"], n)
    frame["w"], frame["o"] = random.uniform(0.5, 2.0, n), random.normal(size=n) * 0.3
    scores = frame["a"] - 0.5 * frame["b"] + (frame["color"] == "red") + frame["o"] - 1.0
    frame["late"] = np.where(random.random(n) < 1 / (1 + np.exp(-scores)), "yes", "no")
    return frame


FRAME = make_frame()


@pytest.fixture(scope="module")
def client():
    """Two workers with a thread each, in processes of their own."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def on_cluster(client):
    """Make the cluster the one that Dask uses, and see that nothing is left on it."""
    client.wait_for_workers(2)
    with client.as_current():
        yield client
    gc.collect()
    wait_until(lambda: not tasks_of(client))


@pytest.fixture(params=["cluster", "this process"])
def anywhere(request):
    """A cluster, or none."""
    return request.getfixturevalue("on_cluster") if request.param == "cluster" else None


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


def tasks_of(client):
    return client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))


def frames_of(frame):
    made = dd.from_pandas(frame, npartitions=PARTITIONS, sort=False)
    return made[NAMES], made["late"], made["w"], made["o"]


def arrays_of(frame, chunks=(300, 1, 500, 399)):
    columns = frame[NAMES].to_numpy(), *(frame[name].to_numpy() for name in ("late", "w", "o"))
    return [da.from_array(values, chunks=(chunks, *values.shape[1:])) for values in columns]


def other_chunks(frame):
    X, y, weight, offset = arrays_of(frame)
    return X.rechunk((400, 2)), y.rechunk(77), weight, offset


def unknown_chunks(frame):
    made = arrays_of(frame)
    return [values[made[2] > 0] for values in made]


COLLECTIONS = {"arrays": arrays_of, "arrays in other chunks": other_chunks, "frames": frames_of}
COLLECTIONS |= {"arrays of unknown chunks": unknown_chunks}


def assert_same_fit(there, here):
    """Check that two fits have the same optimum, to a hundred-millionth of the standard errors, in as many passes."""
    errors = here.summary().frame["std_error"].to_numpy()
    away = np.abs(there.coef_frame()["estimate"] - here.coef_frame()["estimate"]).to_numpy()
    assert (away <= 1e-8 * errors).all()
    assert abs(there.n_passes_ - here.n_passes_) <= 1
    assert there.converged_
    np.testing.assert_allclose(there.summary().frame["std_error"], errors, rtol=1e-6)
    np.testing.assert_array_equal(there.classes_, here.classes_)


@pytest.mark.parametrize("make", COLLECTIONS.values(), ids=COLLECTIONS)
@pytest.mark.parametrize("options", [{}, {"class_weight": "balanced", "penalty": None}], ids=["ridge", "balanced"])
def test_fit_is_that_of_the_rows_in_memory(anywhere, make, options):
    X, y, weight, offset = make(FRAME)
    there = LogisticRegression(**TIGHT, **options).fit(X, y, weight, offset=offset)
    named = FRAME[NAMES] if make is frames_of else FRAME[NAMES].to_numpy()
    here = LogisticRegression(**TIGHT, **options).fit(named, FRAME["late"], FRAME["w"], offset=FRAME["o"])
    assert_same_fit(there, here)
    assert list(there.feature_names_out_) == list(here.feature_names_out_)
    assert there.score(X, y, weight, offset=offset) == pytest.approx(
        here.score(named, FRAME["late"], FRAME["w"], offset=FRAME["o"])
    )


def test_large_data_start_on_samples_and_take_as_many_passes_as_in_memory(on_cluster):
    random = np.random.default_rng(1)
    X = random.standard_normal((150_000, 8))
    y = random.random(len(X)) < 1 / (1 + np.exp(3.5 - X @ np.linspace(-1, 1, 8)))  # one class is rare
    dX = da.map_blocks(partial(stretch, X), chunks=((20_000,) * 7 + (10_000,), (8,)), dtype=float)
    dy = da.from_array(y, chunks=20_000)
    there, here = LogisticRegression(tol=1e-8).fit(dX, dy), LogisticRegression(tol=1e-8).fit(X, y)
    assert_same_fit(there, here)
    assert there.solver_ == "sampled-curvature"


def stretch(X, block_info=None):
    start, stop = block_info[None]["array-location"][0]
    return X[start:stop]


def test_categories_of_frames_are_learnt_from_all_partitions(anywhere):
    frame = FRAME.sort_values("color", ignore_index=True)  # each partition has some levels
    X = frame[[*NAMES, "color"]]
    there = LogisticRegression(categories="auto", **TIGHT).fit(
        dd.from_pandas(X, npartitions=PARTITIONS), dd.from_pandas(frame["late"], npartitions=PARTITIONS)
    )
    here = LogisticRegression(categories="auto", **TIGHT).fit(X, frame["late"])
    assert_same_fit(there, here)
    assert list(there.categories_["color"]) == ["blue", "green", "red"]
    assert list(there.feature_names_out_) == list(here.feature_names_out_)


def test_partitions_may_be_sparse(anywhere):
    X = sparse.random_array((N, 6), density=0.3, rng=0, format="csr")
    y = (X.sum(axis=1) > np.median(X.sum(axis=1))).astype(int)
    blocks = da.from_array(X.toarray(), chunks=(300, 6)).map_blocks(sparse.csr_array)
    assert_same_fit(
        LogisticRegression(**TIGHT).fit(blocks, da.from_array(y, chunks=300)), LogisticRegression(**TIGHT).fit(X, y)
    )


def test_partitions_may_be_empty_of_one_class_or_of_other_types(anywhere):
    frame = FRAME.sort_values("late", ignore_index=True)
    X, y = np.round(frame[NAMES].to_numpy() * 64) / 64, (frame["late"] == "yes").to_numpy()
    pieces = [(0, 0, float), (0, 500, np.float32), (500, 500, float), (500, 900, float), (900, N, np.float16)]
    parts = [(delayed(X[i:j].astype(dtype)), (j - i, 3), float) for i, j, dtype in pieces]
    dX = da.concatenate([da.from_delayed(*part) for part in parts])
    dy = da.concatenate([da.from_array(y[i:j].astype(int), chunks=-1) for i, j, _ in pieces])
    assert_same_fit(LogisticRegression(**TIGHT).fit(dX, dy), LogisticRegression(**TIGHT).fit(X, y.astype(int)))


@pytest.mark.parametrize(("make", "fast_programs"), [(arrays_of, 50), (frames_of, 50), (arrays_of, -1)])
def test_separation_is_that_of_the_rows_in_memory(anywhere, make, fast_programs, monkeypatch):
    monkeypatch.setattr(separation, "FAST_PROGRAMS", fast_programs)  # or proofs by Newton's steps
    frame = FRAME.assign(c=np.arange(N) % 97 == 0)
    frame["late"] = np.where(frame["c"], "yes", frame["late"])
    frame["c"] = frame["c"].astype(float)
    X, y, weight, offset = make(frame)
    fits = []
    for *given, known in ([X, y, weight, offset], [frame[NAMES], frame["late"], frame["w"], frame["o"]]):
        with pytest.warns(ConvergenceWarning, match="coefficients would grow without end"):
            fits.append(LogisticRegression(penalty=None, **TIGHT).fit(*given, offset=known))
    there, here = fits
    assert (there.separation_.kind, there.separation_.n_separated) == ("quasi", 13)
    np.testing.assert_array_equal(there.separation_.directions, here.separation_.directions)
    np.testing.assert_allclose(there.separation_.recession, here.separation_.recession, atol=1e-6)
    for name in ("estimate", "std_error", "conf_low"):
        np.testing.assert_allclose(there.summary().frame[name], here.summary().frame[name], rtol=1e-6)
    assert detect_separation(X, y).n_separated == 13


def test_fit_repeats_bit_for_bit(on_cluster):
    X, y, *_ = arrays_of(FRAME)
    first, second = (LogisticRegression().fit(X, y).coef_ for _ in range(2))
    assert np.array_equal(first, second)


def test_warm_start_takes_a_pass_or_two(on_cluster):
    X, y, *_ = arrays_of(FRAME)
    clf = LogisticRegression(warm_start=True).fit(X, y)
    assert clf.fit(X, y).n_passes_ <= 2


@pytest.mark.parametrize("make", COLLECTIONS.values(), ids=COLLECTIONS)
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
def test_predictions_are_lazy(make, method):
    X, _, _, offset = make(FRAME)
    named = FRAME[NAMES] if make is frames_of else FRAME[NAMES].to_numpy()
    clf = LogisticRegression().fit(named, FRAME["late"])
    for given, known in ((None, None), (offset, FRAME["o"])):
        lazy, now = getattr(clf, method)(X, given), getattr(clf, method)(named, known)
        assert isinstance(lazy, da.Array)
        assert lazy.dtype == now.dtype
        assert lazy.ndim == now.ndim
        computed = lazy.compute()
        assert np.array_equal(computed, now) or np.allclose(computed, now, rtol=1e-12)


def test_empty_partitions_are_predicted_as_nothing():
    clf = LogisticRegression().fit(FRAME[NAMES].to_numpy(), FRAME["late"])
    X = da.from_array(FRAME[NAMES].to_numpy(), chunks=((0, N), 3))
    assert clf.predict_proba(X).compute().shape == (N, 2)
    assert clf.predict(X).compute().shape == (N,)


X_OF, Y_OF = arrays_of(FRAME)[:2]
WRONG = {
    "y in memory": (X_OF, FRAME["late"].to_numpy(), "y is a ndarray; pass a Dask array with the chunks of X"),
    "no y": (X_OF, None, "requires y to be passed"),
    "other lengths": (X_OF, Y_OF[:-1], "X has 1200 rows, y has 1199; pass one for each row"),
    "other partitions": (X_OF, frames_of(FRAME)[1], "X has 4 partitions, y has 5"),
    "other unknown lengths": (
        unknown_chunks(FRAME)[0],
        arrays_of(FRAME, (200, 101, 500, 399))[1],
        "Partition 0: X has 300 rows, y has 200",
    ),
    "one dimension": (X_OF[:, 0], Y_OF, "Expected 2D array, got a 1D Dask array"),
    "one class": (X_OF, da.zeros_like(Y_OF, dtype=int), "only one class, 0"),
    "three classes": (X_OF, da.arange(N, chunks=Y_OF.chunks) % 3, "Only binary classification is supported"),
    "text": (frames_of(FRAME[["w", "o", "late"]].assign(a="x", b=1, c=1))[0], frames_of(FRAME)[1], "'a'"),
    "no rows": (X_OF[:0], Y_OF[:0], "no rows"),
    "names that are numbers": (frames_of(FRAME)[0].rename(columns={"a": 0}), frames_of(FRAME)[1], "names that are te"),
    "NaN": (da.where(X_OF > 2.5, np.nan, X_OF), Y_OF, "Partition 0: Input X contains NaN, first in column"),
}


@pytest.mark.parametrize(("X", "y", "sentence"), WRONG.values(), ids=WRONG)
def test_faults_of_the_data_are_told_in_a_sentence(anywhere, X, y, sentence):
    with pytest.raises(ValueError, match=sentence):
        LogisticRegression().fit(X, y)


@pytest.mark.parametrize(
    "ask",
    [
        lambda X, y: LogisticRegression(l1_ratio=0.5).fit(X, y),
        lambda X, y: LogisticRegression(positive=True).fit(X, y),
        lambda X, y: LogisticRegression(penalty="firth").fit(X, y),
        lambda X, y: LogisticRegressionCV().fit(X, y),
        lambda X, y: LogisticRegression().fit(X, y).bootstrap(X, y),
        logistic_path,
    ],
    ids=["elastic net", "bounds", "Firth", "cross-validation", "bootstrap", "path"],
)
def test_what_needs_rows_in_memory_says_so(on_cluster, ask):
    with pytest.raises(ValueError, match="neither a scan nor a Dask collection"):
        ask(*arrays_of(FRAME)[:2])


def test_streams_take_a_batch_in_memory():
    with pytest.raises(ValueError, match="not a scan or a Dask collection"):
        LogisticRegression().partial_fit(*arrays_of(FRAME)[:2], classes=["no", "yes"])


def test_dask_is_not_imported_before_it_is_used():
    assert not partitions.is_collection(FRAME)
    assert not partitions.is_collection([[1.0]])


# The sum over the parts is one, however workers share them.


@pytest.mark.parametrize("n_parts", [1, 2, 3, 5, 8, 13])
def test_sum_of_parts_is_the_same_bits_in_any_order_and_grouping(n_parts):
    random = np.random.default_rng(n_parts)
    values, found = random.standard_normal(n_parts) * 10.0 ** random.integers(-8, 8, n_parts), set()
    for _ in range(20):
        trees = [Tree(n_parts) for _ in range(3)]
        for number in random.permutation(n_parts).tolist():
            trees[random.integers(3)].add((0, number), Counted(2, values[number]))
        found.add(float(rooms.added(n_parts, trees).total(2 * n_parts)))
    assert len(found) == 1
    assert found.pop() == pytest.approx(values.sum())


@pytest.mark.parametrize("counted", [[0, 1, 1, 2, 3], [0, 1, 2, 2, 3], [0, 1, 0, 1, 2, 3], [0, 1, 2], [0, 1, 2, 3, 0]])
def test_parts_that_are_missing_or_counted_twice_are_noticed(counted):
    tree = Tree(4)
    with pytest.raises(ValueError, match="no step was taken"):  # noqa: PT012 - on the way or at the end
        for number in counted:
            tree.add((0, number), Counted(5, 1.0))
        tree.total(20)


def test_workers_keep_the_parts_they_hold_until_there_are_many_more_than_their_share():
    sizes, threads = np.full(8, 10), {"A": 1, "B": 1}
    assert balanced([["A"]] * 5 + [["B"]] * 3, sizes, threads) == {"A": [0, 1, 2, 3, 4], "B": [5, 6, 7]}
    moved = balanced([["A"]] * 8, sizes, threads)
    assert len(moved["B"]) == 3
    held = [["A", "B"] if number in moved["B"] else ["A"] for number in range(8)]
    assert balanced(held, sizes, threads) == moved  # in the next pass nothing is moved
    assert set(balanced([["A"], []], sizes[:2], {"A": 1})) == {"A"}


# Faults of the cluster.


def rows_on(client, frame=FRAME):
    X, y, *_ = arrays_of(frame)
    return Setup.learn(LogisticRegression(), X, y, None, None).source


def pids(part):
    return [(os.getpid(), part.n_rows)]


def test_a_pass_is_one_task_for_each_worker(on_cluster):
    with rows_on(on_cluster) as rows:
        rows.sums(np.zeros((4, 1)))
        with get_task_stream(on_cluster) as stream:
            rows.sums(np.zeros((4, 1)))
    assert 1 <= len(stream.data) <= 2


def armed(task, marker, *arguments):
    """Do something once, whichever process gets there first, and then go on as ever."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return tree_of(*arguments)
    task()
    return tree_of(*arguments)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_worker_killed_in_a_pass_changes_no_bit(on_cluster, monkeypatch, tmp_path):
    X, y, *_ = arrays_of(FRAME)
    before = LogisticRegression().fit(X, y)
    monkeypatch.setattr(rooms, "tree_of", partial(armed, die, tmp_path / "killed"))
    after = LogisticRegression().fit(X, y)
    assert (tmp_path / "killed").exists()
    assert np.array_equal(before.coef_, after.coef_)
    assert before.n_passes_ == after.n_passes_


def test_lost_rows_that_have_no_source_are_told_in_a_sentence(on_cluster, monkeypatch, tmp_path):
    parts = [np.random.default_rng(k).standard_normal((50, 3)) for k in range(4)]
    X = da.concatenate([da.from_delayed(part, (50, 3), float) for part in on_cluster.scatter(parts)])
    y = da.from_array(np.arange(200) % 2, chunks=50)
    clf = LogisticRegression().fit(X, y)
    before = clf.coef_.copy()
    monkeypatch.setattr(rooms, "tree_of", partial(armed, die, tmp_path / "killed"))
    with pytest.raises(RuntimeError, match=r"cannot be computed again, because they were scattered or cancelled; pass"):
        clf.fit(X, y)
    assert np.array_equal(clf.coef_, before)


def test_worker_that_joins_takes_its_share_after_a_pass(on_cluster, monkeypatch):
    monkeypatch.setattr(rooms, "FAN_IN", 2)
    W = np.full((4, 1), 0.3)
    X, y, *_ = arrays_of(FRAME, chunks=(100,) * 12)
    with Setup.learn(LogisticRegression(), X, y, None, None) as setup:
        before = setup.source.sums(W).gradient
        on_cluster.cluster.scale(3)
        on_cluster.wait_for_workers(3)
        setup.source.sums(W)
        assert len({pid for pid, _ in setup.source.total(pids)}) == 3
        with get_task_stream(on_cluster) as stream:
            assert np.array_equal(setup.source.sums(W).gradient, before)
        assert len([task for task in stream.data if "transfer" not in task["key"]]) <= 9
    on_cluster.cluster.scale(2)
    wait_until(lambda: len(on_cluster.nthreads()) == 2)


class Slow(SchedulerPlugin):
    """A scheduler that takes its time."""

    name = "slow"

    def transition(self, *arguments, **options):
        time.sleep(0.005)


def test_slow_scheduler_only_takes_time(on_cluster):
    X, y, *_ = arrays_of(FRAME)
    before = LogisticRegression().fit(X, y)
    on_cluster.register_plugin(Slow())
    try:
        assert np.array_equal(LogisticRegression().fit(X, y).coef_, before.coef_)
    finally:
        on_cluster.unregister_scheduler_plugin("slow")


def test_interrupt_in_a_pass_leaves_nothing_behind(on_cluster, monkeypatch, tmp_path):
    X, y, *_ = arrays_of(FRAME)
    monkeypatch.setattr(rooms, "tree_of", partial(armed, partial(time.sleep, 3), tmp_path / "asleep"))
    threads = set(threading.enumerate())

    def interrupt():
        wait_until((tmp_path / "asleep").exists)
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        LogisticRegression().fit(X, y)
    thread.join()
    wait_until(lambda: not tasks_of(on_cluster))
    assert {thread for thread in threading.enumerate() if thread.name.startswith("logreg")} <= threads


def short(*arguments):
    """Lose rows of a part."""
    tree = tree_of(*arguments)
    tree.nodes = {node: Counted(n_rows - 7, result) for node, (n_rows, result) in tree.nodes.items()}
    return tree


def test_rows_that_are_not_counted_stop_the_fit_before_a_step(on_cluster, monkeypatch):
    X, y, *_ = arrays_of(FRAME)
    monkeypatch.setattr(rooms, "tree_of", short)
    with pytest.raises(ValueError, match=r"held 1,200 rows at first, and 1,\d+ were counted in a pass, so no step was"):
        LogisticRegression().fit(X, y)


def test_errors_in_a_task_cancel_the_others(on_cluster):
    with rows_on(on_cluster) as rows, pytest.raises(ZeroDivisionError):
        rows.total(lambda part: 1 / 0)
    del rows
