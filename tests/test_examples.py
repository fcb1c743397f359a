"""Every example runs, is short, says what it shows, and draws what its name promises."""

import ast
import runpy
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

mpl.use("Agg")

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.fixture(autouse=True)
def _no_figures_left_over():
    yield
    plt.close("all")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_short_and_says_what_it_shows(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) < 80
    assert ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_draws(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    runpy.run_path(str(path), run_name="example")
    if path.name.startswith("plot_"):
        figures = [plt.figure(number) for number in plt.get_fignums()]
        assert any(axes.has_data() for figure in figures for axes in figure.axes)
