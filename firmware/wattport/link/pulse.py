# SPDX-License-Identifier: MIT
"""A meter's pulses: its LED before a light sensor, or its S0 output (EN 62053-31), on one pin.

Where the firmware has esp32.PCNT (MicroPython 1.26 and later) the chip counts by itself, whatever Python does. Before,
each edge interrupts: the handler runs between two bytecodes, and eight at most wait for that. See docs/uk.md.

What is published is on the flash already, so no power cut takes the register back. What has come since is in the RTC
memory, which a reset leaves alone.
"""

import asyncio

import machine
from micropython import const

from wattport.files import replace
from wattport.link.count import RECORD_SIZE, Pulses, Register
from wattport.link.source import Source
from wattport.wall import own_time

_PATH = "pulse.bin"
_LOOK_MS = const(10)
_SAVE_MS = const(10000)
_EVERY_MS = const(10000)  # a reading without a pulse: the power falls
_SOONEST_MS = const(1000)  # a reading for a pulse
_LIMIT = const(30000)  # where the chip's counter, of 16 bits, starts anew
_FILTER = const(1023)  # of 80 MHz, the most there is: needles of 13 µs are no edges


class _Counter:
    """Edges that the chip counts, or that interrupt."""

    def __init__(self, pin, rising):
        self._count = self._taken = 0
        self._unit = None
        try:
            from esp32 import PCNT
        except ImportError:
            edge = machine.Pin.IRQ_RISING if rising else machine.Pin.IRQ_FALLING
            pin.irq(self._edge, edge)
            return
        edge = {"rising" if rising else "falling": PCNT.INCREMENT}
        self._unit = PCNT(0, pin=pin, max=_LIMIT, filter=_FILTER, **edge)
        self._unit.start()

    def _edge(self, pin):
        self._count = self._count + 1 & 0x3FFFFFFF

    def take(self):
        """Edges since the last time. An edge in between is none that gets lost: nothing is ever set to zero."""
        unit = self._unit
        count = unit.value() if unit else self._count
        edges = count - self._taken
        self._taken = count
        if edges < 0:
            edges += _LIMIT if unit else 0x40000000
        return edges


def _stored():
    try:
        with open(_PATH, "rb") as file:
            return file.read(RECORD_SIZE + 1)
    except OSError:
        return b""


class Pulse(Source):
    """`settings`: the group `meter`. `on_reading(reading, family)` hears of each pulse, at most one a second, and every
    ten seconds. `bytes` counts pulses, `garbage` bounces."""

    def __init__(self, board, settings, on_reading, log):
        super().__init__()
        self._on_reading = on_reading
        self._log = log
        pin = machine.Pin(getattr(board, "PULSE", board.RX), machine.Pin.IN, machine.Pin.PULL_UP)
        way = "export" if settings["pulse_export"] else "import"
        self._names = way + "_wh", "power_%s_w" % way
        self._pulses = Pulses(settings["pulses_per_kwh"], settings["debounce_ms"])
        self._rtc = machine.RTC() if hasattr(machine, "RTC") else None
        self._register = Register(settings["pulses_per_kwh"], settings["start_wh"],
                                  [_stored(), self._rtc.memory() if self._rtc else b""])
        self._record = bytearray(RECORD_SIZE)
        self._shown = self._register.wh
        self._unsaved = True
        self._saved_ms = self._told_ms = _SAVE_MS  # since then
        self._counter = _Counter(pin, settings["pulse_edge"] == "rising")

    def turn(self, gap_ms):
        """One look at the input, `gap_ms` after the last."""
        edges = self._counter.take()
        pulses = self._pulses.look(edges, gap_ms)
        if edges:
            self.bytes += pulses
            self.garbage += edges - pulses
        if pulses:
            self._register.add(pulses)
            self._unsaved = True
            if self._rtc:
                self._register.write(self._record)
                self._rtc.memory(self._record)
        self._saved_ms = min(self._saved_ms + gap_ms, _SAVE_MS)
        self._told_ms = min(self._told_ms + gap_ms, _EVERY_MS)
        if self._told_ms >= _EVERY_MS or pulses and self._told_ms >= _SOONEST_MS:
            self._told_ms = 0
            if self._unsaved and self._saved_ms >= _SAVE_MS:
                self._save()
            self._tell()

    def _save(self):
        self._saved_ms = 0
        self._register.write(self._record)
        try:
            replace(_PATH, self._record, False)  # a sync every ten seconds would be felt on a PC
            self._unsaved = False
        except OSError as error:
            self._log.limited("pulse", "error", "the register can't be kept: %s" % error)
        self._shown = self._register.wh

    def _tell(self):
        reading = {self._names[0]: self._shown}
        watts = self._pulses.watts
        if watts is not None:
            reading[self._names[1]] = watts
        now = own_time()
        if now is not None:
            reading["time"] = now
        if self.bytes:  # before the first pulse nobody knows whether the sensor sits right
            self.frames += 1
            self.telegrams += 1
        self._on_reading(reading, "pulse")

    async def run(self):
        while True:
            self.turn(self.look())
            await asyncio.sleep_ms(_LOOK_MS)
