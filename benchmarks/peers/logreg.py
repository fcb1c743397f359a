"""This package with its default solver."""

from logreg import LogisticRegression


def fit(X, y, C, tol, threads):
    """Minimise the ridge-penalised log-loss."""
    model = LogisticRegression(C=C, tol=tol, max_iter=1_000_000, n_jobs=threads).fit(X, y)
    return model.coef_[0], model.intercept_[0]
