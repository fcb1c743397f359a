"""
A table on a cluster, and a worker that is lost
===============================================

The rows of a Dask array live in the memory of the workers of a cluster. A pass is a sum over the rows, so each worker
adds up those it holds, and sends a few numbers. Here two processes stand for the cluster. Halfway one of them is
killed: what it held is computed again, and the coefficients are the same to the last bit.
"""

import os
import signal

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from distributed import Client, LocalCluster

from logreg import LogisticRegression

ROWS, COLUMNS, CHUNK = 400_000, 10, 50_000
COEFFICIENTS = np.linspace(-1.0, 1.0, COLUMNS)


def table():
    """Rows that nobody has computed yet: columns, and outcomes that depend on them."""
    random = da.random.default_rng(12)
    X = random.normal(size=(ROWS, COLUMNS), chunks=(CHUNK, COLUMNS))
    y = random.random(ROWS, chunks=CHUNK) < 1 / (1 + da.exp(1 - X @ COEFFICIENTS))
    return X, y.astype(int)


def main():
    """Fit on the cluster, with and without a loss, and in memory."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        # ``fit`` takes Dask arrays and DataFrames as it takes arrays, and uses the client that Dask uses.
        X, y = table()
        clf = LogisticRegression().fit(X, y)
        print(f"{clf.n_passes_} passes over {ROWS:,} rows on {len(client.nthreads())} workers")
        print(clf.summary())

        # The process that is killed here has some of the rows. Dask knows how they came about.
        X, y = client.persist([X, y])
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        again = LogisticRegression().fit(X, y)
        print("same coefficients, bit for bit:", np.array_equal(clf.coef_, again.coef_))

        # Predictions are lazy: a Dask array, computed where and when it is needed.
        p = clf.predict_proba(X)[:, 1]
        counts, edges = da.histogram(p, bins=40, range=(0.0, 1.0))
        counts = counts.compute()

        here = LogisticRegression().fit(*da.compute(X, y))

    # On the left how far each pass still was from the optimum; on the right what the model says of the rows.
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for fit, label, style in ((clf, "on the cluster", "o-"), (here, "in memory", "x--")):
        left.semilogy(1 + np.arange(fit.n_passes_), fit.history_["decrement"], style, label=label)
    left.set(xlabel="pass over all rows", ylabel="standard errors from the optimum")
    left.legend()
    right.stairs(counts / ROWS, edges, fill=True)
    right.set(xlabel="probability", ylabel="share of the rows")


if __name__ != "__mp_main__":  # as which the worker processes import this file
    main()

if __name__ == "__main__":
    plt.show()
