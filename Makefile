# make search: a first search on the embedded data set.  make test: the tests.  Both set up what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN := digits-first
# With compiled files kept: the tests start many processes, and each of them would compile all of its imports again.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

.PHONY: help setup search test test-services test-docs test-slow check smoke clean

help:
	@echo "make search     set up, then search the embedded digits: report and export in runs/$(RUN)"
	@echo "make test       set up, then run the tests, but for those of the next three lines"
	@echo "make test-services  those that start a Ray cluster or a PostgreSQL server"
	@echo "make test-docs  what the README shows, run"
	@echo "make test-slow  all tests, also the long ones"
	@echo "make check      lint, types and the import contract"
	@echo "make smoke      the smoke tests against an installed wheel, from another directory"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@echo "== creating $(VENV) and installing (some minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with make PYTHON=python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

search: setup
	@echo "== searching 30 architectures on the digits"
	@if test -f runs/$(RUN)/search.toml; \
		then $(BIN)/nas resume $(RUN); \
		else $(BIN)/nas search --data digits --split-seed 3 --trials 30 --epochs 100 --name $(RUN); fi
	@echo "== exporting the winner"
	$(BIN)/nas export $(RUN) --to runs/$(RUN)/export
	@echo "== done: open runs/$(RUN)/report.html"

test: setup
	@echo "== running the tests"
	$(PYTEST) -m "not slow and not services and not docs" -n auto --dist worksteal

test-services: setup
	@echo "== running the tests that start servers"
	$(PYTEST) -m "services and not slow"

test-docs: setup
	@echo "== running what the README shows"
	$(PYTEST) -m "docs and not slow"

test-slow: setup
	@echo "== running all tests"
	$(PYTEST) -n auto --dist worksteal

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for folder in experiments/*/; do \
	  MYPYPATH=experiments:$$folder $(BIN)/mypy $$folder*.py || exit 1; \
	done
	$(BIN)/lint-imports

smoke: setup
	@echo "== smoke tests against an installed wheel"
	.ci/smoke

clean:
	rm -rf $(VENV) build dist *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
