# make run    raw tables in, proven reports out: data/sales_reports.duckdb
# make view   the reports as pages in a browser
# make test   all tests but those that take long or need a server, which .ci/run runs too
# All install what they need into .venv, from requirements.lock (tests and lint: requirements-dev.lock),
# and only when it has changed.

SIZES ?= 20000 100000
ENGINES ?= duckdb
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
UV := $(shell command -v uv || echo $(CURDIR)/$(BIN)/uv)
COMPILE := pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url

# Only who builds on Spark installs it.
SPARK := $(if $(filter spark,$(SALES_REPORTS_ENGINE)),.venv-spark/.installed)

.PHONY: help run view test parity lint readers spark warehouses dev serve rollback forget simulator bench bench-engines bench-hubspot docs catalog lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: .venv/.installed $(SPARK)  ## load, build, prove, publish; ends with a summary
	@$(BIN)/python -m orchestration.run

view: .venv/.installed  ## the report viewer, on this machine's browser
	@$(BIN)/python -m orchestration.tools view

parity: .venv/.installed-dev .venv-spark/.installed  ## every mart and function on Postgres and Spark against DuckDB; an hour
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/test_postgres.py tests/test_spark_run.py
	@$(BIN)/python -m pytest --crms 3 tests/test_spark.py

test: .venv/.installed-dev  ## all tests but thorough ones; with CI=true those too, with TESTS="..." these
	@$(BIN)/python -m pytest -n auto --dist loadfile $(if $(CI)$(TESTS),,-m "not thorough") $(TESTS)

lint: .venv/.installed-dev .venv-lint/.installed  ## ruff and sqlfluff
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/python -m orchestration.tools lint

readers: .venv/.installed-dev  ## older DuckDBs, on which tests open the published file
	@for version in 1.4 1.5; do \
		test -x .venv-duckdb-$$version/bin/python || $(BIN)/python -m venv .venv-duckdb-$$version; \
		$(UV) pip install --quiet --python .venv-duckdb-$$version/bin/python "duckdb==$$version.*" || exit 1; \
	done

spark: .venv-spark/.installed  ## dbt for Spark; a run with SALES_REPORTS_ENGINE=spark needs it, and Java 17

warehouses: .venv-warehouses/.installed  ## dbt for Snowflake, BigQuery, Databricks and Trino, to compile

dev: .venv/.installed $(SPARK)  ## Dagster's UI
	@$(BIN)/python -m orchestration.tools ui

serve: .venv/.installed $(SPARK)  ## run the daily schedule, unattended and without a UI
	@$(BIN)/python -m orchestration.tools daemon

rollback: .venv/.installed $(SPARK)  ## point readers to the build before the current one
	@$(BIN)/python -m orchestration.publish

forget: .venv/.installed $(SPARK)  ## remove a person everywhere: CONTACT=<record id>
	@$(BIN)/python -m orchestration.forget $(CONTACT)

simulator: .venv/.installed  ## the demo company as a HubSpot account, to try the source hubspot
	@$(BIN)/python -m orchestration.hubspot_simulator

bench: .venv/.installed  ## time of every phase: SIZES="20000 100000"
	@$(BIN)/python -m orchestration.bench $(SIZES)

bench-engines: .venv/.installed $(if $(findstring spark,$(ENGINES)),.venv-spark/.installed)  ## a build on each engine: ENGINES="duckdb postgres spark"
	@$(BIN)/python -m orchestration.bench.engines $(SIZES) --engines $(ENGINES)

catalog: .venv/.installed  ## all reports; one with REPORT=rpt_x
	@$(BIN)/python -m orchestration.catalog $(REPORT)

bench-hubspot: .venv/.installed  ## first load of 100,000 deals from the simulator: rate, 429s, memory
	@$(BIN)/python -m orchestration.hubspot_benchmark

docs: .venv/.installed $(SPARK)  ## dbt's documentation as one static page
	@$(BIN)/python -m orchestration.tools docs

lock: .venv/.installed  ## pin the newest versions that requirements.in allows
	@$(UV) $(COMPILE) --upgrade requirements.in -o requirements.lock
	@$(UV) $(COMPILE) --upgrade requirements-dev.in -o requirements-dev.lock
	@$(UV) $(COMPILE) --upgrade requirements-lint.in -o requirements-lint.lock
	@$(UV) $(COMPILE) --upgrade requirements-spark.in -o requirements-spark.lock
	@$(UV) $(COMPILE) --upgrade requirements-warehouses.in -o requirements-warehouses.lock

clean:  ## remove what can be made again; kept history and published builds stay
	@rm -rf .venv .venv-lint .venv-spark .venv-warehouses .venv-duckdb-* target logs .pytest_cache .ruff_cache .hypothesis data/dbt_target
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv where the machine has it, else put into the environment by pip: plain pip needs a minute and a half.
.venv/.installed: requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(UV) || $(BIN)/python -m pip install -qq --disable-pip-version-check uv
	@$(UV) pip install --quiet --python $(BIN)/python -r requirements.lock
	@touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.installed
	@$(UV) pip install --quiet --python $(BIN)/python -r requirements-dev.lock
	@touch $@

.venv-lint/.installed: requirements-lint.lock .venv/.installed
	@test -x .venv-lint/bin/python || $(BIN)/python -m venv .venv-lint
	@$(UV) pip install --quiet --python .venv-lint/bin/python -r requirements-lint.lock
	@touch $@

# dbt on Spark; only where the engine or a test asks for it: Spark is 600 MB.
.venv-spark/.installed: requirements-spark.lock .venv/.installed
	@test -x .venv-spark/bin/python || $(BIN)/python -m venv .venv-spark
	@$(UV) pip install --quiet --python .venv-spark/bin/python -r requirements-spark.lock
	@touch $@

.venv-warehouses/.installed: requirements-warehouses.lock .venv/.installed
	@test -x .venv-warehouses/bin/python || $(BIN)/python -m venv .venv-warehouses
	@$(UV) pip install --quiet --python .venv-warehouses/bin/python -r requirements-warehouses.lock
	@touch $@
