# SPDX-License-Identifier: MIT
"""P1 text telegrams (DSMR P1 companion standard 5.0.2, 6.2; IEC 62056-21 mode D):

    /XXXZ identification CR LF CR LF   lines   ! CRC CR LF

The CRC is CRC-16/ARC from "/" to "!" in four hex digits. DSMR 2.2 and 3 have none; a telegram that names its version
(1-3:0.2.8, DSMR 4 and later) must have one. Hungary's Holley meters count CRC-16/X-25 instead.
What has another body behind the identification, IEC 62056-21's block or ciphertext, is measured by `p1body`.
"""

from micropython import const

from wattport.crypto.crc import crc16_arc
from wattport.errors import MeterError

_LINE_ENDS = b"\r\n"
_LONGEST_IDENTIFICATION = const(64)
# DSMR 2.2's last object: a stored telegram that ends here lost nothing but its "!"
_LAST_OBJECT = b":24.4.0("
# import and export in one register, which no other P1 port sends
_HUNGARIAN = b"-0:15.8.0("
# what a body that is no text starts with: STX, or an envelope's tag, or its length of a system title
_BODIES = b"\x02\x00\x08\xdb\xdc"
_BLOCK = const(3)  # STX and one


def _letter(byte):
    return 65 <= byte & 0xDF <= 90


class P1:
    name = "P1"
    family = "p1"  # the decoder knows better
    START = b"/"
    TAIL = 2

    def __init__(self):
        self.whole = True
        self.reset()

    def reset(self):
        self.sure = False
        self.reach = 0  # bytes of the stretch that an error blames
        self._seen = 0  # no "!" before this offset
        self._first = 0  # offset of the body, or of what is known not to be in front of it
        self._body = -1  # 0: text; otherwise the first byte, and one, of a body that is none; -1: not seen yet

    def measure(self, buf, start, end, last):
        if not self.sure:
            at = start + 1
            while at < end and at < start + 4:
                if not _letter(buf[at]):
                    return -1
                at += 1
            if at < start + 4:
                return 0
            # noise and ciphertext have such starts too, but hardly a line of text behind them
            at = buf.find(b"\n", start, min(end, start + _LONGEST_IDENTIFICATION))
            if at < 0:
                return 0 if end < start + _LONGEST_IDENTIFICATION else -1
            if max(buf[start:at]) > 126 or buf.find(b"\t", start, at) > 0:  # France's TIC: "H PLEINE/CREUSE", a tab
                return -1
            self.sure = True
            self._seen = 4
            self._first = at - start
        if self._body:
            if self._body < 0:
                at = start + self._first
                while at < end and buf[at] in _LINE_ENDS:
                    at += 1
                self._first = at - start
                if at >= end:
                    return 0
                self._body = buf[at] + 1 if buf[at] in _BODIES else 0
            if self._body:
                return self._measure_body(buf, start, end, last)
        while True:
            mark = buf.find(b"!", start + self._seen, end)
            if mark < 0:
                self._seen = end - start
                return self._unended(buf, start, end) if last else 0
            if buf[mark - 1] in _LINE_ENDS:
                break
            self._seen = mark + 1 - start  # a flipped bit can make a "!" anywhere but at the start of a line
        if mark + 1 < end and buf[mark + 1] in _LINE_ENDS or last and mark + 1 == end:
            return self._without_crc(buf, start, mark)
        if mark + 5 > end:
            return 0
        self.reach = mark + 5 - start
        try:
            sent = int(bytes(buf[mark + 1:mark + 5]), 16)
        except ValueError:
            raise MeterError("checksum", "no checksum behind the end mark")
        counted = crc16_arc(buf, start, mark + 1)
        if sent != counted and not self._is_x25(buf, start, mark, sent):
            self._look_inside(buf, start, mark)
            raise MeterError("checksum", "checksum is %04X, should be %04X" % (sent, counted))
        self.whole = True
        return mark + 5 - start

    def _is_x25(self, buf, start, mark, sent):
        if buf.find(_HUNGARIAN, start, mark) < 0:
            return False
        from wattport.crypto.crc import crc16_x25
        return crc16_x25(buf, start, mark + 1) == sent

    def _measure_body(self, buf, start, end, last):
        from wattport.frame import p1body
        measure = p1body.block if self._body == _BLOCK else p1body.envelope
        self.reach = self._first + 1  # what an error blames that knows of no length
        stop, self.whole, wrong = measure(buf, start + self._first, end, last)
        self.reach = max(0, stop - start)
        if wrong or not self.whole:
            self._look_inside(buf, start, stop)
        if wrong:
            raise MeterError("checksum", wrong)
        return self.reach

    def _look_inside(self, buf, start, mark):
        if buf.find(b"/" + bytes(buf[start + 1:start + 4]), start + 4, mark) > 0:
            raise MeterError("truncated", "a new telegram starts inside")

    def _without_crc(self, buf, start, mark):
        self.reach = mark + 1 - start
        self._look_inside(buf, start, mark)
        if buf.find(b"-3:0.2.8(", start, mark) > 0:
            raise MeterError("checksum", "the checksum is missing")
        self.whole = False
        return mark + 1 - start

    def _unended(self, buf, start, end):
        line = buf.rfind(_LAST_OBJECT, start, end)
        if line > 0 and buf.find(b")\r\n", line, end) == end - 3 and buf.find(b":0.2.8(", start, end) < 0:
            self.whole = False
            return end - start
        return 0

    def open(self, buf, start, end):
        if self._body > 0 and self._body != _BLOCK:
            from wattport.frame import p1body
            return p1body.unwrap(buf, start, start + self._first, end)
        return buf, start, end
