"""Time the working tree (head) against a git revision (base) and fail where it is slower.

python benchmarks/compare.py                          base is origin/main or, without a remote, the commit before HEAD
python benchmarks/compare.py v0.1.0 --problems tall   base is that revision; problems as in run.py, and `predictions`
python benchmarks/compare.py HEAD --quick             base is the last commit; a tenth of the rows

Head is slower where its median is by more than 15 % and by more than 0.05 s. What takes milliseconds or less counts many
times. Fits run to the gap, at the loosest tolerance that reaches it: a worse answer is not a faster one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from measure import FIRST_LIMIT, USUAL, Bench, find
from peers import OURS
from problems import PROBLEMS
from worker import Worker, bound_to

ROOT = Path(__file__).parents[1]
SLOWER_RATIO, SLOWER_SECONDS = 1.15, 0.05
PREDICTIONS = "predictions"
USUALLY = ["tall", "tall-raw", "mid", "flights", "small", PREDICTIONS]
ROUNDS, SHORT_ROUNDS = 7, 51
CALLS = {"small": 100, "small-raw": 100, "predict_proba, 1 x 30": 10_000, "predict_proba, 569 x 30": 5_000}


class Row(NamedTuple):
    """Seconds in each round, or why base or head has none."""

    what: str
    base: list[float]
    head: list[float]
    failure: str = ""

    @property
    def ratio(self):
        """How many times as long as base head takes."""
        return median(self.head) / median(self.base)

    @property
    def verdict(self):
        """The last column of the table."""
        if self.failure:
            return self.failure
        added = median(self.head) - median(self.base)
        return "SLOWER" if self.ratio > SLOWER_RATIO and added > SLOWER_SECONDS else "ok"


def main():
    """Compare what the command line asks for; exit with 1 where head is slower or fails."""
    wanted = arguments()
    with TemporaryDirectory() as folder:
        unpack(wanted.base, folder)
        trees = {"base": folder, "head": str(ROOT)}
        check_imports(trees)
        rows = [row for name in wanted.problems for row in compare(name, trees, 0.1 if wanted.quick else 1.0)]
    print(table(rows, wanted.base))
    sys.exit(int(any(row.verdict != "ok" for row in rows)))


def arguments():
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", nargs="?", default=usual_base(), help="a git revision, default %(default)s")
    parser.add_argument("--problems", default=",".join(USUALLY), help="comma-separated, default %(default)s")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    wanted = parser.parse_args()
    wanted.problems = wanted.problems.split(",")
    unknown = [name for name in wanted.problems if name not in [*PROBLEMS, PREDICTIONS]]
    if unknown:
        parser.error(f"{', '.join(unknown)} is not one of {', '.join([*PROBLEMS, PREDICTIONS])}")
    return wanted


def git(*command):
    """Run git in this repository."""
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True)


def usual_base():
    """Return the revision a change is compared with."""
    return "HEAD~1" if git("rev-parse", "--verify", "--quiet", "origin/main").returncode else "origin/main"


def unpack(revision, folder):
    """Put the files of a revision into a folder; the repository is left as it is."""
    archive = git("archive", revision)
    if archive.returncode:
        sys.exit(f"git has no revision {revision} here; name one that it has.")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")


def check_imports(trees):
    """Stop where a process would import another package than that of its tree."""
    for tree in trees.values():
        command = [sys.executable, "-P", "-c", "import logreg; print(logreg.__file__)"]
        found = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": tree}).stdout
        if not Path(found.strip()).is_relative_to(tree):
            sys.exit(f"`import logreg` finds {found.strip() or 'nothing'} instead of {tree}; use `make compare`.")


def compare(name, trees, share):
    """Yield the rows of one problem, none where its data are missing."""
    print(name, file=sys.stderr)
    if name == PREDICTIONS:
        yield from predictions(trees, share)
        return
    try:
        problem = PROBLEMS[name](share)
    except FileNotFoundError as error:
        print(f"  skipped: {error}", file=sys.stderr)
        return
    with TemporaryDirectory() as folder:
        yield fits(name, Bench(problem, folder), trees)


def fits(name, bench, trees):
    """Fit base and head in turn, each in a process of its own, to the gap."""
    workers = {side: Worker(bench.folder, 2, {"PYTHONPATH": tree}) for side, tree in trees.items()}
    with workers["base"], workers["head"]:
        found = {side: find(bench, worker, OURS, USUAL, FIRST_LIMIT) for side, worker in workers.items()}
        for side, entry in found.items():
            if "failure" in entry:
                return Row(name, [], [], f"{side} FAILED: {entry['failure']}")
        calls = CALLS.get(name, 1)

        def measured(side):
            entry = found[side]
            trial = bench.trial(workers[side], OURS, entry["digits"], FIRST_LIMIT, entry["as_float64"])
            return calls * trial.seconds

        seconds = in_turns(measured, SHORT_ROUNDS if calls > 1 else ROUNDS)
    return Row(f"{name}, {calls} fits" if calls > 1 else name, seconds["base"], seconds["head"])


def predictions(trees, share):
    """Yield the rows of `predict_proba`, clocked by latency.py in new processes of base and head in turn."""

    def measured(side):
        command = [sys.executable, str(ROOT / "benchmarks" / "latency.py"), "--predictions"] + ["--quick"] * (share < 1)
        environment = os.environ | {"PYTHONPATH": trees[side]}
        with bound_to(2):
            return json.loads(subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True).stdout)

    seconds = in_turns(measured, rounds=3)
    for place, case in enumerate(seconds["base"][0]):
        what = case["what"]
        calls = CALLS.get(what, 1)
        taken = {
            side: [calls * value for cases in rounds for value in cases[place][OURS]]
            for side, rounds in seconds.items()
        }
        yield Row(f"{what}, {calls:,} calls" if calls > 1 else what, taken["base"], taken["head"])


def in_turns(measured, rounds):
    """Return what is measured of base and head in each round; they change places from one round to the next."""
    found = {"base": [], "head": []}
    for turn in range(rounds):
        for side in ("base", "head") if turn % 2 else ("head", "base"):
            found[side].append(measured(side))
    return found


def table(rows, base):
    """Return the comparison as Markdown."""
    lines = [f"| what | {base}, s | working tree, s | head / base | |", "|---|---|---|---|---|"]
    for row in rows:
        cells = ["-"] * 3
        if not row.failure:
            cells = [f"{median(row.base):.3f}", f"{median(row.head):.3f}", f"{row.ratio:.2f}"]
        lines.append(f"| {row.what} | {' | '.join(cells)} | {row.verdict} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
