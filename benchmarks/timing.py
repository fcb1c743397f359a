"""Seconds of several functions, called in turn."""

from __future__ import annotations

import gc
from time import perf_counter, sleep

REST = 0.2  # seconds for threads of what ran before to fall asleep: those of BLAS wait busily for a while


def in_turn(functions, rounds, calls=1):
    """Return for each function the seconds of one call in each round, after one call that is not counted.

    Functions take turns, so that whatever disturbs the machine disturbs them alike; with ``calls`` the clock runs over
    so many calls of something short, after one more that wakes its threads. Before each turn, the machine rests, and
    what is new since the start is searched for garbage.
    """
    gc.freeze()
    seconds = {name: [] for name in functions}
    for turn in range(-1, rounds):
        for name, function in functions.items():
            gc.collect()
            sleep(REST)
            if calls > 1:
                function()
            start = perf_counter()
            for _ in range(calls):
                function()
            if turn >= 0:
                seconds[name].append((perf_counter() - start) / calls)
    gc.unfreeze()
    return seconds
