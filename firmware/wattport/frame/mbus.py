# SPDX-License-Identifier: MIT
"""Wired M-Bus long frames that carry DLMS (EN 13757-2, 5.5.2; EN 13757-3, 5.2 and IEC 62056-7-3):

    68  L  L  68  C  A  CI  STSAP DTSAP  data  checksum  16

L counts from C to the data, the checksum is their sum. CI below 0x20 carries a sequence number in its low four bits
and, in 0x10, whether the frame is the last of a telegram. The two SAP bytes are left out by some meters. Austrian
meters send frames of 263 bytes with an L of 1: 257 bytes do not fit into a byte.
"""

from wattport.errors import MeterError
from wattport.frame.parts import Parts

_HEAD = 4
_SHORTEST = 3
_LAST = 0x10
# what data can start with: LLC, general-glo- and -ded-ciphering, general block transfer, a notification
_TAGS = (0xE6, 0xDB, 0xDC, 0xE0, 0x0F)


_ACKNOWLEDGE = b"\xe5"
_REQUEST = b"\x10\x40\xf0\x30\x16"


class Mbus:
    """`answer`: what the meter of the last frame waits for: an AMIS meter falls silent without."""

    name = "M-Bus"
    family = "dlms-mbus"
    START = b"\x68"
    TAIL = 0
    whole = True

    def __init__(self):
        self.parts = Parts()
        self.answer = b""
        self._saps = 2  # bytes between CI and the data, as in the last first frame
        self.reset()

    def reset(self):
        self.sure = False
        self.reach = 0

    def measure(self, buf, start, end, last):
        size = end - start
        if size > 1 and size < _HEAD + 3:
            if size > 2 and buf[start + 1] != buf[start + 2] or size > 3 and buf[start + 3] != 0x68:
                return -1
        if size < _HEAD + 3:
            return 0
        length = buf[start + 1]
        # CI: a sequence of DLMS data, or the frame of an AMIS meter
        if buf[start + 2] != length or buf[start + 3] != 0x68 or buf[start + 6] > 0x1F and buf[start + 6] != 0x5B:
            return -1
        if length < _SHORTEST:
            length += 256
        self.reach = length + _HEAD + 2
        if size < self.reach:
            # noise has such a head too, but then not a tag behind it
            self.sure = size > 9 and (buf[start + 7] in _TAGS or buf[start + 9] in _TAGS or buf[start + 6] & 15 > 0)
            return 0
        at = start + _HEAD
        stop = at + length
        if buf[stop + 1] != 0x16:
            raise MeterError("truncated", "no end mark at the end of the frame")
        counted = 0
        for i in range(at, stop):
            counted += buf[i]
        if counted & 0xFF != buf[stop]:
            raise MeterError("checksum", "frame checksum is %02X, should be %02X" % (buf[stop], counted & 0xFF))
        return self.reach

    def open(self, buf, start, end):
        control = buf[start + 6]
        at, stop = start + 7, end - 2
        self.answer = _ACKNOWLEDGE if control == 0x5B else b""
        if self.answer:
            return buf, start + 4, stop
        if not control & 0x0F:
            self._saps = 2 if stop - at > 2 and buf[at + 2] in _TAGS else 0
        at += self._saps
        if at >= stop:
            raise MeterError("malformed", "the frame is empty")
        return self.parts.add(buf, at, stop, control & 0x0F, control & _LAST)


class Request:
    """SND_NKE to address 240: an AMIS meter asks, once a minute, whether anybody reads it."""

    name = "M-Bus"
    family = "mbus"
    START = b"\x10"
    TAIL = 0
    whole = True
    answer = _ACKNOWLEDGE
    sure = False
    reach = 0

    def reset(self):
        pass

    def measure(self, buf, start, end, last):
        size = min(end - start, len(_REQUEST))
        if not _REQUEST.startswith(bytes(buf[start:start + size])):
            return -1
        return size if size == len(_REQUEST) else 0

    def open(self, buf, start, end):
        return None
