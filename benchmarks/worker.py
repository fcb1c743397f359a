"""A process of its own for fits: bound to so many cores, with a time limit, its memory measured. Linux only.

``Worker`` is the handle; run as a script, this file is the process. Binding limits every library alike, whichever
threads it uses: they all take as many as they see cores.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from sparse_problems import one_hot
from timing import REST


class Outcome(NamedTuple):
    """One fit: its seconds, the bytes by which its peak exceeded the process before it, and the answer or why none."""

    seconds: float
    added: int = 0
    coefficients: np.ndarray | None = None
    intercept: float = 0.0
    failure: str = ""


class Worker:
    """A process that holds the problem saved in a folder and fits peers on request; it is started when needed."""

    def __init__(self, folder, threads, environment=None):
        self.folder, self.threads, self.environment = folder, threads, environment or {}
        self.process = None

    def fit(self, peer, C, tol, *, limit, as_float64=False, intercept=True):
        """Return the outcome of one fit; the process is ended when the fit takes more than ``limit`` seconds."""
        if self.process is None:
            self._start()
        self.pipe.send((peer, C, tol, as_float64, intercept))
        try:
            self.pipe.recv()  # the package is imported
            if self.pipe.poll(limit):
                return self.pipe.recv()
            failure = f"stopped after {limit:.0f} s"
        except (EOFError, ConnectionError):
            failure = f"the process died, exit code {self.process.wait()}"
        self.close()
        return Outcome(limit, failure=failure)

    def _start(self):
        self.pipe, theirs = Pipe()
        command = [sys.executable, __file__, str(theirs.fileno()), str(self.folder), str(self.threads)]
        with bound_to(self.threads):
            self.process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=os.environ | self.environment, stdout=subprocess.DEVNULL
            )
        theirs.close()
        self.pipe.recv()  # the data are loaded

    def close(self):
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.pipe.close()
            self.process = None

    def __enter__(self):
        """Use as a context, to be sure that the process ends."""
        return self

    def __exit__(self, *exception):
        """End the process."""
        self.close()


@contextmanager
def bound_to(n_cores):
    """Let the processes started inside run on so many cores only."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:n_cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def save(folder, X, y):
    """Save a problem where workers find it: a frame with the one-hot columns that it stands for."""
    folder = Path(folder)
    if isinstance(X, pd.DataFrame):
        X.to_pickle(folder / "frame.pickle")
        X = one_hot(X)
    if sparse.issparse(X):
        sparse.save_npz(folder / "X.npz", X, compressed=False)
    else:
        np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)


def load_rows(folder):
    """Return the frame of a saved problem, None where it has none, then its X and y."""
    frame = pd.read_pickle(folder / "frame.pickle") if (folder / "frame.pickle").exists() else None
    is_sparse = (folder / "X.npz").exists()
    return (
        frame,
        sparse.load_npz(folder / "X.npz") if is_sparse else np.load(folder / "X.npy"),
        np.load(folder / "y.npy"),
    )


def load(peer, frame, X):
    """Return the function that fits a peer, one that says so where it cannot be imported, and what X is to it."""
    try:
        module = importlib.import_module(f"peers.{peer}")
    except ImportError as error:
        missing = error

        def fail(*arguments):
            raise missing

        return fail, X
    return module.fit, module.prepare(frame) if frame is not None and hasattr(module, "prepare") else X


def run(fit, X, y, C, tol, threads, as_float64, intercept):
    """Fit one peer; an error is an outcome too."""
    before = reset_peak()
    time.sleep(REST)
    start = time.perf_counter()
    try:
        coefficients, b = fit(X.astype(np.float64) if as_float64 else X, y, C, tol, threads, intercept)
    except Exception as error:  # whatever a peer raises is its outcome
        text = str(error).splitlines()
        return Outcome(time.perf_counter() - start, failure=f"{type(error).__name__}: {text[0] if text else ''}")
    seconds = time.perf_counter() - start
    return Outcome(seconds, peak() - before, np.array(coefficients, np.float64), float(b))


def reset_peak():
    """Let the peak memory of this process start from what it holds now, and return that in bytes.

    Memory that was freed but kept for later goes back first: a fit that takes it again would seem to take none.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak():
    """Return the peak resident memory of this process in bytes."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def serve(pipe, folder, threads):
    """Load the problem, then answer requests for fits until the handle is gone."""
    warnings.simplefilter("ignore")
    frame, X, y = load_rows(folder)
    pipe.send(X.shape)
    while True:
        try:
            peer, C, tol, as_float64, intercept = pipe.recv()
        except EOFError:
            return
        fit, rows = load(peer, frame, X)
        gc.freeze()  # what has been imported is no garbage, and searching it takes long
        pipe.send(peer)
        pipe.send(run(fit, rows, y, C, tol, threads, as_float64, intercept))


if __name__ == "__main__":
    # Outcome has to be worker.Outcome on both sides of the pipe, not __main__.Outcome.
    importlib.import_module("worker").serve(Connection(int(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3]))
