"""skglm's solver for smooth penalties, SciPy's L-BFGS on its own datafit; it fits no intercept."""

from skglm.datafits import Logistic
from skglm.penalties import L2
from skglm.solvers import LBFGS


def fit(X, y, C, tol, threads, intercept=True):
    """Minimise the ridge-penalised mean log-loss."""
    if intercept:
        raise ValueError("it fits no intercept")
    X = X.tocsc() if hasattr(X, "tocsc") else X
    solver = LBFGS(max_iter=1_000_000, tol=tol)
    return solver.solve(X, 2.0 * y - 1.0, Logistic(), L2(1 / (C * len(y))))[0], 0.0
