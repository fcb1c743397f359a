"""Pictures, as Display objects in the manner of scikit-learn: made from data, drawn and redrawn by ``plot``.

A display stores what it draws. ``plot(ax=None)`` draws it, on new axes if none are given, and returns the
display, whose ``ax_`` and ``figure_`` are then the matplotlib objects to adjust or save. matplotlib is an
optional extra, imported when the first picture is drawn.
"""

from logreg.plots.cv import CVDisplay
from logreg.plots.fit import FitDisplay
from logreg.plots.forest import ForestDisplay
from logreg.plots.path import PathDisplay
from logreg.plots.sigmoid import SigmoidDisplay

__all__ = ["CVDisplay", "FitDisplay", "ForestDisplay", "PathDisplay", "SigmoidDisplay"]
