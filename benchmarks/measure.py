"""One problem, all peers: the tolerance each of them needs, then its time, hot and in a new process."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd
import scoring
from peers import BASELINE, OURS, PEERS
from scipy import sparse
from worker import Worker, load_rows, save

TIGHTEST = 12  # tolerances are 1e-1 ... 1e-12
USUAL = 4  # where a sweep starts: the default of most peers
FIRST_LIMIT, GRACE = 60.0, 5.0  # seconds for a fit of the first peer; of others, beyond those of the fastest so far
STOPPED = "stopped after"  # how a fit ends that takes too long
REPEATING = 5.0  # seconds a thread that the wanted repetitions of one peer may take; ours and contenders may take more
CONTENDER = 2.0  # times as long as the fastest, up to which a peer might be the fastest
SHORT, MOST = 2.0, 51  # fits of milliseconds are repeated for so many seconds, at most so often
LOADED = 3.0  # seconds from which a sweep's fit counts as a repetition: what it had to load no longer matters
LONG = 20.0  # seconds with two threads, from which a peer is not measured with one
NEW_PROCESS = 3.0  # seconds up to which the first fit in a new process is measured


class Trial(NamedTuple):
    """One fit at tolerance 10^-digits, and how near to the minimum it came."""

    digits: int
    seconds: float
    added: int
    gap: float
    failure: str

    @property
    def reached(self):
        """Whether the answer counts."""
        return self.gap <= scoring.REQUIRED

    @property
    def short(self):
        """Whether the peer stopped by itself, but too early."""
        return not self.failure and not self.reached


class Bench:
    """A problem with its minimum, saved where workers find it."""

    def __init__(self, problem, folder):
        self.problem, self.y, self.C, self.intercept = problem, problem.y, problem.C, problem.intercept
        self.folder = Path(folder)
        save(folder, problem.X, problem.y)
        _, self.X, _ = load_rows(self.folder)  # of a frame the one-hot columns
        self.optimum = scoring.optimum(self.X, self.y, self.C, self.intercept)

    def trial(self, worker, peer, digits, limit, as_float64=False):
        """Fit a peer once and judge its answer."""
        options = {"limit": limit, "as_float64": as_float64, "intercept": self.intercept}
        found = worker.fit(peer, self.C, 10.0**-digits, **options)
        gap = float("inf")
        if not found.failure and np.isfinite([*found.coefficients, found.intercept]).all():
            gap = float(scoring.gap(self.X, self.y, self.C, found.coefficients, found.intercept, self.optimum))
        return Trial(digits, found.seconds, found.added, gap, found.failure)


def sweep(trial, start, limit, loosest=1):
    """Return trials by digits: the loosest tolerance that reaches the gap, and one looser that does not.

    ``trial(digits, limit)`` is one fit. From ``start`` it walks to tighter tolerances while answers fall short and to
    looser ones while they reach the gap. A fit that was stopped may have been asked for too much: half-way to what is
    known to fall short, others get half the time. It ends where the two sides meet, at an error, or when fits that do
    not count have taken one and a half times the limit.
    """
    tried, spent = {}, 0.0
    short, enough, digits = loosest - 1, TIGHTEST + 1, start
    budget = 1.5 * limit
    while short < digits < enough and spent < budget:
        found = tried[digits] = trial(digits, limit)
        spent += 0.0 if found.reached else found.seconds
        if found.short:
            short, digits = digits, digits + 1
        elif found.reached:
            enough, digits = digits, digits - 1
        elif found.failure.startswith(STOPPED):
            enough, digits, limit = digits, (short + digits) // 2, limit / 2.0
        else:
            break
    return tried


def measure(problem, peers, starts, repetitions, longest=FIRST_LIMIT):
    """Return what the tables say of one problem: for each peer its tolerance, gap, seconds, memory or failure.

    ``starts`` holds the digits at which each peer's sweep starts, and is left with those found.
    """
    with TemporaryDirectory() as folder:
        bench = Bench(problem, folder)
        entries = {peer: {} for peer in peers}
        for threads in ("2", "1"):
            print(f"  threads: {threads}", file=sys.stderr)
            with Worker(folder, int(threads)) as worker:
                find_all(bench, worker, entries, starts, longest)
                repeat(bench, worker, entries, repetitions, 3.0 * longest)
        first_fits(bench, entries, 3.0 * longest)
    n, d = bench.X.shape
    about = {"rows": n, "columns": d, "dtype": kind_of(problem.X), "bytes": size_of(problem.X), "C": bench.C}
    about |= {"positives": float(bench.y.mean()), "note": problem.note}
    return about | {"optimum_error": float(bench.optimum.error), "peers": entries}


def kind_of(X):
    """Return how the tables call the storage of X."""
    if isinstance(X, pd.DataFrame):
        return "frame"
    return f"{X.dtype} CSR" if sparse.issparse(X) else str(X.dtype)


def size_of(X):
    """Return the bytes of X."""
    if isinstance(X, pd.DataFrame):
        return int(X.memory_usage(index=False).sum())
    return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes if sparse.issparse(X) else X.nbytes


def find_all(bench, worker, entries, starts, longest):
    """Enter for every peer its tolerance, or why it has none: with two threads from a sweep, then with one from there.

    The path of a solver does not depend on the threads, so with one thread the sweep starts from the tolerance found
    with two and only goes tighter.
    """
    two = fastest(entries, "2")
    for peer, entry in entries.items():
        if bench.X.shape[1] > (PEERS[peer].most_columns or bench.X.shape[1]):
            entry["2"] = entry["1"] = {"failure": "not tried: it holds a matrix of all columns squared"}
            continue
        if worker.threads == 2:
            limit = min(fastest(entries, "2") + GRACE, longest)
            entry["2"] = find(bench, worker, peer, starts.get(peer, USUAL), limit)
        elif why := left_out(peer, entry["2"], two):
            entry["1"] = {"failure": why}
        else:
            known, limit = entry["2"]["digits"], 3.0 * (min(entry["2"]["seconds"]) + GRACE)
            entry["1"] = find(bench, worker, peer, known, limit, loosest=known)
        found = entry[str(worker.threads)]
        starts[peer] = found.get("digits", starts.get(peer, USUAL))
        said = found.get("failure") or f"{found['seconds'][0]:8.3f} s at 1e-{found['digits']}"
        print(f"    {PEERS[peer].label:38} {said}", file=sys.stderr, flush=True)


def fastest(entries, threads):
    """Return the seconds of the fastest peer so far, ours left out; infinity before there is one."""
    found = [entry.get(threads, {}) for peer, entry in entries.items() if peer not in (OURS, BASELINE)]
    return min((median(values["seconds"]) for values in found if "seconds" in values), default=float("inf"))


def left_out(peer, found, fastest):
    """Return why a peer is not measured with one thread, if so.

    Two threads at most halve the time. So one that takes more than twice as long with two as the fastest is not the
    fastest with one.
    """
    if "failure" in found:
        return "not tried, having failed with 2 threads"
    seconds = median(found["seconds"])
    if peer == OURS or seconds <= 1.0:
        return ""
    if seconds > LONG:
        return f"not measured: more than {LONG:.0f} s with 2 threads"
    return "not measured: with 2 threads more than twice the fastest" if seconds > CONTENDER * fastest else ""


def find(bench, worker, peer, start, limit, loosest=1):
    """Sweep a peer's tolerance; where float32 falls short, sweep it on a float64 copy, made while the clock runs."""
    for as_float64 in (False, True):
        tried = sweep(
            lambda digits, limit, convert=as_float64: bench.trial(worker, peer, digits, limit, convert),
            start,
            limit,
            loosest,
        )
        reached = [trial for trial in tried.values() if trial.reached]
        if reached:
            best = min(reached, key=lambda trial: trial.digits)
            return {"digits": best.digits, "as_float64": as_float64, "seconds": [best.seconds], "gap": best.gap}
        if bench.X.dtype != "float32" or not any(trial.short for trial in tried.values()):
            break
    nearest = min(tried.values(), key=lambda trial: trial.gap)
    failures = [trial.failure for trial in tried.values() if trial.failure]
    found = {"failure": failures[0] if failures else "gap not reached"}
    if nearest.gap < float("inf"):
        found |= {"nearest_gap": nearest.gap, "nearest_digits": nearest.digits, "nearest_seconds": nearest.seconds}
    return found


def repeat(bench, worker, entries, repetitions, limit):
    """Fit all peers that reach the gap in turn and enter their seconds; those of their sweep say how often.

    A peer that misses the gap in a repetition has not reached it.
    """
    threads = str(worker.threads)
    scored = {peer: entry[threads] for peer, entry in entries.items() if "seconds" in entry[threads]}
    least, wanted = fastest(entries, threads), {}

    def fit(peer):
        found = scored[peer]
        trial = bench.trial(worker, peer, found["digits"], limit, found["as_float64"])
        found["seconds"].append(trial.seconds)
        found["gap"] = max(found["gap"], trial.gap)
        if not trial.reached:
            found["failure"] = f"{trial.failure or 'gap not reached'} in a repetition"
            del scored[peer], found["seconds"]

    for peer, found in list(scored.items()):
        guess = found["seconds"][0]
        affordable = max(int(REPEATING * worker.threads / guess), 1)
        counts = peer == OURS or guess <= CONTENDER * least
        wanted[peer] = max(repetitions if counts else min(repetitions, affordable), min(int(SHORT / guess), MOST))
        if guess < 1.0:
            fit(peer)  # the first in a process loads things
        if guess < LOADED and peer in scored:
            found["seconds"] = []
    for turn in range(max(wanted.values(), default=0)):
        for peer in rotated(list(scored), turn):
            if len(scored[peer]["seconds"]) < wanted[peer]:
                fit(peer)


def rotated(peers, turn):
    """Return the peers in another order each turn, so that none always follows the same one."""
    first = turn % max(len(peers), 1)
    return peers[first:] + peers[:first]


def first_fits(bench, entries, limit):
    """Enter the first fit in a new process, and how much memory it took; ours also with an empty JIT cache.

    Slow fits are left out: what they load and compile hardly shows.
    """
    with TemporaryDirectory() as cache:
        for peer, entry in entries.items():
            found = entry["2"]
            if "failure" in found or (peer != OURS and median(found["seconds"]) > NEW_PROCESS):
                continue
            for name in ("first_without_cache", "first") if peer == OURS else ("first",):
                with Worker(bench.folder, 2, {"NUMBA_CACHE_DIR": cache}) as worker:
                    trial = bench.trial(worker, peer, found["digits"], limit, found["as_float64"])
                entry |= {name: trial.seconds, "added_bytes": trial.added}
