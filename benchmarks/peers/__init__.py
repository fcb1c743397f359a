"""The packages compared: a file each, with ``fit(X, y, C, tol, threads)`` that returns (coefficients, intercept).

The clock runs around ``fit``, so whatever a package has to convert or to copy counts; importing it does not.
"""

from __future__ import annotations

from typing import NamedTuple


class Peer(NamedTuple):
    """How the tables call a peer, and what has to be known to read its numbers."""

    label: str
    note: str = ""


# Those that are usually fast come first, because a fit is stopped some seconds after the time of the fastest so far;
# glum before the others, because the first peer has the most time.
PEERS = {
    "zeros": Peer("zeros", "all coefficients 0: proves that the scoring rejects a bad answer"),
    "glum": Peer("glum irls-ls"),
    "sklearn_newton_cholesky": Peer("scikit-learn newton-cholesky"),
    "sklearnex_lbfgs": Peer("scikit-learn-intelex lbfgs"),
    "logreg": Peer("logreg"),
    "sklearn_lbfgs": Peer("scikit-learn lbfgs"),
    "sklearn_newton_cg": Peer("scikit-learn newton-cg"),
    "sklearn_liblinear": Peer("scikit-learn liblinear", "penalises the intercept too, so its optimum is another one"),
    "sklearnex_newton_cholesky": Peer(
        "scikit-learn-intelex newton-cholesky", "not accelerated in the version used: it hands over to scikit-learn"
    ),
    "statsmodels": Peer("statsmodels Logit newton", "has no ridge penalty, so its optimum is another one"),
    "snapml": Peer("snapml dual", "works in float32 and penalises the intercept too, so its optimum is another one"),
    "sklearn_saga": Peer("scikit-learn saga"),
}
BASELINE = "zeros"
OURS = "logreg"
