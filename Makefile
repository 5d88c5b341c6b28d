# Everything runs inside .venv, which is created on first use and refreshed when pyproject.toml changes.

PYTHON ?= python3
ARGS ?=
KERNEL ?=
SUITE ?=

BIN := .venv/bin
# The stamps name the interpreter, so that another PYTHON is noticed.
STAMP := .venv/.ready-$(subst /,_,$(PYTHON))
SETUP := sh scripts/setup.sh "$(PYTHON)"

.DEFAULT_GOAL := help
.PHONY: help check test exhaustive kernel snapshots lint format bench clean

help: ## show this list
	@awk -F ': .*## ' '/^[a-z]+: .*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo 'ARGS="..." is passed on by check, test, exhaustive and bench; PYTHON=python3.12 chooses the interpreter.'

check: $(STAMP)-run ## run the model checker, leave the traces it found in found-traces/
	@$(BIN)/powercut check --save-traces found-traces $(ARGS); status=$$?; case $$status in \
	0) echo "make check: the run worked; no violation found (exit code 0)" ;; \
	1) echo "make check: the run worked; violations found, traces in found-traces/ (exit code 1)" ;; \
	*) echo "make check: the run did not work (exit code $$status)" >&2; exit $$status ;; esac

test: $(STAMP)-dev ## run the fast tests
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

exhaustive: $(STAMP)-dev ## run the tests that are too dear for every commit
	@$(BIN)/python -m pytest -n auto --dist worksteal -m "exhaustive or quality" $(ARGS)

kernel: $(STAMP)-run ## a short lab on a real kernel in QEMU (KERNEL=bzImage, or SUITE=name)
	@SUITE="$(SUITE)" sh scripts/kernel_lab.sh "$(KERNEL)"

snapshots: $(STAMP)-dev ## write the saved texts of tests/snapshots again
	@$(BIN)/python -m tests.snapshots

lint: $(STAMP)-dev ## ruff, mypy, import layers
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(STAMP)-dev ## fix what ruff can fix, then format
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

bench: $(STAMP)-dev ## measure the engines
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove everything made here
	rm -rf .venv .venv-install.log kernels build *.egg-info found-traces .coverage htmlcov
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP)-run: pyproject.toml scripts/setup.sh
	@$(SETUP) run && touch $@

$(STAMP)-dev: pyproject.toml scripts/setup.sh
	@$(SETUP) dev && touch $(STAMP)-run $@
