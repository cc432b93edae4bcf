# SPDX-License-Identifier: MIT
"""The health of the dongle as one dict, for /health and the LED."""

import time

from micropython import const

from wattport.modules import fetch
from wattport.version import VERSION

_DAY_MS = const(86400000)
_SILENT_MS = const(30000)  # most meters send every 1 to 10 s, none that we know less often than that

# one text: each name that stands alone would stay in the heap for ever
_NAMES = ("version uptime_s reset_cause meter family telegram_age_s telegrams frames errors key key_unused stale line "
          "line_found held dropped swaps garbage bytes stall_ms heap_free system_free rssi wifi tasks mqtt "
          "utc time_source clock_offset_s clock_steps")


class Health:
    """Gathers from the parts; `meter_state()` is "ok", "undecoded" (bytes but no telegram) or "silent"."""

    def __init__(self, log, meter, line, mqtt, wifi, tasks, reset_cause, wall):
        self._log = log
        self.meter = meter
        self._line = line
        self._mqtt = mqtt  # the broker's status; {} where there is none
        self._wifi = wifi
        self._tasks = tasks
        self._reset_cause = reset_cause
        self._wall = wall
        self._bytes = 0
        self.heard = self.decoded = None  # ticks of the last byte and of the last telegram
        self._telegrams = 0
        self.family = ""
        self.guard = None  # what looks for readings that cannot be, if anything does

    def look(self):
        """To be called every second or so: notices what has come in since."""
        now = time.ticks_ms()
        if self._line.bytes != self._bytes:
            self._bytes, self.heard = self._line.bytes, now
        if self.meter.counters.telegrams != self._telegrams:
            self._telegrams, self.decoded = self.meter.counters.telegrams, now
        # a time that never moves again would come round as young after six days of ticks
        self.heard = self._no_older_than_a_day(self.heard, now)
        self.decoded = self._no_older_than_a_day(self.decoded, now)

    def _no_older_than_a_day(self, at, now):
        if at is None or time.ticks_diff(now, at) < _DAY_MS:
            return at
        return time.ticks_add(now, -_DAY_MS)

    def age_s(self, at, never=None):
        return never if at is None else time.ticks_diff(time.ticks_ms(), at) // 1000

    def meter_state(self):
        for at, state in ((self.decoded, "ok"), (self.heard, "undecoded")):
            if at is not None and time.ticks_diff(time.ticks_ms(), at) < _SILENT_MS:
                return state
        return "silent"

    def led_state(self):
        state = self.meter_state()
        if state == "ok" and not self._mqtt.get("connected", self._wifi.connected):
            return "offline"
        return state

    def report(self):
        """The dict; the longest stall of the meter task starts anew with each report."""
        heap_free, self.system_free = fetch("wattport.spare", "left")()
        counters, odd = self.meter.counters, self.guard.counts if self.guard else {}
        stall_ms, self._line.stall_ms = self._line.stall_ms, 0
        values = (
            VERSION, self._log.uptime_s(), self._reset_cause, self.meter_state(), self.family,
            self.age_s(self.decoded), counters.telegrams, counters.frames, counters.errors, self.meter.key_verdict,
            counters.key_unused, counters.stale, self._line.text, self._line.found, odd.get("held", 0),
            odd.get("dropped", 0), odd.get("swap", 0), self.meter.garbage, self._line.bytes, stall_ms, heap_free,
            self.system_free,
            self._wifi.rssi(), self._wifi.state, self._tasks, self._mqtt,
            self._wall.utc(), self._wall.state, self._wall.offset_s, self._wall.steps)
        return dict(zip(_NAMES.split(), values))
