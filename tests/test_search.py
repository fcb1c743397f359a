"""Steps: an advance is kept, an overshoot interpolated, a short step made up for, and the objective never rises."""

import numpy as np
import pytest

from logreg.objective import Point
from logreg.search import ROUNDING, judge
from logreg.sigmoid import logistic

ONE = np.ones(1)


def parabola(b):
    """Return the point at b of a parabola with its minimum at 1."""
    return Point(np.array([[b]]), np.array([0.5 * (b - 1) ** 2]), np.array([[b - 1.0]]))


def logistic_loss(b):
    """Return the point at b of a mean log-loss with 3 of 10 positive, whose minimum is at log(3/7)."""
    p = logistic(b)
    return Point(np.array([[b]]), np.array([np.logaddexp(0, b) - 0.3 * b]), np.array([[p - 0.3]]))


def try_step(curve, start, end, length=1.0, exact=False):
    """Judge a step from start to end that was taken at a length."""
    direction = np.array([[(end - start) / length]])
    accepted, after = judge(curve(start), curve(end), direction, np.array([length]), exact)
    return bool(accepted[0]), float(after[0])


def descend(curve, start, direction):
    """Return the trials until one is accepted, the last one included."""
    anchor, length, trials = curve(start), ONE, []
    while len(trials) < 100:
        trial = curve(start + length[0] * direction)
        trials.append(start + length[0] * direction)
        accepted, length = judge(anchor, trial, np.array([[direction]]), length)
        if accepted[0]:
            return trials
    raise AssertionError("no step was accepted")


@pytest.mark.parametrize("start", [-5.0, 0.0, 0.999, 1.001, 3.0])
def test_newton_step_on_a_parabola_is_accepted(start):
    assert try_step(parabola, start, 1.0) == (True, 1.0)


@pytest.mark.parametrize("start", [-1.5, -1.0, 0.0, 1.0])
def test_newton_step_near_the_minimum_of_a_log_loss_is_accepted(start):
    p = logistic(start)
    assert try_step(logistic_loss, start, start - (p - 0.3) / (p * (1 - p)))[0]


def test_short_steps_and_small_overshoots_are_advances():
    assert try_step(parabola, 0.0, 1e-6) == (True, 1.0)
    assert try_step(parabola, 0.0, 0.5) == (True, 1.0)
    assert try_step(parabola, 0.0, 1.4) == (True, 1.0)
    assert not try_step(parabola, 0.0, 1.6)[0]


@pytest.mark.parametrize("end", [1.6, 1.9, 2.5, 4.0])
def test_overshoot_is_rejected_and_the_next_trial_is_the_zero_of_the_slope(end):
    accepted, length = try_step(parabola, 0.0, end)
    assert not accepted
    assert length * end == pytest.approx(1.0)


@pytest.mark.parametrize("length", [1.0, 0.3, 1e-3])
def test_interpolation_shrinks_by_a_bounded_factor_whatever_the_length(length):
    for end in (1.51, 3.0, 1e2, 1e9):
        accepted, after = try_step(parabola, 0.0, end, length)
        assert not accepted
        assert 0.2 <= after / length <= 0.7
    assert try_step(parabola, 0.0, 1e9, length)[1] == pytest.approx(0.2 * length)


@pytest.mark.parametrize("start", [4.0, 8.0, 20.0, 30.0])
def test_newton_step_from_where_a_log_loss_is_saturated_is_cut_to_an_advance(start):
    p = logistic(start)
    direction = -(p - 0.3) / (p * (1 - p))
    trials = descend(logistic_loss, start, direction)
    assert len(trials) > 1
    assert logistic_loss(trials[-1]).value < logistic_loss(start).value


@pytest.mark.parametrize("seed", range(50))
def test_accepted_step_never_climbs(seed):
    random = np.random.default_rng(seed)
    for curve in (parabola, logistic_loss):
        start, size = random.normal(0, 3), random.exponential(5)
        direction = -np.sign(curve(start).gradient[0, 0]) * size
        end = descend(curve, start, direction)[-1]
        assert curve(end).value[0] <= curve(start).value[0] * (1 + ROUNDING)


def test_rise_is_rejected_whatever_the_slopes_say():
    anchor = parabola(0.0)
    for rise, accepted in ((0.5 * ROUNDING, True), (2 * ROUNDING, False), (1.0, False)):
        trial = parabola(0.9)._replace(value=anchor.value * (1 + rise))
        assert judge(anchor, trial, ONE[None], ONE)[0][0] == accepted


def test_slope_that_rounding_leaves_the_same_is_judged_without_a_warning():
    anchor = parabola(0.0)
    accepted, length = judge(anchor, anchor, ONE[None], ONE)  # a step that rounding swallowed
    assert accepted[0]
    assert length[0] == 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["value", "gradient"])
def test_trial_that_is_no_number_is_rejected_and_shrunk(part, value):
    trial = parabola(0.5)
    trial = trial._replace(**{part: np.full_like(getattr(trial, part), value)})
    for length in (1.0, 0.01):
        accepted, after = judge(parabola(0.0), trial, ONE[None], np.array([length]))
        assert not accepted[0]
        assert after[0] == pytest.approx(0.2 * length)


@pytest.mark.parametrize("share", [-0.4, 0.0, 1e-6, 0.1, 0.4, 0.75, 0.9, 1.0])
def test_newton_step_that_leaves_some_of_the_slope_lengthens_the_next(share):
    anchor, trial = parabola(0.0), parabola(0.5)._replace(gradient=np.full((1, 1), -share))
    accepted, length = judge(anchor, trial, ONE[None], ONE, exact=True)
    assert accepted[0]
    believed = min(max(share, 0.0), 0.75)
    square, all_of_it = (1 / (1 - believed**power) for power in (2.0, 1.0))
    assert square <= length[0] <= all_of_it  # exact for a slope that stays, and for one that falls as near an optimum
    assert judge(anchor, trial, ONE[None], ONE)[1][0] == 1.0


@pytest.mark.parametrize("exact", [False, True])
def test_each_model_is_judged_alone(exact):
    starts, ends = [0.0, 0.0, -3.0, 2.0], [1.0, 5.0, 1.0, 1.0]
    anchor, trial = (
        Point(*(np.hstack(parts) for parts in zip(*map(parabola, at), strict=True))) for at in (starts, ends)
    )
    direction, length = trial.B - anchor.B, np.array([1.0, 0.5, 1.0, 0.1])
    accepted, after = judge(anchor, trial, direction / length, length, exact)
    alone = [try_step(parabola, *step, exact) for step in zip(starts, ends, length, strict=True)]
    assert accepted.tolist() == [verdict for verdict, _ in alone] == [True, False, True, True]
    assert after.tolist() == [next_length for _, next_length in alone]


def test_model_at_its_optimum_is_no_hurdle():
    here = parabola(1.0)
    accepted, length = judge(here, here, np.zeros((1, 1)), ONE)
    assert accepted[0]
    assert length[0] == 1.0
