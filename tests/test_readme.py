"""The README's examples print what the README says."""

import contextlib
import io
import re
from pathlib import Path

import matplotlib.pyplot as plt

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_examples_run_and_print_their_output():
    examples = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)
    assert len(examples) == README.count("```python") == 7
    for code, printed in examples:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(code, "README.md", "exec"), {})
        assert said.getvalue() == printed
    assert len(plt.get_fignums()) == 1
    plt.close("all")


def test_every_file_that_the_readme_names_exists():
    named = re.findall(r"`((?:examples|benchmarks|datasets)/[^`]*|[A-Z]+(?:\.md)?)`|\]\(([^)h][^)]*)\)", README)
    paths = [Path(__file__).parents[1] / (code or link) for code, link in named]
    assert len(paths) >= 5
    assert [path for path in paths if not path.exists()] == []
