"""LIBLINEAR's trust-region Newton method, ``-s 0``, by its own package; one thread, and it penalises the intercept too."""

import numpy as np
from liblinear.liblinearutil import parameter, problem, train


def fit(X, y, C, tol, threads, intercept=True):
    """Minimise the ridge-penalised log-loss, the intercept being the coefficient of one more column."""
    bias = 1 if intercept else -1
    model = train(problem(np.where(y == 1, 1.0, -1.0), X, bias), parameter(f"-s 0 -c {C} -e {tol} -B {bias} -q"))
    w = np.ctypeslib.as_array(model.w, (X.shape[1] + intercept,)) * model.get_labels()[0]
    return w[: X.shape[1]], w[-1] if intercept else 0.0
