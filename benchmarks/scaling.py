"""The constants of the cost model in docs/scaling.md, and what it predicts: prints a table.

    pass = numbers of a worker * second_a_number / cores  +  round trip  +  workers * second_a_task

python benchmarks/scaling.py                                   a minute; on an idle machine
"""

from __future__ import annotations

from functools import partial
from statistics import median
from time import perf_counter

import numpy as np

ROWS, COLUMNS = 1_000_000, 30  # of a worker, for weak scaling
WIDE = 20_000, 1_000  # rows and columns of the kernel at the width that is predicted
REPETITIONS = 9
PREDICTED = {"rows": 1e9, "columns": 1e3, "workers": 100, "cores": 16, "passes": 10}


def clocked(action):
    """Return the median of the seconds that an action takes."""
    action()
    seconds = []
    for _ in range(REPETITIONS):
        start = perf_counter()
        action()
        seconds.append(perf_counter() - start)
    return median(seconds)


def second_a_number():
    """Return the seconds of a pass over a float32 number on one core, its scores and gradient included."""
    from logreg.rows import MemoryRows

    X = np.random.default_rng(0).standard_normal(WIDE, dtype=np.float32)
    y = (X[:, 0] > 0).astype(np.int8)
    W = np.zeros((WIDE[1] + 1, 1))
    with MemoryRows(X, y, n_threads=1, origin=None) as rows:
        return clocked(lambda: rows.sums(W)) / X.size


def nothing(number):
    """Return at once what a worker is sent."""
    return number


def part_of(number):
    """Return rows of a worker and their outcomes."""
    random = np.random.default_rng(number)
    X = random.standard_normal((ROWS, COLUMNS))
    return X, (X[:, 0] + random.standard_normal(ROWS) > 0).astype(np.int8)


def on_cluster(n_workers):
    """Return the seconds of a round of tasks that do nothing, of many tasks, and of a pass over as many rows each."""
    from dask import array
    from distributed import Client, LocalCluster, wait

    from logreg import LogisticRegression
    from logreg.setup import Setup

    options = {"n_workers": n_workers, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:

        def run(n_tasks):
            client.gather(client.map(nothing, range(n_tasks), pure=False))

        round_trip, many = clocked(partial(run, n_workers)), clocked(partial(run, 200))
        parts = client.map(part_of, range(n_workers))
        X, y = (
            array.concatenate(
                [
                    array.from_delayed(client.submit(lambda part, k: part[k], part, k), (ROWS, *shape), dtype)
                    for part in parts
                ]
            ).persist()
            for k, shape, dtype in ((0, (COLUMNS,), float), (1, (), np.int8))
        )
        wait([X, y])
        W = np.zeros((COLUMNS + 1, 1))
        with Setup.learn(LogisticRegression(), X, y, None, None) as setup:
            a_pass = clocked(lambda: setup.source.sums(W))
    return round_trip, (many - round_trip) / (200 - n_workers), a_pass


def main():
    """Print constants, the measurement of weak scaling, and the prediction."""
    number = second_a_number()
    (_, _, of_one), (round_trip, task, of_two) = on_cluster(1), on_cluster(2)
    at = PREDICTED
    numbers = at["rows"] * at["columns"] / at["workers"]
    a_pass = numbers * number / at["cores"] + round_trip + at["workers"] * task
    print("| what | measured |\n|---|---|")
    print(f"| a float32 number of a pass, one core | {1e9 * number:.2f} ns |")
    print(f"| round trip of a round of tasks | {1e3 * round_trip:.1f} ms |")
    print(f"| a task at the scheduler | {1e3 * task:.2f} ms |")
    print(f"| a pass, {ROWS:,} x {COLUMNS} a worker, 1 and 2 workers | {1e3 * of_one:.0f} and {1e3 * of_two:.0f} ms |")
    print(f"| predicted: a pass of {at['rows']:.0e} x {at['columns']:.0e}, {at['workers']} workers | {a_pass:.2f} s |")
    print(f"| predicted: {at['passes']} passes | {at['passes'] * a_pass:.1f} s |")


if __name__ == "__main__":
    main()
