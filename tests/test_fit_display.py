import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import binomtest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from logreg import LogisticRegression, logistic
from logreg.datasets import load_anes96, load_nhefs, load_orings, load_penguins
from logreg.plots import FitDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def orings():
    X, y = load_orings()
    return LogisticRegression(penalty=None).fit(X, y), X, y


@pytest.fixture(scope="module")
def nhefs():
    X, y = load_nhefs()
    return LogisticRegression(penalty=None).fit(X, y), X, y


def line(display, label):
    """Return x and y of the one line with this label."""
    (found,) = (line for line in display.ax_.lines if line.get_label() == label)
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def mixed_pipeline(classifier):
    """Return a pipeline for columns of words and numbers."""
    words = make_column_selector(dtype_exclude="number")
    numbers = make_column_selector(dtype_include="number")
    return make_pipeline(make_column_transformer((OneHotEncoder(), words), (StandardScaler(), numbers)), classifier)


def test_one_column_is_drawn_as_the_sigmoid_of_its_scores(orings):
    clf, X, y = orings
    x, probability = line(FitDisplay.from_estimator(clf, X, y), "fitted probability")
    assert (x[0], x[-1]) == (53, 81)
    np.testing.assert_allclose(probability, logistic(clf.coef_[0, 0] * x + clf.intercept_[0]), rtol=1e-12)


def test_every_launch_is_a_point_at_its_temperature_beside_its_outcome(orings):
    clf, X, y = orings
    x, height = line(FitDisplay.from_estimator(clf, X, y), "observed")
    np.testing.assert_array_equal(x, X["Temperature"])
    np.testing.assert_array_equal(height > 0.5, y == 1)
    off = np.where(y == 1, height - 1, -height)
    assert ((off > 0) & (off < 0.08)).all()  # off the curve's range, inside the axes
    assert len(set(off)) == len(off)  # equal launches do not hide each other


def test_two_drawings_of_the_same_rows_are_the_same(orings):
    first, second = (line(FitDisplay.from_estimator(*orings), "observed") for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_axes_are_named_by_the_column_and_the_positive_class(orings):
    clf, X, y = orings
    ax = FitDisplay.from_estimator(clf, X, y).ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Temperature", "probability of distress = 1")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["observed", "fitted probability"]
    words = np.where(y, "damaged", "sound")
    unnamed = LogisticRegression().fit(X.to_numpy(), words)
    ax = FitDisplay.from_estimator(unnamed, X.to_numpy(), words).ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("column 0", "probability of sound")


def test_other_numeric_columns_are_held_at_their_mean(nhefs):
    clf, X, y = nhefs
    x, probability = line(FitDisplay.from_estimator(clf, X, y, feature="age"), "fitted probability")
    slopes = pd.Series(clf.coef_[0], X.columns)
    scores = slopes @ X.mean() + slopes["age"] * (x - X["age"].mean()) + clf.intercept_[0]
    np.testing.assert_allclose(probability, logistic(scores), rtol=1e-10)


def test_words_are_held_at_the_most_frequent():
    X, y = load_penguins()
    pipeline = mixed_pipeline(LogisticRegression()).fit(X, y)
    x, probability = line(FitDisplay.from_estimator(pipeline, X, y, feature="body_mass_g"), "fitted probability")
    held = {name: X[name].mean() for name in X.columns[2:]}
    typical = pd.DataFrame({"species": "Adelie", "island": "Biscoe", **held, "body_mass_g": x})[X.columns]
    np.testing.assert_allclose(probability, pipeline.predict_proba(typical)[:, 1], rtol=1e-10)


def test_categories_reach_the_estimator_as_categories():
    X, y = load_penguins()
    seen = []

    class Watchful(SklearnLogisticRegression):
        def predict_proba(self, X):
            seen.append(X.dtypes.to_dict())
            return super().predict_proba(X[["body_mass_g"]])

    FitDisplay.from_estimator(Watchful(C=1e-6).fit(X[["body_mass_g"]], y), X, y, feature="body_mass_g")
    assert {name: seen[0][name] for name in ("species", "island")} == {
        name: X[name].dtype for name in ("species", "island")
    }


KINDS = {
    "array": pd.DataFrame.to_numpy,
    "list": lambda X: X.to_numpy().tolist(),
    "polars": lambda X: pl.DataFrame(X.to_dict("list")),
}


@pytest.mark.parametrize("convert", KINDS.values(), ids=KINDS.keys())
def test_every_kind_of_table_draws_the_same(convert):
    X, y = load_anes96()
    given = convert(X)
    fitted = LogisticRegression(penalty=None, tol=1e-8)
    displays = [FitDisplay.from_estimator(fitted.fit(table, y), table, y, feature=5) for table in (X, given)]
    for label in ("fitted probability", "observed share, 95 % interval"):
        first, second = (line(display, label) for display in displays)
        np.testing.assert_allclose(first, second, rtol=1e-9)


@pytest.mark.parametrize("feature", ["age", 3, -12, np.int64(3)])
def test_a_column_is_meant_by_name_or_position(nhefs, feature):
    clf, X, y = nhefs
    assert X.columns[3] == "age"
    display, named = (FitDisplay.from_estimator(clf, X, y, feature=meant) for meant in (feature, "age"))
    assert display.ax_.get_xlabel() == "age"
    np.testing.assert_array_equal(line(display, "fitted probability"), line(named, "fitted probability"))


def test_a_search_over_pipelines_can_be_drawn(orings):
    _, X, y = orings
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 10]})
    x, probability = line(FitDisplay.from_estimator(search.fit(X, y), X, y), "fitted probability")
    expected = search.predict_proba(pd.DataFrame({"Temperature": x}))[:, 1]
    np.testing.assert_array_equal(probability, expected)


def test_many_rows_are_shown_as_shares_of_groups_with_wilson_intervals(nhefs):
    clf, X, y = nhefs
    display = FitDisplay.from_estimator(clf, X, y, feature="wt71")
    x, share = line(display, "observed share, 95 % interval")
    assert len(x) == 20
    first = X["wt71"] <= np.quantile(X["wt71"], 0.05)
    assert x[0] == pytest.approx(X["wt71"][first].mean())
    assert share[0] == pytest.approx(y[first].mean())
    bar = next(line for line in display.ax_.lines if np.allclose(line.get_xdata(), x[0]) and len(line.get_xdata()) == 2)
    interval = binomtest(int(y[first].sum()), int(first.sum())).proportion_ci(method="wilson")
    np.testing.assert_allclose(bar.get_ydata(), [interval.low, interval.high])


@pytest.mark.parametrize("feature", ["qsmk", "education"])
def test_each_value_of_a_column_of_few_values_is_a_group(nhefs, feature):
    clf, X, y = nhefs
    x, share = line(FitDisplay.from_estimator(clf, X, y, feature=feature), "observed share, 95 % interval")
    expected = y.groupby(X[feature]).mean()
    np.testing.assert_allclose(x, expected.index)
    np.testing.assert_allclose(share, expected)


@pytest.mark.parametrize(("n_rows", "label"), [(300, "observed"), (301, "observed share, 95 % interval")])
def test_up_to_300_rows_are_points_and_more_are_shares(nhefs, n_rows, label):
    clf, X, y = nhefs
    display = FitDisplay.from_estimator(clf, X[:n_rows], y[:n_rows], feature="age")
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [label, "fitted probability"]


def test_missing_values_of_the_column_are_left_out_of_the_picture(orings):
    clf, X, y = orings
    X, y = pd.concat([X] * 20, ignore_index=True), np.tile(y, 20)
    gaps = X.assign(Temperature=X["Temperature"].where(X.index % 7 > 0))
    some, whole = (
        FitDisplay.from_estimator(clf, gaps, y),
        FitDisplay.from_estimator(clf, gaps.dropna(), y[X.index % 7 > 0]),
    )
    for label in ("fitted probability", "observed share, 95 % interval"):
        np.testing.assert_array_equal(line(some, label), line(whole, label))


def test_given_axes_are_drawn_on_and_no_figure_is_made(orings):
    figure, (left, right) = plt.subplots(1, 2)
    display = FitDisplay.from_estimator(*orings, ax=right)
    assert display.ax_ is right
    assert display.figure_ is figure
    assert not left.lines
    assert len(plt.get_fignums()) == 1


def test_a_display_can_be_drawn_again_elsewhere(orings):
    display = FitDisplay.from_estimator(*orings)
    first, before = display.ax_, line(display, "observed")
    assert display.plot() is display
    assert display.ax_ is not first
    assert display.figure_ is display.ax_.figure
    np.testing.assert_array_equal(line(display, "observed"), before)


def test_the_constructor_stores_and_draws_nothing():
    display = FitDisplay(
        x=[0.0, 1.0], probability=[0.2, 0.8], observed=[0.0, 1.0], outcomes=[False, True], feature="u", positive="v"
    )
    assert not hasattr(display, "ax_")
    assert not plt.get_fignums()
    assert line(display.plot(), "fitted probability")[1].tolist() == [0.2, 0.8]
    assert display.ax_.get_ylabel() == "probability of v"


def test_with_several_columns_one_must_be_named(nhefs):
    clf, X, y = nhefs
    with pytest.raises(ValueError, match=r"15 columns.* which one .*'qsmk', 'sex', .*'alcoholfreq'\."):
        FitDisplay.from_estimator(clf, X, y)


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ("smokeyears", "no column 'smokeyears'.*did you mean 'smokeyrs'?"),
        ("zzz", "no column 'zzz': choose one of 'qsmk', .*'alcoholfreq'."),
        (15, "no column 15: choose one of 'qsmk'"),
        (-16, "no column -16: choose one of 'qsmk'"),
    ],
)
def test_an_unknown_column_is_refused_with_the_nearest_name(nhefs, feature, message):
    with pytest.raises(ValueError, match=message):
        FitDisplay.from_estimator(*nhefs, feature=feature)


def test_a_column_of_words_has_no_curve():
    X, y = load_penguins()
    pipeline = mixed_pipeline(LogisticRegression()).fit(X, y)
    with pytest.raises(ValueError, match=r"'species' is not numeric \(category\)"):
        FitDisplay.from_estimator(pipeline, X, y, feature="species")


def test_outcomes_of_other_classes_are_refused(orings):
    clf, X, y = orings
    with pytest.raises(ValueError, match=r"the two classes of the estimator, which knows \[0, 1\]"):
        FitDisplay.from_estimator(clf, X, y + 1)


def test_three_classes_are_refused():
    X, _ = load_penguins()
    three = SklearnLogisticRegression().fit(X[["year"]], X["species"])
    with pytest.raises(ValueError, match=r"two classes .*'Adelie', 'Chinstrap', 'Gentoo'"):
        FitDisplay.from_estimator(three, X[["year"]], X["species"])


def test_rows_and_outcomes_of_different_lengths_are_refused(orings):
    clf, X, y = orings
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[23, 22\]"):
        FitDisplay.from_estimator(clf, X, y[1:])


def test_an_estimator_that_is_not_fitted_is_refused(orings):
    _, X, y = orings
    with pytest.raises(NotFittedError):
        FitDisplay.from_estimator(LogisticRegression(), X, y)


def test_an_estimator_without_probabilities_is_refused(orings):
    _, X, y = orings
    with pytest.raises(AttributeError, match="predict_proba"):
        FitDisplay.from_estimator(LinearSVC().fit(X, y), X, y)


def test_without_matplotlib_the_error_says_what_to_install(orings, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "logreg\[plot\]"'):
        FitDisplay.from_estimator(*orings)
