"""Peak memory of a fit, as resident memory of its process, beside the size of X: prints JSON.

Each case has a new process, in which a smaller fit has loaded and compiled everything before.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
from problems import simulated
from worker import peak, reset_peak

BYTES = 400_000_000
COLUMNS = 100


def added(dtype, order, size):
    """Return the size of X in bytes and by how many the process grew while it was fitted."""
    from logreg import LogisticRegression

    def problem(rows):
        X, y, _, _ = simulated(rows, COLUMNS, seed=7, dtype=np.dtype(dtype).type)
        return np.asarray(X, order=order), y

    LogisticRegression().fit(*problem(40_000))
    X, y = problem(size // (COLUMNS * np.dtype(dtype).itemsize))
    before = reset_peak()
    LogisticRegression().fit(X, y)
    return {"what": f"{dtype}, {order} order", "bytes": X.nbytes, "added": peak() - before}


def main():
    """Measure one case here, or each case in a process of its own."""
    if "--case" in sys.argv:
        dtype, order, size = sys.argv[sys.argv.index("--case") + 1 :]
        print(json.dumps(added(dtype, order, int(size))))
        return
    size = BYTES // 10 if "--quick" in sys.argv else BYTES
    rows = []
    for dtype in "float64", "float32":
        for order in "C", "F":
            command = [sys.executable, __file__, "--case", dtype, order, str(size)]
            rows.append(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
