# Two commands matter: `make run` does the whole job, `make test` checks the project. Both set themselves up.
.DEFAULT_GOAL := help
.PHONY: help run dev test lint fault-matrix install clean

PYTHON ?= python3
BIN := .venv/bin
export GX_ANALYTICS_ENABLED := false
export DAGSTER_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1

help:  ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: .venv/installed  ## Fetch, forecast, optimize, publish and report once, against the stand-in services
	@$(BIN)/tailrace run

dev: .venv/installed  ## The stand-in services and the Dagster UI, schedules on
	@$(BIN)/tailrace dev

test: .venv/installed  ## Lint, types, layers, definitions, warehouse, tests
	@./tests/check

fault-matrix: .venv/installed  ## Every service under every fault, and what the lake says afterwards
	@$(BIN)/python -m tests.scenarios.faults

install: .venv/installed  ## Create .venv from requirements.lock

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Tailrace needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Set PYTHON=..."; exit 1; }
	@echo "Installing into .venv from requirements.lock (once, a minute or two)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m solvers.fleet.prepare
	@touch $@

clean:  ## Remove the environment and everything a run wrote
	rm -rf .venv .tailrace dbt_project/target
