"""snapml's coordinate ascent on the dual, which it recommends for more rows than columns."""

from snapml import LogisticRegression


def fit(X, y, C, tol, threads, intercept=True):
    """Minimise the ridge-penalised log-loss, the intercept being the coefficient of one more column."""
    model = LogisticRegression(
        regularizer=1 / C,
        dual=True,
        fit_intercept=intercept,
        tol=tol,
        max_iter=1_000_000,
        n_jobs=threads,
        random_state=0,
    ).fit(X, y)
    return model.coef_[0], model.intercept_[0] if intercept else 0.0
