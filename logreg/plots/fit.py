"""The picture of a fit over one column."""

import difflib
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy.stats import binomtest
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted

from logreg.plots.axes import Display, new_axes
from logreg.predictors import column_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 300  # rows up to which every outcome is a point of its own,
GROUPS = 20  # and beyond which they are shares of so many groups


class FitDisplay(Display):
    """The fitted probability over one column, p(x | other columns held), and what was observed under it.

    Up to 300 rows, each outcome is a point, drawn a little off 0 or 1 so that equal rows do not hide each other. More
    rows are shown as the shares of the positive class in 20 groups of equal size, with Wilson's 95 % intervals
    (Wilson, 1927). The rows differ in the other columns too, which the curve holds: where those go along with x, the
    curve is not meant to run through the shares. Costs one prediction of 201 rows and quantiles of n values.

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

        Numeric columns other than this one are held at their mean, all others at their most frequent value. Numbers
        that are codes, and encoded as such in a pipeline, should therefore have the dtype "category".

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
            raise ValueError(f"y must hold the two classes of the estimator, which knows {classes.tolist()}.")
        table = _as_table(X)
        column = _position(feature, list(table.columns))
        name, dtype = table.columns[column], table.dtypes.iloc[column]
        if not is_numeric_dtype(dtype):
            raise ValueError(f"Column {name!r} is not numeric ({dtype}); a curve needs a numeric column.")
        observed = table.iloc[:, column].to_numpy(dtype=float, na_value=np.nan)
        x = np.linspace(np.nanmin(observed), np.nanmax(observed), 201)
        grid = _held(table, len(x))
        grid.isetitem(column, x)
        return cls(
            x=x,
            probability=estimator.predict_proba(grid if hasattr(X, "columns") else grid.to_numpy())[:, 1],
            observed=observed,
            outcomes=labels == classes[1],
            feature=name if isinstance(name, str) else f"column {name}",
            positive=str(classes[1]) if getattr(y, "name", None) is None else f"{y.name} = {classes[1]}",
        ).plot(ax=ax)

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Draw the fitted probability in black over the outcomes in blue.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None means on a new figure.

        Returns
        -------
        FitDisplay
            The display itself, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(ax)
        observed, outcomes = np.asarray(self.observed), np.asarray(self.outcomes)
        if len(observed) <= POINTS:
            off = np.random.default_rng(0).uniform(0.01, 0.06, len(observed))
            heights = np.where(outcomes, 1.0 + off, -off)
            ax.plot(observed, heights, "o", color="tab:blue", alpha=0.5, markeredgewidth=0.0, label="observed")
        else:
            groups = _shares(observed, outcomes)
            x = groups["x"]
            ax.plot([x, x], [groups["low"], groups["high"]], color="tab:blue", alpha=0.5)
            ax.plot(x, groups["share"], "o", color="tab:blue", label="observed share, 95 % interval")
        ax.plot(self.x, self.probability, color="black", linewidth=2.0, label="fitted probability")
        ax.spines[["top", "right"]].set_visible(False)
        ax.set(xlabel=self.feature, ylabel=f"probability of {self.positive}", ylim=(-0.08, 1.08))
        ax.legend(frameon=False)
        return self._drawn_on(ax)


def _as_table(X: Any) -> pd.DataFrame:
    """Return X as a DataFrame, the columns of an array named by their positions."""
    if isinstance(X, pd.DataFrame):
        return X
    if hasattr(X, "columns"):
        return pd.DataFrame({name: X[name].to_numpy() for name in X.columns})
    return pd.DataFrame(check_array(X, dtype=None, ensure_all_finite=False)).infer_objects()


def _position(feature: str | int | None, names: list[Any]) -> int:
    """Return the position of the column that is meant: by its name, by its position, or as the only one."""
    known = column_names(np.arange(len(names)), np.array(names, dtype=object), most=20)
    if feature is None:
        if len(names) > 1:
            raise ValueError(f"X has {len(names)} columns: say with feature=... which one to draw, of {known}.")
        return 0
    if feature in names:
        return names.index(feature)
    if isinstance(feature, (int, np.integer)) and -len(names) <= feature < len(names):
        return int(feature)
    near = difflib.get_close_matches(str(feature), map(str, names), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"X has no column {feature!r}: choose one of {known}{hint}")


def _held(table: pd.DataFrame, n_rows: int) -> pd.DataFrame:
    """Return rows that are all the same: numeric columns at their mean, others at their most frequent value."""
    columns = []
    for name, column in table.items():
        numeric = is_numeric_dtype(column.dtype)
        value = column.mean() if numeric else column.mode(dropna=False).iloc[0]
        dtype = float if numeric else column.dtype
        columns.append(pd.Series(value, index=range(n_rows), dtype=dtype, name=name))
    return pd.concat(columns, axis=1)


def _shares(x: Any, outcomes: Any) -> pd.DataFrame:
    """Return for groups of about equal size the mean x, the share of positive outcomes, and its interval's ends."""
    rows = pd.DataFrame({"x": x, "share": outcomes}).dropna()
    edges = np.unique(np.quantile(rows["x"], np.arange(1, GROUPS) / GROUPS))
    groups = rows.groupby(np.searchsorted(edges, rows["x"]))  # equal values go to the same group
    counts = zip(groups["share"].sum(), groups.size(), strict=True)
    ends = [binomtest(int(positive), int(size)).proportion_ci(method="wilson") for positive, size in counts]
    return groups.mean().assign(low=[end.low for end in ends], high=[end.high for end in ends])
