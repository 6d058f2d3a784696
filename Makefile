# Everything works on a machine with Python >= 3.12 and nothing else prepared: each target makes
# .venv and installs into it when pyproject.toml or constraints.txt changed.

BIN := .venv/bin
PYTEST_ARGS ?= -n auto --maxprocesses 2 --dist loadfile

# Compiled programs are kept between test files and between test runs.
export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.venv/jax-cache
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS ?= 0.2

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-all check format docs release bench faults sbc clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

# Exit code 1 says that the answer comes with a warning, which is no failure of the demo.
demo: .venv/installed-report  ## fit the shipped table and draw it into scalingfit-demo/
	@$(BIN)/scalingfit demo || [ $$? -eq 1 ]

test: check  ## lint, type check and the quick tests: what CI runs
	$(BIN)/pytest $(PYTEST_ARGS) -m "not slow"

test-slow: .venv/installed-dev  ## the long statistical checks
	$(BIN)/pytest $(PYTEST_ARGS) -m slow

test-all: check  ## quick tests and long checks
	$(BIN)/pytest $(PYTEST_ARGS)

check: .venv/installed-dev  ## lint and type check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/installed-dev  ## put the code into its format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: .venv/installed-dev  ## build the site into docs/_build/html; every example on it is run
	$(BIN)/sphinx-build -E -W --keep-going -q docs docs/_build/html

release: .venv/installed-dev  ## build sdist and wheel into dist/, and use the wheel in a bare environment
	.ci/release.sh

SPEED := single batch cold scaling

bench: .venv/installed-dev  ## run every benchmark but sbc; those of speed take the tools that are installed
	@set -e; for script in $(basename $(notdir $(wildcard benchmarks/*.py))) $(addprefix speed.,$(SPEED)); do \
	  echo "== $$script"; $(BIN)/python -m "benchmarks.$$script"; \
	done

faults: .venv/installed-dev  ## cause every fault that a test names, and write benchmarks/faults.md
	$(BIN)/python -m tests.faults

sbc: .venv/installed-dev  ## calibrate every law by every way of fitting; goes on where it was stopped (hours)
	$(BIN)/python -m benchmarks.sbc

clean:  ## remove what building and testing left behind (keeps .venv)
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis benchmarks/out
	rm -rf docs/_build docs/schemas docs/reference/generated
	find scalingfit models tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# .venv/installed-EXTRA stands for `pip install -e .[EXTRA]`.
.venv/installed-%: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "Installing scalingfit and its dependencies into .venv (a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable ".[$*]"
	@touch $@

# Make would otherwise delete the stamps as intermediate files.
.PRECIOUS: .venv/installed-%

# pip is the last thing venv writes, so its presence says that .venv is whole.
.venv/bin/pip:
	@for python in $(PYTHON) python3.12 python3.13 python3 python; do \
	  if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 12))' \
	      2>/dev/null; then \
	    echo "Making .venv with $$("$$python" --version)"; \
	    exec "$$python" -m venv .venv; \
	  fi; \
	done; \
	echo "No Python >= 3.12 with the venv module found. Install one (on Debian and Ubuntu:" \
	  "python3.12 and python3.12-venv), or name yours: make PYTHON=/path/to/python3.12" >&2; \
	exit 1
