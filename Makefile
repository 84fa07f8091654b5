# `make demo` and `make test` need only Python 3.11+, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock
DEMO_DIR ?= demo-out
DEMO_FROM ?= 2016-12-19
DEMO_TO ?= 2017-05-25

.PHONY: demo test walks browser screenshots examples lint bench bench-smoke oracle faults faults-short tamper soundness clients clean lock

$(BIN)/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Skytrunk needs Python 3.11 or newer"'
	$(PYTHON) -m venv $(VENV)

# Built once, and again whenever the lock or the project file changes.
$(VENV)/.base: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) -e .
	touch $@

$(VENV)/.dev: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) -e '.[dev,postgres]'
	touch $@ $(VENV)/.base

demo: $(VENV)/.base
	rm -rf $(DEMO_DIR)
	mkdir -p $(DEMO_DIR)
	$(BIN)/skytrunk --database sqlite:///$(DEMO_DIR)/skytrunk.db replay --scenario micius-2016 \
	  --from $(DEMO_FROM) --to $(DEMO_TO) --seed 1 --report $(DEMO_DIR)/report
	$(BIN)/skytrunk --database sqlite:///$(DEMO_DIR)/skytrunk.db ledger verify

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 3 -m "not bench and not faults and not browser and not tamper and not walks"

# What takes long: every command of the documents beside README, an operator's evening, every value
# of an export forged.
walks: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m walks tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The pages in Debian's Chromium (apt-get install chromium).
browser: $(VENV)/.dev
	$(BIN)/python -m pytest -m browser tests/dashboard

# Each page light, dark and on a phone, into build/screenshots.
screenshots: $(VENV)/.dev
	$(BIN)/python -m tests.dashboard.screenshots build/screenshots

# What the OpenAPI document shows of each operation, asked of a server anew.
examples: $(VENV)/.dev
	$(BIN)/python -m tests.api.make_examples api/data/examples.json

bench: $(VENV)/.dev
	$(BIN)/python -m pytest -m bench -s tests/benchmarks

bench-smoke: $(VENV)/.dev
	SKYTRUNK_BENCH_SMOKE=1 $(BIN)/python -m pytest -m bench -s -q tests/benchmarks

# Plans of 300 random problems an objective against an exact model written apart, and all those
# that the brute forces take; some minutes.
oracle: $(VENV)/.dev
	SKYTRUNK_ORACLE=300 $(BIN)/python -m pytest -q -n 2 tests/scheduler/plan

# At least 200 SIGKILLs at random points, then the other faults, 100,000 keys to sixteen customers
# (twice, once with 20 kills of the server) among them, and 10,000 bodies that nobody should send.
faults: $(VENV)/.dev
	$(BIN)/python -m tests.faults.report
	SKYTRUNK_BENCH_DELIVERIES=100000 SKYTRUNK_BENCH_KILLS=50 SKYTRUNK_BENCH_RESTARTS=5 \
	  $(BIN)/python -m pytest -q -m faults tests
	SKYTRUNK_BENCH_BODIES=10000 $(BIN)/python -m pytest -q tests/api/kme/test_bad_input.py
	SKYTRUNK_BENCH_BODIES=1000 $(BIN)/python -m pytest -q tests/api/test_any_request.py

# Tens of kills, sixteen processes for one key, a server that dies: what CI runs after the suite.
faults-short: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 2 -m faults tests

# Every column changed, every row removed, doubled, swapped, every definition changed, old copies,
# logs made anew, on both stores; prints by what each is seen. Some minutes.
tamper: $(VENV)/.dev
	$(BIN)/python -m pytest -q -s -m tamper tests/tamper

# Key lengths against true photon numbers, and every bound by Monte-Carlo; a small part of it is
# in `make test`, this is all of it, some ten minutes.
soundness: $(VENV)/.dev
	SKYTRUNK_SOUNDNESS=full $(BIN)/python -m pytest -q --durations=10 tests/qkd/soundness

# Clients that others wrote for ETSI GS QKD 014 and SKIP, in an environment of their own.
clients: $(VENV)/.dev
	$(PYTHON) -m venv $(VENV)/clients
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))\
	["project"]["optional-dependencies"]["clients"], sep="\n")' > $(VENV)/clients/wanted.txt
	$(VENV)/clients/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c requirements.lock -r $(VENV)/clients/wanted.txt
	CLIENTS_REQUIRED=1 CLIENTS_PYTHON=$(CURDIR)/$(VENV)/clients/bin/python \
	  $(BIN)/python -m pytest -q tests/api/kme/test_public_clients.py

clean:
	rm -rf $(VENV) $(DEMO_DIR) build *.egg-info

# Rewrites the pins from what the current environment holds; no index address is written.
lock: $(VENV)/.dev
	$(BIN)/python -m pip freeze --exclude-editable | grep -v '@' > requirements.lock
