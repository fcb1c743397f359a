"""What could make a fit unreliable, in one report: collinear columns, few events, separation, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from logreg.columns import Columns
from logreg.inference.information import is_possible
from logreg.inference.separation import Separation, separation_of
from logreg.inference.summary import shown
from logreg.loss import Array
from logreg.penalty import Ridge
from logreg.plan import descend
from logreg.rows import SelectableRows
from logreg.scale import Scale
from logreg.setup import Setup
from logreg.stop import Limits

LARGE_FACTOR, LARGE_CONDITION, FEW_EVENTS = 10.0, 30.0, 10.0  # rules of thumb


@dataclass(frozen=True)
class Diagnosis:
    """What could make a fit unreliable; printed, it is a report.

    Attributes
    ----------
    frame : DataFrame
        ``term, variance_inflation``: by how much the others inflate the variance of each coefficient.
    condition : float
        The largest over the smallest singular value of the columns, standardised in the metric of the curvature.
    events_per_variable : float
        Weight of the rarer outcome, for each coefficient beside the intercept.
    separation : Separation
    calibration_intercept, calibration_slope : float
        Of the fit of the outcomes to the scores without a penalty: 0 and 1 for a calibrated model. The slope is below 1
        where scores are too extreme, and above where a penalty has shrunk them.
    """

    frame: pd.DataFrame
    condition: float
    events_per_variable: float
    separation: Separation
    calibration_intercept: float
    calibration_slope: float

    def __str__(self) -> str:
        """Return the report, a line a topic, with what is out of the ordinary marked."""
        worst = self.frame.sort_values("variance_inflation", ascending=False).head(3)
        factors = ", ".join(f"{term!r} {shown(x)}" for term, x in worst.itertuples(index=False))
        lines = [
            ("variance inflation, largest", factors, bool((worst["variance_inflation"] > LARGE_FACTOR).any())),
            ("condition of the columns", shown(self.condition), self.condition > LARGE_CONDITION),
            ("events per variable", shown(self.events_per_variable), self.events_per_variable < FEW_EVENTS),
            ("separation", str(self.separation), self.separation.kind is not None),
            (
                "calibration",
                f"intercept {shown(self.calibration_intercept)}, slope {shown(self.calibration_slope)}",
                False,
            ),
        ]
        return "\n".join(f"{'! ' if marked else '  '}{topic}: {said}" for topic, said, marked in lines)

    def __repr__(self) -> str:
        """Return the same as ``str``."""
        return str(self)


def diagnose(setup: Setup, w: Array, terms: np.ndarray) -> Diagnosis:
    """Return the diagnosis of coefficients w (d + 1,) on rows. Some passes, ``2 n d**2`` flops, and linear programs."""
    rows = setup.rows
    if not is_possible(rows):
        raise ValueError(f"X has {rows.n_columns:,} columns, too many for a matrix of them; diagnose fewer.")
    W = rows.from_user_units(w[:, None])
    sums = rows.sums(W, "full")
    assert sums.curvature is not None
    scale = Scale.from_sums(sums, np.zeros(1), setup.intercept)
    H = scale.curvature(sums.curvature[0] / sums.weight[0])[:-1, :-1]
    varies = (np.diagonal(H) > 0) & ~setup.left_out
    correlation = H[np.ix_(varies, varies)]
    values, vectors = np.linalg.eigh(correlation)
    values = np.maximum(values, np.finfo(float).eps)
    factors = np.full(len(H), np.nan)
    factors[varies] = (vectors**2 / values).sum(axis=1)
    rarer = min(float(rows.positive_fraction), 1.0 - float(rows.positive_fraction)) * setup.total_weight
    intercept, slope = calibration(rows, W)
    return Diagnosis(
        frame=pd.DataFrame({"term": [str(term) for term in terms], "variance_inflation": factors}),
        condition=float(np.sqrt(values[-1] / values[0])) if len(values) else 1.0,
        events_per_variable=rarer / max(int(varies.sum()), 1),
        separation=separation_of(rows, setup.names, intercept=setup.intercept, left_out=setup.left_out),
        calibration_intercept=intercept,
        calibration_slope=slope,
    )


def calibration(rows: SelectableRows, W: Array) -> tuple[float, float]:
    """Return intercept and slope of the fit of the outcomes to the scores at W (d + 1, 1), without a penalty."""
    X = rows.X if rows.subset is None else rows.X[rows.subset]
    X = X.tocsr(rows.origin) if isinstance(X, Columns) else X
    scores = np.asarray(X @ W[:-1], dtype=np.float64) + W[-1]
    if rows.origin is not None and not isinstance(rows.X, Columns):
        scores -= rows.origin @ W[:-1]
    of_scores = SelectableRows(np.ascontiguousarray(scores), rows.y, rows.weight, rows.offset, origin=None)
    found = descend(of_scores, Ridge(np.zeros(1)), np.array([[1.0], [0.0]]), "newton", Limits(tol=1e-8), True, 0)
    slope, intercept = found.coefficients[:, 0].tolist()
    return intercept, slope
