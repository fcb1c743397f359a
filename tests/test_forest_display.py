"""The picture of a table has a point and a bar a term, arrows where an interval has no end, and a line at no effect."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from logreg import LogisticRegression
from logreg.datasets import load_anes96, load_endometrial
from logreg.plots import ForestDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def clf():
    return LogisticRegression(penalty=None).fit(*load_anes96())


def table(*rows):
    return pd.DataFrame(rows, columns=["term", "estimate", "conf_low", "conf_high"])


def points(display):
    """Return the points as {name: estimate}."""
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    (line,) = (line for line in display.ax_.get_lines() if line.get_marker() == "o")
    return {names[int(row)]: x for x, row in zip(*line.get_data(), strict=True)}


def bars(display):
    """Return the bars as {name: [from, to]}."""
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    (found,) = display.ax_.collections
    drawn = [segment for segment in found.get_segments() if len(segment)]
    return {names[int(row)]: [x, end] for (x, row), (end, _) in drawn}


def arrows(display):
    """Return the arrows as {name: edge}, of the left ones and of the right ones."""
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    lines = {line.get_marker(): line.get_data() for line in display.ax_.get_lines()}
    return [
        {names[int(row)]: x for x, row in zip(*lines[marker], strict=True)}
        for marker in (matplotlib.markers.CARETLEFT, matplotlib.markers.CARETRIGHT)
    ]


def line_of_no_effect(display):
    """Return where the vertical line is."""
    (line,) = (line for line in display.ax_.get_lines() if line.get_transform() == display.ax_.get_xaxis_transform())
    return line.get_xdata()


def test_a_row_a_term_from_the_top_down_without_the_intercept(clf):
    display, frame = ForestDisplay.from_summary(clf.summary()), clf.summary().frame.set_index("term").iloc[1:]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == list(load_anes96()[0].columns)
    assert display.ax_.yaxis_inverted()
    assert points(display) == pytest.approx(frame["estimate"].to_dict())
    for name, ends in bars(display).items():
        assert ends == pytest.approx(frame.loc[name, ["conf_low", "conf_high"]].tolist())
    assert len(bars(display)) == len(frame)
    assert arrows(display) == [{}, {}]
    assert line_of_no_effect(display) == [0.0, 0.0]
    assert display.ax_.get_xlabel() == "estimate"
    left, right = display.ax_.get_xlim()
    assert left < frame["conf_low"].min()
    assert right > frame["conf_high"].max()


def test_any_table_with_intervals_will_do(clf):
    X, y = load_anes96()
    for frame in (clf.conf_int(X, y, method="profile"), clf.marginal_effects(X)):
        drawn = frame[frame["term"] != "intercept"].set_index("term")["estimate"]
        assert points(ForestDisplay.from_summary(frame)) == pytest.approx(drawn.to_dict())


def test_odds_ratios_have_a_logarithmic_axis_and_the_line_at_1(clf):
    display, frame = ForestDisplay.from_summary(clf.summary(exponentiate=True), odds=True), clf.summary().frame
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_xlabel() == "odds ratio"
    assert line_of_no_effect(display) == [1.0, 1.0]
    assert points(display) == pytest.approx(np.exp(frame.set_index("term")["estimate"].iloc[1:]).to_dict())
    ends = np.exp(frame.set_index("term").loc["PID", ["conf_low", "conf_high"]].to_numpy(dtype=float))
    assert bars(display)["PID"] == pytest.approx(ends.tolist())


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.8, 1.21, ["0.8", "0.9", "1", "1.1", "1.2"]),
        (0.4, 2.6, ["0.5", "1", "1.5", "2", "2.5"]),
        (0.3, 12.0, ["0.3", "0.5", "1", "2", "3", "5", "10"]),
        (0.02, 90.0, ["0.1", "1", "10", "100"]),
        (1e-9, 1e9, ["1e-09", "1e-06", "0.001", "1", "1000", "1e+06", "1e+09"]),
    ],
)
def test_ticks_of_odds_ratios_are_round_and_few(low, high, shown):
    ax = ForestDisplay.from_summary(table(("a", 1.0, low, high)), odds=True).ax_
    assert [label.get_text() for label in ax.get_xticklabels()] == shown
    assert [float(text) for text in shown] == pytest.approx(ax.get_xticks())
    assert not ax.get_xticks(minor=True).size


def test_an_interval_without_an_end_is_an_arrow_to_the_edge():
    endless = table(("below", -1.0, -np.inf, 0.5), ("above", np.inf, 0.25, np.inf), ("both", 0.0, -np.inf, np.inf))
    display = ForestDisplay.from_summary(endless)
    left, right = display.ax_.get_xlim()
    assert -2.0 < left < -1.0
    assert 0.5 < right < 1.0
    assert bars(display) == {"below": [left, 0.5], "above": [0.25, right], "both": [left, right]}
    assert arrows(display) == [{"below": left, "both": left}, {"above": right, "both": right}]
    assert points(display) == {"below": -1.0, "both": 0.0}


def test_odds_ratios_of_0_and_infinity_are_arrows_too():
    numbers = np.exp([[-1.0, -np.inf, 0.5], [np.inf, 0.25, np.inf]])
    display = ForestDisplay.from_summary(table(("below", *numbers[0]), ("above", *numbers[1])), odds=True)
    left, right = display.ax_.get_xlim()
    assert 0.0 < left < numbers[0, 0]
    assert numbers[0, 2] < right < 2.0
    assert arrows(display) == [pytest.approx({"below": left}), pytest.approx({"above": right})]
    assert bars(display)["below"] == pytest.approx([left, numbers[0, 2]])
    assert points(display) == pytest.approx({"below": numbers[0, 0]})


def test_odds_ratios_at_the_end_of_floats_can_be_drawn():
    display = ForestDisplay.from_summary(table(("a", 1.0, 1e-305, 1e305)), odds=True)
    assert display.ax_.get_xlim() == pytest.approx((1e-300, 1e300))
    assert arrows(display) == [{}, {}]
    display.figure_.draw_without_rendering()


def test_a_separated_column_is_an_arrow_from_where_its_profile_interval_begins():
    X, y = load_endometrial()
    with pytest.warns(ConvergenceWarning):
        clf = LogisticRegression(penalty=None).fit(X, y)
    intervals = clf.conf_int(X, y, method="profile")
    display = ForestDisplay.from_summary(intervals)
    assert arrows(display) == [{}, {"NV": display.ax_.get_xlim()[1]}]
    assert bars(display)["NV"] == pytest.approx(
        [intervals.set_index("term").loc["NV", "conf_low"], arrows(display)[1]["NV"]]
    )


def test_a_term_without_an_estimate_is_left_out_and_one_without_an_interval_is_a_point():
    nan = np.nan
    display = ForestDisplay.from_summary(table(("a", 1.0, 0.5, 1.5), ("aliased", nan, nan, nan), ("b", 2.0, nan, nan)))
    assert display.terms == ["a", "b"]
    assert points(display) == {"a": 1.0, "b": 2.0}
    assert bars(display) == {"a": [0.5, 1.5]}
    assert arrows(display) == [{}, {}]


def test_a_table_of_nothing_but_an_intercept_has_no_rows():
    display = ForestDisplay.from_summary(table(("intercept", 1.0, 0.5, 1.5)))
    assert display.terms == []
    assert points(display) == {}


def test_redrawn_on_given_axes(clf):
    display = ForestDisplay.from_summary(clf.summary())
    _, axes = plt.subplots(1, 2)
    assert display.plot(ax=axes[1]).ax_ is axes[1]
    assert len(points(display)) == 9
    assert not axes[0].has_data()
    assert display.plot().figure_ is not axes[1].figure


def test_a_new_figure_is_as_high_as_its_rows_need_and_given_ones_stay_as_they_are():
    few, many = (table(*[(f"x{j}", 1.0, 0.0, 2.0) for j in range(count)]) for count in (3, 40))
    heights = [ForestDisplay.from_summary(frame).figure_.get_figheight() for frame in (few, many)]
    assert heights[1] > 5.0 * heights[0]
    figure, ax = plt.subplots(figsize=(4.0, 3.0))
    ForestDisplay.from_summary(many, ax=ax)
    assert figure.get_figheight() == 3.0


def test_what_is_no_table_of_estimates_is_refused(clf):
    with pytest.raises(ValueError, match=r"^The table has no column 'conf_low'; pass one with term, estimate, "):
        ForestDisplay.from_summary(clf.coef_frame()[["term", "estimate"]])
    with pytest.raises(ValueError, match=r"^Odds ratios are not negative; pass exponentiated estimates, "):
        ForestDisplay.from_summary(clf.summary(), odds=True)
    assert not plt.get_fignums()
