"""statsmodels' Logit with its default, Newton's method; without a penalty, because it has no ridge penalty."""

from statsmodels.api import Logit, add_constant


def fit(X, y, C, tol, threads, intercept=True):
    """Maximise the likelihood, whatever C is."""
    result = Logit(y, add_constant(X, has_constant="add")).fit(method="newton", tol=tol, maxiter=1_000, disp=False)
    return result.params[1:], result.params[0]
