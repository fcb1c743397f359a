"""Which penalties to try: grids read off the data, or as scikit-learn means them."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from logreg import parameters
from logreg.penalty import STRONGEST
from logreg.plan import null_coefficients
from logreg.rows import Rows
from logreg.scale import Scale
from logreg.setup import Setup
from logreg.stop import Limits
from logreg.strengths import ElasticPath
from logreg.sums import Array, Sums

SIZE = 10  # penalties of a grid at the least,
A_DECADE = 1.5  # and in each factor of ten
DECADES = 4.0  # either side of 1, of scikit-learn's grid
STILL_SEEN = 0.01  # standard deviation of the scores to which the strongest ridge shrinks them
BIAS = 0.1  # standard errors by which the weakest penalty may move coefficients
WIDEST = 1e12  # largest strength over the smallest
SMALL_STEP = 1e-3  # change of the scores' standard deviation over which the curvature along the gradient is taken


def inverse_strengths(Cs: Any, l1_ratios: Array, setup: Setup) -> Array:
    """Return the Cs that a user means: "auto", a number of them, or themselves."""
    if isinstance(Cs, str) and Cs == "auto":
        ends = [strengths_that_matter(setup, l1_ratio) for l1_ratio in l1_ratios.tolist()]
        weakest, strongest = min(low for low, _ in ends), max(high for _, high in ends)
        size = max(SIZE, int(np.ceil(A_DECADE * np.log10(strongest / weakest))))
        return 1.0 / (np.geomspace(strongest, weakest, size) * setup.total_weight)
    if isinstance(Cs, Integral):
        parameters.check_number("Cs", Cs, least=1, integer=True)
        return np.logspace(-DECADES, DECADES, int(Cs))
    return parameters.inverse_strengths(Cs, endless=bool((l1_ratios == 0.0).all()))


def strengths_that_matter(setup: Setup, l1_ratio: float) -> tuple[float, float]:
    """Return the strength of a penalty too weak to matter, and of one that zeroes the model, up to a little.

    A ridge moves a coefficient of curvature h by ``strength * w / h``, which is less than ``strength * sqrt(n) / h``
    standard errors where scores vary by 1; a lasso by ``strength * sqrt(n / h)`` standard errors.
    """
    rows, unit = setup.rows, np.broadcast_to(setup.ridge(np.ones(1)).strength[..., 0], setup.rows.n_columns)
    W = null_coefficients(rows, 1, setup.intercept)
    at_null = rows.sums(W, "diagonal")
    scale = Scale.from_sums(at_null, np.zeros(1), setup.intercept)
    size = scale.unit[:-1]  # 1 / sqrt(h)
    penalised = (size > 0) & (unit > 0) & (unit < STRONGEST)
    if not penalised.any():
        return 1.0, 1.0  # nothing to choose from
    felt = unit[penalised] * size[penalised] ** 2
    most = float(np.sqrt(felt).max() if l1_ratio else felt.max())
    n_rows = max(setup.total_weight, 2.0)  # a row of weight 2 is the row twice
    weakest = BIAS / (n_rows**0.5 * most)
    if l1_ratio > 0.0:
        strongest = ElasticPath(rows, setup.elastic_net(l1_ratio), Limits(), setup.intercept).largest
        weakest = min(weakest, strongest * parameters.path_ratio(None, rows.n_columns, int(n_rows)))
    else:
        strongest = max(strongest_ridge(rows, W, at_null, scale, np.where(penalised, unit, np.inf)), 10.0 * weakest)
    return max(weakest, strongest / WIDEST), strongest


def strongest_ridge(rows: Rows, W: Array, at_null: Sums, scale: Scale, unit: Array) -> float:
    """Return the strength of a ridge that leaves next to nothing of the scores.

    It leaves coefficients ``w = -g / strength`` for the gradient g at the null model, and so scores with a standard
    deviation of ``sqrt(w' H w / (p (1 - p)))``; H w is the change of the gradient along w, one more pass.
    """
    towards = -at_null.gradient[:-1, 0] / (unit * at_null.weight[0])
    step = np.append(towards, -scale.center[:-1] @ towards if scale.unit[-1] else 0.0)
    moves = towards != 0.0
    length = SMALL_STEP / max(float((np.abs(towards[moves]) / scale.unit[:-1][moves]).sum()), np.finfo(float).tiny)
    change = rows.sums(W + length * step[:, None]).gradient[:, 0] - at_null.gradient[:, 0]
    curvature_of_all = at_null.diagonal()[0][0, -1]  # the sum of p (1 - p)
    spread: float = np.sqrt(max(float(step @ change) / length, 0.0) / curvature_of_all)
    return spread / STILL_SEEN
