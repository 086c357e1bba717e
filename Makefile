# Everything runs in .venv, built from requirements.lock (exact versions, with hashes).
PYTHON ?= python3
BIN := .venv/bin
.PHONY: install demo test check format lock bench soak ui

install: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: install
	$(BIN)/hris demo

test: install
	$(BIN)/pytest -n 2 --dist loadfile

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install
	$(BIN)/python -m benchmarks.run

soak: install
	$(BIN)/python -m benchmarks.soak
	$(BIN)/python -m benchmarks.soak_schedule

ui: install
	$(BIN)/hris ui
