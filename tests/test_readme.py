"""The README's example prints what the README says."""

import contextlib
import io
import re
from pathlib import Path

import matplotlib.pyplot as plt

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_first_example_runs_and_prints_its_output():
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    printed = re.search(r"```text\n(.*?)```", README, re.DOTALL).group(1)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "README.md", "exec"), {})
    assert len(plt.get_fignums()) == 1
    plt.close("all")
    assert said.getvalue() == printed


def test_every_file_that_the_readme_names_exists():
    named = re.findall(r"`((?:examples|benchmarks|datasets)/[^`]*|[A-Z]+(?:\.md)?)`|\]\(([^)h][^)]*)\)", README)
    paths = [Path(__file__).parents[1] / (code or link) for code, link in named]
    assert len(paths) >= 5
    assert [path for path in paths if not path.exists()] == []
