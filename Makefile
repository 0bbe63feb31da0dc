# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make demo    set up, run recipes/pocket.toml on the embedded model, say where the report is
#   make test    set up, run all tests that take seconds
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# -qq: errors alone. pip's warnings are about its own settings and would fill a screen.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt
# One thread for each of two processes: the tests' models are too small for more.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -rs

.PHONY: setup setup-dev check test test-slow test-all demo docs commands bench picture constraints clean

setup: $(VENV)/.ready
setup-dev: $(VENV)/.ready-dev

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("manyways needs Python 3.11 or newer, and $(PYTHON) is " \
	  + sys.version.split()[0] + ": make PYTHON=python3.12") if sys.version_info < (3, 11) else 0'
	@echo "Setting up $(VENV), nothing outside it is changed. 1 of 3: an empty environment."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "2 of 3: PyTorch, 0.2 GB to download for CPUs and up to 3 GB for GPUs: 1 to 10 minutes."
	@$(PIP) torch
	@echo "3 of 3: manyways and what it needs, 0.3 GB to download: 1 to 5 minutes."
	@$(PIP) --editable '.[train]'
	@echo "Ready: $(BIN)/manyways --help"
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@echo "Adding what the checks and tests need, 0.4 GB to download: 1 to 5 minutes."
	@$(PIP) --editable '.[dev]'
	@touch $@

check: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/test_architecture.py tests/test_packaging.py

test: setup-dev
	$(PYTEST) -m "not slow"

test-slow: setup-dev
	$(PYTEST) -m slow --durations 15

test-all: test test-slow

# The newest versions that agree with each other, for every Python from 3.11 on and with the index's
# torch, CUDA included. By uv: it reads metadata alone, where pip would download gigabytes.
constraints: setup-dev
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade \
	  --no-annotate --quiet --custom-compile-command 'make constraints' --output-file constraints.txt
	@echo "constraints.txt: $$(grep -c == constraints.txt) pins. Run make check test-all before you commit it."

demo: setup
	$(BIN)/manyways run recipes/pocket.toml

# Strict: a link that leads nowhere fails.
SPHINX := $(BIN)/sphinx-build -q -W --keep-going -n
docs: setup-dev
	$(SPHINX) -c docs/site docs build/site
	@echo "The site: build/site/index.html"

# Every command of the pages, in build/commands.txt: page, command, as typed, the last line it printed.
commands: setup-dev
	@mkdir -p build
	OMP_NUM_THREADS=1 $(BIN)/pytest -s -m slow tests/test_pages_run.py tests/test_your_own_page.py > build/commands.log
	@grep -aE '^(README|CONTRIBUTING|docs/.*)\.md \|' build/commands.log > build/commands.txt
	@echo "build/commands.txt: $$(wc -l < build/commands.txt) commands"

bench: setup-dev
	@for file in bench/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

# README's picture and what docs/results holds of the run that is named; needs chromium, its driver.
RUN ?= runs/pocket
picture: setup-dev
	$(BIN)/python .ci/picture.py $(RUN)

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
