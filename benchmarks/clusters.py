"""Fits on a Dask cluster of two processes over fits of the same rows in memory by two threads: prints JSON.

The rows are simulated, and held by a LocalCluster of two workers with a thread each before anything is timed. dask-ml
fits the same rows with each of its solvers, at ever smaller tolerances until the objective is as near its minimum as
``GAP``, or ``LONGEST`` has passed; the best of them counts. Each of these fits has a process and a cluster of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np

CLUSTERS = {"dask": {"workers": 2, "threads": 1}}
ROWS, COLUMNS, PARTITIONS = 2_000_000, 30, 16
REPETITIONS = 5
SOLVERS = "newton", "lbfgs", "admm", "gradient_descent", "proximal_grad"  # of dask-ml
TOLERANCES = 1e-4, 1e-6, 1e-8, 1e-10
GAP, LONGEST = 1e-8, 120  # of the mean objective, relative; seconds


def rows_of(number, n_rows):
    """Return the rows of a partition: columns, outcomes."""
    random = np.random.default_rng([8, number])
    X = random.standard_normal((n_rows, COLUMNS))
    p = 1.0 / (1.0 + np.exp(1.0 - X[:, :5].sum(axis=1)))
    return X, (random.random(n_rows) < p).astype(np.int8)


def in_memory(share):
    """Return all rows in two arrays."""
    parts = [rows_of(number, size(share)) for number in range(PARTITIONS)]
    return np.concatenate([X for X, _ in parts]), np.concatenate([y for _, y in parts])


def size(share):
    """Return the rows of a partition."""
    return int(share * ROWS) // PARTITIONS


def held(client, share):
    """Return all rows in two Dask arrays whose chunks are in the memory of the workers."""
    from dask import array
    from distributed import wait

    n = size(share)
    parts = client.map(partial(rows_of, n_rows=n), range(PARTITIONS))
    wait(parts)
    X = [array.from_delayed(client.submit(lambda part: part[0], part), (n, COLUMNS), float) for part in parts]
    y = [array.from_delayed(client.submit(lambda part: part[1], part), (n,), np.int8) for part in parts]
    persisted = [array.concatenate(values).persist() for values in (X, y)]
    wait(persisted)
    return persisted


@contextmanager
def cluster(workers, threads):
    """Give the client of a cluster of processes here."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=workers, threads_per_worker=threads, processes=True, dashboard_address=None) as local,
        Client(local) as client,
    ):
        yield client


def timed(fit):
    """Return the median time of some fits, after one that is not timed, and the last."""
    fit()
    times = []
    for _ in range(REPETITIONS):
        start = perf_counter()
        clf = fit()
        times.append(perf_counter() - start)
    return {"seconds": median(times), "passes": clf.n_passes_, "coefficients": [*clf.coef_[0], *clf.intercept_]}


def of_memory(share):
    """Measure our fit in memory, by two threads."""
    from logreg import LogisticRegression

    X, y = in_memory(share)
    return timed(lambda: LogisticRegression(n_jobs=2).fit(X, y))


def of_cluster(share, name):
    """Measure our fit on the cluster, and the tasks that a pass takes."""
    from distributed import get_task_stream

    from logreg import LogisticRegression
    from logreg.setup import Setup

    with cluster(**CLUSTERS[name]) as client:
        X, y = held(client, share)
        found = timed(lambda: LogisticRegression(n_jobs=2).fit(X, y))
        with Setup.learn(LogisticRegression(), X, y, None, None) as setup:
            W = np.zeros((COLUMNS + 1, 1))
            setup.source.sums(W)
            with get_task_stream(client) as stream:
                setup.source.sums(W)
        return found | {"tasks": len(stream.data)}


def of_peer(share, name, solver, minimum):
    """Measure a solver of dask-ml, at the first tolerance that leads near enough to the minimum."""
    from dask_ml.linear_model import LogisticRegression

    with cluster(**CLUSTERS[name]) as client:
        X, y = held(client, share)
        here = in_memory(share)
        for tol in TOLERANCES:
            clf = LogisticRegression(solver=solver, tol=tol, max_iter=1_000)
            start = perf_counter()
            clf.fit(X, y)
            seconds = perf_counter() - start
            gap = objective(here, [*np.ravel(clf.coef_), *np.ravel(clf.intercept_)]) / minimum - 1.0
            print(json.dumps({"solver": solver, "tol": tol, "seconds": seconds, "gap": gap}), flush=True)
            if gap <= GAP:
                break


def objective(rows, w):
    """Return the sum of the log-loss and the ridge of C = 1."""
    X, y = rows
    scores = X @ np.array(w[:-1]) + w[-1]
    return float((np.logaddexp(0.0, scores) - y * scores).sum() + 0.5 * np.square(w[:-1]).sum())


def alone(*arguments):
    """Return what this file prints, line by line, in a process of its own that may take so long."""
    command = [sys.executable, __file__, *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
        lines, failure = done.stdout, done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except subprocess.TimeoutExpired as late:
        lines, failure = (late.stdout or b"").decode(), [f"no end in {LONGEST} s"]
    return [json.loads(line) for line in lines.splitlines() if line.startswith("{")], failure


def measured(name, share):
    """Return the row of a cluster."""
    (here, *_), _ = alone("--of", "memory", share)
    (there, *_), _ = alone("--of", "cluster", share, name)
    minimum = objective(in_memory(share), here["coefficients"])
    peers = []
    for solver in SOLVERS:
        tried, failure = alone("--of", "peer", share, name, solver, minimum)
        last = tried[-1] if tried else {"solver": solver}
        peers.append(last | ({"failure": failure[0]} if failure else {}))
    return {
        "problem": name,
        **CLUSTERS[name],
        "seconds": there["seconds"],
        "in_memory": here["seconds"],
        "passes": [there["passes"], here["passes"]],
        "tasks": there["tasks"],
        "difference": float(np.abs(np.subtract(there["coefficients"], here["coefficients"])).max()),
        "gap": objective(in_memory(share), there["coefficients"]) / minimum - 1.0,
        "peers": peers,
    }


def main():
    """Measure the clusters asked for, all without --problems."""
    if "--of" in sys.argv:
        what, share, *others = sys.argv[2:]
        if what == "peer":
            of_peer(float(share), others[0], others[1], float(others[2]))
        else:
            print(json.dumps({"memory": of_memory, "cluster": of_cluster}[what](float(share), *others)))
    else:
        names = sys.argv[sys.argv.index("--problems") + 1].split(",") if "--problems" in sys.argv else list(CLUSTERS)
        print(json.dumps([measured(name, 0.1 if "--quick" in sys.argv else 1.0) for name in names]))


if __name__ == "__main__":
    main()
