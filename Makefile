# Qianshao: set up, start, test. Needs Python 3.11 to 3.13, git and make; everything else goes into .venv.
#   make run    set up, then start the bot at http://127.0.0.1:8311
#   make test   set up with the tools for tests, then run every test (ARGS="-k phrase" runs some)
#   make peers  set up .venv-bench with the foreign clients that tests and benchmarks compare with, and (needs Node.js and npm)
#               the puppet service that the tests of WeChat talk to
#   make cluster  PostgreSQL and four nodes on this machine send to 6,017 simulated groups (ARGS="--groups 600 --kill")
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
WECHAT_PEER := tests/peers/wechat/node_modules/.ready
PYTHON ?=
ARGS ?=
export PYTHON

.PHONY: run test cluster bench peers lint format lock clean setup setup-dev

run: $(VENV)/.ready
	@exec $(VENV)/bin/qianshao run $(ARGS)

# without npm the tests against the puppet service are left out, with a word about it
test: $(VENV)/.ready-dev $(if $(shell command -v npm),$(WECHAT_PEER))
	@exec $(PY) -m pytest $(ARGS)

peers: $(PEERS)/.ready $(WECHAT_PEER)

cluster: $(VENV)/.ready-dev
	@exec $(PY) -m tests.cluster $(ARGS)

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

$(WECHAT_PEER): tests/peers/wechat/package.json tests/peers/wechat/package-lock.json
	@command -v npm >/dev/null || { echo "No npm: install Node.js 18 or newer with npm (Debian: apt-get install nodejs npm)"; exit 1; }
	@echo "Installing the puppet service for the tests of WeChat (once) ..."
	@cd tests/peers/wechat && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

lock: $(VENV)/.ready
	$(PIP) install uv
	$(PY) -m uv pip compile $(COMPILE) $(ARGS) --extra pictures pyproject.toml -o requirements.lock
	$(PY) -m uv pip compile $(COMPILE) $(ARGS) --extra pictures --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(PY) -m uv pip compile $(COMPILE) $(ARGS) benchmarks/requirements.txt -o benchmarks/requirements.lock

clean:
	rm -rf $(VENV) $(PEERS) tests/peers/wechat/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
