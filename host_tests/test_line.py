# SPDX-License-Identifier: MIT
"""The line's driver: in simulated time with a chip made of a wave and a receiver, and in the whole firmware."""

import asyncio
import importlib
import sys
import time
import types

import pytest

from host_tests.brokers import Listener, Mosquitto, eventually
from host_tests.firmware import Firmware, Wire
from host_tests.lines import SECOND, Noise, Sender, Silence, usual_line
from tools import meters
from tools.sim.wire import Receiver, Wave
from wattport.meter import Meter


class Enough(Exception):
    pass


class Chip:
    """Stands in for `machine`, `time` and the flash's folder; `plug` a sender in, `run` a Line."""

    def __init__(self, monkeypatch, folder):
        self.now = 0
        self.log = []
        self.opened = []
        self.pins = {}
        self.readings = []
        self.renewed = 0
        monkeypatch.chdir(folder)
        machine = types.ModuleType("machine")
        chip = self

        class Pin:
            IN, OUT = 0, 1

            def __init__(self, number, mode, value=None):
                chip.pins[number] = value

            def value(self):
                return chip.wave.at(chip.now) ^ chip.inverted

        class UART:
            INV_RX = 1

            def __init__(self, number, rx, tx, rxbuf, **options):
                self.init(**options)

            def init(self, baudrate, bits, parity, stop, timeout, timeout_char, invert):
                form = "%d%s%d" % (bits, "N" if parity is None else "E", stop)
                chip.opened.append((baudrate, form, bool(invert)))
                chip.listen()

            def readinto(self, buf):
                data = [byte for _, byte in chip.receiver.receive(chip.now)]
                buf[:len(data)] = data
                return len(data) or None

        machine.Pin, machine.UART = Pin, UART
        monkeypatch.setitem(sys.modules, "machine", machine)
        monkeypatch.delitem(sys.modules, "wattport.link.uart", raising=False)
        self.module = importlib.import_module("wattport.link.uart")
        monkeypatch.delitem(sys.modules, "wattport.link.uart")
        clock = types.SimpleNamespace(
            ticks_ms=lambda: self.now * 1000 // SECOND & 0x3FFFFFFF,
            ticks_diff=lambda a, b: ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000)
        monkeypatch.setattr(self.module, "time", clock)
        monkeypatch.setattr(asyncio, "sleep_ms", self._sleep, raising=False)
        self.inverted = True
        self.wave = Wave()

    async def _sleep(self, ms):
        self.now += max(1, ms) * SECOND // 1000
        self.sender.run(self.wave, self.now)
        self.wave.forget(self.now - SECOND)
        if self.now >= self.until or self.ready():
            raise Enough

    def listen(self):
        baud, form, invert = self.opened[-1]
        self.receiver = Receiver(self.wave, baud, form, invert != self.inverted, self.now)

    def plug(self, sender, inverted=True):
        self.sender, self.inverted = sender, inverted
        self.wave = Wave()
        self.wave.end = self.now
        sender.start(self.wave, self.now)
        sender.run(self.wave, self.now)
        if self.opened:
            self.listen()

    def meter(self, protocol="auto"):
        return Meter(lambda reading, family: self.readings.append(family), lambda error, frame: None, protocol=protocol)

    def line(self, kept=None, **settings):
        board = types.SimpleNamespace(UART=1, RX=16, TX=17, **settings.pop("pins", {}))
        meter = self.meter(kept[3] if kept else "auto")

        def renew():
            self.renewed += 1
            fresh = self.meter()
            fresh.counters = meter.counters
            return fresh
        return self.module.Line(board, {"baud": 0, "format": "8N1", "invert": True, **settings}, meter,
                                lambda level, text: self.log.append(text), kept, renew)

    def run(self, line, seconds, ready=lambda: False):
        """Seconds that it took; all of them when it never came true."""
        began = self.now
        self.until, self.ready = self.now + seconds * SECOND, ready
        with pytest.raises(Enough):
            asyncio.run(line.run())
        return (self.now - began) / SECOND


@pytest.fixture
def chip(monkeypatch, tmp_path):
    return Chip(monkeypatch, tmp_path)


def sender_of(family, line=None, seed=1):
    meter = meters.make(family, seed=3, start=1760000000)
    return Sender([meter.next()[0] for _ in range(4)], *(line or usual_line(family)), meter.family.interval_s, seed)


def test_what_was_found_is_kept_told_and_the_detector_is_let_go(chip, tmp_path):
    chip.plug(sender_of("kamstrup", (2400, "8E1")), inverted=False)
    line = chip.line()
    assert not line.found
    assert chip.run(line, 60, lambda: (tmp_path / "line.txt").exists()) < 60
    assert line.found and line.text == "2400 8E1"
    assert (tmp_path / "line.txt").read_text() == "2400 8E1 plain HDLC\n"
    assert sorted(path.name for path in tmp_path.glob("line*")) == ["line.txt"]
    assert "the meter's line is 2400 8E1, HDLC" in chip.log
    assert "wattport.link.detect" not in sys.modules and "wattport.link.search" not in sys.modules
    count = len(chip.opened)
    chip.run(line, 600)
    assert len(chip.readings) > 50
    assert chip.opened[count:] == []


def test_a_kept_line_is_opened_first_and_read_at_once(chip, tmp_path):
    from wattport.link import kept
    (tmp_path / "line.txt").write_text("9600 7E1 inverted P1\n")
    chip.plug(sender_of("dsmr2"))
    line = chip.line(kept.load())
    assert chip.opened == [(9600, "7E1", True)]
    assert chip.run(line, 60, lambda: chip.readings) < 22
    chip.run(line, 30)
    assert set(chip.opened) == {(9600, "7E1", True)} and not chip.renewed
    assert "no longer" not in " ".join(chip.log)


def test_a_meter_that_another_one_takes_the_place_of_is_found_again(chip, tmp_path):
    chip.plug(sender_of("dsmr5"))
    line = chip.line()
    chip.run(line, 20)
    assert line.text == "115200 8N1 inverted"
    assert (tmp_path / "line.txt").read_text().startswith("115200 8N1 inverted P1")
    chip.plug(Silence())
    chip.run(line, 1000)
    assert line.found
    chip.plug(sender_of("kamstrup", (2400, "8E1")), inverted=False)
    before = len(chip.readings)
    seconds = chip.run(line, 400, lambda: len(chip.readings) > before)
    assert seconds < 120 + 60, chip.opened
    assert line.text == "2400 8E1" and chip.renewed == 1
    assert any("no longer 115200 8N1," in text for text in chip.log)
    chip.run(line, 30)
    assert (tmp_path / "line.txt").read_text() == "2400 8E1 plain HDLC\n"


def test_a_kept_line_that_is_wrong_is_left_for_a_meter_of_any_protocol(chip):
    chip.plug(sender_of("dsmr4"))
    line = chip.line((2400, "8E1", True, "HDLC"))
    assert chip.run(line, 100, lambda: chip.readings) < 60
    assert chip.renewed == 1 and line.text == "115200 8N1 inverted"


def test_a_kept_protocol_that_is_wrong_is_left_though_the_settings_are_right(chip):
    chip.plug(sender_of("dsmr4"))
    line = chip.line((115200, "8N1", True, "HDLC"))
    assert chip.run(line, 100, lambda: chip.readings) < 60
    assert chip.renewed == 1


def test_silence_for_a_month_changes_nothing(chip):
    """Longer than the twelve days in which the ticks come round."""
    chip.plug(sender_of("dsmr4"))
    line = chip.line()
    chip.run(line, 25, lambda: line.found)
    chip.run(line, 15)
    chip.plug(Silence())
    for _ in range(30):
        chip.run(line, 20)
        chip.now += 86400 * SECOND
    assert line.found and line.text == "115200 8N1 inverted" and not chip.renewed


def test_noise_is_not_kept(chip, tmp_path):
    chip.plug(Noise())
    line = chip.line()
    chip.run(line, 300)
    assert not (tmp_path / "line.txt").exists()


def test_settings_with_a_baud_are_taken_as_they_are(chip):
    chip.plug(sender_of("dsmr4"))
    line = chip.line(baud=9600, format="7E1", invert=False)
    assert line.found
    chip.run(line, 400)
    assert chip.opened == [(9600, "7E1", False)] and 16 not in chip.pins


def test_the_data_request_is_driven_where_the_board_has_one(chip):
    chip.plug(Silence())
    chip.line()
    assert set(chip.pins) == {16}
    chip.line(pins={"REQUEST": 4})
    assert chip.pins[4] == 1
    chip.line(pins={"REQUEST": 5, "REQUEST_ACTIVE": 0})
    assert chip.pins[5] == 0


@pytest.mark.parametrize("text", [
    "", "2400", "2400 8E1 plain", "2401 8E1 plain HDLC", "2400 8O1 plain HDLC", "2400 8E1 upside HDLC",
    "2400 8E1 plain DLMS", "x 8E1 plain HDLC", "2400 8E1 plain HDLC more"])
def test_a_file_that_no_dongle_wrote_is_no_line(tmp_path, monkeypatch, text):
    from wattport.link import kept
    monkeypatch.chdir(tmp_path)
    assert kept.load() is None
    (tmp_path / "line.txt").write_text(text)
    assert kept.load() is None
    kept.keep(2400, "8E1", False, "HDLC")
    assert kept.load() == (2400, "8E1", False, "HDLC")


@pytest.mark.parametrize("family, line, told", [
    ("dsmr5", "115200 8N1 inverted", "115200 8N1 inverted, P1"),
    ("dsmr2", "9600 7E1 inverted", "9600 7E1 inverted, P1"),
    ("kamstrup", "2400 8E1", "2400 8E1, HDLC"),
])
def test_the_firmware_finds_a_simulated_line_and_starts_with_it_the_next_time(tmp_path, family, line, told):
    meter = meters.make(family, seed=5, start=1_760_000_000)
    with Mosquitto(tmp_path) as broker:
        settings = {"mqtt": {"host": "127.0.0.1", "port": broker.port, "discovery": False}}
        for start in (1, 2):
            with Listener(broker.port) as listener, Wire() as wire:
                with Firmware(tmp_path, wire.uart, settings, line=line) as firmware:
                    for _ in range(20):
                        wire.send(meter.next()[0])
                        time.sleep(2.5)
                        if listener.payloads(firmware.topic("reading")):
                            break
                    assert firmware.logged("the meter's line is " + told), firmware.log
                    assert start == 1 or firmware.logged("meter line %s, to be found" % told.split(",")[0])
                    if start == 1:
                        firmware.wait_for_log("the meter's line is")
                        eventually((tmp_path / "state" / "line.txt").exists, "the line to be kept, %s" % firmware.log)
