"""The benchmarks: the scoring, the sweep of tolerances, what the report says, and when a change is slower."""

from itertools import pairwise
from math import inf
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from logreg import logistic_path

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def suite():
    """Return the modules of the suite, which is scripts in a folder and no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        import compare
        import measure
        import path_problems
        import path_report
        import paths
        import peers
        import problems
        import report
        import scoring
        import sparse_problems
        import worker
    modules = (
        compare,
        measure,
        path_problems,
        path_report,
        paths,
        peers,
        problems,
        report,
        scoring,
        sparse_problems,
        worker,
    )
    return SimpleNamespace(**{module.__name__: module for module in modules})


# The scoring


def newton_cholesky(problem, tol):
    model = LogisticRegression(C=problem.C, solver="newton-cholesky", tol=tol).fit(problem.X, problem.y)
    return model.coef_[0], model.intercept_[0]


@pytest.fixture(scope="module", params=["standardised", "raw", "float32"])
def problem(request, suite):
    dtype = np.float32 if request.param == "float32" else np.float64
    return suite.problems.simulated(3_000, 6, seed=0, raw=request.param == "raw", positives=0.2, dtype=dtype)


def test_minimum_is_that_of_scikit_learn(suite, problem):
    optimum = suite.scoring.optimum(problem.X, problem.y, problem.C)
    assert optimum.error < 1e-12
    answer = newton_cholesky(problem._replace(X=problem.X.astype(np.float64)), 1e-10)
    assert abs(suite.scoring.gap(problem.X, problem.y, problem.C, *answer, optimum)) < 1e-12


def test_zeros_have_a_gap_of_one(suite, problem):
    optimum = suite.scoring.optimum(problem.X, problem.y, problem.C)
    zeros = np.zeros(problem.X.shape[1])
    assert suite.scoring.gap(problem.X, problem.y, problem.C, zeros, 0.0, optimum) == pytest.approx(1.0)


def test_gap_grows_with_the_square_of_the_distance(suite):
    problem = suite.problems.simulated(3_000, 6, seed=0)
    optimum = suite.scoring.optimum(problem.X, problem.y, problem.C)
    w, b = newton_cholesky(problem, 1e-10)
    gaps = [suite.scoring.gap(problem.X, problem.y, problem.C, w, b + h, optimum) for h in (0.001, 0.002)]
    assert gaps[0] > suite.scoring.REQUIRED
    assert gaps[1] / gaps[0] == pytest.approx(4.0, rel=1e-2)


# The trials


class Answers:
    """A worker whose fits all give one answer."""

    def __init__(self, **outcome):
        self.outcome = SimpleNamespace(**{"seconds": 0.1, "added": 0, "failure": ""} | outcome)
        self.threads = 2

    def fit(self, *arguments, **options):
        return self.outcome


@pytest.fixture(scope="module")
def bench(suite, tmp_path_factory):
    problem = suite.problems.simulated(500, 3, seed=0)
    return suite.measure.Bench(problem, tmp_path_factory.mktemp("bench"))


def test_scoring_rejects_the_baseline(suite, bench):
    found = suite.measure.find(bench, Answers(coefficients=np.zeros(3), intercept=0.0), "zeros", 4, 10.0)
    assert found["failure"] == "gap not reached"
    assert found["nearest_gap"] == pytest.approx(1.0)


@pytest.mark.parametrize("outcome", [{"coefficients": np.full(3, np.nan), "intercept": 0.0}, {"failure": "it fell"}])
def test_scoring_rejects_nan_and_errors(suite, bench, outcome):
    trial = bench.trial(Answers(**outcome), "some", 4, 10.0)
    assert trial.gap == inf
    assert not trial.reached


def test_peer_that_misses_the_gap_in_a_repetition_has_no_seconds(suite, bench):
    found = {"digits": 4, "as_float64": False, "seconds": [5.0], "gap": 1e-9}
    entries = {"glum": {"2": found}}
    suite.measure.repeat(bench, Answers(coefficients=np.zeros(3), intercept=0.0), entries, 5, 10.0)
    assert "seconds" not in found
    assert found["failure"] == "gap not reached in a repetition"


# The sweep


def sweep(suite, start, *, needed=13, slow=13, limit=10.0, loosest=1):
    """Sweep with fits of 1 s that reach the gap from ``needed`` digits on and take forever from ``slow`` on."""

    def trial(digits, limit):
        if digits >= slow:
            return suite.measure.Trial(digits, limit, 0, inf, f"stopped after {limit:.0f} s")
        return suite.measure.Trial(digits, 1.0, 0, 1e-9 if digits >= needed else 1e-6, "")

    return suite.measure.sweep(trial, start, limit, loosest)


@pytest.mark.parametrize("start", [1, 4, 7, 9, 12])
@pytest.mark.parametrize("needed", [1, 2, 4, 7, 12])
def test_sweep_finds_the_loosest_tolerance_that_reaches_the_gap(suite, start, needed):
    tried = sweep(suite, start, needed=needed)
    assert min(digits for digits, trial in tried.items() if trial.reached) == needed
    assert needed == 1 or tried[needed - 1].short


@pytest.mark.parametrize("start", [1, 4, 6, 8])
def test_sweep_that_starts_too_tight_still_finds_what_a_peer_can_do(suite, start):
    assert sweep(suite, start, needed=4, slow=6)[4].reached


def test_sweep_with_more_threads_or_fewer_only_tightens(suite):
    assert list(sweep(suite, 5, needed=3, loosest=5)) == [5]
    assert list(sweep(suite, 5, needed=6, loosest=5)) == [5, 6]


def test_sweep_ends_when_its_time_is_spent(suite):
    tried = sweep(suite, 4, slow=1)
    assert sum(trial.seconds for trial in tried.values()) <= 1.5 * 10.0
    assert len(sweep(suite, 1, limit=4.0)) == 6  # of 1 s each, none of which reaches the gap


def test_sweep_ends_at_an_error(suite):
    failed = suite.measure.Trial(4, 0.1, 0, inf, "ValueError: no")
    assert suite.measure.sweep(lambda digits, limit: failed, 4, 10.0) == {4: failed}


def test_one_thread_leaves_out_only_what_cannot_be_the_fastest(suite):
    def why(seconds, peer="glum", fastest=2.0):
        return suite.measure.left_out(peer, {"seconds": [seconds]}, fastest)

    assert not why(3.9)
    assert "twice the fastest" in why(4.1)
    assert "20 s" in why(21.0, fastest=21.0)
    assert not why(0.9, fastest=0.1)  # quick to measure
    assert not why(30.0, peer=suite.peers.OURS)
    assert "failed" in suite.measure.left_out("glum", {"failure": "no"}, 2.0)


def test_turns_change_the_order_but_leave_nobody_out(suite):
    turns = [suite.measure.rotated(["a", "b", "c"], turn) for turn in range(4)]
    assert all(sorted(turn) == ["a", "b", "c"] for turn in turns)
    assert all(former[0] != latter[0] for former, latter in pairwise(turns))


# The report


def reached(*seconds):
    return {"digits": 4, "as_float64": False, "seconds": list(seconds), "gap": 1e-9}


@pytest.fixture
def results():
    failed = {"failure": "not tried, having failed with 2 threads"}
    stopped = {"failure": "stopped after 8 s", "nearest_gap": 3e-6, "nearest_digits": 2, "nearest_seconds": 4.2}
    peers = {
        "zeros": {"2": {"failure": "gap not reached"}, "1": failed},
        "glum": {"2": reached(2.0, 2.4, 2.2), "1": {"failure": "not measured: it is slow"}},
        "sklearn_saga": {"2": stopped, "1": failed},
        "logreg": {"2": reached(0.5), "1": reached(0.8), "first": 2.0, "first_without_cache": 7.0, "added_bytes": 100},
    }
    about = {"rows": 500, "columns": 10, "dtype": "float64", "C": 1.0, "positives": 0.5, "note": "made up"}
    stamp = {"date": "2000-01-01", "revision": "commit 0", "machine": "some"}
    passes = {"rows": [{"what": "500 x 20", "product": [0.010], "pass": [0.013]}]}
    return {"problems": {"tall": stamp | about | {"peers": peers}}, "passes": stamp | passes}


def line_of(text, start):
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {start}"))
    return line


def test_report_divides_the_fastest_peer_by_ours_and_marks_a_missed_goal(suite, results):
    text = suite.report.text(results)
    assert "| 4.40 (missed) | >= 5 | 12 |" in line_of(text, "tall: fastest peer / logreg, 2 threads")
    assert "| - |" in line_of(text, "tall: fastest peer / logreg, 1 thread")
    assert "| 7.00 (missed) | <= 6 |" in line_of(text, "tall: first fit")
    assert "| 1.30 | <= 1.6 |" in line_of(text, "pass / product")


def test_report_does_not_mark_a_goal_that_is_met(suite, results):
    results["problems"]["tall"]["peers"]["logreg"]["2"]["seconds"] = [0.2]
    assert "| 11.00 | >= 5 | 12 |" in line_of(suite.report.text(results), "tall: fastest peer / logreg, 2 threads")


def test_report_marks_a_goal_where_ours_has_no_seconds(suite, results):
    results["problems"]["tall"]["peers"]["logreg"]["2"] = {"failure": "gap not reached in a repetition"}
    text = suite.report.text(results)
    assert "| - (missed) |" in line_of(text, "tall: fastest peer / logreg, 2 threads")
    assert "gap not reached in a repetition" in line_of(text, "**logreg**")


def test_report_shows_peers_that_failed_and_what_was_left_out(suite, results):
    text = suite.report.text(results)
    assert "stopped after 8 s; nearest 3e-06 at tol 1e-2, 4.20 s" in line_of(text, "scikit-learn saga")
    assert "gap not reached" in line_of(text, "zeros")
    assert "2.20 (2.00) | 1.00 | not measured: it is slow" in line_of(text, "glum irls-ls")


def test_each_row_of_a_table_has_as_many_cells_as_its_header(suite, results):
    lines = [line.count("|") if line.startswith("|") else 0 for line in suite.report.text(results).splitlines()]
    assert all(former == latter for former, latter in pairwise(lines) if former and latter)


def test_each_problem_has_a_goal_and_each_peer_a_file(suite):
    assert set(suite.problems.PROBLEMS) <= set(suite.report.GOALS)
    assert {f"{peer}.py" for peer in suite.peers.PEERS} == {p.name for p in FOLDER.glob("peers/[!_]*.py")}


# The comparison


@pytest.mark.parametrize(
    ("base", "head", "verdict"),
    [
        (1.0, 1.2, "SLOWER"),
        (1.0, 1.1, "ok"),  # more than 0.05 s, not more than 15 %
        (0.1, 0.14, "ok"),  # more than 15 %, not more than 0.05 s
        (1.0, 0.5, "ok"),
    ],
)
def test_slower_means_by_more_than_15_percent_and_by_more_than_a_twentieth_of_a_second(suite, base, head, verdict):
    disturbed = 100.0
    row = suite.compare.Row("some", [base, base, disturbed], [head, head, disturbed])
    assert row.verdict == verdict
    assert verdict in suite.compare.table([row], "HEAD~1")


def test_fit_that_fails_is_no_success(suite):
    row = suite.compare.Row("some", [], [], "head FAILED: gap not reached")
    assert row.verdict != "ok"
    assert "gap not reached" in suite.compare.table([row], "HEAD~1")


def test_base_and_head_change_places(suite):
    called = []
    suite.compare.in_turns(called.append, 2)
    assert called == ["head", "base", "base", "head"]


# Text, one-hot and category columns


def test_text_has_words_by_zipfs_law_and_rows_of_length_one(suite):
    X, y = suite.sparse_problems.simulated_text(2_000, 500, 30, seed=1)[:2]
    assert X.has_canonical_format
    assert X.indices.dtype == np.int32
    np.testing.assert_allclose(X.power(2).sum(axis=1), 1.0, rtol=1e-12)
    counts = np.bincount(X.indices, minlength=500)
    assert counts[:10].min() > 5 * counts[-100:].mean()
    assert 0.3 < y.mean() < 0.7
    again = suite.sparse_problems.simulated_text(2_000, 500, 30, seed=1)
    assert (X != again.X).nnz == 0
    np.testing.assert_array_equal(y, again.y)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("most", [0, 10_000], ids=["conjugate gradients", "matrix"])
def test_minimum_over_sparse_columns_is_that_of_newton_cholesky(suite, intercept, most, monkeypatch):
    monkeypatch.setattr(suite.scoring, "MATRIX_COLUMNS", most)
    problem = suite.sparse_problems.simulated_text(2_000, 300, 20, seed=2)
    found = suite.scoring.optimum(problem.X, problem.y, 1.0, intercept)
    assert found.error < suite.scoring.REQUIRED / 100
    peer = LogisticRegression(solver="newton-cholesky", tol=1e-10, fit_intercept=intercept).fit(problem.X, problem.y)
    gap = suite.scoring.gap(problem.X, problem.y, 1.0, peer.coef_[0], float(np.ravel(peer.intercept_)[0]), found)
    assert abs(gap) < suite.scoring.REQUIRED / 100


def make_frame():
    return pd.DataFrame({"a": pd.Categorical(["x", "y", "x"]), "b": [1.5, 2.0, -1.0], "c": pd.Categorical([3, 1, 2])})


def test_one_hot_columns_are_in_the_order_of_the_frame(suite):
    found = suite.sparse_problems.one_hot(make_frame()).toarray()
    np.testing.assert_array_equal(found, [[1, 0, 1.5, 0, 0, 1], [0, 1, 2, 1, 0, 0], [1, 0, -1, 0, 1, 0]])


@pytest.mark.parametrize("make", [make_frame, lambda: sparse.eye_array(3, format="csr"), lambda: np.eye(3)])
def test_workers_load_what_was_saved(suite, make, tmp_path):
    X = make()
    suite.worker.save(tmp_path, X, np.arange(3))
    frame, loaded, y = suite.worker.load_rows(tmp_path)
    np.testing.assert_array_equal(y, np.arange(3))
    if isinstance(X, pd.DataFrame):
        pd.testing.assert_frame_equal(frame, X)
        X = suite.sparse_problems.one_hot(X)
    else:
        assert frame is None
    assert (loaded != X).sum() == 0


def test_problems_without_an_intercept_are_the_same_rows(suite):
    make = suite.sparse_problems.no_intercept(lambda share: suite.sparse_problems.simulated_text(200, 50, 5, seed=3))
    problem = make(1.0)
    assert not problem.intercept
    assert problem.note.endswith("no intercept")
    assert suite.problems.PROBLEMS["tall"](0.001).intercept


# Paths


def make_task(suite, folder, l1_ratio=1.0):
    dense = suite.problems.simulated(300, 8, seed=1)
    problem = suite.path_problems.PathProblem(dense.X, dense.y, 5, 0.05, "simulated")
    return suite.paths.Task(problem, l1_ratio, None, folder)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_the_violation_of_a_path_is_its_certificate_and_zeros_violate(suite, tmp_path, l1_ratio):
    task = make_task(suite, tmp_path, l1_ratio)
    Cs = 1.0 / (task.penalties * len(task.y))
    path = logistic_path(task.X, task.y, Cs=Cs, l1_ratio=l1_ratio, tol=1e-7)
    assert task.violation(path.coefs, path.intercepts) == pytest.approx(path.kkt.max(), rel=1e-3, abs=1e-12)
    intercept = np.full(5, np.log(task.y.mean() / (1 - task.y.mean())))
    assert task.violation(sparse.csr_array((5, 8)), intercept) == pytest.approx(l1_ratio * (1 - 0.05), rel=1e-6)


def test_a_package_is_asked_at_one_tolerance_after_the_other(suite, tmp_path):
    task = make_task(suite, tmp_path)
    with suite.paths.Asked("logreg", task) as asked:
        rough, exact = asked.fit(1e-2, 60.0), asked.fit(1e-8, 60.0)
        asked.process.kill()
        asked.process.wait()
        assert asked.fit(1e-8, 1.0) == {"failure": "the process died"}
    assert 1e-8 < rough["violation"] <= 1e-2
    assert exact["violation"] <= 1e-8
    assert 0 < len(exact["seconds"]) <= suite.paths.REPETITIONS


def test_a_tolerance_counts_from_where_it_reaches_the_accuracy(suite):
    class Peer:
        def fit(self, tol, limit):
            return {"seconds": [1.0], "violation": 10 * tol}

    assert suite.paths.matched(Peer(), [1e-5, 1e-6, 1e-7, 1e-8], 1.0)["tol"] == 1e-7
    assert suite.paths.matched(Peer(), [1e-5], 1.0)["failure"] == "accuracy not reached"


def test_a_path_is_as_much_faster_as_its_fastest_peer_or_at_least_as_the_limit(suite):
    found = {"logreg": {"seconds": [1.0, 2.0, 3.0]}, "a": {"seconds": [5.0]}, "b": {"failure": "", "longer_than": 4.0}}
    row = {"problem": "text", "single": False, "l1_ratio": 1.0, "matched": found, "default": {}}
    assert suite.path_report.speed_up(row, "matched") == (2.5, False)
    del found["a"]
    assert suite.path_report.speed_up(row, "matched") == (2.0, True)
    assert "| > 2.00 | >= 1.4 | 2 |" in suite.path_report.line("text", 2.0, True, 1.4, 2)
    assert "| 1.20 (missed) |" in suite.path_report.line("text", 1.2, False, 1.4, 2)
