# Everything here needs python3 (>= 3.10, with venv), make and git, and installs the rest into .venv on first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := .demo

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test test-fast test-slow test-model test-cluster test-long lint docs build locks clean

help:
	@echo "make demo        two foundation models on PbTiO3, beside the published numbers (about 10 minutes, once)"
	@echo "make test        the tests that every change has to pass; model packages get environments of their own"
	@echo "make test-fast   the tests that need no model package and little time (under two minutes)"
	@echo "make test-slow   those that need no model package but more time: kills, memory, whole workflows"
	@echo "make test-cluster  those on a real SLURM and sshd, started on the loopback interface (skipped where missing)"
	@echo "make test-long   all tests: those of make test, and more kills, more seeds, more broken inputs"
	@echo "make lint        ruff, mypy, import-linter"
	@echo "make docs        the documentation, as docs/_build/html"
	@echo "make locks       the locks of the model environments, from their .in files and the newest packages"
	@echo "make clean       remove what the above made"
	@echo "Another Python:  make PYTHON=python3.12 …"

demo: $(VENV)/.project
	@$(BIN)/aiida-crucible demo --folder $(DEMO)

test: test-fast test-slow test-model test-cluster

# One worker more than cores: each waits a quarter of its time for jobs of its own.
WORKERS := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -gt 3 ] && echo 4 || expr $$n + 1)
# Files in the order in which they are given: those that take minutes come first, and short ones fill the end.
IN_ORDER := --dist=loadfile --no-loadscope-reorder
WITHOUT_MODELS := --numprocesses=$(WORKERS) $(IN_ORDER) tests/process tests/unit

test-fast: $(VENV)/.test
	$(BIN)/python -m pytest -m "not slow and not long" $(WITHOUT_MODELS)

test-slow: $(VENV)/.test
	$(BIN)/python -m pytest -m "slow and not long" $(WITHOUT_MODELS)

test-model: $(VENV)/.test
	@$(BIN)/python tests/model/prepare_environments.py
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not long" --numprocesses=logical --maxprocesses=4 $(IN_ORDER) tests/model

test-cluster: $(VENV)/.test
	$(BIN)/python -m pytest -m "not long" tests/cluster

test-long: test
	$(BIN)/python -m pytest -m long --timeout=7200 tests

lint: $(VENV)/.lint
	@PATH="$(CURDIR)/$(BIN):$$PATH" pre-commit run --all-files

docs: $(VENV)/.docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going --fresh-env docs docs/_build/html

build: $(VENV)/.project
	$(BIN)/uv build --python $(BIN)/python

locks: $(VENV)/.project
	UV=$(CURDIR)/$(BIN)/uv src/crucible_engine/families/refresh_locks.sh

clean:
	rm -rf $(VENV) $(DEMO) build dist docs/_build docs/reference/generated docs/topics/generated .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# One stamp for each set of packages. The marker outlives an interrupted installation, which may have left half a
# package behind: the next one then starts from an empty environment.
MARKER := $(VENV)/.unfinished

define install
	@echo "Installing $(1) into $(VENV) (some minutes the first time)"
	@touch $(MARKER)
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable . $(2)
	@rm $(MARKER)
	@touch $@
endef

$(VENV)/.project: pyproject.toml $(VENV)/.python
	$(call install,aiida-crucible,)

$(VENV)/.test: $(VENV)/.project
	$(call install,the test tools,--group test)

$(VENV)/.lint: $(VENV)/.project
	$(call install,the linters,--group lint)

$(VENV)/.docs: $(VENV)/.project
	$(call install,the documentation tools,--group docs)

$(VENV)/.python: $(if $(wildcard $(MARKER)),start-afresh)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "$(PYTHON) is older than Python 3.10 or missing: say which to use, as in make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "$(PYTHON) has no venv: install it (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	@echo "Creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'
	@touch $@

.PHONY: start-afresh
start-afresh:
	@echo "The last installation was interrupted: starting afresh"
