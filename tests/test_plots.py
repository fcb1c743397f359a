import subprocess
import sys

import numpy as np
import pytest

from logreg.plots import SigmoidDisplay
from logreg.sigmoid import SCurve, arctan, logistic, tanh

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

CURVES = [logistic, tanh, arctan]
EVERY_CURVE = pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")
    yield
    plt.close("all")


def lines_by_label(ax):
    return {line.get_label(): line for line in ax.lines}


@EVERY_CURVE
def test_the_curve_is_black_and_its_derivative_red_and_dashed(curve):
    lines = lines_by_label(SigmoidDisplay.from_curve(curve).ax_)
    value, derivative = lines[curve.name], lines["its derivative"]
    assert (value.get_color(), value.get_linestyle()) == ("black", "-")
    assert (derivative.get_color(), derivative.get_linestyle()) == ("red", "--")
    x = value.get_xdata()
    assert (x[0], x[-1]) == (-10.0, 10.0)
    np.testing.assert_array_equal(value.get_ydata(), curve(x))
    np.testing.assert_array_equal(derivative.get_ydata(), curve.derivative(curve(x)))


@EVERY_CURVE
def test_the_axes_go_through_the_origin_and_everything_is_labelled(curve):
    ax = SigmoidDisplay.from_curve(curve).ax_
    assert ax.spines["left"].get_position() == ax.spines["bottom"].get_position() == "zero"
    assert not ax.spines["right"].get_visible()
    assert not ax.spines["top"].get_visible()
    assert ax.get_xlim() == (-10.0, 10.0)
    assert ax.get_xlabel() == "x"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [curve.name, "its derivative"]
    assert set(curve.range) - {0.0} <= set(ax.get_yticks())


@EVERY_CURVE
def test_a_curve_can_be_given_by_name(curve):
    named = SigmoidDisplay.from_curve(curve.name)
    np.testing.assert_array_equal(named.value, SigmoidDisplay.from_curve(curve).value)
    assert named.name == curve.name


def test_the_default_is_the_logistic():
    assert SigmoidDisplay.from_curve().name == "logistic"


def test_a_curve_of_ones_own_can_be_drawn():
    halved = SCurve("half", (0.0, 0.5), lambda x: logistic(x) / 2, lambda v: v * (1 - 2 * v), logistic, logistic)
    assert lines_by_label(SigmoidDisplay.from_curve(halved).ax_)["half"].get_ydata().max() < 0.5


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no S-curve named 'probit': choose one of logistic, tanh, arctan"):
        SigmoidDisplay.from_curve("probit")


def test_given_axes_are_drawn_on_and_no_figure_is_made():
    figure, (left, right) = plt.subplots(1, 2)
    display = SigmoidDisplay.from_curve("tanh", ax=right)
    assert display.ax_ is right
    assert display.figure_ is figure
    assert "tanh" in lines_by_label(right)
    assert not left.lines
    assert len(plt.get_fignums()) == 1


def test_a_display_can_be_drawn_again_elsewhere():
    display = SigmoidDisplay.from_curve("logistic")
    first = display.ax_
    assert display.plot() is display
    assert display.ax_ is not first
    assert display.figure_ is display.ax_.figure
    assert lines_by_label(first).keys() == lines_by_label(display.ax_).keys()


def test_the_constructor_stores_and_draws_nothing():
    display = SigmoidDisplay(x=[-1.0, 1.0], value=[0.2, 0.8], derivative=[0.1, 0.1], range=(0, 1), name="two points")
    assert not hasattr(display, "ax_")
    assert not plt.get_fignums()
    assert lines_by_label(display.plot().ax_)["two points"].get_ydata().tolist() == [0.2, 0.8]


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "logreg\[plot\]"'):
        SigmoidDisplay.from_curve("logistic")


def test_importing_the_displays_does_not_import_matplotlib():
    code = "import logreg.plots, sys; print('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
