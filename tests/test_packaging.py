"""What the installed package promises: version, dependencies, a light import, the project's papers."""

import re
import subprocess
import sys
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import logreg

ROOT = Path(__file__).parents[1]


def test_version_is_that_of_the_installed_package():
    assert logreg.__version__ == version("logreg")


def test_import_is_light():
    code = "import sys, logreg; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "logreg" in loaded
    assert loaded.isdisjoint({"numba", "matplotlib", "torch", "polars"})


def test_runtime_dependencies_are_these_and_no_others():
    required = map(Requirement, requires("logreg"))
    runtime = {item.name for item in required if item.marker is None or "extra" not in str(item.marker)}
    assert runtime == {"numpy", "scipy", "scikit-learn", "pandas", "numba", "array-api-compat"}


@pytest.mark.parametrize(
    "room", ["sums", "scale", "penalty", "objective", "preconditioner", "sampled", "descent", "search", "solve"]
)
def test_solver_rooms_never_ask_how_the_data_is_stored(room):
    # The import contracts know whole packages only, and scipy as such is welcome in these rooms.
    source = (ROOT / "logreg" / f"{room}.py").read_text(encoding="utf-8")
    assert not re.findall(r"issparse|scipy\.sparse|import sparse|dask|pyarrow|polars", source)


@pytest.mark.parametrize("file", ["LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile"])
def test_the_project_has_its_papers(file):
    assert (ROOT / file).stat().st_size > 0


def test_changelog_tells_of_the_current_version():
    assert logreg.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
