"""Fits that are killed, and go on from their checkpoint."""

import errno
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from logreg import LogisticRegression


def many_rows():
    """Return rows so many that a fit starts on samples of them."""
    random = np.random.default_rng(0)
    X = random.standard_normal((60_000, 10)) @ (np.eye(10) + 0.5)
    y = (random.random(len(X)) < expit(X @ random.standard_normal(10))).astype(int)
    return X, y


class Counter:
    """Counts the passes of a fit, and presses Ctrl-C after some."""

    def __init__(self, last=np.inf):
        self.n_passes, self.last = 0, last

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        self.n_passes += context.task_name == "pass"
        if self.n_passes == self.last:
            raise KeyboardInterrupt


def passes_of(clf, X, y):
    """Fit, and return how many passes that took, on the way down to the penalty too."""
    counter = Counter()
    clf.set_callbacks(counter).fit(X, y)
    return counter.n_passes


def interrupted(clf, X, y, after):
    """Fit until so many passes are made and kept; then Ctrl-C."""
    with pytest.raises(KeyboardInterrupt):
        clone(clf).set_callbacks(Counter(after)).fit(X, y)


PROBLEMS = {
    "ridge": {},
    "maximum-likelihood": {"penalty": None},
    "newton": {"solver": "newton"},
    "gradient-descent": {"solver": "gradient-descent", "max_iter": 1_000},
    "lasso": {"l1_ratio": 1.0, "C": 0.01},
    "partly-free": {"l1_ratio": 0.5, "C": 0.01, "penalty_factor": [0.0] + [1.0] * 9},
    "far-from-zero": {"C": 0.1},
}


@pytest.mark.parametrize(("name", "parameters"), PROBLEMS.items(), ids=PROBLEMS)
@pytest.mark.parametrize("after", [1, 2, 5])
def test_a_fit_that_was_interrupted_goes_on_where_it_was(tmp_path, name, parameters, after):
    X, y = many_rows()
    X += 1e6 if name == "far-from-zero" else 0.0
    clf = LogisticRegression(checkpoint=tmp_path / "fit.npz", **parameters)
    whole = clone(clf)
    n_passes = passes_of(whole, X, y)
    assert not (tmp_path / "fit.npz").exists()
    interrupted(clf, X, y, after)
    assert os.listdir(tmp_path) == ["fit.npz"]
    n_left = passes_of(clf, X, y)
    assert os.listdir(tmp_path) == []
    assert_allclose(clf.coef_, whole.coef_, rtol=1e-4, atol=1e-5)
    if name != "gradient-descent":  # whose steps live on those before
        assert after + n_left <= n_passes + 2


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from test_checkpoint import many_rows
from logreg import LogisticRegression
from logreg.checkpoint import Checkpoint

class Killed(Checkpoint):
    def _keep(self, path, W):
        super()._keep(path, W)
        if self.n_passes == 3:
            os.kill(os.getpid(), signal.SIGKILL)

import logreg.estimator
logreg.estimator.Checkpoint = Killed
LogisticRegression(tol=1e-7, checkpoint=sys.argv[2]).fit(*many_rows())
"""


def test_a_fit_whose_process_was_killed_loses_at_most_one_pass(tmp_path):
    path = tmp_path / "fit.npz"
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(path)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert path.exists()
    X, y = many_rows()
    whole = LogisticRegression(tol=1e-7).fit(X, y)
    clf = LogisticRegression(tol=1e-7, checkpoint=str(path)).fit(X, y)
    assert 3 + clf.n_passes_ <= whole.n_passes_ + 1
    assert_allclose(clf.coef_, whole.coef_, rtol=1e-5)
    assert not path.exists()


def test_a_fit_that_ran_out_of_passes_goes_on_with_more_of_them(tmp_path):
    X, y = many_rows()
    clf = LogisticRegression(tol=1e-7, max_iter=3, checkpoint=tmp_path / "fit.npz")
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        clf.fit(X, y)
    assert (tmp_path / "fit.npz").exists()
    clf.set_params(max_iter=100).fit(X, y)
    assert clf.converged_
    assert not (tmp_path / "fit.npz").exists()


def test_a_checkpoint_changes_nothing_in_a_fit_that_nobody_interrupts(tmp_path, data):
    plain = LogisticRegression().fit(data.X, data.y)
    kept = LogisticRegression(checkpoint=tmp_path / "fit.npz").fit(data.X, data.y)
    assert_array_equal(kept.coef_, plain.coef_)
    assert kept.n_passes_ == plain.n_passes_


OTHER = {
    "rows": lambda data: (LogisticRegression(), data.X[:150], data.y[:150]),
    "outcomes": lambda data: (LogisticRegression(), data.X, np.r_[1 - data.y[:1], data.y[1:]]),
    "columns": lambda data: (LogisticRegression(), data.X[:, :2], data.y),
    "names": lambda data: (LogisticRegression(), pd.DataFrame(data.X, columns=list("abc")), data.y),
    "classes": lambda data: (LogisticRegression(), data.X, np.where(data.y == 1, "yes", "no")),
    "C": lambda data: (LogisticRegression(C=2.0), data.X, data.y),
    "l1": lambda data: (LogisticRegression(l1_ratio=0.5), data.X, data.y),
    "factors": lambda data: (LogisticRegression(penalty_factor=[1.0, 2.0, 1.0]), data.X, data.y),
    "bounds": lambda data: (LogisticRegression(positive=True), data.X, data.y),
    "intercept": lambda data: (LogisticRegression(fit_intercept=False), data.X, data.y),
}
SAID = {
    "names": "columns",
    "outcomes": "rows",
    "C": "penalty",
    "l1": "penalty",
    "factors": "penalty",
    "bounds": "penalty",
}


@pytest.mark.parametrize(("name", "other"), OTHER.items(), ids=OTHER)
def test_the_checkpoint_of_another_fit_is_refused(tmp_path, data, name, other):
    path = tmp_path / "fit.npz"
    interrupted(LogisticRegression(checkpoint=path), data.X, data.y, 1)
    clf, X, y = other(data)
    with pytest.raises(ValueError, match=f"is of another fit, with other .*{SAID.get(name, name)}"):
        clf.set_params(checkpoint=path).fit(X, y)
    assert not hasattr(clf, "coef_")
    assert path.exists()


@pytest.mark.parametrize("content", [b"", b"something else", b"PK\x03\x04 cut short"], ids=["empty", "text", "cut"])
def test_a_file_that_is_no_checkpoint_is_refused_and_kept(tmp_path, data, content):
    path = tmp_path / "fit.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a checkpoint of a fit; remove it, or choose another path"):
        LogisticRegression(checkpoint=path).fit(data.X, data.y)
    assert path.read_bytes() == content


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_where_the_disk_is_full_the_fit_goes_on_with_one_warning(tmp_path, data, monkeypatch, function):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, function, full)
    with pytest.warns(UserWarning, match=r"could not be written \(No space left on device\)") as caught:
        clf = LogisticRegression(checkpoint=tmp_path / "fit.npz").fit(data.X, data.y)
    assert len(caught) == 1
    assert clf.converged_
    assert os.listdir(tmp_path) == []


def test_where_the_folder_is_gone_the_fit_goes_on_with_one_warning(tmp_path, data):
    folder = tmp_path / "folder"
    folder.mkdir()

    class Remover:
        def setup(self, estimator, context):
            folder.rmdir()

        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context): ...

    clf = LogisticRegression(checkpoint=folder / "fit.npz").set_callbacks(Remover())
    with pytest.warns(UserWarning, match="the fit goes on without it") as caught:
        clf.fit(data.X, data.y)
    assert len(caught) == 1
    assert clf.converged_


def test_an_old_checkpoint_stays_whole_while_the_next_is_written(tmp_path, data, monkeypatch):
    path = tmp_path / "fit.npz"
    interrupted(LogisticRegression(checkpoint=path), data.X, data.y, 1)
    before = path.read_bytes()

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        LogisticRegression(checkpoint=path).fit(data.X, data.y)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["fit.npz"]


@pytest.mark.parametrize("path", [3, "no such folder/fit.npz", "."], ids=["number", "folder", "is-folder"])
def test_a_path_that_cannot_be_written_to_is_told_before_the_fit(data, path):
    with pytest.raises(ValueError, match=r"checkpoint=.* must be"):
        LogisticRegression(checkpoint=path).fit(data.X, data.y)


def test_a_separated_fit_leaves_no_checkpoint(tmp_path):
    X = np.arange(20.0)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        LogisticRegression(penalty=None, checkpoint=tmp_path / "fit.npz").fit(X, X[:, 0] > 9)
    assert os.listdir(tmp_path) == []
