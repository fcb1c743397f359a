# Everything runs in .venv, which is made on first use and brought up to date when pyproject.toml changes; the
# benchmarks, which need the packages compared, run in .venv-bench.

PYTHON ?= python3
BIN := .venv/bin
BENCH := .venv-bench/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint wheel bench compare figures venv clean

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST)

demo: .venv/plot.stamp  ## run the demonstration
	$(BIN)/python examples/demo.py

test: .venv/dev.stamp  ## run all tests
	MPLBACKEND=Agg $(BIN)/python -m pytest

lint: .venv/dev.stamp  ## check style, types and who imports whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# The smoke test sees the wheel alone: a new environment, an empty directory, and -I keeps the sources out.
wheel: .venv/dev.stamp  ## build sdist and wheel into dist/, try the wheel in an empty directory
	rm -rf dist
	$(BIN)/python -m build
	directory=$$(mktemp -d) && trap 'rm -rf "$$directory"' EXIT && \
	$(BIN)/python -m venv "$$directory/venv" && \
	"$$directory/venv/bin/pip" install --quiet dist/*.whl && \
	mkdir "$$directory/empty" && cd "$$directory/empty" && \
	"$$directory/venv/bin/python" -I -c "from logreg import datasets as d; \
	print(*(f'{name}: {getattr(d, name)()[0].shape}' for name in d.__all__), sep='\n')"

bench: .venv-bench/bench.stamp .venv-numpy1/bench.stamp  ## run all benchmarks, an hour or more; rewrites benchmarks/RESULTS.md
	$(BENCH)/python benchmarks/run.py

compare: .venv-bench/bench.stamp  ## time the working tree against a git revision, BASE=revision
	$(BENCH)/python benchmarks/compare.py $(BASE)

figures: .venv/plot.stamp  ## draw the figures of the README
	MPLBACKEND=Agg $(BIN)/python -c "import runpy; \
	runpy.run_path('examples/plot_03_orings.py')['figure'].savefig('docs/orings.png', dpi=100, bbox_inches='tight')"
	MPLBACKEND=Agg $(BIN)/python -c "import runpy; \
	runpy.run_path('examples/plot_08_lasso.py')['display'].figure_.savefig('docs/lasso.png', dpi=100)"
	MPLBACKEND=Agg $(BIN)/python -c "import runpy; \
	runpy.run_path('examples/plot_09_cross_validation.py')['figure'].savefig('docs/cross_validation.png', dpi=100)"
	MPLBACKEND=Agg $(BIN)/python -c "import runpy; \
	runpy.run_path('examples/plot_10_inference.py')['figure'].savefig('docs/inference.png', dpi=100)"

venv: .venv/dev.stamp  ## make the environment with everything the tests need

clean:  ## remove the environments and all that was built
	rm -rf .venv .venv-bench .venv-numpy1 dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/%.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --editable ".[$*]"
	touch $@

.venv-bench/bench.stamp: pyproject.toml benchmarks/requirements.txt | $(BENCH)/python
	$(BENCH)/pip install --quiet --editable . --requirement benchmarks/requirements.txt
	touch $@

.venv-numpy1/bench.stamp: benchmarks/requirements-numpy1.txt | .venv-numpy1/bin/python
	.venv-numpy1/bin/pip install --quiet --requirement benchmarks/requirements-numpy1.txt
	touch $@

$(BIN)/python $(BENCH)/python .venv-numpy1/bin/python:
	$(PYTHON) -m venv $(@D:/bin=)
