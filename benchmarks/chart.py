"""The bar chart of the results: seconds to the gap with two threads, one panel a problem."""

from __future__ import annotations

from statistics import median

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import NullFormatter
from peers import BASELINE, OURS, PEERS

WIDE = 3  # panels side by side


def draw(problems, path):
    """Save the chart; a peer that does not reach the gap is named without a bar."""
    shown = {name: entry for name, entry in problems.items() if "skipped" not in entry}
    if not shown:
        return
    tall = -(-len(shown) // WIDE)
    figure, panels = plt.subplots(tall, WIDE, figsize=(5 * WIDE, 2.9 * tall), squeeze=False, layout="constrained")
    for panel, (name, entry) in zip(panels.flat, shown.items(), strict=False):
        draw_problem(panel, name, entry)
    for panel in panels.flat[len(shown) :]:
        panel.set_axis_off()
    figure.suptitle("Seconds of fit to a relative objective gap of 1e-8, two threads (log scale)")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def draw_problem(panel, name, entry):
    """Draw the bars of one problem, the fastest on top."""
    peers = [peer for peer in entry["peers"] if peer != BASELINE]
    seconds = {peer: entry["peers"][peer]["2"].get("seconds") for peer in peers}
    peers.sort(key=lambda peer: -median(seconds[peer]) if seconds[peer] else float("-inf"))
    least = min((min(values) for values in seconds.values() if values), default=1.0)
    for place, peer in enumerate(peers):
        if seconds[peer]:
            panel.barh(place, median(seconds[peer]), color="C1" if peer == OURS else "C0")
        else:
            panel.text(least / 2, place, " gap not reached", va="center", fontsize=7, color="gray")
    panel.set_yticks(range(len(peers)), [PEERS[peer].label for peer in peers], fontsize=7)
    panel.set_xscale("log")
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_ylim(-0.7, len(peers) - 0.3)
    panel.set_xlim(left=least / 2)
    panel.set_title(f"{name}: {entry['rows']:,} x {entry['columns']:,} {entry['dtype']}", fontsize=9)
