"""Rows that are not in memory are separated as they are in memory: margins are seen part by part."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from test_separation import overlapping, rare_dummy

from logreg import LogisticRegression, detect_separation, files, plan, scan_batches, scan_parquet
from logreg.datasets import load_breast_cancer, load_endometrial
from logreg.inference import margins, recession, separation
from logreg.rows import StreamedRows, memory

INF = np.inf


def scan_of(X, y, weight=None, offset=None, size=150):
    """Return a scan of batches of so many rows."""
    frame = pd.DataFrame(np.asarray(X)).add_prefix("x").assign(y=np.asarray(y))
    roles = {"weight": weight, "offset": offset}
    given = {name: name for name, values in roles.items() if values is not None}
    frame = frame.assign(**{name: roles[name] for name in given})
    return scan_batches([frame[k : k + size] for k in range(0, len(frame), size)], target="y", **given)


def fits(X, y, weight=None, offset=None, size=150, **parameters):
    """Return the fit of a scan and that of its rows in memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scan = scan_of(X, y, weight, offset, size)
        return [
            LogisticRegression(penalty=None, **parameters).fit(*given, offset=known)
            for *given, known in ([scan, None], [pd.DataFrame(np.asarray(X)).add_prefix("x"), y, weight, offset])
        ]


def assert_same_separation(ours, theirs, exactly=1e-9):
    assert ours.kind == theirs.kind
    np.testing.assert_array_equal(ours.directions, theirs.directions)
    largest = np.abs(theirs.recession).max()
    np.testing.assert_allclose(ours.recession, theirs.recession, rtol=0, atol=exactly * largest)
    assert (ours.n_separated, ours.n_rows) == (theirs.n_separated, theirs.n_rows)
    assert str(ours) == str(theirs)
    pd.testing.assert_frame_equal(ours.frame(), theirs.frame())


def assert_same_summary(ours, theirs):
    frames = [clf.summary().frame for clf in (ours, theirs)]
    assert frames[0]["term"].tolist() == frames[1]["term"].tolist()
    numbers = [frame.drop(columns="term").to_numpy(dtype=float) for frame in frames]
    np.testing.assert_allclose(*numbers, rtol=1e-6, atol=1e-8)
    ends = [clf.summary().fit_frame.to_numpy(dtype=float) for clf in (ours, theirs)]
    np.testing.assert_allclose(*ends, rtol=1e-7)
    assert ours.summary().notes == theirs.summary().notes


def dummy_and_more(n_columns):
    """A rare dummy of one outcome, before it other columns."""
    X, y = rare_dummy(600)
    noise = np.random.default_rng(0).standard_normal((len(X), n_columns))
    return np.column_stack([noise, X]), y


def weight_with_a_row_in_the_way():
    X, y = rare_dummy(600)
    weight = np.append(np.random.default_rng(0).integers(1, 4, len(X)), 0).astype(float)
    return np.vstack([X, [[0.0, 0.0, 1.0]]]), np.append(y, 0), weight


def tumours():
    X, y = load_endometrial()
    return X.to_numpy(dtype=float), y.to_numpy()


CASES = {
    "tumours": (*tumours(), {}),
    "complete": (*(np.asarray(part) for part in load_breast_cancer()), {}),
    "a rare dummy": (*rare_dummy(600), {}),
    "sorted by the dummy": (*(part[np.argsort(rare_dummy(600)[0][:, 2])] for part in rare_dummy(600)), {}),
    "no intercept": (*rare_dummy(600), {"fit_intercept": False}),
    "a column left out": (*rare_dummy(600), {"penalty_factor": {"x1": INF}}),
    "an offset": (*rare_dummy(600), {"offset": np.sin(np.arange(600.0))}),
    "a row of weight 0": (*weight_with_a_row_in_the_way()[:2], {"weight": weight_with_a_row_in_the_way()[2]}),
    "far from zero": (rare_dummy(600)[0] + [300.0, -1e6, 0.0], rare_dummy(600)[1], {}),
    "many columns": (*dummy_and_more(60), {}),
    "many columns, few rows": (*(part[:70] for part in dummy_and_more(60)), {}),
}


@pytest.mark.parametrize("size", [71, 2_000])
@pytest.mark.parametrize(("X", "y", "given"), CASES.values(), ids=CASES)
def test_a_scan_is_separated_as_its_rows_are_in_memory(X, y, given, size):
    ours, theirs = fits(X, y, size=size, **given)
    assert theirs.separation_.kind is not None
    assert_same_separation(
        ours.separation_, theirs.separation_, 1e-5 if X.shape[1] > separation.FAST_PROGRAMS else 1e-9
    )
    assert_same_summary(ours, theirs)
    assert ours.separation_.rows is None


def test_batches_may_be_of_a_row_or_two():
    ours, theirs = fits(*tumours(), size=2)
    assert_same_separation(ours.separation_, theirs.separation_)
    assert_same_summary(ours, theirs)


def test_a_redundant_column_is_open_in_a_scan():
    X, y = rare_dummy(600)
    ours, theirs = fits(np.column_stack([X[:, 2], X, X[:, 0] - X[:, 1]]), y)
    assert_same_separation(ours.separation_, theirs.separation_)
    np.testing.assert_array_equal(ours.separation_.directions, [INF, 0, 0, np.nan, np.nan, 0])
    assert_same_summary(ours, theirs)


def test_categories_of_a_scan_are_named_by_level():
    frame = pd.DataFrame({"site": ["north", "south", "west"] * 40, "dose": np.arange(120) % 7})
    frame["y"] = np.where(frame["site"] == "west", "yes", np.where(np.arange(120) // 3 % 2, "yes", "no"))
    scan = scan_batches([frame[:50], frame[50:]], target="y", categories=["site"])
    found, expected = (
        detect_separation(*given, categories=["site"]) for given in ([scan], [frame[["site", "dose"]], frame["y"]])
    )
    assert_same_separation(found, expected)
    assert dict(found.frame().to_numpy().tolist())["site=west"] == INF


@pytest.mark.parametrize("kind", ["quasi", "complete", None])
def test_programs_hold_few_rows_of_a_scan(monkeypatch, kind):
    """The first program knows a sample; rows that it lets down come from all batches, in several turns."""
    random = np.random.default_rng(5)
    X = random.standard_normal((3_000, 4))
    z = X @ [1, -1, 2, 0.5]
    y = (z > 0.3).astype(int)
    if kind != "complete":
        y[np.argmin(z)] = 1
    if kind == "quasi":
        X = np.column_stack([X, random.random(3_000) < 0.02])
        X[np.argmin(z), 4] = 0
        y[X[:, 4] > 0] = 1
    expected, held = detect_separation(X, y), []
    assert expected.kind == kind
    for name, value in (("FIRST_ROWS", 20), ("FIRST_ROWS_A_COLUMN", 2), ("MORE_ROWS", 10)):
        monkeypatch.setattr(margins, name, value)
    monkeypatch.setattr(recession, "FEW_ROWS", 100)
    solve = recession.solve_program
    monkeypatch.setattr(recession, "solve_program", lambda A, *given: (held.append(A.shape[0]), solve(A, *given))[1])
    found = detect_separation(scan_of(X, y))
    assert_same_separation(found, expected)
    assert 20 <= max(held) < 300


def test_doubt_without_separation_ends_in_none():
    X, y = overlapping(2_000)
    with pytest.warns(ConvergenceWarning, match="passes"):
        clf = LogisticRegression(penalty=None, max_iter=2).fit(scan_of(X, y))
    assert clf.separation_ is None
    assert detect_separation(scan_of(X, y)).kind is None


def test_large_data_are_separated_alike(monkeypatch):
    monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    monkeypatch.setattr(plan, "FULL_FLOPS", 0)
    X, y = rare_dummy(6_000)
    ours, theirs = fits(X, y, size=1_100)
    assert_same_separation(ours.separation_, theirs.separation_)
    np.testing.assert_allclose(*(clf.summary().frame["estimate"] for clf in (ours, theirs)), rtol=1e-6)
    wide, _ = fits(*dummy_and_more(60), size=170)
    assert wide.separation_.endless(wide.feature_names_out_) == "'x62'"


def test_what_to_do_with_separation_is_asked_of_a_scan_too():
    scan = scan_of(*rare_dummy(600))
    with pytest.raises(ValueError, match=r"separates the outcomes in part, in \d of 600 rows.*'x2'"):
        LogisticRegression(penalty=None, on_separation="raise").fit(scan)
    with pytest.warns(ConvergenceWarning, match="those of 'x2'|fastest those of 'x2'"):
        LogisticRegression(penalty=None).fit(scan)
    assert LogisticRegression(penalty=None, on_separation="ignore").fit(scan).separation_ is None
    with pytest.raises(ValueError, match="needs rows in memory"):
        LogisticRegression(penalty=None, on_separation="firth").fit(scan)


def test_where_programs_would_outgrow_memory_that_is_said(monkeypatch):
    monkeypatch.setattr(margins, "FIRST_ROWS", 20)
    monkeypatch.setattr(margins, "FIRST_ROWS_A_COLUMN", 1)
    monkeypatch.setattr(recession, "MOST_VALUES", 10)
    X, _ = overlapping(600)
    y = (X[:, 0] > X[:, 1]).astype(int)
    scan = scan_of(X, y)
    sentence = (
        r"^Linear programs with [\d,]+ of the rows, .* have not told whether columns separate the outcomes; use a"
    )
    with pytest.raises(ValueError, match=sentence):
        detect_separation(scan)
    assert detect_separation(X, y).kind == "complete"  # in memory all rows may be held
    with pytest.warns(ConvergenceWarning) as told:
        clf = LogisticRegression(penalty=None).fit(scan)
    assert [one.filename for one in told if str(one.message).startswith("Linear programs with")] == [__file__]
    assert clf.separation_ is None


def test_memory_does_not_grow_with_the_rows(tmp_path, monkeypatch):
    def peak(n):
        X, y = rare_dummy(n)
        frame = pd.DataFrame(X.astype(np.float32)).add_prefix("x").assign(y=y)
        frame.to_parquet(tmp_path / f"{n}.parquet", row_group_size=2_000)
        scan = scan_parquet(tmp_path / f"{n}.parquet", target="y")
        tracemalloc.start()
        found = detect_separation(scan)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.kind == "quasi"
        assert len(pickle.dumps(found)) < 5_000
        return peak

    monkeypatch.setattr(files, "BATCH_VALUES", 8_000)
    monkeypatch.setattr(StreamedRows, "least_pool", 20_000)
    peak(2_000)  # what is imported on the way
    assert peak(120_000) < 1.5 * peak(12_000)
