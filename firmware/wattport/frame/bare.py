# SPDX-License-Identifier: MIT
"""DLMS data without a frame, as tools log it: an LLC header, or a notification itself. Nothing checks it, so no line
is read this way: `tools.decode` uses it for files that start like that."""

from wattport.decode.cosem import size_of
from wattport.errors import MeterError
from wattport.frame.envelope import length_at

_LLC = b"\xe6\xe7\x00"


class Bare:
    name = "LLC"
    family = "dlms-llc"
    TAIL = 2
    whole = True

    def __init__(self, start):
        self.START = start
        self.reset()

    def reset(self):
        self.sure = True
        self.reach = 0
        self._wrong = None

    def measure(self, buf, start, end, last):
        at = start + 3 if buf.startswith(_LLC, start) else start
        if at >= end:
            return 0
        if buf[at] in (0xDB, 0xDC) and end - at > 10 and buf[at + 1] == 8:
            size, at = length_at(buf, at + 10, end)
            return at + size - start if 0 <= size <= end - at else 0
        if buf[at] != 0x0F:
            return -1
        try:
            return size_of(buf, at, end) + at - start
        except MeterError as error:
            if error.kind == "truncated" and not last:
                return 0
            self._wrong = error  # and nothing behind it can be trusted either
            return end - start

    def open(self, buf, start, end):
        if self._wrong:
            raise self._wrong
        return buf, start, end
