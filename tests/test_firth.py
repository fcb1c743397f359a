"""Firth's likelihood: published numbers, an optimiser that knows nothing of slopes, and relations between fits."""

import copy

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from scipy.stats import chi2

import logreg.firth_profile as profile_room
import logreg.jeffreys as room
from logreg.columns import NO_COLUMN, Category, Columns, Numbers
from logreg.datasets import load_endometrial
from logreg.firth import fit_firth
from logreg.firth_profile import penalised_likelihood_tests, summit
from logreg.firth_profile import profile_intervals as intervals_of_summit
from logreg.jeffreys import JeffreysLikelihood
from logreg.rows import SelectableRows
from logreg.solve import NonFiniteSumsError
from logreg.stop import Limits, Status

EXACT = Limits(tol=1e-10)


def likelihood(X, y, weight=None, offset=None, *, tau=0.5, intercept=True, n_threads=1):
    """Return the likelihood on rows as the estimator makes them: weights of mean 1, and their sum."""
    total = float(len(y) if weight is None else np.sum(weight))
    weight = None if weight is None else weight * (np.count_nonzero(weight) / total)
    origin = "auto" if intercept else None
    rows = SelectableRows(X, np.asarray(y, dtype=np.int8), weight, offset, n_threads=n_threads, origin=origin)
    return JeffreysLikelihood(rows, tau, total, intercept)


def coefficients(target, **options):
    """Return the coefficients in the user's units, the intercept last."""
    return target.rows.in_user_units(fit_firth(target, EXACT, **options).solution.coefficients)[:, 0]


def everything(target):
    """Return coefficients, standard errors, both likelihoods, tests and intervals as one vector of numbers."""
    found = fit_firth(target, EXACT)
    W = found.solution.coefficients
    parts = [
        target.rows.in_user_units(W)[:, 0],
        np.sqrt(np.diag(found.covariance)),
        [found.log_likelihood, found.penalised_log_likelihood],
        penalised_likelihood_tests(summit(target, W))[0],
        profile_intervals(target, W).ravel(),
    ]
    return np.concatenate(parts)


def profile_intervals(target, start=None, **options):
    """Return the intervals, with the search for the maximum."""
    return intervals_of_summit(summit(target, start), **options)


def penalised(w, X, y, weight=1.0, offset=0.0, tau=0.5):
    """Return l + tau log det I, X with a column of ones if there is an intercept."""
    z = X @ w + offset
    p = 1.0 / (1.0 + np.exp(-z))
    information = (X * (weight * p * (1.0 - p))[:, None] * np.ones((len(X), 1))).T @ X
    return -np.sum(weight * (np.logaddexp(0.0, z) - y * z)) + tau * np.linalg.slogdet(information)[1]


def maximised(X, y, start, fixed=None, **options):
    """Return the maximum by an optimiser without slopes, with one coefficient fixed at 0 if ``fixed`` says which."""
    free = np.array([j for j in range(X.shape[1]) if j != fixed])

    def minus(v):
        w = np.zeros(X.shape[1])
        w[free] = v
        return -penalised(w, X, y, **options)

    v = start[free]
    for _ in range(3):
        options_of_it = {"xatol": 1e-11, "fatol": 1e-13, "maxiter": 20_000, "maxfev": 20_000}
        found = minimize(minus, v, method="Nelder-Mead", options=options_of_it)
        v = found.x
    w = np.zeros(X.shape[1])
    w[free] = v
    return w, -found.fun


@pytest.fixture(scope="module")
def endometrial():
    X, y = load_endometrial()
    return X.to_numpy(dtype=np.float64), y.to_numpy()


def with_ones(X):
    return np.column_stack([X, np.ones(len(X))])


def test_endometrial_cancer_has_the_published_numbers(endometrial):
    target = likelihood(*endometrial)
    found = fit_firth(target, EXACT)
    W = found.solution.coefficients
    np.testing.assert_allclose(W[:, 0], [2.92927330, -0.03475175, -2.60416387, 3.77455951], atol=3e-7)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), [1.55076, 0.03958, 0.77602, 1.48869], atol=6e-6)
    assert found.penalised_log_likelihood == pytest.approx(-24.0372679, abs=2e-7)
    ends = [[0.6097244, 7.85463171], [-0.1244587, 0.04045547], [-4.3651832, -1.23272106], [1.0825371, 7.20928050]]
    np.testing.assert_allclose(profile_intervals(target, W), ends, atol=1e-7)
    assert found.solution.status == [Status.CONVERGED]


def test_both_likelihoods_are_those_of_the_formula(data):
    X, y = with_ones(data.X), data.y
    target = likelihood(data.X, y, data.weight, data.offset)
    found, w = fit_firth(target, EXACT), coefficients(target)
    given = {"weight": data.weight, "offset": data.offset}
    assert found.penalised_log_likelihood == pytest.approx(penalised(w, X, y, **given), abs=1e-9)
    assert found.log_likelihood == pytest.approx(penalised(w, X, y, **given, tau=0.0), abs=1e-9)


@pytest.mark.parametrize("tau", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_an_optimiser_without_slopes_agrees(data, tau, intercept):
    some = slice(0, 60)
    X, y, weight, offset = (part[some] for part in data)
    target = likelihood(X, y, weight, offset, tau=tau, intercept=intercept)
    Z = with_ones(X) if intercept else X
    given = {"weight": weight, "offset": offset, "tau": tau}
    ours = coefficients(target)[: Z.shape[1]]
    theirs, top = maximised(Z, y, ours + 0.01, **given)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    statistic, p_value = penalised_likelihood_tests(summit(target))
    for j in range(Z.shape[1]):
        below = maximised(Z, y, theirs, fixed=j, **given)[1]
        assert statistic[j] == pytest.approx(2.0 * (top - below), abs=1e-7)
    np.testing.assert_allclose(p_value, chi2.sf(statistic, 1), rtol=1e-10)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_at_the_ends_of_intervals_the_likelihood_has_fallen_by_the_quantile(endometrial, level):
    X, y = endometrial
    target = likelihood(X, y)
    ends, top = profile_intervals(target, level=level), fit_firth(target, EXACT).penalised_log_likelihood
    for j in range(3):
        for end in ends[j]:
            known = likelihood(np.delete(X, j, axis=1), y, offset=end * X[:, j])
            start = np.insert(coefficients(known), j, 0.0)
            given = {"offset": end * X[:, j]}
            below = maximised(with_ones(X), y, start, fixed=j, **given)[1]
            assert 2.0 * (top - below) == pytest.approx(chi2.ppf(level, 1), abs=1e-7)


def greatest(j, at, X, y):
    """Return the greatest l* with coefficient j, of a slope and an intercept, at a place, over all of the other."""
    other, value = np.linspace(-60.0, 60.0, 60_001), -np.inf
    for _ in range(4):  # each time around the best of the time before
        slope, intercept = (at, other) if j == 0 else (other, at)
        z = X * slope + intercept
        v = np.exp(-np.abs(z)) / (1.0 + np.exp(-np.abs(z))) ** 2
        a, b, c = (v * X**2).sum(axis=0), (v * X).sum(axis=0), v.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = 0.5 * np.log(a * c - b**2) - (np.logaddexp(0.0, z) - y[:, None] * z).sum(axis=0)
        best = int(np.nanargmax(values))
        value, reach = max(value, float(values[best])), other[1] - other[0]
        other = np.linspace(other[best] - reach, other[best] + reach, 1_001)
    return value


@pytest.mark.parametrize("seed", range(12))
def test_few_rows_have_the_intervals_of_a_search_everywhere(seed):
    random = np.random.default_rng(seed)
    n = int(random.integers(8, 13))
    X = random.choice([1.0, 10.0]) * random.normal(size=(n, 1))
    y = (X[:, 0] + (seed % 3) * random.logistic(size=n) > 0.0).astype(int)  # every third time separated
    y[np.argsort(X[:, 0])[[0, -1]]] = 0, 1
    target, quantile = likelihood(X, y), chi2.ppf(0.95, 1)
    w, top = coefficients(target), fit_firth(target, EXACT).penalised_log_likelihood
    for j, ends in enumerate(profile_intervals(target)):
        for end in ends:
            assert 2.0 * (top - greatest(j, end, X, y)) == pytest.approx(quantile, abs=1e-5)
            for share in (0.4, 0.8, 0.98):
                assert 2.0 * (top - greatest(j, w[j] + share * (end - w[j]), X, y)) < quantile


def test_firthmodels_agrees(data):
    firthmodels = pytest.importorskip("firthmodels")
    tight = {"gtol": 1e-5, "xtol": 1e-8, "max_iter": 2000}
    theirs = firthmodels.FirthLogisticRegression(backend="numpy", **tight)
    theirs.fit(data.X, data.y, sample_weight=data.weight, offset=data.offset).lrt()
    target = likelihood(data.X, data.y, data.weight, data.offset)
    np.testing.assert_allclose(coefficients(target), np.append(theirs.coef_, theirs.intercept_), atol=1e-7)
    np.testing.assert_allclose(penalised_likelihood_tests(summit(target))[1], theirs.lrt_pvalues_, atol=1e-7)
    ends = theirs.conf_int(method="pl", tol=1e-9, max_iter=500)
    np.testing.assert_allclose(profile_intervals(target), ends, atol=1e-7)


def test_a_row_of_weight_two_is_the_row_twice(data):
    weight = np.arange(len(data.y)) % 4  # some of them 0
    twice = np.repeat(np.arange(len(data.y)), weight)
    once = everything(likelihood(data.X, data.y, weight.astype(float), data.offset))
    repeated = everything(likelihood(data.X[twice], data.y[twice], offset=data.offset[twice]))
    np.testing.assert_allclose(once, repeated, rtol=1e-7)


def test_the_order_of_rows_and_columns_does_not_matter(data):
    random = np.random.default_rng(1)
    rows, columns = random.permutation(len(data.y)), np.array([2, 0, 1])
    plain = likelihood(data.X, data.y, data.weight, data.offset)
    mixed = likelihood(data.X[rows][:, columns], data.y[rows], data.weight[rows], data.offset[rows])
    np.testing.assert_allclose(coefficients(mixed), coefficients(plain)[[2, 0, 1, 3]], rtol=1e-8)
    np.testing.assert_allclose(profile_intervals(mixed), profile_intervals(plain)[[2, 0, 1, 3]], rtol=1e-7)


def test_exchanged_labels_change_signs(endometrial):
    X, y = endometrial
    ours, exchanged = likelihood(X, y), likelihood(X, 1 - y)
    np.testing.assert_allclose(coefficients(exchanged), -coefficients(ours), rtol=1e-8)
    np.testing.assert_allclose(profile_intervals(exchanged), -profile_intervals(ours)[:, ::-1], rtol=1e-7)


@pytest.mark.parametrize("shift", [50.0, 1e6])
def test_units_and_far_columns_do_not_matter(data, shift):
    unit = np.array([1e-4, 1.0, 1e5])
    plain = likelihood(data.X, data.y, data.weight)
    moved = likelihood(data.X * unit + shift * unit, data.y, data.weight)
    np.testing.assert_allclose(coefficients(moved)[:3] * unit, coefficients(plain)[:3], rtol=1e-6)
    np.testing.assert_allclose(
        profile_intervals(moved)[:3] * unit[:, None], profile_intervals(plain)[:3], rtol=1e-6, atol=1e-7
    )


def test_an_offset_moves_a_coefficient_by_what_it_holds_already(data):
    plain, moved = (everything(likelihood(data.X, data.y, offset=offset)) for offset in (None, 0.3 * data.X[:, 0]))
    assert moved[0] == pytest.approx(plain[0] - 0.3, abs=1e-8)
    np.testing.assert_allclose(moved[1:10], plain[1:10], rtol=1e-7)
    np.testing.assert_allclose(moved[14:16], plain[14:16] - 0.3, rtol=1e-7)


@pytest.mark.parametrize("storage", [sparse.csr_array, sparse.csc_array, np.asfortranarray, np.float32])
@pytest.mark.parametrize("held", [True, False])
def test_storages_agree(data, storage, held, monkeypatch):
    X = np.float32(np.where(np.abs(data.X) < 0.5 * data.X.std(axis=0), 0.0, data.X))
    plain = everything(likelihood(X.astype(np.float64), data.y, data.weight, data.offset))
    if not held:
        monkeypatch.setattr(room, "HELD", 0)
    stored = everything(likelihood(storage(X), data.y, data.weight, data.offset))
    np.testing.assert_allclose(stored, plain, rtol=1e-7)


def test_categories_are_their_levels(data):
    codes = np.random.default_rng(3).integers(0, 3, len(data.y))
    levels = np.column_stack([data.X[:, 0], codes == 1, codes == 2]).astype(np.float64)
    places = np.array([NO_COLUMN, 1, 2, NO_COLUMN])
    table = Columns([Numbers(data.X[:, 0], 0)], [Category(codes, places)], levels.shape)
    found, plain = (everything(likelihood(X, data.y, data.weight)) for X in (table, levels))
    np.testing.assert_allclose(found, plain, rtol=1e-7)


def test_columns_too_many_for_pairs_and_batches_of_points_change_nothing(data, monkeypatch):
    plain = everything(likelihood(data.X, data.y, data.weight))
    monkeypatch.setattr(room, "PAIRED_WIDTH", 0)
    monkeypatch.setattr(profile_room, "NUMBERS", 20)
    np.testing.assert_allclose(everything(likelihood(data.X, data.y, data.weight)), plain, rtol=1e-7)


def test_rows_of_many_threads_agree():
    random = np.random.default_rng(0)
    X = random.normal(size=(300_000, 3))
    y = X @ [1.0, -1.0, 0.0] + random.logistic(size=len(X)) > 0
    alone, shared = (likelihood(X, y, n_threads=n) for n in (1, 2))
    with shared.rows:
        together = coefficients(shared)
    np.testing.assert_allclose(together, coefficients(alone), rtol=1e-8)


def test_two_rows_have_a_fit():
    target = likelihood(np.array([[0.0], [1.0]]), np.array([0, 1]))
    w = coefficients(target)
    assert w[1] == pytest.approx(-w[0] / 2.0, abs=1e-8)
    assert w[0] == pytest.approx(np.log(9.0), abs=1e-8)  # a half is added to each cell, so the odds are 1.5 to 0.5


def test_a_single_cell_column_has_the_odds_of_cells_with_a_half_more():
    X, y = np.repeat([[0.0], [1.0]], [9, 5], axis=0), np.repeat([0, 1, 1], [7, 2, 5])
    slope, intercept = coefficients(likelihood(X, y))
    assert intercept == pytest.approx(np.log(2.5 / 7.5), abs=1e-9)
    assert slope + intercept == pytest.approx(np.log(5.5 / 0.5), abs=1e-9)


def test_separated_outcomes_have_finite_fits_and_intervals():
    random = np.random.default_rng(5)
    X = random.normal(size=(60, 3))
    y = X[:, 0] - X[:, 1] > 0.0
    found = everything(likelihood(X, y))
    assert np.isfinite(found).all()
    ends = found[-8:].reshape(4, 2)
    assert (ends[:, 0] < found[:4]).all()
    assert (found[:4] < ends[:, 1]).all()


@pytest.mark.parametrize("seed", range(6))
def test_walks_and_joint_searches_find_the_same_ends(seed, monkeypatch):
    random = np.random.default_rng(seed)
    X = random.normal(size=(20 + 10 * seed, 3)) * [1e-3, 1.0, 1e3]
    target = likelihood(X, random.random(len(X)) < 0.4)
    joint = profile_intervals(target)
    monkeypatch.setattr(profile_room, "JOINT_PASSES", 0)
    np.testing.assert_allclose(profile_intervals(target), joint, rtol=1e-6)


def test_flic_makes_the_mean_probability_the_mean_outcome(data):
    target = likelihood(data.X, data.y, data.weight, data.offset)
    plain, corrected = coefficients(target), coefficients(target, flic=True)
    p = 1.0 / (1.0 + np.exp(-(data.X @ corrected[:-1] + corrected[-1] + data.offset)))
    assert np.average(p, weights=data.weight) == pytest.approx(np.average(data.y, weights=data.weight), abs=1e-12)
    np.testing.assert_array_equal(corrected[:-1], plain[:-1])
    assert corrected[-1] != plain[-1]


def test_without_a_penalty_it_is_maximum_likelihood(data):
    from logreg import LogisticRegression

    ours = coefficients(likelihood(data.X, data.y, data.weight, tau=0.0))
    clf = LogisticRegression(penalty=None, tol=1e-10).fit(data.X, data.y, data.weight)
    np.testing.assert_allclose(ours, np.append(clf.coef_[0], clf.intercept_), rtol=1e-8)


def test_a_start_saves_passes_and_changes_nothing(data):
    target = likelihood(data.X, data.y)
    first = fit_firth(target, EXACT)
    again = fit_firth(target, EXACT, first.solution.coefficients)
    assert len(again.solution.history) < len(first.solution.history)
    np.testing.assert_allclose(again.solution.coefficients, first.solution.coefficients, rtol=1e-8)
    far = np.full((4, 1), 1e3)
    np.testing.assert_allclose(fit_firth(target, EXACT, far).solution.coefficients, first.solution.coefficients)


def test_it_stops_where_it_is_told_to(data):
    target, seen = likelihood(data.X, data.y), []
    assert fit_firth(target, Limits(max_iter=2)).solution.status == [Status.OUT_OF_PASSES]

    def listen(W, found):
        seen.append((W.copy(), found.objective[0]))
        return len(seen) == 3

    stopped = fit_firth(target, Limits(tol=0.0, on_pass=listen)).solution
    assert stopped.status == [Status.STOPPED]
    assert len(stopped.history) == 3
    np.testing.assert_array_equal(stopped.coefficients, seen[-1][0])
    assert seen[0][1] > seen[1][1] > seen[2][1]


def test_rounding_ends_a_fit_without_tolerance(data):
    found = fit_firth(likelihood(data.X, data.y), Limits(tol=0.0)).solution
    assert found.status[0].is_optimum
    assert found.history[-1].decrement[0] < 1e-10


@pytest.mark.parametrize("extra", [lambda X: X[:, [0]] - 2.0 * X[:, [1]], lambda X: np.full((len(X), 1), 7.0)])
def test_columns_that_repeat_others_are_named(data, extra):
    with pytest.raises(ValueError, match=r"Columns x3 are constant or repeat .* drop them\.$"):
        likelihood(np.hstack([data.X, extra(data.X)]), data.y)


def test_more_columns_than_are_held_are_refused(monkeypatch, data):
    monkeypatch.setattr(room, "WIDEST_MATRIX", 2)
    with pytest.raises(ValueError, match="needs the information of all 3 columns"):
        likelihood(data.X, data.y)


def test_rows_that_are_not_finite_are_left_to_the_setup(data):
    X = data.X.copy()
    X[5, 1] = np.nan
    with pytest.raises(NonFiniteSumsError):
        likelihood(X, data.y)


def test_offsets_without_end_are_refused(data):
    target = likelihood(data.X, data.y, offset=np.full(len(data.y), 1e9))
    with pytest.raises(ValueError, match="offsets alone"):
        fit_firth(target, EXACT)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_is_a_share(data, level):
    with pytest.raises(ValueError, match=r"must be between 0 and 1"):
        profile_intervals(likelihood(data.X, data.y), level=level)


def test_the_data_stay_as_they_are(data):
    before = copy.deepcopy(data)
    everything(likelihood(*data))
    for ours, theirs in zip(data, before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
