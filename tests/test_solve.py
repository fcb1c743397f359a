"""The loop: it reaches optima that are known beforehand to the distance it promises, and tells the truth on the way."""

import numpy as np
import pytest

from logreg.descent import Descent
from logreg.penalty import Ridge
from logreg.preconditioner import Diagonal, FullCurvature, Identity
from logreg.rows import MemoryRows
from logreg.sampled import SampledCurvature
from logreg.sigmoid import logistic
from logreg.solve import NonFiniteSumsError, solve
from logreg.stop import Limits, Status

PRECONDITIONERS = {
    "newton": lambda rows: FullCurvature(1),
    "sampled": lambda rows: SampledCurvature(1, rows, max(rows.n_rows // 5, 20 * rows.n_columns), seed=0),
    "diagonal": lambda rows: Diagonal(),
    "textbook": lambda rows: Identity(FullCurvature(1)),
    "textbook, diagonal ruler": lambda rows: Identity(Diagonal()),
}
EVERY_PRECONDITIONER = pytest.mark.parametrize("make", PRECONDITIONERS.values(), ids=PRECONDITIONERS)


def independent(random):
    return random.standard_normal((800, 6))


def correlated(random):
    return random.standard_normal((800, 10)) @ np.linalg.cholesky(0.95 + 0.05 * np.eye(10)).T


def badly_scaled(random):
    X = random.standard_normal((800, 6)) @ (np.eye(6) + 0.3 * random.standard_normal((6, 6)))
    return (X + 10 * random.standard_normal(6)) * 10.0 ** np.array([-6, 3, 0, 6, -3, 1])


def one_hot(random):
    return np.hstack([np.eye(k)[random.integers(0, k, 1_500)][:, 1:] for k in (12, 8)])


def wide(random):
    return random.standard_normal((50, 200))


DESIGNS = [independent, correlated, badly_scaled, one_hot]


class Known:
    """Rows whose optimum is known: every x occurs with both outcomes, at shares that make the gradient there 0.

    Without a penalty the share of positives at x is sigmoid(x.w + b). With one of total strength L, the optimum is
    w = X'a for some a that adds up to 0, and the share exceeds sigmoid(x.w + b) by L * a.
    """

    def __init__(self, design, penalised, intercept=True):
        random = np.random.default_rng(1)
        X = design(random)
        n, d = X.shape
        scores = (X - X.mean(axis=0)) / X.std(axis=0) @ random.standard_normal(d) / np.sqrt(d)
        if penalised:
            a = 2 * (scores - scores.mean()) / np.linalg.norm(X - X.mean(axis=0), 2) ** 2
            w = X.T @ a
        else:
            a = np.zeros(n)
            w = random.standard_normal(d) / X.std(axis=0) / np.sqrt(d)
        b = (0.4 - X.mean(axis=0) @ w) * intercept
        p = logistic(X @ w + b)
        total = 0.5 * (np.minimum(p, 1 - p) / np.abs(a)).min() if penalised else 0.0
        share = p + total * a
        y, weight = np.tile([1, 0], n).astype(np.int8), np.column_stack([share, 1 - share]).ravel()
        self.rows = MemoryRows(np.repeat(X, 2, axis=0), y, weight, origin="auto" if intercept else None)
        self.intercept, self.strength = intercept, total / n
        self.optimum = self.rows.from_user_units(np.append(w, b)[:, None])

    def solve(self, make, limits, start=None):
        start = np.zeros_like(self.optimum) if start is None else start
        descent = Descent(make(self.rows))
        return solve(self.rows, Ridge(np.array([self.strength])), start, descent, limits, intercept=self.intercept)

    def errors(self, coefficients):
        """Return the distance to the optimum and each coefficient's error, all in standard errors."""
        H = self.rows.sums(self.optimum, "full").curvature[0]
        H[np.diag_indices(len(H) - 1)] += self.strength * self.rows.weight.sum()
        error = (coefficients - self.optimum)[:, 0]
        if not self.intercept:
            H, error = H[:-1, :-1], error[:-1]
        unit = 1 / np.sqrt(np.diagonal(H))
        standard_error = unit * np.sqrt(np.diagonal(np.linalg.inv(H * unit * unit[:, None])))
        return np.sqrt(error @ H @ error), np.abs(error) / standard_error


# Optima


@pytest.mark.parametrize("tol", [1e-1, 1e-2, 1e-4, 1e-7])
@pytest.mark.parametrize(
    ("design", "penalised"), [(design, penalised) for design in DESIGNS for penalised in (False, True)] + [(wide, True)]
)
@EVERY_PRECONDITIONER
def test_known_optimum_is_reached_within_the_tolerance_in_standard_errors(make, design, penalised, tol):
    known = Known(design, penalised)
    solution = known.solve(make, Limits(tol, max_iter=500))
    assert solution.status == [Status.CONVERGED]
    distance, errors = known.errors(solution.coefficients)
    estimated = 1.0 if make is PRECONDITIONERS["newton"] else 2.0  # by other curvature than that of all rows
    assert distance <= estimated * tol
    assert errors.max() <= estimated * tol


@pytest.mark.parametrize("penalised", [False, True])
@EVERY_PRECONDITIONER
def test_known_optimum_is_reached_without_an_intercept(make, penalised):
    known = Known(correlated, penalised, intercept=False)
    solution = known.solve(make, Limits(1e-5, max_iter=500))
    assert solution.coefficients[-1] == 0.0
    assert known.errors(solution.coefficients)[0] <= 2e-5


@pytest.mark.xfail(strict=False, raises=RuntimeWarning, reason="the secant of a slope that stays the same divides by 0")
@EVERY_PRECONDITIONER
@pytest.mark.parametrize("design", [independent, badly_scaled])
def test_tolerance_of_zero_ends_where_sums_resolve_no_more(make, design):
    known = Known(design, penalised=False)
    solution = known.solve(make, Limits(tol=0.0, max_iter=2_000))
    assert solution.status == [Status.ROUNDING]
    assert known.errors(solution.coefficients)[0] < 1e-6


@EVERY_PRECONDITIONER
def test_start_at_the_optimum_takes_one_pass(make):
    known = Known(independent, penalised=False)
    solution = known.solve(make, Limits(1e-4), start=known.optimum)
    assert solution.status == [Status.CONVERGED]
    assert len(solution.history) == 1
    np.testing.assert_allclose(solution.coefficients, known.optimum, rtol=1e-12)


@pytest.mark.parametrize("make", [PRECONDITIONERS["newton"], PRECONDITIONERS["sampled"]])
def test_start_that_saturates_every_row_is_left_by_rejecting_steps(make):
    known = Known(independent, penalised=True)
    solution = known.solve(make, Limits(1e-4, max_iter=500), start=-20 * known.optimum + 3)
    assert solution.status == [Status.CONVERGED]
    assert not all(found.accepted[0] for found in solution.history)
    assert known.errors(solution.coefficients)[0] <= 2e-4


# The history


@EVERY_PRECONDITIONER
@pytest.mark.parametrize("start", [0.0, -30.0])
def test_objective_falls_with_every_accepted_pass_and_stays_with_the_others(make, start):
    known = Known(badly_scaled, penalised=False)
    history = known.solve(make, Limits(1e-6, max_iter=500), start=start * known.optimum).history
    values = np.array([found.objective[0] for found in history])
    accepted = np.array([found.accepted[0] for found in history])
    assert (np.diff(values) <= 1e-13 * values[:-1]).all()
    assert (np.diff(values)[~accepted[1:]] == 0).all()
    assert values[-1] < values[0]
    assert accepted[0]


@EVERY_PRECONDITIONER
def test_history_tells_the_objective_where_the_descent_stood_and_ended(make):
    known, told = Known(independent, penalised=True), []
    solution = known.solve(make, Limits(1e-3, on_pass=lambda W, found: told.append((W.copy(), found)) or False))
    assert [found for _, found in told] == solution.history
    for W, found in told:
        sums = known.rows.sums(W)
        expected = sums.loss / sums.weight + known.strength / 2 * (W[:-1] ** 2).sum(axis=0)
        np.testing.assert_allclose(found.objective, expected, rtol=1e-13)
    assert not told[0][0].any()
    np.testing.assert_array_equal(told[-1][0], solution.coefficients)


@pytest.mark.parametrize("design", DESIGNS)
def test_newtons_decrement_is_the_distance_yet_to_go(design):
    known, told = Known(design, penalised=False), []
    limits = Limits(1e-3, on_pass=lambda W, found: told.append((W, found.decrement[0])) or False)
    known.solve(PRECONDITIONERS["newton"], limits)
    for W, decrement in told[-2:]:
        assert decrement == pytest.approx(known.errors(W)[0], rel=0.05)


@pytest.mark.parametrize("max_iter", [1, 2, 3, 7])
@EVERY_PRECONDITIONER
def test_rows_are_read_once_a_line_of_the_history_and_no_more_than_max_iter_times(make, max_iter, monkeypatch):
    known, passes = Known(correlated, penalised=False), []
    read = known.rows.sums
    monkeypatch.setattr(known.rows, "sums", lambda W, kind="none": passes.append(kind) or read(W, kind))
    solution = known.solve(make, Limits(tol=0.0, max_iter=max_iter))
    assert solution.status == [Status.OUT_OF_PASSES]
    assert len(solution.history) == len(passes) == max_iter


# Many models, other ends


def test_settled_models_move_no_more():
    rows, told = Known(correlated, penalised=False).rows, []
    strengths = np.array([100.0, 0.0, 1e-3])
    limits = Limits(1e-8, on_pass=lambda W, found: told.append((W.copy(), found.decrement)) or False)
    solution = solve(rows, Ridge(strengths), np.zeros((11, 3)), Descent(Diagonal()), limits)
    assert all(status is Status.CONVERGED for status in solution.status)
    settled_at = [next(i for i, (_, decrement) in enumerate(told) if decrement[k] <= 1e-8) for k in range(3)]
    assert len(set(settled_at)) > 1
    for k, first in enumerate(settled_at):
        for W, _ in told[first:]:
            np.testing.assert_array_equal(W[:, k], solution.coefficients[:, k])


def test_callback_that_returns_true_stops_the_descent():
    known = Known(correlated, penalised=False)
    solution = known.solve(PRECONDITIONERS["newton"], Limits(1e-8, on_pass=lambda W, found: found.decrement[0] < 5.0))
    assert solution.status == [Status.STOPPED]
    assert solution.history[-1].decrement[0] < 5.0
    assert all(found.decrement[0] >= 5.0 for found in solution.history[:-1])


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
@EVERY_PRECONDITIONER
def test_rows_that_are_no_numbers_or_too_large_to_square_are_refused(make, value):
    known = Known(independent, penalised=False)
    known.rows.X[3, 2] = value
    with pytest.raises(NonFiniteSumsError):
        known.solve(make, Limits())


def test_what_holds_a_fit_up_is_told_column_by_column():
    known = Known(independent, penalised=False)
    start = known.optimum.copy()
    start[2] += 1.0
    solution = known.solve(PRECONDITIONERS["newton"], Limits(1e-8, max_iter=1), start=start)
    assert solution.unfinished.shape == (6, 1)
    assert np.argmax(solution.unfinished) == 2
