# Wattport: `make help` lists what can be done here.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
BOARD ?= esp32_generic
.DEFAULT_GOAL := help
.PHONY: help setup run test bench fuzz image flash lint clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

$(VENV)/.done: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Wattport needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -q -y python3-venv; } || \
	  { echo "set-up: this Python cannot make virtual environments; install the package python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q --disable-pip-version-check -r requirements.txt
	@touch $@

.build/debian/.done: tools/debian.py
	$(PYTHON) -m tools.debian .build/debian
	@touch $@

# A browser for the tests of the pages. Where none can be installed they are skipped, with the reason.
.build/browser.done:
	@mkdir -p .build
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	  { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -q -y --no-install-recommends chromium; } || \
	  echo "no Chromium: the tests of the pages will be skipped; install the package chromium" >&2
	@touch $@

setup: $(VENV)/.done .build/debian/.done ## what every other target does first: Python packages and interpreters

run: setup ## two simulated meters, the firmware and a broker, all here; SECONDS=n stops by itself
	$(PY) -m tools.run $(if $(SECONDS),--seconds $(SECONDS))

test: setup lint .build/browser.done ## everything, on CPython, MicroPython 64 and 32 bits, and the chips' machine code
	$(PY) -m pytest -n 2 --dist loadscope host_tests

bench: setup ## every budget as one JSON object a line; ONLY=decode.dsmr5 for some
	$(PY) -m tools.bench $(if $(ONLY),--only $(ONLY))

fuzz: setup ## broken telegrams of every family; COUNT=1000000 SEED=1
	$(PY) -m tools.fuzz $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

image: setup ## a whole flash image: BOARD=, MICROPYTHON=path/to/ESP32_GENERIC-OTA.bin, SETTINGS=, AP=
	$(PY) -m tools.image --board $(BOARD) $(if $(MICROPYTHON),--micropython $(MICROPYTHON)) $(if $(SETTINGS),--settings $(SETTINGS)) $(if $(AP),--ap '$(AP)')

flash: setup ## PORT=device or pyserial URL; writes the image that `make image` makes; ESPTOOL_FLAGS=
	$(PY) -m tools.flash --board $(BOARD) $(if $(PORT),--port $(PORT)) $(if $(MICROPYTHON),--micropython $(MICROPYTHON)) $(if $(SETTINGS),--settings $(SETTINGS)) $(if $(AP),--ap '$(AP)') -- $(ESPTOOL_FLAGS)

lint: setup ## ruff, and the viper idioms that miscompile or differ between chips
	$(VENV)/bin/ruff check .
	$(PY) -m tools.lint

clean: ## removes everything that was made
	rm -rf $(VENV) .build dist .pytest_cache .hypothesis .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
