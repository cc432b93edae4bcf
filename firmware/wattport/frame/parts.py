# SPDX-License-Identifier: MIT
"""A payload that comes in several frames: HDLC segments, wired M-Bus sequences, general block transfer."""

from micropython import const

from wattport.errors import MeterError

_MOST = const(4096)


class Parts:
    """Puts parts together. `lost`: those of a transfer that was given up because a new one began, or None."""

    def __init__(self):
        self._buf = bytearray()
        self._next = -1  # number of the part awaited; -1: none
        self.lost = None

    @property
    def pending(self):
        """Bytes of a transfer that is not whole."""
        return len(self._buf) if self._next >= 0 else 0

    def drop(self):
        """Give up what is there."""
        if self._next > 0 and self._buf:  # some begin with a part that holds nothing
            self.lost = self._buf
        self._next = -1

    def add(self, buf, at, stop, number, last):
        """Take part `number` (the first is 0). None until the `last` one is there, then (buffer, start, end), good
        until the next part."""
        if number == 0:
            self.drop()
            self._next = 0
            self._buf = bytearray()
        elif number != self._next:
            begun = self._next >= 0
            self._next = -1
            raise MeterError("truncated", "a part of the telegram is missing" if begun else
                             "the first part of the telegram is missing")
        if len(self._buf) + stop - at > _MOST:
            self._next = -1
            raise MeterError("malformed", "no last part within %d bytes" % _MOST)
        self._buf += memoryview(buf)[at:stop]
        if not last:
            self._next += 1
            return None
        self._next = -1
        return self._buf, 0, len(self._buf)
