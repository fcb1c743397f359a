"""A fit of a memory map larger than the memory of the machine, beside one of its first rows in memory: prints JSON.

python benchmarks/larger_than_memory.py FOLDER [ROWS]     a quarter of an hour, and 30 GB in FOLDER for 75,000,000 rows

The rows are simulated, and the maps stay in the folder, where another run finds them. Each fit has a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from time import perf_counter

import numpy as np

ROWS, COLUMNS, BLOCK = 75_000_000, 100, 250_000
IN_MEMORY = 10_000_000


def mapped(folder, n_rows, mode="r"):
    """Return the maps of X and of the outcomes."""
    return (
        np.memmap(folder / f"X-{n_rows}", dtype=np.float32, mode=mode, shape=(n_rows, COLUMNS)),
        np.memmap(folder / f"y-{n_rows}", dtype=np.int8, mode=mode, shape=(n_rows,)),
    )


def write(folder, n_rows):
    """Write the rows block by block."""
    X, y = mapped(folder, n_rows, "w+")
    coefficients = np.random.default_rng(0).standard_normal(COLUMNS, dtype=np.float32) / 5.0
    for start in range(0, n_rows, BLOCK):
        random = np.random.default_rng([8, start])
        block = random.standard_normal(X[start : start + BLOCK].shape, dtype=np.float32)
        X[start : start + BLOCK] = block
        y[start : start + BLOCK] = random.random(len(block)) < 1.0 / (1.0 + np.exp(1.0 - block @ coefficients))
    X.flush()
    y.flush()


def own_memory():
    """Return the memory of this process that is not pages of files, in bytes."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


def fitted(folder, n_rows, n_fitted):
    """Fit the first rows of the maps, which are read into memory first unless they are all."""
    from logreg import LogisticRegression

    X, y = mapped(folder, n_rows)
    if n_fitted < n_rows:
        X, y = np.array(X[:n_fitted]), np.array(y[:n_fitted])
    before, peaks, ended = own_memory(), [0], Event()

    def watch():
        while not ended.wait(0.02):
            peaks.append(own_memory())

    watching = Thread(target=watch)
    watching.start()
    start = perf_counter()
    clf = LogisticRegression(n_jobs=2).fit(X, y)
    seconds = perf_counter() - start
    ended.set()
    watching.join()
    return {
        "rows": n_fitted,
        "gigabytes": round(X.nbytes / 1e9, 1),
        "seconds": round(seconds, 1),
        "passes": clf.n_passes_,
        "converged": clf.converged_,
        "added, GB": round((max(peaks) - before) / 1e9, 2),
    }


def main():
    """Write the maps if they are not there, and fit all rows and the first."""
    folder, n_rows = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    if "--fit" in sys.argv:
        print(json.dumps(fitted(folder, n_rows, int(sys.argv[4]))))
        return
    if not (folder / f"y-{n_rows}").exists():
        write(folder, n_rows)
    for n_fitted in n_rows, min(IN_MEMORY, n_rows // 2):
        subprocess.run([sys.executable, __file__, str(folder), str(n_rows), "--fit", str(n_fitted)], check=True)


if __name__ == "__main__":
    main()
