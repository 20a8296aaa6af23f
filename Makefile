# Qianshao: set up, start, test. Needs Python 3.11 to 3.13, git and make; everything else goes into .venv.
#   make run    set up, then start the bot at http://127.0.0.1:8311
#   make test   set up with the tools for tests, then run every test (ARGS="-k phrase" runs some)
#   make peers  set up .venv-bench with the foreign clients that tests and benchmarks compare with
#   make bench  measure against them and print the table
#   make lint   style and types (make format mends most of the style)
#   make lock   bring requirements*.lock up to pyproject.toml (ARGS=--upgrade: newest releases)
#   make clean  remove .venv and caches; the data folder stays

SHELL := /bin/sh
VENV := .venv
PEERS := .venv-bench
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input -qq
# every file is checked against the hashes of the lock
INSTALL := $(PIP) install --require-hashes --no-deps
COMPILE := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
PYTHON ?=
ARGS ?=
export PYTHON

.PHONY: run test bench peers lint format lock clean setup setup-dev

run: $(VENV)/.ready
	@exec $(VENV)/bin/qianshao run $(ARGS)

test: $(VENV)/.ready-dev
	@exec $(PY) -m pytest $(ARGS)

peers: $(PEERS)/.ready

bench: $(PEERS)/.ready
	@exec $(PEERS)/bin/python -m benchmarks $(ARGS)

lint: $(VENV)/.ready-dev
	$(PY) -m ruff check .
	$(PY) -m mypy

format: $(VENV)/.ready-dev
	$(PY) -m ruff format .

setup: $(VENV)/.ready

setup-dev: $(VENV)/.ready-dev

# a stamp is written last, so an interrupted installation is taken up again
$(VENV)/.ready: requirements.lock scripts/environment.sh
	@sh scripts/environment.sh $(VENV)
	@echo "Installing what the bot needs (once, about a minute) ..."
	@$(INSTALL) -r requirements.lock
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	@echo "Installing what the tests need (once) ..."
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

# foreign clients want other versions of what we use, so they have an environment of their own
$(PEERS)/.ready: benchmarks/requirements.lock $(VENV)/.ready
	@$(PY) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes --no-deps -r requirements.lock
	@$(PEERS)/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes --no-deps -r benchmarks/requirements.lock
	@touch $@

lock: $(VENV)/.ready
	$(PIP) install uv
	$(PY) -m uv pip compile $(COMPILE) $(ARGS) --extra pictures pyproject.toml -o requirements.lock
	$(PY) -m uv pip compile $(COMPILE) $(ARGS) --extra pictures --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(PY) -m uv pip compile $(COMPILE) $(ARGS) benchmarks/requirements.txt -o benchmarks/requirements.lock

clean:
	rm -rf $(VENV) $(PEERS) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
