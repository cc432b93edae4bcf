# SPDX-License-Identifier: MIT
"""Pulses of a meter → power and a register, in exact integers. Pure: time comes in as milliseconds that have passed.

One record of the register, 36 bytes, little-endian, as it is kept in the flash and in the chip's RTC memory:

    "WPp1"  pulses a kWh (4)  start, Wh (8)  base, Wh (8)  pulses since the base (8)  CRC-32 of all that (4)

The start is what the household read off the meter's face; another one in the settings begins a new register. The base
differs from it after a change of the pulses a kWh.
"""

import struct
from binascii import crc32

from micropython import const

RECORD_SIZE = const(36)
MOST_PER_KWH = const(100000)
_FORMAT = "<4sIQQQI"
_CHECKED = const(32)  # bytes before the CRC
_MARK = b"WPp1"
_MOST_WH = 10 ** 14
_MOST_PULSES = 10 ** 16

_LOOK_MS = const(10)  # between two looks at the input
_DAY_MS = const(86400000)
_WINDOW_MS = const(2000)  # over which fast pulses are averaged
_SLOW_MS = const(500)  # pulses that far apart tell the power each: a look's 10 ms are 2 % of that
_WMS_PER_KWH = 3600000000  # watt-milliseconds
# at 30 kW pulses come 120 000 / n ms apart, n a kWh: no debouncing may take longer than half of that
_HALF_SPACING = const(60000)


class Pulses:
    """Edges as they are seen at each look → pulses, and the power by their spacing.

    per_kwh: 1 to MOST_PER_KWH. debounce_ms: an edge that follows another one within this time is a bounce; 0 for none;
    cut to what lets every pulse of 30 kW through.
    """

    def __init__(self, per_kwh, debounce_ms):
        self._per_kwh = per_kwh
        self._hold = min(debounce_ms, _HALF_SPACING // per_kwh)
        self._quiet = _DAY_MS  # since the last edge
        self._since = -1  # since the last pulse; -1 before the first
        self._span = self._inside = 0  # time and pulses since the pulse that began the window
        self._watts = None

    def look(self, edges, gap_ms):
        """`edges` seen in the `gap_ms` since the last look; how many of them are pulses.

        After a stall the edges of a long time come together, and nobody knows when each was. As many as can have been
        pulses are taken for pulses.
        """
        self._quiet = min(self._quiet + gap_ms, _DAY_MS)
        if self._since >= 0:
            self._since = min(self._since + gap_ms, _DAY_MS)
            self._span = min(self._span + gap_ms, _DAY_MS)
        if not edges:
            return 0
        hold = self._hold
        pulses = edges
        if hold:
            pulses = min(edges, 1 + gap_ms // hold) if self._quiet >= hold else 0
            self._quiet = max(0, gap_ms - _LOOK_MS)  # the last edge of a stall may have been its first moment
        if pulses:
            self._add(pulses)
        return pulses

    def _add(self, pulses):
        if self._since < 0:
            self._since = 0
            return
        self._inside += pulses
        if self._since >= _SLOW_MS:  # what came before was another load
            self._span, self._inside = self._since, pulses
        if self._span >= _WINDOW_MS or self._since >= _SLOW_MS:
            self._watts = _WMS_PER_KWH * self._inside // (self._per_kwh * max(1, self._span))
            self._span = self._inside = 0
        self._since = 0

    @property
    def watts(self):
        """The power; None until two pulses have come. It falls while none comes: no more than one pulse in the time
        since the last."""
        if self._watts is None or self._since <= 0:
            return self._watts
        return min(self._watts, _WMS_PER_KWH // (self._per_kwh * self._since))


def _read(record):
    """(pulses a kWh, start, base, pulses) of a record, or None when it is none."""
    if not record or len(record) != RECORD_SIZE:
        return None
    mark, per_kwh, start, base, pulses, check = struct.unpack(_FORMAT, record)
    if check != crc32(memoryview(record)[:_CHECKED]) or mark != _MARK:
        return None
    if not 1 <= per_kwh <= MOST_PER_KWH or max(start, base) > _MOST_WH or pulses > _MOST_PULSES:
        return None
    return per_kwh, start, base, pulses


class Register:
    """Goes on from the highest of `records` (bytes, whatever they hold) that began with the same `start_wh`; starts
    there when none does."""

    def __init__(self, per_kwh, start_wh, records):
        self._per_kwh = per_kwh
        self._start = self._base = start_wh
        self._pulses = 0
        for record in records:
            found = _read(record)
            if found and found[1] == start_wh:
                _, _, base, pulses = found
                wh = base + pulses * 1000 // found[0]
                if wh < self.wh:
                    continue
                if found[0] != per_kwh:  # its fraction of a watt-hour is given up
                    base, pulses = wh, 0
                if wh > self.wh or base == self._base and pulses > self._pulses:
                    self._base, self._pulses = base, pulses

    def add(self, pulses):
        self._pulses += pulses

    @property
    def wh(self):
        return self._base + self._pulses * 1000 // self._per_kwh

    def write(self, record):
        """Put the register into a bytearray of RECORD_SIZE."""
        struct.pack_into(_FORMAT, record, 0, _MARK, self._per_kwh, self._start, self._base, self._pulses, 0)
        struct.pack_into("<I", record, _CHECKED, crc32(memoryview(record)[:_CHECKED]))
