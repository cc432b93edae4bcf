# SPDX-License-Identifier: MIT
"""Net power of the time that has just passed, for the dashboard's chart: the last hour in steps of ten seconds, the
last day in minutes. Pure; by the ticks alone, so that no correction of the clock can tear a hole into it.

A power holds until the next one comes, if that is soon: some meters send every second, some every ten, and the means
of both are right and without gaps.
"""

import time
from array import array

from micropython import const

_HOLD_MS = const(65000)  # some meters send once a minute; behind a longer silence nobody knows what was
_GAP = const(-32768)
_EXACT = const(16384)  # W; above it a step's mean is kept in units of 16 W: 16 bits do then for 278 kW


def _packed(mean):
    if mean > _EXACT:
        return min(32767, _EXACT + (mean - _EXACT) // 16)
    return mean if mean >= -_EXACT else max(-32767, -_EXACT - (-mean - _EXACT) // 16)


class Means:
    """`steps` of them, two bytes each. `take` each Reading, `look` every few days at least, when the ticks come round.
    Net power: export is negative."""

    def __init__(self, step_s, steps):
        self.step_s = step_s
        self._steps = steps
        self._means = array("h", bytes(2 * steps))
        self._clear()
        self._next = 0
        self._at = None  # the tick up to which all is counted
        self._part_ms = 0  # since the step began
        self._known_ms = 0  # of these
        self._sum = 0  # W ms
        self._power_w = None  # at `_at`

    def _clear(self):
        for i in range(self._steps):
            self._means[i] = _GAP

    def take(self, reading, now):
        """now: ticks."""
        taken, given = reading.get("power_import_w"), reading.get("power_export_w")
        if taken is None and given is None:
            return
        self.look(now)
        if self._at is None:
            self._at = now
        self._run(now)
        self._power_w = (taken or 0) - (given or 0)

    def look(self, now):
        """Nothing may have come for long: what lies behind is a gap."""
        if self._at is None or 0 <= time.ticks_diff(now, self._at) <= _HOLD_MS:
            return
        self._power_w = None
        if not 0 <= time.ticks_diff(now, self._at) < self.step_s * 1000 * self._steps:
            self._clear()
            self._part_ms = self._known_ms = self._sum = 0
            self._at = now
        self._run(now)

    def _run(self, now):
        """Count up to now."""
        step_ms = self.step_s * 1000
        left_ms = time.ticks_diff(now, self._at)
        self._at = now
        while left_ms > 0:
            piece_ms = min(left_ms, step_ms - self._part_ms)
            left_ms -= piece_ms
            self._part_ms += piece_ms
            if self._power_w is not None:
                self._sum += self._power_w * piece_ms
                self._known_ms += piece_ms
            if self._part_ms == step_ms:
                self._means[self._next] = _packed(self._sum // self._known_ms) if self._known_ms else _GAP
                self._next = (self._next + 1) % self._steps
                self._part_ms = self._known_ms = self._sum = 0

    def age_ms(self, now):
        """How long ago the last whole step ended."""
        return self._part_ms + (time.ticks_diff(now, self._at) if self._at is not None else 0)

    def means(self):
        """Each step's mean in W, oldest first, None for a gap; none before the first that is known."""
        begun = False
        start = self._next
        for i in range(start, start + self._steps):
            mean = self._means[i % self._steps]
            begun = begun or mean != _GAP
            if begun:
                yield None if mean == _GAP else mean if -_EXACT <= mean <= _EXACT else 16 * mean - (
                    15 * _EXACT if mean > 0 else -15 * _EXACT)
