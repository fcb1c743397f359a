"""What RESULTS.md says of many models at once."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

OURS = "logreg"
LABELS = {
    "newton-cholesky": "scikit-learn newton-cholesky",
    "newton-cg": "scikit-learn newton-cg",
    "lbfgs": "scikit-learn lbfgs",
    "liblinear": "scikit-learn liblinear",
    "sag": "scikit-learn sag",
    "GridSearchCV": "scikit-learn GridSearchCV, newton-cholesky",
    "glum": "glum GeneralizedLinearRegressorCV",
    "statsmodels": "statsmodels Logit newton",
    "one fit": "logreg, one plain fit at the middle C",
}
INTRODUCTION = """Cross-validation of 5 folds x 10 C with the log-loss as score: scikit-learn's `LogisticRegressionCV` with
each of its solvers, `GridSearchCV`, glum. An answer counts when the mean scores of all C agree to 1e-6 with those of
scikit-learn's newton-cholesky at a tolerance of 1e-10, by its formula or by ours: its logs are of rounded
probabilities, so that a row's loss is never more than 36, ours are of scores. The bootstrap by Poisson weights against
a loop of joblib; many outcomes beside one table against a loop of statsmodels and one of joblib with scikit-learn.
These count when the coefficients agree to 1e-4 standard errors with a Newton method written here; of the bootstrap ten
replicates are compared. Each package runs at its loosest tolerance, by decades from 1e-4, that gets there, ours at its
default where that does, and with two processes where it can use them. Seconds are medians, the minimum in brackets,
without imports and compilation. Fits are stopped when they take three times as long as the fastest so far, and 20 s;
those that take more than 1.5 times as long as the fastest are run once.
"""


class Goal(NamedTuple):
    """The seconds of which packages are divided by which, and what is wanted of that: at least or at most, hoped for.

    Of several packages above, the fastest counts; none stands for all that are not ours.
    """

    problem: str
    what: str
    above: tuple[str, ...]
    below: str
    sense: str
    must: float | None
    aim: float | str


GOALS = [
    Goal("folds", "fastest peer / logreg", (), OURS, ">=", 7, 14),
    Goal("folds", "logreg / one plain fit at the middle C", (OURS,), "one fit", "<=", 8, 5),
    Goal("folds-large", "fastest peer / logreg", (), OURS, ">=", 10, 20),
    Goal("folds-small", "scikit-learn LogisticRegressionCV / logreg", (), OURS, ">=", 5, 10),
    Goal("bootstrap", "scikit-learn newton-cholesky in a joblib loop / logreg", (), OURS, ">=", 8, 20),
    Goal("outcomes", "statsmodels Logit / logreg", ("statsmodels",), OURS, ">=", 50, 100),
    Goal("outcomes", "scikit-learn in a joblib loop / logreg", ("newton-cholesky",), OURS, "", None, ""),
]


def short_lines(rows):
    """Return the lines of the table of ratios."""
    return [line(row, goal) for row in rows for goal in GOALS if goal.problem == row["problem"]]


def line(row, goal):
    """Return one line of that table."""
    what = f"many {row['problem']}: {goal.what}"
    below = row["peers"].get(goal.below, {})
    above = [row["peers"].get(peer, {}) for peer in goal.above or others(row)]
    taken = [median(found["seconds"]) for found in above if "seconds" in found]
    if "seconds" not in below or not taken:
        why = row["peers"].get(OURS, {}).get("failure", "")
        return f"| {what} | -{f' (logreg: {why})' if why else ''} | {wanted(goal)} | {goal.aim} |"
    value = min(taken) / median(below["seconds"])
    met = goal.must is None or (value >= goal.must if goal.sense == ">=" else value <= goal.must)
    said = f"{value:.2f}{'' if met else ' (missed)'}{of_tolerance(row['peers'][OURS])}"
    return f"| {what} | {said} | {wanted(goal)} | {goal.aim} |"


def of_tolerance(found):
    """Return what has to be said where our default is not accurate enough."""
    if "by_default" not in found:
        return ""
    return f" (logreg at tol {found['tol']:.0e}: its default deviates by {found['by_default']:.0e})"


def wanted(goal):
    """Return what is wanted of a ratio."""
    return "" if goal.must is None else f"{goal.sense} {goal.must:g}"


def others(row):
    """Return the packages that are not ours."""
    return [peer for peer in row["peers"] if peer not in (OURS, "one fit")]


def section(rows):
    """Return the tables of the packages."""
    parts = ["## Many models at once\n", INTRODUCTION]
    for row in rows:
        table = ["| package | s | tolerance | deviation | fits |", "|---" * 5 + "|"]
        table += [peer_line(peer, row["peers"][peer]) for peer in sorted(row["peers"], key=order(row))]
        parts += [f"### many {row['problem']}\n", f"{row['rows']:,} x {row['columns']:,}; {row['note']}.\n", *table, ""]
    return "\n".join(parts)


def order(row):
    """Return a key that puts the fastest first, and those without seconds last."""
    return lambda peer: median(row["peers"][peer].get("seconds", [float("inf")]))


def peer_line(peer, found):
    """Return the line of one package."""
    label = LABELS.get(peer, peer)
    cells = [f"**{label}**" if peer == OURS else label]
    deviation = f"{found['deviation']:.0e}" if "deviation" in found else ""
    if "seconds" in found:
        tolerance = "default" if found["tol"] is None else f"{found['tol']:.0e}"
        cells += [f"{median(found['seconds']):#.3g} ({min(found['seconds']):#.3g})", tolerance, deviation]
        cells += [str(len(found["seconds"]))]
    else:
        took = f", took {found['took']:#.3g} s" if "took" in found else ""
        cells += [found["failure"] + took, "", deviation, ""]
    return "| " + " | ".join(cells) + " |"
