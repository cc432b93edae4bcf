# SPDX-License-Identifier: MIT
"""The transport of SML files (Smart Message Language 1.04, 8; BSI TR-03109-1, annex IV b):

    1B 1B 1B 1B 01 01 01 01   messages   0 to 3 fill bytes   1B 1B 1B 1B 1A fill CRC CRC

Four 1B among the messages are sent twice. The CRC is CRC-16/X-25 over everything before it, low byte first. Holley's
DTZ541 with RS485 sends a CRC-16/Kermit in its place, high byte first; that is taken too.
"""

from micropython import const

from wattport.crypto.crc import crc16_kermit, crc16_x25
from wattport.errors import MeterError

_ESCAPE = b"\x1b\x1b\x1b\x1b"
_BEGIN = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01"
_EDGE = const(8)  # bytes of the beginning, and of the end
_END = const(0x1A)
_MOST_FILL = const(3)
_LONGEST = const(4096)


class Sml:
    name = "SML"
    family = "sml"
    START = b"\x1b"
    TAIL = 0
    whole = True

    def __init__(self):
        self.reset()

    def reset(self):
        self.sure = False
        self.reach = 0
        self._seen = _EDGE  # no escape that matters before this offset
        self._escaped = False  # one of them stands for four 1B

    def measure(self, buf, start, end, last):
        if not self.sure:
            size = min(end - start, _EDGE)
            for i in range(size):
                if buf[start + i] != _BEGIN[i]:
                    return -1
            if size < _EDGE:
                return 0
            self.sure = True
        at = start + self._seen
        while True:
            found = buf.find(_ESCAPE, at, end)
            if found < 0:
                found = max(at, end - 3)  # the last three may be the first ones of an escape
            at = found
            if at + _EDGE > end:
                self._seen = at - start
                return self._more(end - start)
            if buf[at + 4] == _END:
                return self._check(buf, start, at + _EDGE)
            if buf.find(_ESCAPE, at + 4, at + _EDGE) > 0:
                self._escaped = True
                at += _EDGE
            elif buf.find(_BEGIN, at, at + _EDGE) >= 0:
                self.reach = at - start
                raise MeterError("truncated", "a new file starts inside")
            else:  # only three of the four belong to what comes, or nobody escaped them: the checksum will tell
                at += 1

    def _more(self, size):
        if size >= _LONGEST:
            self.reach = size
            raise MeterError("malformed", "no end within %d bytes" % size)
        return 0

    def _check(self, buf, start, stop):
        """The size of the file in buf[start:stop], that has a beginning and an end."""
        self.reach = stop - start
        if self.reach > _LONGEST:
            raise MeterError("malformed", "a file of %d bytes" % self.reach)
        sent = buf[stop - 2] | buf[stop - 1] << 8
        counted = crc16_x25(buf, start, stop - 2)
        if sent != counted and (sent >> 8 | (sent & 0xFF) << 8) != crc16_kermit(buf, start, stop - 2):
            if buf.find(_BEGIN, start + 1, stop) > 0:
                raise MeterError("truncated", "a new file starts inside")
            raise MeterError("checksum", "checksum is %04X, should be %04X" % (sent, counted))
        fill = buf[stop - 3]
        if fill > _MOST_FILL or fill > self.reach - 2 * _EDGE:
            raise MeterError("malformed", "%d fill bytes" % fill)
        return self.reach

    def open(self, buf, start, end):
        """The messages; escapes are taken out of buf itself."""
        at, stop = start + _EDGE, end - _EDGE - buf[end - 3]
        if not self._escaped:
            return buf, at, stop
        view = memoryview(buf)
        source = to = at
        while source < stop:
            found = buf.find(_ESCAPE, source, stop)
            doubled = found >= 0 and buf.find(_ESCAPE, found + 4, min(found + _EDGE, stop)) > 0
            # a copy up to the four that stay, or up to the first 1B of four that are none, as in `measure`
            size = (stop if found < 0 else found + 4 if doubled else found + 1) - source
            view[to:to + size] = view[source:source + size]
            to += size
            source += size + 4 if doubled else size
        return buf, at, to
