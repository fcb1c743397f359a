"""Paths of lasso and elastic net: problems x packages, at matched accuracy and at each package's default. Prints JSON.

python benchmarks/paths.py                                     everything
python benchmarks/paths.py --problems text,spam --peers logreg,adelie          some of it
python benchmarks/paths.py --quick                             a tenth of the rows

An answer counts at matched accuracy when, at every penalty, no optimality condition is violated by more than a
millionth of the penalty that zeroes the model; for that each package is run at its loosest tolerance, by decades, that
gets there. At the defaults of the others, ours is run to a ten-thousandth. adelie needs NumPy 1 and so an interpreter
of its own, glmnet needs Rscript; where they are missing they are left out with a note.
"""

from __future__ import annotations

import argparse
import json
import select
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from path_problems import PATHS
from scipy import sparse
from scipy.special import expit
from worker import load_rows, save

HERE = Path(__file__).parent
OF_NUMPY_1 = HERE.parent / ".venv-numpy1" / "bin" / "python"
MATCHED, LOOSE = 1e-6, 1e-4  # violations over the penalty that zeroes the model
TOLERANCES = {  # from the loosest that could reach it
    "logreg": [1e-6],
    "adelie": [1e-9, 1e-11, 1e-13, 1e-15],
    "glmnet": [1e-10, 1e-12, 1e-14, 1e-16],
    "skglm": [1e-6, 1e-7, 1e-8, 1e-9],
    "glum": [1e-6, 1e-7, 1e-8, 1e-9],
    "saga": [1e-4, 1e-5, 1e-6, 1e-7],
    "liblinear": [1e-3, 1e-4, 1e-5, 1e-6],
}
LEAST, TIMES = 20.0, 10.0  # seconds that a peer is given, and times as long as the fastest so far
WIDEST = 5_000  # columns up to which packages that hold a matrix of all columns squared are tried
LOADING = 120.0  # seconds that data and a package may take to load
ENOUGH, REPETITIONS = 5.0, 5  # a fit is repeated until so many seconds have passed, so often at most


class Task:
    """A path to fit, saved where the processes that fit it find it."""

    def __init__(self, problem, l1_ratio, single, folder):
        self.l1_ratio, self.folder = l1_ratio, Path(folder)
        save(folder, problem.X, problem.y.astype(np.int64))
        _, self.X, self.y = load_rows(self.folder)  # of a frame the one-hot columns
        p = self.y.mean()
        self.largest = np.abs(self.X.T @ (p - self.y)).max() / len(self.y) / l1_ratio
        share = np.array([single]) if single else np.geomspace(1.0, problem.ratio, problem.n_penalties)
        self.penalties = self.largest * share
        np.savez(self.folder / "path.npz", penalties=self.penalties, l1_ratio=l1_ratio)
        self._save_for_r()

    def _save_for_r(self):
        n, d = self.X.shape
        X = self.X.tocsc() if sparse.issparse(self.X) else None
        values = self.X.ravel(order="F") if X is None else X.data
        if X is not None:
            X.indices.astype(np.int32).tofile(self.folder / "indices")
            X.indptr.astype(np.int32).tofile(self.folder / "indptr")
        values.astype(float).tofile(self.folder / "data")
        self.y.astype(np.int32).tofile(self.folder / "y")
        self.penalties.tofile(self.folder / "penalties")
        about = [n, d, len(self.penalties), self.l1_ratio, values.size, X is not None]
        np.array(about, dtype=float).tofile(self.folder / "about")

    def violation(self, W, intercepts):
        """Return the largest violation of an optimality condition at any penalty, over the one that zeroes the model."""
        residual = expit(self.X @ W.T.toarray() + intercepts) - self.y[:, None]
        gradient = np.asarray(self.X.T @ residual) / len(self.y)
        W = W.T.toarray()
        l1, l2 = self.l1_ratio * self.penalties, (1.0 - self.l1_ratio) * self.penalties
        slope = gradient + l2 * W
        there = np.abs(slope + l1 * np.sign(W)).max(where=W != 0, initial=0.0)
        at_zero = (np.abs(slope) - l1).max(where=W == 0, initial=0.0)
        return max(there, at_zero, np.abs(residual.mean(axis=0)).max()) / self.largest

    def answer(self, peer):
        """Return the coefficients and intercepts that a peer has left."""
        if peer != "glmnet":
            return sparse.load_npz(self.folder / "coefs.npz"), np.load(self.folder / "intercepts.npy")
        intercepts = np.fromfile(self.folder / "intercepts")
        parts = [np.fromfile(self.folder / f"coefs.{name}", kind) for name, kind in
                 (("data", float), ("indices", np.int32), ("indptr", np.int32))]  # fmt: skip
        return sparse.csc_matrix(tuple(parts), shape=(self.X.shape[1], len(intercepts))).T.tocsr(), intercepts


class Asked:
    """A package in a process of its own, asked to fit a task at one tolerance after the other."""

    def __init__(self, peer, task):
        self.peer, self.task = peer, task
        often = [str(task.folder), str(ENOUGH), str(REPETITIONS)]
        python = str(OF_NUMPY_1 if peer == "adelie" else sys.executable)
        of_r, of_python = ["Rscript", str(HERE / "glmnet_path.R")], [python, str(HERE / "path_peer.py"), peer]
        command = (of_r if peer == "glmnet" else of_python) + often
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, text=True, **pipes)
        self._line(LOADING)  # data and package are loaded

    def fit(self, tol, limit):
        """Return seconds and violation at a tolerance, None for the default, or why there are none."""
        try:
            self.process.stdin.write(f"{'default' if tol is None else tol}\n")
            self.process.stdin.flush()
            said = self._line(limit + ENOUGH)
        except BrokenPipeError:
            said = ""
        if said is None:
            return {"failure": f"stopped after {limit:.0f} s", "longer_than": limit}
        if not said:
            return {"failure": "the process died"}
        coefs, intercepts = self.task.answer(self.peer)
        if len(intercepts) < len(self.task.penalties):
            return {"failure": f"{len(intercepts)} of {len(self.task.penalties)} penalties"}
        return {"seconds": json.loads(said), "violation": float(self.task.violation(coefs, intercepts))}

    def _line(self, limit):
        """Return the next line of the process, nothing when it has ended, None when it takes too long."""
        is_there, _, _ = select.select([self.process.stdout], [], [], limit)
        return self.process.stdout.readline() if is_there else None

    def __enter__(self):
        """Use as a context, to be sure that the process ends."""
        return self

    def __exit__(self, *exception):
        """End the process."""
        self.process.kill()
        self.process.communicate()


def versions():
    """Return the versions of what has an interpreter of its own."""
    found = {}
    if not available("adelie"):
        found["adelie"] = [str(OF_NUMPY_1), "-c", "from importlib.metadata import version as v; print(v('adelie'))"]
    if not available("glmnet"):
        found["glmnet"] = ["Rscript", "-e", "cat(as.character(packageVersion('glmnet')))"]
    said = {name: subprocess.run(command, capture_output=True, text=True).stdout for name, command in found.items()}
    return ", ".join(f"{name} {version.strip()}" for name, version in said.items())


def too_wide(peer, n_columns):
    """Return why a peer is not tried on so many columns, if so."""
    return "not tried: it holds a matrix of all columns squared" if peer == "glum" and n_columns > WIDEST else ""


def available(peer):
    """Return why a peer can not be run, if so."""
    if peer == "glmnet" and shutil.which("Rscript") is None:
        return "Rscript is missing"
    return f"{OF_NUMPY_1.parent.parent.name} is missing" if peer == "adelie" and not OF_NUMPY_1.exists() else ""


def measure(name, problem, l1_ratio, peers, single=None):
    """Return the row of one path, or of a single penalty of so large a share of the one that zeroes the model."""
    with TemporaryDirectory() as folder:
        task = Task(problem, l1_ratio, single, folder)
        n, d = task.X.shape
        row = {
            "problem": name,
            "single": single is not None,
            "rows": n,
            "columns": d,
            "l1_ratio": l1_ratio,
            "penalties": len(task.penalties),
        }
        row |= {"note": problem.note, "versions": versions(), "matched": {}, "default": {}}
        fastest = np.inf
        for peer in peers:
            if why := available(peer) or too_wide(peer, d):
                row["matched"][peer] = row["default"][peer] = {"failure": why}
                continue
            limit = max(LEAST, TIMES * fastest) if np.isfinite(fastest) else 300.0
            with Asked(peer, task) as asked:
                default = row["default"][peer] = asked.fit(LOOSE if peer == "logreg" else None, limit)
                row["matched"][peer] = default if "failure" in default else matched(asked, TOLERANCES[peer], limit)
            if "seconds" in row["matched"][peer]:
                fastest = min(fastest, median(row["matched"][peer]["seconds"]))
            print(f"{name:8} {l1_ratio} {peer:10} {told(row['matched'][peer])}; default {told(row['default'][peer])}",
                  file=sys.stderr, flush=True)  # fmt: skip
    return row


def matched(asked, tolerances, limit):
    """Return the first of a peer's tolerances that reaches the accuracy, or why none does."""
    found = {"failure": "accuracy not reached"}
    for tol in tolerances:
        found = {"tol": tol} | asked.fit(tol, limit)
        if "failure" in found or found["violation"] <= 1.001 * MATCHED:
            return found
    return {"failure": "accuracy not reached", "violation": found["violation"]}


def told(found):
    """Return what a line says of one measurement."""
    if "seconds" not in found:
        return found["failure"]
    tol = f" at {found['tol']:.0e}" if "tol" in found else ""
    return f"{median(found['seconds']):.4f} s{tol}, violation {found['violation']:.1e}"


def main():
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default=",".join(PATHS))
    parser.add_argument("--peers", default=",".join(TOLERANCES))
    parser.add_argument("--l1-ratios", default="1.0,0.5")
    parser.add_argument("--quick", action="store_true")
    wanted = parser.parse_args()
    rows, peers = [], wanted.peers.split(",")
    for name in wanted.problems.split(","):
        try:
            problem = PATHS[name](0.1 if wanted.quick else 1.0)
        except FileNotFoundError as error:
            rows.append({"problem": name, "skipped": str(error)})
            continue
        for l1_ratio in map(float, wanted.l1_ratios.split(",")):
            able = [peer for peer in peers if peer not in ("saga", "liblinear")]  # too slow, or for the lasso alone
            rows.append(measure(name, problem, l1_ratio, able))
        if name == "text":
            rows.append(measure(name, problem, 1.0, peers, single=1 / 20))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
