# SPDX-License-Identifier: MIT
"""Log lines on the console: uptime, level, text; the last few stay in `lines`, for the diagnostics. `limited` keeps a
repeating trouble to one line a minute."""

import time

from micropython import const

_EVERY_MS = const(60000)
_MOST_KINDS = const(32)
_KEPT = const(8)
_LONGEST = const(100)


class Log:
    def __init__(self, write=print):
        self._write = write
        self._start = time.ticks_ms()
        self._seconds = 0
        self.lines = []
        self._kinds = {}  # kind → [when it was last told, how often it was held back since]

    def uptime_s(self):
        """Seconds since the start; to be asked at least every six days, when the ticks come round."""
        passed = time.ticks_diff(time.ticks_ms(), self._start) // 1000
        self._start = time.ticks_add(self._start, passed * 1000)
        self._seconds += passed
        return self._seconds

    def __call__(self, level, text):
        text = "%8d %-7s %s" % (self.uptime_s(), level, text)
        self._write(text)
        self.lines.append(text[:_LONGEST])
        if len(self.lines) > _KEPT:
            self.lines.pop(0)

    def limited(self, kind, level, text):
        """At most one line a minute of each kind; the next one says how many were held back. text: or a function that
        makes it, when it is wanted."""
        now = time.ticks_ms()
        entry = self._kinds.get(kind)
        if not entry:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            self._kinds[kind] = [now, 0]
        elif time.ticks_diff(now, entry[0]) < _EVERY_MS:
            entry[1] += 1
            return
        if callable(text):
            text = text()
        if entry:
            if entry[1]:
                text += " (and %d more since the last line)" % entry[1]
            entry[0], entry[1] = now, 0
        self(level, text)
