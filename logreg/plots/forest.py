"""The picture of a table of estimates: a point and an interval for each term."""

from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import pandas as pd

from logreg.loss import Array
from logreg.plots.axes import Display, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from logreg.inference.summary import Summary

COLUMNS = ["term", "estimate", "conf_low", "conf_high"]
COLOUR = "tab:blue"
MARGIN = 0.06  # of the axis, between what is drawn and either edge
FARTHEST = 300.0  # edge of an axis of odds ratios, as a power of 10
LABELS = 8  # that an axis of odds ratios has room for
TO_THE_LEFT, TO_THE_RIGHT = 4, 5  # matplotlib's markers of arrows whose tip is at the point
ROW, FRAME = 0.32, 1.0  # heights in inches of a row, and of what surrounds them


class ForestDisplay(Display):
    """Estimates and their intervals, a row a term, from the first at the top down; a line where there is no effect.

    Odds ratios have a logarithmic axis and the line at 1, other estimates the line at 0. An interval without an end is
    an arrow to the edge; an infinite estimate has no point. The intercept and terms without an estimate are left out.

    Use `from_summary` to draw one; the constructor only stores what there is to draw.

    Parameters
    ----------
    terms : sequence of str, length k
    estimates, conf_low, conf_high : array of shape (k,)
        The points, and the ends of their intervals.
    odds : bool, default=False
        Whether these are odds ratios.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of these axes.

    Examples
    --------
    >>> from logreg import LogisticRegression
    >>> from logreg.datasets import load_anes96
    >>> from logreg.plots import ForestDisplay
    >>> clf = LogisticRegression(penalty=None).fit(*load_anes96())
    >>> display = ForestDisplay.from_summary(clf.summary(exponentiate=True), odds=True)
    >>> display.ax_.get_xlabel(), display.terms[:3]
    ('odds ratio', ['popul', 'TVnews', 'selfLR'])
    """

    def __init__(self, *, terms: Any, estimates: Any, conf_low: Any, conf_high: Any, odds: bool = False) -> None:
        self.terms = terms
        self.estimates = estimates
        self.conf_low = conf_low
        self.conf_high = conf_high
        self.odds = odds

    @classmethod
    def from_summary(cls, summary: "Summary | pd.DataFrame", *, odds: bool = False, ax: "Axes | None" = None) -> Self:
        """Draw a table of estimates with intervals.

        Parameters
        ----------
        summary : Summary or DataFrame
            What ``summary``, ``conf_int`` or ``marginal_effects`` of an estimator returned, or another table that has
            the columns ``term, estimate, conf_low, conf_high``. It is drawn as it is.
        odds : bool, default=False
            Whether estimates and intervals are odds ratios, as of ``summary(exponentiate=True)``.
        ax : matplotlib Axes, default=None
            Where to draw; None means on a new figure, as high as the rows need.

        Returns
        -------
        ForestDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the table lacks one of the columns, or has odds ratios below 0.
        ImportError
            If matplotlib is not installed.
        """
        table = summary if isinstance(summary, pd.DataFrame) else summary.frame
        missing = [name for name in COLUMNS if name not in table.columns]
        if missing:
            raise ValueError(f"The table has no column {missing[0]!r}; pass one with {', '.join(COLUMNS)}.")
        numbers = table[COLUMNS[1:]].to_numpy(dtype=float)
        if odds and (numbers < 0.0).any():
            raise ValueError("Odds ratios are not negative; pass exponentiated estimates, or odds=False.")
        drawn = (table["term"] != "intercept").to_numpy() & ~np.isnan(numbers[:, 0])
        estimates, low, high = numbers[drawn].T
        terms = [str(term) for term in table["term"][drawn]]
        return cls(terms=terms, estimates=estimates, conf_low=low, conf_high=high, odds=odds).plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None means on a new figure, as high as the rows need.

        Returns
        -------
        ForestDisplay
            This display.
        """
        rows, is_new, ax = np.arange(len(self.terms)), ax is None, new_axes(ax)
        if is_new:
            cast("Figure", ax.figure).set_figheight(FRAME + ROW * max(len(rows), 2))
        numbers = np.array([self.estimates, self.conf_low, self.conf_high], dtype=float)
        with np.errstate(divide="ignore"):
            along = np.log10(numbers) if self.odds else numbers
        left, right = np.clip(edges(along), -FARTHEST, FARTHEST) if self.odds else edges(along)
        points, low, high = self._places(np.clip(along, left, right))
        ax.axvline(self._places(0.0), color="0.6", linewidth=0.8, zorder=0.5)
        ax.hlines(rows, low, high, color=COLOUR, linewidth=1.5)
        known = np.isfinite(along[0])
        ax.plot(points[known], rows[known], "o", color=COLOUR, markersize=5)
        for edge, infinity, marker in ((left, -np.inf, TO_THE_LEFT), (right, np.inf, TO_THE_RIGHT)):
            endless = rows[(along == infinity).any(axis=0)]
            ax.plot(np.full(len(endless), self._places(edge)), endless, marker=marker, linestyle="", color=COLOUR)
        ax.set(xlim=self._places(np.array([left, right])), ylim=(len(rows) - 0.4, -0.6))
        ax.set_yticks(rows, self.terms)
        ax.set_xlabel("odds ratio" if self.odds else "estimate")
        if self.odds:
            ticks = odds_ticks(left, right, ax.get_xticks())
            ax.set_xscale("log")
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.minorticks_off()
        return self._drawn_on(ax)

    def _places(self, along: Any) -> Any:
        """Return where on the axis numbers are that are logarithms to base 10 for odds ratios."""
        return 10.0**along if self.odds else along


def edges(along: Array) -> tuple[float, float]:
    """Return the edges of an axis on which 0 and all finite numbers have their place."""
    finite = np.append(along[np.isfinite(along)], 0.0)
    margin = MARGIN * float(np.ptp(finite)) or 1.0
    return float(finite.min()) - margin, float(finite.max()) + margin


def odds_ticks(left: float, right: float, even: Array) -> Array:
    """Return ticks between two powers of 10: even ones, or 1, 2, 3, 5, 10, or powers of 10, as there is room."""
    ticks = even
    if right - left >= 1.0:
        powers = np.arange(np.floor(left), np.ceil(right) + 1.0)
        powers = powers[powers % np.ceil((right - left) / LABELS) == 0.0]
        ticks = np.outer(10.0**powers, [1.0, 2.0, 3.0, 5.0] if right - left < LABELS / 4 else [1.0]).ravel()
    within: Array = ticks[(ticks >= 10.0**left) & (ticks <= 10.0**right)]
    return within
