"""This package with its default solver; it takes a frame with category columns as it is."""

from logreg import LogisticRegression


def prepare(frame):
    """Return the frame."""
    return frame


def fit(X, y, C, tol, threads, intercept=True):
    """Minimise the ridge-penalised log-loss."""
    model = LogisticRegression(
        C=C, fit_intercept=intercept, categories="auto", tol=tol, max_iter=1_000_000, n_jobs=threads
    ).fit(X, y)
    return model.coef_[0], model.intercept_[0]
