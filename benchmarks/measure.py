"""One problem, all peers: the tolerance each of them needs, then its time, hot and in a new process."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import scoring
from peers import BASELINE, OURS, PEERS
from worker import Worker, save

TIGHTEST = 12  # tolerances are 1e-1 ... 1e-12
USUAL = 4  # where a sweep starts: the default of most peers
REPEATED = 10.0  # seconds up to which a fit is repeated as often as wanted,
TWICE = 30.0  # and up to which it is repeated once
SLOWEST = 20.0  # a fit is stopped when it takes so many times as long as the fastest peer,
SHORTEST_LIMIT, LONGEST_LIMIT = 10.0, 60.0  # but neither before nor after so many seconds
STOPPED = "stopped after"  # how a fit ends that takes too long
SHORT_RUN, MOST_REPETITIONS = 5.0, 51  # fits of milliseconds are repeated for some seconds


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
        self.X, self.y, self.C, self.note = problem
        self.folder = Path(folder)
        self.optimum = scoring.optimum(self.X, self.y, self.C)
        save(folder, self.X, self.y)

    def trial(self, worker, peer, digits, limit, as_float64=False):
        """Fit a peer once and judge its answer."""
        found = worker.fit(peer, self.C, 10.0**-digits, limit=limit, as_float64=as_float64)
        gap = float("inf")
        if not found.failure:
            gap = float(scoring.gap(self.X, self.y, self.C, found.coefficients, found.intercept, self.optimum))
        gap = gap if gap == gap else float("inf")  # coefficients of NaN
        return Trial(digits, found.seconds, found.added, gap, found.failure)


def sweep(trial, start, budget, loosest=1):
    """Return trials by digits: the loosest tolerance that reaches the gap, and one looser that does not.

    From ``start`` it walks to tighter tolerances while answers fall short, to looser ones while they reach the gap
    or take too long; it ends where the two meet, at an error, or when the budget of seconds is spent.
    """
    tried = {}
    digits = start
    while loosest <= digits <= TIGHTEST and digits not in tried and sum(t.seconds for t in tried.values()) < budget:
        tried[digits] = trial(digits)
        if tried[digits].failure and not tried[digits].failure.startswith(STOPPED):
            break
        digits += 1 if tried[digits].short else -1
    return tried


def measure(problem, peers, starts, repetitions, longest=LONGEST_LIMIT):
    """Return what the tables say of one problem: for each peer its tolerance, gap, seconds, memory or failure.

    ``starts`` holds the digits at which each peer's sweep starts, and is left with those found.
    """
    with TemporaryDirectory() as folder:
        bench = Bench(problem, folder)
        entries = {peer: {} for peer in peers}
        for threads in (2, 1):
            print(f"  threads: {threads}", file=sys.stderr)
            with Worker(folder, threads) as worker:
                find_all(bench, worker, entries, starts, longest)
                repeat(bench, worker, entries, repetitions, 3 * longest)
        first_fits(bench, entries, 3 * longest)
    n, d = bench.X.shape
    about = {"rows": n, "columns": d, "dtype": str(bench.X.dtype), "C": bench.C, "positives": float(bench.y.mean())}
    return about | {"note": bench.note, "optimum_error": float(bench.optimum.error), "peers": entries}


def find_all(bench, worker, entries, starts, longest):
    """Enter for every peer its tolerance, or why it has none: with two threads from a sweep, then with one from there.

    The path of a solver does not depend on the threads, so with one thread the sweep starts from the tolerance found
    with two and only goes tighter; a peer that failed with two is not tried again.
    """
    fastest = float("inf")
    for peer, entry in entries.items():
        limit = min(max(SHORTEST_LIMIT, SLOWEST * fastest), longest)
        if worker.threads == 2:
            entry["2"] = find(bench, worker, peer, starts.get(peer, USUAL), limit)
        elif "failure" in entry["2"]:
            entry["1"] = {"failure": "not tried, having failed with 2 threads"}
        else:
            known = entry["2"]["digits"]
            entry["1"] = find(bench, worker, peer, known, 3 * limit, loosest=known)
        found = entry[str(worker.threads)]
        if "failure" not in found:
            starts[peer] = found["digits"]
            fastest = fastest if peer in (OURS, BASELINE) else min(fastest, found["seconds"][0])
        said = found.get("failure") or f"{found['seconds'][0]:8.3f} s at 1e-{found['digits']}"
        print(f"    {PEERS[peer].label:38} {said}", file=sys.stderr, flush=True)


def find(bench, worker, peer, start, limit, loosest=1):
    """Sweep a peer's tolerance; where float32 does not do, sweep it on a copy in float64, made while the clock runs."""
    for as_float64 in (False, True) if bench.X.dtype == "float32" else (False,):
        tried = sweep(
            lambda digits, convert=as_float64: bench.trial(worker, peer, digits, limit, convert),
            start,
            1.5 * limit,
            loosest,
        )
        reached = [trial for trial in tried.values() if trial.reached]
        if reached:
            best = min(reached, key=lambda trial: trial.digits)
            return {"digits": best.digits, "as_float64": as_float64, "seconds": [best.seconds], "gap": best.gap}
    nearest = min(tried.values(), key=lambda trial: trial.gap)
    failures = [trial.failure for trial in tried.values() if trial.failure]
    found = {"failure": failures[0] if failures else "gap not reached"}
    if nearest.gap < float("inf"):
        found |= {"nearest_gap": nearest.gap, "nearest_digits": nearest.digits, "nearest_seconds": nearest.seconds}
    return found


def repeat(bench, worker, entries, repetitions, limit):
    """Fit all peers that reach the gap in turn and enter their seconds; those of their sweep say how often."""
    scored = {peer: entry[str(worker.threads)] for peer, entry in entries.items()}
    scored = {peer: found for peer, found in scored.items() if "failure" not in found}
    guess = {peer: found["seconds"][0] for peer, found in scored.items()}
    rounds = int(SHORT_RUN / max(sum(seconds for seconds in guess.values() if seconds <= REPEATED), 1e-3))
    rounds = max(repetitions, min(MOST_REPETITIONS, rounds))

    def fit(peer):
        return bench.trial(worker, peer, scored[peer]["digits"], limit, scored[peer]["as_float64"])

    for peer, found in scored.items():
        if guess[peer] <= REPEATED:
            found["seconds"] = []
        if guess[peer] <= REPEATED / 3:
            fit(peer)  # the first fit in a process loads things
    for turn in range(rounds):
        for peer in rotated(list(scored), turn):
            if guess[peer] <= REPEATED or (turn == 0 and guess[peer] <= TWICE):
                trial = fit(peer)
                scored[peer]["seconds"].append(trial.seconds)
                scored[peer]["gap"] = max(scored[peer]["gap"], trial.gap)


def rotated(peers, turn):
    """Return the peers in another order each turn, so that none always follows the same one."""
    first = turn % max(len(peers), 1)
    return peers[first:] + peers[:first]


def first_fits(bench, entries, limit):
    """Enter the first fit in a new process, and how much memory it took; ours also with an empty JIT cache."""
    with TemporaryDirectory() as cache:
        for peer, entry in entries.items():
            found = entry["2"]
            if "failure" in found or found["seconds"][0] > TWICE:
                continue
            for name in ("first_without_cache", "first") if peer == OURS else ("first",):
                with Worker(bench.folder, 2, {"NUMBA_CACHE_DIR": cache}) as worker:
                    trial = bench.trial(worker, peer, found["digits"], limit, found["as_float64"])
                entry |= {name: trial.seconds, "added_bytes": trial.added}
