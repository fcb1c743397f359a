"""How many threads a fit may use."""

from __future__ import annotations

import joblib
from joblib.parallel import get_active_backend


def n_threads(n_jobs: int | None) -> int:
    """Return the number of threads for scikit-learn's ``n_jobs``.

    None means all cores, but one inside a joblib worker, where the other cores have fits of their own; negative
    numbers count back from the number of cores, as everywhere in scikit-learn.
    """
    cores = int(joblib.cpu_count())
    if n_jobs is None:
        backend, _ = get_active_backend()
        return 1 if (backend.nesting_level or 0) > 0 else cores
    return max(1, cores + 1 + n_jobs) if n_jobs < 0 else n_jobs
