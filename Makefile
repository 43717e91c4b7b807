# Needs Python 3.10 or newer with pip, and nothing else: each target makes the environment that it runs in.

.DEFAULT_GOAL := help
.PHONY: help demo test test-matrix newest-python test-loops test-surroundings test-hostile test-seeds bench lint ruff mypy pyright pytest format clean

# The first of these that is new enough; `make PYTHON=/some/python test` to choose.
recent := import sys; sys.exit(sys.version_info < (3, 10))
candidates = python3 python3.14 python3.13 python3.12 python3.11 python3.10 python \
	$(wildcard $(HOME)/.pyenv/versions/3.1[0-9]*/bin/python)
PYTHON ?= $(or $(firstword $(foreach python,$(candidates),$(shell \
	$(python) -c '$(recent)' 2>/dev/null && echo $(python)))),$(error no Python 3.10 or newer found))

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq
# What the matrix runs: nothing for all of it, or words like `3.10:3.10.11 3.13:newest oldest newest`.
MATRIX ?=
# The same for the loops: nothing for all, or words like `0.24.0:8 newest:9`, pytest-asyncio and pytest.
LOOPS ?=
# The same for the surroundings: nothing for each by itself, or words like `uvloop+debug eager plugins`.
SURROUNDINGS ?=
# How many seeds for clients that leave, how many for all of the tests, and the first of them.
SEEDS ?= 100
WHOLE ?= 1
FIRST ?= 1
# How many hostile inputs, and of which seed (any); or the number of one of them alone.
INPUTS ?= 10000
SEED ?=
INPUT ?=
# The gate itself is in pyproject.toml; `make test COVERAGE_FLAGS=--fail-under=0` lifts it.
COVERAGE_FLAGS ?=

help:
	@echo 'make demo         install, and run the example suites'
	@echo 'make test         all checks: ruff, mypy, pyright, and the tests with their coverage gate'
	@echo 'make test-matrix  the tests on every Python and aiohttp; MATRIX="3.10:3.10.11 3.13:newest" for some'
	@echo 'make test-loops   the table of loop scopes on several pytest-asyncio and pytest; LOOPS="0.24.0:8 newest:9" for some'
	@echo 'make test-surroundings  the tests on uvloop, eager tasks, in debug mode, without C, beside other plugins'
	@echo 'make test-seeds   the tests in other orders, and with clients that leave at other moments; SEEDS=1000 WHOLE=5 FIRST=1'
	@echo 'make test-hostile  hostile inputs to the server; INPUTS=100000, SEED=7, or INPUT=1234 for one of them'
	@echo 'make bench        what the kit costs, beside its alternatives'
	@echo 'make lint         the static checks alone'
	@echo 'make format       let ruff rewrite what it can'
	@echo 'make clean        remove the environments and caches'

demo: .venv/.test
	$(BIN)/pytest examples --verbose --no-header

test: lint pytest

test-matrix:
	@$(PYTHON) scripts/matrix.py $(MATRIX)

newest-python:
	@$(PYTHON) scripts/matrix.py --newest-python

test-loops:
	@$(PYTHON) -m scripts.loops $(LOOPS)

test-surroundings:
	@$(PYTHON) -m scripts.surroundings $(SURROUNDINGS)

test-seeds:
	@$(PYTHON) -m scripts.seeds --seeds $(SEEDS) --whole $(WHOLE) --first $(FIRST)

test-hostile: .venv/.test
	$(BIN)/python -m scripts.hostile --inputs $(INPUTS) $(if $(SEED),--seed $(SEED)) $(if $(INPUT),--input $(INPUT))

bench: .venv/.test
	$(BIN)/python -m benchmarks

lint: ruff mypy pyright

ruff: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# The python blocks of the README and of docs/ are checked with their fixtures annotated. Each example is an application
# of its own, with a `tests` of its own, so each is checked from its own folder.
mypy: .venv/.dev
	$(BIN)/mypy $(wildcard aiotest_kit tests benchmarks scripts)
	$(BIN)/python -m scripts.snippets build/snippets/mypy
	$(BIN)/mypy build/snippets/mypy
	for example in examples/*/; do \
		(cd $$example && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml .) || exit; \
	done

# pyright looks for packages beside the first python on the path (--verifytypes heeds no option for it). The variable
# spares it the question to the network whether it is the newest.
pyright: export PATH := $(CURDIR)/$(BIN):$(PATH)
pyright: export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
pyright: .venv/.dev
	pyright
	python -m scripts.snippets build/snippets/pyright
	pyright build/snippets/pyright
	pyright --ignoreexternal --verifytypes aiotest_kit

# `coverage run` and not pytest-cov: the plugin is imported before pytest-cov would start to count. The workers of
# pytest-xdist leave data of their own, which are put together.
pytest: .venv/.test
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n auto
	$(BIN)/coverage combine -q
	$(BIN)/coverage report $(COVERAGE_FLAGS)

format: .venv/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv .venvs benchmarks/.venvs .coverage .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian's Python comes without ensurepip; there, the pip outside fills the environment.
$(BIN)/python:
	$(PYTHON) -m venv .venv || { $(PYTHON) -m venv --clear --without-pip .venv && $(PYTHON) -m pip --python $@ install -qq pip; }

# pip 25.1 is the first that knows dependency groups.
.venv/.test: pyproject.toml | $(BIN)/python
	$(PIP) 'pip>=25.1'
	$(PIP) --editable '.[all]' --group test
	@touch $@

.venv/.dev: .venv/.test
	$(PIP) --group dev
	@touch $@
