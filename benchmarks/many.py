"""Many models at once: cross-validation, bootstrap, many outcomes. Prints JSON.

python benchmarks/many.py                                      everything
python benchmarks/many.py --problems folds,bootstrap --peers logreg,glum          some of it
python benchmarks/many.py --quick                              a tenth of the rows

An answer counts when it agrees with a far more accurate one: mean scores of each C to 1e-6, coefficients to 1e-4
standard errors. Each package is run at its loosest tolerance, by decades, that gets there, ours at its default where
that does. Then the fastest take turns, each in a process of its own. `many_peer.py` shows how each is called.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import sleep
from typing import NamedTuple

import numpy as np
from many_peer import BOOTSTRAP_C, PEERS, REFERENCE, weights
from problems import simulated, small
from scipy.optimize import brentq
from scipy.special import expit
from timing import REST

HERE = Path(__file__).parent
TOLERANCES = [1e-4, 1e-5, 1e-6, 1e-7, 1e-8]
OURS = "logreg", "one fit"
ALWAYS = *OURS, "statsmodels"  # run at their default tolerance, and in turns even where others are faster
AT_DEFAULT = "one fit", "statsmodels"  # and at no other
TIGHT = 1e-10  # tolerance of scikit-learn's newton-cholesky from which scores are known
SAME_SCORE, SAME_COEFFICIENT = 1e-6, 1e-4  # in mean log-loss, in standard errors
CHECKED = 10  # replicates
FIRST, LEAST, TIMES = 600.0, 20.0, 3.0  # seconds that the first peer has, and others, or times the fastest so far
NEAR = 1.5  # peers that take so many times as long as the fastest at most take turns with ours
ENOUGH, FEWEST, MOST = 60.0, 3, 15  # turns: as many as take so many seconds, but so many
LOADING = 120.0  # seconds that data and a package may take to load


class Judged(NamedTuple):
    """How far an answer is from what is right, and how far it may be."""

    deviation: Callable[[np.ndarray], float]
    required: float


class Asked:
    """A package in a process of its own, asked for one tolerance after the other."""

    def __init__(self, problem, peer, folder):
        self.folder = Path(folder)
        command = [sys.executable, str(HERE / "many_peer.py"), problem, peer, str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        environment = os.environ | {"PYTHONWARNINGS": "ignore"}  # in the processes that it starts too
        self.process = subprocess.Popen(command, text=True, env=environment, start_new_session=True, **pipes)
        self._line(LOADING)

    def fit(self, tol, limit):
        """Return seconds and answer at a tolerance, None for the default; or the failure, and None."""
        try:
            self.process.stdin.write(f"{'default' if tol is None else tol}\n")
            self.process.stdin.flush()
            said = self._line(limit)
        except BrokenPipeError:
            said = ""
        if said is None:
            return {"failure": f"stopped after {limit:.0f} s", "longer_than": limit}, None
        if not said:
            return {"failure": "the process died"}, None
        return {"seconds": [float(said)]}, np.load(self.folder / "answer.npy")

    def _line(self, limit):
        """Return the next line of the process, nothing when it has ended, None when it takes too long."""
        is_there, _, _ = select.select([self.process.stdout], [], [], limit)
        return self.process.stdout.readline() if is_there else None

    def __enter__(self):
        """Use as a context, to be sure that the process ends."""
        return self

    def __exit__(self, *exception):
        """End the process, and those that it has started."""
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGTERM)  # what tracks joblib's files ignores it, and removes them
            self.process.communicate()


def folds(rows, columns):
    """Return a problem of cross-validation."""
    problem = simulated(rows, columns, seed=11)
    return problem.X, problem.y, f"5 folds x 10 C, with the fit that follows; {problem.note}"


def folds_small(share):
    """Return a problem of cross-validation that takes no time."""
    problem = small()
    return problem.X, problem.y, f"5 folds x 10 C, with the fit that follows; {problem.note}"


def bootstrap(share):
    """Return a problem of the bootstrap."""
    problem = simulated(int(20_000 * share), 20, seed=12)
    note = f"200 replicates, C = {BOOTSTRAP_C:g}, ours with the fit before them; {problem.note}"
    return problem.X, problem.y, note


def outcomes(share):
    """Return a table and many outcomes, of prevalences from 10 to 60 %, whose scores have standard deviation 1."""
    X = simulated(2_000, 10, seed=13).X
    random = np.random.default_rng(13)
    scores = X @ random.normal(size=(X.shape[1], int(1_000 * share)))
    scores /= scores.std(axis=0)
    for column, prevalence in zip(scores.T, random.uniform(0.1, 0.6, scores.shape[1]), strict=True):
        column += brentq(lambda b, s=column, p=prevalence: expit(s + b).mean() - p, -20.0, 20.0)
    Y = (random.random(scores.shape) < expit(scores)).astype(np.int64)
    return X, Y, f"{Y.shape[1]:,} outcomes, no penalty; columns correlated, standardised"


def judged_scores(problem, X, y, folder):
    """Judge the mean score of each C by that of scikit-learn's newton-cholesky at a tight tolerance."""
    with Asked(problem, REFERENCE, folder) as asked:
        _, right = asked.fit(TIGHT, 2.0 * FIRST)  # by two formulas
    return Judged(lambda scores: np.abs(scores - right).max(axis=1).min(), SAME_SCORE)


def judged_replicates(problem, X, y, folder):
    """Judge some replicates by their own fits."""
    exact = [newton(X, y, counts, BOOTSTRAP_C) for counts in islice(weights(len(y)), CHECKED)]
    return Judged(lambda found: in_standard_errors(found[:CHECKED], exact), SAME_COEFFICIENT)


def judged_outcomes(problem, X, Y, folder):
    """Judge all outcomes by their own fits."""
    exact = [newton(X, y, np.ones(len(X)), np.inf) for y in Y.T]
    return Judged(lambda found: in_standard_errors(found, exact), SAME_COEFFICIENT)


def newton(X, y, weights, C):
    """Return coefficients with the intercept last, and their standard errors, by Newton's method as in the books."""
    design = np.column_stack([X, np.ones(len(X))])
    ridge = np.append(np.full(X.shape[1], 1.0 / C), 0.0)
    u = np.zeros(len(ridge))
    for _ in range(50):
        p = expit(design @ u)
        curvature = (design.T * (weights * p * (1.0 - p))) @ design + np.diag(ridge)
        step = np.linalg.solve(curvature, design.T @ (weights * (y - p)) - ridge * u)
        u += step
        if np.abs(step).max() < 1e-12:
            return u, np.sqrt(np.diagonal(np.linalg.inv(curvature)))
    raise ArithmeticError("Newton's method did not converge, so nothing can be judged by it.")


def in_standard_errors(found, exact):
    """Return the largest deviation of any coefficient, in its standard errors."""
    return max(np.max(np.abs(u - right) / error) for u, (right, error) in zip(found, exact, strict=True))


class Many(NamedTuple):
    """Makes the data from a share of their rows or outcomes, and judges answers."""

    make: Callable[..., tuple]
    judge: Callable[..., Judged]


MANY = {
    "folds": Many(lambda share: folds(int(100_000 * share), 30), judged_scores),
    "folds-large": Many(lambda share: folds(int(300_000 * share), 100), judged_scores),
    "folds-small": Many(folds_small, judged_scores),
    "bootstrap": Many(bootstrap, judged_replicates),
    "outcomes": Many(outcomes, judged_outcomes),
}


def measure(name, share, peers):
    """Return the row of one problem: of each package tolerance, deviation and seconds, or why there are none."""
    X, y, note = MANY[name].make(share)
    row = {"problem": name, "rows": X.shape[0], "columns": X.shape[1], "note": note, "peers": {}}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        np.save(Path(folder) / "X.npy", X)
        np.save(Path(folder) / "y.npy", y)
        judged = MANY[name].judge(name, X, y, folder)
        asked = {}
        for peer in peers:
            others = [seen["seconds"][0] for seen in without_ours(row["peers"]).values() if "seconds" in seen]
            limit = max(LEAST, TIMES * min(others)) if others else FIRST
            asked[peer] = stack.enter_context(Asked(name, peer, folder))
            row["peers"][peer] = found = matched(peer, asked[peer], judged, limit)
            if "seconds" not in found:
                asked.pop(peer).__exit__()
            print(f"{name:12} {peer:16} {found}", file=sys.stderr, flush=True)
        take_turns(row["peers"], asked)
    return row


def matched(peer, asked, judged, limit):
    """Return the first of a peer's tolerances that reaches the accuracy, or why none does."""
    by_default = None
    for tol in tolerances(peer):
        found, answer = asked.fit(tol, limit)
        if "failure" in found:
            return found
        found["tol"] = tol
        if peer == "one fit":
            return found
        found["deviation"] = float(judged.deviation(answer))
        if found["deviation"] <= judged.required:
            return found | ({} if by_default is None or tol is None else {"by_default": by_default})
        by_default = found["deviation"] if tol is None else by_default
    return {"failure": "accuracy not reached", "deviation": found["deviation"], "took": found["seconds"][0]}


def tolerances(peer):
    """Return what is tried, None for the default."""
    return [None] if peer in AT_DEFAULT else [None, *TOLERANCES[1:]] if peer in OURS else TOLERANCES


def take_turns(found, asked):
    """Repeat ours and the fastest of the others in turn, in place of their first fits, which may have compiled."""
    took = {peer: found[peer]["seconds"][0] for peer in asked}
    fastest = min(without_ours(took).values(), default=0.0)
    seconds = {peer: [] for peer in took if peer in ALWAYS or took[peer] <= NEAR * fastest}
    rounds = ENOUGH / max(sum(took[peer] for peer in seconds), 1e-3)
    for _ in range(int(np.clip(rounds, FEWEST, MOST))):
        for peer in seconds:
            sleep(REST)
            seconds[peer] += asked[peer].fit(found[peer]["tol"], FIRST)[0]["seconds"]
    for peer, all_of_them in seconds.items():
        found[peer]["seconds"] = all_of_them
        print(f"  {peer:16} {median(all_of_them):.4f} s, {len(all_of_them)} turns", file=sys.stderr, flush=True)


def without_ours(by_peer):
    """Return what belongs to the others."""
    return {peer: value for peer, value in by_peer.items() if peer not in OURS}


def main():
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default=",".join(MANY))
    parser.add_argument("--peers", help="comma-separated, default all")
    parser.add_argument("--quick", action="store_true")
    wanted = parser.parse_args()
    rows = []
    for name in wanted.problems.split(","):
        peers = wanted.peers.split(",") if wanted.peers else PEERS[name]
        rows.append(measure(name, 0.1 if wanted.quick else 1.0, [peer for peer in PEERS[name] if peer in peers]))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
