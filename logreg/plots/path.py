"""The picture of a path: coefficients as the penalty weakens."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from logreg.cv import LogisticRegressionCV
from logreg.plots.axes import Display, new_axes
from logreg.plots.cv import ascending, found_by
from logreg.selection import choose

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from logreg.path import Path

NAMED = 8  # lines that get names, in colours
COLOURS = 10  # in matplotlib's cycle
AXES = {"penalty": "penalty", "C": "C, the inverse strength of the penalty", "l1_norm": r"$\sum_j |w_j|$"}


class PathDisplay(Display):
    """Coefficients of a path against the logarithm of the penalty or of C, or against the sum of their sizes.

    Lines of coefficients that are never used are left out; the largest at the weakest penalty have names, and bands
    from the least to the largest of the folds, where there are some. Above, the number of coefficients in use, where it
    changes.

    Use `from_path` or `from_cv` to draw one; the constructor only stores what there is to draw.

    Parameters
    ----------
    coefs : array of shape (m, k)
        One row a penalty, from the strongest down; one column a coefficient that is used.
    names : sequence of str, length k
        What the coefficients are called.
    df : array of int, shape (m,)
        Coefficients in use.
    penalties, Cs : array of shape (m,), default=None
        What can be a horizontal axis.
    folds : array of shape (n_folds, m, k), default=None
        The coefficients of folds, whose mean ``coefs`` is.

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

    def __init__(
        self, *, coefs: Any, names: Any, df: Any, penalties: Any = None, Cs: Any = None, folds: Any = None
    ) -> None:
        self.coefs = coefs
        self.names = names
        self.df = df
        self.penalties = penalties
        self.Cs = Cs
        self.folds = folds

    @classmethod
    def from_path(cls, path: "Path", *, against: str = "penalty", ax: "Axes | None" = None) -> Self:
        """Draw the path that `logistic_path` returned.

        Parameters
        ----------
        path : Path
        against : {"penalty", "C", "l1_norm"}, default="penalty"
            What the horizontal axis is: the penalty, decreasing, its inverse, or the sum of the sizes of the
            coefficients.
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
            coefs=path.coefs[order][:, used].toarray(),
            names=[str(name) for name in path.feature_names[used]],
            df=path.df[order],
            penalties=path.penalties[order],
            Cs=path.Cs[order],
        ).plot(against=against, ax=ax)

    @classmethod
    def from_cv(
        cls,
        cv: LogisticRegressionCV,
        *,
        against: str = "C",
        l1_ratio: float | None = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw the mean coefficients over the folds of a cross-validation, and their range.

        Parameters
        ----------
        cv : LogisticRegressionCV
        against : {"C", "l1_norm"}, default="C"
            What the horizontal axis is: C, or the sum of the sizes of the mean coefficients.
        l1_ratio : float, default=None
            Which of the l1_ratios to draw; None means the one of the best score.
        ax : matplotlib Axes, default=None
            Where to draw; None means on a new figure.

        Returns
        -------
        PathDisplay
            The display, drawn. A coefficient is in use where a fold uses it; C = inf is left out.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is another one.
        ValueError
            If the axis is not one of these, the l1_ratio none of the estimator's, or no C finite.
        ImportError
            If matplotlib is not installed.
        """
        scores, paths = found_by(cv)
        ratio, _ = choose(scores, cv.Cs_, "best")
        if l1_ratio is not None:
            same = np.flatnonzero(np.isclose(cv.l1_ratios_, l1_ratio))
            if not same.size:
                known = ", ".join(f"{value:g}" for value in cv.l1_ratios_)
                raise ValueError(f"l1_ratio must be one of {known}, got {l1_ratio!r}.")
            ratio = int(same[0])
        order, names = ascending(cv.Cs_), cv.feature_names_out_
        folds = paths[:, ratio, order, : len(names)]
        used = folds.any(axis=(0, 1))
        return cls(
            coefs=folds.mean(axis=0)[:, used],
            names=[str(name) for name in names[used]],
            df=folds.any(axis=0).sum(axis=1),
            Cs=cv.Cs_[order],
            folds=folds[..., used],
        ).plot(against=against, ax=ax)

    def plot(self, *, against: str | None = None, ax: "Axes | None" = None) -> Self:
        """Draw the lines, largest last, so that they are on top.

        Parameters
        ----------
        against : {"penalty", "C", "l1_norm"}, default=None
            What the horizontal axis is; None means the penalty where it is known, else C.
        ax : matplotlib Axes, default=None
            Where to draw; None means on a new figure.

        Returns
        -------
        PathDisplay
            This display.
        """
        places = {"penalty": self.penalties, "C": self.Cs, "l1_norm": np.abs(self.coefs).sum(axis=1)}
        known = [name for name, values in places.items() if values is not None]
        against = known[0] if against is None else against
        if against not in known:
            raise ValueError(f"against must be one of {', '.join(known)}, got {against!r}.")
        ax = new_axes(ax)
        x = places[against]
        by_size = np.argsort(np.abs(self.coefs[-1]), kind="stable") if len(self.coefs) else np.empty(0, dtype=int)
        named = by_size[-NAMED:][::-1].tolist()
        for j in by_size.tolist():
            place = named.index(j) if j in named else None
            style = {"color": "0.7", "linewidth": 0.8} if place is None else {"color": f"C{place % COLOURS}"}
            ax.plot(x, self.coefs[:, j], label=None if place is None else self.names[j], **style)
            if self.folds is not None and place is not None:
                low, high = self.folds[..., j].min(axis=0), self.folds[..., j].max(axis=0)
                ax.fill_between(x, low, high, color=style["color"], alpha=0.15, linewidth=0)
        ax.axhline(0.0, color="black", linewidth=0.5)
        ax.set(xlabel=AXES[against], ylabel="coefficient")
        if against != "l1_norm":
            ax.set_xscale("log")
        if against == "penalty":
            ax.invert_xaxis()
        if named:
            lines = {line.get_label(): line for line in ax.get_lines()}
            ax.legend([lines[self.names[j]] for j in named], [self.names[j] for j in named], fontsize="small")
        if len(set(self.df)) > 1:
            self._count(ax, x)
        return self._drawn_on(ax)

    def _count(self, ax: "Axes", x: Any) -> None:
        """Write the number of coefficients in use above some places of the horizontal axis."""
        above = ax.secondary_xaxis("top")
        along = np.log(x) if ax.get_xscale() == "log" else x
        shown = np.unique(np.abs(along[:, None] - np.linspace(along[0], along[-1], 6)).argmin(axis=0))
        above.set_xticks(x[shown], [str(count) for count in self.df[shown]])
        above.minorticks_off()
        above.set_xlabel("coefficients in use")
