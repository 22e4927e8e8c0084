# Kassa's targets; `make help` lists them. Everything is installed into .venv, from the hash-locked files in requirements/.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input --no-deps
LOCKED := $(PIP_INSTALL) --require-hashes --only-binary :all:
NO_WHEEL := There is no ready-made package for this platform, or the package registry cannot be reached: see pip's message above. \
	Kassa runs on Linux (glibc) and macOS, on x86-64 and ARM64.
SOURCES := src tests

# Tests start hundreds of processes; where this is set, each of them would compile all of Kassa anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup run test torture simulate mutants bench docs check format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^(run|test|docs|help):.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile
	@printf '\nfor contributors:\n'
	@awk -F ':.*## ' '/^[a-z]+:.*## / && !/^(run|test|docs|help):/ { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.stamp-run $(VENV)/.stamp-dev ## make .venv with all that running, testing and checking need

run: $(VENV)/.stamp-run ## start the whole gateway in demo mode, until Ctrl-C
	@exec $(BIN)/kassa serve --demo

test: $(VENV)/.stamp-run $(VENV)/.stamp-dev ## run all tests (TESTS="tests/api tests/cli/test_keys.py": some), and show the slowest
	@$(BIN)/python -m tests.support.chromium
	@$(BIN)/python -m tests.support.languages
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations 15 $(TESTS)

torture: $(VENV)/.stamp-run $(VENV)/.stamp-dev ## kill Kassa at every place of every payment, its database, line and disk, and compare the books (TORTURE="--share 0.1": a tenth)
	@$(BIN)/python -m tests.torture $(TORTURE)

simulate: $(VENV)/.stamp-run $(VENV)/.stamp-dev ## walk 2,000 seeds of payers, faults and deaths through the heart's decisions
	@$(BIN)/python -m tests.simulation

mutants: $(VENV)/.stamp-run $(VENV)/.stamp-dev ## break a copy of Kassa on purpose, a thousand times, and see the tests notice
	@$(BIN)/python -m tests.mutants

check: $(VENV)/.stamp-run $(VENV)/.stamp-dev ## check format, lint, types, the layers of the code and how long its parts are
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.tooling.sizes

bench: $(VENV)/.stamp-run $(VENV)/.stamp-dev ## measure Kassa here, beside PostgreSQL's bare statements (BENCH="--size 10000 --seconds 3": shorter; "--against REV": beside a commit)
	@$(BIN)/python -m tests.bench $(BENCH)

docs: $(VENV)/.stamp-run $(VENV)/.stamp-docs ## write the documentation as a site to build/docs, and check its links
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean
	@echo "Open build/docs/index.html"

format: $(VENV)/.stamp-dev ## put the code into its format, and mend what ruff can mend
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

lock: $(VENV)/.stamp-uv ## take the newest allowed versions into requirements/*.txt
	tools/lock

clean: ## remove .venv and what the tools left; Kassa's data stays
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.stamp-venv:
	@tools/venv "$(PYTHON)" $(VENV)
	@touch $@

$(VENV)/.stamp-run: $(VENV)/.stamp-venv requirements/run.txt pyproject.toml
	@echo "Installing what Kassa runs on (once; later starts are at once) …"
	@$(LOCKED) --requirement requirements/run.txt || { echo "$(NO_WHEEL)" >&2; exit 1; }
	@$(PIP_INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-venv requirements/dev.txt
	@echo "Installing what the tests and checks need …"
	@$(LOCKED) --requirement requirements/dev.txt || { echo "$(NO_WHEEL)" >&2; exit 1; }
	@touch $@

$(VENV)/.stamp-docs: $(VENV)/.stamp-venv requirements/docs.txt
	@echo "Installing what the documentation site needs …"
	@$(LOCKED) --requirement requirements/docs.txt || { echo "$(NO_WHEEL)" >&2; exit 1; }
	@touch $@

$(VENV)/.stamp-uv: $(VENV)/.stamp-venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input uv
	@touch $@
