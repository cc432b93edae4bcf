# SPDX-License-Identifier: MIT
"""Saving the settings with the power cut at every write to the flash, in the middle of it too: LittleFS as on the chip,
on a RAM that stops taking writes; then the dongle starts again."""

import json
import subprocess

import pytest

from host_tests.conftest import CORE
from tools.compile import RUNTIMES, micropython

PROGRAM = '''
import gc
import json

import flash
from wattport import settings

gc.disable()  # a file that the cut has left open would be closed by it, when nothing can be allocated
OLD, NEW = {OLD}, {NEW}
device = flash.new(12)
flash.mounted(device)
for _ in range(3):
    settings.save(OLD)
flash.unmounted()
found = {"old": 0, "new": 0, "other": 0}
for _ in flash.cuts(bytes(device.data), lambda: settings.save(NEW)):
    kept = settings.load("settings.json")
    found["old" if kept == settings.check(OLD) else "new" if kept == settings.check(NEW) else "other"] += 1
    settings.save(NEW)  # and what the cut has left behind is in nobody's way
    assert settings.load("settings.json") == settings.check(NEW)
print(json.dumps(found))
'''
OLD = {"wifi": {"ssid": "old", "password": "x" * 20}, "mqtt": {"host": "broker", "user": "me"}}
BIG = "-----BEGIN CERTIFICATE-----" + "A" * 2900


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
@pytest.mark.parametrize("name, old, new", [
    ("a small change", OLD, {"wifi": {"ssid": "new"}}),
    ("the first settings of all", {}, OLD),
    ("a file of several blocks", OLD, {"mqtt": {"tls": True, "ca": BIG, "host": "b"}}),
    ("a smaller file than before", {"mqtt": {"ca": BIG}}, {"web": {"port": 81}}),
])
def test_a_power_cut_at_any_write_leaves_the_old_settings_or_the_new(runtime, name, old, new, tmp_path):
    program = PROGRAM.replace("{OLD}", repr(old)).replace("{NEW}", repr(new))
    command, environment = micropython(runtime, [CORE], heap="256m")
    done = subprocess.run(command + ["-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[0])
    assert found["other"] == 0 and found["old"] >= 3 and found["new"] >= 1, found
