"""The picture of a cross-validation shows held-out scores, how sure they are, and what there is to choose."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import make_scorer, recall_score

from logreg import LogisticRegression, LogisticRegressionCV
from logreg.datasets import load_anes96
from logreg.plots import CVDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

CS = [1.0, 0.01, 0.1, 0.03, 10.0]
ASCENDING = np.argsort(CS)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def fitted(**options):
    options = {"Cs": CS, "cv": 4, "standardize": True} | options
    return LogisticRegressionCV(**options).fit(*load_anes96())


@pytest.fixture(scope="module")
def cv():
    return fitted()


@pytest.fixture(scope="module")
def several():
    return fitted(l1_ratios=[0.0, 1.0])


def curves(display):
    """Return the lines that are not marks."""
    return [line for line in display.ax_.get_lines() if line.get_marker() == "o"]


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def mark(display, name):
    """Return where the line of a choice stands."""
    (line,) = (line for line in display.ax_.get_lines() if line.get_label().startswith(name))
    x = set(line.get_xdata())
    assert len(x) == 1
    return x.pop()


def test_the_curve_is_the_mean_score_against_C(cv):
    display = CVDisplay.from_estimator(cv)
    (curve,) = curves(display)
    np.testing.assert_array_equal(curve.get_xdata(), np.sort(CS))
    np.testing.assert_allclose(curve.get_ydata(), cv.cv_results_["mean_test_score"][ASCENDING])
    assert display.ax_.get_xscale() == "log"


def test_the_band_is_one_standard_error_either_side(cv):
    (band,) = CVDisplay.from_estimator(cv).ax_.collections
    corners = band.get_paths()[0].vertices
    mean, error = cv.scores_[:, 0].mean(axis=0), cv.scores_[:, 0].std(axis=0, ddof=1) / 4**0.5
    for c, C in enumerate(CS):
        heights = corners[corners[:, 0] == C, 1]
        np.testing.assert_allclose([heights.min(), heights.max()], [mean[c] - error[c], mean[c] + error[c]])


@pytest.mark.parametrize("l1_ratios", [[0.0], [0.0, 1.0]])
def test_the_marks_are_where_either_selection_goes(l1_ratios):
    options = {"Cs": np.geomspace(1.0, 0.01, 9), "l1_ratios": l1_ratios}
    best, largest = (fitted(**options, select=select) for select in ("best", "1se"))
    assert largest.C_ < best.C_
    for cv in (best, largest):
        display = CVDisplay.from_estimator(cv)
        assert mark(display, "best") == best.C_
        assert mark(display, "within one standard error") == largest.C_


def test_the_legend_says_the_Cs_and_tells_curves_apart_where_there_are_several(cv, several):
    assert legend(CVDisplay.from_estimator(cv))[0] == f"best: C = {cv.C_:.3g}"
    display = CVDisplay.from_estimator(several)
    assert legend(display)[:3] == [
        "l1_ratio = 0",
        "l1_ratio = 1",
        f"best: C = {several.C_:.3g}, l1_ratio = {several.l1_ratio_:g}",
    ]
    for i, curve in enumerate(curves(display)):
        np.testing.assert_allclose(curve.get_ydata(), several.scores_[:, i].mean(axis=0)[ASCENDING])


@pytest.mark.parametrize("l1_ratios", [None, [0.3], [0.0, 1.0]])
def test_the_old_layout_draws_the_same(l1_ratios):
    new, old = (
        CVDisplay.from_estimator(fitted(l1_ratios=l1_ratios, use_legacy_attributes=legacy)) for legacy in (False, True)
    )
    np.testing.assert_array_equal(new.scores, old.scores)
    assert legend(new) == legend(old)
    assert mark(new, "best") == mark(old, "best")


@pytest.mark.parametrize(
    ("scoring", "name"),
    [
        ("neg_brier_score", "neg_brier_score"),
        (None, "accuracy"),
        (make_scorer(recall_score), "score"),
        (lambda fitted, X, y: fitted.score(X, y), "<lambda>"),
    ],
)
def test_the_vertical_axis_has_the_name_of_the_score(scoring, name):
    assert CVDisplay.from_estimator(fitted(scoring=scoring)).ax_.get_ylabel() == f"{name} (held-out rows)"


def test_one_fold_has_no_standard_error():
    rows = np.arange(944)
    display = CVDisplay.from_estimator(fitted(cv=[(rows[::2], rows[1::2])]))
    assert not display.ax_.collections
    assert [text.split(":")[0] for text in legend(display)] == ["best"]


def test_no_penalty_at_all_has_no_place_on_the_axis():
    scores = np.array([[[-0.3, -0.1, -0.15]], [[-0.5, -0.3, -0.35]]])
    display = CVDisplay(scores=scores, Cs=[1.0, np.inf, 0.1], l1_ratios=[0.0], scoring="neg_log_loss").plot()
    (curve,) = curves(display)
    assert curve.get_xdata().tolist() == [0.1, 1.0]
    assert legend(display) == ["best: C = inf", "within one standard error: C = 0.1"]
    (best,) = (line for line in display.ax_.get_lines() if line.get_label() == "best: C = inf")
    np.testing.assert_allclose(best.get_ydata(), -0.2)
    with pytest.raises(ValueError, match=r"^No C is finite, .* pass finite Cs to LogisticRegressionCV\.$"):
        CVDisplay.from_estimator(LogisticRegressionCV(penalty=None, cv=2).fit(*load_anes96()))


def test_one_C_is_a_point():
    display = CVDisplay.from_estimator(fitted(Cs=[0.5]))
    display.figure_.canvas.draw()
    assert mark(display, "best") == mark(display, "within") == 0.5


def test_redrawn_on_given_axes(cv):
    figure, (left, right) = plt.subplots(1, 2)
    display = CVDisplay.from_estimator(cv, ax=right)
    assert (display.ax_, display.figure_) == (right, figure)
    assert not left.has_data()
    assert display.plot().ax_ not in (left, right)


def test_other_estimators_and_those_not_fitted_are_refused():
    with pytest.raises(TypeError, match=r"of a LogisticRegressionCV, got LogisticRegression; pass one, fitted\.$"):
        CVDisplay.from_estimator(LogisticRegression())
    with pytest.raises(NotFittedError):
        CVDisplay.from_estimator(LogisticRegressionCV())
