"""What RESULTS.md says of rows on disk."""

from __future__ import annotations

MUST, AIM = 3.0, 2.0  # times as long as in memory
MOST, HOPED = 0.5e9, 0.3e9  # bytes
INTRODUCTION = """Fits of 5,000,000 simulated rows of 20 float32 columns in Parquet, row groups of 250,000, with the file in
the page cache, beside fits of the same rows in memory: in the frame that pandas reads from the file, and in an array by
row, the order that our kernels like best. "Parquet" is written as Arrow does by default, "plain parquet" without
dictionaries and compression. Seconds are medians of five fits; the peak is the resident memory of a process that
imports the package, compiles or loads its kernels and fits once.
"""


def short_lines(rows):
    """Return the lines of the table of ratios."""
    lines = []
    for row in rows:
        for storage, seconds in row["in_memory"].items():
            times = row["seconds"] / seconds
            missed = " (missed)" if times > MUST else ""
            lines.append(f"| {row['problem']} / {storage} in memory | {times:.2f}{missed} | <= {MUST:g} | {AIM:g} |")
        missed = " (missed)" if row["peak"] > MOST else ""
        memory = f"{row['peak'] / 1e9:.2f}{missed} | <= {MOST / 1e9:g} | {HOPED / 1e9:g}"
        lines.append(f"| {row['problem']}: peak memory, GB | {memory} |")
    return lines


def section(rows):
    """Return the table of rows on disk."""
    header = "| file | GB | s | frame in memory, s | array in memory, s | passes | in memory | peak, GB | difference |"
    lines = ["## Beyond memory\n", INTRODUCTION, header, "|---" * 9 + "|"]
    for row in rows:
        times = " | ".join(f"{seconds:#.3g}" for seconds in (row["seconds"], *row["in_memory"].values()))
        passes = " | ".join(map(str, row["passes"]))
        about = f"{row['problem']} | {row['file'] / 1e9:.2f} | {times} | {passes}"
        lines.append(f"| {about} | {row['peak'] / 1e9:.2f} | {row['difference']:.1g} |")
    return "\n".join([*lines, ""])
