# Everything runs in .venv, built from requirements.lock (exact versions, with hashes).
PYTHON ?= python3
BIN := .venv/bin
.PHONY: install demo test coverage check format lock reference docs wheel mutants bench bench-companies soak ui

install: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	@echo "Installing the locked packages into .venv: one to three minutes the first time, nothing later."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: install
	$(BIN)/hris demo

# A file's tests stay together, because they share what is dear to make. Files start in their own order, not by their
# number of tests, or those of a browser and of Celery, few and long, would come last and one process work alone. Two
# processes keep two cores busy but while they wait for servers: `make test WORKERS=3` uses that too, and more cores.
WORKERS ?= 2
SPREAD := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: install
	$(BIN)/pytest $(SPREAD)

# Every test, and what of the package they ran: fails below `fail_under` of pyproject.toml.
coverage: install
	$(BIN)/pytest $(SPREAD) --cov --cov-report=term:skip-covered --cov-report=xml

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/reference.py --check

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: install
	$(BIN)/python scripts/lock.py

reference: install
	$(BIN)/python scripts/reference.py

docs: install
	$(BIN)/python scripts/site.py

wheel: install
	rm -rf dist
	$(BIN)/python -m build --no-isolation --quiet .

mutants: install
	$(BIN)/python scripts/mutants.py

# dlt brings other versions of what the project uses: it and the plots get an environment of their own.
.venv/peers/.installed: benchmarks/peers.txt install
	$(PYTHON) -m venv .venv/peers
	.venv/peers/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

bench: .venv/peers/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check "matplotlib>=3.10"
	$(BIN)/python -m benchmarks.run --peers .venv/peers/bin/python --latency 0.02 0.08 --call-latency 0.05 --write
	$(BIN)/python -m benchmarks.small --write

bench-companies: install
	$(BIN)/pip install --quiet --disable-pip-version-check "matplotlib>=3.10"
	$(BIN)/python -m benchmarks.companies --write

soak: install
	$(BIN)/python -m benchmarks.soak
	$(BIN)/python -m benchmarks.soak_schedule
	$(BIN)/python -m benchmarks.soak_answers
	$(BIN)/pytest -m soak
	LAWS_TIMES=25 $(BIN)/python -m pytest -q hris_pipeline_tests/laws/test_people.py hris_pipeline_tests/laws/test_looking.py \
		hris_pipeline_tests/fuzz hris_pipeline_tests/settings hris_pipeline_tests/transform hris_pipeline_tests/reports \
		hris_pipeline_tests/sources/test_broken_members.py hris_pipeline_tests/sources/test_documented.py \
		hris_pipeline_tests/operations
	$(BIN)/python -m benchmarks.soak_matrix
	$(BIN)/python -m benchmarks.soak_pairs

ui: install
	$(BIN)/hris ui
