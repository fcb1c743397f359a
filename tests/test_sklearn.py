"""The estimator among scikit-learn's: its checks, its tools, its parameter names, its callbacks."""

import inspect
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn import config_context, linear_model
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.compose import make_column_transformer
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.metrics import accuracy_score, get_scorer, log_loss
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks

from logreg import LogisticRegression, LogisticRegressionCV
from logreg.datasets import load_penguins

TIGHT = 1e-10


def ours(**parameters):
    return LogisticRegression(tol=TIGHT, **parameters)


def theirs(**parameters):
    return linear_model.LogisticRegression(tol=1e-12, solver="newton-cholesky", **parameters)


def assert_same_optimum(clf, other, rtol=1e-7):
    scale = np.abs(other.coef_).max()
    assert_allclose(clf.coef_, other.coef_, rtol=rtol, atol=rtol * scale)
    assert_allclose(clf.intercept_, other.intercept_, rtol=rtol, atol=rtol * max(1.0, scale))


@parametrize_with_checks(
    [
        LogisticRegression(),
        LogisticRegression(solver="newton"),
        LogisticRegressionCV(cv=3),  # some checks have no more rows of a class
        LogisticRegressionCV(3, l1_ratios=[0.0, 0.5], cv=3),
    ]
)
def test_passes_every_check_of_scikit_learn_without_a_warning(estimator, check):
    check(estimator)


# Without a penalty the data of some checks are separated; some checks set max_iter themselves.
@parametrize_with_checks(
    [LogisticRegression(penalty=None), LogisticRegression(solver="gradient-descent", tol=1e-9, max_iter=10_000)]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore::logreg.CollinearityWarning")
def test_passes_every_check_of_scikit_learn(estimator, check):
    check(estimator)


# Tools


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc", "neg_brier_score", None])
def test_cross_validation_scores_are_those_of_scikit_learn(data, scoring):
    scores, expected = (
        cross_val_score(make_pipeline(StandardScaler(), clf), data.X, data.y, scoring=scoring)
        for clf in (ours(C=0.3), theirs(C=0.3))
    )
    assert_allclose(scores, expected, rtol=1e-9)


def test_grid_search_finds_what_it_finds_with_scikit_learn(data):
    grid = {"C": [0.001, 0.1, 10.0], "fit_intercept": [True, False], "class_weight": [None, "balanced"]}
    searches = [GridSearchCV(clf, grid, scoring="neg_log_loss", n_jobs=2) for clf in (ours(), theirs())]
    found, expected = (search.fit(data.X, data.y) for search in searches)
    assert found.best_params_ == expected.best_params_
    assert_allclose(found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"], rtol=1e-7)


META_ESTIMATORS = {
    "calibrated": lambda clf: CalibratedClassifierCV(clf, cv=3),
    "calibrated-isotonic": lambda clf: CalibratedClassifierCV(clf, method="isotonic", cv=3, ensemble=False),
    "bagging": lambda clf: BaggingClassifier(clf, n_estimators=5, random_state=0),
    "boosting": lambda clf: AdaBoostClassifier(clf, n_estimators=5),
    "voting": lambda clf: VotingClassifier([("a", clf), ("b", clone(clf).set_params(C=0.01))], voting="soft"),
    "stacking": lambda clf: StackingClassifier([("a", clf)], clone(clf)),
    "elimination": lambda clf: RFE(clf, n_features_to_select=2),
    "selection": lambda clf: make_pipeline(SelectFromModel(clf, threshold="mean"), clone(clf)),
}


@pytest.mark.parametrize("wrap", META_ESTIMATORS.values(), ids=META_ESTIMATORS)
def test_meta_estimators_give_the_probabilities_they_give_with_scikit_learn(data, wrap):
    probability, expected = (wrap(clf).fit(data.X, data.y).predict_proba(data.X) for clf in (ours(), theirs()))
    assert_allclose(probability, expected, rtol=1e-6)


def test_one_versus_rest_handles_three_classes():
    X, species = load_penguins()[0][["bill_depth_mm", "flipper_length_mm"]], load_penguins()[0]["species"]
    probability, expected = (
        OneVsRestClassifier(clf).fit(X, species).predict_proba(X) for clf in (ours(C=0.1), theirs(C=0.1))
    )
    assert_allclose(probability, expected, rtol=1e-6)


def test_columns_of_words_go_through_a_column_transformer():
    X, y = load_penguins()
    encode = make_column_transformer((OneHotEncoder(drop="first"), ["species", "island"]), remainder=StandardScaler())
    pipe, expected = (make_pipeline(clone(encode), clf).fit(X, y) for clf in (ours(), theirs()))
    assert_same_optimum(pipe[-1], expected[-1])
    assert_array_equal(pipe.predict(X), expected.predict(X))
    assert pipe.score(X, y) == expected.score(X, y)


def test_column_names_travel_through_set_output(data):
    frame = pd.DataFrame(data.X, columns=["age", "income", "dose"])
    pipe = make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression()).fit(frame, data.y)
    assert pipe[-1].feature_names_in_.tolist() == ["age", "income", "dose"]
    assert pipe[-1].coef_frame()["term"].tolist() == ["intercept", "age", "income", "dose"]


@pytest.mark.parametrize("frame_of", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_a_data_frame_is_its_array_with_names(data, frame_of):
    frame = frame_of({name: data.X[:, j] for j, name in enumerate(["age", "income", "dose"])})
    clf, plain = LogisticRegression().fit(frame, data.y), LogisticRegression().fit(data.X, data.y)
    assert clf.feature_names_in_.tolist() == ["age", "income", "dose"]
    assert not hasattr(plain, "feature_names_in_")
    assert_allclose(clf.coef_, plain.coef_, rtol=1e-12)
    assert_allclose(clf.predict_proba(frame), plain.predict_proba(data.X), rtol=1e-12)


def test_refitting_on_an_array_forgets_the_names_of_a_data_frame(data):
    clf = LogisticRegression().fit(pd.DataFrame(data.X, columns=list("abc")), data.y).fit(data.X, data.y)
    assert not hasattr(clf, "feature_names_in_")
    clf.predict(data.X)


# Conventions


def test_clone_and_set_params_and_repr_know_every_parameter():
    clf = LogisticRegression(C=3.0, class_weight={0: 2.0}).set_params(solver="newton", n_jobs=2)
    assert clone(clf).get_params() == clf.get_params()
    assert set(clf.get_params()) == set(inspect.signature(LogisticRegression).parameters)
    assert repr(clf) == "LogisticRegression(C=3.0, class_weight={0: 2.0}, n_jobs=2, solver='newton')"
    assert "LogisticRegression" in estimator_html_repr(clf)


def test_a_pickled_fit_predicts_the_same_and_holds_no_training_data(data):
    X = np.tile(data.X, (50, 1))
    clf = LogisticRegression().fit(X, np.tile(data.y, 50))
    stored = pickle.dumps(clf)
    assert len(stored) < X.nbytes / 10
    assert_array_equal(pickle.loads(stored).predict_proba(X), clf.predict_proba(X))


def test_score_is_accuracy(data):
    clf = LogisticRegression().fit(data.X, data.y)
    predicted = clf.predict(data.X)
    assert clf.score(data.X, data.y) == accuracy_score(data.y, predicted)
    weighted = accuracy_score(data.y, predicted, sample_weight=data.weight)
    assert clf.score(data.X, data.y, sample_weight=data.weight) == weighted


def test_probabilities_are_in_the_order_of_classes(data):
    labels = np.where(data.y == 1, "healthy", "sick")
    clf = LogisticRegression().fit(data.X, labels)
    assert clf.classes_.tolist() == ["healthy", "sick"]
    probability = clf.predict_proba(data.X)
    assert_array_equal(clf.classes_[probability.argmax(axis=1)], clf.predict(data.X))
    assert_allclose(probability.sum(axis=1), 1.0, rtol=1e-15)
    assert np.mean(clf.predict(data.X) == labels) > 0.7


@pytest.fixture
def scorer():
    """Return an estimator whose scores are its one column."""
    clf = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    clf.coef_, clf.intercept_ = np.ones((1, 1)), np.zeros(1)
    return clf


def test_both_tails_of_the_probabilities_keep_their_digits(scorer):
    z = np.array([-800.0, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0, 800.0])
    probability = scorer.predict_proba(z[:, None])
    assert_array_equal(probability[:, 0], scorer.predict_proba(-z[:, None])[:, 1])
    assert_allclose(probability[:, 0], expit(-z), rtol=1e-14)
    assert_allclose(probability[z >= 40, 0], np.exp(-z[z >= 40]), rtol=1e-14)


def test_log_probabilities_are_finite_at_scores_of_800(scorer):
    log_probability = scorer.predict_log_proba([[-800.0], [800.0], [40.0]])
    assert_array_equal(log_probability[:2], [[0.0, -800.0], [-800.0, 0.0]])
    assert_allclose(log_probability[2], [-40.0, -np.exp(-40.0)], rtol=1e-14)


# Parameters


def test_accepts_every_parameter_name_of_scikit_learn():
    known = set(inspect.signature(LogisticRegression).parameters)
    assert set(inspect.signature(linear_model.LogisticRegression).parameters) | {"multi_class"} <= known


RIDGE = [
    {"penalty": "l2"},
    {"penalty": "deprecated"},
    {"penalty": "elasticnet", "l1_ratio": 0},
    {"penalty": "elasticnet", "l1_ratio": 0.0},
    {"l1_ratio": None},
    {"dual": True, "solver": "liblinear"},
    {"intercept_scaling": 10.0},
    {"multi_class": "ovr"},
    {"multi_class": "auto"},
    {"multi_class": "deprecated"},
    {"random_state": 3},
    pytest.param({"random_state": np.random.RandomState(3)}, id="a RandomState"),
    {"n_jobs": 2},
    {"n_jobs": -1},
    {"C": np.float32(0.5)},
    {"max_iter": np.int64(50)},
    {"fit_intercept": np.True_},
    *[{"solver": s} for s in ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga", "newton", "auto")],
    {"solver": "gradient-descent", "max_iter": 10_000},
]


@pytest.mark.parametrize("parameters", RIDGE, ids=str)
def test_other_spellings_of_ridge_have_its_optimum(data, parameters):
    clf = ours(**{"C": 0.5, **parameters}).fit(data.X, data.y)
    assert_same_optimum(clf, theirs(C=0.5).fit(data.X, data.y))


@pytest.mark.parametrize(
    "parameters",
    [
        {"penalty": None},
        {"penalty": "none"},
        {"C": np.inf},
        {"penalty": None, "C": 0.01},
        {"penalty": None, "l1_ratio": 0.5},
        {"penalty": "elasticnet", "l1_ratio": 0, "C": np.inf},
        {"penalty": "deprecated", "C": np.inf},
        {"penalty": None, "solver": "newton"},
        {"penalty": None, "solver": "gradient-descent", "max_iter": 10_000},
    ],
    ids=str,
)
def test_every_spelling_of_no_penalty_is_maximum_likelihood(data, parameters):
    assert_same_optimum(ours(**parameters).fit(data.X, data.y), theirs(C=np.inf).fit(data.X, data.y))


@pytest.mark.parametrize("C", [0.1, np.inf])
def test_without_an_intercept_the_optimum_is_that_of_scikit_learn(data, C):
    clf = ours(C=C, fit_intercept=False).fit(data.X + 1.0, data.y)
    assert_same_optimum(clf, theirs(C=C, fit_intercept=False).fit(data.X + 1.0, data.y))
    assert clf.intercept_.tolist() == [0.0]
    assert clf.coef_frame()["term"].tolist() == ["x0", "x1", "x2"]


@pytest.mark.parametrize("weighted", [False, True], ids=["", "and-sample-weight"])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"no": 3.0, "yes": 0.5}, {"yes": 7}], ids=str)
def test_class_weight_has_the_optimum_of_scikit_learn(data, class_weight, weighted):
    labels = np.where(data.y == 1, "yes", "no")
    weight = data.weight if weighted else None
    clf = ours(C=0.2, class_weight=class_weight).fit(data.X, labels, sample_weight=weight)
    assert_same_optimum(clf, theirs(C=0.2, class_weight=class_weight).fit(data.X, labels, sample_weight=weight))


def test_sample_weight_may_be_a_list_a_series_integers_or_one_number(data):
    whole = np.arange(200) % 3
    expected = theirs().fit(data.X, data.y, sample_weight=whole)
    for weight in (whole, whole.tolist(), pd.Series(whole, index=range(7, 207)), pl.Series(whole)):
        assert_same_optimum(ours().fit(data.X, data.y, sample_weight=weight), expected)
    assert_same_optimum(ours().fit(data.X, data.y, sample_weight=2.0), theirs(C=2.0).fit(data.X, data.y))


# Offsets


def test_an_offset_is_a_column_whose_coefficient_is_known(data):
    known = ours(penalty=None).fit(data.X, data.y)
    rest = ours(penalty=None).fit(data.X[:, 1:], data.y, offset=known.coef_[0, 0] * data.X[:, 0])
    assert_allclose(rest.coef_[0], known.coef_[0, 1:], rtol=1e-8)
    assert_allclose(rest.intercept_, known.intercept_, rtol=1e-7)
    offset = known.coef_[0, 0] * data.X[:, 0]
    for method in ("decision_function", "predict_proba", "predict_log_proba"):
        predicted = getattr(rest, method)(data.X[:, 1:], offset=offset)
        assert_allclose(predicted, getattr(known, method)(data.X), rtol=1e-6, atol=1e-8)
    assert_array_equal(rest.predict(data.X[:, 1:], offset=offset), known.predict(data.X))


def test_a_constant_offset_moves_the_intercept_alone(data):
    plain, moved = ours().fit(data.X, data.y), ours().fit(data.X, data.y, offset=np.full(200, 3.0))
    assert_allclose(moved.coef_, plain.coef_, rtol=1e-8)
    assert_allclose(moved.intercept_, plain.intercept_ - 3.0, rtol=1e-8)


# Metadata routing


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_weights_and_offsets_are_routed_through_a_pipeline(data):
    clf = ours().set_fit_request(sample_weight=True, offset=True).set_decision_function_request(offset=True)
    scale = StandardScaler().set_fit_request(sample_weight=False)
    pipe = make_pipeline(scale, clf).fit(data.X, data.y, sample_weight=data.weight, offset=data.offset)
    X = StandardScaler().fit_transform(data.X)
    alone = ours().fit(X, data.y, sample_weight=data.weight, offset=data.offset)
    assert_array_equal(pipe[-1].coef_, alone.coef_)
    scores = pipe.decision_function(data.X, offset=data.offset)
    assert_allclose(scores, alone.decision_function(X) + data.offset, rtol=1e-12)


@pytest.mark.usefixtures("routing")
def test_weights_are_routed_through_cross_validation_as_in_scikit_learn(data):
    scoring = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
    found, expected = (
        cross_validate(
            make_pipeline(
                StandardScaler().set_fit_request(sample_weight=True), clf.set_fit_request(sample_weight=True)
            ),
            data.X,
            data.y,
            scoring=scoring,
            params={"sample_weight": data.weight},
        )["test_score"]
        for clf in (ours(), theirs())
    )
    assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.usefixtures("routing")
def test_offsets_are_cut_into_folds_with_their_rows(data):
    folds = [(np.arange(0, 200, 2), np.arange(1, 200, 2)), (np.arange(1, 200, 2), np.arange(0, 200, 2))]
    clf = ours().set_fit_request(offset=True)
    scores = cross_val_predict(
        clf, data.X, data.y, cv=folds, method="decision_function", params={"offset": data.offset}
    )
    for train, test in folds:
        fold = ours().fit(data.X[train], data.y[train], offset=data.offset[train])
        assert_array_equal(scores[test], fold.decision_function(data.X[test]))


# Starting from the last fit


@pytest.mark.parametrize("solver", ["auto", "newton", "gradient-descent"])
def test_a_warm_start_at_the_optimum_needs_no_step(data, solver):
    clf = LogisticRegression(warm_start=True, tol=1e-6, solver=solver, max_iter=10_000).fit(data.X, data.y)
    cold = clf.n_passes_
    assert clf.fit(data.X, data.y).n_passes_ == 1
    assert cold > 3


def test_a_terrible_warm_start_still_reaches_the_optimum(data):
    clf = ours(warm_start=True).fit(data.X, data.y)
    expected, passes = clf.coef_, clf.n_passes_
    for coefficient in (1e6, -1e6, 1e200):
        clf.coef_ = np.full((1, 3), coefficient)
        assert_allclose(clf.fit(data.X, data.y).coef_, expected, rtol=1e-8)
        assert clf.n_passes_ <= passes + 1


def test_a_warm_start_on_other_columns_starts_afresh(data):
    clf = ours(warm_start=True).fit(data.X, data.y).fit(data.X[:, :2], data.y)
    assert_allclose(clf.coef_, ours().fit(data.X[:, :2], data.y).coef_, rtol=1e-8)


# What is told while fitting


def test_verbose_prints_a_line_a_pass(data, capsys):
    quiet = LogisticRegression().fit(data.X, data.y)
    assert capsys.readouterr().out == ""
    LogisticRegression(verbose=1).fit(data.X, data.y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == quiet.n_passes_
    assert [line.split(":")[0] for line in lines] == [f"pass {k + 1}" for k in range(len(lines))]
    assert f"objective {quiet.objective_:.10g}" in lines[-1]


def test_a_convergence_warning_points_at_the_line_that_fits(data):
    with pytest.warns(ConvergenceWarning, match="max_iter=2 passes") as caught:
        LogisticRegression(max_iter=2).fit(data.X, data.y)
    assert caught[0].filename == __file__


class Recorder:
    """Records what a fit tells, and asks it to stop after some passes."""

    def __init__(self, stop_after=np.inf):
        self.stop_after = stop_after
        self.told = []
        self.estimators = []
        self.metadata = []
        self.predictions = []

    def names(self):
        return [f"{event} {task}" for event, task in self.told]

    def setup(self, estimator, context):
        self.told.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.told.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context):
        self.told.append(("begin", context.task_name))

    def on_fit_task_end(self, estimator, context, *, X, metadata, fitted_estimator):
        self.told.append(("end", context.task_name))
        self.estimators.append(estimator)
        self.metadata.append(metadata)
        self.predictions.append(fitted_estimator.predict_proba(X)[:, 1])
        return self.names().count("end pass") >= self.stop_after


def test_callbacks_hear_of_the_fit_and_of_each_pass(data):
    recorder = Recorder()
    clf = LogisticRegression().set_callbacks(recorder)
    clf.fit(data.X, data.y)
    passes = ["begin pass", "end pass"] * clf.n_passes_
    assert recorder.names() == ["setup fit", "begin fit", *passes, "end fit", "teardown fit"]
    assert all(estimator is clf for estimator in recorder.estimators)
    assert clf.fit(data.X, data.y) is clf
    assert recorder.names().count("teardown fit") == 2


@pytest.mark.parametrize(
    "frame_of", [np.asarray, lambda X: pd.DataFrame(X, columns=list("abc"))], ids=["array", "frame"]
)
def test_the_fitted_estimator_of_a_pass_predicts_as_if_the_fit_had_stopped_there(data, frame_of):
    recorder = Recorder()
    X = frame_of(data.X)
    clf = LogisticRegression().fit(pd.DataFrame(data.X, columns=list("xyz")), data.y)  # names it has to forget
    clf.set_callbacks(recorder).fit(X, data.y)
    assert_allclose(recorder.predictions[0], data.y.mean(), rtol=1e-9)
    assert_array_equal(recorder.predictions[-1], clf.predict_proba(X)[:, 1])
    losses = [log_loss(data.y, probability) for probability in recorder.predictions[:-1]]
    assert losses == sorted(losses, reverse=True)


def test_callbacks_are_told_the_sample_weights_where_there_are_some(data):
    recorder = Recorder()
    clf = LogisticRegression().set_callbacks(recorder).fit(data.X, data.y)
    assert recorder.metadata == [None] * (clf.n_passes_ + 1)
    clf.fit(data.X, data.y, sample_weight=data.weight)
    assert recorder.metadata[-1].keys() == {"sample_weight"}
    assert recorder.metadata[-1]["sample_weight"] is data.weight


@pytest.mark.parametrize("n_passes", [1, 2])
def test_a_callback_that_returns_true_stops_the_fit(data, n_passes):
    recorder = Recorder(stop_after=n_passes)
    clf = LogisticRegression().set_callbacks(recorder).fit(data.X, data.y)
    assert clf.n_passes_ == n_passes
    assert not clf.converged_
    assert_array_equal(clf.predict_proba(data.X)[:, 1], recorder.predictions[-1])
    assert recorder.names()[-2:] == ["end fit", "teardown fit"]


class Failure(Exception):
    pass


class FailingRecorder(Recorder):
    def on_fit_task_begin(self, estimator, context):
        super().on_fit_task_begin(estimator, context)
        if context.task_name == "pass":
            raise Failure


def test_teardown_is_called_once_when_a_fit_fails(data):
    recorder = Recorder()
    with pytest.raises(ValueError, match="NaN"):
        LogisticRegression().set_callbacks(recorder).fit(np.where(data.X > 2.0, np.nan, data.X), data.y)
    assert recorder.names() == ["setup fit", "begin fit", "teardown fit"]
    recorder = FailingRecorder()
    with pytest.raises(Failure):
        LogisticRegression().set_callbacks(recorder).fit(data.X, data.y)
    assert recorder.names() == ["setup fit", "begin fit", "begin pass", "teardown fit"]


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_the_scoring_monitor_of_scikit_learn_logs_each_pass(data, weighted):
    monitor = ScoringMonitor(scoring="neg_log_loss")
    weight = data.weight if weighted else None
    clf = LogisticRegression().set_callbacks(monitor).fit(data.X, data.y, sample_weight=weight)
    scores = monitor.get_logs().data_as_pandas.query("task_name == 'pass'")["neg_log_loss"]
    assert len(scores) == clf.n_passes_
    final = -log_loss(data.y, clf.predict_proba(data.X), sample_weight=weight)  # after a last step, by kept curvature
    assert scores.iloc[-1] == pytest.approx(final, rel=1e-6)
    clf = LogisticRegression(inference=False).set_callbacks(monitor).fit(data.X, data.y, sample_weight=weight)
    scores = monitor.get_logs().data_as_pandas.query("task_name == 'pass'")["neg_log_loss"]
    assert scores.iloc[-1] == -log_loss(data.y, clf.predict_proba(data.X), sample_weight=weight)


def test_the_progress_bar_of_scikit_learn_shows_the_fit_and_the_search_around_it(data, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")
    LogisticRegression().set_callbacks(ProgressBar()).fit(data.X, data.y)
    assert "LogisticRegression - fit" in capsys.readouterr().out
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(data.X, data.y)
    bars = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert sum("LogisticRegression - fit" in bar for bar in bars) == 5
    assert all("100%" in bar for bar in bars)


@pytest.mark.parametrize("max_iter", [5, 8, 10, 12, 15])
def test_no_fit_takes_more_passes_than_max_iter_not_even_to_confirm_a_separation(max_iter):
    random = np.random.default_rng(0)
    X = random.standard_normal((60_000, 5))
    y = X[:, 0] + random.standard_normal(60_000) > 0
    X[:, 4] = (random.random(60_000) < 0.002) & y
    clf = LogisticRegression(penalty=None, max_iter=max_iter)
    with pytest.warns(ConvergenceWarning, match="separates the outcomes|max_iter"):
        clf.fit(X, y)
    assert clf.n_passes_ <= max_iter


def test_score_takes_the_offset_that_fit_took(data):
    clf = ours().fit(data.X, data.y, offset=data.offset)
    right = clf.predict(data.X, data.offset) == data.y
    assert clf.score(data.X, data.y, offset=data.offset) == right.mean()
    weighted = clf.score(data.X, data.y, data.weight, offset=data.offset)
    assert weighted == pytest.approx(np.average(right, weights=data.weight))
    assert clf.score(data.X, data.y) != right.mean()
