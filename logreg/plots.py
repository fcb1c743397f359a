"""Pictures, as Display objects in the manner of scikit-learn: made from data, drawn and redrawn by ``plot``.

A display stores what it draws. ``plot(ax=None)`` draws it, on new axes if none are given, and returns the
display, whose ``ax_`` and ``figure_`` are then the matplotlib objects to adjust or save. matplotlib is an
optional extra, imported when the first picture is drawn.
"""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from logreg.sigmoid import SCurve, arctan, logistic, tanh

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["FitDisplay", "SigmoidDisplay"]

POINTS = 300  # rows up to which every outcome is a point of its own,
GROUPS = 20  # and beyond which they are shares of so many groups


def _axes(ax: "Axes | None") -> "Axes":
    """Return the axes to draw on, on a new figure if there are none yet."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError('Drawing needs matplotlib: pip install "logreg[plot]".') from error
    return pyplot.subplots(layout="constrained")[1]


class SigmoidDisplay:
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

    ax_: "Axes"
    figure_: "Figure | SubFigure"

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
        ax = _axes(ax)
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
        self.ax_ = ax
        self.figure_ = ax.figure
        return self


class FitDisplay:
    """The fitted probability over one column, p(x | other columns held), and what was observed under it.

    Up to 300 rows, each outcome is a point, drawn a little off 0 or 1 so that equal rows do not hide each other. More
    rows are shown as the shares of the positive class in 20 groups of equal size, with Wilson's 95 % intervals
    (Wilson, 1927). The rows differ in the other columns too, which the curve holds: where those go along with x, the
    curve is not meant to run through the shares.

    Use `from_estimator` to compute and draw one; the constructor only stores what there is to draw.

    Parameters
    ----------
    x : array of shape (n_points,)
        Where the curve is drawn, in the units of the column.
    probability : array of shape (n_points,)
        The fitted probability of the positive class at x.
    observed : array of shape (n,)
        The column.
    outcomes : array of bool, shape (n,)
        Whether a row is of the positive class.
    feature : str
        What the horizontal axis is called.
    positive : str
        What the positive class is called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of these axes.

    Examples
    --------
    >>> from logreg import LogisticRegression
    >>> from logreg.datasets import load_orings
    >>> from logreg.plots import FitDisplay
    >>> X, y = load_orings()
    >>> display = FitDisplay.from_estimator(LogisticRegression(penalty=None).fit(X, y), X, y)
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('Temperature', 'probability of distress = 1')
    """

    ax_: "Axes"
    figure_: "Figure | SubFigure"

    def __init__(self, *, x: Any, probability: Any, observed: Any, outcomes: Any, feature: str, positive: str) -> None:
        self.x = x
        self.probability = probability
        self.observed = observed
        self.outcomes = outcomes
        self.feature = feature
        self.positive = positive

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, feature: str | int | None = None, ax: "Axes | None" = None
    ) -> Self:
        """Compute the fitted probability over one column, from its least to its largest value, and draw it.

        Numeric columns other than this one are held at their mean, columns of words at their most frequent value.

        Parameters
        ----------
        estimator : fitted classifier of two classes
            Anything with ``predict_proba``, such as a Pipeline that ends in a LogisticRegression.
        X : DataFrame or array-like of shape (n, d)
            The columns that the estimator was fitted to, of these or other rows.
        y : array-like of shape (n,)
            The observed classes.
        feature : str or int, default=None
            Name or position of a numeric column. None means the only one.
        ax : matplotlib Axes, default=None
            Where to draw; None means on a new figure.

        Returns
        -------
        FitDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the column is not known, not said or not numeric, or the classes are not two or not the estimator's.
        ImportError
            If matplotlib is not installed.
        """
        check_is_fitted(estimator)
        check_consistent_length(X, y)
        classes, labels = estimator.classes_, np.asarray(y)
        if len(classes) != 2 or not np.isin(labels, classes).all():
            raise ValueError(f"The outcomes in y must be two classes, those of the estimator: {classes.tolist()}.")
        table = as_table(X)
        position = position_of(feature, table)
        name = table.columns[position]
        observed = table.iloc[:, position].to_numpy(dtype=float, na_value=np.nan)
        x = np.linspace(np.nanmin(observed), np.nanmax(observed), 201)
        grid = held(table, len(x)).assign(**{name: x})
        return cls(
            x=x,
            probability=estimator.predict_proba(grid if hasattr(X, "columns") else grid.to_numpy())[:, 1],
            observed=observed,
            outcomes=labels == classes[1],
            feature=name,
            positive=f"{y.name} = {classes[1]}" if getattr(y, "name", None) else f"{classes[1]}",
        ).plot(ax=ax)
