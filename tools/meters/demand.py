# SPDX-License-Identifier: MIT
"""What the Belgian capacity tariff asks of a meter (e-MUCS P1 1.7.1): quarter-hours and peaks of months."""

QUARTER_S = 900
MONTHS = 13


class Demand:
    def __init__(self, clock, time, chance):
        self.clock = clock
        self.quarter_ws = 0
        self.history = []  # [end of the month, time of the peak, W], the oldest first as real meters have it
        end = self._month_start(time)
        self.peak_time, self.peak_w = self._earlier_peak(end, time, chance)
        for _ in range(MONTHS):
            begin = self._month_start(end - 1)
            self.history.insert(0, [end, *self._earlier_peak(begin, end, chance)])
            end = begin

    @staticmethod
    def _earlier_peak(begin, end, chance):
        """A peak from before the simulation; none while the month's first quarter-hour lasts."""
        quarters = (end - begin) // QUARTER_S
        if not quarters:
            return begin, 0
        return begin + chance.randint(1, quarters) * QUARTER_S, chance.randint(2500, 9000)

    def _month_start(self, time):
        first = self.clock.local(time).replace(day=1, hour=0, minute=0, second=0, fold=0)
        return int(first.timestamp())

    @property
    def running_w(self):
        """1-0:1.4.0 is a sawtooth: what the quarter would average if nothing more were used in it."""
        return self.quarter_ws // QUARTER_S

    def add(self, begin, end, watts):
        """The import between two times; a quarter that ends in between is closed at its own end."""
        while begin < end:
            edge = (begin // QUARTER_S + 1) * QUARTER_S
            until = min(edge, end)
            self.quarter_ws += watts * (until - begin)
            begin = until
            if until == edge:
                self._close(edge)

    def _close(self, edge):
        if self.running_w > self.peak_w:
            self.peak_w, self.peak_time = self.running_w, edge
        self.quarter_ws = 0
        # zones are whole hours apart, so months only ever end with an hour
        if edge % 3600 == 0 and self._month_start(edge) == edge:
            self.history = self.history[1 - MONTHS:] + [[edge, self.peak_time, self.peak_w]]
            self.peak_w, self.peak_time = 0, edge
