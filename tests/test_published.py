"""Published results are reproduced: those of low birth weights, whose rows R's package MASS has.

Hosmer and Lemeshow, Applied Logistic Regression, 1989; the numbers are those of Stata 9 and R's glm, as statsmodels
keeps them (genmod/tests/results/results_glm.py, class Lbw). The rows stay with their packages, as their licence is not
known.
"""

import io
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, norm

from logreg import LogisticRegression, datasets

TERMS = ["intercept", "age", "lwt", "race=black", "race=other", "smoke", "ptl", "ht", "ui"]
COEFFICIENTS = [
    0.46122388, -0.02710031, -0.01515082, 1.26264728, 0.86207916, 0.92334482, 0.54183656, 1.83251780, 0.75851348,
]  # fmt: skip
ERRORS = [
    1.204574885, 0.036449917, 0.006925765, 0.526405169, 0.439146744, 0.400820976, 0.346246857, 0.691623875, 0.459373871,
]  # fmt: skip
LOG_LIKELIHOOD, DEVIANCE, NULL_DEVIANCE = -100.7239955662511, 201.4479911325021, 234.671996193219
AIC, WALD, PEARSON = 219.447991133, 25.65329337867037, 182.023342493558
LAST_DIGIT = 1e-8  # of the coefficients
STATA_LAGS = 2e-9  # relative error of its statistics
R_LAGS = 2e-5  # that of R's standard errors, whose weights are those of the last step but one
BIRTHS = """
library(MASS)
birthwt["76", "lwt"] <- 106  # as in the file of Stata
birthwt$race <- c("white", "black", "other")[birthwt$race]
write.csv(birthwt, row.names = FALSE)
"""


@pytest.fixture(scope="module")
def births():
    """Return predictors and outcomes of 189 births."""
    found = shutil.which("Rscript") and subprocess.run(["Rscript", "-e", BIRTHS], capture_output=True, text=True)
    if not found or found.returncode:
        pytest.skip("needs R with its package MASS")
    table = pd.read_csv(io.StringIO(found.stdout))
    race = pd.Categorical(table["race"], ["white", "black", "other"])
    return table[["age", "lwt", "race", "smoke", "ptl", "ht", "ui"]].assign(race=race), table["low"]


@pytest.fixture(scope="module")
def fitted(births):
    return LogisticRegression(penalty=None, categories="auto", tol=1e-10).fit(*births)


def test_low_birth_weights_have_the_coefficients_and_errors_of_stata(fitted):
    frame = fitted.summary().frame
    assert frame["term"].tolist() == TERMS
    np.testing.assert_allclose(frame["estimate"], COEFFICIENTS, atol=LAST_DIGIT, rtol=0)
    np.testing.assert_allclose(frame["std_error"], ERRORS, rtol=R_LAGS)


def test_tests_and_intervals_follow_from_them(fitted):
    frame = fitted.summary(level=0.9).frame
    z, reach = np.divide(COEFFICIENTS, ERRORS), norm.ppf(0.95) * np.array(ERRORS)
    np.testing.assert_allclose(frame["statistic"], z, rtol=R_LAGS)
    np.testing.assert_allclose(frame["p_value"], 2 * norm.sf(np.abs(z)), atol=R_LAGS)
    np.testing.assert_allclose(frame["conf_low"], COEFFICIENTS - reach, atol=R_LAGS * reach.max())
    odds = fitted.summary(level=0.9, exponentiate=True).frame
    np.testing.assert_allclose(odds["estimate"], np.exp(COEFFICIENTS), rtol=LAST_DIGIT)
    np.testing.assert_allclose(odds["conf_high"], np.exp(COEFFICIENTS + reach), rtol=R_LAGS * reach.max())


def test_how_well_they_fit_is_what_stata_says(fitted):
    fit = fitted.summary().fit_frame.iloc[0]
    here = {"log_likelihood": LOG_LIKELIHOOD, "deviance": DEVIANCE, "null_deviance": NULL_DEVIANCE, "aic": AIC}
    assert {name: fit[name] for name in here} == pytest.approx(here, rel=1e-11)
    ratio = NULL_DEVIANCE - DEVIANCE
    derived = {
        "n": 189, "df": 8, "lr_statistic": ratio, "lr_p_value": chi2.sf(ratio, 8), "mcfadden": ratio / NULL_DEVIANCE,
        "cox_snell": 1 - np.exp(-ratio / 189), "bic": DEVIANCE + 9 * np.log(189),
        "nagelkerke": (1 - np.exp(-ratio / 189)) / (1 - np.exp(-NULL_DEVIANCE / 189)),
    }  # fmt: skip
    assert {name: fit[name] for name in derived} == pytest.approx(derived, rel=1e-9)


def test_so_are_the_joint_test_and_the_residuals(fitted, births):
    joint = fitted.wald_test(["age", "lwt", "race", "smoke", "ptl", "ht", "ui"])
    assert (joint.statistic, joint.df) == (pytest.approx(WALD, rel=STATA_LAGS), 8)
    residuals = fitted.influence(*births)
    assert (residuals["residual_pearson"] ** 2).sum() == pytest.approx(PEARSON, rel=STATA_LAGS)
    assert (residuals["residual_deviance"] ** 2).sum() == pytest.approx(DEVIANCE, rel=1e-10)


def test_endometrial_cancer_has_the_deviances_of_r():
    with pytest.warns(match="'NV'"):
        clf = LogisticRegression(penalty=None).fit(*datasets.load_endometrial())
    fit = clf.summary().fit_frame.iloc[0]
    assert fit["null_deviance"] == pytest.approx(104.903, abs=5e-4)
    assert fit["deviance"] == pytest.approx(55.393, abs=5e-4)
    assert (fit["n"], fit["df"]) == (79, 3)  # 78 and 75 degrees of freedom are left
