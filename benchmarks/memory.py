"""Peak memory of a fit, as resident memory of its process, beside the size of X: prints JSON.

Each case has a new process, in which a smaller fit has loaded and compiled everything before.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
from measure import size_of
from problems import simulated
from sparse_problems import flights_codes, simulated_text
from worker import peak, reset_peak

BYTES = 400_000_000
COLUMNS = 100
COPIES = 10  # of the flights, to the same size
CODES = "category columns"
FEW_CODES = f"{CODES}, a tenth of the size"
CASES = ["float64, C order", "float64, F order", "float32, C order", "float32, F order", "CSR", CODES, FEW_CODES]


def made(case, share):
    """Return X and y of a case."""
    if case == "CSR":
        problem = simulated_text(int(500_000 * share), 40_000, 75, seed=7)
    elif CODES in case:
        problem = flights_codes(share)
        if case == CODES:
            return pd.concat([problem.X] * COPIES, ignore_index=True), np.tile(problem.y, COPIES)
    else:
        dtype, order, _ = case.replace(",", "").split()
        rows = int(share * BYTES) // (COLUMNS * np.dtype(dtype).itemsize)
        problem = simulated(rows, COLUMNS, seed=7, dtype=np.dtype(dtype).type)
        return np.asarray(problem.X, order=order), problem.y
    return problem.X, problem.y


def added(case, share):
    """Return the size of X in bytes and by how many the process grew while it was fitted."""
    from logreg import LogisticRegression

    def fit(X, y):
        return LogisticRegression(categories="auto").fit(X, y)

    fit(*made(case, 0.1))
    X, y = made(case, share)
    before = reset_peak()
    fit(X, y)
    return {"what": case, "bytes": size_of(X), "added": peak() - before}


def main():
    """Measure one case here, or each case in a process of its own; real data that are missing are left out."""
    share = 0.2 if "--quick" in sys.argv else 1.0
    if "--case" in sys.argv:
        print(json.dumps(added(sys.argv[sys.argv.index("--case") + 1], share)))
        return
    rows = []
    for case in CASES:
        command = [sys.executable, __file__, "--case", case] + ["--quick"] * ("--quick" in sys.argv)
        found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=CODES not in case)
        rows += [json.loads(found.stdout)] if found.stdout else []
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
