# Wattport: `make help` lists what can be done here.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
BOARD ?= esp32_generic
.DEFAULT_GOAL := help
.PHONY: help setup run test bench fuzz image flash monitor backup restore erase release keys bundle lint clean

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
	@[ -n "$$(which chromium-headless-shell chromium chromium-browser google-chrome 2>/dev/null)" ] || \
	  { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -q && \
	    { apt-get install -q -y --no-install-recommends chromium-headless-shell || apt-get install -q -y --no-install-recommends chromium; }; } || \
	  echo "no Chromium: the tests of the pages will be skipped; install the package chromium-headless-shell or chromium" >&2
	@touch $@

# LibreOffice for the test that the history opens in it: 90 MB to fetch, 276 MB on the disk. Skipped likewise.
.build/office.done:
	@mkdir -p .build
	@command -v soffice >/dev/null || \
	  { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
	    { apt-get install -q -y --no-install-recommends libreoffice-calc-nogui || { apt-get update -q && apt-get install -q -y --no-install-recommends libreoffice-calc-nogui; }; }; } || \
	  echo "no LibreOffice: its test will be skipped; install the package libreoffice-calc-nogui" >&2
	@touch $@

setup: $(VENV)/.done .build/debian/.done ## what the other targets do first: Python packages and interpreters, into .venv and .build

run: setup ## two simulated meters, a dongle with its pages on each, a broker, all here; SECONDS=n stops by itself
	$(PY) -m tools.run $(if $(SECONDS),--seconds $(SECONDS))

test: setup lint .build/browser.done .build/office.done ## everything: CPython, MicroPython 64 and 32 bits, the chips' machine code, the pages in Chromium, the history in LibreOffice
	PYTHONDONTWRITEBYTECODE= $(PY) -m pytest -n 6 --dist loadscope --no-loadscope-reorder --reruns 1 --only-rerun "did not come about|[Tt]imed? ?out" host_tests

bench: setup ## every budget, one JSON object a line; ONLY=heap for those with that in their name
	$(PY) -m tools.bench $(if $(ONLY),--only $(ONLY))

fuzz: setup ## broken telegrams of every family; COUNT=1000000 SEED=1
	$(PY) -m tools.fuzz $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

image: setup ## a whole flash image: BOARD=, MICROPYTHON=official image (fetched without), SETTINGS=file, AP=password of its own Wi-Fi, KEY=public key for updates
	$(PY) -m tools.image --board $(BOARD) $(if $(MICROPYTHON),--micropython $(MICROPYTHON)) $(if $(SETTINGS),--settings $(SETTINGS)) $(if $(AP),--ap '$(AP)') $(if $(KEY),--key $(KEY)) $(if $(FROZEN),--frozen)

flash: setup ## makes that image, writes it and watches its first start: PORT=device or pyserial URL, WATCH=seconds, ESPTOOL_FLAGS=, and those of `make image`
	$(PY) -m tools.flash --board $(BOARD) $(if $(PORT),--port $(PORT)) $(if $(MICROPYTHON),--micropython $(MICROPYTHON)) $(if $(SETTINGS),--settings $(SETTINGS)) $(if $(AP),--ap '$(AP)') $(if $(KEY),--key $(KEY)) $(if $(WATCH),--watch $(WATCH)) -- $(ESPTOOL_FLAGS)

monitor: setup ## what the board at PORT= says, with the time; Ctrl-C ends it
	$(PY) -m tools.monitor $(if $(PORT),--port $(PORT))

backup: setup ## the whole flash of the board at PORT= into dist/backup-MAC-DATE.bin
	$(PY) -m tools.chip backup $(if $(PORT),--port $(PORT)) -- $(ESPTOOL_FLAGS)

restore: setup ## such a file back into the board: PORT=, FILE=
	$(PY) -m tools.chip restore $(if $(PORT),--port $(PORT)) $(FILE) -- $(ESPTOOL_FLAGS)

erase: setup ## empties the whole flash of the board at PORT=
	$(PY) -m tools.chip erase $(if $(PORT),--port $(PORT)) -- $(ESPTOOL_FLAGS)

release: setup ## images, bundles, web flasher, papers: IMAGES=folder of official images, KEY=private key, SKIP_MISSING=1, VERSION=
	$(PY) -m tools.release $(if $(IMAGES),--images $(IMAGES)) $(if $(KEY),--key $(KEY)) $(if $(SKIP_MISSING),--skip-missing) $(if $(VERSION),--version $(VERSION))

keys: setup ## a pair of keys that updates are signed with, into keys/; the public one goes into every image from then on
	$(PY) -m tools.bundle keys

bundle: setup ## the program as signed bundles, one for each chip family, into dist/: KEY=private key
	$(PY) -m tools.bundle make $(if $(KEY),--key $(KEY))

lint: setup ## ruff, and the viper idioms that miscompile or differ between chips
	$(VENV)/bin/ruff check .
	$(PY) -m tools.lint

clean: ## removes everything that was made
	rm -rf $(VENV) .build dist .pytest_cache .hypothesis .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
