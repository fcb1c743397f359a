"""Axes to draw on, and what every display keeps of them; the only place that imports matplotlib."""

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


class Display:
    """What has been drawn: ``ax_``, the axes, and ``figure_``, their figure."""

    ax_: "Axes"
    figure_: "Figure | SubFigure"

    def _drawn_on(self, ax: "Axes") -> Self:
        self.ax_, self.figure_ = ax, ax.figure
        return self


def new_axes(ax: "Axes | None") -> "Axes":
    """Return the axes to draw on, on a new figure if there are none yet."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError('Drawing needs matplotlib: pip install "logreg[plot]".') from error
    return pyplot.subplots(layout="constrained")[1]
