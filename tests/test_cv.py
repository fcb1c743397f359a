"""Cross-validation all at once: the scores, choices and tables of fits one by one, and of scikit-learn's tools."""

import inspect
import pickle
import threading
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context, linear_model
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, log_loss, make_scorer, precision_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from logreg import LogisticRegression, LogisticRegressionCV, cv, nearby, plan
from logreg.rows import VersionedRows, memory, versions
from logreg.selection import choose

TIGHT = 1e-10
Cs = [0.003, 0.1, 10.0]
N = 200


def many(**parameters):
    return LogisticRegressionCV(**{"Cs": Cs, "tol": TIGHT, **parameters})


def single(**parameters):
    return LogisticRegression(**{"tol": TIGHT, "max_iter": 1_000, **parameters})


def splits(n=N, n_folds=4, seed=0):
    """Return splits as pairs of row numbers, each fold with a quarter of the rows."""
    fold = np.random.default_rng(seed).permutation(n) % n_folds
    return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(n_folds)]


def one_by_one(X, y, folds, scoring="neg_log_loss", *, weight=None, offset=None, Cs=Cs, l1_ratios=(0.0,), **parameters):
    """Return the scores and the coefficients of a fit for each fold, l1_ratio and C, as scores_ and coefs_paths_."""
    scores, paths = np.empty((len(folds), len(l1_ratios), len(Cs))), []
    for f, ratio, c in np.ndindex(scores.shape):
        train, test = folds[f]
        clf = single(C=Cs[c], l1_ratio=l1_ratios[ratio], **parameters)
        clf.fit(
            X[train],
            y[train],
            None if weight is None else weight[train],
            offset=None if offset is None else offset[train],
        )
        if offset is not None:
            probability = clf.predict_proba(X[test], offset[test])
            scores[f, ratio, c] = -log_loss(
                y[test], probability, sample_weight=None if weight is None else weight[test]
            )
        else:
            given = {} if weight is None else {"sample_weight": weight[test]}
            scorer = (
                clf.score
                if scoring is None
                else lambda *data, clf=clf, **known: get_scorer(scoring)(clf, *data, **known)
            )
            scores[f, ratio, c] = scorer(X[test], y[test], **given)
        paths.append(np.append(clf.coef_, clf.intercept_))
    return scores, np.array(paths).reshape(*scores.shape, 1, -1)


def assert_scores(ours, theirs, tolerance=1e-9):
    assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


# Any cv, any scoring

GROUPS = np.arange(N) // 50
SPLITTERS = {
    "three": 3,
    "five by default": None,
    "shuffled": KFold(4, shuffle=True, random_state=3),
    "stratified": StratifiedKFold(3, shuffle=True, random_state=1),
    "drawn": ShuffleSplit(4, test_size=0.2, random_state=0),
    "repeated": RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0),
    "predefined": PredefinedSplit(np.arange(N) % 4 - 1),
    "pairs": splits(),
    "pairs of lists": [(train.tolist(), test.tolist()) for train, test in splits()],
    "masks": [(~np.isin(np.arange(N), test), np.isin(np.arange(N), test)) for _, test in splits()],
    "resamples": [(np.random.default_rng(f).integers(0, N, N), np.arange(f, N, 7)) for f in range(3)],
    "one fold": splits()[:1],
}


@pytest.mark.parametrize("cv", SPLITTERS.values(), ids=SPLITTERS)
def test_scores_are_those_of_cross_val_score_whatever_the_folds(data, cv):
    clf = many(cv=cv).fit(data.X, data.y)
    for C, scores in zip(Cs, clf.scores_[:, 0].T, strict=True):
        assert_scores(scores, cross_val_score(single(C=C), data.X, data.y, cv=cv, scoring="neg_log_loss"))
    assert Cs[clf.scores_.mean(axis=(0, 1)).argmax()] == clf.C_
    assert_allclose(clf.coef_, single(C=clf.C_).fit(data.X, data.y).coef_, rtol=1e-8)


def test_groups_are_for_the_splitter(data):
    for splitter in (LeaveOneGroupOut(), GroupKFold(3)):
        clf = many(cv=splitter).fit(data.X, data.y, groups=GROUPS)
        for C, scores in zip(Cs, clf.scores_[:, 0].T, strict=True):
            expected = cross_val_score(single(C=C), data.X, data.y, cv=splitter, scoring="neg_log_loss", groups=GROUPS)
            assert_scores(scores, expected)


def test_pairs_that_can_be_read_once_are_enough(data):
    assert_array_equal(
        many(cv=iter(splits())).fit(data.X, data.y).scores_, many(cv=splits()).fit(data.X, data.y).scores_
    )


def own_scorer(estimator, X, y):
    return float(np.mean(estimator.decision_function(X) * (2 * y - 1)))


SCORERS = {
    **{str(name): name for name in ("neg_log_loss", "neg_brier_score", "accuracy", "roc_auc", None)},
    **{name: name for name in ("f1", "balanced_accuracy", "average_precision", "d2_log_loss_score")},
    "a function": own_scorer,
    "a scorer": make_scorer(precision_score, zero_division=0.0),
    "the scorer of a metric of its own": get_scorer("roc_auc"),
}


@pytest.mark.parametrize("scoring", SCORERS.values(), ids=SCORERS)
def test_scores_are_those_of_cross_val_score_whatever_the_scoring(data, scoring):
    clf = many(cv=splits(), scoring=scoring).fit(data.X, data.y)
    for C, scores in zip(Cs, clf.scores_[:, 0].T, strict=True):
        assert_scores(scores, cross_val_score(single(C=C), data.X, data.y, cv=splits(), scoring=scoring))


@pytest.mark.parametrize("scoring", SCORERS.values(), ids=SCORERS)
def test_score_is_what_scoring_says_of_the_final_fit(data, scoring):
    clf = many(cv=splits(), scoring=scoring).fit(data.X, data.y)
    plain = single(C=clf.C_).fit(data.X, data.y)
    expected = plain.score(data.X, data.y) if scoring is None else get_scorer(scoring)(plain, data.X, data.y)
    assert clf.score(data.X, data.y) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "neg_brier_score", "accuracy", "roc_auc"])
def test_labels_may_be_words_whatever_is_computed_from_scores(data, scoring):
    labels = np.where(data.y == 1, "yes", "no")
    numbers, words = (many(cv=splits(), scoring=scoring).fit(data.X, y) for y in (data.y, labels))
    assert_array_equal(words.scores_, numbers.scores_)
    assert words.classes_.tolist() == ["no", "yes"]
    assert words.score(data.X, labels) == numbers.score(data.X, data.y)
    assert (words.predict(data.X) == "yes").tolist() == (numbers.predict(data.X) == 1).tolist()


# Any storage

STORAGES = {
    "F-order": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "float32": lambda X: X.astype(np.float32),
    "integers": lambda X: np.rint(10 * X).astype(np.int16),
    "CSR": sparse.csr_matrix,
    "CSC": sparse.csc_array,
    "CSR of float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "DataFrame": lambda X: pd.DataFrame(X, columns=list("abc")),
    "DataFrame of mixed types": lambda X: pd.DataFrame(X, columns=list("abc")).astype({"b": np.float32}),
    "polars": lambda X: pl.DataFrame(X, schema=list("abc")),
    "list": lambda X: X.tolist(),
    "far from zero": lambda X: X + np.array([0.0, 1e6, 0.0]),
}
EVERY_STORAGE = pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)


@pytest.fixture(params=["plain", "compiled", "threads", "wide", "batches"])
def way(request, monkeypatch):
    """The ways that fits of larger data go, brought down to the size of a test."""
    if request.param != "plain":
        monkeypatch.setattr(versions, "COMPILED_FROM", 0)
    if request.param == "threads":
        monkeypatch.setattr(memory, "COMPILED_FROM", 0)
        monkeypatch.setattr(memory, "THREADED_FROM", 0)
    if request.param == "wide":
        monkeypatch.setattr(nearby, "WIDEST_MATRIX", 0)
        monkeypatch.setattr(plan, "WIDEST_MATRIX", 0)
    if request.param == "batches":
        monkeypatch.setattr(nearby, "models_at_once", lambda n_columns: 5)


@EVERY_STORAGE
@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc"])
def test_scores_are_those_of_cross_val_score_whatever_the_storage(data, store, scoring, way):
    X = store(data.X)
    clf = many(cv=splits(), scoring=scoring, max_iter=1_000).fit(X, data.y)
    plain = store(data.X) if not isinstance(X, (pl.DataFrame, list)) else data.X
    for C, scores in zip(Cs, clf.scores_[:, 0].T, strict=True):
        assert_scores(scores, cross_val_score(single(C=C), plain, data.y, cv=splits(), scoring=scoring), 1e-8)
    again = single(C=clf.C_).fit(X, data.y)
    assert_allclose(clf.coef_, again.coef_, rtol=1e-7)
    assert_allclose(clf.predict_proba(X), again.predict_proba(X), rtol=1e-6)


@EVERY_STORAGE
def test_scorers_are_given_the_held_out_rows_of_every_storage(data, store):
    X = store(data.X)
    clf = many(cv=splits(), scoring="f1").fit(X, data.y)
    plain = data.X if isinstance(X, (pl.DataFrame, list)) else X
    expected = cross_val_score(single(C=Cs[1]), plain, data.y, cv=splits(), scoring="f1")
    assert_scores(clf.scores_[:, 0, 1], expected)


@pytest.mark.parametrize("form", ["coo", "bsr", "lil", "dok"])
@pytest.mark.parametrize("scoring", ["neg_log_loss", "f1"])
def test_sparse_matrices_of_any_form_can_be_cut_into_folds(data, form, scoring):
    X = sparse.csr_matrix(data.X)
    plain, other = (many(cv=splits(), scoring=scoring).fit(each, data.y) for each in (X, X.asformat(form)))
    assert_scores(other.scores_, plain.scores_)


def make_frame(n=N, seed=0):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "city": pd.Categorical(random.choice(["Bern", "Oslo", "Rome"], n)),
            "dose": random.standard_normal(n),
            "stage": random.choice(["low", "mid", "high"], n),
        }
    )
    y = frame["dose"] - (frame["city"] == "Oslo") + 0.5 * (frame["stage"] == "mid") + random.logistic(size=n) > 0
    return frame, y.to_numpy().astype(int)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc", "f1"])
def test_categories_are_scored_as_in_cross_val_score_where_every_fold_has_all_levels(scoring, l1_ratio):
    frame, y = make_frame()
    clf = many(cv=splits(), scoring=scoring, categories="auto", l1_ratios=[l1_ratio]).fit(frame, y)
    for C, scores in zip(Cs, clf.scores_[:, 0].T, strict=True):
        alone = single(C=C, categories="auto", l1_ratio=l1_ratio)
        assert_scores(scores, cross_val_score(alone, frame, y, cv=splits(), scoring=scoring), 1e-8)
    assert clf.coefs_paths_.shape == (4, 1, 3, 1, 8)
    assert clf.coef_frame()["term"].tolist()[:2] == ["intercept", "city=Bern"]


def test_a_level_that_a_fold_never_sees_counts_for_nothing_there():
    frame, y = make_frame()
    frame["city"] = frame["city"].cat.add_categories("Ulm")
    frame.loc[:3, "city"] = "Ulm"
    folds = [(np.arange(4, N), np.arange(4)), (np.arange(100), np.arange(100, N))]
    clf = many(cv=folds, categories="auto").fit(frame, y)
    ulm = clf.coef_frame()["term"].tolist().index("city=Ulm") - 1
    assert_allclose(clf.coefs_paths_[0, ..., ulm], 0.0, atol=1e-12)
    assert (clf.coefs_paths_[1, ..., ulm] != 0.0).all()
    assert np.isfinite(clf.scores_).all()


# Weights, offsets and all other parameters

PARAMETERS = {
    "nothing": {},
    "no intercept": {"fit_intercept": False},
    "standardised": {"standardize": True},
    "standardised, no intercept": {"standardize": True, "fit_intercept": False},
    "balanced": {"class_weight": "balanced"},
    "class weights": {"class_weight": {0: 3.0, 1: 0.5}},
    "one class weight": {"class_weight": {1: 7.0}},
    "a free column": {"penalty_factor": [1.0, 0.0, 2.0]},
    "a column left out": {"penalty_factor": [1.0, np.inf, 2.0]},
    "free and left out, standardised": {"penalty_factor": [0.0, np.inf, 1.0], "standardize": True},
    "balanced and standardised": {"class_weight": "balanced", "standardize": True},
    "positive": {"positive": True},
    "bounds": {"bounds": [(-0.1, 0.3), (-np.inf, 0.0), (0.0, 5.0)]},
    "bounds, standardised": {"bounds": [(-0.1, 0.3), (-np.inf, 0.0), (0.0, 5.0)], "standardize": True},
}


@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS)
@pytest.mark.parametrize("with_offset", [False, True], ids=["", "offset"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weights"])
def test_every_parameter_means_what_it_means_in_a_single_fit(data, parameters, weighted, with_offset):
    weight, offset = data.weight if weighted else None, data.offset if with_offset else None
    ratios = [0.0, 0.5, 1.0]
    clf = many(cv=splits(), l1_ratios=ratios, **parameters).fit(data.X, data.y, weight, offset=offset)
    scores, paths = one_by_one(data.X, data.y, splits(), weight=weight, offset=offset, l1_ratios=ratios, **parameters)
    assert_scores(clf.scores_, scores, 1e-7)
    paths = paths[..., : 3 + parameters.get("fit_intercept", True)]
    assert_allclose(clf.coefs_paths_, paths, rtol=1e-6, atol=1e-6)
    whole = single(C=clf.C_, l1_ratio=clf.l1_ratio_, **parameters).fit(data.X, data.y, weight, offset=offset)
    assert_allclose(clf.coef_, whole.coef_, rtol=1e-6, atol=1e-7)
    assert_allclose(clf.intercept_, whole.intercept_, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "neg_brier_score", "accuracy", "roc_auc", None, "f1"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_weights_count_in_fits_and_in_scores(data, scoring, class_weight):
    clf = many(cv=splits(), scoring=scoring, class_weight=class_weight).fit(data.X, data.y, data.weight)
    scores, _ = one_by_one(data.X, data.y, splits(), scoring, weight=data.weight, class_weight=class_weight)
    assert_scores(clf.scores_, scores, 1e-8)
    weighted = clf.score(data.X, data.y, sample_weight=data.weight)
    whole = single(C=clf.C_, class_weight=class_weight).fit(data.X, data.y, data.weight)
    scorer = get_scorer("accuracy" if scoring is None else scoring)
    assert weighted == pytest.approx(scorer(whole, data.X, data.y, sample_weight=data.weight), rel=1e-7)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc", "f1"])
def test_one_weight_for_all_rows_is_a_change_of_C(data, scoring):
    doubled = many(cv=splits(), scoring=scoring).fit(data.X, data.y, sample_weight=2.0)
    plain = many(cv=splits(), scoring=scoring, Cs=2 * np.array(Cs)).fit(data.X, data.y)
    assert_scores(doubled.scores_, plain.scores_)


def test_offsets_count_in_scores(data):
    clf = many(cv=splits()).fit(data.X, data.y, offset=data.offset)
    probability = clf.predict_proba(data.X, data.offset)
    assert clf.score(data.X, data.y, offset=data.offset) == pytest.approx(-log_loss(data.y, probability), rel=1e-12)
    moved = many(cv=splits()).fit(data.X, data.y, offset=np.full(N, 3.0))
    plain = many(cv=splits()).fit(data.X, data.y)
    assert_scores(moved.scores_, plain.scores_)
    assert_allclose(moved.intercept_, plain.intercept_ - 3.0, rtol=1e-7)


@pytest.mark.parametrize("scoring", ["f1", own_scorer], ids=["f1", "a function"])
def test_a_scorer_that_cannot_take_the_offset_is_not_given_scores_without_it(data, scoring):
    with pytest.raises(ValueError, match=r"cannot take (an|the) offset"):
        many(cv=splits(), scoring=scoring).fit(data.X, data.y, offset=data.offset)


# What changes nothing


def same_folds(order):
    """Return the splits with rows numbered as they come in another order."""
    place = np.argsort(order)
    return [(place[train], place[test]) for train, test in splits()]


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("scoring", ["neg_log_loss", "neg_brier_score", "accuracy", "roc_auc"])
class TestRelations:
    def clf(self, l1_ratio, scoring, folds=None):
        return many(cv=splits() if folds is None else folds, l1_ratios=[l1_ratio], scoring=scoring)

    def test_the_order_of_the_rows_does_not_matter(self, data, l1_ratio, scoring):
        order = np.random.default_rng(1).permutation(N)
        plain = self.clf(l1_ratio, scoring).fit(data.X, data.y, data.weight)
        shuffled = self.clf(l1_ratio, scoring, same_folds(order)).fit(data.X[order], data.y[order], data.weight[order])
        assert_scores(shuffled.scores_, plain.scores_, 1e-8)
        assert_allclose(shuffled.coef_, plain.coef_, rtol=1e-6, atol=1e-8)

    def test_swapping_the_labels_flips_the_signs(self, data, l1_ratio, scoring):
        plain, swapped = (self.clf(l1_ratio, scoring).fit(data.X, y, data.weight) for y in (data.y, 1 - data.y))
        assert_scores(swapped.scores_, plain.scores_, 1e-8)
        assert_allclose(swapped.coefs_paths_, -plain.coefs_paths_, rtol=1e-6, atol=1e-7)

    def test_weight_two_is_a_row_twice_where_both_are_in_one_fold_and_weight_zero_is_no_row(
        self, data, l1_ratio, scoring
    ):
        weight = np.random.default_rng(2).integers(0, 3, N)
        repeated = np.repeat(np.arange(N), weight)
        folds = [tuple(np.flatnonzero(np.isin(repeated, rows)) for rows in pair) for pair in splits()]
        weighted = self.clf(l1_ratio, scoring).fit(data.X, data.y, weight)
        twice = self.clf(l1_ratio, scoring, folds).fit(data.X[repeated], data.y[repeated])
        assert_scores(weighted.scores_, twice.scores_, 1e-8)
        assert_allclose(weighted.coef_, twice.coef_, rtol=1e-6, atol=1e-8)
        assert weighted.C_ == twice.C_


def test_rows_of_weight_zero_may_hold_anything_finite(data):
    weight = np.where(np.arange(N) % 5 == 0, 0.0, data.weight)
    X = np.where(weight[:, None] == 0.0, 100.0 * data.X, data.X)
    y = np.where(weight == 0.0, 1 - data.y, data.y)
    for scoring in ("neg_log_loss", "neg_brier_score", "accuracy", "roc_auc"):
        one, other = (
            many(cv=splits(), scoring=scoring, class_weight="balanced", standardize=True).fit(*pair, weight)
            for pair in ((data.X, data.y), (X, y))
        )
        assert_scores(other.scores_, one.scores_)


def test_the_random_state_does_not_matter(data, monkeypatch):
    monkeypatch.setattr(plan, "FULL_FLOPS", 0)
    monkeypatch.setattr(plan, "SAMPLED_ROWS", 100)
    monkeypatch.setattr(plan, "ROWS_A_COLUMN", 10)
    monkeypatch.setattr(plan, "MOST_ROWS_A_COLUMN", 25)
    monkeypatch.setattr(plan, "FIRST_SAMPLE", 30)
    expected, _ = one_by_one(data.X, data.y, splits())
    for random_state in (None, 0, 1, np.random.RandomState(3)):
        clf = many(cv=splits(), random_state=random_state).fit(data.X, data.y)
        assert_scores(clf.scores_, expected, 1e-8)


def test_a_second_fit_is_the_first_again(data):
    clf = many(cv=splits())
    first = clf.fit(data.X, data.y).coefs_paths_
    assert_array_equal(clf.fit(data.X, data.y).coefs_paths_, first)


@pytest.mark.parametrize("n_jobs", [1, 2, -1])
def test_the_number_of_threads_does_not_matter(data, n_jobs, monkeypatch):
    monkeypatch.setattr(versions, "COMPILED_FROM", 0)
    assert_scores(many(cv=splits(), n_jobs=n_jobs).fit(data.X, data.y).scores_, one_by_one(data.X, data.y, splits())[0])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("logreg")]


# scikit-learn's LogisticRegressionCV


def theirs(**parameters):
    known = {"Cs": 5, "cv": 5, "tol": 1e-12, "max_iter": 10_000, "solver": "newton-cholesky", "l1_ratios": (0.0,)}
    return linear_model.LogisticRegressionCV(**known | {"scoring": "neg_log_loss"} | parameters)


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("legacy", [False, True], ids=["", "legacy"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratios", [(0.0,), (0.0, 0.5, 1.0)], ids=str)
@pytest.mark.parametrize("scoring", ["neg_log_loss", "neg_brier_score"])
def test_attributes_are_those_of_scikit_learn(data, refit, legacy, fit_intercept, l1_ratios, scoring):
    grid = [0.1, 0.3, 1.0, 3.0, 100.0]  # that of saga below is not at its optimum where all coefficients are 0
    X = StandardScaler().fit_transform(data.X)
    known = {
        "refit": refit,
        "use_legacy_attributes": legacy,
        "fit_intercept": fit_intercept,
        "l1_ratios": np.array(l1_ratios),
    }
    solver = {"solver": "newton-cholesky"} if l1_ratios == (0.0,) else {"solver": "saga"}
    other = theirs(Cs=grid, scoring=scoring, **known, **solver).fit(X, data.y)
    clf = many(Cs=grid, cv=5, scoring=scoring, **known).fit(X, data.y)
    assert_allclose(clf.Cs_, other.Cs_)
    assert_array_equal(clf.l1_ratios_, other.l1_ratios_)
    for name, tolerance in (("scores_", 1e-6), ("coefs_paths_", 1e-5)):
        ours, expected = getattr(clf, name), getattr(other, name)
        if legacy:
            assert ours.keys() == expected.keys()
            ours, expected = ours[1], expected[1]
        assert ours.shape == expected.shape
        assert_allclose(ours, expected, rtol=tolerance, atol=tolerance)
    for name in ("C_", "l1_ratio_", "coef_", "intercept_"):
        assert np.shape(getattr(clf, name)) == np.shape(getattr(other, name))
        assert_allclose(getattr(clf, name), getattr(other, name), rtol=1e-5, atol=1e-5)
    assert np.shape(clf.n_iter_) == np.shape(other.n_iter_)
    assert type(clf.C_) is type(other.C_)


@pytest.mark.parametrize("legacy", [False, True], ids=["", "legacy"])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_without_l1_ratios_the_shapes_are_those_of_scikit_learn(data, legacy):
    other = theirs(l1_ratios=None, use_legacy_attributes=legacy).fit(data.X, data.y)
    clf = many(Cs=5, cv=5, l1_ratios=None, use_legacy_attributes=legacy).fit(data.X, data.y)
    for name in ("scores_", "coefs_paths_", "n_iter_", "C_", "l1_ratio_"):
        ours, expected = getattr(clf, name), getattr(other, name)
        if isinstance(expected, dict):
            assert ours.keys() == expected.keys()
            ours, expected = ours[1], expected[1]
        assert np.shape(ours) == np.shape(expected)


@pytest.mark.parametrize("parameters", [{"class_weight": {0: 3.0}}, {"penalty": "l2"}, {"penalty": "l1"}], ids=str)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_parameters_mean_what_they_mean_in_scikit_learn(data, parameters):
    X = StandardScaler().fit_transform(data.X)
    solver = "saga" if parameters.get("penalty") == "l1" else "newton-cholesky"
    ratios = None if "penalty" in parameters else (0.0,)
    known = {"Cs": [0.1, 1.0, 10.0], "use_legacy_attributes": False, "solver": solver, "l1_ratios": ratios}
    other = theirs(**known, **parameters).fit(X, data.y, data.weight)
    clf = many(Cs=[0.1, 1.0, 10.0], cv=5, **parameters).fit(X, data.y, data.weight)
    assert_allclose(clf.scores_, other.scores_, atol=1e-6)
    assert_allclose(clf.coef_, other.coef_, rtol=1e-4, atol=1e-5)


def test_accepts_every_parameter_name_of_scikit_learn():
    known = inspect.signature(LogisticRegressionCV).parameters
    assert set(inspect.signature(linear_model.LogisticRegressionCV).parameters) <= set(known)
    of_one_fit = {"C", "l1_ratio", "warm_start", "forgetting_factor", "checkpoint"}
    mine = set(inspect.signature(LogisticRegression).parameters) - of_one_fit
    assert mine <= set(known)


# The choice


@pytest.mark.parametrize("l1_ratios", [[0.0], [0.0, 0.5, 1.0]], ids=str)
@pytest.mark.parametrize("grid", [np.logspace(-4, 3, 12), np.logspace(3, -4, 12)], ids=["rising", "falling"])
def test_one_standard_error_is_the_rule_of_breiman_and_others(data, l1_ratios, grid):
    best, clf = (
        many(Cs=grid, cv=10, l1_ratios=l1_ratios, select=select).fit(data.X, data.y) for select in ("best", "1se")
    )
    assert_array_equal(best.scores_, clf.scores_)
    assert best.l1_ratio_ == clf.l1_ratio_
    scores = clf.scores_[:, l1_ratios.index(clf.l1_ratio_)]
    mean, error = scores.mean(axis=0), scores.std(axis=0, ddof=1) / np.sqrt(10)
    top = np.argmax(mean)
    assert grid[top] == best.C_
    assert min(C for C, of_C in zip(grid, mean, strict=True) if of_C >= mean[top] - error[top]) == clf.C_
    assert clf.C_ < best.C_
    again = single(C=clf.C_, l1_ratio=clf.l1_ratio_).fit(data.X, data.y)
    assert_allclose(clf.coef_, again.coef_, rtol=1e-6, atol=1e-8)


def test_one_fold_has_no_standard_error(data):
    best, clf = (many(cv=splits()[:1], select=select).fit(data.X, data.y) for select in ("best", "1se"))
    assert best.C_ == clf.C_


def test_of_equal_scores_the_first_is_taken_as_in_scikit_learn(data):
    clf = many(Cs=[1.0, 10.0, 0.1], cv=splits(), scoring=lambda estimator, X, y: 1.0).fit(data.X, data.y)
    assert clf.C_ == 1.0
    assert clf.cv_results_["rank_test_score"].tolist() == [1, 1, 1]


def test_of_equal_scores_the_first_C_is_taken_before_the_first_l1_ratio_as_in_scikit_learn():
    scores = np.array([[[0.0, 1.0], [1.0, 0.0]]])
    assert choose(scores, np.array([0.1, 1.0]), "best") == (1, 0)


def test_without_a_refit_coefficients_are_means_over_folds_each_at_its_best(data):
    clf = many(cv=splits(), l1_ratios=[0.0, 1.0], refit=False).fit(data.X, data.y)
    places = [np.unravel_index(scores.argmax(), scores.shape) for scores in clf.scores_]
    mean = np.mean([clf.coefs_paths_[f, ratio, c, 0] for f, (ratio, c) in enumerate(places)], axis=0)
    assert_allclose(np.append(clf.coef_, clf.intercept_), mean, rtol=1e-12)
    assert pytest.approx(np.mean([Cs[c] for _, c in places])) == clf.C_
    assert_allclose(clf.decision_function(data.X), data.X @ mean[:3] + mean[3], rtol=1e-9)


def test_results_are_the_table_of_grid_search(data):
    ratios = [0.0, 0.5, 1.0]
    clf = many(cv=splits(), l1_ratios=ratios).fit(data.X, data.y)
    search = GridSearchCV(single(), {"C": Cs, "l1_ratio": ratios}, cv=splits(), scoring="neg_log_loss")
    ours, expected = clf.cv_results_, search.fit(data.X, data.y).cv_results_
    assert ours.keys() == expected.keys()
    order = [ours["params"].index(params) for params in expected["params"]]
    for name, column in expected.items():
        if name.endswith("_time"):
            assert (ours[name] >= 0.0).all()
        elif name != "params":
            assert_allclose(
                np.asarray(ours[name][order], dtype=float), np.asarray(column, dtype=float), rtol=1e-7, atol=1e-9
            )
            assert ours[name].dtype == column.dtype
            assert type(ours[name]) is type(column)
    assert search.best_params_ == {"C": clf.C_, "l1_ratio": clf.l1_ratio_}
    assert len(pd.DataFrame(ours)) == 9


def test_results_are_in_the_order_of_the_table_of_grid_search(data):
    clf = many(cv=splits(), l1_ratios=[0.0, 1.0]).fit(data.X, data.y)
    search = GridSearchCV(single(), {"C": Cs, "l1_ratio": [0.0, 1.0]}, cv=splits(), scoring="neg_log_loss")
    assert clf.cv_results_["params"] == search.fit(data.X, data.y).cv_results_["params"]


def test_passes_are_counted_and_shared(data):
    recorder = Recorder()
    clf = many(cv=10, Cs=20).set_callbacks(recorder).fit(data.X, data.y)
    assert clf.n_passes_ == recorder.told.count("end pass") + len(clf.history_["objective"])
    assert clf.n_passes_ < 60  # of 220 fits
    assert clf.n_iter_.shape == (10, 1, 20)
    assert clf.n_iter_.min() >= 0
    assert clf.n_iter_.max() < clf.n_passes_


# The grid


def null_scores(y, folds):
    share = np.array([y[train].mean() for train, _ in folds])
    return np.array([-log_loss(y[test], np.full(len(test), p)) for (_, test), p in zip(folds, share, strict=True)])


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_the_grid_goes_from_the_null_model_to_maximum_likelihood(data, l1_ratio):
    X = StandardScaler().fit_transform(data.X)
    clf = LogisticRegressionCV(cv=splits(), l1_ratios=[l1_ratio], tol=1e-8).fit(X, data.y)
    assert len(clf.Cs_) >= 10
    assert (np.diff(clf.Cs_) > 0).all()
    assert_allclose(np.diff(np.log(clf.Cs_)), np.log(clf.Cs_[1] / clf.Cs_[0]))
    assert_allclose(clf.scores_[:, 0, 0], null_scores(data.y, splits()), atol=0.01)
    first, last = (single(C=clf.Cs_[i], l1_ratio=l1_ratio).fit(X, data.y) for i in (0, -1))
    assert np.std(X @ first.coef_[0]) <= 0.0101
    free = single(penalty=None).fit(X, data.y)
    Z, p = np.column_stack([X, np.ones(N)]), free.predict_proba(X)[:, 1]
    errors = np.sqrt(np.diag(np.linalg.inv(Z.T @ (Z * (p * (1 - p))[:, None]))))[:3]
    assert (np.abs(last.coef_ - free.coef_)[0] < 0.25 * errors).all()


@pytest.mark.parametrize(("l1_ratio", "power"), [(0.0, 2), (1.0, 1)])
def test_the_grid_goes_with_the_units_of_the_columns(data, l1_ratio, power):
    plain, thousand = (
        LogisticRegressionCV(cv=splits(), l1_ratios=[l1_ratio], tol=TIGHT).fit(X, data.y)
        for X in (data.X, 1000 * data.X)
    )
    assert_allclose(thousand.Cs_, plain.Cs_ / 1000**power, rtol=1e-9)
    assert_scores(thousand.scores_, plain.scores_, 1e-7)
    assert_allclose(1000 * thousand.coef_, plain.coef_, rtol=1e-6)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_the_grid_of_standardised_columns_does_not_depend_on_their_units(data, l1_ratio):
    units = np.array([1e-3, 1.0, 1e4])
    plain, other = (
        LogisticRegressionCV(cv=splits(), l1_ratios=[l1_ratio], standardize=True, tol=1e-8).fit(X, data.y)
        for X in (data.X, data.X * units)
    )
    assert_allclose(other.Cs_, plain.Cs_, rtol=1e-9)
    assert_scores(other.scores_, plain.scores_, 1e-6)


def test_the_grid_starts_at_the_same_penalty_a_unit_of_weight(data):
    one, other = (
        LogisticRegressionCV(cv=splits()).fit(data.X, data.y, weight) for weight in (data.weight, 10 * data.weight)
    )
    assert other.Cs_[0] == pytest.approx(one.Cs_[0] / 10, rel=1e-9)
    assert_scores(other.scores_[..., 0], one.scores_[..., 0], 1e-6)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_the_grid_of_a_row_of_weight_two_is_that_of_the_row_twice(data, l1_ratio):
    weight = np.random.default_rng(2).integers(0, 4, N)
    repeated = np.repeat(np.arange(N), weight)
    weighted = LogisticRegressionCV(cv=3, l1_ratios=[l1_ratio]).fit(data.X, data.y, weight)
    twice = LogisticRegressionCV(cv=3, l1_ratios=[l1_ratio]).fit(data.X[repeated], data.y[repeated])
    assert_allclose(weighted.Cs_, twice.Cs_, rtol=1e-7)


@pytest.mark.parametrize("unit", [1e-8, 1e8, 1e30])
@pytest.mark.parametrize("penalty_factor", [None, [1.0, 0.0, 1.0], [1.0, np.inf, 1.0]], ids=str)
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_the_grid_bears_any_units(data, unit, penalty_factor, l1_ratio):
    clf = LogisticRegressionCV(cv=splits(), penalty_factor=penalty_factor, l1_ratios=[l1_ratio])
    plain = clone(clf).fit(data.X, data.y)
    clf.fit(unit * data.X, data.y)
    assert_allclose(clf.scores_, plain.scores_, atol=1e-4)
    assert_allclose(unit * clf.coef_, plain.coef_, atol=0.01)


@pytest.mark.parametrize("store", [sparse.csr_array, sparse.csc_array, lambda X: X.astype(np.float32)])
def test_the_grid_does_not_depend_on_the_storage(data, store):
    X = data.X.astype(np.float32).astype(float)
    plain, stored = (LogisticRegressionCV(cv=splits()).fit(each, data.y) for each in (X, store(X)))
    assert_allclose(stored.Cs_, plain.Cs_, rtol=1e-7)


def test_columns_that_say_nothing_have_a_grid_all_the_same(data):
    clf = LogisticRegressionCV(cv=splits()).fit(np.zeros((N, 2)), data.y)
    assert_scores(clf.scores_[:, 0], np.tile(null_scores(data.y, splits()), (len(clf.Cs_), 1)).T, 1e-6)
    assert not clf.coef_.any()


def test_two_columns_more_than_rows_have_a_grid():
    random = np.random.default_rng(0)
    X, y = random.standard_normal((30, 80)), np.arange(30) % 2
    clf = LogisticRegressionCV(cv=3).fit(X, y)
    assert np.isfinite(clf.scores_).all()
    assert LogisticRegressionCV(cv=3, l1_ratios=[1.0]).fit(X, y).scores_.shape[0] == 3


@pytest.mark.parametrize("size", [1, 5, 10, np.int64(3)])
def test_a_number_of_Cs_is_the_grid_of_scikit_learn(data, size):
    assert_allclose(many(Cs=size, cv=splits()).fit(data.X, data.y).Cs_, np.logspace(-4, 4, size))


@pytest.mark.parametrize("given", [[1.0, 0.01, 10.0], (0.1,), np.array([3, 1, 2]), 0.5, pd.Series([2.0, 1.0])], ids=str)
def test_Cs_are_taken_as_they_are_and_in_their_order(data, given):
    clf = many(Cs=given, cv=splits()).fit(data.X, data.y)
    order = np.atleast_1d(np.asarray(given, dtype=float))
    assert_array_equal(clf.Cs_, order)
    assert_scores(clf.scores_, one_by_one(data.X, data.y, splits(), Cs=order)[0], 1e-8)
    assert_array_equal(np.asarray(clf.cv_results_["param_C"], dtype=float), order)


def test_an_infinite_C_is_no_penalty(data):
    clf = many(Cs=[0.1, np.inf], cv=splits()).fit(data.X, data.y)
    assert_scores(clf.scores_, one_by_one(data.X, data.y, splits(), Cs=[0.1, np.inf])[0], 1e-8)


@pytest.mark.parametrize("penalty", [None, "none"])
def test_without_a_penalty_there_is_nothing_to_choose(data, penalty):
    clf = many(penalty=penalty, cv=splits()).fit(data.X, data.y)
    assert clf.Cs_.tolist() == [np.inf]
    assert np.inf == clf.C_
    assert_scores(
        clf.scores_[:, 0, 0], cross_val_score(single(penalty=None), data.X, data.y, cv=splits(), scoring="neg_log_loss")
    )


def test_separated_folds_without_a_penalty_are_told_once(data):
    y = (data.X[:, 0] > 0).astype(int)
    with pytest.warns(ConvergenceWarning, match=r"^A combination of the columns separates the outcomes") as caught:
        many(Cs=[np.inf], cv=splits(), scoring="accuracy", tol=1e-4).fit(data.X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_too_few_passes_are_told_once_and_where_fit_is_called(data, l1_ratio):
    with pytest.warns(ConvergenceWarning, match=r"of 12 fits did not arrive within max_iter=2 passes") as caught:
        many(cv=splits(), l1_ratios=[l1_ratio], max_iter=2).fit(data.X, data.y)
    assert len(caught) == 1
    assert caught[0].filename == __file__


# scikit-learn's conventions


def test_a_default_call_warns_of_nothing(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf = LogisticRegressionCV().fit(data.X, data.y)
    assert clf.scores_.shape == (5, 1, len(clf.Cs_))
    assert isinstance(clf.C_, float)
    assert isinstance(clf.l1_ratio_, float)
    assert clf.converged_


def test_clone_and_set_params_and_repr_know_every_parameter():
    clf = LogisticRegressionCV([1.0, 2.0], l1_ratios=[0.5], standardize=True).set_params(select="1se", cv=3)
    assert clone(clf).get_params() == clf.get_params()
    assert set(clf.get_params()) == set(inspect.signature(LogisticRegressionCV).parameters)
    assert (
        " ".join(repr(clf).split())
        == "LogisticRegressionCV(Cs=[1.0, 2.0], cv=3, l1_ratios=[0.5], select='1se', standardize=True)"
    )


def test_fit_changes_no_parameter_and_leaves_no_trace_of_an_earlier_fit(data):
    clf = LogisticRegressionCV(cv=splits())
    given = clf.get_params()
    clf.fit(pd.DataFrame(data.X, columns=list("abc")), data.y).fit(data.X, data.y)
    assert all(clf.get_params()[name] is value for name, value in given.items())
    assert not hasattr(clf, "feature_names_in_")
    assert clf.n_features_in_ == 3


def test_a_pickled_fit_predicts_the_same_and_holds_no_training_data(data):
    X, y = np.tile(data.X, (50, 1)), np.tile(data.y, 50)
    clf = LogisticRegressionCV(cv=3).fit(X, y)
    stored = pickle.dumps(clf)
    assert len(stored) < X.nbytes / 10
    again = pickle.loads(stored)
    assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert_array_equal(again.scores_, clf.scores_)


def test_in_a_pipeline_the_columns_come_scaled(data):
    pipe = make_pipeline(StandardScaler(), many(cv=splits())).fit(data.X, data.y)
    alone = many(cv=splits()).fit(StandardScaler().fit_transform(data.X), data.y)
    assert_array_equal(pipe[-1].scores_, alone.scores_)
    assert_array_equal(pipe.predict_proba(data.X), alone.predict_proba(StandardScaler().fit_transform(data.X)))


def test_nested_cross_validation_scores_the_choice(data):
    clf = make_pipeline(StandardScaler(), many(cv=3))
    scores = cross_val_score(clf, data.X, data.y, cv=splits())
    for (train, test), score in zip(splits(), scores, strict=True):
        search = make_pipeline(StandardScaler(), single())
        search = GridSearchCV(search, {"logisticregression__C": Cs}, cv=3, scoring="neg_log_loss")
        search.fit(data.X[train], data.y[train])
        assert score == pytest.approx(search.score(data.X[test], data.y[test]), rel=1e-7)


def test_grid_search_over_it_scores_by_its_own_scoring(data):
    search = GridSearchCV(many(cv=3), {"standardize": [False, True]}, cv=splits(), n_jobs=2).fit(data.X, data.y)
    alone = cross_val_score(many(cv=3, standardize=True), data.X, data.y, cv=splits())
    assert search.cv_results_["mean_test_score"][1] == pytest.approx(alone.mean(), rel=1e-9)


def test_what_can_be_asked_of_a_fit_can_be_asked_of_its_choice(data):
    frame = pd.DataFrame(data.X, columns=list("abc"))
    clf = many(cv=splits()).fit(frame, data.y, data.weight)
    plain = single(C=clf.C_).fit(frame, data.y, data.weight)
    assert clf.coef_frame()["term"].tolist() == plain.coef_frame()["term"].tolist()
    assert clf.objective_ == pytest.approx(plain.objective_, rel=1e-10)
    assert clf.predict(frame).tolist() == plain.predict(frame).tolist()
    assert_allclose(clf.predict_log_proba(frame), plain.predict_log_proba(frame), rtol=1e-6)
    assert_allclose(
        clone(clf).fit(frame, data.y, data.weight).sparsify().predict_proba(frame), clf.predict_proba(frame)
    )


def test_leave_one_out_scores_are_those_of_the_chosen_penalty(data):
    clf = many(cv=splits()).fit(data.X, data.y)
    plain = single(C=clf.C_).fit(data.X, data.y)
    assert_allclose(clf.loo_scores(data.X, data.y).scores, plain.loo_scores(data.X, data.y).scores, rtol=1e-6)


@pytest.mark.parametrize("listed", [list, pd.Series, pl.Series], ids=["list", "pandas", "polars"])
@pytest.mark.parametrize("scoring", ["neg_log_loss", "f1"])
def test_labels_weights_and_offsets_may_be_lists_and_series(data, listed, scoring):
    y, weight = (listed(part.tolist()) for part in (data.y, data.weight))
    clf, plain = many(cv=4, scoring=scoring), many(cv=4, scoring=scoring).fit(data.X, data.y, data.weight)
    assert_array_equal(clf.fit(data.X, y, weight).scores_, plain.scores_)


def test_a_series_with_an_index_of_its_own_is_cut_by_place(data):
    index = np.random.default_rng(0).permutation(N) + 1_000
    frame = pd.DataFrame(data.X, columns=list("abc"), index=index)
    y, weight = pd.Series(data.y, index=index), pd.Series(data.weight, index=index)
    for scoring in ("roc_auc", "f1"):
        clf = many(cv=splits(), scoring=scoring)
        assert_array_equal(clf.fit(frame, y, weight).scores_, clone(clf).fit(data.X, data.y, data.weight).scores_)


# Metadata routing


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_groups_are_routed_to_the_splitter(data):
    clf = many(cv=GroupKFold(3)).fit(data.X, data.y, groups=GROUPS)
    pairs = list(GroupKFold(3).split(data.X, data.y, GROUPS))
    assert_array_equal(clf.scores_, many(cv=pairs).fit(data.X, data.y).scores_)
    pipe = make_pipeline(StandardScaler(), many(cv=GroupKFold(3))).fit(data.X, data.y, groups=GROUPS)
    scaled = StandardScaler().fit_transform(data.X)
    assert_array_equal(pipe[-1].scores_, many(cv=pairs).fit(scaled, data.y).scores_)


@pytest.mark.usefixtures("routing")
def test_weights_are_routed_to_fits_and_to_the_scorer(data):
    scoring = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
    clf = many(cv=splits(), scoring=scoring).set_fit_request(sample_weight=True)
    scores, _ = one_by_one(data.X, data.y, splits(), weight=data.weight)
    assert_scores(clone(clf).fit(data.X, data.y, sample_weight=data.weight).scores_, scores)
    unweighted = get_scorer("neg_log_loss").set_score_request(sample_weight=False)
    found = clone(clf).set_params(scoring=unweighted).fit(data.X, data.y, sample_weight=data.weight).scores_
    train, test = splits()[2]
    alone = single(C=0.1).fit(data.X[train], data.y[train], data.weight[train])
    assert found[2, 0, 1] == pytest.approx(-log_loss(data.y[test], alone.predict_proba(data.X[test])), rel=1e-9)


@pytest.mark.usefixtures("routing")
def test_weights_and_offsets_are_routed_through_cross_validation(data):
    clf = (
        many(cv=3).set_fit_request(offset=True, sample_weight=False).set_score_request(offset=True, sample_weight=False)
    )
    found = cross_validate(clf, data.X, data.y, cv=splits(), params={"offset": data.offset})["test_score"]
    for (train, test), score in zip(splits(), found, strict=True):
        alone = many(cv=3).fit(data.X[train], data.y[train], offset=data.offset[train])
        assert score == pytest.approx(alone.score(data.X[test], data.y[test], offset=data.offset[test]), rel=1e-9)


@pytest.mark.usefixtures("routing")
def test_what_nobody_asks_for_is_refused_with_routing(data):
    with pytest.raises(TypeError, match="colour"):
        many(cv=splits()).fit(data.X, data.y, colour=data.weight)
    many(cv=splits()).fit(data.X, data.y)  # and nothing needs to be asked for


# What is told while fitting


class Recorder:
    """Records what a fit tells, and raises or asks it to stop after some passes."""

    def __init__(self, error=None, stop=False, after=3):
        self.error, self.stop, self.after = error, stop, after
        self.told = []

    def setup(self, estimator, context):
        self.told.append(f"setup {context.task_name}")

    def teardown(self, estimator, context):
        self.told.append(f"teardown {context.task_name}")

    def on_fit_task_begin(self, estimator, context):
        self.told.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
        self.told.append(f"end {context.task_name}")
        if context.task_name == "fit":
            self.probability = fitted_estimator.predict_proba(X)
        if self.told.count("end pass") >= self.after:
            if self.error is not None:
                raise self.error
            return self.stop
        return False


def test_callbacks_hear_of_the_fit_and_of_each_pass(data):
    recorder = Recorder()
    clf = many(cv=splits()).set_callbacks(recorder)
    assert clf.fit(data.X, data.y) is clf
    n_passes = recorder.told.count("begin pass")
    assert recorder.told == [
        "setup fit",
        "begin fit",
        *["begin pass", "end pass"] * n_passes,
        "end fit",
        "teardown fit",
    ]
    assert_array_equal(recorder.probability, clf.predict_proba(data.X))
    clf.fit(data.X, data.y)
    assert recorder.told.count("teardown fit") == 2


@pytest.mark.parametrize("l1_ratio", [0.0])  # of paths, passes over some of the columns are told as well
def test_verbose_prints_a_line_a_pass(data, l1_ratio, capsys):
    quiet = many(cv=splits(), l1_ratios=[l1_ratio]).fit(data.X, data.y)
    assert capsys.readouterr().out == ""
    many(cv=splits(), l1_ratios=[l1_ratio], verbose=1).fit(data.X, data.y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == quiet.n_passes_ - len(quiet.history_["objective"])
    assert [line.split(":")[0] for line in lines] == [f"pass {k + 1}" for k in range(len(lines))]
    assert "0 of" in lines[-1]


def test_the_progress_bar_of_scikit_learn_shows_the_fit_and_the_search_around_it(data, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")
    many(cv=splits()).set_callbacks(ProgressBar()).fit(data.X, data.y)
    assert "LogisticRegressionCV - fit" in capsys.readouterr().out
    search = GridSearchCV(many(cv=3), {"standardize": [False, True]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(data.X, data.y)
    bars = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert sum("LogisticRegressionCV - fit" in bar for bar in bars) == 5


def test_a_callback_that_returns_true_stops_the_fits(data):
    recorder = Recorder(stop=True, after=2)
    many(cv=splits()).set_callbacks(recorder).fit(data.X, data.y)
    assert recorder.told[-2:] == ["end fit", "teardown fit"]


# Whatever stops a fit, the estimator stays as it was


def assert_unchanged(clf, fit, before):
    with pytest.raises(BaseException) as raised:  # noqa: PT011
        fit()
    assert vars(clf).keys() == before.keys()
    assert all(vars(clf)[name] is value for name, value in before.items())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("logreg")]
    return raised


@pytest.mark.parametrize("after", [1, 4, 8])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_an_interrupt_from_a_callback_leaves_the_estimator_as_it_was(data, after, l1_ratio, monkeypatch):
    monkeypatch.setattr(versions, "COMPILED_FROM", 0)
    clf = many(cv=splits(), l1_ratios=[l1_ratio], n_jobs=2).fit(data.X, data.y)
    recorder = Recorder(KeyboardInterrupt(), after=after)
    clf.set_callbacks(recorder)
    raised = assert_unchanged(clf, lambda: clf.fit(data.X[:, :2], data.y), dict(vars(clf)))
    assert raised.type is KeyboardInterrupt
    assert recorder.told[-1] == "teardown fit"
    clf.predict(data.X)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_interrupt_in_a_pass_leaves_the_estimator_as_it_was(data, at, monkeypatch):
    clf = many(cv=splits()).fit(data.X, data.y)
    whole, calls = VersionedRows.sums, []

    def interrupted(self, W, kind="none"):
        calls.append(kind)
        if len(calls) == at:
            raise KeyboardInterrupt
        return whole(self, W, kind)

    monkeypatch.setattr(VersionedRows, "sums", interrupted)
    raised = assert_unchanged(clf, lambda: clf.fit(data.X[:, :2], data.y), dict(vars(clf)))
    assert raised.type is KeyboardInterrupt


NOT_A_SCORE = {"a function": lambda estimator, X, y: np.nan, "infinite": lambda estimator, X, y: -np.inf}
BAD_PARAMETERS = [
    ({"Cs": []}, r"^Cs=\[\] must be a list of positive"),
    ({"Cs": [1.0, -1.0]}, r"^Cs=\[1.0, -1.0\] must be a list of positive"),
    ({"Cs": [0.0]}, r"^Cs=\[0.0\] must be a list of positive"),
    ({"Cs": [np.nan]}, r"^Cs=\[nan\] must be a list of positive"),
    ({"Cs": [[1.0]]}, r"^Cs=\[\[1.0\]\] must be a list of positive"),
    ({"Cs": ["a"]}, r"^Cs=\['a'\] must be a list of positive"),
    ({"Cs": None}, r"^Cs=None must be a list of positive"),
    ({"Cs": 0}, r"^Cs=0 must be an integer at least 1\.$"),
    ({"Cs": -3}, r"^Cs=-3 must be an integer at least 1\.$"),
    ({"Cs": True}, r"^Cs=True must be an integer at least 1\.$"),
    ({"Cs": "many"}, r"^Cs='many' must be 'auto', a number of values, or a list of positive numbers\.$"),
    ({"Cs": [np.inf], "l1_ratios": [0.5]}, r"^Cs=\[inf\] must be a list of positive finite numbers\.$"),
    ({"l1_ratios": [1.5]}, r"^l1_ratios=\[1.5\] must be a list of numbers from 0"),
    ({"l1_ratios": [-0.1]}, r"^l1_ratios=\[-0.1\] must be a list of numbers from 0"),
    ({"l1_ratios": []}, r"^l1_ratios=\[\] must be a list of numbers from 0"),
    ({"l1_ratios": "half"}, r"^l1_ratios='half' must be a list of numbers from 0"),
    ({"l1_ratios": [np.nan]}, r"^l1_ratios=\[nan\] must be a list of numbers from 0"),
    ({"select": "worst"}, r"^select='worst' must be 'best' or '1se'\.$"),
    ({"select": None}, r"^select=None must be 'best' or '1se'\.$"),
    ({"refit": "yes"}, r"^refit='yes' must be True or False\.$"),
    ({"use_legacy_attributes": "warn"}, r"^use_legacy_attributes='warn' must be True or False\.$"),
    ({"scoring": NOT_A_SCORE["a function"]}, r"^The scorer returns nan for fold 0 at C=0.003, l1_ratio=0; pass a"),
    ({"scoring": NOT_A_SCORE["infinite"]}, r"^The scorer returns -inf for fold 0 at C=0.003, l1_ratio=0; pass a"),
    ({"scoring": "nonsense"}, r"'nonsense'"),
    ({"cv": 1}, r"at least one"),
    ({"cv": "five"}, r"cv"),
    ({"cv": []}, r"^cv yields no splits; pass a number of folds, a splitter, or a list of \(train, test\)\.$"),
    ({"cv": 150}, r"n_splits=150"),
    ({"cv": [([0, 1], [N])]}, r"^Fold 0 .*row"),
    ({"cv": [(np.arange(N - 1, -1, -1), [])]}, r"^Fold 0 holds out no rows of positive weight; shuffle the rows"),
    ({"cv": GroupKFold(3)}, r"'groups' parameter should not be None"),
    ({"tol": -1.0}, r"^tol=-1.0 must be a number at least 0\.$"),
    ({"max_iter": 0}, r"^max_iter=0 must be an integer at least 1\.$"),
    ({"solver": "newtom"}, r"^solver='newtom' is not known"),
    ({"penalty": "l3"}, r"^penalty='l3' is not known"),
    ({"class_weight": {2: 1.0}}, r"not in class_weight$"),
    ({"penalty_factor": [1.0]}, r"^penalty_factor has shape \(1,\)"),
    ({"bounds": [(1.0, 2.0)] * 3}, r"^bounds are 1 and 2 for x0; 0 must be"),
    ({"standardize": 1}, r"^standardize=1 must be True or False\.$"),
    ({"fit_intercept": None}, r"^fit_intercept=None must be True or False\.$"),
    ({"n_jobs": 0}, r"^n_jobs=0 must be None"),
]  # fmt: skip


@pytest.mark.parametrize(("parameters", "sentence"), BAD_PARAMETERS, ids=str)
def test_a_bad_parameter_is_one_sentence_and_changes_nothing(data, parameters, sentence):
    clf = many(cv=splits()).fit(data.X, data.y).set_params(**parameters)
    raised = assert_unchanged(clf, lambda: clf.fit(data.X, data.y), dict(vars(clf)))
    assert raised.type in (ValueError, IndexError)
    raised.match(sentence)
    assert "\n" not in str(raised.value)


def with_nan(X):
    X = X.copy()
    X[3, 2] = np.nan
    return X


def with_infinity(X):
    X = X.copy()
    X[3, 2] = np.inf
    return X


BAD_DATA = {
    "NaN in X": (lambda X, y: (with_nan(X), y), {}, r"^Input X contains NaN, first in column 2, row 3;"),
    "infinity in X": (lambda X, y: (with_infinity(X), y), {}, r"^Input X contains infinity, first in column 2, row 3;"),
    "NaN in CSR": (
        lambda X, y: (sparse.csr_array(with_nan(X)), y),
        {},
        r"^Input X contains NaN, first in column 2, row 3;",
    ),
    "one class": (lambda X, y: (X, np.zeros(N)), {}, r"^y holds only one class, 0\.0; a classifier needs two\.$"),
    "three classes": (lambda X, y: (X, np.arange(N) % 3), {}, r"^Only binary classification is supported"),
    "y too short": (lambda X, y: (X, y[1:]), {}, r"^X and y have inconsistent numbers of samples"),
    "no y": (lambda X, y: (X, None), {}, r"requires y to be passed, but the target y is None\.$"),
    "weights too short": (lambda X, y: (X, y), {"sample_weight": np.ones(3)}, r"^sample_weight has shape \(3,\)"),
    "negative weights": (
        lambda X, y: (X, y),
        {"sample_weight": -np.ones(N)},
        r"^sample_weight gives row 0 the weight -1",
    ),
    "offset too short": (lambda X, y: (X, y), {"offset": np.ones(3)}, r"^offset has shape \(3,\)"),
    "unknown": (lambda X, y: (X, y), {"colour": 1, "age": 2}, r"^fit got age, colour, which it passes on only with"),
}


@pytest.mark.parametrize(("spoil", "given", "sentence"), BAD_DATA.values(), ids=BAD_DATA)
@pytest.mark.parametrize(
    "parameters",
    [{}, {"Cs": "auto"}, {"Cs": "auto", "standardize": True}, {"l1_ratios": [0.5]}, {"Cs": "auto", "l1_ratios": [1.0]}],
    ids=str,
)
def test_bad_data_are_one_sentence_and_change_nothing(data, spoil, given, sentence, parameters):
    clf = many(cv=splits(), **parameters).fit(data.X, data.y)
    raised = assert_unchanged(clf, lambda: clf.fit(*spoil(data.X, data.y), **given), dict(vars(clf)))
    assert raised.type in (ValueError, TypeError)
    raised.match(sentence)


@pytest.mark.parametrize("label", [int, str], ids=["numbers", "words"])
def test_a_fold_that_trains_on_one_class_is_named_with_the_class(data, label):
    y = np.array([{int: (0, 1), str: ("no", "yes")}[label][k] for k in data.y])
    one = np.flatnonzero(data.y == 1)
    folds = [*splits()[:2], (one[:50], np.arange(10))]
    clf = many(cv=splits()).fit(data.X, y).set_params(cv=folds)
    raised = assert_unchanged(clf, lambda: clf.fit(data.X, y), dict(vars(clf)))
    shown = {int: "1", str: "'yes'"}[label]
    assert str(raised.value) == (
        f"Fold 2 trains on rows of one class only, {shown}; use StratifiedKFold, or fewer folds."
    )


def test_a_fold_whose_second_class_has_no_weight_is_named_too(data):
    train, test = splits()[1]
    weight = np.ones(N)
    weight[train[data.y[train] == 0]] = 0.0
    with pytest.raises(ValueError, match=r"^Fold 1 trains on rows of one class only, 1; use StratifiedKFold"):
        many(cv=[splits()[0], (train, test)]).fit(data.X, data.y, weight + 1e-3 * (np.arange(N) == test[0]))


def test_folds_sorted_by_class_are_named(data):
    order = np.argsort(data.y, kind="stable")
    with pytest.raises(ValueError, match=r"^Fold 0 trains on rows of one class only"):
        many(cv=KFold(2)).fit(data.X[order][50:150], np.repeat([0, 1], 50))


def test_a_fold_that_holds_out_one_class_has_scores_but_no_curve(data):
    test = np.flatnonzero(data.y == 1)[:20]
    folds = [(np.setdiff1d(np.arange(N), test), test)]
    clf = many(cv=folds).fit(data.X, data.y)
    assert np.isfinite(clf.scores_).all()
    alone = single(C=0.1).fit(data.X[folds[0][0]], data.y[folds[0][0]])
    assert clf.scores_[0, 0, 1] == pytest.approx(alone.predict_log_proba(data.X[test])[:, 1].mean(), rel=1e-9)
    with pytest.raises(ValueError, match=r"^The scorer returns nan for fold 0 .*; pass a scoring that is finite"):
        many(cv=folds, scoring="roc_auc").fit(data.X, data.y)


def test_fewer_rows_of_a_class_than_folds_are_told(data):
    y = np.zeros(N, dtype=int)
    y[:3] = 1
    with (
        pytest.warns(UserWarning, match="least populated class"),
        pytest.raises(ValueError, match=r"^Fold \d trains on|nan"),
    ):
        many(cv=5, scoring="roc_auc").fit(data.X, y)
    with pytest.raises(ValueError, match="n_splits=5"):
        many(cv=5).fit(data.X[:4], [0, 1, 0, 1])


def test_groups_that_no_splitter_needs_are_ignored_in_words(data):
    with pytest.warns(UserWarning, match="groups parameter is ignored"):
        many(cv=StratifiedKFold(3)).fit(data.X, data.y, groups=GROUPS)


def test_an_offset_is_refused_by_scorers_that_cannot_take_it(data):
    clf = many(cv=splits(), scoring="f1").fit(data.X, data.y)
    with pytest.raises(ValueError, match=r"^scoring='f1' cannot take the offset into account; use one of "):
        clf.score(data.X, data.y, offset=data.offset)


def test_a_bad_scoring_is_told_before_anything_is_fitted(data, monkeypatch):
    monkeypatch.setattr(cv, "fit_grid", None)
    with pytest.raises(ValueError, match="nonsense"):
        many(cv=splits(), scoring="nonsense").fit(data.X, data.y)
