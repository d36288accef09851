# papertape: `make help` lists what there is. Everything happens inside .venv, which `make clean` removes.
# PYTHON=/path/to/python chooses the interpreter; PYTEST_ARGS="tests/unit -x" narrows `make test`.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
INSYNC := .venv-ib-insync
# ib_insync looks for an event loop while it is imported, which Python 3.12 and later warn of.
INSYNC_QUIET := -W "ignore:There is no current event loop:DeprecationWarning"
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
INSYNC_PIP := $(INSYNC)/bin/python -m pip --disable-pip-version-check --no-input

PYTHON ?=
PYTEST_ARGS ?=
DEMO_STATE ?= state/demo
SOAK_ARGS ?=
UV_VERSION := 0.13.9

.PHONY: help demo test lint references format dashboards bench soak coverage lock hooks clean browser \
	service-tools monitoring-tools fault-tools install-service uninstall-service

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' Makefile

# --- what a new user types ------------------------------------------------------------------------

demo: $(VENV)/.installed ## the daemon on a bundled tape, killed and restarted, against its replay
	@PAPERTAPE=$(BIN)/papertape STATE=$(DEMO_STATE) sh ops/demo.sh

test: browser service-tools fault-tools monitoring-tools lint references ## style, types, import rules, references, every test (PYTEST_ARGS=...)
	$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# --- papertape as a service of systemd (as root; systemd/README.md) ---------------------------------

NAME =
CONFIG =
DESTDIR ?=

install-service: ## run papertape@NAME under systemd (NAME=nvda [CONFIG=FILE]); again to upgrade
	@DESTDIR="$(DESTDIR)" PYTHON="$(PYTHON)" sh systemd/install.sh install "$(NAME)" "$(CONFIG)"

uninstall-service: ## stop and remove papertape@NAME; its account stays in /var/lib/papertape
	@DESTDIR="$(DESTDIR)" sh systemd/install.sh uninstall "$(NAME)"

# --- what a developer types -----------------------------------------------------------------------

lint: $(VENV)/.installed-dev ## ruff, mypy --strict and the import rules
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(PY) $(BIN)/lint-imports --no-logo

references: $(VENV)/.installed ## replay configs/reference and compare with the accepted baselines
	@state=$$(mktemp -d) && $(BIN)/papertape reference check --state "$$state"; code=$$?; \
	rm -rf "$$state"; exit $$code

format: $(VENV)/.installed-dev ## let ruff repair and format what it can
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

dashboards: $(VENV)/.installed-dev ## write ops/grafana/dashboards from ops/grafana/generator
	$(PY) -m ops.grafana.generator

bench: $(VENV)/.installed-dev ## measure the budget and print the table
	$(PY) -m tests.bench

soak: $(VENV)/.installed-dev $(INSYNC)/.installed fault-tools ## properties, simulations, faults: many more cases (SOAK_ARGS=...)
	$(PY) -m pytest --hypothesis-profile=soak $(wildcard tests/property tests/simulation) $(SOAK_ARGS)
	$(PY) -m pytest -m soak tests/faults tests/simulation tests/ib tests/e2e $(SOAK_ARGS)
	$(INSYNC)/bin/python -m pytest -p no:cacheprovider $(INSYNC_QUIET) tests/ib

coverage: $(VENV)/.installed-dev ## the tests again, with branch coverage in htmlcov/
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest $(PYTEST_ARGS)
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage html --quiet
	$(PY) -m coverage report

hooks: $(VENV)/.installed-dev ## run the quick checks before every commit
	$(PY) -m pre_commit install

clean: ## remove .venv and every cache; state/ stays
	rm -rf $(VENV) $(INSYNC) .venv-lock build dist htmlcov .coverage .coverage.* \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# --- the environment ------------------------------------------------------------------------------
# A stamp is newer than the lock it was made from, so a second run installs nothing. A lock is complete:
# pip is told not to look for more (peewee, see pyproject.toml).

define FIND_PYTHON
for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	if "$$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		>/dev/null 2>&1; then found=$$python; break; fi; \
done; \
if [ -z "$${found:-}" ]; then \
	echo "papertape needs Python 3.11 to 3.13 with venv; none works here (tried: $(or $(PYTHON),python3.13 python3.12 python3.11 python3)). Install one (Debian: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python" >&2; \
	exit 1; \
fi
endef

$(VENV)/.created:
	@$(FIND_PYTHON); echo "making $(VENV) with $$("$$found" --version)"; \
	rm -rf $(VENV) && "$$found" -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created requirements.lock pyproject.toml
	@echo "installing requirements.lock into $(VENV)"
	@$(PIP) install -q --no-deps --require-hashes --only-binary :all: -r requirements.lock
	@$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@echo "installing requirements-dev.lock into $(VENV)"
	@$(PIP) install -q --no-deps --require-hashes --only-binary :all: -r requirements-dev.lock
	@touch $@

# ib_insync, the library before ib_async, in an environment of its own: everything else is the same.
$(INSYNC)/.installed: $(VENV)/.installed-dev requirements-ib-insync.lock
	@echo "making $(INSYNC), with ib_insync in place of ib_async"
	@rm -rf $(INSYNC) && $(PY) -m venv $(INSYNC)
	@$(INSYNC_PIP) install -q --no-deps --require-hashes --only-binary :all: -r requirements-dev.lock
	@$(INSYNC_PIP) uninstall -q -y ib_async aeventkit
	@$(INSYNC_PIP) install -q --no-deps --require-hashes --only-binary :all: \
		-r requirements-ib-insync.lock
	@$(INSYNC_PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

# The report is looked at in a real browser where one can be had; its tests say so when they skip.
browser:
	@for name in chromium chromium-browser google-chrome; do \
		if command -v $$name >/dev/null 2>&1; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		echo "installing Debian's chromium for the tests of the report"; \
		export DEBIAN_FRONTEND=noninteractive; \
		(apt-get update -q && apt-get install -q -y --no-install-recommends chromium) \
			>/dev/null 2>&1 </dev/null && exit 0; \
	fi; \
	echo "no Chromium here: the browser tests of the report will be skipped"

# The unit is checked by systemd's own tools, run under a systemd of the tests' own, and installed
# with a Python that is not in a home directory; those tests, too, say so when they skip.
SERVICE_PACKAGES = systemd python3-venv shellcheck

service-tools:
	@missing=; \
	for name in systemd-analyze shellcheck; do \
		command -v $$name >/dev/null 2>&1 || missing="$$missing $$name"; \
	done; \
	/usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' \
		>/dev/null 2>&1 || missing="$$missing /usr/bin/python3 with venv"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		echo "installing Debian's $(SERVICE_PACKAGES) for the tests of the service"; \
		export DEBIAN_FRONTEND=noninteractive; \
		(apt-get update -q && apt-get install -q -y --no-install-recommends $(SERVICE_PACKAGES)) \
			>/dev/null 2>&1 </dev/null && missing=; \
	fi; \
	if [ -n "$$missing" ]; then \
		echo "SKIPPING tests of the service that need:$$missing (as root, apt-get would install them)"; \
	fi; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "SKIPPING tests of the service under a real systemd: they need root"; \
	fi

# System calls are made to fail by strace, clocks to lie by libfaketime; a full disk needs a mount.
FAULT_PACKAGES = strace faketime

fault-tools:
	@missing=; \
	for name in $(FAULT_PACKAGES); do \
		command -v $$name >/dev/null 2>&1 || missing="$$missing $$name"; \
	done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		echo "installing Debian's$$missing for the tests of faults"; \
		export DEBIAN_FRONTEND=noninteractive; \
		(apt-get update -q && apt-get install -q -y --no-install-recommends $$missing) \
			>/dev/null 2>&1 </dev/null && missing=; \
	fi; \
	if [ -n "$$missing" ]; then \
		echo "SKIPPING tests of faults that need:$$missing (as root, apt-get would install them)"; \
	fi; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "SKIPPING tests of faults on a file system of their own: they need root"; \
	fi

# The alerts are tried by Prometheus's and Alertmanager's own programs. Debian's packages would start both
# as services, so where they are not installed they are unpacked into .venv, for the tests alone.
MONITORING = prometheus prometheus-alertmanager

monitoring-tools: $(VENV)/.created
	@missing=; \
	for name in promtool prometheus amtool prometheus-alertmanager; do \
		PATH="$$PATH:$(CURDIR)/$(VENV)/monitoring/usr/bin" command -v $$name >/dev/null 2>&1 || \
			missing="$$missing $$name"; \
	done; \
	if [ -n "$$missing" ] && command -v apt-get >/dev/null 2>&1; then \
		echo "unpacking Debian's $(MONITORING) into $(VENV)/monitoring for the tests of the alerts"; \
		folder="$(CURDIR)/$(VENV)/monitoring"; mkdir -p "$$folder"; \
		{ [ "$$(id -u)" != 0 ] || apt-get update -q; } >/dev/null 2>&1 </dev/null; \
		(cd "$$folder" && apt-get download -q $(MONITORING) && \
			for package in *.deb; do dpkg-deb -x "$$package" .; done && rm -f ./*.deb) \
			>/dev/null 2>&1 </dev/null && missing=; \
	fi; \
	if [ -n "$$missing" ]; then \
		echo "SKIPPING tests of the alerts that need:$$missing (apt-get install $(MONITORING))"; \
	fi

# Versions move only here: one resolution for every supported Python and platform, hashes, no address.
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" .venv-lock/bin/uv pip compile --quiet --universal \
	--python-version 3.11 --fork-strategy fewest --generate-hashes --only-binary :all: \
	--no-emit-index-url --no-emit-find-links

lock: ## resolve the lock files again (LOCK_ARGS=--upgrade for newer versions)
	@$(FIND_PYTHON); "$$found" -m venv .venv-lock
	@.venv-lock/bin/python -m pip --disable-pip-version-check install -q uv==$(UV_VERSION)
	$(LOCK) $(LOCK_ARGS) --group build pyproject.toml -o requirements.lock
	$(LOCK) $(LOCK_ARGS) --group build --group dev --extra notify --extra parquet \
		-c requirements.lock pyproject.toml -o requirements-dev.lock
	$(LOCK) $(LOCK_ARGS) --group build --extra notify -c requirements-dev.lock pyproject.toml \
		-o requirements-service.lock
	$(LOCK) $(LOCK_ARGS) --group ib-insync -c requirements-dev.lock -o requirements-ib-insync.lock
