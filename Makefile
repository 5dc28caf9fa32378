# Two commands on a fresh machine: `make demo` and `make test`. Each sets up what it needs in .venv.
# Assumed: make, git, a C compiler, Python 3.11 or later.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := wikiextractor,dev
STAMP := $(VENV)/.set-up
WORKERS ?= 2

.PHONY: help setup demo test test-all check docs clean

help:
	@echo "make demo      the whole job on the embedded sample, with all set-up"
	@echo "make test      all set-up, then the tests, two files at a time (WORKERS=8: eight)"
	@echo "make test-all  the slow tests too"
	@echo "make check     formatter, linter, type checker"
	@echo "make docs      the documentation with example reports, as a site in site/"
	@echo "make setup     only the set-up (.venv)"

setup: $(STAMP)

# torch comes first and from the constraints: an unpinned torch would bring gigabytes of CUDA to a
# machine that may have no GPU. On a GPU machine, install the torch you want into .venv before.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools wheel
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[$(EXTRAS)]"
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/bbert demo

# A file stays with one worker, for its fixtures; in the order of the rooms the longest files are not last.
test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-all: $(STAMP)
	$(BIN)/python -m pytest -m "not gpu"

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	$(BIN)/python docs/generate_reference.py
	$(BIN)/python docs/build_examples.py
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) build dist site docs/examples .pytest_cache .ruff_cache
