"""Category columns: the optimum of one-hot columns, from any frame, with names, and words for what cannot be used."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression as Peer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from logreg import LogisticRegression, categories, datasets
from logreg.rows import memory

N = 300


def make_frame(n=N, seed=0):
    """Numbers, text, bools and ordered categories, one of which nobody has."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "dose": random.normal(size=n),
            "city": random.choice(["Rome", "Oslo", "Bern"], n),
            "stage": pd.Categorical(
                random.choice(["low", "mid", "high"], n), categories=["low", "none", "mid", "high"], ordered=True
            ),
            "count": random.integers(0, 5, n).astype(np.int8),
            "smoker": random.random(n) < 0.4,
        }
    )
    scores = frame["dose"] + (frame["city"] == "Oslo") - frame["smoker"] + 0.5 * (frame["stage"] == "high")
    return frame, (scores + random.logistic(size=n) > 0).astype(int)


TERMS = [
    "dose", "city=Bern", "city=Oslo", "city=Rome", "stage=low", "stage=mid", "stage=high", "count",
    "smoker=False", "smoker=True",
]  # fmt: skip


def fitted(X, y, **parameters):
    return LogisticRegression(**{"categories": "auto", "tol": 1e-11} | parameters).fit(X, y)


def coefficients(clf):
    return dict(zip(clf.feature_names_out_, clf.coef_[0], strict=True))


@pytest.fixture(params=[False, True], ids=["products", "compiled"])
def kernels(request, monkeypatch):
    monkeypatch.setattr(memory, "COMPILED_FROM", 0 if request.param else 10**9)


# The same as one-hot columns


def flights(n=4_000):
    X, y = datasets.load_flights()
    return X.drop(columns="tailnum")[:n], y[:n]


# Columns and rows that leave a finite optimum without a penalty.
UNSEPARATED = {
    "made": lambda X, y: (X, y),
    "penguins": lambda X, y: (X[["species", "bill_depth_mm"]], y),
    "flights": lambda X, y: (
        X.loc[X["carrier"].isin(["UA", "B6", "EV"]), ["carrier", "origin", "distance"]],
        y[X["carrier"].isin(["UA", "B6", "EV"])],
    ),
}
DATA = {"made": make_frame, "penguins": datasets.load_penguins, "flights": flights}


@pytest.mark.parametrize("C", [1.0, 100.0, np.inf])
@pytest.mark.parametrize("name", DATA)
def test_optimum_is_that_of_one_hot_columns(name, C, kernels):
    X, y = DATA[name]()
    if np.isinf(C):
        X, y = UNSEPARATED[name](X, y)
    ours = fitted(X, y, C=C)
    words = [column for column in X if not pd.api.types.is_numeric_dtype(X[column]) or X[column].dtype == bool]
    encoder = make_column_transformer(
        (OneHotEncoder(drop="first" if np.isinf(C) else None, categories=[level_order(X[w]) for w in words]), words),
        remainder="passthrough",
    )
    encoded = encoder.fit_transform(X).astype(float)
    names = encoder.get_feature_names_out()
    one_hot = LogisticRegression(C=C, tol=1e-11).fit(encoded, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's line search warns when it has reached rounding
        peer = Peer(C=C, tol=1e-12, solver="newton-cholesky", max_iter=1000).fit(encoded, y)
    for theirs, tolerance in ((one_hot, 1e-9), (peer, 1e-8)):
        expected = {plain(name): value for name, value in zip(names, theirs.coef_[0], strict=True)}
        found = {name.replace("=", "_"): value for name, value in coefficients(ours).items()}
        assert found.keys() == expected.keys()
        size = max(map(abs, expected.values()))
        assert max(abs(found[term] - expected[term]) for term in expected) <= tolerance * size
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(encoded), atol=10 * tolerance)


def level_order(series):
    levels = series.cat.categories if isinstance(series.dtype, pd.CategoricalDtype) else sorted(series.unique())
    return [level for level in levels if (series == level).any()]


def plain(name):
    return name.removeprefix("onehotencoder__").removeprefix("remainder__")


def test_terms_are_in_the_order_of_the_frame_and_levels_in_their_own():
    X, y = make_frame()
    clf = fitted(X, y)
    assert clf.feature_names_out_.tolist() == TERMS
    assert clf.coef_.shape == (1, len(TERMS))
    assert clf.coef_frame()["term"].tolist() == ["intercept", *TERMS]
    assert clf.feature_names_in_.tolist() == list(X)
    assert clf.n_features_in_ == 5
    assert {name: levels.tolist() for name, levels in clf.categories_.items()} == {
        "city": ["Bern", "Oslo", "Rome"],
        "stage": ["low", "mid", "high"],
        "smoker": [False, True],
    }


def test_without_a_penalty_the_first_level_is_the_reference():
    X, y = make_frame()
    clf = fitted(X, y, penalty=None)
    references = ["city=Bern", "stage=low", "smoker=False"]
    assert clf.feature_names_out_.tolist() == [term for term in TERMS if term not in references]
    assert clf.categories_["city"].tolist() == ["Bern", "Oslo", "Rome"]
    swapped = fitted(X.assign(city=pd.Categorical(X["city"], categories=["Rome", "Oslo", "Bern"])), y, penalty=None)
    np.testing.assert_allclose(swapped.predict_proba(X), clf.predict_proba(X), atol=1e-9)
    assert coefficients(swapped)["city=Bern"] == pytest.approx(-coefficients(clf)["city=Rome"], abs=1e-9)


@pytest.mark.parametrize(
    "listed", [["city"], ["city", "count"], ("stage", "city"), np.array(["smoker", "city", "stage"])]
)
def test_listed_columns_are_categories_and_no_others(listed):
    X, y = make_frame()
    X = X.drop(columns=[name for name in ("stage",) if name not in listed])
    clf = fitted(X, y, categories=listed)
    assert list(clf.categories_) == [name for name in X if name in listed]
    if "smoker" not in listed:
        assert "smoker" in clf.feature_names_out_  # bools are numbers unless they are listed
    if "count" in listed:
        assert clf.categories_["count"].tolist() == [0, 1, 2, 3, 4]
        assert "count=3" in clf.feature_names_out_


def test_numbers_alone_fit_as_without_the_option():
    X, y = make_frame()
    numbers = X[["dose", "count"]]
    for parameters in ({}, {"categories": "auto"}, {"categories": []}):
        clf = LogisticRegression(**parameters).fit(numbers, y)
        assert clf.categories_ == {}
        assert clf.feature_names_out_.tolist() == ["dose", "count"]
    unnamed = LogisticRegression(categories="auto").fit(numbers.to_numpy(), y)
    assert unnamed.feature_names_out_.tolist() == ["x0", "x1"]


# Frames of every kind


def polars_frame(X):
    polars = pytest.importorskip("polars")
    return polars.DataFrame(
        {name: X[name].astype(str).to_list() if name == "stage" else X[name].to_list() for name in X},
        schema_overrides={"stage": polars.Enum(["low", "none", "mid", "high"]), "count": polars.Int8},
    )


def arrow_table(X):
    arrow = pytest.importorskip("pyarrow")
    return arrow.Table.from_pandas(X, preserve_index=False)


FRAMES = {
    "pandas strings": lambda X: X.astype({"city": "string"}),
    "pandas objects": lambda X: X.astype({"city": object, "smoker": object}),
    "pandas categories": lambda X: X.astype({"city": "category", "smoker": "category"}),
    "categories in another order": lambda X: X.assign(
        stage=X["stage"].cat.reorder_categories(["low", "mid", "none", "high"])
    ),
    "nullable": lambda X: X.convert_dtypes().astype({"stage": X["stage"].dtype}),
    "sparse numbers": lambda X: X.assign(dose=pd.arrays.SparseArray(X["dose"])),
    "numbers as objects": lambda X: X.astype({"dose": object}),
    "rows of another index": lambda X: X.set_index(np.arange(len(X))[::-1] % 7),
    "polars": polars_frame,
    "polars, categorical": lambda X: polars_frame(X).cast({"city": pytest.importorskip("polars").Categorical}),
    "Arrow": arrow_table,
    "Arrow, no dictionary": lambda X: arrow_table(X.astype({"stage": X["stage"].dtype})),
}


@pytest.mark.parametrize("convert", FRAMES.values(), ids=FRAMES)
def test_every_frame_gives_the_same_fit_and_the_same_predictions(convert):
    X, y = make_frame()
    clf, other = fitted(X, y), fitted(convert(X), y)
    assert other.feature_names_out_.tolist() == TERMS
    np.testing.assert_allclose(other.coef_, clf.coef_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(clf.predict_proba(convert(X)), clf.predict_proba(X), rtol=1e-10)


def test_arrow_types_in_pandas_are_categories_too():
    arrow = pytest.importorskip("pyarrow")
    X, y = make_frame()
    types = {
        "city": pd.ArrowDtype(arrow.dictionary(arrow.int32(), arrow.string())),
        "smoker": pd.ArrowDtype(arrow.bool_()),
    }
    other = fitted(X.astype(types | {"dose": pd.ArrowDtype(arrow.float64())}), y)
    expected = coefficients(fitted(X, y))  # a dictionary has an order of its own
    assert coefficients(other) == pytest.approx(expected, rel=1e-9, abs=1e-11)


def test_an_array_of_labels_has_columns_x0_x1_and_so_on():
    X, y = make_frame()
    labels = X[["city", "dose"]].to_numpy(dtype=object)
    clf = fitted(labels, y)
    assert clf.feature_names_out_.tolist() == ["x0=Bern", "x0=Oslo", "x0=Rome", "x1"]
    np.testing.assert_allclose(clf.coef_, fitted(X[["city", "dose"]], y).coef_, rtol=1e-10)
    assert not hasattr(clf, "feature_names_in_")
    by_position = fitted(X[["count", "dose"]].to_numpy(), y, categories=[0])
    assert by_position.feature_names_out_.tolist()[:2] == ["x0=0.0", "x0=1.0"]


def test_numbers_and_codes_are_read_where_they_are():
    X, y = make_frame()
    clf = fitted(X, y)
    table = clf._encoding.encode(categories.with_codes(X, {1, 2, 4}), "error", "error")
    assert np.shares_memory(table.numbers[0].values, X["dose"].to_numpy())
    assert np.shares_memory(table.numbers[1].values, X["count"].to_numpy())
    assert table.numbers[1].values.dtype == np.int8
    assert np.shares_memory(table.categories[1].codes, X["stage"].array.codes)
    assert table.categories[1].codes.dtype == np.int8


def test_a_frame_is_left_as_it_was():
    X, y = make_frame()
    before = X.copy(deep=True)
    fitted(X, y).predict(X)
    pd.testing.assert_frame_equal(X, before)


# Predictions


def test_levels_are_known_by_their_labels_whatever_their_codes():
    X, y = make_frame()
    clf = fitted(X, y)
    new = X[:20].assign(
        stage=X["stage"][:20].astype(str),
        city=pd.Categorical(X["city"][:20], categories=["Rome", "Paris", "Oslo", "Bern"]),
    )
    np.testing.assert_array_equal(clf.predict_proba(new), clf.predict_proba(X[:20]))
    alone = X[X["city"] == "Rome"]
    np.testing.assert_allclose(clf.predict_proba(alone), clf.predict_proba(X)[X["city"] == "Rome"], rtol=1e-13)


def test_a_level_that_fit_has_not_seen_raises_or_contributes_nothing():
    X, y = make_frame()
    new = X[:4].assign(city=["Rome", "Oslo", "Paris", "Paris"])
    with pytest.raises(
        ValueError, match=r"^Column 'city' holds 'Paris', first in row 2, a level that fit has not seen"
    ):
        fitted(X, y).predict(new)
    clf = fitted(X, y, unknown="ignore")
    known = clf.decision_function(X[:4].assign(city="Rome"))
    np.testing.assert_allclose(clf.decision_function(new)[2:], (known - coefficients(clf)["city=Rome"])[2:])
    bare = fitted(X, y, unknown="ignore", penalty=None)  # where it counts as the reference
    np.testing.assert_allclose(
        bare.decision_function(new)[2:], bare.decision_function(X[:4].assign(city="Bern"))[2:], rtol=1e-12
    )


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize("column", ["city", "stage", "smoker"])
def test_missing_cells_raise_or_are_a_level_of_their_own(missing, column):
    X, y = make_frame()
    gone = X.astype({column: object}).astype({"stage": X["stage"].dtype} if column == "stage" else {})
    gone.loc[[3, 8, 200], column] = missing
    with pytest.raises(
        ValueError, match=rf"^Column '{column}' has missing cells, first in row 3; pass missing='level'"
    ):
        fitted(gone, y)
    clf = fitted(gone, y, missing="level")
    assert f"{column}=missing" in clf.feature_names_out_
    assert pd.isna(clf.categories_[column][-1])
    filled = gone.astype({column: object})
    filled[column] = filled[column].astype(str).where(filled[column].notna(), "~")  # which sorts last
    filled["stage"] = X["stage"] if column != "stage" else pd.Categorical(filled["stage"], ["low", "mid", "high", "~"])
    expected = fitted(filled, y)
    np.testing.assert_allclose(clf.coef_, expected.coef_, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(clf.predict_proba(gone), expected.predict_proba(filled), rtol=1e-9)


def test_missing_cells_that_only_predictions_have_are_an_unknown_level():
    X, y = make_frame()
    gone = X[:5].assign(city=[None, "Rome", "Oslo", None, "Bern"])
    with pytest.raises(ValueError, match=r"^Column 'city' has missing cells, first in row 0"):
        fitted(X, y).predict(gone)
    with pytest.raises(
        ValueError, match=r"^Column 'city' holds a missing cell, first in row 0, a level that fit has not"
    ):
        fitted(X, y, missing="level").predict(gone)
    assert np.isfinite(fitted(X, y, missing="level", unknown="ignore").decision_function(gone)).all()


WRONG = {
    "numbers where text was": (
        lambda X: X.assign(city=1.5),
        r"^Column 'city' holds numbers, where .* levels that are text",
    ),
    "text where bools were": (
        lambda X: X.assign(smoker="yes"),
        r"^Column 'smoker' holds text, where .* that are bools",
    ),
    "numbers where bools were": (
        lambda X: X.assign(smoker=1),
        r"^Column 'smoker' holds numbers, where .* that are bools",
    ),
    "text where numbers were": (
        lambda X: X.assign(dose="much"),
        r"^Column 'dose' holds text \(.*\), not numbers; list",
    ),
    "a column less": (lambda X: X.drop(columns="city"), "feature names"),
    "another order": (lambda X: X[X.columns[::-1]], "feature names"),
    "an array of numbers": (lambda X: X[["dose"]].to_numpy(), "features"),
    "no frame": (
        lambda X: [[1.0, 2.0]],
        r"^X is a list, but the model was fitted to category columns; pass a DataFrame",
    ),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_columns_of_another_kind_are_named(change, message):
    X, y = make_frame()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of an array without names
        clf = fitted(X, y)
        with pytest.raises(ValueError, match=message):
            clf.predict(change(X))


# Words for what cannot be used


BAD = {
    "text without the option": ({"categories": "error"}, "pass categories='auto'"),
    "an unknown name": (
        {"categories": ["citty"]},
        r"^categories lists 'citty', which X does not have; did you mean 'city'\?",
    ),
    "nothing like it": ({"categories": ["qqq"]}, r"does not have; its columns are 'dose', 'city'"),
    "text that is not listed": (
        {"categories": ["stage"]},
        r"^Column 'city' holds text .* not numbers; list it in categories",
    ),
    "a name alone": ({"categories": "city"}, r"^categories='city' must be 'error', 'auto' or a list .* \['city'\]"),
    "a number": ({"categories": 3}, "^categories=3 must be 'error', 'auto' or a list of columns"),
    "unknown": ({"unknown": "drop"}, "^unknown='drop' must be 'error' or 'ignore'"),
    "missing": ({"missing": "mean"}, "^missing='mean' must be 'error' or 'level'"),
}


@pytest.mark.parametrize(("parameters", "message"), BAD.values(), ids=BAD)
def test_a_wrong_option_is_told_in_a_sentence_and_changes_nothing(parameters, message):
    X, y = make_frame()
    clf = fitted(X, y)
    before = dict(vars(clf))
    clf.set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        clf.fit(X, y)
    assert {name for name in vars(clf) if vars(clf)[name] is not before[name]} <= parameters.keys()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["a", 1, 2.5], "^Column 'bad' mixes kinds of labels"),
        ([pd.Timestamp("2001-01-01"), pd.Timestamp("2001-01-02"), pd.NaT], "^Column 'bad' holds dates .*; list it in"),
        ([1 + 2j, 3j, 0j], "^Column 'bad' holds complex"),
    ],
)
def test_columns_that_are_neither_numbers_nor_labels_are_named(column, message):
    X, y = make_frame()
    listed = ["city", "stage", "bad"] if "mixes" in message else "auto"
    with pytest.raises(ValueError, match=message):
        fitted(X.assign(bad=np.resize(np.array(column, dtype=object), N)), y, categories=listed)


def test_columns_cannot_be_listed_of_what_has_none():
    with pytest.raises(ValueError, match=r"^categories lists columns, but X is a csr_array; pass a DataFrame"):
        fitted(sparse.csr_array(np.eye(4)), [0, 1, 0, 1], categories=[0])


def test_an_empty_frame_is_refused():
    X, y = make_frame()
    with pytest.raises(ValueError, match="0 sample"):
        fitted(X[:0], y[:0])
    with pytest.raises(ValueError, match="0 sample"):
        fitted(X, y).predict_proba(X[:0])


def test_dates_can_be_categories():
    X, y = make_frame()
    days = pd.date_range("2001-01-01", periods=4)
    clf = fitted(X.assign(day=np.resize(days, N)), y, categories=["city", "stage", "day"])
    assert clf.feature_names_out_[-1].startswith("day=2001-01-04")


@pytest.mark.parametrize(("column", "value"), [("dose", np.nan), ("dose", np.inf)])
def test_a_number_that_is_none_is_found_by_column_and_row(column, value, kernels):
    X, y = make_frame()
    clf = fitted(X, y)
    X.loc[17, column] = value
    for use in (clf.predict, lambda X: clone(clf).fit(X, y)):
        with pytest.raises(ValueError, match=rf"contains (NaN|infinity), first in column '{column}', row 17"):
            use(X)


def test_warnings_name_the_level():
    X, y = make_frame()
    y = y.where(X["city"] != "Rome", 1)
    with pytest.warns(ConvergenceWarning, match=r"fastest those of 'city=Rome'"):
        fitted(X, y, penalty=None, tol=1e-4)


# What belongs to an estimator


def test_pickles_clones_pipelines_and_searches_keep_the_levels():
    X, y = make_frame()
    clf = fitted(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(clf)).predict_proba(X), clf.predict_proba(X))
    assert clone(clf).get_params() == clf.get_params()
    assert make_pipeline(clone(clf)).fit(X, y).score(X, y) == clf.score(X, y)
    search = GridSearchCV(clone(clf), {"C": [0.1, 1.0]}, cv=3).fit(X, y)
    assert search.best_estimator_.feature_names_out_.tolist() == TERMS
    assert cross_val_score(clf, X, y, cv=4).mean() > 0.6


def test_weights_offsets_and_class_weights_go_with_categories(kernels):
    X, y = make_frame()
    weight = np.random.default_rng(1).integers(0, 3, N)
    repeated = X.loc[np.repeat(X.index, weight)]
    clf = LogisticRegression(categories="auto", tol=1e-11).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(clf.coef_, fitted(repeated, y[repeated.index]).coef_, rtol=1e-8, atol=1e-10)
    shifted = LogisticRegression(categories="auto", tol=1e-11).fit(X, y, offset=np.full(N, 0.7))
    np.testing.assert_allclose(shifted.intercept_ + 0.7, fitted(X, y).intercept_, rtol=1e-9)
    assert fitted(X, y, class_weight="balanced").converged_


def test_a_warm_start_needs_the_same_terms():
    X, y = make_frame()
    clf = fitted(X, y, warm_start=True)
    assert clf.fit(X, y).n_passes_ == 1
    other = X.assign(city=X["city"].replace("Rome", "Ulm"))
    assert clf.fit(other, y).n_passes_ > 1
    assert "city=Ulm" in clf.feature_names_out_


def test_a_fit_to_numbers_forgets_the_levels_of_the_fit_before():
    X, y = make_frame()
    clf = fitted(X, y).fit(X[["dose"]], y)
    assert clf.categories_ == {}
    assert clf.feature_names_out_.tolist() == ["dose"]
    assert clf.predict(X[["dose"]]).shape == (N,)


def test_terms_are_known_after_a_fit_only():
    with pytest.raises(NotFittedError):
        LogisticRegression(categories="auto").feature_names_out_  # noqa: B018


def test_more_levels_than_rows_are_fine():
    y = np.arange(60) % 2
    X = pd.DataFrame({"name": [f"n{i}" for i in range(60)], "other": [f"o{i % 31}" for i in range(60)]})
    clf = fitted(X, y)
    assert clf.coef_.shape == (1, 91)
    assert clf.converged_


def test_used_levels_are_found_whatever_the_number_of_rows(monkeypatch):
    monkeypatch.setattr(categories, "CODES_AT_ONCE", 7)
    values = pd.Categorical(["b"] * 30 + ["c", None], categories=["a", "b", "c"])
    np.testing.assert_array_equal(categories.is_used(values), [False, True, True, True])
    np.testing.assert_array_equal(categories.is_used(values[:31]), [False, True, True, False])
