"""One package fits one path: run as a script, in the interpreter that has the package.

python path_peer.py PEER FOLDER ENOUGH REPETITIONS

The folder holds a path as :class:`paths.Task` left it; the answers go there too. Each line of the standard input is a
tolerance, or "default"; to each it says how many seconds the fits took: they are repeated until that has taken ENOUGH
seconds, but so often at most. Imports what the peer needs and no more, so that an interpreter of another age will do.
"""

from __future__ import annotations

import json
import pickle
import sys
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy import sparse


def ours(X, y, penalties, l1_ratio, tol):
    """Fit with logreg."""
    from logreg import logistic_path

    options = {} if tol is None else {"tol": tol}
    Cs = 1.0 / (penalties * len(y))
    path = logistic_path(X, y, Cs=Cs, l1_ratio=l1_ratio, full=True, categories="auto", **options)
    return path.coefs, path.intercepts


def adelie(X, y, penalties, l1_ratio, tol):
    """Fit with adelie."""
    import adelie as ad

    made = ad.matrix.sparse if sparse.issparse(X) else ad.matrix.dense
    X = made(X.tocsc() if sparse.issparse(X) else np.asfortranarray(X), method="naive", n_threads=2)
    options = {} if tol is None else {"tol": tol, "irls_tol": tol}
    state = ad.grpnet(
        X=X, glm=ad.glm.binomial(y=y.astype(float), dtype=np.float64), lmda_path=penalties, alpha=l1_ratio,
        intercept=True, early_exit=False, progress_bar=False, n_threads=2, **options,
    )  # fmt: skip
    return state.betas, state.intercepts


def skglm(X, y, penalties, l1_ratio, tol):
    """Fit with skglm's prox-Newton, warm from penalty to penalty."""
    from skglm.datafits import Logistic
    from skglm.penalties import L1, L1_plus_L2
    from skglm.solvers import ProxNewton

    X = X.tocsc() if sparse.issparse(X) else np.asfortranarray(X)
    signs = np.where(y, 1.0, -1.0)
    solver = ProxNewton(max_iter=1000, max_pn_iter=1000, fit_intercept=True, warm_start=True)
    if tol is not None:
        solver.tol = tol
    w, scores, found = np.zeros(X.shape[1] + 1), np.zeros(len(y)), []
    for penalty in penalties:
        preferred = L1(penalty) if l1_ratio == 1.0 else L1_plus_L2(penalty, l1_ratio)
        w = solver.solve(X, signs, Logistic(), preferred, w, scores)[0]
        scores = X @ w[:-1] + w[-1]
        found.append(w.copy())
    found = np.array(found)
    return sparse.csr_matrix(found[:, :-1]), found[:, -1]


def glum(X, y, penalties, l1_ratio, tol):
    """Fit with glum."""
    from glum import GeneralizedLinearRegressor

    options = {} if tol is None else {"gradient_tol": tol}
    fitted = GeneralizedLinearRegressor(
        family="binomial", alpha_search=True, alphas=penalties, l1_ratio=l1_ratio, max_iter=1000, **options
    ).fit(X.tocsc() if sparse.issparse(X) else np.asfortranarray(X), y.astype(float))
    return sparse.csr_matrix(np.array(fitted.coef_path_)), np.array(fitted.intercept_path_)


def saga(X, y, penalties, l1_ratio, tol):
    """Fit with scikit-learn's saga, warm from penalty to penalty."""
    return with_scikit_learn(X, y, penalties, tol, solver="saga", l1_ratio=l1_ratio)


def liblinear(X, y, penalties, l1_ratio, tol):
    """Fit with liblinear through scikit-learn; its penalty on the intercept is made small."""
    return with_scikit_learn(X, y, penalties, tol, solver="liblinear", l1_ratio=l1_ratio, intercept_scaling=1e4)


def with_scikit_learn(X, y, penalties, tol, **options):
    """Fit scikit-learn's estimator for one penalty after the other."""
    from sklearn.linear_model import LogisticRegression

    options |= {} if tol is None else {"tol": tol}
    model = LogisticRegression(max_iter=100_000, warm_start=True, **options)
    found = []
    for penalty in penalties:
        model.set_params(C=1.0 / (penalty * len(y))).fit(X, y)
        found.append(np.append(model.coef_[0], model.intercept_))
    found = np.array(found)
    return sparse.csr_matrix(found[:, :-1]), found[:, -1]


PEERS = {
    "logreg": ours, "adelie": adelie, "skglm": skglm, "glum": glum, "saga": saga, "liblinear": liblinear,
}  # fmt: skip


def main(peer, folder, enough, repetitions):
    """Fit at each tolerance that comes, and save coefficients, intercepts and seconds."""
    folder = Path(folder)
    X = sparse.load_npz(folder / "X.npz") if (folder / "X.npz").exists() else np.load(folder / "X.npy")
    if peer == "logreg" and (folder / "frame.pickle").exists():
        X = pickle.loads((folder / "frame.pickle").read_bytes())
    path = np.load(folder / "path.npz")
    y, penalties, l1_ratio = np.load(folder / "y.npy"), path["penalties"], float(path["l1_ratio"])
    warnings.simplefilter("ignore")
    some = np.linspace(0, len(y) - 1, 200).astype(int)
    of_some = X.iloc[some] if hasattr(X, "iloc") else X[some]
    PEERS[peer](of_some, y[some], penalties[:2], l1_ratio, None)  # loads and compiles
    print("ready", flush=True)
    for said in sys.stdin:
        tol = None if said.strip() == "default" else float(said)
        seconds = []
        while sum(seconds) < float(enough) and len(seconds) < int(repetitions):
            start = perf_counter()
            coefs, intercepts = PEERS[peer](X, y, penalties, l1_ratio, tol)
            seconds.append(perf_counter() - start)
        sparse.save_npz(folder / "coefs.npz", sparse.csr_matrix(coefs))
        np.save(folder / "intercepts.npy", np.asarray(intercepts, dtype=np.float64))
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
