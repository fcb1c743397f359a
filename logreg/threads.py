"""How many threads a fit may use."""

from __future__ import annotations

from functools import cache

import joblib
from joblib.parallel import get_active_backend


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
