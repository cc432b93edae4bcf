# SPDX-License-Identifier: MIT
"""What the history sees of each Reading: as little as can be. What happens each half-hour is in `ledger`, loaded for
it.

Registers count at two moments: the last before a half-hour's end and the first behind it, and around a change of the
meter. These Readings are `marks` until the ledger takes them: (UTC, Reading, whether the meter is another one from
there on), and (number of a half-hour, the extremes that were measured in it).
"""

from micropython import const

HALF_HOUR_S = 1800
BACK = const(4)  # half-hours: a clock that is set back by more begins anew
_MOST = const(8)
_LINES = ("voltage_l1_mv", "voltage_l2_mv", "voltage_l3_mv")


class HalfHour:
    """`kept`: the ledger's memory, between two times. `number`: of the half-hour that runs, since 1970.
    `day`: of the household, up to which the days' totals are kept."""

    def __init__(self):
        self.marks = []
        self.kept = self.number = self.last = self.at = self.meter = self.day = None
        self.out = None  # the text of one, for the publisher, which empties it when the broker has it
        self.owed = self.saved = None  # see `forward`
        self.busy = False  # the ledger or what sends wants the history for itself
        self.users = 0  # answers that are read from it
        self.due = False  # the next registers are the first of this half-hour
        self.told = False  # the last ones are in `marks`
        self.gauges = [None] * 4  # highest import and export, W; lowest and highest voltage, mV

    def take(self, reading, utc, other):
        """utc: the clock, or None while there is none. other: it is known that the meter is another one."""
        if utc is None:
            return
        number = utc // HALF_HOUR_S
        if self.number is None or number > self.number or number < self.number - BACK:
            if self.number is not None:
                self._mark((self.number, self.gauges))
            self.gauges = [None] * 4
            self.number = number
            self.due = True
        gauges = self.gauges
        for i, name in ((0, "power_import_w"), (1, "power_export_w")):
            value = reading.get(name)
            if value is not None and (gauges[i] is None or value > gauges[i]):
                gauges[i] = value
        for name in _LINES:
            value = reading.get(name)
            if value:
                if gauges[2] is None or value < gauges[2]:
                    gauges[2] = value
                if gauges[3] is None or value > gauges[3]:
                    gauges[3] = value
        if "import_wh" not in reading and "export_wh" not in reading:
            return
        meter, last = reading.get("meter_id"), self.last
        if last:
            other = other or (meter is not None and self.meter is not None and meter != self.meter)
            for name in ("import_wh", "export_wh"):
                other = other or reading.get(name, 0) < last.get(name, 0) and name in reading
        if meter is not None:
            self.meter = meter
        if self.due or other or last and utc < self.at:
            if last and not self.told:
                self._mark((self.at, last, False))
            self._mark((utc, reading, other))
            self.due = False
            self.told = True
        else:
            self.told = False
        self.last, self.at = reading, utc

    def _mark(self, mark):
        if len(self.marks) >= _MOST:
            self.marks.pop(0)
        self.marks.append(mark)
