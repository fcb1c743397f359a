"""Run the benchmarks: problems x peers, sections, paths, many models, inference, streams, beyond memory; by default all.

python benchmarks/run.py                                      everything; rewrites results.json, RESULTS.md, results.png
python benchmarks/run.py --problems tall,mid                  these problems alone; the others stay as they were
python benchmarks/run.py --problems small --peers logreg,glum                 these peers alone; prints, writes nothing
python benchmarks/run.py --paths text,spam                    these paths alone; the others stay as they were
python benchmarks/run.py --many folds,bootstrap               these of many models alone; the others stay as they were
python benchmarks/run.py --inference summary,firth5           these of inference alone; the others stay as they were
python benchmarks/run.py --streams plain,flights              these streams alone; the others stay as they were
python benchmarks/run.py --clusters dask                           the fits on a cluster alone; the others stay as they were
python benchmarks/run.py --beyond parquet                      these of rows on disk alone; the others stay as they were
python benchmarks/run.py --problems tall --quick                             a tenth of the rows; prints, writes nothing
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

import report
from beyond_memory import BEYOND
from clusters import CLUSTERS
from inference import INFERENCE
from many import MANY
from measure import FIRST_LIMIT, measure
from path_problems import PATHS
from peers import BASELINE, PEERS
from problems import PROBLEMS
from streams import STREAMS
from worker import bound_to

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
QUICK_LIMIT = 10.0  # seconds for a fit of a tenth of the rows
BUSY = 0.5  # load of the machine from which its times mean little
SECTIONS = ("passes", "latency", "memory", "sigmoid")


def main():
    """Measure what the command line asks for."""
    wanted = arguments()
    if os.getloadavg()[0] > BUSY:
        print("The machine is busy with something else, so these times will mean little.", file=sys.stderr)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() and wanted.written else {"problems": {}}
    stamp = {"date": datetime.date.today().isoformat(), "revision": revision(), "machine": machine()}
    starts = {}
    for name in wanted.problems:
        print(name, file=sys.stderr)
        start = perf_counter()
        try:
            problem = PROBLEMS[name](0.1 if wanted.quick else 1.0)
        except FileNotFoundError as error:
            results["problems"][name] = stamp | {"skipped": str(error)}
        else:
            longest = QUICK_LIMIT if wanted.quick else FIRST_LIMIT
            results["problems"][name] = stamp | measure(problem, wanted.peers, starts, wanted.repetitions, longest)
            reject_baseline(results["problems"][name])
        print(f"  took {perf_counter() - start:.0f} s", file=sys.stderr)
        write(results, wanted.written)
    for name in wanted.sections:
        print(name, file=sys.stderr)
        results[name] = stamp | {"rows": section(name, wanted.quick)}
        write(results, wanted.written)
    parts = [("paths", wanted.paths, PATHS), ("many", wanted.many, MANY), ("inference", wanted.inference, INFERENCE)]
    parts.append(("streams", wanted.streams, STREAMS))
    parts.append(("beyond_memory", wanted.beyond, BEYOND))
    parts.append(("clusters", wanted.clusters, CLUSTERS))
    for part, names, known in parts:
        for name in names:
            print(f"{part} {name}", file=sys.stderr)
            measured = section(part, wanted.quick, "--problems", name)
            others = [row for row in results.get(part, {"rows": []})["rows"] if row["problem"] != name]
            rows = sorted(others + measured, key=lambda row: list(known).index(row["problem"]))
            results[part] = stamp | {"rows": rows}
            write(results, wanted.written)
    if not wanted.written:
        print(report.text(results))


def arguments():
    """Parse the command line; names of problems and peers are checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=chosen_from(PROBLEMS), help="comma-separated, default all")
    parser.add_argument("--peers", type=chosen_from(PEERS), default=list(PEERS), help="comma-separated, default all")
    parser.add_argument("--sections", type=chosen_from(SECTIONS), help="comma-separated, of " + ", ".join(SECTIONS))
    parser.add_argument("--paths", type=chosen_from(PATHS), help="comma-separated, of " + ", ".join(PATHS))
    parser.add_argument("--many", type=chosen_from(MANY), help="comma-separated, of " + ", ".join(MANY))
    parser.add_argument("--inference", type=chosen_from(INFERENCE), help="comma-separated, of " + ", ".join(INFERENCE))
    parser.add_argument("--streams", type=chosen_from(STREAMS), help="comma-separated, of " + ", ".join(STREAMS))
    parser.add_argument("--clusters", type=chosen_from(CLUSTERS), help="comma-separated, of " + ", ".join(CLUSTERS))
    parser.add_argument("--beyond", type=chosen_from(BEYOND), help="comma-separated, of " + ", ".join(BEYOND))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows; prints, writes nothing")
    wanted = parser.parse_args()
    parts = wanted.problems, wanted.sections, wanted.paths, wanted.many, wanted.inference, wanted.streams, wanted.beyond
    parts += (wanted.clusters,)
    everything = all(part is None for part in parts)
    wanted.streams = list(STREAMS) if everything else wanted.streams or []
    wanted.beyond = list(BEYOND) if everything else wanted.beyond or []
    wanted.clusters = list(CLUSTERS) if everything else wanted.clusters or []
    wanted.inference = list(INFERENCE) if everything else wanted.inference or []
    wanted.many = list(MANY) if everything else wanted.many or []
    wanted.paths = list(PATHS) if everything else wanted.paths or []
    wanted.problems = list(PROBLEMS) if everything else wanted.problems or []
    wanted.sections = list(SECTIONS) if everything else wanted.sections or []
    wanted.written = wanted.peers == list(PEERS) and not wanted.quick
    return wanted


def chosen_from(known):
    """Return a parser of comma-separated names."""

    def parse(text):
        names = text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is not one of {', '.join(known)}")
        return [name for name in known if name in names]

    return parse


def section(name, quick, *options):
    """Run one of the other measurements in a process of its own, on two cores."""
    command = [sys.executable, str(HERE / f"{name}.py"), *options] + ["--quick"] * quick
    with bound_to(2):
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def reject_baseline(entry):
    """Stop where the scoring accepts coefficients of zero: it would prove nothing."""
    if "failure" not in entry["peers"].get(BASELINE, {"2": {"failure": ""}})["2"]:
        raise AssertionError("The scoring accepts coefficients of zero, so its numbers mean nothing.")


def revision():
    """Return what is measured: the commit, and whether the package differs from it; outside git the version."""

    def git(*command):
        return subprocess.run(["git", *command], cwd=HERE, capture_output=True, text=True).stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--", "../logreg") else ""
    return f"commit {git('rev-parse', '--short', 'HEAD')}{changed}" if git("rev-parse", "HEAD") else version("logreg")


def machine():
    """Return the processor, its cores, and the versions of what is compared."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    packages = ("numpy", "scipy", "numba", "scikit-learn", "scikit-learn-intelex", "glum", "tabmat", "snapml")
    packages += ("liblinear-official", "skglm", "statsmodels", "firthmodels", "dask", "dask-ml")
    versions = ", ".join(f"{name} {installed(name)}" for name in packages)
    processor = model[1] if model else platform.processor()
    return f"{processor}, {len(os.sched_getaffinity(0))} cores; Python {platform.python_version()}, {versions}"


def installed(package):
    """Return the version of a package, or that it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def write(results, wanted):
    """Save what is known so far, so that a run that is cut short leaves what it measured."""
    if wanted:
        order = [name for name in PROBLEMS if name in results["problems"]]
        results["problems"] = {name: results["problems"][name] for name in order}
        RESULTS.write_text(as_json(results))
        report.write(results)


def as_json(results):
    """Return the results with four digits a number and one line a list."""
    rounded = json.loads(json.dumps(results), parse_float=lambda digits: float(f"{float(digits):.4g}"))
    lists = re.compile(r"\[([^][{}]*)\]")
    return lists.sub(lambda match: "[" + " ".join(match[1].split()) + "]", json.dumps(rounded, indent=1)) + "\n"


if __name__ == "__main__":
    main()
