# Everything runs in .venv, which is made on first use. `make help` lists the targets.

# The first Python from 3.11 on that can make virtual environments.
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' \
	>/dev/null 2>&1 && echo "$$p" && break; done)
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Test processes; each computes on one thread.
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: bench clean demo docs fuzz help install lint test test-floors venv

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/core-installed  ## Choose and score remedies on imbalanced digits, write demo-output/
	$(BIN)/ganaug demo

test: .venv/dev-installed lint  ## Run every check that CI runs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS)

# scikit-learn 1.8 parametrises its estimator checks in a way that pytest 9 announces the end of
test-floors: .venv-floors/installed  ## Run the tests with the oldest versions allowed
	OMP_NUM_THREADS=1 .venv-floors/bin/python -m pytest -n $(JOBS) \
		-W default::pytest.PytestRemovedIn10Warning

fuzz: .venv/dev-installed  ## Damage, craft, kill: about 20 minutes; GANAUG_FUZZ_SEED=N for others
	GANAUG_FUZZ=long OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) tests/fuzz

docs: .venv/dev-installed  ## Build the API reference from the docstrings: build/docs/index.html
	$(BIN)/python -m pdoc --docformat numpy --output-directory build/docs ganaug '!ganaug.integrations' '!ganaug.__main__'

lint: .venv/dev-installed  ## Check style and types only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/dev-installed  ## Measure speed and memory
	$(BIN)/python -m benchmarks throughput

install: .venv/dev-installed  ## Install the package for development

venv: .venv/bin/python  ## Make the virtual environment only

clean:  ## Remove environments, caches and demo-output/
	rm -rf .venv .venv-floors .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist demo-output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
ifeq ($(PYTHON),)
	$(error Python 3.11 or newer, with its venv module, is needed and was not found)
endif
	$(PYTHON) -m venv .venv

.venv/core-installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing ganaug and what it needs (torch is large: a few minutes)"
	$(PIP_INSTALL) -e ".[report]"
	@touch $@

.venv/dev-installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing ganaug for development (torch is large: a few minutes)"
	$(PIP_INSTALL) -e ".[dev]"
	@touch $@ .venv/core-installed

.venv-floors/installed: pyproject.toml constraints-floors.txt
	$(PYTHON) -m venv .venv-floors
	.venv-floors/bin/python -m pip install --quiet -c constraints-floors.txt -e ".[dev]"
	@touch $@
