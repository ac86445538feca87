# Two commands matter: `make run` does the whole job, `make test` checks the project. Both set themselves up.
.DEFAULT_GOAL := help
.PHONY: help run dev test lint fault-matrix fleet-day docs test-duckdb2 install clean

PYTHON ?= python3
BIN := .venv/bin
export GX_ANALYTICS_ENABLED := false
export DAGSTER_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1

help:  ## List the commands
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: .venv/installed  ## Fetch, forecast, optimize, publish and report once, against the stand-in services
	@$(BIN)/tailrace run

dev: .venv/installed  ## The stand-in services and the Dagster UI, schedules on
	@$(BIN)/tailrace dev

test: .venv/installed  ## Lint, types, layers, definitions, warehouse, tests
	@./tests/check

fault-matrix: .venv/installed  ## Every service under every fault, and what the lake says afterwards
	@$(BIN)/python -m tests.scenarios.faults

fleet-day: .venv/installed  ## A day of 10,000 devices over MQTT with everything that goes wrong (needs mosquitto)
	@$(BIN)/python -m tests.scenarios.fleet_day

docs: .venv/installed  ## The page of the warehouse: every mart and column with its unit, and its lineage
	@$(BIN)/tailrace docs

test-duckdb2: .venv-duckdb2/installed  ## The lake's and the warehouse's tests on DuckDB 2, in an environment of its own
	@.venv-duckdb2/bin/python -m pytest -q tests/resources/lake tests/resources/test_warehouse*.py \
	  tests/pipelines/commands/test_lake_commands.py

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

# All of the lock but DuckDB, of which the newest release of version 2 takes its place.
.venv-duckdb2/installed: requirements.lock pyproject.toml
	@echo "Installing into .venv-duckdb2 with DuckDB 2 (once, a minute or two)"
	@$(PYTHON) -m venv .venv-duckdb2
	@awk '/^duckdb==/ { skip = 1; next } !/^ / { skip = 0 } !skip' requirements.lock > .venv-duckdb2/requirements.txt
	@.venv-duckdb2/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  -r .venv-duckdb2/requirements.txt
	@.venv-duckdb2/bin/python -m pip install --quiet --disable-pip-version-check --no-deps 'duckdb>=2,<3'
	@.venv-duckdb2/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:  ## Remove the environment and everything a run wrote
	rm -rf .venv .venv-duckdb2 .tailrace dbt_project/target
