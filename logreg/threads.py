"""How many threads a fit may use."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any

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
def linear_algebra() -> list[Any]:
    """Return the handles of the BLAS libraries in this process; finding them takes milliseconds."""
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


def set_threads(library: Any, n: int) -> None:
    """Set the threads of a BLAS library, whichever thread asks: newer threadpoolctl heeds only the first that did."""
    getattr(library, "_real_set_num_threads", library.set_num_threads)(n)


class OneBlasThread:
    """Linear algebra on the thread that calls it, for as long as any thread is inside: ``with one_blas_thread: ...``.

    Threads that share the rows would wait for each other inside products, for milliseconds each time that other work
    holds one of them up.
    """

    def __init__(self) -> None:
        self.lock, self.n_inside = Lock(), 0
        self.before: list[int] = []

    def __enter__(self) -> None:
        """Set the limit, unless it is set."""
        with self.lock:
            if self.n_inside == 0:
                self.before = [library.num_threads for library in linear_algebra()]
                for library in linear_algebra():
                    set_threads(library, 1)
            self.n_inside += 1

    def __exit__(self, *exception: object) -> None:
        """Restore what was, unless others are inside."""
        with self.lock:
            self.n_inside -= 1
            if self.n_inside == 0:
                for library, n in zip(linear_algebra(), self.before, strict=True):
                    set_threads(library, n)


one_blas_thread = OneBlasThread()
