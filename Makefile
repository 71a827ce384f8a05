.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

help:  ## list what make can do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "make: needs Python 3.11 or later; pass PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --progress-bar off --editable ".[dev]"
	@touch $@

install: $(VENV)/installed  ## create .venv with everything in it (torch from the registry, about 6 GB)

demo: install  ## train hhcl on drawn people, two CPU cores, about three minutes
	$(BIN)/python -m reidzoo.fit --method hhcl --data synthetic

test: lint type  ## everything that CI runs
	$(PYTEST)

test-fast: install  ## tests without the slow ones
	$(PYTEST) -m "not slow"

lint: install  ## ruff: style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: install  ## ruff: mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: install  ## mypy, strict
	$(BIN)/mypy

bench: install  ## pseudo-labels, retrieval and input, against plain references
	$(BIN)/python -m reidzoo.bench labels
	$(BIN)/python -m reidzoo.bench eval
	$(BIN)/python -m reidzoo.bench input

audit: install  ## known vulnerabilities of what is installed, as far as the package index tells
	$(BIN)/python .ci/audit.py

fuzz: install  ## twenty times the cases that CI runs; writes experiments/robustness/fuzz.md
	$(BIN)/python experiments/robustness/fuzz.py 20

compare: install  ## every method on drawn people, five seeds; hours, and it may be stopped
	$(BIN)/python -m reidzoo.compare experiments/grids/synthetic_standard.yaml --record experiments
	$(BIN)/python -m reidzoo.compare experiments/grids/synthetic_hard.yaml --record experiments

torture: install  ## kill training at 120 moments, resume, compare to the bit; 15 minutes
	$(BIN)/python -m tests.torture --kills 120 --seed 1 --record experiments/robustness/torture.md

clean:  ## remove caches, not .venv and not runs
	rm -rf .pytest_cache .mypy_cache .ruff_cache build dist

.PHONY: help install demo test test-fast lint format type bench compare torture clean
