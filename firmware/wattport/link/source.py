# SPDX-License-Identifier: MIT
"""What every meter that is not on the serial line shows of itself: the counters of a `meter.Meter` and of an
`uart.Line`, so that the health and the watchdog see no difference."""

import time

from wattport.errors import KINDS


class Source:
    """`counters` has `telegrams`, `errors` and so on; it is the source itself. No name here is private: those of a
    derived class in another module are shortened to the same letters."""

    key_verdict = ""
    protocol = text = ""
    found = True

    def __init__(self):
        self.counters = self
        self.errors = {kind: 0 for kind in KINDS}
        self.telegrams = self.frames = self.key_unused = self.stale = self.garbage = self.pending = 0
        self.bytes = 0
        self.looks = 0  # counts up while the task lives: the watchdog watches it
        self.stall_ms = 0
        self.looked = None

    def look(self):
        """To be called at every turn of the task; milliseconds since the last one, 0 at first."""
        now = time.ticks_ms()
        gap = 0 if self.looked is None else time.ticks_diff(now, self.looked)
        self.looked = now
        self.looks = self.looks + 1 & 0xFFFF
        if gap > self.stall_ms:
            self.stall_ms = gap
        return gap
