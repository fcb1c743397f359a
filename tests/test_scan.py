"""Scans of files and batches: the fit of the same rows in memory, and a sentence for every fault of a source."""

import pickle
import threading
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import dataset, parquet
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score

from logreg import LogisticRegression, LogisticRegressionCV, plan, scan_batches, scan_csv, scan_parquet
from logreg.rows import memory

N = 1_200
NAMES = ["a", "b", "c"]


def make_frame(n=N, dtype=np.float32, seed=0):
    """Numbers, a category, weights, offsets and an outcome of names."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame((np.round(random.standard_normal((n, 3)) * 64) / 64).astype(dtype), columns=NAMES)
    frame["color"] = random.choice(["red", "green", "blue"], n)
    frame["w"], frame["o"] = random.uniform(0.5, 2.0, n), random.normal(size=n) * 0.3
    scores = frame["a"] - 0.5 * frame["b"] + (frame["color"] == "red") + frame["o"] - 1.0
    frame["late"] = np.where(random.random(n) < 1 / (1 + np.exp(-scores)), "yes", "no")
    return frame


def parquet_of(frame, folder, **options):
    path = folder / "rows.parquet"
    frame.to_parquet(path, index=False, row_group_size=options.pop("row_group_size", 300))
    return scan_parquet(path, **options)


def two_files(frame, folder, **options):
    for k, part in enumerate((frame[: N // 3], frame[N // 3 :])):
        part.to_parquet(folder / f"part-{k}.parquet", index=False, row_group_size=250)
    return scan_parquet(str(folder / "part-*.parquet"), **options)


def csv_of(frame, folder, **options):
    frame.to_csv(folder / "rows.csv", index=False)
    return scan_csv(folder / "rows.csv", **options)


def batches_of(frame, _, **options):
    return scan_batches([frame[:500], frame[500:501], frame[501:]], **options)


SOURCES = {
    "Parquet": parquet_of,
    "Parquet, tiny row groups": lambda *given, **options: parquet_of(*given, row_group_size=7, **options),
    "Parquet, one row group": lambda *given, **options: parquet_of(*given, row_group_size=N, **options),
    "two files": two_files,
    "CSV": csv_of,
    "pandas": batches_of,
    "polars": lambda frame, _, **options: scan_batches([pl.from_pandas(frame)], **options),
    "Arrow": lambda frame, _, **options: scan_batches(pa.Table.from_pandas(frame).to_batches(400), **options),
    "a function": lambda frame, _, **options: scan_batches(lambda: iter([frame[:90], frame[90:]]), **options),
}
ROLES = {
    "plain": {},
    "weighted": {"weight": "w"},
    "offset": {"offset": "o"},
    "both, categories": {"weight": "w", "offset": "o", "categories": ["color"]},
}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Read some hundred rows at a time, so that there are several batches."""
    from logreg import files

    monkeypatch.setattr(files, "BATCH_VALUES", 900)
    monkeypatch.setattr(files, "LEAST_ROWS", 1)


@pytest.fixture(params=SOURCES)
def source(request):
    return SOURCES[request.param]


def in_memory(frame, roles, **parameters):
    """Return the fit of what a scan with these roles stands for."""
    features = NAMES + roles.get("categories", [])
    clf = LogisticRegression(categories=roles.get("categories", "error"), **parameters)
    weight, offset = (frame[roles[name]] if name in roles else None for name in ("weight", "offset"))
    return clf.fit(frame[features], frame["late"], weight, offset=offset)


def assert_same_fit(ours, theirs, exactly=1e-9):
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=exactly, atol=exactly)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=exactly, atol=exactly)
    assert list(ours.feature_names_out_) == list(theirs.feature_names_out_)
    assert ours.classes_.tolist() == theirs.classes_.tolist()
    assert abs(ours.n_passes_ - theirs.n_passes_) <= 1
    assert ours.converged_ == theirs.converged_


@pytest.mark.parametrize("roles", ROLES.values(), ids=ROLES)
@pytest.mark.parametrize("penalty", ["l2", None])
def test_fit_of_a_scan_is_that_of_its_rows_in_memory(source, roles, penalty, tmp_path):
    frame = make_frame()
    features = NAMES + roles.get("categories", [])
    scan = source(frame, tmp_path, target="late", features=features, **roles)
    ours = LogisticRegression(penalty=penalty, tol=1e-8).fit(scan)
    theirs = in_memory(frame, roles, penalty=penalty, tol=1e-8)
    assert_same_fit(ours, theirs)
    for name in ("estimate", "std_error", "p_value"):
        np.testing.assert_allclose(ours.summary().frame[name], theirs.summary().frame[name], rtol=1e-6, atol=1e-9)
    ends = [clf.summary().fit_frame.select_dtypes("number").to_numpy() for clf in (ours, theirs)]
    np.testing.assert_allclose(*ends, rtol=1e-6)


@pytest.mark.parametrize("weight_type", ["frequency", "precision", "sampling"])
@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
def test_robust_covariances_of_a_scan_are_those_of_its_rows(kind, weight_type, tmp_path):
    frame = make_frame()
    scan = parquet_of(frame, tmp_path, target="late", features=NAMES, weight="w")
    ours = LogisticRegression(penalty=None, tol=1e-9).fit(scan).covariance(kind, scan, weight_type=weight_type)
    rows = frame[NAMES], frame["late"], frame["w"]
    theirs = LogisticRegression(penalty=None, tol=1e-9).fit(*rows).covariance(kind, *rows, weight_type=weight_type)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("method", ["profile", "score"])
def test_intervals_from_the_likelihood_of_a_scan_are_those_of_its_rows(method, tmp_path):
    frame, roles = make_frame(), {"weight": "w", "offset": "o"}
    scan = parquet_of(frame, tmp_path, target="late", features=NAMES, **roles)
    ours = LogisticRegression(penalty=None, tol=1e-9).fit(scan).conf_int(scan, method=method)
    theirs = in_memory(frame, roles, penalty=None, tol=1e-9).conf_int(
        frame[NAMES], frame["late"], frame["w"], offset=frame["o"], method=method
    )
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-7)


@pytest.mark.parametrize(
    "parameters",
    [
        {"class_weight": "balanced"},
        {"class_weight": {"yes": 3.0, "no": 1.0}},
        {"standardize": True, "C": 0.01},
        {"penalty_factor": {"b": 0.0}},
        {"fit_intercept": False},
        {"solver": "gradient-descent"},
        {"solver": "newton"},
    ],
    ids=str,
)
def test_parameters_mean_the_same(parameters, tmp_path):
    frame, roles = make_frame(), {"weight": "w"}
    scan = parquet_of(frame, tmp_path, target="late", features=NAMES, **roles)
    ours = LogisticRegression(tol=1e-8, **parameters).fit(scan)
    assert_same_fit(ours, in_memory(frame, roles, tol=1e-8, **parameters), 1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int64])
def test_numbers_of_any_type_are_read_as_they_are(dtype, tmp_path):
    frame = make_frame()
    frame[NAMES] = (frame[NAMES] * 4).astype(dtype)
    scan = parquet_of(frame, tmp_path, target="late", features=NAMES)
    assert_same_fit(LogisticRegression(tol=1e-8).fit(scan), in_memory(frame, {}, tol=1e-8))


@pytest.fixture
def large(monkeypatch):
    """Bring the ways of large data down to the size of a test."""
    monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    monkeypatch.setattr(plan, "FULL_FLOPS", 0)
    monkeypatch.setattr(plan, "SAMPLED_ROWS", 400)
    monkeypatch.setattr(plan, "ROWS_A_COLUMN", 10)
    monkeypatch.setattr(plan, "FIRST_SAMPLE", 100)


@pytest.mark.parametrize("roles", ROLES.values(), ids=ROLES)
def test_sampled_starts_and_compiled_kernels_lead_to_the_same_optimum(source, roles, large, tmp_path):
    frame = make_frame()
    features = NAMES + roles.get("categories", [])
    scan = source(frame, tmp_path, target="late", features=features, **roles)
    ours = LogisticRegression(tol=1e-8, max_iter=500).fit(scan)
    theirs = in_memory(frame, roles, tol=1e-10, max_iter=500)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7, atol=1e-8)
    again = LogisticRegression(tol=1e-8, max_iter=500).fit(scan)
    assert np.array_equal(ours.coef_, again.coef_)  # bit for bit


def test_filter_and_folders_choose_rows(tmp_path):
    frame = make_frame()
    frame["year"] = np.arange(N) % 3
    parquet.write_to_dataset(pa.Table.from_pandas(frame, preserve_index=False), tmp_path, partition_cols=["year"])
    chosen = frame[frame["year"] != 1]
    theirs = in_memory(chosen, {}, tol=1e-8)
    field = dataset.field("year")
    scan = scan_parquet(tmp_path, target="late", features=NAMES, filter=field != 1)
    assert_same_fit(LogisticRegression(tol=1e-8).fit(scan), theirs)
    listed = scan_parquet(sorted(tmp_path.glob("year=[02]/*.parquet")), target="late", features=NAMES)
    assert_same_fit(LogisticRegression(tol=1e-8).fit(listed), theirs)
    with_year = scan_parquet(dataset.dataset(tmp_path, partitioning="hive"), target="late", features=[*NAMES, "year"])
    assert "year" in LogisticRegression().fit(with_year).feature_names_in_


def test_features_are_all_columns_that_are_nothing_else(tmp_path):
    scan = parquet_of(make_frame().drop(columns="color"), tmp_path, target="late", weight="w", offset="o")
    assert list(LogisticRegression().fit(scan).feature_names_in_) == NAMES


def test_order_and_types_of_columns_may_differ_between_files(tmp_path):
    frame = make_frame()
    frame[:500].to_parquet(tmp_path / "1.parquet", index=False)
    other = frame[500:][["late", "c", "b", "a", "color", "w", "o"]].astype({"b": np.float64})
    other.to_parquet(tmp_path / "2.parquet", index=False)
    scan = scan_parquet(tmp_path, target="late", features=NAMES)
    assert_same_fit(LogisticRegression(tol=1e-8).fit(scan), in_memory(frame, {}, tol=1e-8))


def test_csv_of_whole_numbers_may_go_on_with_fractions(tmp_path):
    pd.DataFrame({"y": [0, 1] * 50, "x": [1, 2, 3, 5] * 25}).to_csv(tmp_path / "1.csv", index=False)
    pd.DataFrame({"x": [1.5, 2.5] * 50, "y": [1, 0] * 50}).to_csv(tmp_path / "2.csv", index=False)
    clf = LogisticRegression().fit(scan_csv(str(tmp_path / "*.csv"), target="y"))
    assert clf.classes_.tolist() == [0, 1]
    assert clf.classes_.dtype.kind == "i"


def test_pairs_of_arrays_have_no_names():
    frame = make_frame()
    X, y, w = frame[NAMES].to_numpy(), frame["late"].to_numpy(), frame["w"].to_numpy()
    scan = scan_batches([(X[:500], y[:500], w[:500]), (X[500:], y[500:], w[500:])])
    ours = LogisticRegression(tol=1e-8).fit(scan)
    np.testing.assert_allclose(ours.coef_, LogisticRegression(tol=1e-8).fit(X, y, w).coef_, rtol=1e-9)
    assert not hasattr(ours, "feature_names_in_")
    np.testing.assert_array_equal(np.concatenate(list(ours.predict(scan))), ours.predict(X))


def test_warm_start_begins_where_the_last_fit_ended(tmp_path):
    scan = parquet_of(make_frame(), tmp_path, target="late", features=NAMES)
    clf = LogisticRegression(tol=1e-6, warm_start=True).fit(scan)
    first = clf.n_passes_
    assert clf.fit(scan).n_passes_ < first


def test_columns_far_from_zero_keep_their_digits(tmp_path):
    frame = make_frame(dtype=np.float64)
    frame["a"] += 1e6
    scan = parquet_of(frame, tmp_path, target="late", features=NAMES)
    assert_same_fit(LogisticRegression(penalty=None, tol=1e-8).fit(scan), in_memory(frame, {}, penalty=None, tol=1e-8))


def test_predictions_come_batch_by_batch_in_order(source, tmp_path):
    frame = make_frame()
    roles = ROLES["both, categories"]
    features = [*NAMES, "color"]
    scan = source(frame, tmp_path, target="late", features=features, **roles)
    clf = LogisticRegression().fit(scan)
    X, offset = frame[features], frame["o"]
    for method in ("predict_proba", "predict_log_proba", "decision_function", "predict"):
        ours = np.concatenate(list(getattr(clf, method)(scan)))
        if method == "predict":
            assert ours.tolist() == clf.predict(X, offset).tolist()
        else:
            np.testing.assert_allclose(ours, getattr(clf, method)(X, offset), rtol=1e-12)
    expected = accuracy_score(frame["late"], clf.predict(X, offset), sample_weight=frame["w"])
    assert clf.score(scan) == pytest.approx(expected, rel=1e-12)


def test_predictions_are_written_row_by_row(tmp_path):
    frame = make_frame()
    scan = parquet_of(frame, tmp_path, target="late", features=NAMES)
    clf = LogisticRegression().fit(scan)
    clf.predict_to_parquet(scan, tmp_path / "out.parquet")
    written = pd.read_parquet(tmp_path / "out.parquet")
    np.testing.assert_allclose(written["probability"], clf.predict_proba(frame[NAMES])[:, 1], rtol=1e-12)
    assert written["predicted"].tolist() == clf.predict(frame[NAMES]).tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "rows.parquet"]


def test_predictions_need_no_target(tmp_path):
    frame = make_frame()
    clf = LogisticRegression().fit(frame[NAMES], frame["late"])
    scan = parquet_of(frame[["c", "b", "a"]], tmp_path)
    np.testing.assert_allclose(np.concatenate(list(clf.predict_proba(scan))), clf.predict_proba(frame[NAMES]))


def test_scan_holds_no_rows_and_estimators_hold_no_scan(tmp_path):
    frame = make_frame()
    scan = parquet_of(frame, tmp_path, target="late", features=NAMES)
    clf = LogisticRegression().fit(scan)
    assert len(pickle.dumps(clf)) < 10_000
    pd.testing.assert_frame_equal(scan.to_frame(), frame[[*NAMES, "late"]])


def fit(scan, **parameters):
    return LogisticRegression(**parameters).fit(scan)


def test_truncated_file_is_named(tmp_path):
    scan = parquet_of(make_frame(), tmp_path, target="late", features=NAMES)
    path = tmp_path / "rows.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"rows\.parquet cannot be read: .*; write it again, or leave it out\.$"):
        fit(scan)


def test_missing_column_is_named_with_its_file(tmp_path):
    frame = make_frame()
    frame[:500].to_parquet(tmp_path / "1.parquet", index=False)
    frame[500:].drop(columns="b").to_parquet(tmp_path / "2.parquet", index=False)
    with pytest.raises(ValueError, match=r"2\.parquet: There is no column 'b'; the columns are 'a', 'c', "):
        fit(scan_parquet(tmp_path, target="late", features=NAMES))
    with pytest.raises(ValueError, match=r"There is no column 'lte'"):
        fit(scan_parquet(tmp_path / "1.parquet", target="lte", features=NAMES))


@pytest.mark.parametrize(("value", "what"), [(None, "NaN"), (np.inf, "infinity")])
def test_cell_that_is_no_number_is_named_with_file_row_group_and_column(value, what, tmp_path):
    frame = make_frame(dtype=np.float64)
    frame.loc[700, "b"] = value
    parquet.write_table(pa.Table.from_pandas(frame), tmp_path / "rows.parquet", row_group_size=300)
    scan = scan_parquet(tmp_path / "rows.parquet", target="late", features=NAMES)
    with pytest.raises(ValueError, match=rf"rows\.parquet, row group 2: Input X contains {what}.*'b', row 100;"):
        fit(scan)


@pytest.mark.parametrize(
    ("column", "says"),
    [("late", "Input y contains NaN, first in row 7"), ("w", "weight contains nan, first in row 7")],
)
def test_null_outcomes_and_weights_are_named(column, says, tmp_path):
    frame = make_frame()
    frame.loc[7, column] = None
    with pytest.raises(ValueError, match=rf"rows\.parquet, row group 0: {says}"):
        fit(parquet_of(frame, tmp_path, target="late", features=NAMES, weight="w"))


def test_negative_weight_is_named(tmp_path):
    frame = make_frame()
    frame.loc[7, "w"] = -1.0
    with pytest.raises(ValueError, match=r"rows\.parquet, row group 0: weight is -1 in row 7; weights must be"):
        fit(parquet_of(frame, tmp_path, target="late", features=NAMES, weight="w"))


def test_text_among_the_features_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"Column 'color' holds text .*; list it in categories, or convert it\."):
        fit(parquet_of(make_frame(), tmp_path, target="late", features=["a", "color"]))


def test_columns_of_types_that_do_not_mix_are_named(tmp_path):
    frame = make_frame()
    frame[:500].to_parquet(tmp_path / "1.parquet", index=False)
    frame[500:].assign(b="text").to_parquet(tmp_path / "2.parquet", index=False)
    with pytest.raises(
        ValueError, match=r"Column 'b' has types in some files that differ too much: float and .*string"
    ):
        fit(scan_parquet(tmp_path, target="late", features=NAMES))


def test_file_that_is_written_anew_between_passes_is_noticed(tmp_path):
    frame = make_frame()
    scan = parquet_of(frame, tmp_path, target="late", features=NAMES)
    fit(scan)
    pd.concat([frame, frame]).to_parquet(tmp_path / "rows.parquet", index=False)
    with pytest.raises(ValueError, match=r"rows\.parquet has changed since it was first read; scan again"):
        fit(scan)


def test_batches_that_grow_between_passes_are_noticed():
    batches = [make_frame(n=300)]

    def growing():
        yield from batches
        batches.append(batches[0])

    with pytest.raises(ValueError, match=r"held \d+ rows at first and [\d,]+ rows later"):
        fit(scan_batches(growing, target="late", features=NAMES))


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["yes"] * 300, "only one class, 'yes'"),
        (["yes", "no", "perhaps"] * 100, r"3 classes \('no', 'perhaps', 'yes'\)"),
        (np.arange(300) / 7, "continuous numbers"),
    ],
    ids=["one", "three", "continuous"],
)
def test_other_than_two_classes_are_refused(labels, says, tmp_path):
    frame = make_frame(n=300).assign(late=labels)
    with pytest.raises(ValueError, match=says):
        fit(parquet_of(frame, tmp_path, target="late", features=NAMES))


def test_classes_may_come_one_after_the_other():
    frame = make_frame().sort_values("late", kind="stable")
    scan = scan_batches([frame[k : k + 100] for k in range(0, N, 100)], target="late", features=NAMES)
    assert_same_fit(fit(scan, tol=1e-8), in_memory(frame, {}, tol=1e-8))


def test_empty_files_and_batches_are_passed_over(tmp_path):
    frame = make_frame()
    for k, part in enumerate((frame[:0], frame[:400], frame[400:400], frame[400:])):
        part.to_parquet(tmp_path / f"{k}.parquet", index=False)
    theirs = in_memory(frame, {}, tol=1e-8)
    assert_same_fit(fit(scan_parquet(tmp_path, target="late", features=NAMES), tol=1e-8), theirs)
    batches = [frame[:0], frame[:400], frame[400:]]
    assert_same_fit(fit(scan_batches(batches, target="late", features=NAMES), tol=1e-8), theirs)


@pytest.mark.parametrize("scan", [scan_batches([]), scan_batches([make_frame()[:0]], target="late")])
def test_scan_without_rows_is_refused(scan):
    with pytest.raises(ValueError, match="The scan has no rows"):
        fit(scan)


def test_paths_that_are_none_are_refused():
    with pytest.raises(ValueError, match="paths is a int; pass a path, a list of paths"):
        scan_parquet(3)
    with pytest.raises(FileNotFoundError, match="There is no file 'nowhere/"):
        scan_csv("nowhere/*.csv")


def test_one_shot_sources_are_refused():
    frame = make_frame()
    with pytest.raises(ValueError, match=r"A generator can be read once, .* pass a list, or a function"):
        scan_batches(frame for _ in range(2))
    once = iter([frame])
    with pytest.raises(ValueError, match=r"A list_iterator can be read once"):
        fit(scan_batches(lambda: once, target="late"))
    with pytest.raises(ValueError, match=r"batches is a int"):
        scan_batches(3)


def test_arrays_beside_a_scan_are_refused():
    frame = make_frame()
    scan = scan_batches([frame], target="late", features=NAMES)
    for given in ({"y": frame["late"]}, {"sample_weight": frame["w"]}, {"offset": frame["o"]}):
        with pytest.raises(ValueError, match="A scan brings its own outcomes, weights and offsets"):
            LogisticRegression().fit(scan, **given)
    with pytest.raises(ValueError, match="The scan has no target"):
        fit(scan_batches([frame[NAMES]]))


@pytest.mark.parametrize(
    "ask",
    [
        lambda scan: fit(scan, l1_ratio=0.5, C=0.1),
        lambda scan: fit(scan, positive=True),
        lambda scan: fit(scan, penalty="firth"),
        lambda scan: LogisticRegressionCV().fit(scan, None),
        lambda scan: fit(scan).bootstrap(scan, None),
        lambda scan: fit(scan).covariance("cluster", scan, groups=np.zeros(N)),
    ],
    ids=["elastic net", "bounds", "Firth", "CV", "bootstrap", "clusters"],
)
def test_what_needs_rows_in_memory_says_so(ask):
    scan = scan_batches([make_frame()], target="late", features=NAMES)
    with pytest.raises(
        ValueError, match=r"needs rows in memory.* pass arrays or a DataFrame, such as scan\.to_frame\(\)"
    ):
        ask(scan)


def test_separated_classes_warn_as_in_memory(tmp_path):
    frame = make_frame()
    frame["late"] = np.where(frame["a"] > 0, "yes", "no")
    scan = parquet_of(frame, tmp_path, target="late", features=["a", "b"])
    with pytest.warns(ConvergenceWarning, match="those of 'a'"):
        clf = fit(scan, penalty=None)
    assert not clf.converged_
    assert clf.separation_.kind == "complete"


def test_interrupted_fit_leaves_no_thread_and_no_open_file(tmp_path, monkeypatch):
    from pathlib import Path

    scan = parquet_of(make_frame(), tmp_path, target="late", features=NAMES)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("logreg.rows.streamed.SelectableRows.sums", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(scan)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("logreg")]
    open_files = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert not [path for path in open_files if "rows.parquet" in path]


def test_import_of_the_package_leaves_pyarrow_alone(tmp_path):
    import subprocess
    import sys

    code = "import sys, logreg; sys.exit('pyarrow.dataset' in sys.modules or 'logreg.files' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_warns(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(two_files(make_frame(), tmp_path, target="late", features=[*NAMES, "color"], categories=["color"]))
