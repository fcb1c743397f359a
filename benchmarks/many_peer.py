"""One package fits many models: run as a script, so that it can be stopped.

python many_peer.py PROBLEM PEER FOLDER

The folder holds X.npy and y.npy; the answer goes there too. Each line of the standard input is a tolerance, or
"default"; to each it says how many seconds it took. Whoever can use two processes does so.
"""

from __future__ import annotations

import gc
import sys
import warnings
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

CS = np.logspace(-4, 4, 10)  # scikit-learn's own
MIDDLE = CS[len(CS) // 2]
FOLDS = 5
BOOTSTRAP_C = 1.0
REPLICATES, SEED = 200, 0
LOADED = 500  # rows on which everything is loaded and compiled
MOST_STEPS = 100_000


def at(tol):
    """Return our options for a tolerance."""
    return {} if tol is None else {"tol": tol}


def our_folds(X, y, tol):
    """Return our mean score of each C."""
    from logreg import LogisticRegressionCV

    model = LogisticRegressionCV(Cs=CS, cv=FOLDS, scoring="neg_log_loss", **at(tol))
    return model.fit(X, y).scores_.mean(axis=(0, 1))


def our_fit(X, y, tol):
    """Fit once, at the middle C."""
    from logreg import LogisticRegression

    return LogisticRegression(C=MIDDLE, **at(tol)).fit(X, y).coef_


def scikit_learn_folds(solver, X, y, tol, **options):
    """Return the mean score of each C by ``LogisticRegressionCV``, which starts each C from the one before."""
    return fitted_folds(solver, X, y, tol, **options).scores_.mean(axis=(0, 1))


def fitted_folds(solver, X, y, tol, **options):
    """Fit ``LogisticRegressionCV``."""
    from sklearn.linear_model import LogisticRegressionCV

    return LogisticRegressionCV(
        Cs=CS, cv=FOLDS, scoring="neg_log_loss", solver=solver, tol=tol, max_iter=MOST_STEPS, n_jobs=2,
        l1_ratios=(0.0,), use_legacy_attributes=False, **options,
    ).fit(X, y)  # fmt: skip


def reference_folds(X, y, tol):
    """Return mean scores by scikit-learn's formula, and from the same coefficients by ours.

    Scikit-learn takes logs of probabilities, which are rounded: a row's loss is never more than 36. Ours takes scores.
    """
    from sklearn.model_selection import StratifiedKFold

    model = fitted_folds("newton-cholesky", X, y, tol)
    exact = np.empty((FOLDS, len(CS)))
    for fold, (_, test) in enumerate(StratifiedKFold(FOLDS).split(X, y)):
        coefficients = model.coefs_paths_[fold].reshape(len(CS), -1)
        scores = coefficients[:, :-1] @ X[test].T + coefficients[:, -1:]
        exact[fold] = -np.logaddexp(0.0, (1.0 - 2.0 * y[test]) * scores).mean(axis=1)
    return np.array([model.scores_.mean(axis=(0, 1)), exact.mean(axis=0)])


def grid_folds(X, y, tol):
    """Return the mean score of each C by ``GridSearchCV``."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    model = LogisticRegression(solver="newton-cholesky", tol=tol, max_iter=MOST_STEPS)
    search = GridSearchCV(model, {"C": CS}, cv=FOLDS, scoring="neg_log_loss", n_jobs=2)
    return search.fit(X, y).cv_results_["mean_test_score"]


def glum_folds(X, y, tol):
    """Return the mean score of each C by glum, whose deviance is twice the log-loss.

    Its penalty is relative to the mean loss, and the same for all folds: where they differ by a row, so does C.
    """
    from glum import GeneralizedLinearRegressorCV
    from sklearn.model_selection import StratifiedKFold

    alphas = 1.0 / (CS * len(y) * (1.0 - 1.0 / FOLDS))  # glum sorts them downwards, as ours are
    model = GeneralizedLinearRegressorCV(
        family="binomial", l1_ratio=0.0, alphas=alphas, cv=StratifiedKFold(FOLDS), n_jobs=2, gradient_tol=tol,
        max_iter=MOST_STEPS,
    )  # fmt: skip
    return -model.fit(np.asfortranarray(X), y.astype(float)).deviance_path_.mean(axis=(0, 1)) / 2.0


def weights(n):
    """Yield how often each row counts in each replicate, as ours draws it: Poisson numbers."""
    from sklearn.utils import check_random_state

    generator = np.random.default_rng(check_random_state(SEED).randint(2**31 - 1))
    for _ in range(REPLICATES):
        yield generator.poisson(1.0, n).astype(float)


def our_replicates(X, y, tol):
    """Fit, and return the coefficients of the replicates of that fit."""
    from logreg import LogisticRegression

    model = LogisticRegression(C=BOOTSTRAP_C, **at(tol)).fit(X, y)
    found = model.bootstrap(X, y, n=REPLICATES, method="poisson", random_state=SEED)
    return np.column_stack([found.coefs, found.intercepts])


def scikit_learn_replicates(X, y, tol):
    """Return the coefficients of all replicates, each fitted for itself."""
    from joblib import Parallel, delayed

    return np.array(Parallel(n_jobs=2)(delayed(one_fit)(X, y, BOOTSTRAP_C, tol, counts) for counts in weights(len(y))))


def one_fit(X, y, C, tol, counts=None):
    """Return coefficients and intercept by scikit-learn."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=C, solver="newton-cholesky", tol=tol, max_iter=MOST_STEPS).fit(X, y, counts)
    return np.append(model.coef_, model.intercept_)


def our_outcomes(X, Y, tol):
    """Return the coefficients of all outcomes by ``fit_many``."""
    from logreg import fit_many

    found = fit_many(X, Y, penalty=None, **at(tol))
    return np.column_stack([found.coefs, found.intercepts])


def statsmodels_outcomes(X, Y, tol):
    """Return the coefficients of all outcomes by statsmodels, which takes the intercept for a column."""
    from statsmodels.api import Logit

    design = np.column_stack([X, np.ones(len(X))])
    return np.array([Logit(y, design).fit(disp=0).params for y in Y.T])


def scikit_learn_outcomes(X, Y, tol):
    """Return the coefficients of all outcomes by scikit-learn."""
    from joblib import Parallel, delayed

    return np.array(Parallel(n_jobs=2)(delayed(one_fit)(X, y, np.inf, tol) for y in np.ascontiguousarray(Y.T)))


SOLVERS = {
    "newton-cholesky": partial(scikit_learn_folds, "newton-cholesky"),
    "newton-cg": partial(scikit_learn_folds, "newton-cg"),
    "lbfgs": partial(scikit_learn_folds, "lbfgs"),
    "liblinear": partial(scikit_learn_folds, "liblinear", intercept_scaling=1e4),  # else it penalises the intercept
    "sag": partial(scikit_learn_folds, "sag"),
}
OTHERS = SOLVERS | {"glum": glum_folds, "GridSearchCV": grid_folds}
REFERENCE = "reference"
PEERS = {  # ours first, then those that are usually fast, because limits follow from the fastest so far
    "folds": {"logreg": our_folds, "one fit": our_fit} | OTHERS,
    "folds-large": {"logreg": our_folds} | OTHERS,
    "folds-small": {"logreg": our_folds} | SOLVERS,
    "bootstrap": {"logreg": our_replicates, "newton-cholesky": scikit_learn_replicates},
    "outcomes": {
        "logreg": our_outcomes, "statsmodels": statsmodels_outcomes, "newton-cholesky": scikit_learn_outcomes,
    },
}  # fmt: skip


def main(problem, peer, folder):
    """Fit at each tolerance that comes, and save the answer."""
    folder, fit = Path(folder), reference_folds if peer == REFERENCE else PEERS[problem][peer]
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    warnings.simplefilter("ignore")
    some = np.linspace(0, len(y) - 1, LOADED).astype(int)
    fit(X[some], y[some], 1e-4)
    print("ready", flush=True)
    for said in sys.stdin:
        tol = None if said.strip() == "default" else float(said)
        gc.collect()
        start = perf_counter()
        answer = fit(X, y, tol)
        seconds = perf_counter() - start
        np.save(folder / "answer.npy", answer)
        print(seconds, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
