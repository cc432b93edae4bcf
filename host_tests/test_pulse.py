# SPDX-License-Identifier: MIT
"""A meter's pulses: the driver on made-up pins, and the whole firmware with its register, its restarts and its power
cuts."""

import ast
import importlib
import json
import os
import subprocess
import sys
import time
import types

import pytest

from host_tests.brokers import Listener, Mosquitto
from host_tests.firmware import Firmware, Wire
from tools import dongle
from tools.compile import micropython
from wattport.settings import check

RUNTIMES = ("micropython32", "micropython")


class Pin:
    IN, PULL_UP, IRQ_RISING, IRQ_FALLING = 0, 2, 1, 2

    def __init__(self, number, mode, pull):
        self.handlers = []

    def irq(self, handler, trigger):
        self.handlers.append((handler, trigger))

    def fire(self, count):
        for handler, _ in self.handlers:
            for _ in range(count):
                handler(self)


class Rtc:
    kept = b""

    def memory(self, data=None):
        if data is None:
            return Rtc.kept
        Rtc.kept = bytes(data)


class Pcnt:
    """esp32.PCNT of MicroPython 1.26: 16 bits, starts anew at `max`."""

    INCREMENT = 1
    made = []

    def __init__(self, number, **options):
        self.options = options
        self.count = 0
        self.started = False
        Pcnt.made.append(self)

    def start(self):
        self.started = True

    def value(self):
        return self.count % self.options["max"]


@pytest.fixture
def driver(monkeypatch, tmp_path):
    """`wattport.link.pulse` on the pins of this file; without PCNT."""
    machine = types.ModuleType("machine")
    machine.Pin, machine.RTC = Pin, Rtc
    monkeypatch.setitem(sys.modules, "machine", machine)
    monkeypatch.setitem(sys.modules, "esp32", types.ModuleType("esp32"))
    monkeypatch.chdir(tmp_path)
    Rtc.kept = b""
    Pcnt.made.clear()
    sys.modules.pop("wattport.link.pulse", None)
    yield importlib.import_module("wattport.link.pulse")
    sys.modules.pop("wattport.link.pulse", None)


class House:
    """A driver with its readings; time passes by `run`."""

    def __init__(self, driver, **settings):
        self.readings = []
        self.pins = []
        self.logged = []
        board = types.SimpleNamespace(RX=16)
        log = types.SimpleNamespace(limited=lambda *words: self.logged.append(words))
        machine = sys.modules["machine"]

        def pin(*arguments):
            self.pins.append(Pin(*arguments))
            return self.pins[-1]
        machine.Pin, plain = pin, machine.Pin
        for name in ("IN", "PULL_UP", "IRQ_RISING", "IRQ_FALLING"):
            setattr(pin, name, getattr(Pin, name))
        self.pulse = driver.Pulse(board, check({"meter": settings})["meter"],
                                  lambda reading, family: self.readings.append(reading), log)
        machine.Pin = plain

    def run(self, ms, every_ms=None, fire=None):
        """Time passes in turns of 10 ms, with an edge `every_ms`."""
        fire = fire or self.pins[0].fire
        for now in range(0, ms, 10):
            if every_ms:
                fire(sum(1 for at in range(now, now + 10) if at % every_ms == 0))
            self.pulse.turn(10)

    @property
    def last(self):
        return self.readings[-1]


def test_30_kw_are_counted_to_the_pulse_by_interrupts(driver):
    house = House(driver, source="pulse", start_wh=5000)
    assert house.pins[0].handlers[0][1] == Pin.IRQ_FALLING
    house.run(120_000, every_ms=120)
    assert house.pulse.bytes == 1000 and house.pulse.garbage == 0
    house.run(20_000)
    assert house.last["import_wh"] == 6000
    powers = [reading["power_import_w"] for reading in house.readings[5:-25]]
    assert all(29_000 <= power <= 31_000 for power in powers), powers
    assert len(house.readings) <= 145


def test_83_pulses_a_second_are_counted_to_the_pulse_by_the_chips_counter(driver, monkeypatch):
    monkeypatch.setattr(sys.modules["esp32"], "PCNT", Pcnt, raising=False)
    house = House(driver, source="pulse", pulses_per_kwh=10000)
    unit = Pcnt.made[0]
    assert unit.started and unit.options["falling"] == Pcnt.INCREMENT and not house.pins[0].handlers

    def fire(count):
        unit.count += count
    house.run(600_000, every_ms=12, fire=fire)
    assert house.pulse.bytes == 50_000  # more than once around
    house.run(20_000)
    assert house.last["import_wh"] == 5000


def test_a_stall_of_a_second_loses_no_pulse(driver, monkeypatch):
    monkeypatch.setattr(sys.modules["esp32"], "PCNT", Pcnt, raising=False)
    house = House(driver, source="pulse")
    for _ in range(20):
        Pcnt.made[0].count += 8
        house.pulse.turn(960)
    assert house.pulse.bytes == 160


def test_the_rising_edge_and_the_export_register_can_be_chosen(driver):
    house = House(driver, source="pulse", pulse_edge="rising", pulse_export=True)
    assert house.pins[0].handlers[0][1] == Pin.IRQ_RISING
    house.run(21_000, every_ms=3000)
    assert set(house.last) - {"time"} == {"export_wh", "power_export_w"}


def test_what_was_published_is_on_the_flash(driver):
    house = House(driver, source="pulse", start_wh=100)
    house.run(95_000, every_ms=120)
    for reading in house.readings:
        assert reading["import_wh"] <= house.last["import_wh"]
    Rtc.kept = b""  # the power fails
    again = House(driver, source="pulse", start_wh=100)
    again.run(10)
    assert again.last["import_wh"] == house.last["import_wh"] >= 100 + 85_000 // 120
    assert os.path.getsize("pulse.bin") == 36 and not os.path.exists("pulse.bin.new")


def test_a_reset_loses_no_pulse(driver):
    house = House(driver, source="pulse", start_wh=100)
    house.run(95_000, every_ms=120)
    again = House(driver, source="pulse", start_wh=100)
    again.run(10)
    assert again.last["import_wh"] == 100 + house.pulse.bytes > house.last["import_wh"]


def test_the_flash_is_written_every_ten_seconds_at_most_and_not_without_pulses(driver, monkeypatch):
    renamed = []
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda old, new: (renamed.append(new), rename(old, new)))
    house = House(driver, source="pulse")
    house.run(100_000, every_ms=120)
    assert len(renamed) <= 11
    del renamed[:]
    house.run(100_000)
    assert len(renamed) <= 1


def test_a_flash_that_takes_nothing_stops_no_reading(driver, monkeypatch):
    def full(old, new):
        raise OSError("no space left")
    monkeypatch.setattr(os, "rename", full)
    house = House(driver, source="pulse")
    house.run(60_000, every_ms=1000)
    house.run(20_000)
    assert house.last["import_wh"] == 60 and house.logged


def test_readings_come_without_pulses_but_count_as_telegrams_only_after_the_first(driver):
    house = House(driver, source="pulse", start_wh=7)
    house.run(60_000)
    assert len(house.readings) == 6 and house.last["import_wh"] == 7 and "power_import_w" not in house.last
    assert house.pulse.counters.telegrams == 0
    house.pins[0].fire(1)
    house.run(60_000)
    assert house.pulse.counters.telegrams >= 6


def test_ticks_that_come_round_are_no_stall(driver, monkeypatch):
    house = House(driver, source="pulse")
    now = [0x3FFFFFFF - 15]
    monkeypatch.setattr(time, "ticks_ms", lambda: now[0])
    house.pulse.look()
    for _ in range(5):
        now[0] = now[0] + 10 & 0x3FFFFFFF
        assert house.pulse.look() == 10
    assert house.pulse.stall_ms == 10


# ---- the whole firmware


def settings_for(port, **meter):
    """Without debouncing: a busy machine sends pulses late and then two at once, as no meter does."""
    return {"mqtt": {"host": "127.0.0.1", "port": port, "discovery": False},
            "meter": dict(meter, source="pulse", debounce_ms=0)}


def send(wire, count, spacing_s):
    """Pulses at their own pace, whatever the machine is busy with."""
    began = time.monotonic()
    for k in range(count):
        time.sleep(max(0, began + k * spacing_s - time.monotonic()))
        wire.send(b"\x01")


def register_at(listener, firmware, wh):
    """Wait for a register; every reading until then."""
    listener.wait(firmware.topic("reading"), lambda text: json.loads(text)["import_wh"] == wh)
    return [json.loads(text) for text in listener.payloads(firmware.topic("reading"))]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_pulses_at_30_kw_come_back_from_the_broker_as_an_exact_register(tmp_path, runtime):
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        settings = settings_for(broker.port, start_wh=12_345_000)
        with Wire() as wire, Firmware(tmp_path, wire.uart, settings, runtime) as firmware:
            listener.wait(firmware.topic("reading"))
            send(wire, 84, 0.12)
            readings = register_at(listener, firmware, 12_345_084)
            powers = [reading["power_import_w"] for reading in readings if "power_import_w" in reading]
            assert any(27_000 <= power <= 33_000 for power in powers), powers
            assert abs(readings[-1]["time"] - time.time()) < 60
            assert firmware.logged("reading pulse telegrams") and not firmware.logged("error")
            health = json.loads(listener.wait(firmware.topic("health"), lambda text: json.loads(text)["bytes"], 90))
            assert health["family"] == "pulse" and health["meter"] == "ok"


def test_the_register_goes_on_after_a_restart_and_never_back_after_a_power_cut(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        settings = settings_for(broker.port, start_wh=1000, pulses_per_kwh=10000)
        with Wire() as wire, Firmware(tmp_path, wire.uart, settings) as firmware:
            listener.wait(firmware.topic("reading"))
            send(wire, 200, 0.012)
            listener.wait(firmware.topic("reading"), lambda text: b"power_import_w" in text)
            time.sleep(0.5)
        listener.messages.clear()
        with Wire() as wire, Firmware(tmp_path, wire.uart, settings) as firmware:
            register_at(listener, firmware, 1020)  # the chip's memory outlives a restart
            send(wire, 30, 0.012)
            register_at(listener, firmware, 1023)  # this one is on the flash
            send(wire, 30, 0.012)
        (tmp_path / "state" / "rtc.bin").unlink()
        listener.messages.clear()
        with Wire() as wire, Firmware(tmp_path, wire.uart, settings) as firmware:
            first = json.loads(listener.wait(firmware.topic("reading")))["import_wh"]
            assert 1023 <= first <= 1026


WEAR = """
import os, vfs
class Flash:  # 240 blocks of 4096 bytes, as behind the OTA image; counts erases
    def __init__(self):
        self.data, self.erases = bytearray(b"\\xff" * 240 * 4096), [0] * 240
    def readblocks(self, block, buf, at=0):
        at += block * 4096
        buf[:] = memoryview(self.data)[at:at + len(buf)]
    def writeblocks(self, block, buf, at=0):
        at += block * 4096
        self.data[at:at + len(buf)] = buf
    def ioctl(self, what, block):
        if what == 6:
            self.erases[block] += 1
            self.data[block * 4096:block * 4096 + 4096] = b"\\xff" * 4096
        return {4: 240, 5: 4096}.get(what, 0)
flash = Flash()
sizes = {"progsize": 32, "readsize": 32, "lookahead": 32}
vfs.VfsLfs2.mkfs(flash, **sizes)
vfs.mount(vfs.VfsLfs2(flash, **sizes), "/flash")
os.chdir("/flash")
with open("settings.json", "w") as file:
    file.write("x" * 700)
flash.erases = [0] * 240
for k in range(5000):
    with open("pulse.bin.new", "wb") as file:
        file.write(b"%036d" % k)
    os.rename("pulse.bin.new", "pulse.bin")
print(sum(flash.erases), max(flash.erases))
"""


def test_saving_the_register_wears_the_flash_as_little_as_the_document_says():
    command, environment = micropython("micropython", heap="8m")
    done = subprocess.run([*command, "-c", WEAR], env=environment, capture_output=True, text=True, check=True)
    erases, of_one_block = map(int, done.stdout.split())
    assert 5000 // 16 < erases < 5000 // 13 and of_one_block <= 102


@pytest.mark.parametrize("source", ["pulse", "glow"])
def test_without_the_port_nothing_of_it_is_imported(tmp_path, source):
    state = tmp_path / "state"
    identity = dongle.prepare(state)
    words, environment = dongle.command("file:/dev/null", state, identity, "micropython32", slot=False)
    program = ("import sys; from wattport import settings, log, app; "
               "app.App(settings.check({'meter': {'source': '%s'}}), log.Log()); print(list(sys.modules))" % source)
    done = subprocess.run([*words[:-1], "-c", program], env=environment, cwd=state, capture_output=True, text=True)
    imported = ast.literal_eval(done.stdout.splitlines()[-1])
    assert "wattport.link." + source in imported
    of_the_port = [name for name in imported if name.startswith(("wattport.frame", "wattport.crypto", "wattport.meter"))
                   or name == "wattport.link.uart"]
    assert not of_the_port
    decoders = [name for name in imported if name.startswith("wattport.decode.")]
    assert set(decoders) <= ({"wattport.decode.glow", "wattport.decode.jsontext"} if source == "glow" else set())
