# The commands of the project. A fresh machine needs Python 3.11-3.13 and make; nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps
export DO_NOT_TRACK := 1

.DEFAULT_GOAL := help
.PHONY: help demo ui test test-crash bench clean lock

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.base: requirements.lock pyproject.toml
	@echo "Installing Meterhouse into $(VENV) (once; a few minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		|| { echo "Meterhouse needs Python 3.11 to 3.13; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.%: requirements-%.lock $(VENV)/.base
	@$(PIP) -r requirements-$*.lock
	@touch $@

demo: $(VENV)/.base $(VENV)/.sandbox  ## run the whole road once over simulated vendors and print the spend report
	@$(BIN)/meterhouse demo

ui: $(VENV)/.base $(VENV)/.sandbox  ## the Dagster UI over the demo, on loopback, schedules stopped
	@$(BIN)/meterhouse ui

test: $(VENV)/.base $(VENV)/.sandbox $(VENV)/.test  ## every check: lint, dbt parse and unit tests, pytest
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m pytest -n 3

test-crash: $(VENV)/.base $(VENV)/.sandbox $(VENV)/.test  ## every kill point, not only the seeded sample
	@$(BIN)/python -m pytest -n 2 -m "crash" --crash-points all

bench: $(VENV)/.base $(VENV)/.sandbox $(VENV)/.test  ## benchmarks against references; a table and bench/latest.json
	@$(BIN)/python -m bench $(if $(ROWS),--rows $(ROWS)) $(if $(ONLY),--only $(ONLY))

clean:  ## remove the virtual environment, caches and the demo's data
	rm -rf $(VENV) data build *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Locks are made with uv: every file carries hashes, none an index address; an extra's file adds to requirements.lock.
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --no-header --quiet
lock:  ## refresh requirements*.lock from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --all-extras --no-annotate --no-header --quiet pyproject.toml -o build-constraints.txt
	$(LOCK) -c build-constraints.txt pyproject.toml -o requirements.lock
	for extra in sandbox snowflake test dashboard spark; do \
		$(PYTHON) -c "import sys, tomllib; print('\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies'][sys.argv[1]]))" $$extra \
		| $(LOCK) -c build-constraints.txt - -o requirements-$$extra.lock || exit 1; \
	done
	rm build-constraints.txt
