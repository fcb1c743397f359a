"""What RESULTS.md says of paths."""

from __future__ import annotations

from statistics import median

OURS = "logreg"
GOALS = {  # of the ratio at matched accuracy: at least, hoped for; at the others' defaults: at least
    "dense": (2.5, 5, 1.2),
    "speech": (2.5, 6, 1.2),
    "golub": (2.5, 6, 1.2),
    "text": (1.4, 2, 1.2),
    "spam": (1.4, 2, 1.2),
    "adult": (1.0, 2, 1.0),
    "tall": (5, 10, 3),
    "census": (3, 6, None),
}
OF_OTHERS = 1.2, 2, None  # of elastic nets, and of single penalties
INTRODUCTION = """Lasso and elastic net under a list of penalties from the one that zeroes the model down, and one penalty
alone. "Matched" is each package at its loosest tolerance, by decades, at which no optimality condition is violated by
more than a millionth of that largest penalty, at any penalty; "default" is each package as it comes, ours at a
ten-thousandth, with the violation that it leaves. Seconds are medians, with 2 threads, without imports and compilation.
Fits are stopped when they take ten times as long as the fastest so far, and 20 s.
"""


def title(row):
    """Return what a row is called."""
    kind = "lasso" if row["l1_ratio"] == 1.0 else f"l1_ratio {row['l1_ratio']:g}"
    return f"path {row['problem']}, {'a single penalty' if row['single'] else kind}"


def seconds(found):
    """Return the median seconds, or None."""
    return median(found["seconds"]) if "seconds" in found else None


def speed_up(row, at):
    """Return how many times as long as ours the fastest other package takes, and whether it is known to take longer."""
    ours = seconds(row[at][OURS])
    taken, least = [], []
    for peer, found in row[at].items():
        if peer != OURS and not (row["single"] and peer == "glmnet"):
            taken += [] if seconds(found) is None else [seconds(found)]
            least += [found["longer_than"]] if "longer_than" in found else []
    if ours is None or not (taken or least):
        return None, False
    return min(taken or least) / ours, not taken


def short_lines(rows):
    """Return the lines of the table of ratios."""
    lines = []
    for row in rows:
        if "skipped" in row:
            lines.append(f"| path {row['problem']} | skipped: {row['skipped']} | | |")
            continue
        must, aim, by_default = GOALS[row["problem"]] if row["l1_ratio"] == 1.0 and not row["single"] else OF_OTHERS
        lines.append(line(f"{title(row)}: fastest peer / logreg, matched", *speed_up(row, "matched"), must, aim))
        lines.append(line(f"{title(row)}: fastest peer / logreg, default", *speed_up(row, "default"), by_default, ""))
    return lines


def line(what, value, is_least, must, aim):
    """Return one line of that table."""
    if value is None:
        return f"| {what} | - | | |"
    missed = " (missed)" if must is not None and value < must else ""
    return f"| {what} | {'> ' * is_least}{value:.2f}{missed} | {'' if must is None else f'>= {must:g}'} | {aim} |"


def section(rows):
    """Return the tables of the packages."""
    parts = ["## Paths of lasso and elastic net\n", INTRODUCTION]
    for row in rows:
        if "skipped" in row:
            continue
        count = "one penalty" if row["single"] else f"{row['penalties']} penalties"
        about = f"{row['rows']:,} x {row['columns']:,}, {count}; {row['note']}. {row['versions']}."
        table = ["| package | matched, s | tolerance | violation | default, s | violation |", "|---" * 6 + "|"]
        order = sorted(row["matched"], key=lambda peer: seconds(row["matched"][peer]) or float("inf"))
        table += [peer_line(peer, row) for peer in order]
        parts += [f"### {title(row)}\n", about + "\n", *table, ""]
    return "\n".join(parts)


def peer_line(peer, row):
    """Return the line of one package."""
    matched, default = row["matched"][peer], row["default"][peer]
    cells = [f"**{peer}**" if peer == OURS else peer]
    if "seconds" in matched:
        cells += [f"{seconds(matched):#.3g}", f"{matched['tol']:.0e}", f"{matched['violation']:.0e}"]
    else:
        cells += [matched["failure"], "", f"{matched['violation']:.0e}" if "violation" in matched else ""]
    if "seconds" in default:
        cells += [f"{seconds(default):#.3g}", f"{default['violation']:.0e}"]
    else:
        cells += [default["failure"], ""]
    return "| " + " | ".join(cells) + " |"
