"""scikit-learn's ``solver="saga"``; it uses one thread."""

from sklearn.linear_model import LogisticRegression


def fit(X, y, C, tol, threads, intercept=True):
    """Minimise the ridge-penalised log-loss."""
    model = LogisticRegression(
        C=C, fit_intercept=intercept, solver="saga", tol=tol, max_iter=1_000_000, random_state=0
    ).fit(X, y)
    return model.coef_[0], model.intercept_[0] if intercept else 0.0
