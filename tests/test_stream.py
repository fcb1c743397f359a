"""Batches of a stream, each seen once."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from logreg import LogisticRegression, LogisticRegressionCV, scan_batches
from logreg.datasets import load_flights, load_penguins
from logreg.expected import Normal, expected_sums
from logreg.rows import MemoryRows
from logreg.stream import Quadratic

N_BATCHES = 50


def rows_of(n=50_000, d=8, positives=0.5, seed=0, scales=None):
    """Return correlated columns far from zero, and outcomes that follow a logistic model with scores of sd 2."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d)) @ (np.eye(d) + 0.5) + random.uniform(-3.0, 3.0, d)
    scores = X @ random.standard_normal(d)
    scores = 2.0 * (scores - scores.mean()) / scores.std()
    scores -= np.quantile(scores, 1.0 - positives)
    return X * (1.0 if scales is None else scales), (random.random(n) < expit(scores)).astype(int)


def stream(clf, X, y, n_batches=N_BATCHES, **columns):
    """Show all rows to an estimator, a batch at a time."""
    for batch in np.array_split(np.arange(len(y)), n_batches):
        clf.partial_fit(X[batch], y[batch], **{name: values[batch] for name, values in columns.items()})
    return clf


def distance(clf, fit):
    """Return how far the farthest coefficient is from that of a fit, in standard errors."""
    apart = np.append(clf.coef_[0] - fit.coef_[0], clf.intercept_ - fit.intercept_)
    errors = np.sqrt(np.diagonal(fit.covariance()))
    return np.abs(np.append(apart[-1], apart[:-1]) / errors).max()


def flights():
    X, y = load_flights()
    order = np.random.default_rng(1).permutation(len(y))
    return X[["month", "sched_dep_time", "distance"]].to_numpy(float)[order], y.to_numpy()[order]


STREAMS = {
    "plain": (rows_of, {}, 0.05),
    "without-a-penalty": (rows_of, {"C": np.inf}, 0.05),
    "few-positives": (lambda: rows_of(positives=0.03), {}, 0.15),
    "badly-scaled": (lambda: rows_of(scales=10.0 ** np.linspace(-5, 5, 8)), {"C": np.inf}, 0.05),
    "far-from-zero": (lambda: (lambda X, y: (X + 1e7, y))(*rows_of()), {"C": np.inf}, 0.05),
    "integers": (lambda: (lambda X, y: ((10 * X).astype(np.int16), y))(*rows_of()), {}, 0.05),
    "without-an-intercept": (rows_of, {"fit_intercept": False}, 0.05),
    "flights": (flights, {}, 0.05),
}


@pytest.mark.parametrize(("make", "parameters", "far"), STREAMS.values(), ids=STREAMS)
def test_a_shuffled_stream_ends_within_some_hundredths_of_a_standard_error_of_a_fit(make, parameters, far):
    X, y = make()
    fit = LogisticRegression(tol=1e-8, inference=True, **parameters).fit(X, y)
    apart = np.append(stream(LogisticRegression(**parameters), X, y).coef_ - fit.coef_, 0.0)
    errors = np.sqrt(np.diagonal(fit.covariance()))[-len(apart) + 1 :]
    assert np.abs(apart[:-1] / errors).max() < far


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e6])
def test_weights_and_offsets_count_as_in_a_fit(unit):
    X, y = rows_of()
    known = LogisticRegression(inference=True).fit(X, y)
    errors = np.sqrt(np.diagonal(known.covariance()))[2:]
    weight = unit * np.random.default_rng(3).uniform(0.5, 1.5, len(y))
    columns = {"sample_weight": weight, "offset": known.coef_[0, 0] * X[:, 0]}
    clf = LogisticRegression(C=1.0 / unit, class_weight={0: 1.5, 1: 0.5}, tol=1e-8)
    fit = clone(clf).fit(X[:, 1:], y, **columns)
    stream(clf, X[:, 1:], y, **columns)
    assert np.abs((clf.coef_ - fit.coef_)[0] / errors).max() < 0.15


def test_it_is_ten_times_as_near_as_stochastic_gradient_descent_at_its_best_learning_rate():
    X, y = rows_of(20_000)
    X = StandardScaler().fit_transform(X)
    fit = LogisticRegression(tol=1e-8, inference=True).fit(X, y)
    others = [
        SGDClassifier("log_loss", alpha=1.0 / len(y), learning_rate=schedule, eta0=eta, average=average, random_state=0)
        for schedule in ("constant", "invscaling")
        for eta in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
        for average in (False, True)
    ]
    for other in others:
        for batch in np.array_split(np.arange(len(y)), N_BATCHES):
            other.partial_fit(X[batch], y[batch], classes=[0, 1])
    assert distance(stream(LogisticRegression(), X, y), fit) < 0.1 * min(distance(other, fit) for other in others)


@pytest.mark.parametrize("C", [0.01, 1.0, np.inf])
def test_one_batch_alone_is_fitted(data, C):
    clf = LogisticRegression(C=C, tol=1e-9)
    columns = {"sample_weight": data.weight, "offset": data.offset}
    fit = clone(clf).fit(data.X, data.y, **columns)
    clf.partial_fit(data.X, data.y, **columns)
    assert_allclose(clf.coef_, fit.coef_, rtol=1e-7)
    assert_allclose(clf.intercept_, fit.intercept_, rtol=1e-7)
    assert clf.converged_


def test_a_row_of_weight_2_is_the_row_twice_and_one_of_weight_0_is_absent(data):
    count = np.arange(200) % 3
    weighted, repeated = LogisticRegression(), LogisticRegression()
    for half in np.arange(200) < 100, np.arange(200) >= 100:
        weighted.partial_fit(data.X[half], data.y[half], sample_weight=count[half])
        twice = np.repeat(np.flatnonzero(half), count[half])
        repeated.partial_fit(data.X[twice], data.y[twice])
    assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-7)
    assert weighted.n_seen_ == np.count_nonzero(count)


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array, np.asfortranarray, np.float32])
def test_storage_makes_no_difference(form):
    X, y = rows_of(3_000)
    X = X.astype(np.float32).astype(float)
    dense = stream(LogisticRegression(), X, y, 3)
    clf = LogisticRegression()
    for batch in np.array_split(np.arange(3_000), 3):
        clf.partial_fit(form(X[batch]), y[batch])
    assert_allclose(clf.coef_, dense.coef_, rtol=1e-5)


def test_the_order_of_rows_within_a_batch_makes_no_difference():
    X, y = rows_of(2_000)
    order = np.r_[np.arange(1_000)[::-1], np.arange(1_000, 2_000)[::-1]]
    clf, other = stream(LogisticRegression(), X, y, 2), stream(LogisticRegression(), X[order], y[order], 2)
    assert_allclose(clf.coef_, other.coef_, rtol=1e-8)


# What a stream starts with


@pytest.mark.parametrize("C", [1.0, np.inf])
def test_early_batches_that_determine_nothing_leave_the_coefficients_finite(C):
    X, y = rows_of(20_000)
    clf = LogisticRegression(C=C)
    for start in range(4):  # one row at a time, of one class at first
        row = np.flatnonzero(y == 0)[start]
        clf.partial_fit(X[[row]], y[[row]], classes=[0, 1])
        assert np.isfinite(clf.coef_).all()
        assert np.abs(clf.decision_function(X[:100])).max() < 1e3
    assert not clf.converged_ or C == 1.0
    stream(clf, X, y, 20)
    assert clf.converged_
    assert distance(clf, LogisticRegression(C=C, tol=1e-8, inference=True).fit(X, y)) < 0.15


def test_later_batches_may_have_one_class():
    X, y = rows_of(20_000)
    clf = LogisticRegression()
    for batch in np.array_split(np.arange(20_000), 20):
        for label in (0, 1) if clf.__dict__.get("_stream") else (slice(None),):
            rows = batch if isinstance(label, slice) else batch[y[batch] == label]
            clf.partial_fit(X[rows], y[rows])
    fit = LogisticRegression(tol=1e-8, inference=True).fit(X, y)
    assert distance(clf, fit) < 0.25
    assert clf.n_batches_ == 39


def test_labels_may_be_words_and_columns_have_names():
    X, y = load_penguins()
    X = X[["bill_depth_mm", "flipper_length_mm"]]
    words = np.where(y == 1, "yes", "no")
    clf = LogisticRegression().partial_fit(X[:200], words[:200], classes=["yes", "no"])
    clf.partial_fit(X[200:], words[200:])
    assert clf.classes_.tolist() == ["no", "yes"]
    assert clf.feature_names_in_.tolist() == list(X.columns)
    assert set(clf.predict(X)) <= {"no", "yes"}


def test_levels_of_categories_are_those_of_the_first_batch():
    X, y = load_penguins()
    X = X[["species", "bill_depth_mm"]]
    first = X["species"] != "Chinstrap"
    clf = LogisticRegression(categories="auto").partial_fit(X[first], y[first])
    with pytest.raises(ValueError, match=r"'Chinstrap'.*level that fit has not seen"):
        clf.partial_fit(X, y)
    clf.set_params(unknown="ignore").partial_fit(X[~first], y[~first])
    assert clf.feature_names_out_.tolist() == ["species=Adelie", "species=Gentoo", "bill_depth_mm"]


def test_a_column_that_varies_late_gets_its_coefficient_then():
    X, y = rows_of(4_000)
    X[:1_000, 0] = 7.0
    clf = LogisticRegression(C=np.inf).partial_fit(X[:1_000], y[:1_000])
    assert clf.coef_[0, 0] == 0.0
    stream(clf, X[1_000:], y[1_000:], 3)
    fit = LogisticRegression(C=np.inf, inference=True).fit(X, y)
    assert distance(clf, fit) < 0.25


@pytest.mark.parametrize("seed", [0, 2])
def test_first_batches_that_mislead_about_a_long_tail_are_outlived(seed):
    random = np.random.default_rng(seed)
    Z = random.standard_normal((20_000, 3))
    y = (random.random(len(Z)) < expit(1.5 * Z[:, 0] + Z[:, 1] - 1.0)).astype(int)
    X = np.column_stack([np.exp(1.5 * Z[:, 0]), Z[:, 1:]])  # the largest values have an effect of their own
    fit = LogisticRegression(tol=1e-8, inference=True).fit(X, y)
    assert distance(stream(LogisticRegression(), X, y, 100), fit) < 0.1


def test_levels_that_come_one_after_the_other_are_told_apart():
    X, y = rows_of(20_000)
    level = np.sort(np.random.default_rng(0).integers(0, 10, len(y)))
    X = np.column_stack([X, level[:, None] == np.arange(10)])
    fit = LogisticRegression(tol=1e-8, inference=True).fit(X, y)
    assert distance(stream(LogisticRegression(), X, y, 20), fit) < 0.1


# The stream as a whole


def test_the_table_of_a_stream_is_that_of_a_fit():
    X, y = rows_of()
    clf, fit = stream(LogisticRegression(penalty=None), X, y), LogisticRegression(penalty=None).fit(X, y)
    table, right = clf.summary(), fit.summary()
    assert_allclose(table.frame["std_error"], right.frame["std_error"], rtol=0.01)
    for name in ("log_likelihood", "null_log_likelihood"):
        assert_allclose(table.fit_frame[name], right.fit_frame[name], atol=1.0)
    assert_allclose(table.fit_frame["n"], len(y))


def test_columns_that_repeat_others_are_predicted_with_but_have_no_table():
    X, y = rows_of()
    both = np.column_stack([X, X[:, 0] + X[:, 1], np.ones(len(y))])
    clf, fit = stream(LogisticRegression(C=np.inf), both, y), LogisticRegression(C=np.inf).fit(X, y)
    assert_allclose(clf.decision_function(both), fit.decision_function(X), atol=0.05)
    with pytest.raises(ValueError, match="No curvature was kept"):
        clf.summary()


def test_batches_may_be_smaller_than_the_number_of_columns():
    X, y = rows_of(3_000)
    fit = LogisticRegression(C=np.inf, inference=True).fit(X, y)
    assert distance(stream(LogisticRegression(C=np.inf), X, y, 600), fit) < 0.25


def test_classes_that_are_separated_throughout_leave_finite_coefficients():
    X, _ = rows_of(10_000)
    y = (X.sum(axis=1) > 0.0).astype(int)
    clf = stream(LogisticRegression(penalty=None), X, y)
    assert np.abs(clf.coef_).max() < 100.0
    assert clf.score(X, y) > 0.99


def test_an_excluded_column_has_no_part_in_it():
    X, y = rows_of(5_000)
    clf = stream(LogisticRegression(penalty_factor=[np.inf, *[1.0] * 7]), X, y, 5)
    without = stream(LogisticRegression(), X[:, 1:], y, 5)
    assert clf.coef_[0, 0] == 0.0
    assert_allclose(clf.coef_[0, 1:], without.coef_[0], rtol=1e-6)


def test_with_forgetting_the_coefficients_follow_data_that_change():
    X, y = rows_of()
    y[len(y) // 2 :] = 1 - y[len(y) // 2 :]
    fit = LogisticRegression().fit(X[len(y) // 2 :], y[len(y) // 2 :])
    remembers, forgets = (stream(LogisticRegression(forgetting_factor=factor), X, y) for factor in (1.0, 0.7))
    assert np.abs(forgets.coef_ - fit.coef_).max() < 0.2
    assert np.abs(remembers.coef_ - fit.coef_).max() > 0.5


def test_a_pickled_stream_goes_on_bit_for_bit_and_holds_no_rows():
    X, y = rows_of()
    clf = stream(LogisticRegression(), X[:30_000], y[:30_000])
    stored = pickle.dumps(clf)
    assert len(stored) < 10_000
    other = pickle.loads(stored)
    for each in clf, other:
        each.partial_fit(X[30_000:], y[30_000:])
    assert_array_equal(clf.coef_, other.coef_)


def test_a_fit_forgets_the_stream_and_a_stream_the_fit(data):
    clf = LogisticRegression().partial_fit(data.X, data.y)
    half = data.X[:, :2]
    fitted = clf.fit(half, data.y).coef_
    assert_array_equal(fitted, LogisticRegression().fit(half, data.y).coef_)
    with pytest.raises(AttributeError, match="partial_fit"):
        _ = clf.n_batches_
    clf.partial_fit(data.X, data.y)
    assert clf.n_batches_ == 1
    assert clf.coef_.shape == (1, 3)
    assert not hasattr(clone(clf), "n_batches_")


def test_one_versus_rest_streams_three_classes():
    X, species = load_penguins()[0][["bill_depth_mm", "flipper_length_mm"]], load_penguins()[0]["species"]
    X, order = X.to_numpy(float), np.random.default_rng(0).permutation(len(X))
    clf = OneVsRestClassifier(LogisticRegression())
    for batch in np.array_split(order, 3):
        clf.partial_fit(X[batch], species.iloc[batch], classes=np.unique(species))
    assert clf.score(X, species) > 0.75


def test_a_cross_validation_has_no_batches():
    assert not hasattr(LogisticRegressionCV(), "partial_fit")


# What cannot be used


BAD = {
    "columns": (lambda X, y: {"X": X[:, :2]}, {}, "X has 2 features, but LogisticRegression is expecting 3"),
    "nan": (lambda X, y: {"X": np.where(X > 9.0, np.nan, X)}, {}, "NaN"),
    "label": (lambda X, y: {"y": np.where(y == 1, 7, 0)}, {}, "y holds 7 in row .*, which is not one of the classes"),
    "classes": (lambda X, y: {"classes": [0, 2]}, {}, r"classes=\[0, 2\] are not those of the first batch, \[0, 1\]"),
    "three": (lambda X, y: {"classes": [0, 1, 2]}, {}, "Only binary classification is supported"),
    "scan": (lambda X, y: {"X": scan_batches(lambda: [(X, y)]), "y": None}, {}, "takes one batch in memory"),
    "length": (lambda X, y: {"y": y[:5]}, {}, "inconsistent numbers of samples"),
    "weights": (lambda X, y: {"sample_weight": -np.ones(len(y))}, {}, "weight -1; weights must be 0 or more"),
    "zeros": (lambda X, y: {"sample_weight": np.zeros(len(y))}, {}, "All weights of this batch are zero"),
    "l1": (lambda X, y: {}, {"l1_ratio": 0.5}, "knows a ridge or no penalty"),
    "firth": (lambda X, y: {}, {"penalty": "firth"}, "knows a ridge or no penalty"),
    "bounds": (lambda X, y: {}, {"positive": True}, "knows no bounds"),
    "standardize": (lambda X, y: {}, {"standardize": True}, "needs the spreads of all rows"),
    "balanced": (lambda X, y: {}, {"class_weight": "balanced"}, "needs the outcomes of all rows"),
    "factor": (lambda X, y: {}, {"forgetting_factor": 0.0}, "forgetting_factor=0.0 must be a number greater than 0"),
    "factor-2": (lambda X, y: {}, {"forgetting_factor": 2}, "forgetting_factor=2 must be at most 1"),
}


@pytest.mark.parametrize("n_before", [0, 1, 3])
def test_infinity_is_told_whichever_batch_it_is_in(data, n_before):
    clf, X = LogisticRegression(), data.X.copy()
    X[3, 1] = np.inf
    for _ in range(n_before):
        clf.partial_fit(data.X, data.y)
    with pytest.raises(ValueError, match="infinity"):
        clf.partial_fit(X, data.y)


@pytest.mark.parametrize(("spoil", "parameters", "sentence"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_told_in_a_sentence_and_changes_nothing(data, spoil, parameters, sentence):
    clf = LogisticRegression().partial_fit(data.X, data.y).set_params(**parameters)
    before = dict(vars(clf))
    with pytest.raises(ValueError, match=sentence):
        clf.partial_fit(**{"X": data.X, "y": data.y} | spoil(data.X, data.y))
    assert vars(clf).keys() == before.keys()
    assert all(vars(clf)[name] is before[name] for name in before)


def test_the_first_batch_needs_both_classes_or_their_names(data):
    with pytest.raises(ValueError, match="first batch holds only one class, 0; pass both as classes"):
        LogisticRegression().partial_fit(data.X[data.y == 0], data.y[data.y == 0])
    with pytest.raises(ValueError, match="holds 1 labels"):
        LogisticRegression().partial_fit(data.X, data.y, classes=[1])


def test_a_table_too_wide_for_a_matrix_is_refused():
    with pytest.raises(ValueError, match="5000 columns, and partial_fit holds a curvature"):
        LogisticRegression().partial_fit(sparse.eye_array(5_000).tocsr(), np.arange(5_000) % 2)


def test_columns_have_to_keep_their_names(data):
    frame = pd.DataFrame(data.X, columns=list("abc"))
    clf = LogisticRegression().partial_fit(frame, data.y)
    with pytest.raises(ValueError, match="feature names"):
        clf.partial_fit(frame[["b", "a", "c"]], data.y)


# The mathematics


def test_a_quadratic_has_the_sums_that_it_was_made_of_and_moves_by_its_curvature(data):
    rows, W = MemoryRows(data.X, data.y.astype(np.int8), data.weight), np.array([[0.1], [0.02], [-1.0], [0.3]])
    sums = rows.sums(W, "full")
    quadratic = Quadratic.around(W, sums)
    for ours, theirs in zip(
        (quadratic.sums(W).loss, quadratic.sums(W).gradient), (sums.loss, sums.gradient), strict=True
    ):
        assert_allclose(ours, theirs, rtol=1e-9)
    step = 1e-3 * np.ones_like(W)
    moved = quadratic.sums(W + step).gradient - sums.gradient
    assert_allclose(moved, sums.curvature[0] @ step, rtol=1e-6)
    assert_allclose((quadratic + quadratic).sums(W).loss, quadratic.times(2.0).sums(W).loss)


def test_expected_sums_are_averages_over_normal_coefficients(data):
    rows, W = MemoryRows(data.X, data.y.astype(np.int8), data.weight, data.offset), 0.05 * np.ones((4, 1))
    root = 0.02 * np.random.default_rng(0).standard_normal((4, 4))
    found = expected_sums(next(iter(rows.chunks())), Normal(W, root @ root.T))
    draws = W + root @ np.random.default_rng(1).standard_normal((4, 4_000))
    drawn = rows.sums(draws, "full")
    assert_allclose(
        found.gradient[:, 0], drawn.gradient.mean(axis=1), rtol=0.05, atol=0.01 * np.abs(found.gradient).max()
    )
    assert_allclose(found.curvature[0], drawn.curvature.mean(axis=0), rtol=0.02, atol=0.01 * found.curvature.max())
    exact = expected_sums(next(iter(rows.chunks())), Normal(W, np.zeros((4, 4))))
    assert_allclose(exact.gradient, rows.sums(W).gradient, rtol=1e-12)
