"""The picture of an S-curve and its derivative."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from logreg.plots.axes import Display, new_axes
from logreg.sigmoid import SCurve, arctan, logistic, tanh

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class SigmoidDisplay(Display):
    """An S-curve s(x) and its derivative s'(x), the derivative computed from the value alone.

    Use `from_curve` to compute and draw one; the constructor only stores what there is to draw.

    Parameters
    ----------
    x : array of shape (n_points,)
        Where the curve is drawn.
    value : array of shape (n_points,)
        The curve at x.
    derivative : array of shape (n_points,)
        Its derivative at x.
    range : tuple of float
        The limits (low, high) of the curve.
    name : str
        What the legend calls the curve.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of these axes.

    Examples
    --------
    >>> from logreg.plots import SigmoidDisplay
    >>> display = SigmoidDisplay.from_curve("tanh")
    >>> display.ax_.get_xlim()
    (np.float64(-10.0), np.float64(10.0))
    """

    def __init__(self, *, x: Any, value: Any, derivative: Any, range: tuple[float, float], name: str) -> None:
        self.x = x
        self.value = value
        self.derivative = derivative
        self.range = range
        self.name = name

    @classmethod
    def from_curve(cls, curve: SCurve | str = "logistic", *, ax: "Axes | None" = None) -> Self:
        """Compute an S-curve and its derivative over [-10, 10] and draw them.

        Parameters
        ----------
        curve : SCurve or {"logistic", "tanh", "arctan"}, default "logistic"
            The curve, or its name.
        ax : matplotlib Axes, optional
            Where to draw; on a new figure by default.

        Returns
        -------
        SigmoidDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If no curve has this name.
        ImportError
            If matplotlib is not installed.
        """
        if isinstance(curve, str):
            curves = {known.name: known for known in (logistic, tanh, arctan)}
            if curve not in curves:
                raise ValueError(f"There is no S-curve named {curve!r}: choose one of {', '.join(curves)}.")
            curve = curves[curve]
        x = np.linspace(-10.0, 10.0, 801)
        value = curve(x)
        derivative = curve.derivative(value)
        return cls(x=x, value=value, derivative=derivative, range=curve.range, name=curve.name).plot(ax=ax)

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Draw the curve in black, its derivative in red, its limits in grey, on axes through the origin.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; on a new figure by default.

        Returns
        -------
        SigmoidDisplay
            The display itself, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(ax)
        low, high = self.range
        for limit in self.range:
            ax.axhline(limit, color="0.7", linewidth=1.0, linestyle=":", zorder=0)
        ax.plot(self.x, self.value, color="black", linewidth=2.0, label=self.name)
        ax.plot(self.x, self.derivative, color="red", linewidth=1.5, linestyle="--", label="its derivative")
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_position("zero")
        # The axes cross inside the picture, where more ticks, or one at the origin, would cover the curves.
        ax.set_xticks([tick for tick in np.linspace(self.x[0], self.x[-1], 5) if tick != 0.0])
        ax.set_yticks([tick for tick in (low, (low + high) / 2, high) if tick != 0.0])
        ax.xaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_major_formatter("{x:.3g}")
        ax.set_xlim(self.x[0], self.x[-1])
        ax.set_xlabel("x", loc="right")
        ax.legend(loc="upper left", bbox_to_anchor=(0.0, 0.92), frameon=False)
        return self._drawn_on(ax)
