# SPDX-License-Identifier: MIT
"""France's TIC (télé-information client; Enedis-NOI-CPT_02E of electronic meters, NOI-CPT_54E of Linky):

    STX   LF label separator data separator checksum CR   as many groups as the meter has values   ETX

The checksum is a character, the sum of those before it, modulo 64, plus 32. Where spaces separate ("historique") it
leaves the last separator out, where tabs do ("standard") it counts that one too; there a stamp may stand in front of
the data. All is ASCII with seven bits and even parity. EOT breaks a frame off: somebody reads the meter by its bus.
The sum does not see a flipped bit 6: it makes a control character of a letter and a letter of a digit, and the decoder
takes no letter for one.
"""

from micropython import const

from wattport.errors import MeterError

_STX = const(2)
_ETX = const(3)
_EOT = const(4)
_TAB = const(9)
_LF = const(10)
_CR = const(13)
_SPACE = const(32)
_LONGEST = const(2048)  # Linky with three phases, a solar roof and mobile peaks in its calendar takes 1750
_LONGEST_GROUP = const(144)  # the profile of the day to come takes 112
_LONGEST_LABEL = const(9)


class Tic:
    name = "TIC"
    family = "tic"
    TAIL = 0
    whole = True

    def __init__(self, parity=False):
        """parity: it is in the top bit, for a UART that was set to 8N1 does not take it off."""
        self._mask = 0x7F if parity else 0xFF
        self.START = b"\x82" if parity else b"\x02"
        self._end = b"\x8d" if parity else b"\r"
        self.reset()

    def reset(self):
        self.sure = False
        self.reach = 0
        self._seen = 1  # offset of what has not been looked at
        self._last = -1  # the last separator is summed up, 1, or is not, 0; -1 before the first group
        self._wrong = ""  # label of the first group that was

    def measure(self, buf, start, end, last):
        at = start + self._seen
        mask = self._mask
        while at < end and at < start + _LONGEST:
            byte = buf[at] & mask
            if byte == _LF:
                if not self.sure:  # two capitals start a label
                    for i in (at + 1, at + 2):
                        if i >= end:
                            return 0
                        if not 65 <= buf[i] & mask <= 90:
                            return -1
                stop = buf.find(self._end, at, min(end, at + _LONGEST_GROUP))
                if stop >= 0:
                    at = self._group(buf, at + 1, stop)
                elif end < at + _LONGEST_GROUP:
                    break  # the rest of it is still to come
                else:
                    self._wrong = self._wrong or "a group"
                    at += 1
                if self._wrong and not self.sure:
                    if buf[at - 1] & mask != _CR:
                        return -1  # no group at all, but noise
                    self.reach = at - start
                    self._raise()
                self.sure = True
            elif not self.sure:
                return -1
            elif byte == _ETX:
                self.reach = at + 1 - start
                if self._wrong:
                    self._raise()
                return self.reach
            elif byte == _STX or byte == _EOT:
                self.reach = at - start
                if self._wrong:
                    self._raise()
                raise MeterError("truncated", "a new telegram starts inside" if byte == _STX else
                                 "the meter broke its telegram off")
            else:
                self._wrong = self._wrong or "a gap"
                at += 1
            self._seen = at - start
        if end - start >= _LONGEST:
            self.reach = _LONGEST
            raise MeterError("malformed", "no end within %d bytes" % _LONGEST)
        return 0

    def _group(self, buf, at, stop):
        """Check the group buf[at:stop], between LF and CR; the place behind it, or where it turns out to be none."""
        mask = self._mask
        begin = split = at
        while split < stop and split - begin <= _LONGEST_LABEL and buf[split] & mask > _SPACE:
            split += 1
        total = 0
        for at in range(begin, stop):
            byte = buf[at] & mask
            if not 31 < byte < 127 and byte != _TAB:
                break
            total += byte
        else:
            at = stop + 1
            mark = buf[split] & mask
            if split > begin and mark <= _SPACE and stop - split > 2 and buf[stop - 2] & mask == mark:
                sent = buf[stop - 1] & mask
                total -= sent
                if self._last and (total & 63) + 32 == sent:
                    self._last = 1
                    return at
                if self._last < 1 and (total - mark & 63) + 32 == sent:
                    self._last = 0
                    return at
        if not self._wrong:
            self._wrong = bytes([buf[i] & 0x7F for i in range(begin, split)]).decode() or "a group"
        return at

    def _raise(self):
        raise MeterError("checksum", "the checksum of %s is wrong" % self._wrong)

    def open(self, buf, start, end):
        """The groups, from the first LF on, without ETX; parity is taken off in buf itself."""
        if self._mask == 0x7F:
            for i in range(start, end):
                buf[i] &= 0x7F
        return buf, start + 1, end - 1
