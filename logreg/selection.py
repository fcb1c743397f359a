"""What a cross-validation found: the penalty to take, and the tables that say why."""

from __future__ import annotations

from typing import Any

import numpy as np

from logreg.loss import Array


def choose(scores: Array, Cs: Array, select: str) -> tuple[int, int]:
    """Return the numbers of the l1_ratio and of the C to take, from scores of shape (F, R, C).

    "best" is the highest mean; "1se" the smallest C of the same l1_ratio whose mean is less than a standard error of
    the best mean below it.
    """
    mean = scores.mean(axis=0)
    best, ratio = np.unravel_index(int(np.argmax(mean.T)), mean.T.shape)  # of equals the first C, then the first ratio
    if select == "1se":
        near = np.flatnonzero(mean[ratio] >= mean[ratio, best] - standard_errors(scores)[ratio, best])
        best = near[np.argmin(Cs[near])]
    return int(ratio), int(best)


def standard_errors(scores: Array) -> Array:
    """Return the standard errors of mean scores over folds, shape (R, C); 0 where there is one fold."""
    n_folds = len(scores)
    found: Array = scores.std(axis=0, ddof=1) / n_folds**0.5 if n_folds > 1 else np.zeros(scores.shape[1:])
    return found


def results(scores: Array, Cs: Array, l1_ratios: Array, seconds: tuple[float, float]) -> dict[str, Any]:
    """Return the table of GridSearchCV, from scores of shape (F, R, C) and the seconds that fits and scores took.

    The fits share their passes, so each is said to have taken an equal part of the time.
    """
    n_folds, n_ratios, n_Cs = scores.shape
    params = [{"C": C, "l1_ratio": ratio} for C in Cs.tolist() for ratio in l1_ratios.tolist()]
    found: dict[str, Any] = {}
    for name, total in zip(("fit", "score"), seconds, strict=True):
        found[f"mean_{name}_time"] = np.full(len(params), total / (n_folds * len(params)))
        found[f"std_{name}_time"] = np.zeros(len(params))
    for name in ("C", "l1_ratio"):
        found[f"param_{name}"] = np.ma.array([param[name] for param in params])
    found["params"] = params
    flat = scores.swapaxes(1, 2).reshape(n_folds, n_Cs * n_ratios)
    found |= {f"split{f}_test_score": of_fold for f, of_fold in enumerate(flat)}
    mean = flat.mean(axis=0)
    found |= {"mean_test_score": mean, "std_test_score": flat.std(axis=0)}
    found["rank_test_score"] = 1 + (mean[None, :] > mean[:, None]).sum(axis=1).astype(np.int32)
    return found


def best_of_folds(scores: Array, paths: Array, Cs: Array, l1_ratios: Array) -> tuple[Array, float, float]:
    """Return mean coefficients over folds, each at its best penalty, and the means of these C and l1_ratios."""
    best = [np.unravel_index(int(np.argmax(of_fold.T)), of_fold.T.shape) for of_fold in scores]
    mean = np.mean([paths[f, ratio, c] for f, (c, ratio) in enumerate(best)], axis=0)
    return mean, float(Cs[[c for c, _ in best]].mean()), float(l1_ratios[[ratio for _, ratio in best]].mean())


def legacy_layout(found: dict[str, Any], label: Any, by_ratio: bool) -> dict[str, Any]:
    """Return the attributes of a cross-validation in the shapes of scikit-learn before 1.10."""
    paths = found["coefs_paths_"][:, :, :, 0].swapaxes(1, 2)  # (F, C, R, d + 1)
    scores, n_iter = found["scores_"].swapaxes(1, 2), found["n_iter_"].swapaxes(1, 2)[None]
    if not by_ratio:
        paths, scores, n_iter = paths[:, :, 0], scores[:, :, 0], n_iter[..., 0]
    return found | {
        "coefs_paths_": {label: paths},
        "scores_": {label: scores},
        "n_iter_": n_iter,
        "C_": np.array([found["C_"]]),
        "l1_ratio_": np.array([found["l1_ratio_"]]),
    }
