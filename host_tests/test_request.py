# SPDX-License-Identifier: MIT
"""Requests to a meter behind an optical head, in simulated time: the meter understands only what comes at its own baud,
and its bytes come as slowly as they do."""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
import types

import pytest

from host_tests.brokers import Listener, Mosquitto
from host_tests.firmware import Firmware
from tools import cpython, meters
from tools.compile import RUNTIMES, micropython
from tools.paths import ROOT

cpython.install()

from wattport.meter import Meter  # noqa: E402

START = 1_760_000_000


class Enough(Exception):
    pass


class Clock:
    """Milliseconds that pass only in sleep_ms."""

    def __init__(self, lasts_s):
        self.ms = 0
        self.end = lasts_s * 1000

    async def sleep_ms(self, ms):
        self.ms += max(1, ms)
        if self.ms > self.end:
            raise Enough
        await asyncio.sleep(0)


class Head:
    """An optical head with a meter of the family "iec-c" under it, as a UART. `mode` "C", "B", "A"; `deaf` to the
    acknowledgement; `echo`: the head hears itself."""

    INV_RX = 1

    def __init__(self, clock, mode="C", letter="5", deaf=False, echo=False, absent=False, broken=0):
        self.clock = clock
        self.mode, self.letter, self.deaf, self.echo, self.absent = mode, letter, deaf, echo, absent
        self.broken = broken
        self.meter = meters.make("iec-c", seed=3, start=START)
        self.sent = []  # readings
        self.inits = []
        self.asked = []  # ms
        self.arriving = []  # (ms, baud, byte)
        self.block = None
        self.heard = b""

    def __call__(self, number, baudrate, bits, parity, stop, **rest):
        assert (bits, parity, stop) == (7, 0, 1)
        self.baud = baudrate
        return self

    def init(self, baudrate, bits, parity, stop, **rest):
        assert (bits, parity, stop) == (7, 0, 1)
        assert not self.arriving or self.arriving[-1][0] <= self.clock.ms or self.arriving[-1][1] == baudrate
        self.baud = baudrate
        self.inits.append(baudrate)

    def _send(self, data, baud, after_ms):
        at = max([self.clock.ms + after_ms] + [ms for ms, _, _ in self.arriving[-1:]])
        for i, byte in enumerate(data):
            self.arriving.append((at + (i + 1) * 10_000 / baud, baud, byte))

    def write(self, data):
        lasts = len(data) * 10_000 / self.baud
        if self.echo:
            self._send(data, self.baud, 0)
        if self.absent or self.baud != 300:
            return
        if data == b"/?!\r\n":
            self.asked.append(self.clock.ms)
            telegram, reading = self.meter.next()
            head, self.block = self.meter.family.parts(telegram)
            self.sent.append(reading)
            head = head[:4] + self.letter.encode() + head[5:]
            if self.broken:
                self.broken -= 1
                self.block = self.block[:-1] + bytes([self.block[-1] ^ 1])
            self._send(head, 300, lasts + 900)
            if self.mode != "C":
                baud = 600 << ord(self.letter) - 65 if self.mode == "B" else 300
                self._send(self.block, baud, lasts + 900 + 300)
        elif found := re.fullmatch(rb"\x060(.)0\r\n", data):
            assert self.mode == "C" and found[1] == self.letter.encode()
            if not self.deaf:
                self._send(self.block, 300 << int(self.letter), lasts + 400)

    def readinto(self, buf):
        size = 0
        while self.arriving and self.arriving[0][0] <= self.clock.ms and size < len(buf):
            _, baud, byte = self.arriving.pop(0)
            buf[size] = byte if baud == self.baud else 0x55  # another baud makes rubbish of it
            size += 1
        return size or None


class Log:
    def __init__(self):
        self.lines = []

    def limited(self, kind, level, text):
        self.lines.append(text)


def run(monkeypatch, lasts_s=100, request_s=30, **options):
    """(head, readings, errors, the Request)"""
    clock = Clock(lasts_s)
    head = Head(clock, **options)
    machine = types.ModuleType("machine")
    machine.UART = head
    monkeypatch.setitem(sys.modules, "machine", machine)
    from wattport.link import request
    monkeypatch.setattr(request, "machine", machine)
    monkeypatch.setattr(request.asyncio, "sleep_ms", clock.sleep_ms, raising=False)
    monkeypatch.setattr(time, "ticks_ms", lambda: clock.ms)
    readings, errors = [], []
    meter = Meter(lambda reading, family: readings.append(reading), lambda error, frame: errors.append(error.kind),
                  protocol="P1")
    board = types.SimpleNamespace(UART=1, RX=3, TX=1)
    log = Log()
    line = request.Request(board, {"request_s": request_s, "invert": False}, meter, log)
    with pytest.raises(Enough):
        asyncio.run(line.run())
    line.log = log
    return head, readings, errors, line


def held(reading, expected):
    return {name: reading.get(name) for name in expected} == expected


@pytest.mark.parametrize("letter", "0123456")
@pytest.mark.parametrize("echo", [False, True])
def test_mode_c_is_read_at_the_baud_that_the_meter_offers_and_the_line_comes_back_to_300(monkeypatch, letter, echo):
    head, readings, errors, line = run(monkeypatch, 200, 40, letter=letter, echo=echo)
    assert not errors and len(readings) >= 4
    assert all(held(*pair) for pair in zip(readings, head.sent))
    assert set(head.inits) == {300, 300 << int(letter)} and head.inits[-1] == 300
    assert all(abs(later - earlier - 40_000) < 1000 for earlier, later in zip(head.asked, head.asked[1:]))
    assert line.answered and not line.log.lines and line.stall_ms <= 50


@pytest.mark.parametrize("mode, letter", [("A", "!"), ("A", "x"), ("B", "A"), ("B", "E")])
def test_modes_a_and_b_are_followed_without_an_acknowledgement(monkeypatch, mode, letter):
    head, readings, errors, _ = run(monkeypatch, 85, mode=mode, letter=letter)
    assert not errors and len(readings) >= 3 and all(held(*pair) for pair in zip(readings, head.sent))


def test_a_meter_that_is_not_there_is_asked_again_and_told_of(monkeypatch):
    head, readings, errors, line = run(monkeypatch, absent=True, echo=True)
    assert not readings and not errors and not line.answered
    assert line.looks > 1000 and len(line.log.lines) == 4


def test_a_meter_that_ignores_the_acknowledgement_holds_nothing_up(monkeypatch):
    head, readings, errors, line = run(monkeypatch, deaf=True)
    assert len(head.asked) == 4 and not readings and set(errors) <= {"truncated"}
    assert head.inits[-1] == 300


def test_a_wrong_block_check_costs_one_answer(monkeypatch):
    head, readings, errors, _ = run(monkeypatch, broken=2)
    assert errors == ["checksum"] * 2 and len(readings) == 2 and held(readings[0], head.sent[2])


SCENARIO = """
import asyncio, json, time
import board
from wattport.link.request import Request
from wattport.log import Log
from wattport.meter import Meter

def on_reading(reading, family):
    print(json.dumps([family, reading["import_wh"]]))

async def main():
    meter = Meter(on_reading, lambda error, frame: print(error), protocol="P1")
    line = Request(board, {"request_s": 1, "invert": False}, meter, Log())
    task = asyncio.create_task(line.run())
    began = time.ticks_ms()
    while meter.counters.telegrams < 3 and time.ticks_diff(time.ticks_ms(), began) < 20000:
        await asyncio.sleep_ms(50)

asyncio.run(main())
"""


@contextlib.contextmanager
def asked_meter():
    """Where a meter of the family "iec-c" listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.meter", "--family", "iec-c", "--seed", "3", "tcp:0"], cwd=ROOT,
        stderr=subprocess.PIPE)
    with process:
        try:
            while b"listening" not in (line := process.stderr.readline()):
                assert line
            yield "tcp:127.0.0.1:%d" % int(line.rsplit(b":", 1)[1])
        finally:
            process.kill()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_simulated_meter_is_asked_over_the_simulated_uart(tmp_path, runtime):
    (tmp_path / "scenario.py").write_text(SCENARIO)
    with asked_meter() as place:
        command, environment = micropython(runtime, [ROOT / "tools" / "sim"], "136k")
        environment["WATTPORT_UART"] = place
        done = subprocess.run([*command, str(tmp_path / "scenario.py")], env=environment, cwd=tmp_path, timeout=60,
                              capture_output=True, text=True)
    readings = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(readings) == 3 and all(family == "iec62056-21" for family, _ in readings), done
    assert readings[0][1] <= readings[1][1] <= readings[2][1]


def test_the_whole_firmware_asks_and_publishes(tmp_path):
    with asked_meter() as place, Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        options = {"mqtt": {"host": "127.0.0.1", "port": broker.port, "discovery": False}, "meter": {"request_s": 1}}
        with Firmware(tmp_path, place, options) as firmware:
            assert "asked each 1 s" in firmware.wait_for_log("meter line")
            # registers wait for a second reading that confirms them
            reading = json.loads(listener.wait(firmware.topic("reading"), lambda text: "import_wh" in json.loads(text)))
            assert reading["meter_model"] == "LGZ5\\2ZMF100AC.M27" and reading["import_wh"] > 0
            assert json.loads(listener.wait(firmware.topic("health")))["line"] == "300 7E1, asked each 1 s"
