"""The picture of a path shows its coefficients, names the largest, and counts those in use."""

import numpy as np
import pytest

from logreg import logistic_path
from logreg.datasets import load_breast_cancer
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
    with pytest.raises(ValueError, match=r"^against must be one of penalty, l1_norm, got 'C'\."):
        display.plot(against="C")


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
