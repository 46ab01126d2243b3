# What one does with fencewatch from a checkout. The first `make demo` or `make test` does all the set-up: it finds a Python
# that fits, makes .venv and installs the pinned libraries into it; later ones install only when those pins have changed.
#
#   PYTHON=/path/to/python3.12   takes that Python instead of looking for one (`make clean` first if .venv is there already)
#   ARGS="..."                   is passed on to the command, the tests or the benchmarks

VENV   ?= .venv
PYTHON ?=
ARGS   ?=
BIN    := $(VENV)/bin
ROOMS  := fences operators sinks pipeline

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench mutants clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/installed-run ## make .venv and install fencewatch into it, no more

demo: $(VENV)/installed-run ## watch simulated people in three regions and their red alerts (about a minute)
	@$(BIN)/fencewatch demo $(ARGS)

test: $(VENV)/installed-test ## run the tests; ARGS="-k judge" or ARGS="-m heavy" chooses others
	@$(BIN)/python -m pytest -m "not heavy" $(ARGS)

lint: $(VENV)/installed-dev ## check style, types and the order of the rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/installed-bench ## measure against per-fix flows and write benchmarks/results/latest.json (minutes)
	@$(BIN)/python -m benchmarks $(ARGS)

mutants: $(VENV)/installed-test ## break the rules on purpose, one by one; the tests must notice each
	@$(BIN)/python -m tests.mutants $(ARGS)

clean: ## remove .venv and everything else that was made here
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find $(ROOMS) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp a set of libraries: newer pins make it old. Build isolation is off so that setuptools is a pinned one too.
$(VENV)/installed-%: $(BIN)/python pyproject.toml constraints.txt
	@echo "fencewatch: installing the libraries for '$*' into $(VENV) (the first time takes about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt setuptools
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-build-isolation \
	    --editable '.$(if $(filter-out run,$*),[$*])'
	@echo "fencewatch: compiling its loops, once ..."
	@$(BIN)/python -m pipeline.warm_up
	@touch $@

$(BIN)/python:
	@python=$$(PYTHON="$(PYTHON)" sh .ci/find-python) \
	    && echo "fencewatch: making $(VENV) with $$python" \
	    && "$$python" -m venv --clear $(VENV)
