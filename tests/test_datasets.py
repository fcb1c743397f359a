"""The data sets that ship with the package."""

import re
from pathlib import Path

import pandas as pd
import pytest

from logreg import datasets

FOLDER = Path(__file__).parents[1] / "datasets"

# loader: rows, predictors, rows with outcome 1, name of the outcome
DOCUMENTED = {
    "load_orings": (23, 1, 7, "distress"),
    "load_penguins": (333, 7, 168, "male"),
    "load_titanic": (2201, 3, 711, "survived"),
    "load_titanic_cells": (24, 3, 14, "survived"),
    "load_anes96": (944, 9, 393, "vote"),
    "load_nhefs": (1566, 15, 291, "death"),
    "load_breast_cancer": (569, 30, 212, "malignant"),
    "load_endometrial": (79, 3, 30, "HG"),
    "load_flights": (30_000, 10, 7181, "late"),
}

every_loader = pytest.mark.parametrize("name", DOCUMENTED)


def load(name):
    return getattr(datasets, name)()


def readme_table():
    """Return {file: cells} of the table in the data sets' README."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    header, _, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {cells[0]: dict(zip(header, cells, strict=True)) for cells in body}


def number(text):
    return int(text.replace(",", ""))


def test_every_loader_is_public_and_documented():
    assert sorted(DOCUMENTED) == datasets.__all__


@every_loader
def test_shape_positives_and_outcome_are_as_documented(name):
    rows, predictors, positives, outcome = DOCUMENTED[name]
    X, y, *_ = load(name)
    assert X.shape == (rows, predictors)
    assert y.shape == (rows,)
    assert y.sum() == positives
    assert y.name == outcome
    assert outcome not in X.columns


@every_loader
def test_docstring_states_size_source_and_licence(name):
    rows, predictors, *_ = DOCUMENTED[name]
    text = getattr(datasets, name).__doc__
    assert re.search(rf": {rows:,} [a-z ]+ x {predictors} predictor", text.splitlines()[0])
    assert "Source: " in text
    assert "Licence: " in " ".join(text.split())


@every_loader
def test_values_are_complete_and_ready_to_fit(name):
    X, y, *weight = load(name)
    assert not X.isna().any(axis=None)
    assert set(y) == {0, 1}
    assert pd.api.types.is_integer_dtype(y)
    for dtype in X.dtypes:
        assert isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_numeric_dtype(dtype)
    for part in (X, y, *weight):
        pd.testing.assert_index_equal(part.index, pd.RangeIndex(len(X)))


@every_loader
def test_loaders_return_fresh_objects(name):
    X, y, *_ = load(name)
    X["another"] = 1
    y[:] = 7
    X, y, *_ = load(name)
    assert "another" not in X
    assert set(y) == {0, 1}


@pytest.mark.parametrize(
    ("name", "categories"),
    [
        ("load_penguins", {"species": 3, "island": 3}),
        ("load_flights", {"carrier": 16, "origin": 3, "dest": 103, "tailnum": 3448}),
    ],
)
def test_words_are_categories(name, categories):
    X = load(name)[0].select_dtypes("category")
    assert {column: X[column].nunique() for column in X} == categories


def test_endometrial_is_quasi_separated_by_new_vessels():
    X, y = load("load_endometrial")
    assert y[X["NV"] == 1].all()
    assert set(y[X["NV"] == 0]) == {0, 1}


def test_titanic_cells_repeated_by_weight_are_the_titanic():
    X, y, weight = load("load_titanic_cells")
    people, survived = load("load_titanic")
    repeated = X.assign(survived=y).loc[X.index.repeat(weight)]
    columns = list(repeated)
    pd.testing.assert_frame_equal(
        repeated.sort_values(columns, ignore_index=True),
        people.assign(survived=survived).sort_values(columns, ignore_index=True),
    )
    assert not X.assign(survived=y).duplicated().any()


def test_readme_table_lists_every_file_and_every_loader():
    table = readme_table()
    assert sorted(table) == sorted(path.name for path in FOLDER.iterdir() if path.name != "README.md")
    assert sorted(cells["loader"].strip("`") for cells in table.values()) == datasets.__all__


@pytest.mark.parametrize("file", sorted(readme_table()))
def test_readme_table_agrees_with_the_file(file):
    cells = readme_table()[file]
    data = pd.read_csv(FOLDER / file)
    assert (number(cells["rows"]), number(cells["columns"])) == data.shape
    outcome, positives = re.fullmatch(r"(\w+).* \(([\d,]+)\)", cells["outcome = 1 (rows)"]).groups()
    count = (data[outcome] == "male") if outcome == "sex" else data[outcome]
    assert count.sum() == number(positives)
    assert cells["source"]
    assert cells["licence"]
