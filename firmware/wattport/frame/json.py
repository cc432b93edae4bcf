# SPDX-License-Identifier: MIT
"""JSON objects one after the other, as files hold what a Glow device said: braces that balance outside of strings.

Nothing checks them and no line carries them: only `tools.decode` reads this way.
"""

from micropython import const

_LONGEST = const(4096)
_FIRST = const(64)


class Json:
    name = "Glow"
    family = "zcl-mqtt"
    START = b"{"
    TAIL = 2
    whole = False

    def __init__(self):
        self.reset()

    def reset(self):
        self.sure = False
        self.reach = 0
        self._at = 0  # how far the object has been looked at
        self._depth = 0
        self._quoted = False

    def measure(self, buf, start, end, last):
        if not self.sure:
            # an object with a name in it, or noise
            at = start + 1
            while at < end and at < start + _FIRST and buf[at] in b" \t\r\n":
                at += 1
            if at >= end:
                return 0
            if buf[at] != 0x22:
                return -1
            self.sure = True
        at, depth, quoted = start + self._at, self._depth, self._quoted
        stop = min(end, start + _LONGEST)
        while at < stop:
            byte = buf[at]
            if quoted:
                if byte == 0x5C:
                    if at + 1 >= stop:
                        break  # what it escapes is still to come
                    at += 1
                elif byte == 0x22:
                    quoted = False
            elif byte < 0x20 and byte not in b"\t\r\n":
                return -1  # noise
            elif byte == 0x22:
                quoted = True
            elif byte == 0x7B:
                depth += 1
            elif byte == 0x7D:
                depth -= 1
                if not depth:
                    return at + 1 - start
            at += 1
        if end - start >= _LONGEST:
            return -1
        self._at, self._depth, self._quoted = at - start, depth, quoted
        return 0

    def open(self, buf, start, end):
        return buf, start, end
