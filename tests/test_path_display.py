"""The picture of a path shows its coefficients, names the largest, and counts those in use."""

import numpy as np
import pytest

from logreg import LogisticRegression, LogisticRegressionCV, logistic_path
from logreg.datasets import load_anes96, load_breast_cancer
from logreg.plots import PathDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def path():
    X, y = load_breast_cancer()
    return logistic_path((X - X.mean()) / X.std(), y, n_penalties=12, ratio=0.05)


def test_lines_are_the_coefficients_that_are_used(path):
    display = PathDisplay.from_path(path)
    lines = [line for line in display.ax_.get_lines() if len(line.get_xdata()) == 12]
    used = np.flatnonzero(path.coefs.toarray().any(axis=0))
    assert len(lines) == len(used)
    drawn = np.array([line.get_ydata() for line in lines])
    expected = path.coefs.toarray()[:, used].T
    np.testing.assert_allclose(drawn[np.lexsort(drawn.T)], expected[np.lexsort(expected.T)])
    np.testing.assert_allclose(lines[0].get_xdata(), path.penalties)
    assert display.ax_.get_xlim()[0] > display.ax_.get_xlim()[1]  # weaker penalties on the right


def test_the_largest_have_names(path):
    display = PathDisplay.from_path(path)
    last = np.abs(path.coefs[[-1]].toarray()[0])
    largest = [str(path.feature_names[j]) for j in np.argsort(-last, kind="stable")[:8]]
    shown = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert shown[0] == largest[0]
    assert set(shown) == set(largest)


def test_against_the_sum_of_sizes(path):
    display = PathDisplay.from_path(path, against="l1_norm")
    np.testing.assert_allclose(display.ax_.get_lines()[0].get_xdata(), abs(path.coefs).sum(axis=1))
    with pytest.raises(ValueError, match=r"^against must be one of penalty, C, l1_norm, got 'norm'\.$"):
        display.plot(against="norm")


def test_against_C_weaker_penalties_are_on_the_right_too(path):
    display = PathDisplay.from_path(path, against="C")
    np.testing.assert_allclose(display.ax_.get_lines()[0].get_xdata(), path.Cs)
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_xlim()[0] < display.ax_.get_xlim()[1]
    assert display.ax_.get_xlabel().startswith("C,")
    assert display.plot().ax_.get_xlabel() == "penalty"


def test_redrawn_on_given_axes(path):
    display = PathDisplay.from_path(path)
    _, axes = plt.subplots(1, 2)
    assert display.plot(ax=axes[1]).ax_ is axes[1]
    assert axes[1].has_data()
    assert not axes[0].has_data()


def test_a_path_in_any_order_and_one_of_nothing_but_zeros():
    X, y = load_breast_cancer()
    X = (X - X.mean()) / X.std()
    shuffled = PathDisplay.from_path(logistic_path(X, y, Cs=[0.1, 0.001, 0.01]))
    assert (np.diff(shuffled.penalties) < 0).all()
    empty = PathDisplay.from_path(logistic_path(X, y, Cs=[1e-6, 1e-7]))
    assert empty.coefs.shape == (2, 0)
    assert empty.ax_.get_legend() is None


@pytest.fixture(scope="module")
def cv():
    X, y = load_anes96()
    options = {"cv": 3, "standardize": True}
    return LogisticRegressionCV([1.0, 0.01, 0.1, 0.03], l1_ratios=[0.5, 1.0], **options).fit(X, y)


def line_of(display, name):
    """Return x and y of the line with this name."""
    (line,) = (line for line in display.ax_.get_lines() if line.get_label() == name)
    return line.get_xdata(), line.get_ydata()


def band_of(display, name):
    """Return the corners of the band in the colour of this name's line."""
    (line,) = (line for line in display.ax_.get_lines() if line.get_label() == name)
    colour = matplotlib.colors.to_rgba(line.get_color(), alpha=0.15)
    (band,) = (band for band in display.ax_.collections if tuple(band.get_facecolor()[0]) == colour)
    return band.get_paths()[0].vertices


@pytest.mark.parametrize("l1_ratio", [None, 0.5, 1.0])
def test_of_a_cross_validation_are_shown_the_means_over_the_folds_and_their_range(cv, l1_ratio):
    display = PathDisplay.from_cv(cv, l1_ratio=l1_ratio)
    ratio = cv.l1_ratios_.tolist().index(cv.l1_ratio_ if l1_ratio is None else l1_ratio)
    Cs, coefs = line_of(display, "PID")
    of_folds = cv.coefs_paths_[:, ratio, [1, 3, 2, 0], 0, list(cv.feature_names_in_).index("PID")]
    np.testing.assert_array_equal(Cs, [0.01, 0.03, 0.1, 1.0])
    np.testing.assert_allclose(coefs, of_folds.mean(axis=0))
    band = band_of(display, "PID")
    for C, low, high in zip(Cs, of_folds.min(axis=0), of_folds.max(axis=0), strict=True):
        heights = band[band[:, 0] == C, 1]
        np.testing.assert_allclose([heights.min(), heights.max()], [low, high])


def test_a_fit_without_an_intercept_and_the_old_layout_draw_the_same_columns():
    X, y = load_anes96()
    shown = []
    for legacy in (False, True):
        options = {"fit_intercept": False, "standardize": True, "use_legacy_attributes": legacy}
        shown.append(PathDisplay.from_cv(LogisticRegressionCV(4, cv=3, **options).fit(X, y)))
    assert shown[0].names == list(X.columns)
    np.testing.assert_array_equal(shown[0].folds, shown[1].folds)
    assert shown[0].coefs.shape == (4, 9)


def test_coefficients_are_counted_where_their_number_changes(cv):
    X, y = load_anes96()
    assert PathDisplay.from_cv(cv).ax_.child_axes
    assert not PathDisplay.from_cv(LogisticRegressionCV(3, cv=2, standardize=True).fit(X, y)).ax_.child_axes


def test_no_penalty_at_all_has_no_place_on_the_axis():
    X, y = load_anes96()
    display = PathDisplay.from_cv(LogisticRegressionCV([np.inf, 0.1, 1.0], cv=2, standardize=True).fit(X, y))
    np.testing.assert_array_equal(line_of(display, "PID")[0], [0.1, 1.0])
    with pytest.raises(ValueError, match=r"^No C is finite, .* pass finite Cs to LogisticRegressionCV\.$"):
        PathDisplay.from_cv(LogisticRegressionCV(penalty=None, cv=2).fit(X, y))


def test_what_a_cross_validation_does_not_know_is_refused(cv):
    with pytest.raises(ValueError, match=r"^against must be one of C, l1_norm, got 'penalty'\.$"):
        PathDisplay.from_cv(cv, against="penalty")
    with pytest.raises(ValueError, match=r"^l1_ratio must be one of 0\.5, 1, got 0\.7\.$"):
        PathDisplay.from_cv(cv, l1_ratio=0.7)
    with pytest.raises(TypeError, match=r"of a LogisticRegressionCV, got LogisticRegression;"):
        PathDisplay.from_cv(LogisticRegression())
    assert not plt.get_fignums()
