"""Where the time of a fit goes, room by room and function by function.

python benchmarks/rooms.py small             a problem of problems.py; prints a fit's microseconds, most first

The profiler slows down Python code, by about a third on small data, and NumPy not at all, so rooms that call much look
dearer than they are. What NumPy does counts for the room that called it. Compiled kernels run in other threads: what
waits for them is not in a room, but counts for the functions, whose time includes all that they call.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter

from problems import PROBLEMS

import logreg

PACKAGE = Path(logreg.__file__).parent
OTHERS = "scikit-learn, NumPy, Python"
SECONDS = 2.0  # of fits to look at
LEAST = 0.01  # share of a fit from which a function is shown


def by_room(stats):
    """Return the seconds spent in each file of the package; what others do counts for the file that called them."""
    seconds = Counter()
    for (file, _, _), (_, _, own, _, callers) in stats.items():
        if room(file) != OTHERS:
            seconds[room(file)] += own
        else:
            for (caller, _, _), (_, _, part, _) in callers.items():
                seconds[room(caller)] += part
    return seconds


def by_function(stats):
    """Return the seconds spent in each function of the package and all that it calls."""
    seconds = Counter()
    for (file, _, name), (_, _, _, inclusive, _) in stats.items():
        if room(file) != OTHERS:
            seconds[f"{room(file)} {name}"] += inclusive
    return seconds


def room(file):
    """Return the path of a file below the package."""
    path = Path(file)
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else OTHERS


def main(name):
    """Profile fits of one problem."""
    problem = PROBLEMS[name]()
    clf = logreg.LogisticRegression(
        C=problem.C, fit_intercept=problem.intercept, categories="auto", tol=1e-2, max_iter=1_000
    )
    clf.fit(problem.X, problem.y)
    start = perf_counter()
    clf.fit(problem.X, problem.y)
    n_fits = max(1, int(SECONDS / (perf_counter() - start)))
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(n_fits):
        clf.fit(problem.X, problem.y)
    profile.disable()
    print(f"{name}: {clf.n_passes_} passes, {clf.solver_}, mean of {n_fits} fits")
    stats = pstats.Stats(profile)
    for title, found in (("rooms", by_room(stats.stats)), ("functions and all they call", by_function(stats.stats))):
        print(title)
        for place, seconds in found.most_common():
            if seconds >= LEAST * stats.total_tt:
                print(f"{1e6 * seconds / n_fits:12.0f} us  {seconds / stats.total_tt:6.1%}  {place}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "small")
