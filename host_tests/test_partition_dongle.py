# SPDX-License-Identifier: MIT
"""The whole firmware on a MicroPython that is new: it stays when the dongle is well on it, and is gone again when not.
The bootloader is the one of tools/sim; what runs the firmware is the unix port in any case."""

import pytest

from host_tests.brokers import eventually
from host_tests.firmware import Firmware, Wire
from host_tests.keys import modulus, program
from host_tests.partitions import SIZE, image, made
from host_tests.test_partition import OLD, installed
from tools import dongle
from tools.paths import FIRMWARE
from tools.sim import bootloader

from wattport.update import slots  # isort: skip  (test_partition has made it importable)

APP = (FIRMWARE / "wattport" / "app.py").read_text()
QUICK = {"WATTPORT_SETTLE_S": "2", "WATTPORT_TRIAL_S": "4"}
# a program that does not work on the new one
CRASHES = APP + """
with open("running.txt") as _file:
    if _file.read() == "ota_1":
        raise ValueError("not on this one")
"""
HANGS = CRASHES.replace('raise ValueError("not on this one")', "while True:\n            time.sleep(1)")


@pytest.fixture
def state(tmp_path, monkeypatch):
    """A dongle's flash, as the working directory."""
    folder = tmp_path / "state"
    dongle.prepare(folder)
    bootloader.create(folder, OLD, SIZE)
    monkeypatch.chdir(folder)
    bootloader.cut = None
    assert bootloader.start() == "ota_0"
    return folder


def staged(state, data, alive="", app=APP):
    """Slots with a program, and a bundle with MicroPython installed."""
    dongle.flash(state, "micropython32", modulus(), program(("wattport.app", app)))
    assert isinstance(installed(data), dict)
    record = slots.read()
    record["micropython"]["alive"] = alive
    slots.write(record)


def runs(state, uart, **environment):
    settings = {"web": {"port": 0}, "time": {"server": ""}, "mqtt": {"host": "127.0.0.1", "port": 1}}
    return Firmware(state.parent, uart, settings, flash={"key": modulus()}, environment={**QUICK, **environment})


def states():
    return sorted(entry[1] for entry in bootloader.entries())


def test_it_stays_when_the_dongle_is_well(state):
    staged(state, made())
    with Wire() as wire, runs(state, wire.uart) as firmware:
        firmware.wait_for_log("this version is well")
        assert slots.read() == {"slot": "a", "left": 0, "crashes": 0}
        assert firmware.starts == 1 and not firmware.logged("error")
    assert states() == [bootloader.VALID] * 2
    assert bootloader.start() == bootloader.start() == "ota_1"


UNWELL = {
    "ends before the program starts": (image("1.29.0 PANIC"), "", APP, "start", 1),
    "lets the program crash": (None, "", CRASHES, "start", 2),
    "lets the program hang": (None, "", HANGS, "start", 2),
    "brings back no connection to the broker": (None, "mqtt", APP, "mqtt", 2),
}


@pytest.mark.parametrize("name", UNWELL)
def test_it_is_undone_without_help_when_it(state, name):
    data, alive, app, why, starts = UNWELL[name]
    staged(state, made(data=data), alive, app)
    with Wire() as wire, runs(state, wire.uart, WATTPORT_WATCHDOG_S="8" if app is HANGS else "60") as firmware:
        line = firmware.wait_for_log("was tried")
        assert "MicroPython 1.29.0 was tried (%s); 1.25.0 runs on" % why in line
        eventually(lambda: slots.read()["crashes"] == 0, "that the old one is well")
        record = slots.read()
        assert (record["slot"], record["why"], record["failed"]) == ("a", "micropython", "1.29.0"), record
        assert "micropython" not in record
        assert firmware.starts == starts
        assert (state / "running.txt").read_text() == "ota_0" and states() == [bootloader.VALID, bootloader.ABORTED]
    assert bootloader.start() == "ota_0"


@pytest.mark.parametrize("left", [0, 1])
def test_a_power_cut_while_it_is_confirmed_goes_back_to_the_old_one(state, left):
    """Both writes, what erases and what confirms, may be the last one."""
    staged(state, made())
    (state / "cut").write_text(str(left))
    with Wire() as wire, runs(state, wire.uart, WATTPORT_CUT="cut") as firmware:
        firmware.wait_for_log("was tried")
        eventually(lambda: "micropython" not in slots.read(), "the end of it")
        assert firmware.starts == 2 and (state / "running.txt").read_text() == "ota_0"
        assert not (state / "cut").exists()
