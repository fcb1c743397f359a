"""The picture of a path: coefficients as the penalty weakens."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from logreg.plots.axes import Display, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from logreg.path import Path

NAMED = 8  # lines that get names, in colours
COLOURS = 10  # in matplotlib's cycle
AXES = {"penalty": "penalty", "l1_norm": r"$\sum_j |w_j|$"}


class PathDisplay(Display):
    """Coefficients of a path against the logarithm of the penalty, or against the sum of their sizes.

    Lines of coefficients that are never used are left out; the largest at the weakest penalty have names. Above, the
    number of coefficients in use.

    Use `from_path` to draw one; the constructor only stores what there is to draw.

    Parameters
    ----------
    penalties : array of shape (m,)
        From the strongest down.
    coefs : array of shape (m, k)
        One column a coefficient that is used.
    names : sequence of str, length k
        What the coefficients are called.
    df : array of int, shape (m,)
        Coefficients in use.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of these axes.

    Examples
    --------
    >>> from logreg import logistic_path
    >>> from logreg.datasets import load_breast_cancer
    >>> from logreg.plots import PathDisplay
    >>> X, y = load_breast_cancer()
    >>> path = logistic_path((X - X.mean()) / X.std(), y, n_penalties=20)
    >>> PathDisplay.from_path(path).ax_.get_ylabel()
    'coefficient'
    """

    def __init__(self, *, penalties: Any, coefs: Any, names: Any, df: Any) -> None:
        self.penalties = penalties
        self.coefs = coefs
        self.names = names
        self.df = df

    @classmethod
    def from_path(cls, path: "Path", *, against: str = "penalty", ax: "Axes | None" = None) -> Self:
        """Draw the path that `logistic_path` returned.

        Parameters
        ----------
        path : Path
        against : {"penalty", "l1_norm"}, default="penalty"
            What the horizontal axis is: the penalty, decreasing, or the sum of the sizes of the coefficients.
        ax : matplotlib Axes, default=None
            Where to draw; None means on a new figure.

        Returns
        -------
        PathDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the axis is not one of these, or no penalty of the path was computed.
        ImportError
            If matplotlib is not installed.
        """
        order = np.argsort(-path.penalties, kind="stable")
        order = order[path.computed[order]]
        if not order.size:
            raise ValueError(
                "No penalty of the path was computed; pass larger penalties (smaller Cs) to logistic_path."
            )
        used = np.unique(path.coefs.indices)
        return cls(
            penalties=path.penalties[order],
            coefs=path.coefs[order][:, used].toarray(),
            names=[str(name) for name in path.feature_names[used]],
            df=path.df[order],
        ).plot(against=against, ax=ax)

    def plot(self, *, against: str = "penalty", ax: "Axes | None" = None) -> Self:
        """Draw the lines, largest last, so that they are on top.

        Parameters
        ----------
        against : {"penalty", "l1_norm"}, default="penalty"
        ax : matplotlib Axes, default=None
            Where to draw; None means on a new figure.

        Returns
        -------
        PathDisplay
            This display.
        """
        if against not in AXES:
            raise ValueError(f"against must be one of {', '.join(AXES)}, got {against!r}.")
        ax = new_axes(ax)
        x = self.penalties if against == "penalty" else np.abs(self.coefs).sum(axis=1)
        by_size = np.argsort(np.abs(self.coefs[-1]), kind="stable") if len(self.coefs) else np.empty(0, dtype=int)
        named = by_size[-NAMED:][::-1].tolist()
        for j in by_size.tolist():
            place = named.index(j) if j in named else None
            style = {"color": "0.7", "linewidth": 0.8} if place is None else {"color": f"C{place % COLOURS}"}
            ax.plot(x, self.coefs[:, j], label=None if place is None else self.names[j], **style)
        ax.axhline(0.0, color="black", linewidth=0.5)
        ax.set(xlabel=AXES[against], ylabel="coefficient")
        if against == "penalty":
            ax.set_xscale("log")
            ax.invert_xaxis()
        if named:
            lines = {line.get_label(): line for line in ax.get_lines()}
            ax.legend([lines[self.names[j]] for j in named], [self.names[j] for j in named], fontsize="small")
        self._count(ax, x)
        return self._drawn_on(ax)

    def _count(self, ax: "Axes", x: Any) -> None:
        """Write the number of coefficients in use above some places of the horizontal axis."""
        above = ax.secondary_xaxis("top")
        shown = np.unique(np.linspace(0, len(x) - 1, 6).round().astype(int))
        above.set_xticks(x[shown], [str(count) for count in self.df[shown]])
        above.minorticks_off()
        above.set_xlabel("coefficients in use")
