"""Bad input gets one clear sentence and leaves nothing half-fitted; odd but good input simply works."""

import _thread
import datetime
import pickle
import signal
import threading
from decimal import Decimal
from itertools import count, pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError

from logreg import LogisticRegression, predictors, validate
from logreg.rows import MemoryRows, memory

N, D = 60, 3
NAMES = ["age", "income", "dose"]
RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(N, D))
Y = (X[:, 0] + RANDOM.logistic(size=N) > 0).astype(int)
X.flags.writeable = Y.flags.writeable = False
WORDS = ["low", "high"] * (N // 2)


def with_value(value, row=7, column=1, dtype=np.float64, order="C"):
    """Return X with one value changed."""
    changed = np.array(X, dtype=dtype, order=order)
    changed[row, column] = value
    return changed


def with_two_bad_values():
    changed = with_value(np.inf)
    changed[50, 0] = np.nan
    return changed


def row_with(value, row, fill=1.0):
    """Return one number a row, one of them changed."""
    numbers = np.full(N, fill)
    numbers[row] = value
    return numbers


def frame(**changed):
    return pd.DataFrame(X, columns=NAMES).assign(**changed)


def polars_frame(**changed):
    return pl.DataFrame({name: X[:, j] for j, name in enumerate(NAMES)}).with_columns(**changed)


def nullable(dtype):
    """Return a DataFrame whose column "dose" has a nullable type and a missing value in row 4."""
    return frame(dose=pd.Series([True, False] * (N // 2)).astype(dtype).mask(np.arange(N) == 4))


def labels_with(missing, kind=list, **options):
    """Return labels, the third of them missing."""
    return kind([*WORDS[:2], missing, *WORDS[3:]], **options)


NAN_AT_7 = "^Input X contains NaN, first in column 1, row 7; impute or drop"
NAN_IN_DOSE = "^Input X contains NaN, first in column 'dose', row 4;"

BAD_VALUES = {
    "NaN": (with_value(np.nan), NAN_AT_7),
    "NaN in F order": (with_value(np.nan, order="F"), NAN_AT_7),
    "NaN in float32": (with_value(np.nan, dtype=np.float32), NAN_AT_7),
    "NaN in float16": (with_value(np.nan, dtype=np.float16), NAN_AT_7),
    "NaN in CSR": (sparse.csr_array(with_value(np.nan)), NAN_AT_7),
    "NaN in CSC": (sparse.csc_matrix(with_value(np.nan)), NAN_AT_7),
    "NaN in COO": (sparse.coo_array(with_value(np.nan)), NAN_AT_7),
    "None in objects": (with_value(None, dtype=object), NAN_AT_7),
    "NaN in the last row": (with_value(np.nan, row=-1), "column 1, row 59"),
    "the first of two rows": (
        with_two_bad_values(),
        "infinity, first in column 1, row 7",
    ),
    "infinity": (with_value(np.inf), "^Input X contains infinity, first in column 1, row 7;"),
    "minus infinity in float32": (
        with_value(-np.inf, dtype=np.float32, order="F"),
        "infinity, first in column 1, row 7",
    ),
    "infinity in CSR": (sparse.csr_array(with_value(-np.inf)), "infinity, first in column 1, row 7"),
    "NaN in a DataFrame": (frame(dose=row_with(np.nan, 4)), NAN_IN_DOSE),
    "NA in Float64": (nullable("Float64"), NAN_IN_DOSE),
    "NA in Int64": (nullable("Int64"), NAN_IN_DOSE),
    "NA in boolean": (nullable("boolean"), NAN_IN_DOSE),
    "null in polars": (polars_frame(dose=pl.Series([None if i == 4 else i for i in range(N)])), NAN_IN_DOSE),
    "a polars column of nulls": (polars_frame(dose=pl.lit(None)), "column 'dose', row 0"),
}

NOT_NUMBERS = r"are not numbers; pass categories=.auto., or a list of columns, to give"
DATES = pd.date_range("2026-01-01", periods=N)
ENUM = pl.Enum(["low", "high"])

BAD_COLUMNS = {
    "object": frame(dose=np.array(WORDS, dtype=object)).astype({"dose": object}),
    "objects, some of them numbers": frame(dose=pd.Series([1.0, "high"] * (N // 2), dtype=object)),
    "string": frame(dose=pd.array(WORDS, dtype="string")),
    "str": frame(dose=pd.Series(WORDS, dtype="str")),
    "category": frame(dose=pd.Categorical(WORDS)),
    "category of numbers": frame(dose=pd.Categorical([1, 2] * (N // 2))),
    "datetime": frame(dose=DATES),
    "datetime with a zone": frame(dose=DATES.tz_localize("UTC")),
    "timedelta": frame(dose=DATES - DATES[0]),
    "period": frame(dose=DATES.to_period("D")),
    "interval": frame(dose=pd.interval_range(0, N)),
    "dates as objects": frame(dose=pd.Series([datetime.date(2026, 1, 1)] * N, dtype=object)),
    "lists": frame(dose=pd.Series([[1]] * N, dtype=object)),
    "complex": frame(dose=X[:, 0] * 1j),
    "polars String": polars_frame(dose=pl.Series(WORDS)),
    "polars Categorical": polars_frame(dose=pl.Series(WORDS, dtype=pl.Categorical)),
    "polars Enum": polars_frame(dose=pl.Series(WORDS, dtype=ENUM)),
    "polars Date": polars_frame(dose=pl.Series(DATES.date)),
    "polars Datetime": polars_frame(dose=pl.Series(DATES.to_pydatetime())),
    "polars Duration": polars_frame(dose=pl.Series([datetime.timedelta(days=i) for i in range(N)])),
    "polars Time": polars_frame(dose=pl.Series([datetime.time(1)] * N)),
    "polars List": polars_frame(dose=pl.Series([[1]] * N)),
    "polars Binary": polars_frame(dose=pl.Series([b"a"] * N)),
    "polars Object": polars_frame(dose=pl.Series([object()] * N, dtype=pl.Object)),
}

BAD_X = {
    **BAD_VALUES,
    **{name: (table, rf"^Columns 'dose' \(.+\) {NOT_NUMBERS}") for name, table in BAD_COLUMNS.items()},
    "two columns of words": (frame(age=DATES, dose=WORDS), r"^Columns 'age' \(datetime64.+\), 'dose' \(str\) are not"),
    "an array of words": (np.array([WORDS]).T, "^X holds <U4, not numbers; pass categories=.auto."),
    "an array of variable-length words": (np.array([WORDS], dtype="T").T, "^X holds StringDType.+, not numbers"),
    "an array of dates": (DATES.to_numpy()[:, None], "^X holds datetime64.+, not numbers"),
    "a query": (polars_frame().lazy(), r"^X is a LazyFrame, a query that has not run yet; pass X.collect\(\)"),
    "complex numbers": (X * 1j, "^Complex data not supported: X holds complex128; pass real numbers"),
    "complex sparse numbers": (sparse.csr_array(X * 1j), "^Complex data not supported: X holds complex128"),
    "too large": (with_value(1e200), r"^Input X holds numbers too large .+, up to 1e\+200 in column 1; rescale"),
    "too large in CSR": (sparse.csr_array(with_value(-1e200)), r"too large .+ up to 1e\+200 in column 1;"),
    "too large in a DataFrame": (frame(dose=row_with(1e160, 4)), r"too large .+ up to 1e\+160 in column 'dose';"),
}


def fit_case(match, *, X=X, y=Y, parameters=None, **metadata):
    return {"X": X, "y": y, "parameters": parameters or {}, "metadata": metadata, "match": match}


BAD_Y = {
    "NaN": (np.where(np.arange(N) == 3, np.nan, Y), "^Input y contains NaN, first in row 3; drop or label"),
    "infinity": (np.where(np.arange(N) == 3, np.inf, Y), "^Input y contains infinity, first in row 3;"),
    "None": (labels_with(None, np.array, dtype=object), "^Input y contains NaN, first in row 2;"),
    "NA in string": (labels_with(pd.NA, pd.Series, dtype="string"), "NaN, first in row 2"),
    "NA in str": (labels_with(None, pd.Series, dtype="str"), "NaN, first in row 2"),
    "NA in category": (labels_with(None, pd.Categorical), "NaN, first in row 2"),
    "NA in boolean": (pd.Series([True, False, pd.NA] * 20, dtype="boolean"), "NaN, first in row 2"),
    "NA in Int64": (pd.Series([1, 0, pd.NA] * 20, dtype="Int64"), "NaN, first in row 2"),
    "null in polars": (labels_with(None, pl.Series), "NaN, first in row 2"),
    "null in polars booleans": (pl.Series([True, False, None] * 20), "NaN, first in row 2"),
    "one class": (np.ones(N, dtype=int), "^y holds only one class, 1; a classifier needs two"),
    "one class, a word": (["low"] * N, "^y holds only one class, 'low'; a classifier needs two"),
    "three classes": (
        ["low", "high", "mid"] * 20,
        r"multiclass: 3 classes \('high', 'low', 'mid'\); .+ sklearn.multiclass.OneVsRestClassifier",
    ),
    "ten classes": (np.arange(N) % 10, r"10 classes \(0, 1, 2, 3, 4, 5, \.\.\.\); .+OneVsRestClassifier"),
    "continuous": (X[:, 0], "^Unknown label type: y holds continuous numbers; a classifier needs two classes"),
    "two fractions": (np.where(Y, 0.25, 0.75), "^Unknown label type: y holds continuous numbers"),
    "a fraction between two classes": (np.where(np.arange(N) == 3, 0.5, Y), "^Unknown label type: y holds continuous"),
    "classes 0 and infinity": (np.where(Y, np.inf, 0.0), "^Input y contains infinity, first in row [0-9]+;"),
    "objects": (
        Y.astype(object),
        r"^Unknown label type: y holds objects such as [01]; convert them with y.astype\(int\)",
    ),
    "complex": (Y * 1j, "^Complex data not supported: y holds complex128"),
    "too short": (Y[:-1], "^X and y have inconsistent numbers of samples: X has 60 rows, y has 59"),
    "two columns": (np.column_stack([Y, Y]), "y should be a 1d array, got an array of shape"),
    "sparse": (sparse.csr_array(Y[:, None]), r"^y is sparse; pass a dense array of labels"),
    "missing": (None, "requires y to be passed, but the target y is None"),
}

BAD_WEIGHTS = {
    "NaN": (row_with(np.nan, 5), "^sample_weight contains nan, first in row 5; pass finite numbers"),
    "infinity": (row_with(np.inf, 5), "^sample_weight contains inf, first in row 5;"),
    "NA": (pd.Series(row_with(5.0, 5), dtype="Float64").mask(np.arange(N) == 5), "contains nan, first in row 5"),
    "negative": (row_with(-1.0, 5), "^sample_weight gives row 5 the weight -1; weights must be finite, and 0 or more"),
    "all zero": (np.zeros(N), "^All weights are zero, so no row counts; pass positive weights for rows of both"),
    "one class left": (Y, "^Only one class, 1, has rows of positive weight; a classifier needs two"),
    "adding up to infinity": (np.full(N, 1e307), r"^sample_weight contains 1e\+307, first in row 0;"),
    "too short": (np.ones(3), r"^sample_weight has shape \(3,\); expected one number a row, shape \(60,\)"),
    "a column": (np.ones((N, 1)), r"^sample_weight has shape \(60, 1\); expected"),
    "words": (WORDS, "^sample_weight must hold one number a row: could not convert string to float: 'low'"),
    "complex": (np.ones(N) * 1j, "^Complex data not supported: sample_weight holds complex128"),
    "sparse": (sparse.csr_array(np.ones((N, 1))), "^sample_weight is sparse; pass a dense array"),
}

BAD_PARAMETERS = [
    ({"C": 0}, "^C=0 must be a number greater than 0"),
    ({"C": -1.0}, "^C=-1.0 must be a number greater than 0"),
    ({"C": np.nan}, "^C=nan must be a number greater than 0"),
    ({"C": "1"}, "^C='1' must be a number"),
    ({"C": True}, "^C=True must be a number"),
    ({"C": -1.0, "penalty": None}, "^C=-1.0 must be"),
    ({"tol": -1e-4}, "^tol=-0.0001 must be a number at least 0"),
    ({"tol": np.nan}, "^tol=nan must be"),
    ({"max_iter": 0}, "^max_iter=0 must be an integer at least 1"),
    ({"max_iter": 10.0}, "^max_iter=10.0 must be an integer"),
    ({"solver": "newtn"}, "^solver='newtn' is not known; choose one of 'auto', .+'saga'; did you mean 'newton'"),
    ({"solver": "lbfsg"}, "did you mean 'lbfgs'"),
    ({"solver": "zzz"}, r"'sag', 'saga'\.$"),
    ({"solver": None}, "^solver=None is not known"),
    ({"penalty": "l3"}, r"^penalty='l3' is not known; use 'l2' \(ridge\), 'l1' \(lasso\), 'elasticnet' .+, or None"),
    ({"penalty": ["l2"]}, "is not known; use 'l2'"),
    ({"penalty": "elasticnet", "l1_ratio": None}, "^penalty='elasticnet' needs an l1_ratio, from 0"),
    ({"l1_ratio": -0.1}, "^l1_ratio=-0.1 must be a number at least 0"),
    ({"l1_ratio": 1.1}, "^l1_ratio=1.1 must be at most 1, which is the lasso"),
    ({"l1_ratio": np.nan}, "^l1_ratio=nan must be a number"),
    ({"l1_ratio": "all"}, "^l1_ratio='all' must be a number"),
    ({"penalty_factor": [1.0]}, r"^penalty_factor has shape \(1,\); expected one factor a coefficient, shape \(\d+,\)"),
    ({"penalty_factor": {"x0": -1.0}}, "^penalty_factor is -1 for x0; factors must be 0"),
    ({"penalty_factor": {"x0": np.nan}}, "^penalty_factor is nan for x0"),
    ({"penalty_factor": {"x11": 0.0}}, "^penalty_factor names 'x11', which is not a column; did you mean 'x1'"),
    ({"penalty_factor": {"zzz": 0.0}}, r"which is not a column\.$"),
    ({"bounds": [[0.0, 1.0]]}, r"^bounds has shape \(1, 2\); expected a pair a coefficient, shape \(\d+, 2\)"),
    ({"bounds": {"x0": 1.0}}, "^bounds of 'x0' are 1.0; expected a pair"),
    ({"bounds": {"x0": (1.0, 2.0)}}, "^bounds are 1 and 2 for x0; 0 must be between them"),
    ({"bounds": {"x0": (0.0, np.nan)}}, "^bounds are 0 and nan for x0"),
    ({"bounds": {"x11": (0.0, 1.0)}}, "^bounds names 'x11', which is not a column; did you mean 'x1'"),
    ({"positive": "yes"}, "^positive='yes' must be True or False"),
    ({"standardize": 1}, "^standardize=1 must be True or False"),
    ({"n_jobs": 0}, "^n_jobs=0 must be None, -1 or a number of threads"),
    ({"n_jobs": 1.5}, "^n_jobs=1.5 must be"),
    ({"fit_intercept": "no"}, "^fit_intercept='no' must be True or False"),
    ({"warm_start": 1}, "^warm_start=1 must be True or False"),
    ({"multi_class": "multinomial"}, "^multi_class='multinomial' is not supported: this model is binary"),
    ({"random_state": "seed"}, "cannot be used to seed"),
    ({"class_weight": "equal"}, "'class_weight' parameter .+ must be"),
    ({"class_weight": {"a": 1}}, r"The classes, \[0, 1\], are not in class_weight"),
    ({"class_weight": {0: -1.0}}, "^class_weight gives row [0-9] the weight -1; weights must be finite, and 0 or more"),
    ({"class_weight": {0: np.nan}}, "^class_weight gives row [0-9] the weight nan;"),
    ({"class_weight": {0: 0.0}}, "^Only one class, 1, has rows of positive weight"),
]

# scikit-learn's own words, which its checks ask for
BAD_SHAPES = {
    "one dimension": (X[:, 0], "Expected 2D array, got 1D array instead"),
    "three dimensions": (X[:, :, None], "Found array with dim 3, while dim <= 2 is required"),
    "no rows": (X[:0], r"Found array with 0 sample\(s\) .+ minimum of 1 is required"),
    "no columns": (X[:, :0], r"Found array with 0 feature\(s\) .+ minimum of 1 is required"),
    "no columns in CSR": (sparse.csr_array((N, 0)), r"Found array with 0 feature\(s\)"),
}

BAD_FITS = {
    **{f"X: {name}": fit_case(match, X=bad) for name, (bad, match) in (BAD_X | BAD_SHAPES).items()},
    **{f"y: {name}": fit_case(match, y=bad) for name, (bad, match) in BAD_Y.items()},
    **{f"weights: {name}": fit_case(match, sample_weight=bad) for name, (bad, match) in BAD_WEIGHTS.items()},
    **{str(bad): fit_case(match, parameters=bad) for bad, match in BAD_PARAMETERS},
    "balanced weights of one class": fit_case(
        "^Only one class, 1, has", parameters={"class_weight": "balanced"}, sample_weight=Y
    ),
    "offset: too short": fit_case(r"^offset has shape \(3,\); expected one number a row", offset=np.zeros(3)),
    "offset: NaN": fit_case("^offset contains nan, first in row 5;", offset=row_with(np.nan, 5)),
    "offset: too large": fit_case(r"^offset contains 1e\+308, first in row 5;", offset=row_with(1e308, 5)),
    "offset: words": fit_case("^offset must hold one number a row: could not convert", offset=WORDS),
}
OWN_WORDS = {
    name: case
    for name, case in BAD_FITS.items()
    if name.removeprefix("X: ") not in BAD_SHAPES and name != "{'class_weight': 'equal'}"
}


def attempt(clf, case):
    """Fit and return the error's text."""
    with pytest.raises(ValueError, match=case["match"]) as caught:
        clf.set_params(**case["parameters"]).fit(case["X"], case["y"], **case["metadata"])
    return str(caught.value)


@pytest.mark.parametrize("case", BAD_FITS.values(), ids=BAD_FITS)
def test_a_bad_fit_raises_a_value_error_and_leaves_an_unfitted_estimator_unfitted(case):
    clf = LogisticRegression()
    attempt(clf, case)
    assert vars(clf).keys() == clf.get_params().keys()
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        clf.predict(X)


@pytest.mark.parametrize("case", BAD_FITS.values(), ids=BAD_FITS)
def test_a_bad_fit_leaves_a_fitted_estimator_as_it_was(case):
    clf = LogisticRegression().fit(frame(), np.where(Y, "yes", "no")).set_params(**case["parameters"])
    before = pickle.dumps(vars(clf))
    attempt(clf, case)
    assert pickle.dumps(vars(clf)) == before
    assert set(clf.set_params(**LogisticRegression().get_params()).predict(frame())) == {"yes", "no"}


@pytest.mark.parametrize("case", OWN_WORDS.values(), ids=OWN_WORDS)
def test_a_message_is_one_sentence_in_plain_words(case):
    message = attempt(LogisticRegression(), case)
    asked_for_by_scikit_learn = "Only binary classification is supported. "
    assert ". " not in message.removeprefix(asked_for_by_scikit_learn)
    assert "\n" not in message
    assert "np." not in message
    assert len(message) < 260


@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array, sparse.csc_array], ids=["dense", "CSR", "CSC"])
def test_a_bad_value_is_found_far_down_a_long_table(store):
    table = np.tile(X, (200, 1))
    table[9_000, 2], table[11_000, 0] = np.inf, np.nan
    with pytest.raises(ValueError, match=r"^Input X contains infinity, first in column 2, row 9000;"):
        LogisticRegression().fit(store(table), np.tile(Y, 200))


# Interruptions


def test_a_fit_stopped_by_a_warning_that_is_an_error_leaves_the_estimator_as_it_was():
    clf = LogisticRegression().fit(X, Y)
    before = pickle.dumps(vars(clf.set_params(max_iter=2)))
    with pytest.raises(ConvergenceWarning, match="After max_iter=2 passes"):
        clf.fit(2 * X, Y)
    assert pickle.dumps(vars(clf)) == before


class Interrupting:
    """A callback that plays a user who presses Ctrl-C in the third pass."""

    def setup(self, estimator, context):
        self.n_passes = 0

    def on_fit_task_begin(self, estimator, context):
        self.n_passes += context.task_name == "pass"
        if self.n_passes == 3:
            raise KeyboardInterrupt

    def on_fit_task_end(self, estimator, context):
        return False

    def teardown(self, estimator, context):
        pass


def threads_of_fits():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("logreg")]


@pytest.fixture(scope="module")
def many():
    """Rows enough for compiled kernels and threads."""
    random = np.random.default_rng(5)
    X = random.normal(size=(60_000, 20))
    return X, (X[:, 0] + random.logistic(size=len(X)) > 0).astype(int)


def test_a_fit_interrupted_in_a_callback_leaves_the_estimator_as_it_was(many):
    clf = LogisticRegression(n_jobs=2).fit(X, Y).set_callbacks(Interrupting())
    before = pickle.dumps({name: value for name, value in vars(clf).items() if name != "_skl_callbacks"})
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*many)
    after = pickle.dumps({name: value for name, value in vars(clf).items() if name != "_skl_callbacks"})
    assert after == before
    assert not threads_of_fits()


def out_of_memory():
    raise MemoryError


@pytest.mark.parametrize(
    ("accident", "error"),
    [(out_of_memory, MemoryError), (_thread.interrupt_main, KeyboardInterrupt)],
    ids=["out of memory", "Ctrl-C"],
)
def test_an_accident_in_a_thread_leaves_the_estimator_as_it_was_and_ends_all_threads(
    many, monkeypatch, request, accident, error
):
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # which libraries that tests import may replace
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, handler))
    clf = LogisticRegression(n_jobs=2).fit(X, Y)
    before = pickle.dumps(vars(clf))
    original, blocks = MemoryRows.block_sums, count(1)  # a counter that no two threads read alike

    def interrupted(self, block, W, kind):
        if threads_of_fits() and next(blocks) == 3:
            accident()
        return original(self, block, W, kind)

    monkeypatch.setattr(MemoryRows, "block_sums", interrupted)
    with pytest.raises(error):
        clf.fit(*many)
    assert next(blocks) > 3
    assert not threads_of_fits()
    assert pickle.dumps(vars(clf)) == before


# Predictions


@pytest.fixture(scope="module")
def fitted():
    return LogisticRegression().fit(X, Y)


@pytest.fixture(scope="module")
def fitted_to_names():
    return LogisticRegression().fit(frame(), Y)


METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


@pytest.mark.parametrize("method", METHODS)
def test_predictions_need_a_fit(method):
    with pytest.raises(NotFittedError, match="This LogisticRegression instance is not fitted yet"):
        getattr(LogisticRegression(), method)(X)


@pytest.mark.parametrize("name", BAD_VALUES)
def test_predictions_name_the_column_and_row_of_a_bad_value(fitted, fitted_to_names, name):
    bad, match = BAD_VALUES[name]
    clf = fitted_to_names if hasattr(bad, "columns") else fitted
    for method in METHODS:
        with pytest.raises(ValueError, match=match):
            getattr(clf, method)(bad)


@pytest.mark.parametrize("name", BAD_COLUMNS)
def test_predictions_name_the_columns_that_are_not_numbers(fitted_to_names, name):
    with pytest.raises(ValueError, match=rf"^Columns 'dose' \(.+\) {NOT_NUMBERS}"):
        fitted_to_names.predict(BAD_COLUMNS[name])


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (X[:, :2], "X has 2 features, but LogisticRegression is expecting 3 features"),
        (sparse.csr_array(X[:, :2]), "X has 2 features, but LogisticRegression is expecting 3 features"),
        (X[:0], r"Found array with 0 sample\(s\)"),
        (X[0], "Expected 2D array, got 1D array instead"),
        (with_value(1e308) * 1.5, "^Input X holds numbers too large .+ in column 1; rescale"),
    ],
    ids=["a column short", "a column short in CSR", "no rows", "one row as a vector", "overflow"],
)
def test_predictions_refuse_other_columns_than_those_of_fit(fitted, bad, match):
    steep = pickle.loads(pickle.dumps(fitted))
    steep.coef_ = 10.0 * np.sign(steep.coef_)
    with pytest.raises(ValueError, match=match):
        steep.predict(bad)


@pytest.mark.parametrize("frame_of", [pd.DataFrame, lambda table: pl.DataFrame(dict(table))], ids=["pandas", "polars"])
@pytest.mark.parametrize(
    ("names", "match"),
    [
        (NAMES[:2], "(?s)yet now missing:\n- dose"),
        (NAMES[::-1], "must be in the same order as they were in fit"),
        (["age", "wage", "dose"], "(?s)unseen at fit time:\n- wage.*now missing:\n- income"),
    ],
    ids=["missing", "reordered", "renamed"],
)
def test_predictions_refuse_other_column_names_than_those_of_fit(fitted_to_names, names, match, frame_of):
    table = frame_of(frame(wage=1.0)[names])
    with pytest.raises(ValueError, match="The feature names should match those that were passed") as caught:
        fitted_to_names.predict(table)
    caught.match(match)


def test_predictions_without_names_after_a_fit_with_names_warn(fitted, fitted_to_names):
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        scores = fitted_to_names.decision_function(X)
    assert_allclose(scores, fitted.decision_function(X), rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("offset", "match"),
    [
        (np.zeros(N - 1), r"^offset has shape \(59,\); expected one number a row, shape \(60,\)"),
        (row_with(np.nan, 5), "^offset contains nan, first in row 5;"),
    ],
    ids=["too short", "NaN"],
)
def test_predictions_refuse_a_bad_offset(fitted, method, offset, match):
    with pytest.raises(ValueError, match=match):
        getattr(fitted, method)(X, offset=offset)


# Labels that work


LABELS = {
    "bool": (Y.astype(bool), [False, True]),
    "int8": (Y.astype(np.int8), [0, 1]),
    "uint64": (Y.astype(np.uint64) * 7, [0, 7]),
    "-1 and 1": (2 * Y - 1, [-1, 1]),
    "floats": (Y.astype(float), [0.0, 1.0]),
    "float32": (Y.astype(np.float32) + 1, [1.0, 2.0]),
    "long double": (Y.astype(np.longdouble), [0.0, 1.0]),
    "every second integer": (np.repeat(Y, 2)[::2], [0, 1]),
    "strings": (np.where(Y, "yes", "no"), ["no", "yes"]),
    "a list of strings": (np.where(Y, "yes", "no").tolist(), ["no", "yes"]),
    "objects that are strings": (np.where(Y, "yes", "no").astype(object), ["no", "yes"]),
    "a Series": (pd.Series(Y, index=np.arange(N)[::-1]), [0, 1]),
    "a Series of strings": (pd.Series(np.where(Y, "yes", "no"), dtype="string"), ["no", "yes"]),
    "a category": (pd.Series(Y).map({0: "no", 1: "yes"}).astype("category"), ["no", "yes"]),
    "a category with an empty level": (pd.Categorical(np.where(Y, "yes", "no"), ["yes", "maybe", "no"]), ["no", "yes"]),
    "nullable boolean": (pd.Series(Y, dtype="boolean"), [False, True]),
    "nullable Int64": (pd.Series(Y, dtype="Int64"), [0, 1]),
    "polars integers": (pl.Series(Y), [0, 1]),
    "polars booleans": (pl.Series(Y.astype(bool)), [False, True]),
    "polars strings": (pl.Series(np.where(Y, "yes", "no")), ["no", "yes"]),
    "polars Enum": (pl.Series(np.where(Y, "low", "high"), dtype=ENUM), ["high", "low"]),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_any_form_give_the_same_fit_and_come_back_as_classes(fitted, name):
    labels, classes = LABELS[name]
    clf = LogisticRegression().fit(X, labels)
    assert clf.classes_.tolist() == classes
    assert_array_equal(clf.coef_, fitted.coef_)
    assert_array_equal(clf.predict(X) == classes[1], fitted.predict(X) == 1)
    assert clf.score(X, labels) == fitted.score(X, Y)


def test_a_column_vector_of_labels_warns_as_in_scikit_learn(fitted):
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        clf = LogisticRegression().fit(X, Y[:, None])
    assert_array_equal(clf.coef_, fitted.coef_)


# X that works


def assert_optimum(clf, X, y, tolerance=1e-7):
    """Check that no coefficient can fall further: slopes of the penalised loss are 0, in its standard errors."""
    probability = clf.predict_proba(X)
    X = np.column_stack([np.asarray(X, dtype=np.float64), np.ones(len(y))])[:, : None if clf.fit_intercept else -1]
    penalty = np.append(np.full(clf.coef_.size, 1 / clf.C), 0.0)[: X.shape[1]]
    coefficients = np.append(clf.coef_, clf.intercept_)[: X.shape[1]]
    slope = X.T @ (probability[:, 1] - y) + penalty * coefficients
    curvature = np.square(X).T @ probability.prod(axis=1) + penalty
    assert (np.abs(slope) <= tolerance * np.sqrt(curvature)).all()


def readonly(array):
    array = array.copy()
    array.flags.writeable = False
    return array


FORMS = {
    "Fortran order": np.asfortranarray,
    "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "reversed columns": lambda X: X[:, ::-1].copy()[:, ::-1],
    "reversed rows": lambda X: X[::-1].copy()[::-1],
    "read-only": readonly,
    "big-endian": lambda X: X.astype(">f8"),
    "long double": lambda X: X.astype(np.longdouble),
    "objects that are numbers": lambda X: X.astype(object),
    "lists": lambda X: X.tolist(),
    "nullable Float64": lambda X: pd.DataFrame(X, columns=NAMES[: X.shape[1]]).astype("Float64"),
    "objects in a DataFrame": lambda X: pd.DataFrame(X, columns=NAMES[: X.shape[1]]).astype(object),
    "decimals in a DataFrame": lambda X: pd.DataFrame([[Decimal(v) for v in row] for row in X.tolist()]),
    "polars": lambda X: pl.DataFrame({name: X[:, j] for j, name in enumerate(NAMES)}),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_an_array_gives_the_same_fit(fitted, form):
    clf = LogisticRegression().fit(form(X), Y)
    assert_allclose(clf.coef_, fitted.coef_, rtol=1e-12)
    assert_allclose(clf.predict_proba(form(X)), fitted.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.float16, np.float32])
def test_small_types_are_the_numbers_they_hold(dtype):
    small = np.abs(4 * X).astype(dtype)
    clf, expected = (LogisticRegression(tol=1e-10).fit(numbers, Y) for numbers in (small, small.astype(float)))
    assert_allclose(clf.coef_, expected.coef_, rtol=1e-9, atol=1e-15)
    assert_optimum(clf, small, Y)


@pytest.mark.parametrize(
    "name", ["Fortran order", "every second row", "reversed columns", "reversed rows", "read-only"]
)
def test_every_form_of_a_large_array_gives_the_same_fit(many, name):
    X, y = many
    clf, expected = (LogisticRegression(n_jobs=2, tol=1e-9).fit(form, y) for form in (FORMS[name](X), X))
    assert_allclose(clf.coef_, expected.coef_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_memory_mapped_file_is_the_array_in_it(many, tmp_path, dtype):
    X, y = many
    X = X.astype(dtype)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    clf, expected = (LogisticRegression(n_jobs=2).fit(rows, y) for rows in (mapped, X))
    assert_array_equal(clf.coef_, expected.coef_)
    assert_array_equal(clf.decision_function(mapped), expected.decision_function(X))


SPARSE_X = sparse.csr_array(np.where(np.abs(X) > 0.5, X, 0.0))


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "dok", "lil", "bsr", "dia"])
def test_every_sparse_format_gives_the_fit_of_the_dense_array(layout, kind):
    stored = getattr(sparse, f"{layout}_{kind}")(SPARSE_X)
    clf, expected = (LogisticRegression().fit(rows, Y) for rows in (stored, SPARSE_X.toarray()))
    assert_allclose(clf.coef_, expected.coef_, rtol=1e-9)
    assert_allclose(clf.decision_function(stored), expected.decision_function(SPARSE_X.toarray()), rtol=1e-9)
    assert stored.format == layout


@pytest.mark.parametrize("layout", ["csr", "csc"])
@pytest.mark.parametrize("copied_up_to", [0, 10**9])
def test_unsorted_indices_and_duplicates_mean_their_sums_and_stay_as_they_are(layout, copied_up_to, monkeypatch):
    monkeypatch.setattr(predictors, "COPIED_UP_TO", copied_up_to)
    entries = SPARSE_X.tocoo()
    order = np.random.default_rng(3).permutation(2 * entries.nnz)
    rows, columns = np.tile(entries.row, 2)[order], np.tile(entries.col, 2)[order]
    values = np.concatenate([0.25 * entries.data, 0.75 * entries.data])[order]
    major, minor = (rows, columns) if layout == "csr" else (columns, rows)
    by_major = np.argsort(major, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(major, minlength=N if layout == "csr" else D))])
    kind = sparse.csr_array if layout == "csr" else sparse.csc_array
    messy = kind((values[by_major], minor[by_major], ends), shape=SPARSE_X.shape)
    before = [messy.data.copy(), messy.indices.copy(), messy.indptr.copy()]
    clf, expected = (LogisticRegression().fit(stored, Y) for stored in (messy, SPARSE_X))
    assert_allclose(clf.coef_, expected.coef_, rtol=1e-9)
    assert_allclose(clf.predict_proba(messy), expected.predict_proba(SPARSE_X), rtol=1e-9)
    for array, original in zip([messy.data, messy.indices, messy.indptr], before, strict=True):
        assert_array_equal(array, original)


@pytest.mark.parametrize("layout", ["csr", "csc"])
@pytest.mark.parametrize("copied_up_to", [0, 10**9])
def test_unsorted_indices_are_used_as_they_are_where_a_copy_is_dear(layout, copied_up_to, monkeypatch):
    monkeypatch.setattr(predictors, "COPIED_UP_TO", copied_up_to)
    stored = SPARSE_X.asformat(layout).copy()
    for start, stop in pairwise(stored.indptr.tolist()):  # backwards
        stored.indices[start:stop] = stored.indices[start:stop][::-1].copy()
        stored.data[start:stop] = stored.data[start:stop][::-1].copy()
    stored.has_sorted_indices = stored.has_canonical_format = False
    stored = type(stored)((stored.data, stored.indices, stored.indptr), shape=stored.shape)
    problem = validate.training_data(LogisticRegression(), stored, Y, None, None)
    assert np.shares_memory(problem.X.data, stored.data) == (copied_up_to == 0)
    expected = LogisticRegression(tol=1e-10).fit(SPARSE_X, Y)
    assert_allclose(LogisticRegression(tol=1e-10).fit(stored, Y).coef_, expected.coef_, rtol=1e-9)


def test_no_input_is_modified():
    arrays = [np.array(X), np.array(Y), np.linspace(0.5, 2.0, N), np.linspace(-1.0, 1.0, N)]
    before = [array.copy() for array in arrays]
    LogisticRegression(class_weight="balanced").fit(*arrays[:3], offset=arrays[3]).predict(arrays[0], offset=arrays[3])
    for array, original in zip(arrays, before, strict=True):
        assert_array_equal(array, original)


# Extremes that work without a warning


def columns_of_scale(*scales):
    return X * np.array(scales)


EXTREMES = {
    "two rows": ([[0.0], [1.0]], [0, 1]),
    "two equal rows": ([[1.0, 2.0], [1.0, 2.0]], [0, 1]),
    "more columns than rows": (RANDOM.normal(size=(10, 40)), [0, 1] * 5),
    "constant columns": (np.column_stack([X, np.ones(N), np.zeros(N), np.full(N, 1e8)]), Y),
    "nothing but constants": (np.ones((N, 2)), Y),
    "one column twice": (X[:, [0, 0, 1]], Y),
    "columns from tiny to large": (columns_of_scale(1e-6, 1.0, 1e6), Y),
    "columns far from zero": (X + np.array([1e6, -1e7, 0.0]), Y),
    "one row of a class": (X, np.arange(N) == 17),
    "separated": (X, X[:, 0] > 0),
    "a large value": (with_value(1e30), Y),
}


@pytest.mark.parametrize("fit_intercept", [True, False], ids=["", "no intercept"])
@pytest.mark.parametrize("C", [1e-300, 1e-8, 1.0, 1e10], ids=lambda C: f"C={C:g}")
@pytest.mark.parametrize(
    "name", ["two rows", "more columns than rows", "constant columns", "columns from tiny to large"]
)
def test_extreme_data_and_penalties_reach_the_optimum_without_a_warning(name, C, fit_intercept):
    rows, y = EXTREMES[name]
    clf = LogisticRegression(C=C, fit_intercept=fit_intercept, tol=1e-10, max_iter=500).fit(rows, y)
    assert clf.converged_
    assert_optimum(clf, rows, np.asarray(y))


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_data_have_an_optimum_with_the_default_penalty(name):
    rows, y = EXTREMES[name]
    clf = LogisticRegression(tol=1e-10).fit(rows, y)
    assert clf.converged_
    assert_optimum(clf, rows, np.asarray(y))


@pytest.mark.parametrize("C", [5e-324, 1e-310, 1e-300, 1e-12])
def test_an_extreme_penalty_leaves_the_intercept_alone(C):
    clf = LogisticRegression(C=C, tol=1e-10).fit(X, Y)
    assert_allclose(clf.coef_[0], C * (X.T @ (Y - Y.mean())), rtol=1e-6, atol=1e-100)
    assert_allclose(clf.intercept_, np.log(Y.mean() / (1 - Y.mean())), rtol=1e-9)


@pytest.mark.parametrize("weight", [1e-300, 1e-6, 1.0, 3.0, 1e6, 1e290])
def test_equal_weights_rescale_the_penalty_alone(weight):
    expected = LogisticRegression(tol=1e-10, C=2.0).fit(X, Y)
    clf = LogisticRegression(tol=1e-10, C=2.0 / weight).fit(X, Y, sample_weight=np.full(N, weight))
    assert_allclose(clf.coef_, expected.coef_, rtol=1e-9)
    assert_allclose(clf.intercept_, expected.intercept_, rtol=1e-9)


@pytest.mark.parametrize("weight", [5e-324, 1e-310, 1e-300])
def test_tiny_weights_under_a_plain_penalty_leave_the_intercept_alone(weight):
    clf = LogisticRegression(tol=1e-10).fit(X, Y, sample_weight=np.full(N, weight))
    assert_allclose(clf.coef_, 0.0, atol=1e-290)
    assert_allclose(clf.intercept_, np.log(Y.mean() / (1 - Y.mean())), rtol=1e-9)


def test_a_row_of_weight_1e_300_is_an_absent_row():
    weight = np.where(np.arange(N) < 40, 1.0, 1e-300)
    clf = LogisticRegression(tol=1e-10).fit(X, Y, sample_weight=weight)
    assert_allclose(clf.coef_, LogisticRegression(tol=1e-10).fit(X[:40], Y[:40]).coef_, rtol=1e-9)


# Numbers of every type


INTEGERS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
COUNTS = np.random.default_rng(5).integers(0, 4, (N, 3))


@pytest.mark.parametrize("dtype", [*INTEGERS, np.bool_, np.float16, np.longdouble])
@pytest.mark.parametrize("store", [np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_matrix, pd.DataFrame])
def test_numbers_of_every_type_fit_as_float64(dtype, store, monkeypatch):
    if dtype in (np.int8, np.bool_):  # each type compiled takes some seconds
        monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    if dtype in (np.float16, np.longdouble) and store in (sparse.csr_array, sparse.csc_matrix):
        pytest.skip("SciPy has no such matrices")
    counts = COUNTS > 1 if dtype == np.bool_ else COUNTS
    stored = store(counts.astype(dtype))
    clf = LogisticRegression(tol=1e-10).fit(stored, Y)
    expected = LogisticRegression(tol=1e-10).fit(counts.astype(float), Y)
    np.testing.assert_allclose(clf.coef_, expected.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(clf.predict_proba(stored), expected.predict_proba(counts.astype(float)), rtol=1e-9)


@pytest.mark.parametrize("dtype", [*INTEGERS, np.bool_])
@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array, sparse.csc_array])
def test_integers_are_not_copied(dtype, store):
    stored = store(COUNTS.astype(dtype))
    problem = validate.training_data(LogisticRegression(), stored, Y, None, None)
    ours, theirs = (problem.X.data, stored.data) if sparse.issparse(stored) else (problem.X, stored)
    assert np.shares_memory(ours, theirs)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array])
def test_small_integers_that_add_up_do_not_overflow(kind):
    row, column = np.repeat(np.arange(N), 4), np.zeros(4 * N, dtype=int)
    values = np.full(4 * N, 100, dtype=np.int8)
    values[::4] = np.where(np.arange(N) % 2, 100, 0)
    doubled = sparse.coo_array((values, (row, column)), shape=(N, 1))
    stored = kind((doubled.data, *compressed(doubled, kind)), shape=(N, 1))
    expected = LogisticRegression(tol=1e-10).fit((300.0 + 100.0 * (np.arange(N) % 2))[:, None], Y)
    np.testing.assert_allclose(LogisticRegression(tol=1e-10).fit(stored, Y).coef_, expected.coef_, rtol=1e-6)


def compressed(entries, kind):
    """Return indices and index pointer of entries that are in the order of their rows, all in one column."""
    if kind is sparse.csc_array:
        return entries.row, np.array([0, len(entries.data)])
    return entries.col, np.arange(0, len(entries.data) + 1, 4)
