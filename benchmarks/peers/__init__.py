"""The packages compared: a file each, with ``fit(X, y, C, tol, threads, intercept)``.

It returns coefficients and intercept. The clock runs around it, so whatever a package has to convert or to copy counts;
importing it does not. One that has its own kind of category columns says with ``prepare(frame)`` what a frame is to it;
others get the one-hot columns. Neither counts: a user may have the data in that form.
"""

from __future__ import annotations

from typing import NamedTuple


class Peer(NamedTuple):
    """How the tables call a peer, and what has to be known to read its numbers."""

    label: str
    note: str = ""
    most_columns: int | None = None
    """It is not tried on more, because it holds a matrix of them."""


WIDEST = 5_000

# Those that are usually fast come first, because a fit is stopped some seconds after the time of the fastest so far;
# glum before the others, because the first peer has the most time.
PEERS = {
    "zeros": Peer("zeros", "all coefficients 0: proves that the scoring rejects a bad answer"),
    "glum": Peer("glum irls-ls", most_columns=WIDEST),
    "sklearn_newton_cholesky": Peer("scikit-learn newton-cholesky", most_columns=WIDEST),
    "sklearn_newton_cg": Peer("scikit-learn newton-cg"),
    "snapml": Peer("snapml dual", "works in float32 and penalises the intercept too, so its optimum is another one"),
    "liblinear_dual": Peer("LIBLINEAR -s 7", "penalises the intercept too, so its optimum is another one"),
    "sklearnex_lbfgs": Peer("scikit-learn-intelex lbfgs"),
    "logreg": Peer("logreg"),
    "sklearn_lbfgs": Peer("scikit-learn lbfgs"),
    "sklearn_liblinear": Peer("scikit-learn liblinear", "penalises the intercept too, so its optimum is another one"),
    "sklearnex_newton_cholesky": Peer(
        "scikit-learn-intelex newton-cholesky",
        "not accelerated in the version used: it hands over to scikit-learn",
        WIDEST,
    ),
    "statsmodels": Peer("statsmodels Logit newton", "has no ridge penalty, so its optimum is another one", WIDEST),
    "liblinear_newton": Peer("LIBLINEAR -s 0", "penalises the intercept too, so its optimum is another one"),
    "skglm": Peer("skglm LBFGS", "fits no intercept"),
    "sklearn_saga": Peer("scikit-learn saga"),
}
BASELINE = "zeros"
OURS = "logreg"
