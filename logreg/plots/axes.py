"""Axes to draw on; the only place that imports matplotlib."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def new_axes(ax: "Axes | None") -> "Axes":
    """Return the axes to draw on, on a new figure if there are none yet."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError('Drawing needs matplotlib: pip install "logreg[plot]".') from error
    return pyplot.subplots(layout="constrained")[1]
