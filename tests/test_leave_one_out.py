"""Leave-one-out scores: those of true refits, nearly, for whatever is fitted; and a word where they are not."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import logreg.leave_one_out as room
from logreg import LogisticRegression, datasets, log_loss
from logreg.leave_one_out import LeverageWarning, leave_one_out
from logreg.rows import memory

EXACT = {"tol": 1e-10}


def refitted(X, y, weight=None, offset=None, **options):
    """Return the score of each row by a fit of all other rows."""
    scores = np.empty(len(y))
    for i in range(len(y)):
        others = np.arange(len(y)) != i
        some_weight, some_offset = (None if part is None else part[others] for part in (weight, offset))
        clf = LogisticRegression(**EXACT, **options).fit(X[others], y[others], some_weight, offset=some_offset)
        scores[i] = clf.decision_function(X[[i]], None if offset is None else offset[[i]])[0]
    return scores


def fitted(X, y, weight=None, offset=None, **options):
    return LogisticRegression(**EXACT, **options).fit(X, y, weight, offset=offset)


def approximate(X, y, weight=None, offset=None, **options):
    return leave_one_out(fitted(X, y, weight, offset, **options), X, y, weight, offset)


CASES = {
    "ridge": {},
    "strong ridge": {"C": 0.01},
    "no penalty": {"penalty": None},
    "lasso": {"l1_ratio": 1.0, "C": 0.3},
    "elastic net": {"l1_ratio": 0.5, "C": 0.1},
    "no intercept": {"fit_intercept": False},
    "penalty factors": {"penalty_factor": [0.0, 30.0, 0.1]},
    "an excluded column": {"penalty_factor": [1.0, np.inf, 0.5]},
    "class weights": {"class_weight": {0: 1.2, 1: 0.7}},
    "positive": {"positive": True},
    "bounds": {"bounds": [(-1.0, 1.0), (-5.0, 5.0), (-5.0, 30.0)]},
}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
@pytest.mark.parametrize("given", ["plain", "weight", "offset"])
def test_scores_are_those_of_refits(data, options, given):
    X, y = data.X, data.y
    weight = data.weight if given == "weight" else None
    offset = data.offset if given == "offset" else None
    found, true = approximate(X, y, weight, offset, **options), refitted(X, y, weight, offset, **options)
    clf = fitted(X, y, weight, offset, **options)
    shift = true - clf.decision_function(X, offset)
    assert found.log_loss == pytest.approx(log_loss(y, true, clf_weight(clf, y, weight)), rel=1e-3)
    assert np.abs(found.scores - true).max() < 0.05
    assert np.linalg.norm(found.scores - true) < 0.1 * np.linalg.norm(shift)


def clf_weight(clf, y, weight):
    by_class = np.ones(2) if clf.class_weight is None else np.array([clf.class_weight[0], clf.class_weight[1]])
    return by_class[y] * (1.0 if weight is None else weight)


def test_standardised_columns_are_those_of_all_rows(data):
    X, y = data.X, data.y
    found = approximate(X, y, standardize=True, C=0.1)
    true = refitted(X, y, penalty_factor=X.var(axis=0), C=0.1)
    assert found.log_loss == pytest.approx(log_loss(y, true), rel=1e-3)
    np.testing.assert_allclose(found.scores, true, atol=0.05)


def test_voters_are_scored_as_by_refits():
    X, y = datasets.load_anes96()
    X, y = X.to_numpy(dtype=float), y.to_numpy()
    found = approximate(X, y)
    assert found.trusted.all()
    assert found.log_loss == pytest.approx(log_loss(y, refitted(X, y)), rel=1e-3)
    assert found.log_loss > log_loss(y, fitted(X, y).decision_function(X))


def test_the_error_falls_with_the_square_of_the_rows():
    random = np.random.default_rng(3)
    X = random.standard_normal((640, 3))
    y = (X.sum(axis=1) + random.logistic(size=640) > 0).astype(int)
    error = []
    for n in (80, 640):
        some, outcomes = X[:n], y[:n]
        found = approximate(some, outcomes, penalty=None).log_loss
        error.append(abs(found - log_loss(outcomes, refitted(some, outcomes, penalty=None))))
    assert error[1] < error[0] / 20


def test_the_formula_is_that_of_the_docstring(data):
    X, y, weight, offset = data
    clf = fitted(X, y, weight, offset, C=0.3)
    ones = np.column_stack([X, np.ones(len(y))])
    z = clf.decision_function(X, offset)
    p = clf.predict_proba(X, offset)[:, 1]
    D, r = weight * p * (1 - p), weight * (p - y)
    H = ones.T @ (D[:, None] * ones) + np.diag([1 / 0.3] * 3 + [0.0])
    q = np.einsum("ij,ij->i", ones @ np.linalg.inv(H), ones)
    found = leave_one_out(clf, X, y, weight, offset)
    np.testing.assert_allclose(found.leverage, D * q, rtol=1e-9)
    np.testing.assert_allclose(found.scores, z + q * r / (1 - D * q), rtol=1e-9)


@pytest.mark.parametrize("C", [0.01, 1.0, np.inf])
def test_leverages_add_up_to_the_effective_degrees_of_freedom(data, C):
    X, y = data.X, data.y
    clf = fitted(X, y, C=C)
    ones = np.column_stack([X, np.ones(len(y))])
    p = clf.predict_proba(X)
    curvature = ones.T @ (p.prod(axis=1)[:, None] * ones)
    freedom = np.trace(np.linalg.solve(curvature + np.diag([1 / C] * 3 + [0.0]), curvature))
    assert leave_one_out(clf, X, y).leverage.sum() == pytest.approx(freedom, rel=1e-9)
    if np.inf == C:
        assert freedom == pytest.approx(4.0)


def test_under_a_lasso_leverages_count_the_selected_columns(data):
    clf = fitted(data.X, data.y, l1_ratio=1.0, C=0.02)
    selected = np.count_nonzero(clf.coef_)
    assert selected == 1
    assert leave_one_out(clf, data.X, data.y).leverage.sum() == pytest.approx(selected + 1)


@pytest.mark.parametrize("intercept", [True, False])
def test_a_model_of_no_columns_has_the_leverages_of_its_intercept(data, intercept):
    clf = fitted(data.X, data.y, l1_ratio=1.0, C=1e-4, fit_intercept=intercept)
    assert not clf.coef_.any()
    np.testing.assert_allclose(leave_one_out(clf, data.X, data.y).leverage, intercept / len(data.y))


def test_repeated_columns_change_nothing(data):
    X, y = data.X, data.y
    once = approximate(X, y, penalty=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that they repeat
        clf = fitted(np.column_stack([X, X[:, 0], X[:, 1] - X[:, 2]]), y, penalty=None)
    twice = leave_one_out(clf, np.column_stack([X, X[:, 0], X[:, 1] - X[:, 2]]), y)
    np.testing.assert_allclose(twice.scores, once.scores, rtol=1e-6, atol=1e-8)


def test_columns_far_from_zero_change_nothing(data):
    near = approximate(data.X, data.y, penalty=None)
    far = approximate(data.X + np.array([0.0, 1e7, 0.0]), data.y, penalty=None)
    np.testing.assert_allclose(far.leverage, near.leverage, rtol=1e-5)


def test_rows_of_weight_0_keep_their_scores(data):
    X, y, weight, offset = data
    weight = np.where(np.arange(len(y)) % 3 == 0, 0.0, weight)
    clf, counts = fitted(X, y, weight, offset), weight > 0
    found = leave_one_out(clf, X, y, weight, offset)
    np.testing.assert_array_equal(found.scores[~counts], clf.decision_function(X, offset)[~counts])
    assert not found.leverage[~counts].any()
    assert found.trusted[~counts].all()
    without = leave_one_out(clf, X[counts], y[counts], weight[counts], offset[counts])
    np.testing.assert_allclose(found.scores[counts], without.scores, rtol=1e-9)
    assert found.log_loss == pytest.approx(without.log_loss)


def test_the_unit_of_weights_goes_with_that_of_C(data):
    X, y, weight, _ = data
    once, tenfold = approximate(X, y, weight), approximate(X, y, 10.0 * weight, C=0.1)
    np.testing.assert_allclose(tenfold.scores, once.scores, rtol=1e-6)


def test_balanced_weights_are_those_of_the_fit(data):
    X, y = data.X, data.y
    balanced = len(y) / (2.0 * np.bincount(y))
    expected = approximate(X, y, class_weight=dict(enumerate(balanced)))
    found = approximate(X, y, class_weight="balanced")
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)
    assert found.log_loss == pytest.approx(expected.log_loss)


STORAGES = {
    "F-order": np.asfortranarray,
    "CSR": sparse.csr_array,
    "CSC": sparse.csc_matrix,
    "frame": pd.DataFrame,
    "float32": lambda X: X.astype(np.float32),
    "integers": lambda X: X.astype(np.int8),
}


@pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("options", [{}, {"l1_ratio": 1.0, "C": 0.2}, {"standardize": True}], ids=str)
def test_every_storage_gives_the_same(store, compiled, options, monkeypatch):
    random = np.random.default_rng(5)
    X = random.integers(-2, 3, (300, 6)) * (random.random((300, 6)) < 0.5).astype(float)
    y = (X[:, :3].sum(axis=1) + random.logistic(size=300) > 0).astype(int)
    expected = approximate(X, y, **options)
    if compiled:
        monkeypatch.setattr(memory, "COMPILED_FROM", 1)
        monkeypatch.setattr(memory, "THREADED_FROM", 1)
    found = approximate(store(X), y, n_jobs=3, **options)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.leverage, expected.leverage, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("options", [{}, {"penalty": None}, {"penalty_factor": {"species": 0.2}}], ids=str)
def test_levels_of_categories_are_columns_of_0_and_1(options):
    X, y = datasets.load_penguins()
    X = X[["species", "bill_length_mm", "body_mass_g"]].assign(body_mass_g=X["body_mass_g"] / 1e3)
    dummies = pd.get_dummies(X, columns=["species"], dtype=float, drop_first=options.get("penalty", "") is None)
    order = sorted(dummies.columns, key=lambda name: not name.startswith("species"))
    plain = options if "penalty_factor" not in options else {"penalty_factor": [0.2, 0.2, 0.2, 1.0, 1.0]}
    found = approximate(X, y, categories="auto", **options)
    np.testing.assert_allclose(found.scores, approximate(dummies[order], y, **plain).scores, rtol=1e-5, atol=1e-6)


def test_a_row_that_has_a_column_to_itself_is_marked_and_told(data):
    X, y = data.X[:, :2], data.y
    own = np.zeros(len(y))
    own[7] = 30.0
    X = np.column_stack([X, own])
    clf = fitted(X, y, C=10.0)
    with pytest.warns(LeverageWarning, match=r"^1 of 200 rows have leverages above 0\.3, up to 0\.8") as told:
        found = leave_one_out(clf, X, y)
    assert len(told) == 1
    assert str(told[0].message).count(". ") == 0
    assert np.flatnonzero(~found.trusted).tolist() == [7]
    assert np.isfinite(found.scores).all()


def test_a_row_whose_score_no_other_row_tells_has_none(data):
    X, y = np.column_stack([data.X[:, :2], np.arange(len(data.y)) == 7]), data.y
    clf = fitted(X, y, l1_ratio=1.0, C=20.0)
    assert clf.coef_[0, 2] != 0
    with pytest.warns(LeverageWarning, match=r"up to 1,"):
        found = leave_one_out(clf, X, y)
    assert np.flatnonzero(np.isnan(found.scores)).tolist() == [7]
    assert found.leverage[7] == pytest.approx(1.0)
    assert np.isnan(found.log_loss)


def test_trusted_scores_are_near_those_of_refits_even_of_rows_far_out():
    random = np.random.default_rng(11)
    X = random.standard_normal((120, 3))
    X[:6] *= 5.0
    y = (X[:, 0] + random.logistic(size=120) > 0).astype(int)
    clf = fitted(X, y)
    with pytest.warns(LeverageWarning):
        found = leave_one_out(clf, X, y)
    true, score = refitted(X, y), clf.decision_function(X)
    error = np.abs(found.scores - true) / np.abs(true - score)
    assert error[found.trusted].max() < 0.25
    assert np.quantile(error[found.trusted], 0.9) < 0.07


def test_the_frame_has_a_row_a_row(data):
    found = approximate(data.X, data.y)
    frame = found.frame()
    assert frame.columns.tolist() == ["score", "leverage", "trusted"]
    assert frame.dtypes["trusted"].kind == "b"
    np.testing.assert_array_equal(frame["score"], found.scores)
    assert len(frame) == len(data.y)


def test_labels_are_those_of_the_fit(data):
    words = np.where(data.y == 1, "yes", "no")
    expected = approximate(data.X, data.y)
    np.testing.assert_allclose(approximate(data.X, words).scores, expected.scores)
    assert approximate(data.X, words).log_loss == pytest.approx(expected.log_loss)


def test_the_estimator_stays_as_it_was(data):
    clf = fitted(pd.DataFrame(data.X, columns=["a", "b", "c"]), data.y)
    before = vars(clf).copy()
    leave_one_out(clf, pd.DataFrame(data.X, columns=["a", "b", "c"]), data.y)
    assert vars(clf).keys() == before.keys()
    assert all(vars(clf)[name] is before[name] for name in before)


def test_sparse_coefficients_are_read_too(data):
    clf = fitted(data.X, data.y)
    expected = leave_one_out(clf, data.X, data.y).scores
    np.testing.assert_array_equal(leave_one_out(clf.sparsify(), data.X, data.y).scores, expected)


def test_memory_stays_far_below_that_of_the_rows():
    random = np.random.default_rng(0)
    X = random.standard_normal((100_000, 40), dtype=np.float32)
    y = (X[:, 0] + random.logistic(size=len(X)) > 0).astype(int)
    clf = LogisticRegression(n_jobs=1).fit(X, y)
    tracemalloc.start()
    leave_one_out(clf, X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.8 * X.nbytes


def test_more_columns_than_a_matrix_holds_are_refused(data, monkeypatch):
    clf = fitted(data.X, data.y)
    monkeypatch.setattr(room, "WIDEST_MATRIX", 2)
    with pytest.raises(ValueError, match=r"^Leverages need a curvature matrix of the 3 columns that count, and it"):
        leave_one_out(clf, data.X, data.y)
    few = fitted(data.X, data.y, l1_ratio=1.0, C=0.02)
    assert leave_one_out(few, data.X, data.y).trusted.all()


def changed(values, row, value):
    values = np.array(values, dtype=float)
    values[row] = value
    return values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X[:, :2], y), "X has 2 features, but LogisticRegression is expecting 3"),
        (lambda X, y: (X[:-1], y), "^X and y have inconsistent numbers of samples: X has 199 rows, y has 200"),
        (lambda X, y: (changed(X, (5, 1), np.nan), y), "^Input X contains NaN, first in column 1, row 5"),
        (lambda X, y: (X, None), "^LogisticRegression requires y to be passed"),
        (lambda X, y: (X, sparse.csr_array(y[None])), "^y is sparse"),
        (lambda X, y: (X, y + 1j), "^Complex data not supported: y holds complex128"),
        (lambda X, y: (X, 2 * y), "^y holds the classes 0 and 2, but the model was fitted to 0 and 1; pass the y of"),
        (lambda X, y: (X, np.where(y, "b", "a")), "^y holds the classes 'a' and 'b', but"),
        (lambda X, y: (X, 0 * y), "^y holds only one class"),
        (lambda X, y: (X, y, [1.0, 2.0]), r"^sample_weight has shape \(2,\)"),
        (lambda X, y: (X, y, -np.ones(200)), "^sample_weight gives row 0 the weight -1"),
        (lambda X, y: (X, y, None, changed(np.zeros(200), 3, np.inf)), "^offset contains inf, first in row 3"),
        (lambda X, y: (X, 1 - y), "standard errors from the optimum of these rows, so they were fitted to others"),
        (lambda X, y: (X[:150], y[:150]), "^The coefficients are .+ standard errors from the optimum of these rows"),
    ],
)
def test_data_that_cannot_be_used_are_explained(data, change, message):
    clf = fitted(data.X, data.y)
    with pytest.raises(ValueError, match=message):
        leave_one_out(clf, *change(data.X, data.y))


def test_a_fit_that_did_not_arrive_is_used_where_it_stands(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it did not arrive
        clf = fitted(data.X, data.y, max_iter=2)
    assert np.isfinite(leave_one_out(clf, data.X, data.y).log_loss)
