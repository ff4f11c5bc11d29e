# `make` lists the targets. ARGS= passes arguments to the command, such as: make pytest ARGS="-k cursor"

VENV   := .venv
PYTHON := $(VENV)/bin/python
ARGS   ?=
MINUTES ?= 10
WORKERS ?= 2

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run migrate seed test check lint types contract pytest coverage browser fuzz bench tracing format lock clean

# Some images set this variable. With it, every process compiles all modules again.
export PYTHONDONTWRITEBYTECODE :=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Install, migrate, seed demo data once, and serve on 127.0.0.1:8080
	@$(PYTHON) main.py migrate && $(PYTHON) main.py seed && exec $(PYTHON) main.py serve $(ARGS)

migrate: $(VENV)/.run ## Migrate the database to the newest version
	@$(PYTHON) main.py migrate $(ARGS)

seed: $(VENV)/.run ## Load the demo data
	@$(PYTHON) main.py seed $(ARGS)

test: lint types contract pytest ## Run all required checks: lint, types, contract, pytest

check: lint types contract $(VENV)/.dev ## Check style, types and contract, and run the fast tests on SQLite
	$(PYTHON) -m pytest -n $(WORKERS) tests/contract tests/engine tests/identity tests/services tests/db -k "not postgresql" $(ARGS)

lint: $(VENV)/.dev ## Check style and likely mistakes with ruff
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

types: $(VENV)/.dev ## Check types with mypy
	$(VENV)/bin/mypy

contract: $(VENV)/.dev ## Validate the contract as OpenAPI 3.1
	$(PYTHON) main.py openapi --version v1 | $(VENV)/bin/openapi-spec-validator -
	$(PYTHON) main.py openapi --version v2 | $(VENV)/bin/openapi-spec-validator -

pytest: $(VENV)/.dev ## Run all tests on SQLite and PostgreSQL; WORKERS=0 uses one process
	$(PYTHON) -m pytest -n $(WORKERS) $(ARGS)

coverage: $(VENV)/.dev ## Run all tests and report branch coverage
	$(PYTHON) -m pytest --cov --cov-branch $(ARGS)

browser: $(VENV)/.dev ## Test the pages in Chromium
	$(PYTHON) -m pytest -m browser $(ARGS)

fuzz: $(VENV)/.dev ## Send valid and invalid requests to the running service; MINUTES=60 SEED=7
	FUZZ_MINUTES=$(MINUTES) $(if $(SEED),FUZZ_SEED=$(SEED)) $(PYTHON) -m pytest -m "fuzz or hypothesis" $(ARGS)

bench: $(VENV)/.dev bench/.venv/.peers ## Measure Accord and its peers
	$(PYTHON) -m bench $(ARGS)

tracing: $(VENV)/.tracing ## Install the packages that export traces

format: $(VENV)/.dev ## Fix and format the code with ruff
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

PIN := $(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --quiet \
	--no-config --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

lock: $(VENV)/.installer ## Write the lock files from pyproject.toml; ARGS=--upgrade takes newer versions
	$(PIN) $(ARGS) --group installer --output-file requirements-installer.lock
	$(PIN) $(ARGS) pyproject.toml --output-file requirements.lock
	$(PIN) $(ARGS) pyproject.toml --extra tracing --constraints requirements.lock --output-file requirements-tracing.lock
	$(PIN) $(ARGS) pyproject.toml --extra tracing --group dev --constraints requirements-tracing.lock \
		--output-file requirements-dev.lock
	$(PIN) $(ARGS) bench/requirements.in --output-file bench/requirements.lock

.env.example: $(wildcard accord/settings/*.py) $(VENV)/.run
	$(PYTHON) main.py settings --env > $@

docs/settings.md: $(wildcard accord/settings/*.py) $(VENV)/.run
	$(PYTHON) main.py settings > $@

clean: ## Delete environment and caches; database and keys stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis .coverage* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv does not read pip's configuration, so this passes its indexes, certificates and proxy on. uv's own variables have
# precedence.
# Folders of wheels are passed only without an index, because uv fails if one of them is missing.
define install
@echo "Installing the packages of $< …"
@known=$$($(PYTHON) -m pip config list | sed -n 's/^global\./1 /p; s/^install\./2 /p; s/^:env:\./3 /p' | sort); \
pip() { printf '%s\n' "$$known" | sed -n "s/^. $$1='\(.*\)'$$/\1/p" | tail -n 1 | sed 's/^\\n//; s/\\n/ /g'; }; \
case $$(pip no-index) in \
	1|[Tt]rue|[Yy]es|[Oo]n) no_index=--no-index; UV_FIND_LINKS=$${UV_FIND_LINKS:-$$(pip find-links | tr ' ' ,)}; export UV_FIND_LINKS;; \
esac; \
UV_DEFAULT_INDEX=$${UV_DEFAULT_INDEX:-$${UV_INDEX_URL:-$$(pip index-url)}} \
UV_INDEX=$${UV_INDEX:-$${UV_EXTRA_INDEX_URL:-$$(pip extra-index-url)}} \
UV_INSECURE_HOST=$${UV_INSECURE_HOST:-$$(pip trusted-host)} \
SSL_CERT_FILE=$${SSL_CERT_FILE:-$$(pip cert)} SSL_CLIENT_CERT=$${SSL_CLIENT_CERT:-$$(pip client-cert)} \
ALL_PROXY=$${ALL_PROXY:-$$(pip proxy)} \
$(VENV)/bin/uv pip install --quiet --python $(@D)/bin/python --require-hashes --no-deps \
	--index-strategy unsafe-best-match $$no_index --requirement $<
@touch $@
endef

$(VENV)/.run: requirements.lock $(VENV)/.installer
	$(install)

$(VENV)/.tracing: requirements-tracing.lock $(VENV)/.run
	$(install)

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(install)

bench/.venv/.peers: bench/requirements.lock $(VENV)/.installer
	@$(PYTHON) -m venv --clear --without-pip $(@D)
	$(install)

# The installer is one wheel without dependencies, so that every pip can verify its hash.
$(VENV)/.installer: requirements-installer.lock $(PYTHON)
	@echo "Installing the packages of $< …"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --only-binary :all: \
		--require-hashes --requirement $<
	@touch $@

$(PYTHON):
	@for python in python3.14 python3.13 python3.12 python3.11 python3 python; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Accord requires Python 3.11 or newer, and the PATH has none. Install it and run make again." >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$python lacks the venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	fi; \
	"$$python" -m venv --clear $(VENV)
