"""What RESULTS.md says of streams."""

from __future__ import annotations

from statistics import median

OURS, OTHER = "logreg", "SGDClassifier"
MUST, AIM = 0.25, 0.05  # standard errors
INTRODUCTION = """`partial_fit` on 100 batches of 1,000 shuffled rows, each seen once, C = 1: how far the coefficients are in
the end from a fit of all rows, in standard errors, the farthest of them and the root of the mean square. SGDClassifier
(log-loss) gets columns that are standardised by all rows ahead of the stream, is held to the fit of these, and shown at
the setting that ends nearest of 138: learning rates constant, falling and "optimal", eta0 from 1e-4 to 10, with and
without averaging, three penalties. Seconds are those of the whole stream, a median of ours, one run of its best setting.
"""


def short_lines(rows):
    """Return the lines of the table of ratios."""
    lines = []
    for row in rows:
        ours, other = (row["peers"][peer]["farthest"] for peer in (OURS, OTHER))
        what, missed = f"stream {row['problem']}", " (missed)" if ours > MUST else ""
        lines.append(f"| {what}: farthest coefficient, standard errors | {ours:.3f}{missed} | <= {MUST} | {AIM} |")
        lines.append(f"| {what}: SGDClassifier at its best / logreg | {other / ours:.1f} | > 1 | |")
    return lines


def section(rows):
    """Return the table of streams."""
    header = "| stream | rows x columns | positives | package | farthest | mean square | s | setting |"
    lines = ["## Streams\n", INTRODUCTION, header, "|---" * 8 + "|"]
    for row in rows:
        about = f"{row['problem']} | {row['rows']:,} x {row['columns']} | {100 * row['positives']:.1f} %"
        for peer in (OURS, OTHER):
            found = row["peers"][peer]
            label = f"**{peer}**" if peer == OURS else f"scikit-learn {peer}"
            numbers = f"{found['farthest']:.3f} | {found['mean']:.3f} | {median(found['seconds']):#.3g}"
            lines.append(f"| {about} | {label} | {numbers} | {found.get('setting', '')} |")
    return "\n".join([*lines, "", *(f"- {row['problem']}: {row['note']}." for row in rows), ""])
