"""What RESULTS.md says of inference."""

from __future__ import annotations

from statistics import median

from many_report import OURS, of_tolerance, order, peer_line

GOALS = {  # the package that is divided by ours; at least, and hoped for
    "summary": ("statsmodels", "statsmodels Logit, fit and summary()", 20, 50),
    "firth5": ("firthmodels", "firthmodels, fit, lrt and profile intervals", 2, 5),
    "firth20": ("firthmodels", "firthmodels, fit, lrt and profile intervals", 2, 5),
    "firth50": ("firthmodels", "firthmodels, fit, lrt and profile intervals", 2, 5),
}
INTRODUCTION = """A fit without a penalty and its table against statsmodels, with two threads; a fit by Firth's likelihood
with the likelihood-ratio tests and profile intervals of all coefficients against firthmodels, compiled by numba, with
one thread. Of the first the clock runs over `fit` and `summary`, of Firth's over our `fit`, which makes the tests and
intervals, and over `fit`, `lrt` and `conf_int` of firthmodels, which has no table; ours would take 3 ms more. An answer
counts when estimates, standard errors and ends of intervals are within 1e-6 standard errors of those of a Newton method
written here; of Firth's likelihood estimates, ends and roots of likelihood-ratio statistics, of those of firthmodels at
a tolerance of 1e-8. Each package runs at its loosest tolerance, by decades from 1e-4, that gets there, ours, and
statsmodels, at the default where that does. Seconds are medians over turns, the minimum in brackets, without imports
and compilation.
"""


def short_lines(rows):
    """Return the lines of the table of ratios."""
    return [line(row) for row in rows]


def line(row):
    """Return one line of that table."""
    peer, label, must, aim = GOALS[row["problem"]]
    what, ours, theirs = f"inference {row['problem']}: {label} / logreg", row["peers"][OURS], row["peers"][peer]
    if "seconds" not in ours or "seconds" not in theirs:
        why = f" (logreg: {ours['failure']})" if "failure" in ours else ""
        return f"| {what} | -{why} | >= {must} | {aim} |"
    value = median(theirs["seconds"]) / median(ours["seconds"])
    return f"| {what} | {value:.2f}{'' if value >= must else ' (missed)'}{of_tolerance(ours)} | >= {must} | {aim} |"


def section(rows):
    """Return the tables of the packages."""
    parts = ["## Inference\n", INTRODUCTION]
    for row in rows:
        table = ["| package | s | tolerance | deviation | fits |", "|---" * 5 + "|"]
        table += [peer_line(peer, row["peers"][peer]) for peer in sorted(row["peers"], key=order(row))]
        about = f"{row['rows']:,} x {row['columns']:,}; {row['note']}.\n"
        parts += [f"### inference {row['problem']}\n", about, *table, ""]
    return "\n".join(parts)
