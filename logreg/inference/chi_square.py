"""Statistics that have a chi-square distribution, and their p-values however small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import gammaln
from scipy.stats import chi2

SMALLEST = 1e-280  # probability below which its logarithm comes from a continued fraction
FRACTIONS = 60  # of that, which is exact far out after a few


@dataclass(frozen=True)
class ChiSquare:
    """A statistic that has a chi-square distribution under the hypothesis.

    Attributes
    ----------
    statistic : float
    df : int
        How many independent combinations of coefficients the hypothesis fixes.
    p_value : float
        0 only where a float cannot hold it.
    log10_p_value : float
        Its logarithm, finite however small it is.
    """

    statistic: float
    df: int
    p_value: float
    log10_p_value: float

    @classmethod
    def of(cls, statistic: float, df: int) -> Self:
        """Return a statistic with its probabilities; NaN where the hypothesis fixes nothing."""
        log_p = log_sf(statistic, df)
        return cls(float(statistic), int(df), float(np.exp(log_p)), float(log_p / np.log(10.0)))


def log_sf(statistic: float, df: int) -> float:
    """Return ``log P(chi2_df > statistic)``, also where that probability is below the smallest float.

    There it is ``log(x**a e**-x / Gamma(a))`` plus the logarithm of a continued fraction in a = df / 2 and
    x = statistic / 2 (Abramowitz and Stegun, 6.5.31).
    """
    if df <= 0 or np.isnan(statistic):
        return float("nan")
    if np.isinf(statistic):
        return -float("inf")
    p = float(chi2.sf(statistic, df))
    if p > SMALLEST:
        return float(np.log(p) if p < 0.5 else np.log1p(-chi2.cdf(statistic, df)))
    a, x, tail = df / 2.0, statistic / 2.0, 0.0
    for m in range(FRACTIONS, 0, -1):
        tail = m * (m - a) / (x + 2 * m + 1 - a - tail)
    return float(a * np.log(x) - x - gammaln(a) - np.log(x + 1.0 - a - tail))
