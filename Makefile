# The README's two commands are `make demo` and `make test`; every target does its own set-up first.
PYTHON := .venv/bin/python
export PYTHONDONTWRITEBYTECODE =
.PHONY: demo test test-unit serve lint bench setup clean help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup:  ## system packages, .venv and Python packages, where missing
	@docker/setup.sh

demo: setup  ## a study to Orthanc, one to the listener; SEG, SR and PDF come back; everything is stopped again
	@$(PYTHON) -m tests.demo

serve: setup  ## as demo, then stays up until Ctrl-C
	@$(PYTHON) -m tests.demo --stay

# two processes of tests with one thread each: with two each, torch's threads wait for each other
test test-unit: export OMP_NUM_THREADS = 1

test: setup  ## the whole suite
	@$(PYTHON) -m pytest -n 2 --dist worksteal

test-unit: setup  ## the quick part, under two minutes
	@$(PYTHON) -m pytest -n 2 --dist worksteal -m unit

lint: setup  ## ruff, strict types, the rules of the house
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports

bench: setup  ## benchmarks, each beside a peer
	@$(PYTHON) -m tests.benchmarks

clean:  ## removes .venv and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache *.egg-info
