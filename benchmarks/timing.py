"""Seconds of several functions, called in turn."""

from __future__ import annotations

import gc
from time import perf_counter


def in_turn(functions, rounds, calls=1):
    """Return for each function the seconds of one call in each round, after one call that is not counted.

    Functions take turns, so that whatever disturbs the machine disturbs them alike; with ``calls`` the clock runs over
    so many calls of something short. Garbage is collected before each, of what is new since the start.
    """
    gc.freeze()
    seconds = {name: [] for name in functions}
    for turn in range(-1, rounds):
        for name, function in functions.items():
            gc.collect()
            start = perf_counter()
            for _ in range(calls):
                function()
            if turn >= 0:
                seconds[name].append((perf_counter() - start) / calls)
    gc.unfreeze()
    return seconds
