"""How many threads a fit may use."""

from __future__ import annotations

from functools import cache
from threading import Lock

import joblib
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController


def n_threads(n_jobs: int | None) -> int:
    """Return the number of threads for scikit-learn's ``n_jobs``.

    None means what ``joblib.parallel_config(n_jobs=...)`` says around the fit, or else all cores, but one inside a
    joblib worker, where the other cores have fits of their own; negative numbers count back from the number of
    cores, as everywhere in scikit-learn.
    """
    cores = cpu_count()
    if n_jobs is None:
        backend, configured = get_active_backend()
        n_jobs = int(configured or (1 if backend.nesting_level else cores))
    return max(1, cores + 1 + n_jobs if n_jobs < 0 else n_jobs)


@cache
def cpu_count() -> int:
    """Return the cores this process may use; joblib reads them from the system, which takes a while."""
    return int(joblib.cpu_count())


@cache
def libraries() -> ThreadpoolController:
    """Return the handle of the linear algebra libraries in this process; finding them takes milliseconds."""
    return ThreadpoolController()


class OneBlasThread:
    """Linear algebra on the thread that calls it, for as long as any thread is inside: ``with one_blas_thread: ...``.

    Threads that share the rows would wait for each other inside products, for milliseconds each time that other work
    holds one of them up.
    """

    def __init__(self) -> None:
        self.lock, self.n_inside = Lock(), 0

    def __enter__(self) -> None:
        """Set the limit, unless it is set."""
        with self.lock:
            if self.n_inside == 0:
                self.limit = libraries().limit(limits=1, user_api="blas")
            self.n_inside += 1

    def __exit__(self, *exception: object) -> None:
        """Let go of the limit, unless others need it."""
        with self.lock:
            self.n_inside -= 1
            if self.n_inside == 0:
                self.limit.restore_original_limits()


one_blas_thread = OneBlasThread()
