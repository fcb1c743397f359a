"""The picture of a cross-validation: held-out scores as the penalty weakens, and what to choose."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from logreg.cv import LogisticRegressionCV
from logreg.loss import Array
from logreg.plots.axes import Display, new_axes
from logreg.selection import choose, standard_errors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = 10  # in matplotlib's cycle
MARKS: dict[str, tuple[str, dict[str, Any]]] = {
    "best": ("best", {"color": "red"}),
    "1se": ("within one standard error", {"color": "black", "linestyle": "--"}),
}


class CVDisplay(Display):
    """Mean held-out scores against C, with a band of one standard error either side, a curve for each l1_ratio.

    Two lines mark what there is to choose: the C of the best mean score, and the smallest C of the same l1_ratio, which
    is the largest penalty, within one standard error of that. C = inf has no place on the axis: where it is chosen, the
    line is a horizontal one, at its score. One fold has no standard error, so neither the band nor the second line.

    Use `from_estimator` to draw one; the constructor only stores what there is to draw.

    Parameters
    ----------
    scores : array of shape (n_folds, n_l1_ratios, n_Cs)
        Of the rows that each fold holds out.
    Cs : array of shape (n_Cs,)
        In any order.
    l1_ratios : array of shape (n_l1_ratios,)
    scoring : str
        What the scores are called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of these axes.

    Examples
    --------
    >>> from logreg import LogisticRegressionCV
    >>> from logreg.datasets import load_breast_cancer
    >>> from logreg.plots import CVDisplay
    >>> cv = LogisticRegressionCV(standardize=True).fit(*load_breast_cancer())
    >>> CVDisplay.from_estimator(cv).ax_.get_ylabel()
    'neg_log_loss (held-out rows)'
    """

    def __init__(self, *, scores: Any, Cs: Any, l1_ratios: Any, scoring: str) -> None:
        self.scores = scores
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.scoring = scoring

    @classmethod
    def from_estimator(cls, cv: LogisticRegressionCV, *, ax: "Axes | None" = None) -> Self:
        """Draw what a fitted `LogisticRegressionCV` found.

        Parameters
        ----------
        cv : LogisticRegressionCV
        ax : matplotlib Axes, default=None
            Where to draw; None means on a new figure.

        Returns
        -------
        CVDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is another one.
        ValueError
            If no C is finite.
        ImportError
            If matplotlib is not installed.
        """
        scores, _ = found_by(cv)
        scoring = "accuracy" if cv.scoring is None else cv.scoring
        name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
        return cls(scores=scores, Cs=cv.Cs_, l1_ratios=cv.l1_ratios_, scoring=name).plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the curves, their bands and the lines of the two choices.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None means on a new figure.

        Returns
        -------
        CVDisplay
            This display.
        """
        order = ascending(self.Cs)
        ax = new_axes(ax)
        Cs, scores = np.asarray(self.Cs)[order], np.asarray(self.scores)
        mean, error = scores.mean(axis=0)[:, order], standard_errors(scores)[:, order]
        for i, l1_ratio in enumerate(self.l1_ratios):
            label = f"l1_ratio = {l1_ratio:g}" if len(self.l1_ratios) > 1 else None
            ax.plot(Cs, mean[i], "o-", color=f"C{i % COLOURS}", markersize=3, label=label)
            if len(scores) > 1:
                low, high = mean[i] - error[i], mean[i] + error[i]
                ax.fill_between(Cs, low, high, color=f"C{i % COLOURS}", alpha=0.2, linewidth=0)
        self._mark(ax, "best")
        if len(scores) > 1:
            self._mark(ax, "1se")
        ax.set(xscale="log", xlabel="C, the inverse strength of the penalty", ylabel=f"{self.scoring} (held-out rows)")
        ax.legend(fontsize="small")
        return self._drawn_on(ax)

    def _mark(self, ax: "Axes", select: str) -> None:
        """Draw the line of a choice, and write its C in the legend."""
        Cs, scores = np.asarray(self.Cs), np.asarray(self.scores)
        ratio, c = choose(scores, Cs, select)
        name, style = MARKS[select]
        label = f"{name}: C = {Cs[c]:.3g}"
        if len(self.l1_ratios) > 1:
            label += f", l1_ratio = {self.l1_ratios[ratio]:g}"
        if np.isfinite(Cs[c]):
            ax.axvline(Cs[c], label=label, linewidth=1.0, **style)
        else:
            ax.axhline(scores[:, ratio, c].mean(), label=label, linewidth=1.0, **style)


def found_by(cv: LogisticRegressionCV) -> tuple[Array, Array]:
    """Return the scores, (F, R, C), and the coefficients of the folds, (F, R, C, terms), of either layout."""
    if not isinstance(cv, LogisticRegressionCV):
        raise TypeError(f"The display is of a LogisticRegressionCV, got {type(cv).__name__}; pass one, fitted.")
    check_is_fitted(cv)
    if not isinstance(cv.scores_, dict):
        return cv.scores_, cv.coefs_paths_[:, :, :, 0]
    (scores,), (paths,) = cv.scores_.values(), cv.coefs_paths_.values()
    if scores.ndim == 2:
        scores, paths = scores[:, :, None], paths[:, :, None]
    return scores.swapaxes(1, 2), paths.swapaxes(1, 2)


def ascending(Cs: Any) -> np.ndarray:
    """Return the places of the finite Cs, the smallest first."""
    order: np.ndarray = np.argsort(Cs, kind="stable")
    order = order[np.isfinite(Cs)[order]]
    if not order.size:
        raise ValueError("No C is finite, so there is no axis to draw against; pass finite Cs to LogisticRegressionCV.")
    return order
