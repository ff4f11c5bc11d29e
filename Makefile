# `make` says what there is. ARGS= hands arguments on, as in: make pytest ARGS="-k cursor"

VENV   := .venv
PYTHON := $(VENV)/bin/python
ARGS   ?=
MINUTES ?= 10

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run migrate seed test lint types contract pytest coverage browser fuzz bench format lock clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Install, migrate, seed demo data once, and serve on 127.0.0.1:8080
	@$(PYTHON) main.py migrate && $(PYTHON) main.py seed && exec $(PYTHON) main.py serve $(ARGS)

migrate: $(VENV)/.run ## Bring the database to the newest version
	@$(PYTHON) main.py migrate $(ARGS)

seed: $(VENV)/.run ## Fill the shop with demo data
	@$(PYTHON) main.py seed $(ARGS)

test: lint types contract pytest ## Everything that must pass: the four below

lint: $(VENV)/.dev ## Style and likely mistakes
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

types: $(VENV)/.dev ## Types
	$(VENV)/bin/mypy

contract: $(VENV)/.dev ## The contract, by a validator of OpenAPI 3.1
	$(PYTHON) main.py openapi --version v1 | $(VENV)/bin/openapi-spec-validator -
	$(PYTHON) main.py openapi --version v2 | $(VENV)/bin/openapi-spec-validator -

pytest: $(VENV)/.dev ## All tests, on SQLite and PostgreSQL
	$(PYTHON) -m pytest $(ARGS)

coverage: $(VENV)/.dev ## All tests, and which branches they leave out
	$(PYTHON) -m pytest --cov --cov-branch $(ARGS)

browser: $(VENV)/.dev ## The pages in Chromium
	$(PYTHON) -m pytest -m browser $(ARGS)

fuzz: $(VENV)/.dev ## The running service against whatever its contract allows, and forbids; MINUTES=60 SEED=7
	FUZZ_MINUTES=$(MINUTES) $(if $(SEED),FUZZ_SEED=$(SEED)) $(PYTHON) -m pytest -m fuzz $(ARGS)

bench: $(VENV)/.dev ## Measure Accord beside its peers
	$(PYTHON) -m bench $(ARGS)

format: $(VENV)/.dev ## Bring the code into shape
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

PIN := $(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --quiet \
	--no-config --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

lock: $(VENV)/.dev ## Pin what pyproject.toml asks for; ARGS=--upgrade takes newer versions
	$(PIN) $(ARGS) pyproject.toml --output-file requirements.lock
	$(PIN) $(ARGS) pyproject.toml --extra tracing --constraints requirements.lock --output-file requirements-tracing.lock
	$(PIN) $(ARGS) pyproject.toml --extra tracing --group dev --constraints requirements-tracing.lock \
		--output-file requirements-dev.lock

.env.example: $(wildcard accord/settings/*.py) $(VENV)/.run
	$(PYTHON) main.py settings --env > $@

docs/settings.md: $(wildcard accord/settings/*.py) $(VENV)/.run
	$(PYTHON) main.py settings > $@

clean: ## Remove what make made; the database and the keys stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis .coverage* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.run: requirements.lock $(PYTHON)
	@echo "Installing what $< names …"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "Installing what $< names …"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

$(PYTHON):
	@for python in python3.14 python3.13 python3.12 python3.11 python3 python; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Accord needs Python 3.11 or newer, and there is none on the PATH. Install one and try again." >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$python lacks the venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	fi; \
	"$$python" -m venv --clear $(VENV)
