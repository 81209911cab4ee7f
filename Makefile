# Everything a developer types. Needs Python 3.11 or newer, make, and a network for packages.

.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON := .venv/bin/python
READY := .venv/.ready
DOCS_READY := .venv/.docs-ready
BENCH_READY := .venv/.bench-ready
BROWSER_READY := .venv/.browser-ready

.PHONY: help run test browser screenshots fuzz bench soak chaos audit lint types layers migrations docs check format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

run: $(READY) ## the demonstration: the site with its admin, two workers, sample jobs
	@$(PYTHON) -m queuectl_site.demo

test: $(READY) ## the tests
	@$(PYTHON) -m pytest

browser: $(BROWSER_READY) ## the admin in a real browser: Debian's chromium, or the one that CHROMIUM names
	@$(PYTHON) -m pytest --numprocesses=2 tests/browser

screenshots: $(BROWSER_READY) ## the pictures of the admin in the documentation
	@$(PYTHON) docs/screenshots.py

fuzz: $(READY) ## 20,000 wrong inputs to each entry of the command line, the JSON reader and the admin's forms
	@FUZZ=$(or $(FUZZ),20000) $(PYTHON) -m pytest --numprocesses=2 tests/fuzz

bench: $(BENCH_READY) ## the benchmarks, 20 minutes; BENCH="--only drain --systems queuectl,huey" chooses
	@$(PYTHON) -m benchmarks $(BENCH)

soak: $(BENCH_READY) ## an hour of mixed load on each database: what stays flat; MINUTES=2 to see that it works
	@$(PYTHON) -m benchmarks.soak --minutes $(or $(MINUTES),60)

chaos: $(READY) ## the fault campaign, 60 minutes; MINUTES=10, SEED=1 and DATABASE_URL=mariadb:// choose
	@$(PYTHON) -m tests.chaos --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED)) $(CHAOS)

audit: $(READY) ## known vulnerabilities of all that is installed; needs an index that tells of them
	@$(PYTHON) -m pip -qq --disable-pip-version-check --no-input install --group audit
	@$(PYTHON) -m pip_audit --skip-editable --strict

lint: $(READY) ## style and formatting
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .

types: $(READY)
	@$(PYTHON) -m mypy

layers: $(READY)
	@.venv/bin/lint-imports --no-logo

migrations: $(READY)
	@$(PYTHON) manage.py check --settings tests.settings
	@$(PYTHON) manage.py makemigrations --check --dry-run --settings tests.settings

docs: $(DOCS_READY) ## the documentation, in docs/_build/html; writes its generated parts anew
	@$(PYTHON) docs/generate.py
	@$(PYTHON) -m sphinx -q -W --keep-going -b html docs docs/_build/html

check: lint types layers migrations docs test ## lint, types, layers, missing migrations, docs, tests

format: $(READY) ## rewrite the code in the house style
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

clean: ## remove what was built; keeps var/, where the queue lives
	@rm -rf .venv build dist docs/_build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml requirements.txt
	@python=$$(.ci/find-python) && .ci/make-venv .venv "$$python"
	@touch $(READY)

$(DOCS_READY): $(READY)
	@$(PYTHON) -m pip -qq --disable-pip-version-check --no-input install --group docs
	@touch $(DOCS_READY)

$(BROWSER_READY): $(READY)
	@$(PYTHON) -m pip -qq --disable-pip-version-check --no-input install --group browser
	@touch $(BROWSER_READY)

$(BENCH_READY): $(READY)
	@$(PYTHON) -m pip -qq --disable-pip-version-check --no-input install --group bench
	@$(PYTHON) -m pip -qq --disable-pip-version-check --no-input install mysqlclient || echo "MariaDB will be skipped: its driver needs a compiler."
	@touch $(BENCH_READY)
