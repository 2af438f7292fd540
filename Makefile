# Everything a newcomer or a machine needs. Each target sets up what it uses; the stamps follow the locks.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
RUN_STAMP := $(VENV)/.run
DEV_STAMP := $(VENV)/.dev
JUDGES := .venv-judges
JUDGES_STAMP := $(JUDGES)/.ready
JUDGES_CCXT := .venv-judges-ccxt
JUDGES_CCXT_STAMP := $(JUDGES_CCXT)/.ready
JUDGES_CHAT := .venv-judges-chat
JUDGES_CHAT_STAMP := $(JUDGES_CHAT)/.ready
JUDGE := -m pytest -p no:cacheprovider --rootdir tests/judges -c tests/judges/pytest.ini
BENCH := .venv-bench
BENCH_STAMP := $(BENCH)/.ready

.PHONY: install demo run test check promises texts judges soak fuzz bench lock clean help

help:
	@echo "make install the bot into .venv, for a service; see docs/server.md"
	@echo "make demo    the bot on a simulated exchange: no account, no network"
	@echo "make run     the bot on live Binance, settings from .env"
	@echo "make test    all tests"
	@echo "make check   format, lint, types, layers"
	@echo "make promises  the README's table of promises, from the marks of the tests"
	@echo "make texts   the catalogues of texts for other languages, from the code"
	@echo "make judges  our simulated exchange and chats, and what the bot says to them, judged by code we did not write"
	@echo "make soak    a thousand kills, and days of the whole market on fast time; hours"
	@echo "make fuzz    hostile rule files and templates, until it is stopped or finds something"
	@echo "make bench   speed and size against the goals, and against other tools"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "oibot needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	@echo "Setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements.lock pyproject.toml | $(VENV)/bin/python
	@if [ ! -f $(DEV_STAMP) ]; then $(PIP) install --require-hashes -r requirements.lock; fi
	@$(PIP) install -q --require-hashes -r .ci/build.lock
	@$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@ $(RUN_STAMP)

$(JUDGES_STAMP): requirements-judges.lock
	@$(PYTHON) -m venv $(JUDGES)
	@$(JUDGES)/bin/python -m pip --disable-pip-version-check install -q --require-hashes -r requirements-judges.lock
	@touch $@

$(JUDGES_CCXT_STAMP): requirements-judges-ccxt.lock
	@$(PYTHON) -m venv $(JUDGES_CCXT)
	@$(JUDGES_CCXT)/bin/python -m pip --disable-pip-version-check install -q --require-hashes -r requirements-judges-ccxt.lock
	@touch $@

$(JUDGES_CHAT_STAMP): requirements-judges-chat.lock
	@$(PYTHON) -m venv $(JUDGES_CHAT)
	@$(JUDGES_CHAT)/bin/python -m pip --disable-pip-version-check install -q --require-hashes -r requirements-judges-chat.lock
	@touch $@

$(BENCH_STAMP): requirements-bench.lock pyproject.toml
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip --disable-pip-version-check install -q --require-hashes -r requirements-bench.lock
	@$(BENCH)/bin/python -m pip --disable-pip-version-check install -q --require-hashes -r .ci/build.lock
	@$(BENCH)/bin/python -m pip --disable-pip-version-check install -q --no-deps --no-build-isolation -e .
	@touch $@

install: $(RUN_STAMP)
	@$(BIN)/python -m compileall -q bot
	@echo "$(CURDIR)/$(BIN)/oibot is version $$($(BIN)/oibot version)"

demo: $(RUN_STAMP)
	@$(BIN)/oibot demo $(ARGS)

run: $(RUN_STAMP)
	@$(BIN)/oibot run $(ARGS)

# Tests that start the real process have the machine for themselves.
test: $(DEV_STAMP)
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	$(BIN)/python -m pytest -n auto tests/unit tests/contract tests/properties tests/recordings tests/integration
	$(BIN)/python -m pytest -n auto -m "not alone" tests/acceptance
	$(BIN)/python -m pytest -m alone tests/acceptance
endif

check: $(DEV_STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

judges: $(DEV_STAMP) $(JUDGES_STAMP) $(JUDGES_CCXT_STAMP) $(JUDGES_CHAT_STAMP)
	$(JUDGES)/bin/python $(JUDGE) tests/judges/test_official_connector.py
	$(JUDGES_CCXT)/bin/python $(JUDGE) tests/judges/test_ccxt.py
	$(JUDGES_CHAT)/bin/python $(JUDGE) tests/judges/test_chat_transcript.py

promises: $(DEV_STAMP)
	@$(BIN)/python -m tests.promises

texts: $(DEV_STAMP)
	@$(BIN)/python -m tests.texts

fuzz: $(DEV_STAMP)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(PIP) install -q -e '.[fuzz]'
	$(BIN)/python -m tests.fuzz $(ARGS)

soak: $(DEV_STAMP)
	$(BIN)/python -m tests.soak $(ARGS)

bench: $(BENCH_STAMP)
	$(BENCH)/bin/python -m tests.bench $(ARGS)

lock:
	@command -v uv >/dev/null || { echo "install uv first"; exit 1; }
	uv pip compile pyproject.toml --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header -q -o requirements.lock
	uv pip compile pyproject.toml --extra dev --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header -q -o requirements-dev.lock
	echo hatchling | uv pip compile - -c requirements.lock --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header -q -o .ci/build.lock
	uv pip compile pyproject.toml --extra bench -c requirements.lock --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header -q -o requirements-bench.lock

clean:
	rm -rf $(VENV) $(JUDGES) $(JUDGES_CCXT) $(JUDGES_CHAT) $(BENCH) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
