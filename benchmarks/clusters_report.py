"""What RESULTS.md says of fits on a cluster."""

from __future__ import annotations

from clusters import COLUMNS, GAP, PARTITIONS, ROWS

MUST, AIM = 2.0, 1.3  # times as long as in memory
FASTER, HOPED = 10.0, 50.0  # than dask-ml
TASKS_A_WORKER = 3  # and pass
INTRODUCTION = f"""Fits of {ROWS:,} simulated rows of {COLUMNS} float64 columns in {PARTITIONS} partitions, which the
worker processes of a Dask LocalCluster hold before anything is timed, beside fits of the same rows in memory by two
threads. Seconds are medians of five fits; of dask-ml those of one fit, at the first tolerance at which a solver is
within {GAP:g} of the minimum, relative to it.
"""


def peer_seconds(row):
    """Return the seconds of the fastest solver of dask-ml that comes near enough to the minimum, None if none does."""
    near = [peer["seconds"] for peer in row["peers"] if peer.get("gap", 1.0) <= GAP]
    return min(near, default=None)


def short_lines(rows):
    """Return the lines of the table of ratios."""
    lines = []
    for row in rows:
        times, tasks = row["seconds"] / row["in_memory"], row["tasks"] / row["workers"]
        missed = " (missed)" if times > MUST else ""
        lines.append(f"| {row['problem']} / in memory | {times:.2f}{missed} | <= {MUST:g} | {AIM:g} |")
        seconds = peer_seconds(row)
        faster = "none arrives" if seconds is None else f"{seconds / row['seconds']:.1f}"
        missed = " (missed)" if seconds is not None and seconds < FASTER * row["seconds"] else ""
        lines.append(f"| {row['problem']}: dask-ml / logreg | {faster}{missed} | >= {FASTER:g} | {HOPED:g} |")
        missed = " (missed)" if tasks > TASKS_A_WORKER else ""
        lines.append(f"| {row['problem']}: tasks a worker and pass | {tasks:g}{missed} | <= {TASKS_A_WORKER} | 1 |")
    return lines


def section(rows):
    """Return the tables of fits on a cluster, and of dask-ml on the same."""
    header = "| cluster | workers | s | in memory, s | passes | in memory | tasks a pass | gap | difference |"
    lines = ["## On a cluster\n", INTRODUCTION, header, "|---" * 9 + "|"]
    for row in rows:
        times = f"{row['seconds']:#.3g} | {row['in_memory']:#.3g} | {row['passes'][0]} | {row['passes'][1]}"
        ends = f"{row['tasks']} | {row['gap']:.1g} | {row['difference']:.1g}"
        lines.append(f"| {row['problem']} | {row['workers']} | {times} | {ends} |")
    lines += ["", "| dask-ml's solver | tolerance | s | gap | |", "|---" * 5 + "|"]
    for peer in (peer for row in rows for peer in row["peers"]):
        measured = f"{peer['tol']:g} | {peer['seconds']:#.3g} | {peer['gap']:.1g}" if "gap" in peer else "| |"
        lines.append(f"| {peer['solver']} | {measured} | {peer.get('failure', '')} |")
    return "\n".join([*lines, ""])
