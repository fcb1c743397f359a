"""``detect_separation``: whether the columns separate the outcomes, without a fit."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from logreg.estimator import LogisticRegression
from logreg.inference.separation import Separation, separation_of
from logreg.setup import Setup


def detect_separation(
    X: Any,
    y: Any = None,
    sample_weight: ArrayLike | None = None,
    *,
    fit_intercept: bool = True,
    categories: Any = "error",
    missing: str = "error",
    n_jobs: int | None = None,
) -> Separation:
    """Tell whether a combination of the columns separates the outcomes, exactly and without a fit.

    There is a finite optimum without a penalty if and only if no w and b have

        (2 y_i - 1) (x_i . w + b) >= 0  for all rows,  > 0 for some,

    Where there are such directions, one of them separates every row that any of them does. Coefficients that the other
    rows determine stay finite; the rest go to infinity, with the sign that they have in it.

    Parameters
    ----------
    X, y, sample_weight
        As in :meth:`LogisticRegression.fit`, so that X may be a scan or a Dask collection. Rows of weight 0 do not
        count, other weights change nothing.
    fit_intercept : bool, default=True
    categories, missing, n_jobs
        As in :class:`LogisticRegression`; the first level of each category has no coefficient.

    Returns
    -------
    Separation

    Raises
    ------
    ValueError
        In one sentence, for data that cannot be used, for more than 3,000 columns, and where programs would have to
        hold more than some million numbers of a scan or a Dask collection.

    Notes
    -----
    Linear programs on some thousand rows, each followed by a pass over all (Konis, Oxford, 2007); for more than 50
    columns Newton's method comes first, some passes at ``n d**2`` flops, whose last step proves most answers. The
    theorem is of Albert and Anderson (Biometrika 71, 1984). A gap between the classes counts from about 1e-7 standard
    deviations of the columns.

    Examples
    --------
    >>> from logreg.datasets import load_endometrial
    >>> from logreg import detect_separation
    >>> detect_separation(*load_endometrial()).frame()
            term   limit
    0  intercept  finite
    1         NV     inf
    2         PI  finite
    3         EH  finite
    """
    options = {"categories": categories, "missing": missing, "n_jobs": n_jobs}
    estimator = LogisticRegression(penalty=None, fit_intercept=fit_intercept, **options)
    setup = Setup.learn(estimator, X, y, sample_weight, None, drop_first=True)
    with setup:
        return separation_of(setup.source, setup.names, intercept=fit_intercept)
