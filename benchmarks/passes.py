"""One pass of one model, loss and gradient, against the bare product ``X @ w``: prints JSON.

The product reads X once and does half of the arithmetic, so the ratio says how near the pass is to what the memory
allows.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from timing import in_turn

from logreg.rows import MemoryRows

CALLS = 5  # in a row, as in a fit: threads that have just worked start faster than those that have slept
SHAPES = [(500_000, 100), (100_000, 500), (2_000_000, 20)]


def compare(rows, columns, rounds):
    """Return the seconds of passes and products over X of this shape."""
    random = np.random.default_rng(0)
    X = random.standard_normal((rows, columns))
    w = random.standard_normal(columns + 1) / columns**0.5
    y = (random.random(rows) < 0.5).astype(np.int8)
    source = MemoryRows(X, y, n_threads=2)  # not entered as a context, which would leave the product one thread
    functions = {"product": lambda: X @ w[:-1], "pass": lambda: source.sums(w[:, None])}
    seconds = in_turn(functions, rounds, calls=CALLS)
    source.executor.shutdown()
    return {"what": f"{rows:,} x {columns}"} | seconds


if __name__ == "__main__":
    share, rounds = (10, 7) if "--quick" in sys.argv else (1, 15)
    print(json.dumps([compare(rows // share, columns, rounds) for rows, columns in SHAPES]))
