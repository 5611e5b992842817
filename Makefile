# Everything a developer runs. `make help` lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# most tests wait more than they compute
WORKERS ?= $(shell expr 2 \* $$(nproc))
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check format bench build docs man clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.developer ## make a virtual environment with all that tests and checks need

demo: $(VENV)/.user ## run a real Ansible job through a Receptor node
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/demo

test: $(VENV)/.developer ## run the fast tests: every room, a few minutes
	$(BIN)/pytest -n $(WORKERS) -m "not slow"

test-all: test ## run all tests: the fast ones, then the slow ones
	$(BIN)/pytest -n $(WORKERS) -m slow

check: $(VENV)/.developer ## check format, lint, types and imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.developer ## format the code and mend what can be mended
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(VENV)/.developer ## measure against ansible-runner, and rewrite docs/performance.md
	$(BIN)/python scripts/bench --write

build: $(VENV)/.developer ## build the wheel and the source distribution
	$(BIN)/python -m build

docs: $(VENV)/.developer ## build the documentation pages into site/
	$(BIN)/mkdocs build --quiet --strict --config-file scripts/mkdocs.yml

man: $(VENV)/.developer ## make the man page, build/receptor-runner.1; the wheel has it too
	mkdir -p build
	$(BIN)/python scripts/manual.py > build/receptor-runner.1

clean: ## remove what was made
	rm -rf $(VENV) dist build site

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.user: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.developer: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable . --group test --group lint --group docs
	@touch $@ $(VENV)/.user
