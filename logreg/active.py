"""Working on the few columns that count: the active set of an elastic net."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from logreg.penalty import ElasticNet
from logreg.proximal import Fit, Place, Solver, everywhere
from logreg.rows import SelectableRows
from logreg.stop import Pass
from logreg.sums import Array

ROUGH = 0.03  # share of the largest violation to which the active set is worked on before others are looked at
SPARE = 1.3  # times as many columns as are needed, from which on the active set is made anew


class ActiveSet:
    """Minimises over rows of more columns than count, by working on those that do: coefficients in use, and violations.

    A pass over all columns comes only when the few are done, and says which to add.
    """

    def __init__(
        self, rows: SelectableRows, intercept: bool = True, on_pass: Callable[[Array, Pass], bool] | None = None
    ) -> None:
        self.rows, self.intercept, self.on_pass = rows, intercept, on_pass
        self.columns = np.empty(0, dtype=np.intp)
        self.solver = Solver(rows.take(self.columns), intercept)

    @property
    def stopped(self) -> bool:
        """Whether ``on_pass`` asked for it."""
        return self.solver.stopped

    def minimise(
        self, penalties: list[ElasticNet], place: Place, tolerances: Iterable[float], max_passes: int
    ) -> list[Fit]:
        """Do what :meth:`Solver.minimise` does, for one penalty after the other."""
        fits = []
        for penalty, tolerance in zip(penalties, tolerances, strict=True):
            fits.append(self._minimise(penalty, place, tolerance, max_passes))
            place = fits[-1].place
        return fits

    def _minimise(self, penalty: ElasticNet, place: Place, tolerance: float, max_passes: int) -> Fit:
        fit, moved = Fit(penalty, place, None, tolerance), True
        while True:
            fit.look(self.intercept)
            needed = (fit.place.w[:-1] != 0) | ((fit.violation[:-1] > 0) if fit.history else place.near(penalty, 1.0))
            missing = needed.copy()
            missing[self.columns] = False
            stuck = not moved and not missing.any()
            if (fit.worst <= tolerance and fit.history) or stuck or self.stopped or len(fit.history) >= max_passes:
                return fit
            if missing.any() or self.columns.size > SPARE * np.count_nonzero(needed):
                self.columns = np.flatnonzero(needed)
                self.solver = Solver(self.rows.take(self.columns), self.intercept, self._told())
            enough, left = max(tolerance, ROUGH * fit.worst), max_passes - len(fit.history)
            of_few = self.solver.minimise([penalty.take(self.columns)], fit.place.take(self.columns), [enough], left)[0]
            fit.history += of_few.history[1 if fit.history else 0 :]  # the start was a pass that is known
            moved = len(of_few.history) > 1
            fit.place = Place.several(self.rows, self._everywhere(of_few.place.w)[:, None])[0]

    def _everywhere(self, w: Array) -> Array:
        return everywhere(w, self.columns, self.rows.n_columns)

    def _told(self) -> Callable[[Array, Pass], bool] | None:
        on_pass = self.on_pass
        return None if on_pass is None else lambda w, found: on_pass(self._everywhere(w), found)
