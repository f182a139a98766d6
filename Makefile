# `make demo` names the demo shapes, `make test` runs every check; both make the environment first.
# On Linux, PyPI's PyTorch brings CUDA along. For the much smaller CPU build:
#     PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-fast lint coverage mutants docs format clean

demo: $(VENV)/installed
	$(BIN)/clip2point demo --out demo

test: lint
	$(BIN)/pytest -n auto

# Without the tests that take seconds each.
test-fast: $(VENV)/installed
	$(BIN)/pytest -n auto --dist worksteal -m "not slow"

lint: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/lint-imports

coverage: $(VENV)/installed
	$(BIN)/pytest -n auto --cov --cov-report=term-missing:skip-covered

# Small changes to code that matters: does a test notice each? Takes minutes.
mutants: $(VENV)/installed
	$(BIN)/python tools/mutants.py

docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site

format: $(VENV)/installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/python tools/write_schema.py

$(VENV)/installed: pyproject.toml packages/clip2point-shapes/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[test,docs]' --editable packages/clip2point-shapes
	touch $@

clean:
	rm -rf $(VENV) demo build
	find . -name __pycache__ -prune -exec rm -rf {} +
