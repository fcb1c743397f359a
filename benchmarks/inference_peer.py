"""One package fits and infers: run as a script, so that it can be stopped.

python inference_peer.py PROBLEM PEER FOLDER

The folder holds X.npy and y.npy; the answer goes there too, a row a coefficient, the intercept last. Each line of the
standard input is a tolerance, or "default"; to each it says how many seconds it took.
"""

from __future__ import annotations

import gc
import sys
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np

LOADED = 500  # rows on which everything is loaded and compiled
MOST_STEPS = 1_000


def our_summary(X, y, tol):
    """Return the table of our fit."""
    from logreg import LogisticRegression

    frame = LogisticRegression(penalty=None, inference=True, **at(tol)).fit(X, y).summary().frame
    return lambda: intercept_last(frame[["estimate", "std_error", "conf_low", "conf_high"]].to_numpy())


def statsmodels_summary(X, y, tol):
    """Return the table of statsmodels, which takes the intercept for a column."""
    from statsmodels.api import Logit

    fit = Logit(y, np.column_stack([X, np.ones(len(X))])).fit(disp=0)
    fit.summary()
    return lambda: np.column_stack([fit.params, fit.bse, fit.conf_int()])


def our_firth(X, y, tol):
    """Return our fit by Firth's likelihood, which has made what its table shows."""
    from logreg import LogisticRegression

    fit = LogisticRegression(penalty="firth", inference=True, n_jobs=1, **at(tol)).fit(X, y)

    def answer():
        frame = fit.summary().frame
        root = np.sqrt(frame["statistic"])
        return intercept_last(np.column_stack([frame[["estimate", "conf_low", "conf_high"]], root]))

    return answer


def firthmodels_firth(X, y, tol):
    """Return the fit of firthmodels, its tests and its profile intervals; it keeps |estimate| / root of a statistic."""
    from firthmodels import FirthLogisticRegression

    tol = 1e-4 if tol is None else tol
    fit = FirthLogisticRegression(gtol=tol, xtol=tol, max_iter=MOST_STEPS).fit(X, y).lrt()
    ends = fit.conf_int(method="pl", tol=tol, max_iter=MOST_STEPS)
    estimates = np.append(fit.coef_, fit.intercept_)
    return lambda: np.column_stack([estimates, ends, np.abs(estimates) / fit.lrt_bse_])


def at(tol):
    """Return our options for a tolerance."""
    return {} if tol is None else {"tol": tol}


def intercept_last(values):
    """Return the rows of a table whose first row is the intercept's with that one last."""
    return np.roll(values, -1, axis=0)


PEERS = {  # ours first
    "summary": {"logreg": our_summary, "statsmodels": statsmodels_summary},
    "firth5": {"logreg": our_firth, "firthmodels": firthmodels_firth},
    "firth20": {"logreg": our_firth, "firthmodels": firthmodels_firth},
    "firth50": {"logreg": our_firth, "firthmodels": firthmodels_firth},
}


def main(problem, peer, folder):
    """Fit at each tolerance that comes, and save the answer."""
    folder, fit = Path(folder), PEERS[problem][peer]
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    warnings.simplefilter("ignore")
    some = np.linspace(0, len(y) - 1, LOADED).astype(int)
    fit(X[some], y[some], 1e-4)
    print("ready", flush=True)
    for said in sys.stdin:
        tol = None if said.strip() == "default" else float(said)
        gc.collect()
        start = perf_counter()
        answer = fit(X, y, tol)
        seconds = perf_counter() - start
        np.save(folder / "answer.npy", answer())
        del answer
        print(seconds, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
