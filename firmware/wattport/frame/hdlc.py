# SPDX-License-Identifier: MIT
"""HDLC frames of format type 3 (IEC 62056-46, 6.4; ISO/IEC 13239):

    7E  A|S|length (11 bits)  destination  source  control  HCS  information  FCS  7E

Length counts everything between the flags. HCS and FCS are CRC-16/X-25, low byte first. No byte is escaped: the length
and two checksums say where a frame ends.
"""

from wattport.crypto.crc import crc16_x25
from wattport.errors import MeterError
from wattport.frame.parts import Parts

_LLC = b"\xe6\xe7\x00"
_SHORTEST = 7  # format 2, addresses 1 + 1, control 1, FCS 2
_LONGEST_ADDRESS = 4


class Hdlc:
    name = "HDLC"
    family = "dlms-hdlc"
    START = b"\x7e"
    TAIL = 1
    whole = True

    def __init__(self):
        self.parts = Parts()
        self._number = 0
        self.reset()

    def reset(self):
        self.sure = False
        self.reach = 0
        self._body = 0  # offset of the information field from the start of the frame

    def measure(self, buf, start, end, last):
        if end - start < 3:
            return -1 if end - start == 2 and buf[start + 1] & 0xF0 != 0xA0 else 0
        if buf[start + 1] & 0xF0 != 0xA0:
            return -1
        length = (buf[start + 1] & 0x07) << 8 | buf[start + 2]
        if length < _SHORTEST:
            return -1
        if not self.sure:
            header = self._header(buf, start, end)
            if not header:
                return 0
            if header > length:
                return -1
        if end - start < length + 1:
            return 0
        self.reach = length + 1
        sent = buf[start + length - 1] | buf[start + length] << 8
        counted = crc16_x25(buf, start + 1, start + length - 1)
        if sent != counted:
            # the closing flag may also open the next frame, so it is left for it
            if end - start == length + 1:
                return 0
            if buf[start + length + 1] != 0x7E:
                raise MeterError("truncated", "no flag at the end of the frame")
            raise MeterError("checksum", "frame checksum is %04X, should be %04X" % (sent, counted))
        return length + 1

    def open(self, buf, start, end):
        """The information field, put together when the frame is one of several segments (6.4.3.3): these carry no
        number, but only the first has an LLC header."""
        at, stop = start + self._body, end - 2
        more = buf[start + 1] & 0x08
        if not more and not self.parts.pending:
            return buf, at, stop
        self._number = 0 if buf.startswith(_LLC, at) else self._number + 1
        if not more and not self._number:  # a whole one: the one before has lost its end
            self.parts.drop()
            return buf, at, stop
        return self.parts.add(buf, at, stop, self._number, not more)

    def _header(self, buf, start, end):
        """Check the header; its size from the flag on, or 0 when more bytes are needed."""
        at = start + 3
        for _ in range(2):  # destination, source: the lowest bit marks an address' last byte
            first = at
            while True:
                if at >= end:
                    return 0
                at += 1
                if buf[at - 1] & 1:
                    break
                if at - first == _LONGEST_ADDRESS:
                    self.reach = at - start
                    raise MeterError("malformed", "the address has no end")
        if at + 3 > end:
            return 0
        self.reach = at + 3 - start
        sent = buf[at + 1] | buf[at + 2] << 8
        counted = crc16_x25(buf, start + 1, at + 1)
        if sent != counted:
            raise MeterError("checksum", "header checksum is %04X, should be %04X" % (sent, counted))
        self.sure = True
        self._body = at + 3 - start
        return self._body
