"""Write RESULTS.md and results.png from results.json; `python benchmarks/report.py` does it again without measuring."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

import beyond_report
import chart
import clusters_report
import inference_report
import many_report
import path_report
import streams_report
from peers import BASELINE, OURS, PEERS

HERE = Path(__file__).parent
GOALS = {  # what is wanted of each ratio: at least, or at most, and hoped for
    "tall": (">=", 5, 12),
    "tall-raw": (">=", 5, 12),
    "tall-f32": (">=", 5, 12),
    "mid": (">=", 4, 10),
    "square": (">=", 4, 10),
    "square-C100": (">=", 4, 10),
    "flights": (">=", 5, 12),
    "census": (">=", 5, 12),
    "small": (">=", 3, 6),
    "small-raw": (">=", 3, 6),
    "text": (">=", 3, 6),
    "text-C100": (">=", 3, 6),
    "text-no-intercept": (">=", 3, 6),
    "text-C100-no-intercept": (">=", 3, 6),
    "spam": (">=", 1.2, 2),
    "spam-no-intercept": (">=", 1.2, 2),
    "movies": (">=", 1.2, 2),
    "movies-no-intercept": (">=", 1.2, 2),
    "flights-onehot": (">=", 1.2, 3),
    "flights-onehot-no-intercept": (">=", 1.2, 3),
    "flights-codes": (">=", 4, 10),
    "census-codes": (">=", 4, 10),
    "wide": (">=", 1.2, 2),
    "wide-no-intercept": (">=", 1.2, 2),
    "first fit": ("<=", 6, 3),
    "pass": ("<=", 1.5, 1.2),
    "narrow pass": ("<=", 1.6, 1.2),
    "predict_proba": (">=", 2, 4),
    "large predict_proba": (">=", 2, 3),
    "GridSearchCV": (">=", 3, 6),
    "memory": ("<=", 1.15, 1.05),
    "sparse memory": ("<=", 1.3, 1.1),
}
HEADER = """# Benchmark results

Written by `make bench`; benchmarks/README.md says how everything is measured. Times are seconds of `fit`, from X and y
in memory to an answer whose relative objective gap (F - F*) / (F(0) - F*) is at most 1e-8; conversions count, imports
do not. Every package runs at the loosest tolerance of 1e-1 ... 1e-12 that gets there.
"""
COLUMNS = "| package | 2 threads, s | / fastest peer | 1 thread, s | / fastest peer | first fit, s | memory | tol | gap | fits |"
LEGEND = """Seconds are the median of the repetitions, the minimum in brackets. "/ fastest peer" divides the medians by
that of the fastest other package. "First fit" is the first in a new process, with 2 threads; "memory" is the peak
memory during it over the size of X, X included, with whatever the fit had to load or to compile. "Tol" and "gap" are
those with 2 threads, the gap the worst of all repetitions; "fits" says how many were clocked, with 2 threads and with
1. Fits that take long are stopped, and left out where they cannot be the fastest; benchmarks/README.md has the rules."""


def text(results):
    """Return the page as Markdown."""
    remarks = HERE / "remarks.md"
    parts = [HEADER, provenance(results), "## In short\n", in_short(results), "![Seconds to the gap](results.png)\n"]
    parts += ["## Fits\n", LEGEND + "\n"]
    parts += [problem_section(name, entry) for name, entry in results["problems"].items()]
    if "paths" in results:
        parts.append(path_report.section(results["paths"]["rows"]))
    if "many" in results:
        parts.append(many_report.section(results["many"]["rows"]))
    if "inference" in results:
        parts.append(inference_report.section(results["inference"]["rows"]))
    if "streams" in results:
        parts.append(streams_report.section(results["streams"]["rows"]))
    if "beyond_memory" in results:
        parts.append(beyond_report.section(results["beyond_memory"]["rows"]))
    if "clusters" in results:
        parts.append(clusters_report.section(results["clusters"]["rows"]))
    parts += [other_section(name, results[name]["rows"]) for name in TITLES if name in results]
    return "\n".join(parts) + ("\n" + remarks.read_text() if remarks.exists() else "")


def write(results):
    """Write RESULTS.md and results.png."""
    (HERE / "RESULTS.md").write_text(text(results))
    chart.draw(results["problems"], HERE / "results.png")


def provenance(results):
    """Say when, of which commit and on which machine each part was measured."""
    others = *TITLES, "paths", "many", "inference", "streams", "beyond_memory", "clusters"
    parts = results["problems"] | {name: results[name] for name in others if name in results}
    measured = {}
    for name, part in parts.items():
        measured.setdefault((part["date"], part["revision"], part["machine"]), []).append(name)
    lines = []
    for (date, revision, machine), names in measured.items():
        lines.append(f"{', '.join(names)}: {date}, logreg at {revision}; {machine}.\n")
    return "\n".join(lines)


def in_short(results):
    """Return the table of ratios beside what is wanted of them."""
    lines = ["| what | measured | wanted | hoped for |", "|---|---|---|---|"]

    def line(what, value, goal, shown="{:.2f}"):
        sense, must, aim = GOALS[goal]
        met = value is not None and (value >= must if sense == ">=" else value <= must)
        measured = "-" if value is None else shown.format(value)
        lines.append(f"| {what} | {measured}{'' if met else ' (missed)'} | {sense} {must} | {aim} |")

    for name, entry in results["problems"].items():
        if "skipped" in entry:
            lines.append(f"| {name} | skipped: {entry['skipped']} | | |")
            continue
        only = "scikit-learn " if name.startswith("small") else ""
        what = f"{name}: fastest {'scikit-learn solver' if only else 'peer'} / logreg"
        line(what + ", 2 threads", speed_up(entry, "2", only), name)
        lines.append(f"| {what}, 1 thread | {ratio_text(speed_up(entry, '1', only))} | | |")
        if name == "tall" and OURS in entry["peers"]:
            line("tall: first fit, JIT cache empty, s", entry["peers"][OURS].get("first_without_cache"), "first fit")
    lines += path_report.short_lines(rows_of(results, "paths"))
    lines += many_report.short_lines(rows_of(results, "many"))
    lines += inference_report.short_lines(rows_of(results, "inference"))
    lines += streams_report.short_lines(rows_of(results, "streams"))
    lines += beyond_report.short_lines(rows_of(results, "beyond_memory"))
    lines += clusters_report.short_lines(rows_of(results, "clusters"))
    for row in rows_of(results, "passes"):
        narrow = row["what"].endswith("x 20")
        line(f"pass / product, {row['what']}", ratio(row, "pass", "product"), "narrow pass" if narrow else "pass")
    for row in rows_of(results, "latency"):
        name = row["what"].split("(")[0].split(",")[0]
        if name in GOALS:
            goal = "large predict_proba" if "000" in row["what"] and name == "predict_proba" else name
            line(f"{row['what']}: scikit-learn / logreg", ratio(row, "scikit-learn", "logreg"), goal)
    for row in rows_of(results, "memory"):
        goal = "memory" if "order" in row["what"] else "sparse memory"
        line(f"memory / X, {row['what']}", 1.0 + row["added"] / row["bytes"], goal, "{:.3f}")
    return "\n".join(lines) + "\n"


def rows_of(results, name):
    """Return the rows of a section, none where it was not measured."""
    return results.get(name, {"rows": []})["rows"]


def ratio(row, above, below):
    """Return the ratio of two medians."""
    return median(row[above]) / median(row[below])


def ratio_text(value):
    """Show a ratio, or that there is none."""
    return "-" if value is None else f"{value:.2f}"


def scored(entry, threads):
    """Return the median seconds of the peers that reached the gap."""
    found = {peer: measured.get(threads, {}) for peer, measured in entry["peers"].items()}
    return {peer: median(values["seconds"]) for peer, values in found.items() if "seconds" in values}


def fastest_peer(entry, threads, only=""):
    """Return the median seconds of the fastest peer whose label starts so, None if there is none."""
    seconds = scored(entry, threads)
    others = [s for peer, s in seconds.items() if peer not in (OURS, BASELINE) and PEERS[peer].label.startswith(only)]
    return min(others, default=None)


def speed_up(entry, threads, only=""):
    """Return how many times as long as ours the fastest peer takes, None where one of them is missing."""
    ours, fastest = scored(entry, threads).get(OURS), fastest_peer(entry, threads, only)
    return None if ours is None or fastest is None else fastest / ours


def problem_section(name, entry):
    """Return the table of one problem."""
    if "skipped" in entry:
        return f"### {name}\n\nSkipped: {entry['skipped']}\n"
    about = (
        f"{entry['rows']:,} x {entry['columns']:,} {entry['dtype']}, C = {entry['C']:g}, "
        f"{100 * entry['positives']:.1f} % positives; {entry['note']}."
    )
    order = sorted(entry["peers"], key=lambda peer: scored(entry, "2").get(peer, float("inf")))
    lines = [peer_line(peer, entry) for peer in order]
    return "\n".join([f"### {name}\n", about + "\n", COLUMNS, "|---" * 10 + "|", *lines, ""])


def peer_line(peer, entry):
    """Return one row of the table of a problem."""
    measured, label = entry["peers"][peer], PEERS[peer].label
    label = f"**{label}**" if peer == OURS else label
    two = measured["2"]
    if "failure" in two:
        said = two["failure"]
        if "nearest_gap" in two:
            near = (
                f"nearest {two['nearest_gap']:.0e} at tol 1e-{two['nearest_digits']}, {short(two['nearest_seconds'])} s"
            )
            said += f"; {near}"
        return f"| {label} | {said} " + "| " * 8 + "|"
    cells = [label]
    for threads in "2", "1":
        values = measured[threads]
        if "failure" in values:
            cells += [values["failure"], ""]
            continue
        fastest = fastest_peer(entry, threads)
        seconds = values["seconds"]
        cells.append(f"{short(median(seconds))} ({short(min(seconds))})")
        cells.append("-" if fastest is None else f"{median(seconds) / fastest:.2f}")
    first = short(measured["first"]) if "first" in measured else "-"
    if "first_without_cache" in measured:
        first += f"; JIT cache empty {short(measured['first_without_cache'])}"
    size = entry.get("bytes") or entry["rows"] * entry["columns"] * (4 if entry["dtype"] == "float32" else 8)
    memory = f"{1 + measured['added_bytes'] / size:.2f}" if "added_bytes" in measured else "-"
    tolerance = f"1e-{two['digits']}" + (", on a float64 copy" if two["as_float64"] else "")
    fits = f"{len(two['seconds'])} + {len(measured['1'].get('seconds', []))}"
    return "| " + " | ".join([*cells, first, memory, tolerance, f"{two['gap']:.0e}", fits]) + " |"


def short(seconds):
    """Show seconds or milliseconds with three digits."""
    return f"{seconds:#.3g}".rstrip(".") if seconds < 1000 else f"{seconds:.0f}"


TITLES = {  # of the other sections; ratios of which columns they show
    "passes": ("One pass: loss and gradient, against the bare product `X @ w`", [("pass", "product")]),
    "latency": ("Predictions, a grid search, the import", [("scikit-learn", "logreg")]),
    "memory": ("Peak memory of a fit, process warm", []),
    "sigmoid": ("The sigmoid", [("textbook", "logreg"), ("expit", "logreg")]),
}


def other_section(name, rows):
    """Return the table of passes, predictions, memory or the sigmoid."""
    title, ratios = TITLES[name]
    if name == "memory":
        header = ["X", "size, MB", "added by the fit, MB", "(X + added) / X"]
        table = [
            [f"{row['bytes'] / 1e6:.0f}", f"{row['added'] / 1e6:.1f}", f"{1 + row['added'] / row['bytes']:.3f}"]
            for row in rows
        ]
    else:
        functions = [key for key in rows[0] if key != "what"]
        header = ["what", *(f"{key}, ms" for key in functions), *(f"{above} / {below}" for above, below in ratios)]
        table = [
            [f"{short(1e3 * median(row[key]))} ({short(1e3 * min(row[key]))})" for key in functions]
            + [f"{ratio(row, above, below):.2f}" for above, below in ratios]
            for row in rows
        ]
    lines = [f"| {row['what']} | {' | '.join(cells)} |" for row, cells in zip(rows, table, strict=True)]
    return "\n".join([f"## {title}\n", f"| {' | '.join(header)} |", "|---" * len(header) + "|", *lines, ""])


if __name__ == "__main__":
    write(json.loads((HERE / "results.json").read_text()))
