# SPDX-License-Identifier: MIT
"""JSON (RFC 8259) without floats, since a chip's has 24 bits and a meter's register needs more, and without a tree,
since that of a 1 KB message takes 20 KB: each value is remembered by where it stands, under a hash of its path. Depth
and size are bounded. Paths are b"electricitymeter/power/value"; names with an escape in them are none that we know.

The hash has 25 bits. None of the paths in use share one, and who can make up a message for another path to be taken for
it can as well write the path itself.
"""

from micropython import const

from wattport.errors import MeterError

_DEEPEST = const(8)
_LARGEST = const(4096)
_MOST_DIGITS = const(36)  # of a number; more are no meter's
_MOST_PLACES = const(18)
_BITS = const(13)  # of a place in the text
_PLACE = const(0x1FFF)
_NOTHING = const(-1)  # null, true, false
_GROUP = const(-2)
_BLANKS = b" \t\r\n"


def path_hash(path, begun=0):
    """Of a path, or of its rest after the hash `begun` of its beginning. Every step fits into 30 bits: a small int."""
    for byte in path:
        begun = (begun * 31 + byte) & 0x1FFFFFF
    return begun


def fixed(buf, at, stop, decimals):
    """The number in buf[at:stop] times 10^decimals, cut to an integer: 0.425 with 3 is 425. ValueError for anything
    that is no number, or is longer than any meter's."""
    negative = at < stop and buf[at] == 45
    if negative:
        at += 1
    value = digits = places = 0
    pointed = False
    while at < stop:
        byte = buf[at]
        if 48 <= byte <= 57:
            value = value * 10 + byte - 48
            digits += 1
            places += pointed
        elif byte == 46 and not pointed:
            pointed = True
        elif byte | 32 == 101:
            rest = bytes(buf[at + 1:min(stop, at + 5)])
            if rest.strip(b"+-0123456789") or stop - at > 4:
                raise ValueError("no number")
            decimals += int(rest)
            break
        else:
            raise ValueError("no number")
        if digits > _MOST_DIGITS:
            raise ValueError("too long a number")
        at += 1
    if not digits or abs(decimals) > _MOST_PLACES:
        raise ValueError("no number")
    places = decimals - places
    value = value * 10 ** places if places >= 0 else value // 10 ** -places
    return -value if negative else value


class Json:
    """The values of the text buf[start:end] (bytes or bytearray), which has to stay as it is. MeterError "malformed" or
    "truncated". A path is given by the hash of its beginning and the bytes of its end."""

    def __init__(self, buf, start, end):
        if end - start > _LARGEST:
            raise MeterError("malformed", "more than %d bytes of JSON" % _LARGEST)
        self._buf = buf
        self._start, self._end = start, end
        self._found = {}
        self._at = start
        self._skip()
        if buf[self._at] != 0x7B:
            raise MeterError("malformed", "no JSON object")
        self._group(0, 1)
        while self._at < end:
            if buf[self._at] not in _BLANKS:
                raise self._wrong()
            self._at += 1

    def has(self, path):
        return path_hash(path) in self._found

    def place(self, begun, path):
        """(start, end) in the buffer of a number or a string; None when there is none or it is null."""
        place = self._found.get(path_hash(path, begun), _NOTHING)
        if place < 0:
            if place == _GROUP:
                raise MeterError("malformed", "%s is no value" % path.decode())
            return None
        return self._start + (place >> _BITS), self._start + (place & _PLACE)

    def number(self, begun, path, decimals):
        """As `fixed`; None when there is none."""
        place = self.place(begun, path)
        if place:
            try:
                return fixed(self._buf, place[0], place[1], decimals)
            except ValueError:
                raise MeterError("malformed", "%s is no number" % path.decode())

    def hexadecimal(self, begun, path, most):
        """(value, is every bit of it set) of at most so many hexadecimal digits; None when there is none."""
        place = self.place(begun, path)
        if not place or place[0] == place[1]:
            return None
        value = 0
        full = True
        at, stop = place
        for k in range(at, stop):
            byte = self._buf[k] | 32
            digit = byte - 48 if 48 <= byte <= 57 else byte - 87 if 97 <= byte <= 102 else 16
            if digit > 15 or self._buf[k] < 48 or stop - at > most:
                raise MeterError("malformed", "attribute %s is not hexadecimal" % path.decode())
            value = value << 4 | digit
            full = full and digit == 15
        return value, full

    def text(self, begun, path, most):
        """A text of at most so many bytes; None when there is none, a longer one, or one with an escape in it."""
        place = self.place(begun, path)
        if not place or place[1] - place[0] > most or self._buf.find(b"\\", place[0], place[1]) >= 0:
            return None
        try:
            return bytes(self._buf[place[0]:place[1]]).decode()
        except UnicodeError:
            raise MeterError("malformed", "%s is no text" % path.decode())

    def _wrong(self):
        return MeterError("malformed", "no JSON at byte %d" % (self._at - self._start))

    def _skip(self):
        """Go to the next byte that is not blank; there has to be one."""
        buf, at, end = self._buf, self._at, self._end
        while at < end and buf[at] in _BLANKS:
            at += 1
        if at >= end:
            raise MeterError("truncated", "the JSON text ends too soon")
        self._at = at

    def _value(self, path, depth):
        """Read what starts here, which is not blank."""
        buf, at, end = self._buf, self._at, self._end
        byte = buf[at]
        if byte == 0x22:
            stop = self._string()
            at += 1
        elif byte == 0x7B or byte == 0x5B:
            if depth >= _DEEPEST:
                raise MeterError("malformed", "JSON deeper than %d" % _DEEPEST)
            self._group(path, depth + 1)
            self._found[path] = _GROUP
            return
        else:
            stop = at
            while stop < end and buf[stop] in b"0123456789+-.eE":
                stop += 1
            if stop == at:
                self._word()
                self._found[path] = _NOTHING
                return
            self._at = stop
        self._found[path] = at - self._start << _BITS | stop - self._start

    def _word(self):
        for word in (b"null", b"true", b"false"):
            if self._buf.startswith(word, self._at) and self._at + len(word) <= self._end:
                self._at += len(word)
                return
            left = self._end - self._at
            if left < len(word) and self._buf.startswith(word[:left], self._at):
                raise MeterError("truncated", "the JSON text ends too soon")
        raise self._wrong()

    def _group(self, path, depth):
        """An object or an array."""
        buf = self._buf
        keyed = buf[self._at] == 0x7B
        closing = 0x7D if keyed else 0x5D
        inner = path_hash(b"/" if keyed else b"[", path) if depth > 1 else 0
        self._at += 1
        self._skip()
        if buf[self._at] == closing:
            self._at += 1
            return
        while True:
            name = inner
            if keyed:
                at = self._at + 1
                if buf[at - 1] != 0x22:
                    raise self._wrong()
                stop = self._string()
                while at < stop:
                    name = (name * 31 + buf[at]) & 0x1FFFFFF
                    at += 1
                self._skip()
                if buf[self._at] != 0x3A:
                    raise self._wrong()
                self._at += 1
                self._skip()
            self._value(name, depth)
            self._skip()
            byte = buf[self._at]
            if byte != closing and byte != 0x2C:
                raise self._wrong()
            self._at += 1
            if byte == closing:
                return
            self._skip()

    def _string(self):
        """Go behind the string that starts here; the place of its closing mark."""
        buf, end = self._buf, self._end
        at = self._at + 1
        while True:
            mark = buf.find(b'"', at, end)
            if mark < 0:
                raise MeterError("truncated", "the JSON text ends too soon")
            escape = buf.find(b"\\", at, mark)
            if escape < 0:
                self._at = mark + 1
                return mark
            if escape + 1 >= end:
                raise MeterError("truncated", "the JSON text ends too soon")
            at = escape + 2
            if buf[escape + 1] == 0x75:
                for _ in range(4):
                    if at >= end or buf[at] not in b"0123456789abcdefABCDEF":
                        raise self._wrong()
                    at += 1
            elif buf[escape + 1] not in b'"\\/bfnrt':
                raise self._wrong()
