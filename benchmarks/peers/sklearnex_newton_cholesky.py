"""The same estimator in scikit-learn-intelex, ``solver="newton-cholesky"``."""

from sklearnex.linear_model import LogisticRegression


def fit(X, y, C, tol, threads, intercept=True):
    """Minimise the ridge-penalised log-loss."""
    model = LogisticRegression(C=C, fit_intercept=intercept, solver="newton-cholesky", tol=tol, max_iter=1_000_000).fit(
        X, y
    )
    return model.coef_[0], model.intercept_[0] if intercept else 0.0
