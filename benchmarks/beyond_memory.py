"""Fits of rows on disk over fits of the same rows in memory, in time, passes and peak memory: prints JSON.

The rows are simulated, and written to Parquet in row groups of 250,000 with Arrow's defaults ("parquet"), and without
dictionaries and compression ("plain parquet"). Each fit has a process of its own, in which it is made once before it is
timed, so that code is compiled and the file is in the page cache; the peak is that of a process that fits once.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

BEYOND = {"parquet": {}, "plain parquet": {"use_dictionary": False, "compression": "none"}}
ROWS, COLUMNS, GROUP = 5_000_000, 20, 250_000
REPETITIONS = 5


def write(path, share, options):
    """Write the rows a row group at a time."""
    import pyarrow as pa
    from pyarrow import parquet

    random, writer = np.random.default_rng(8), None
    for _ in range(max(1, int(share * ROWS) // GROUP)):
        X = random.standard_normal((GROUP, COLUMNS), dtype=np.float32)
        p = 1.0 / (1.0 + np.exp(1.0 - X[:, :5].sum(axis=1)))
        columns = {f"x{j}": X[:, j] for j in range(COLUMNS)} | {"y": (random.random(GROUP) < p).astype(np.int8)}
        table = pa.table(columns)
        writer = writer or parquet.ParquetWriter(path, table.schema, **options)
        writer.write_table(table, row_group_size=GROUP)
    writer.close()


def fitted(path, case):
    """Return a function that fits the rows of a file, from disk or from a frame in memory or an array by row."""
    import pandas as pd

    from logreg import LogisticRegression, scan_parquet

    if case == "disk":
        return lambda: LogisticRegression().fit(scan_parquet(path, target="y"))
    frame = pd.read_parquet(path)
    X, y = frame.drop(columns="y"), frame["y"].to_numpy()
    if case == "rows":
        X = np.ascontiguousarray(X.to_numpy())
    return lambda: LogisticRegression().fit(X, y)


def timed(path, case):
    """Return the median time of some fits and the passes of one, after one that is not timed."""
    fit = fitted(path, case)
    fit()
    times = []
    for _ in range(REPETITIONS):
        start = perf_counter()
        clf = fit()
        times.append(perf_counter() - start)
    return {"seconds": median(times), "passes": clf.n_passes_, "coefficients": clf.coef_[0].tolist()}


def peak_of_one(path):
    """Return the peak of the resident memory of this process after one fit from disk, in bytes."""
    fitted(path, "disk")()
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def alone(*arguments):
    """Return what this file prints in a process of its own."""
    command = [sys.executable, __file__, *map(str, arguments)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def measured(name, share):
    """Return the row of a case."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        write(path, share, BEYOND[name])
        disk, frame, rows = (alone("--time", path, case) for case in ("disk", "frame", "rows"))
        away = np.abs(np.subtract(disk["coefficients"], frame["coefficients"])).max()
        return {
            "problem": name,
            "seconds": disk["seconds"],
            "in_memory": {"a frame": frame["seconds"], "an array by row": rows["seconds"]},
            "passes": [disk["passes"], frame["passes"]],
            "peak": alone("--peak", path),
            "file": path.stat().st_size,
            "difference": float(away),
        }


def main():
    """Measure the cases asked for, all without --problems."""
    if "--time" in sys.argv:
        print(json.dumps(timed(*sys.argv[2:4])))
    elif "--peak" in sys.argv:
        print(json.dumps(peak_of_one(sys.argv[2])))
    else:
        names = sys.argv[sys.argv.index("--problems") + 1].split(",") if "--problems" in sys.argv else list(BEYOND)
        print(json.dumps([measured(name, 0.1 if "--quick" in sys.argv else 1.0) for name in names]))


if __name__ == "__main__":
    main()
