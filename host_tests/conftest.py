# SPDX-License-Identifier: MIT
"""Tests of `core/` are plain functions with plain asserts: here they run on CPython, and each of them again on real
MicroPython, 64 and 32 bits, on what mpy-cross compiled."""

import functools
import gc
import importlib.machinery
import json
import subprocess
import sys
import tempfile

import pytest

from host_tests.browser import Browser
from tools import cpython, flashed
from tools.compile import RUNTIMES, micropython
from tools.paths import ROOT, TELEGRAMS

cpython.install()
CORE = ROOT / "host_tests" / "core"

# What the firmware forgets it loads again and again: read and compiled once, where Python keeps no compiled files too.
_get_code = importlib.machinery.SourceFileLoader.get_code
_codes = {}


def get_code(loader, name):
    if not name.startswith("wattport."):
        return _get_code(loader, name)
    if (name, loader.path) not in _codes:
        _codes[name, loader.path] = _get_code(loader, name)
    return _codes[name, loader.path]


importlib.machinery.SourceFileLoader.get_code = get_code

_parts = flashed.parts
_compiled = functools.cache(_parts)


def parts(architecture, changed=None):
    """flashed.parts, once for all tests of a process: it compiles for seconds."""
    return _parts(architecture, changed) if changed else dict(_compiled(architecture))


flashed.parts = parts


@pytest.fixture(autouse=True)
def modules_are_remembered():
    """What the firmware forgets (`wattport.modules`) comes back behind a test: a second instance of a module beside the
    first would escape what later tests put into it."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("wattport.")}
    yield
    for name, module in before.items():
        if sys.modules.get(name) is not module:
            sys.modules[name] = module
            room, _, last = name.rpartition(".")
            setattr(sys.modules[room], last, module)


@pytest.fixture(autouse=True)
def core_runs_in_a_folder_of_its_own(request, tmp_path, monkeypatch):
    if request.path.parent == CORE:
        monkeypatch.chdir(tmp_path)


@functools.cache
def run_on_micropython(runtime, path):
    """{test name: None or the failure's traceback} of one core module; "" holds what broke the whole run."""
    command, environment = micropython(runtime, extra_path=[CORE], heap="2m")
    with tempfile.TemporaryDirectory() as folder:  # other workers run other modules, and some write files
        done = subprocess.run(command + [str(CORE / "run.py"), path.stem], env=environment, cwd=folder,
                              capture_output=True, text=True, timeout=300)
    results = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            record = json.loads(line)
            results[record["test"]] = record["failure"]
    if done.returncode:
        results[""] = done.stdout[-2000:] + done.stderr[-2000:]
    return results


# Modules that take a minute and more, the longest first: one that began last would hold up the end of it all.
LONGEST = ["test_" + name for name in (
    "supply rollback setup_e2e mqtt_discovery history_year alert_all ways_in history_page dongle portal push "
    "partition_dongle wifi access dashboard spare detect decode_tool contract_page image release decoding pulse "
    "flash plausible_random ntp web_security update_web web boards watch diagnostics prices_mqtt").split()]


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


def pytest_collection_finish():
    """The firmware has its heap collected again and again: not with all that thousands of tests are made of."""
    gc.collect()
    gc.freeze()


class CoreOnMicroPython(pytest.Item):
    def __init__(self, *, runtime, test, **rest):
        super().__init__(**rest)
        self.runtime, self.test = runtime, test

    def runtest(self):
        results = run_on_micropython(self.runtime, self.path)
        failure = results.get(self.test, results.get("", "the test did not run"))
        if failure:
            raise AssertionError(failure)

    def repr_failure(self, excinfo, style=None):
        return "on %s: %s" % (self.runtime, excinfo.value)

    def reportinfo(self):
        return self.path, None, self.name


def pytest_pycollect_makeitem(collector, name, obj):
    """Beside each core test, the same one on every MicroPython."""
    if collector.path.parent == CORE and name.startswith("test_") and callable(obj):
        own = [pytest.Function.from_parent(collector, name=name)]
        return own + [
            CoreOnMicroPython.from_parent(collector, name="%s[%s]" % (name, runtime), runtime=runtime, test=name)
            for runtime in RUNTIMES]
    return None


@pytest.fixture(scope="session")
def telegrams():
    """The folder of real telegrams, or a visible skip."""
    if not TELEGRAMS.is_dir():
        pytest.skip("no real telegrams beside this checkout (%s)" % TELEGRAMS.name)
    return TELEGRAMS


@pytest.fixture(scope="module")
def meter():
    """A DSMR 5 meter that sends twice a second to whoever connects: its address for the firmware."""
    from host_tests.test_meter import start
    process, port = start("--family", "dsmr5", "--rate", "20", "--seed", "4")
    try:
        yield "tcp:127.0.0.1:%d" % port
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not there")
    with sync_api.sync_playwright() as engine:
        browser = Browser(engine)
        yield browser
        browser.close()


@pytest.fixture
def quiet(browser):
    """No page may have had an error in its script."""
    browser.errors.clear()
    yield browser
    assert browser.errors == []
