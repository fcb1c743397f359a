"""Robust covariances and marginal effects by statsmodels, which tests/test_robust.py and test_effects.py use.

.venv-bench/bin/python tests/golden/inference.py, from the project's folder, writes tests/golden/inference.json.
"""

import json

import numpy as np
import pandas as pd
import statsmodels
import statsmodels.api as sm

DATA = {
    "nhefs": (
        "nhefs_death.csv",
        "death",
        ["qsmk", "sex", "age", "education", "smokeyrs", "wt71"],
        "age",
        lambda frame: 1 + frame["exercise"],
    ),
    "anes96": ("anes96.csv", "vote", ["popul", "selfLR", "PID", "age", "income"], "income", lambda f: 1 + f["TVnews"]),
    "orings": (
        "challenger_orings.csv",
        "distress",
        ["Temperature"],
        "Temperature",
        lambda frame: 1 + np.arange(len(frame)) % 3,
    ),
}
TIGHT = {"disp": 0, "method": "newton", "tol": 1e-14, "maxiter": 50}


def effects(fit, at, dummy):
    found = fit.get_margeff(at=at, dummy=dummy)
    return {"estimate": found.margeff.tolist(), "std_error": found.margeff_se.tolist()}


found = {"statsmodels": statsmodels.__version__}
for name, (file, outcome, columns, group, weights) in DATA.items():
    frame = pd.read_csv(f"datasets/{file}")
    X = frame[columns].astype(float).assign(intercept=1.0)
    y, groups = frame[outcome], frame[group]
    model = sm.Logit(y, X)
    logit = model.fit(**TIGHT)
    clustered = model.fit(cov_type="cluster", cov_kwds={"groups": groups}, **TIGHT)
    weighted = sm.GLM(y, X, sm.families.Binomial(), freq_weights=weights(frame))
    found[name] = {
        "coefficients": logit.params.tolist(),
        "HC0": model.fit(cov_type="HC0", **TIGHT).cov_params().to_numpy().tolist(),
        "cluster": clustered.cov_params().to_numpy().tolist(),
        "weighted_HC0": weighted.fit(cov_type="HC0", tol=1e-14).cov_params().to_numpy().tolist(),
        "average": effects(logit, "overall", True),
        "at_mean": effects(logit, "mean", True),
        "average_of_numbers": effects(logit, "overall", False),
        "average_clustered": effects(clustered, "overall", True),
    }
with open("tests/golden/inference.json", "w") as file:
    json.dump(found, file, indent=1)
