"""Fits of rows on disk that are more than the memory holds, beside one of the first of them in memory: prints JSON.

python benchmarks/larger_than_memory.py FOLDER [ROWS]     half an hour, and 60 GB in FOLDER for 75,000,000 rows

The rows are simulated, and written as a memory map and as Parquet, without compression in row groups of 250,000. The
files stay in the folder, where another run finds them. Each fit has a process of its own.
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


def write_parquet(folder, n_rows):
    """Write the rows of the maps as Parquet, block by block."""
    import pyarrow as pa
    from pyarrow import parquet

    (X, y), writer = mapped(folder, n_rows), None
    for start in range(0, n_rows, BLOCK):
        block = np.asfortranarray(X[start : start + BLOCK])
        table = pa.table({f"x{j}": column for j, column in enumerate(block.T)} | {"y": y[start : start + BLOCK]})
        writer = writer or parquet.ParquetWriter(
            folder / f"{n_rows}.parquet", table.schema, use_dictionary=False, compression="none"
        )
        writer.write_table(table, row_group_size=BLOCK)
    writer.close()


def own_memory():
    """Return the memory of this process that is not pages of files, in bytes."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


def source(folder, n_rows, kind):
    """Return what to fit: maps, a scan, or the first rows in memory."""
    from logreg import scan_parquet

    if kind == "parquet":
        return (scan_parquet(folder / f"{n_rows}.parquet", target="y"),)
    maps = mapped(folder, n_rows)
    return maps if kind == "map" else tuple(np.array(values[:IN_MEMORY]) for values in maps)


def fitted(folder, n_rows, kind):
    """Fit, and watch the memory of the process meanwhile."""
    from logreg import LogisticRegression

    rows = source(folder, n_rows, kind)
    before, peaks, ended = own_memory(), [0], Event()

    def watch():
        while not ended.wait(0.02):
            peaks.append(own_memory())

    watching = Thread(target=watch)
    watching.start()
    start = perf_counter()
    clf = LogisticRegression(n_jobs=2).fit(*rows)
    seconds = perf_counter() - start
    ended.set()
    watching.join()
    return {
        "rows": min(n_rows, IN_MEMORY) if kind == "memory" else n_rows,
        "kind": kind,
        "seconds": round(seconds, 1),
        "passes": clf.n_passes_,
        "converged": clf.converged_,
        "added, GB": round((max(peaks) - before) / 1e9, 2),
        "coefficients": clf.coef_[0, :3].round(5).tolist(),
    }


def main():
    """Write the files that are not there, and fit them and the first rows."""
    folder, n_rows = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    if "--fit" in sys.argv:
        print(json.dumps(fitted(folder, n_rows, sys.argv[4])))
        return
    if not (folder / f"y-{n_rows}").exists():
        write(folder, n_rows)
    if not (folder / f"{n_rows}.parquet").exists():
        write_parquet(folder, n_rows)
    for kind in "memory", "map", "parquet":
        subprocess.run([sys.executable, __file__, str(folder), str(n_rows), "--fit", kind], check=True)


if __name__ == "__main__":
    main()
