"""Fits without a penalty are those of R's glm on every data set, whose numbers tests/golden/glm.R wrote (R 4.2.2).

All are held to 1e-8. R's are its own to 1e-9 at least, the farthest off being p-values of the flights, whose times of
day nearly repeat each other; so nothing needs more room.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from logreg import LogisticRegression, datasets

GLM = json.loads((Path(__file__).parent / "golden" / "glm.json").read_text())
CLASSES = "_classes"  # ends the names of studies that take the class for a category, not for a number
COLUMNS = ["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]


@pytest.fixture(scope="module", params=list(GLM))
def study(request):
    """Return the summary of a data set, and R's numbers."""
    name, theirs = request.param, GLM[request.param]
    X, y, *weight = getattr(datasets, f"load_{name.removesuffix(CLASSES)}")()
    categories = ["class"] if name.endswith(CLASSES) else "auto"
    clf = LogisticRegression(penalty=None, tol=1e-12, categories=categories, inference=True)
    return clf.fit(X[theirs["columns"]], y, *weight).summary(), theirs


def test_every_data_set_is_there():
    loaded = {name.removeprefix("load_") for name in datasets.__all__}
    assert {name.removesuffix(CLASSES) for name in GLM} == loaded


def test_terms_are_those_of_r(study):
    ours, theirs = study
    terms = [term.replace("=", "") for term in ours.frame["term"]]
    assert terms == [term.replace("(Intercept)", "intercept") for term in theirs["terms"]]


@pytest.mark.parametrize("column", COLUMNS)
def test_coefficients_errors_tests_and_intervals_are_those_of_r(study, column):
    ours, theirs = study
    np.testing.assert_allclose(ours.frame[column], theirs[column], rtol=1e-8)


def test_logarithms_of_p_values_are_those_of_r(study):
    ours, theirs = study
    assert "log10_p_value" not in ours.frame  # no p-value is 0
    np.testing.assert_allclose(np.log(ours.frame["p_value"]), theirs["log_p_value"], rtol=1e-8)


def test_how_well_it_fits_is_that_of_r(study):
    ours, theirs = study
    fit = ours.fit_frame.iloc[0]
    assert {name: fit[name] for name in theirs["fit"]} == pytest.approx(theirs["fit"], rel=1e-10)
    assert (ours.title, ours.notes) == ("Logistic regression by maximum likelihood", [])
