"""What a user waits for besides large fits: predictions, a grid search, the import. Prints JSON.

With --predictions the others are left out.
Both packages predict from the same coefficients; the grid search has each at its own default tolerance.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
from problems import simulated, small
from sklearn.linear_model import LogisticRegression as Peer
from sklearn.model_selection import GridSearchCV
from timing import in_turn

from logreg import LogisticRegression

GRID = {"C": np.logspace(-3, 3, 10)}


def predictions(million):
    """Compare ``predict_proba`` of one row, a small and a large array."""
    problem = small()
    ours = LogisticRegression().fit(problem.X, problem.y)
    theirs = Peer(solver="newton-cholesky").fit(problem.X, problem.y)
    theirs.coef_, theirs.intercept_ = ours.coef_.copy(), ours.intercept_.copy()
    large = np.random.default_rng(0).standard_normal((million, problem.X.shape[1]))
    for X, rounds, calls in (problem.X[:1], 51, 50), (problem.X, 51, 20), (large, 15, 1):
        functions = {"scikit-learn": lambda X=X: theirs.predict_proba(X), "logreg": lambda X=X: ours.predict_proba(X)}
        shape = f"{X.shape[0]:,} x {X.shape[1]}"
        yield {"what": f"predict_proba, {shape}"} | in_turn(functions, rounds, calls)


def searches(rows, rounds):
    """Compare a grid search of 5 folds x 10 values of C in two processes, once they have been started."""
    X, y, _, _ = simulated(rows, 30, seed=6)

    def search(model):
        return lambda: GridSearchCV(model, GRID, cv=5, n_jobs=2).fit(X, y)

    functions = {
        "scikit-learn": search(Peer(solver="newton-cholesky")),
        "logreg": search(LogisticRegression()),
    }
    yield {"what": f"GridSearchCV(n_jobs=2), 5 folds x 10 C, {rows:,} x 30"} | in_turn(functions, rounds)


def imports(rounds):
    """Compare the import in a new process, as the process itself clocks it."""
    seconds = {"scikit-learn": [], "logreg": []}
    for turn in range(-1, rounds):
        for name, module in ("scikit-learn", "sklearn.linear_model"), ("logreg", "logreg"):
            code = f"from time import perf_counter as c; s = c(); import {module}; print(c() - s)"
            out = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
            if turn >= 0:
                seconds[name].append(float(out))
    yield {"what": "import, of sklearn.linear_model and of logreg"} | seconds


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    os.environ["PYTHONWARNINGS"] = "ignore"  # in the processes of the grid search too
    rows = [*predictions(100_000 if quick else 1_000_000)]
    if "--predictions" not in sys.argv:
        rows += searches(10_000 if quick else 100_000, 3 if quick else 5)
        rows += imports(3 if quick else 9)
    print(json.dumps(rows))
