"""Inference: a fit with its table, and Firth's fit with its tests and profile intervals. Prints JSON.

python benchmarks/inference.py                                 everything
python benchmarks/inference.py --problems firth5,firth20       some of it
python benchmarks/inference.py --quick                         fewer rows

An answer counts when estimates, ends of intervals and standard errors or, of Firth's likelihood, roots of
likelihood-ratio statistics are within 1e-6 standard errors of the right ones. As in `many.py` each package is run at its loosest
tolerance, by decades, that gets there, ours at its default where that does; then both take turns, each in a process of
its own. `inference_peer.py` shows how each is called.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import many
import numpy as np
from inference_peer import PEERS
from many import FIRST, LOADING, Judged, matched, newton, take_turns
from problems import simulated
from scipy.stats import norm

HERE = Path(__file__).parent
SAME = 1e-6  # in standard errors
TIGHT = 1e-8  # tolerance of firthmodels from which Firth's answers are known; at 1e-9 it does not always converge
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
QUANTILE = norm.isf(0.025)
ROWS_A_COLUMN = 10  # at least, of a quick run


class Asked(many.Asked):
    """A package in a process of its own, on one thread for Firth's likelihood."""

    def __init__(self, problem, peer, folder):
        self.folder = Path(folder)
        command = [sys.executable, str(HERE / "inference_peer.py"), problem, peer, str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        environment = os.environ | (ONE_THREAD if INFERENCE[problem].one_thread else {})
        self.process = subprocess.Popen(command, text=True, env=environment, start_new_session=True, **pipes)
        self._line(LOADING)


def summary(share):
    """Return a problem of many rows."""
    problem = simulated(int(1_000_000 * share), 50, seed=21)
    return problem.X, problem.y, f"no penalty; fit and table; {problem.note}"


def firth(columns):
    """Return what makes a problem of few rows."""

    def make(share):
        problem = simulated(max(int(1_000 * share), ROWS_A_COLUMN * columns), columns, seed=22)
        return problem.X, problem.y, f"Firth's likelihood; fit, tests and profile intervals, 1 thread; {problem.note}"

    return make


def right_summary(problem, X, y, folder):
    """Return the right answer by Newton's method as in the books, and what its numbers are measured in."""
    u, errors = newton(X, y, np.ones(len(y)), np.inf)
    reach = QUANTILE * errors
    return np.column_stack([u, errors, u - reach, u + reach]), errors[:, None]


def right_firth(problem, X, y, folder):
    """Return the answer of firthmodels at a tight tolerance, and what its numbers are measured in.

    Standard errors are not compared: ours are of I^-1, those of firthmodels of the data augmented by their leverages.
    """
    with Asked(problem, "firthmodels", folder) as asked:
        _, right = asked.fit(TIGHT, FIRST)
    if right is None or not np.isfinite(right).all():
        raise ArithmeticError("firthmodels did not converge, so nothing can be judged by it.")
    unit = np.ones_like(right)
    unit[:, :3] = (right[:, 2:3] - right[:, 1:2]) / (2.0 * QUANTILE)
    return right, unit


class Inference(NamedTuple):
    """Makes the data from a share of their rows, and finds the right answer."""

    make: Callable[..., tuple]
    right: Callable[..., tuple]
    one_thread: bool


INFERENCE = {
    "summary": Inference(summary, right_summary, False),
    "firth5": Inference(firth(5), right_firth, True),
    "firth20": Inference(firth(20), right_firth, True),
    "firth50": Inference(firth(50), right_firth, True),
}


def measure(name, share):
    """Return the row of one problem: of each package tolerance, deviation and seconds, or why there are none."""
    X, y, note = INFERENCE[name].make(share)
    row = {"problem": name, "rows": X.shape[0], "columns": X.shape[1], "note": note, "peers": {}}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        np.save(Path(folder) / "X.npy", X)
        np.save(Path(folder) / "y.npy", y)
        right, unit = INFERENCE[name].right(name, X, y, folder)
        judged = Judged(lambda found: np.max(np.abs(found - right) / unit), SAME)
        asked = {}
        for peer in PEERS[name]:
            asked[peer] = stack.enter_context(Asked(name, peer, folder))
            row["peers"][peer] = found = matched(peer, asked[peer], judged, FIRST)
            if "seconds" not in found:
                asked.pop(peer).__exit__()
            print(f"{name:12} {peer:16} {found}", file=sys.stderr, flush=True)
        take_turns(row["peers"], asked)
    return row


def main():
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default=",".join(INFERENCE))
    parser.add_argument("--quick", action="store_true")
    wanted = parser.parse_args()
    print(json.dumps([measure(name, 0.1 if wanted.quick else 1.0) for name in wanted.problems.split(",")]))


if __name__ == "__main__":
    main()
