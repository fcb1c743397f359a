"""glum's binomial family with its default solver for ridge penalties, iteratively reweighted least squares."""

import tabmat
from glum import GeneralizedLinearRegressor


def prepare(frame):
    """Return a frame as a tabmat matrix, whose category columns are codes."""
    return tabmat.from_df(frame, cat_position="expand")


def fit(X, y, C, tol, threads, intercept=True):
    """Minimise the ridge-penalised mean log-loss, of which alpha is the penalty."""
    model = GeneralizedLinearRegressor(
        family="binomial",
        alpha=1 / (C * len(y)),
        l1_ratio=0,
        solver="irls-ls",
        fit_intercept=intercept,
        gradient_tol=tol,
        max_iter=1_000_000,
    ).fit(X, y)
    return model.coef_, model.intercept_
