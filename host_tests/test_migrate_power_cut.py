# SPDX-License-Identifier: MIT
"""Settings that go from one form to another with the power cut at every write to the flash: whichever version starts
then, the older or the newer one, finds the settings of before or of after, and never those of a new dongle."""

import json
import subprocess

import pytest

from host_tests.conftest import CORE
from tools.compile import RUNTIMES, micropython

PROGRAM = '''
import gc
import json
import os

import flash
import forms

from wattport import migrate, settings

gc.disable()  # a file that the cut has left open would be closed by it, when nothing can be allocated
BIG = "-----BEGIN CERTIFICATE-----" + "A" * 2900
HOME = {"wifi": {"ssid": "home", "password": "x" * 20}, "mqtt": {"host": "broker", "user": "me", "ca": BIG}}


def saved(number, host):
    forms.be(number)
    settings.keep(settings.merge(settings.current(), {"mqtt": {"host": host}}))


def handed(number, other):
    forms.be(number)
    migrate.hand_down(settings.read(), other, number, settings.PATH)


def seen(number):
    """The host, when all the rest is there, and nothing is wrong with it."""
    forms.be(number)
    wrong = []
    whole = settings.load(settings.PATH, wrong)
    assert not wrong, wrong
    mqtt = whole["mqtt"]
    assert whole["wifi"]["ssid"] == "home" and whole["wifi"]["password"] == "x" * 20, number
    assert mqtt["ca"] == BIG and mqtt.get("user", mqtt.get("login")) == "me", number
    return mqtt["host"]


# what has happened, what happens, which versions may start then, and the hosts that they may see
SCENES = {
    "the first save of a newer version": (
        [], lambda: saved(3, "new"), {1: ("broker", "new"), 3: ("broker", "new")}),
    "the next one": (
        [lambda: saved(3, "one")], lambda: saved(3, "new"), {1: ("one", "new"), 3: ("one", "new")}),
    "a save behind the way back": (
        [lambda: saved(3, "one")], lambda: saved(1, "new"), {1: ("one", "new"), 3: ("one", "new")}),
    "and one behind the way forth again": (
        [lambda: saved(3, "one"), lambda: saved(1, "two")], lambda: saved(3, "new"),
        {1: ("two", "new"), 3: ("two", "new")}),
    "an older version is installed": (
        [lambda: saved(4, "one"), lambda: os.remove("settings.1.json")], lambda: handed(4, 2), {4: ("one",)}),
    "and saves": (
        [lambda: saved(4, "one"), lambda: handed(4, 2)], lambda: saved(2, "new"),
        {2: ("one", "new"), 4: ("one", "new")}),
}

before, act, allowed = SCENES[NAME]
device = flash.new(12)
flash.mounted(device)
forms.be(0)
settings.save(HOME)
for step in before:
    step()
flash.unmounted()
found = {number: {} for number in allowed}
for _ in flash.cuts(bytes(device.data), act):
    for number in sorted(allowed):
        host = seen(number)
        assert host in allowed[number], (number, host)
        found[number][host] = found[number].get(host, 0) + 1
    saved(max(allowed), "after")  # and what the cut has left behind is in nobody's way
    assert seen(max(allowed)) == "after"
print(json.dumps([found[number] for number in sorted(found)]))
'''
NAMES = [line.split('"')[1] for line in PROGRAM.split("SCENES")[1].splitlines() if line.startswith('    "')]


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
@pytest.mark.parametrize("name", NAMES)
def test_a_power_cut_at_any_write_leaves_every_version_its_settings(runtime, name, tmp_path):
    command, environment = micropython(runtime, [CORE], heap="256m")
    done = subprocess.run(command + ["-c", "NAME = %r\n" % name + PROGRAM], env=environment, cwd=tmp_path,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    for hosts in json.loads(done.stdout.splitlines()[-1]):
        assert sum(hosts.values()) >= 4 and all(hosts.values()), hosts
