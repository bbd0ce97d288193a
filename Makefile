# Two commands do all the set-up on a fresh machine with Python 3.11+: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-long lint bench lock release clean

run: $(VENV)/.runtime ## start the gateway
	@$(BIN)/omniroute $(ARGS)

test: $(VENV)/.dev ## everything that CI checks
	@$(BIN)/python -m tests.run

test-long: $(VENV)/.dev ## the checks that take minutes; SOAK=100000: a soak of fewer requests than a million
	@$(BIN)/python -m tests.run --long $(if $(SOAK),--soak $(SOAK))

lint: $(VENV)/.dev ## formatting, lint, types and import contracts
	@$(BIN)/python -m tests.run --only lint

bench: $(VENV)/.dev ## a brown-out, simulated; what it costs, MCP, A2A and pages too, beside nginx and (ARGS=--peers) LiteLLM and smg, and (ARGS="--python /usr/bin/python3") on another Python; OUTCOMES=folder: what auto is worth
	@$(BIN)/python -m benchmarks.brownout
	@$(BIN)/python -m benchmarks.run $(ARGS)
	@$(BIN)/python -m benchmarks.dialects
	@$(BIN)/python -m benchmarks.budgets
	@$(BIN)/python -m benchmarks.mcp_calls
	@$(BIN)/python -m benchmarks.a2a_streams
	@$(BIN)/python -m benchmarks.pages
	@$(if $(OUTCOMES),$(BIN)/python -m benchmarks.quality $(OUTCOMES))

lock: $(VENV)/.dev ## refresh every lock file and the price table made from them
	@$(BIN)/python requirements/lock.py

release: $(VENV)/.dev ## wheel, source archive, bill of materials and checksums into an empty dist/
	@$(BIN)/python requirements/release.py dist

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml
	@$(PYTHON) requirements/install.py $(VENV) requirements/runtime.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/runtime.txt pyproject.toml
	@$(PYTHON) requirements/install.py $(VENV) requirements/dev.txt
	@touch $@ $(VENV)/.runtime
