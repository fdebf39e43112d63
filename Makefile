# Two commands do everything: `make book` and `make test`. Each first makes .venv from requirements.lock, if it changed.
# Another Python: make book PYTHON=python3.12

PYTHON ?= python3
RUN := .venv/bin/python
export OMP_NUM_THREADS ?= 1
export PYTHONUNBUFFERED := 1

.PHONY: help book lab test lint tests slow format notebooks lock wheels environment clean

help:
	@echo "make book       run every chapter and build the pages: _build/html/index.html"
	@echo "make lab        open the chapters in JupyterLab"
	@echo "make test       lint, types and tests"
	@echo "make slow       the tests that take longer than a few seconds, most of all before a release"
	@echo "make format     format the code and the chapters"
	@echo "make notebooks  renew the chapters' notebooks from their text"
	@echo "make lock       resolve the loose requirements afresh and write requirements.lock"
	@echo "make wheels     compile the kernels of every platform and build the wheels: dist/"
	@echo "make clean      remove _build, to run every chapter again; .venv stays"

book: environment
	@$(RUN) -m tools.book

lab: environment
	@$(RUN) -m pip install --quiet --constraint requirements.lock jupyterlab
	@$(RUN) -m jupyter lab book

test: lint tests

lint: environment
	@echo && echo "== test 1/3: lint"
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m tools.notebooks --check
	@echo && echo "== test 2/3: types"
	@$(RUN) -m basedpyright

tests: lint
	@echo && echo "== test 3/3: tests"
	@$(RUN) -m pytest -m "not slow and not chapters" --numprocesses 2 --dist loadfile

slow: environment
	@$(RUN) -m pytest -m "slow and not chapters" --numprocesses 2 --dist loadfile

format: environment
	@$(RUN) -m tools.notebooks
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

notebooks: environment
	@$(RUN) -m tools.notebooks

lock: environment
	@$(RUN) -m tools.lock

wheels: environment
	@$(RUN) -m pip install --quiet ziglang
	@$(RUN) -m tools.wheels

environment:
	@$(PYTHON) tools/environment.py

clean:
	rm -rf _build
