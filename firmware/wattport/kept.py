# SPDX-License-Identifier: MIT
"""The last two frames that were errors, for the diagnostics: made at the first error, in memory that is taken once."""

from micropython import const

_COUNT = const(2)
_SIZE = const(1024)


class Kept:
    def __init__(self):
        self._buf = bytearray(_COUNT * _SIZE)
        self._told = []  # (kind, detail, size of the whole frame, seconds of uptime, where it is), oldest first

    def take(self, error, frame, now):
        """Keep a MeterError's frame, or what fits of it."""
        at = 0
        if len(self._told) == _COUNT:
            at = self._told.pop(0)[-1]
        elif self._told:
            at = _SIZE
        size = min(len(frame), _SIZE)
        self._buf[at:at + size] = frame[:size]
        self._told.append((error.kind, error.detail, len(frame), now, at))

    def frames(self):
        """(kind, detail, size of the whole frame, seconds of uptime, a copy of what is kept), oldest first."""
        for kind, detail, size, since, at in tuple(self._told):
            yield kind, detail, size, since, self._buf[at:at + min(size, _SIZE)]
