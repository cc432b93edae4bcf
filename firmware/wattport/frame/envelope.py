# SPDX-License-Identifier: MIT
"""general-glo-ciphering (Green Book 9.2.7, IEC 62056-5-3) found on the line, as Luxembourg's P1 1.1.3 sends it:

    DB  08 system title (8)  length  security control  frame counter (4)  ciphertext  tag (12)

It has no checksum of its own: the tag is one, and `decrypt` checks it.
"""

from micropython import const

from wattport.errors import MeterError

_TITLE_SIZE = const(8)
_TAG_SIZE = const(12)
_ENCRYPTED = const(0x20)
_UPPER = const(0xDF)


def length_at(buf, at, end):
    """A BER length at buf[at]: (value, place behind it); (-1, at) when more bytes are needed."""
    if at >= end:
        return -1, at
    first = buf[at]
    if first < 0x80:
        return first, at + 1
    size = first & 0x7F
    if size not in (1, 2):
        raise MeterError("malformed", "a length of %d bytes" % size)
    if at + 1 + size > end:
        return -1, at
    value = buf[at + 1]
    if size == 2:
        value = value << 8 | buf[at + 2]
    return value, at + 1 + size


class Envelope:
    """The envelope as a frame of its own."""

    name = "encrypted"
    family = "dlms"
    START = b"\xdb"
    TAIL = 0

    def __init__(self):
        self.reset()

    def reset(self):
        self.sure = self.whole = False
        self.reach = 0

    def measure(self, buf, start, end, last):
        if end - start < 2 + _TITLE_SIZE + 1:
            return -1 if end - start > 1 and buf[start + 1] != _TITLE_SIZE else 0
        # a system title starts with the maker's three letters; two bytes alone turn up in any noise
        if buf[start + 1] != _TITLE_SIZE or not all([65 <= buf[start + i] & _UPPER <= 90 for i in (2, 3, 4)]):
            return -1
        try:
            size, body = length_at(buf, start + 2 + _TITLE_SIZE, end)
        except MeterError:
            return -1
        if size < 0 or body >= end:
            return 0
        if not buf[body] & _ENCRYPTED or size < 5 + _TAG_SIZE:
            return -1
        self.sure = True
        self.reach = body + size - start
        return self.reach if body + size <= end else 0

    def open(self, buf, start, end):
        return buf, start, end
