# `make` says what there is. ARGS= hands arguments on, as in: make pytest ARGS="-k cursor"

VENV   := .venv
PYTHON := $(VENV)/bin/python
ARGS   ?=
MINUTES ?= 10
WORKERS ?= 2

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run migrate seed test check lint types contract pytest coverage browser fuzz bench tracing format lock clean

# Some images set this variable, with which every process compiles all modules anew.
export PYTHONDONTWRITEBYTECODE :=

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Install, migrate, seed demo data once, and serve on 127.0.0.1:8080
	@$(PYTHON) main.py migrate && $(PYTHON) main.py seed && exec $(PYTHON) main.py serve $(ARGS)

migrate: $(VENV)/.run ## Bring the database to the newest version
	@$(PYTHON) main.py migrate $(ARGS)

seed: $(VENV)/.run ## Fill the shop with demo data
	@$(PYTHON) main.py seed $(ARGS)

test: lint types contract pytest ## Everything that must pass: the four below

check: lint types contract $(VENV)/.dev ## While you work: style, types, contract, and the fast tests on SQLite
	$(PYTHON) -m pytest -n $(WORKERS) tests/contract tests/engine tests/identity tests/services tests/db -k "not postgresql" $(ARGS)

lint: $(VENV)/.dev ## Style and likely mistakes
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

types: $(VENV)/.dev ## Types
	$(VENV)/bin/mypy

contract: $(VENV)/.dev ## The contract, by a validator of OpenAPI 3.1
	$(PYTHON) main.py openapi --version v1 | $(VENV)/bin/openapi-spec-validator -
	$(PYTHON) main.py openapi --version v2 | $(VENV)/bin/openapi-spec-validator -

pytest: $(VENV)/.dev ## All tests, on SQLite and PostgreSQL; WORKERS=0 runs them in one process
	$(PYTHON) -m pytest -n $(WORKERS) $(ARGS)

coverage: $(VENV)/.dev ## All tests, and which branches they leave out
	$(PYTHON) -m pytest --cov --cov-branch $(ARGS)

browser: $(VENV)/.dev ## The pages in Chromium
	$(PYTHON) -m pytest -m browser $(ARGS)

fuzz: $(VENV)/.dev ## The running service against whatever its contract allows, and forbids; MINUTES=60 SEED=7
	FUZZ_MINUTES=$(MINUTES) $(if $(SEED),FUZZ_SEED=$(SEED)) $(PYTHON) -m pytest -m "fuzz or hypothesis" $(ARGS)

bench: $(VENV)/.dev bench/.venv/.peers ## Measure Accord beside its peers
	$(PYTHON) -m bench $(ARGS)

tracing: $(VENV)/.tracing ## Install what sends traces

format: $(VENV)/.dev ## Bring the code into shape
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

PIN := $(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --quiet \
	--no-config --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

lock: $(VENV)/.installer ## Pin what pyproject.toml asks for; ARGS=--upgrade takes newer versions
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

clean: ## Remove what make made; the database and the keys stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis .coverage* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv does not read pip's configuration, so this hands on its indexes, certificates and proxy. uv's own variables go first.
# Folders of wheels count only when there is no index, because uv stops at one that is missing.
define install
@echo "Installing what $< names …"
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

# The installer is one wheel without dependencies, which any pip can hold to its hash.
$(VENV)/.installer: requirements-installer.lock $(PYTHON)
	@echo "Installing what $< names …"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --only-binary :all: \
		--require-hashes --requirement $<
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
