# SPDX-License-Identifier: MIT
"""Half-hours → local days: 48 of them, 46 or 50 where the clocks change."""

from array import array

from micropython import const

from wattport.civil import day as local_day
from wattport.civil import fields

_STEP_S = const(1800)
_SLOTS = const(52)  # the longest day, and one more where a zone changes by more than an hour
_PIECE = const(8)  # rows between two pauses

MISSING = -1 << 31  # no price for a half-hour


class Day:
    """`first`, `last`: UTC of its ends. `number`: the day since 1970; `year`, `month`, `date`, `weekday` (Monday is 0).

    For the ways 0, import, and 1, export: `wh`[way][slot], `sums`[way], `registers`[way] = [T1, T2], and `bare`[way],
    the Wh of half-hours whose row tells no register. `count` slots; the clock at slot i shows the half-hour `clock`[i]
    of the day. `rows` half-hours were there, `wanted` should have been; `begins`: the day's start is in the range.
    """

    def __init__(self):
        self.wh = array("i", bytes(4 * _SLOTS)), array("i", bytes(4 * _SLOTS))
        self.sums = [0, 0]
        self.registers = [0, 0], [0, 0]
        self.bare = [0, 0]
        self.bare_rows = [0, 0]
        self.clock = bytearray(_SLOTS)
        self.prices = array("i", bytes(4 * _SLOTS))
        self._priced = None

    def begin(self, zone, at, start, end):
        """The day that `at` lies in, of the range from `start` to `end`."""
        first, last = local_day(zone, at)
        self.first, self.last = first, last
        self.begins = first >= start
        self.year, self.month, self.date, _, _, _, self.weekday = fields(first + zone.offset(first))
        self.number = (first + zone.offset(first)) // 86400
        self.slot = -(-first // _STEP_S) * _STEP_S  # where the first one starts
        self.count = (last - self.slot + _STEP_S - 1) // _STEP_S
        self.rows = 0
        self.wanted = -(-min(last, end) // _STEP_S) + -max(first, start) // _STEP_S
        plain = last - first == 86400
        for i in range(self.count):
            self.wh[0][i] = self.wh[1][i] = 0
            if plain:
                self.clock[i] = i
            else:
                utc = self.slot + i * _STEP_S
                self.clock[i] = (utc + zone.offset(utc)) % 86400 // _STEP_S
        for way in (0, 1):
            self.sums[way] = self.bare[way] = self.bare_rows[way] = self.registers[way][0] = self.registers[way][1] = 0
        self._priced = None

    def take(self, at, values):
        """A row of this day."""
        self.rows += 1
        slot = (at - self.slot) // _STEP_S
        for way, name in ((0, "import_"), (1, "export_")):
            wh = values.get(name + "wh") or 0
            self.wh[way][slot] = wh
            self.sums[way] += wh
            one, two = values.get(name + "t1_wh"), values.get(name + "t2_wh")
            if one is None and two is None:
                self.bare[way] += wh
                self.bare_rows[way] += wh != 0
            else:
                self.registers[way][0] += one or 0
                self.registers[way][1] += two or 0

    def spot(self, prices, currency):
        """For each slot twice its price, in micro-units a kWh (what two quarter-hours cost together), or MISSING."""
        if self._priced != currency:  # contracts that are compared share them
            self._priced = currency
            for i in range(self.count):
                self.prices[i] = MISSING
            if prices:
                prices.fill(currency, self.slot, self.count, self.prices)
        return self.prices


def days(rows, zone, start, end):
    """Each local day from `start` to `end` (UTC) in one object that is used again and again; None, for a pause, every
    few rows. rows: (start, flags, values), in the order of time; days without any come too."""
    day = Day()
    rows = iter(rows)
    row = next(rows, None)
    at = start
    while at < end:
        day.begin(zone, at, start, end)
        until = min(day.last, end)
        number = 0
        while row is not None and row[0] < until:
            if row[0] >= at:
                day.take(row[0], row[2])
            row = next(rows, None)
            number += 1
            if number % _PIECE == 0:
                yield None
        yield day
        at = day.last
