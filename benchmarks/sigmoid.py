"""Speed of the logistic: ours against the textbook formula in NumPy and against SciPy's expit.

Run it as ``python benchmarks/sigmoid.py``. The three are called in turn in one process, so that whatever
disturbs the machine disturbs them alike. It prints medians, and ratios above 1 where ours is faster.
"""

from statistics import median
from time import perf_counter

import numpy as np
from scipy.special import expit

from logreg.sigmoid import logistic


def textbook(x):
    """Compute 1 / (1 + exp(-x)) as it is written."""
    return 1.0 / (1.0 + np.exp(-x))


def measure(functions, x, *, rounds, calls):
    """Return the median seconds of one call of each function, taken in turn."""
    seconds = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = perf_counter()
            for _ in range(calls):
                function(x)
            seconds[name].append((perf_counter() - start) / calls)
    return {name: median(times) for name, times in seconds.items()}


def main():
    """Print microseconds per call, and how many times as long the others take as ours."""
    scores = np.random.default_rng(0).normal(scale=4.0, size=1_000_000)
    cases = [
        ("1e6 float64", scores, 61, 1),
        ("1e6 float32", scores.astype(np.float32), 61, 1),
        ("1e3 float64", scores[:1000].copy(), 301, 20),
        ("array of one", scores[:1].copy(), 301, 100),
        ("Python float", float(scores[0]), 301, 100),
    ]
    functions = {"logreg": logistic, "textbook": textbook, "expit": expit}
    print(f"{'':14}" + "".join(f"{name + ' us':>13}" for name in functions) + "   textbook/ours   expit/ours")
    for label, x, rounds, calls in cases:
        times = measure(functions, x, rounds=rounds, calls=calls)
        ours = times["logreg"]
        row = "".join(f"{1e6 * seconds:13.2f}" for seconds in times.values())
        print(f"{label:14}{row}{times['textbook'] / ours:16.2f}{times['expit'] / ours:13.2f}")


if __name__ == "__main__":
    main()
