# SPDX-License-Identifier: MIT
"""COSEM data-notification (tag 0x0F) → Reading: A-XDR walked once (IEC 61334-6, Green Book 9.5, Blue Book 4.1.5).

    0F  invoke id and priority (4)  date-time (a length, then 12 bytes or none)  body

What the places of a list mean is worked out once, by `plan`, from the OBIS codes and units in the list or from a
profile; the lists of a meter look alike from then on, down to the bit pattern of their types, which `mark` sums up.
"""

from micropython import const

from wattport.crypto.crc import crc16_x25
from wattport.errors import MeterError
from wattport.modules import forget
from wattport.reading import settle

_DEEPEST = const(6)
_MOST_ITEMS = const(200)
_MOST_PLANS = const(6)
_TRY_AGAIN = const(16)
# fixed sizes of A-XDR types: boolean, int32, uint32, bcd, int8, int16, uint8, uint16, int64, uint64, enum
_SIZES = {3: 1, 5: 4, 6: 4, 13: 1, 15: 1, 16: 2, 17: 1, 18: 2, 20: 8, 21: 8, 22: 1}
_SIGNED = (5, 15, 16, 20)
_OCTETS = const(9)
_STRINGS = (10, 12)
_STRUCTURE = const(2)
HEADS = 5  # items among which names of makers and meters stand
_SHORTEST_NAME = const(5)
_BITS = const(0x1FFFFFF)  # a mark times 31 stays a small integer on 32 bits


class Walker:
    """Flattens A-XDR data: `items` is a list of integers, None, and places (start, end) of strings.

    Left out of the items and, with `detail`, gathered apart: `scales`, {index of the item in front: (scaler, unit)},
    from structures of a scaler and a unit; `objects`, the codes of a list of what has been pushed (class, code,
    attribute, index). `shape` has a letter an item: 1 2 4 8 integer of so many bytes, e enum, b boolean, n null, c OBIS
    code, t date and time, o other octets, s text.
    """

    def __init__(self, buf, at, end, detail=False):
        self._buf = buf
        self._end = end
        self.at = at
        self.items = []
        self.mark = 0
        self.scales = {} if detail else None
        self.objects = []
        self.shape = ""

    def _take(self, size):
        at = self.at
        self.at += size
        if self.at > self._end:
            raise MeterError("truncated", "the data end inside of a value")
        return at

    def length(self):
        first = self._buf[self._take(1)]
        if first < 0x80:
            return first
        size = first & 0x7F
        if not 1 <= size <= 2:
            raise MeterError("malformed", "a length of %d bytes" % size)
        value = 0
        for _ in range(size):
            value = value << 8 | self._buf[self._take(1)]
        return value

    def _add(self, item, letter, mark):
        self.items.append(item)
        self.mark = (self.mark * 31 + mark) & _BITS
        if self.scales is not None:
            self.shape += letter

    def walk(self, depth=0):
        if depth > _DEEPEST or len(self.items) > _MOST_ITEMS:
            raise MeterError("malformed", "the data are nested too deep or too long")
        buf = self._buf
        kind = buf[self._take(1)]
        size = _SIZES.get(kind)
        if size:
            at = self._take(size)
            value = 0
            for i in range(at, at + size):
                value = value << 8 | buf[i]
            if kind in _SIGNED and buf[at] & 0x80:
                value -= 1 << 8 * size
            self._add(value, "e" if kind == 22 else "b" if kind == 3 else str(size), kind)
        elif kind == _OCTETS:
            size = self.length()
            at = self._take(size)
            self._octets(at, size)
        elif kind in _STRINGS:
            size = self.length()
            at = self._take(size)
            self._text(at, size, "s", kind)
        elif kind == 1 or kind == _STRUCTURE:  # array, structure
            count = self.length()
            self.mark = (self.mark * 31 + count) & _BITS
            if kind == _STRUCTURE and self._known(count):
                return
            for _ in range(count):
                self.walk(depth + 1)
        elif kind == 0:
            self._add(None, "n", 0)
        else:
            raise MeterError("unsupported", "data of type %d" % kind)

    def _octets(self, at, size):
        if size == 6 and self._buf[at + 5] == 0xFF:
            self._add((at, at + 6), "c", code_at(self._buf, at))
        else:
            # twelve digits of a meter's number are no year
            clock = size == 12 and not 32 <= self._buf[at] < 127
            self._text(at, size, "t" if clock else "o", _OCTETS | clock << 4)

    def _text(self, at, size, letter, kind):
        if size >= _SHORTEST_NAME and len(self.items) < HEADS and 32 <= self._buf[at] < 127:
            # another maker's list may look the same but for its name
            self.mark = (self.mark * 31 + crc16_x25(self._buf, at, at + size)) & _BITS
        self._add((at, at + size), letter, size << 5 | kind)

    def _known(self, count):
        """Structures with a meaning of their own, taken as one: True when it was that."""
        buf, at = self._buf, self.at
        if count == 2 and at + 4 <= self._end and buf[at] == 15 and buf[at + 2] == 22:
            self._take(4)
            self.mark = (self.mark * 31 + (buf[at + 1] << 8 | buf[at + 3])) & _BITS
            if self.scales is not None:
                scaler = buf[at + 1]
                self.scales[len(self.items) - 1] = scaler - 256 if scaler > 127 else scaler, buf[at + 3]
            return True
        if (count == 4 and at + 16 <= self._end and buf[at] == 18 and buf[at + 3] == _OCTETS and buf[at + 4] == 6
                and buf[at + 11] == 15 and buf[at + 13] == 18):
            self._take(16)
            code = code_at(buf, at + 5)
            self.mark = (self.mark * 31 + code) & _BITS
            if self.scales is not None:
                self.objects.append(code)
            return True
        if count == 2 and at + 10 <= self._end and buf[at] == 0 and buf[at + 7] == 0xFF and buf[at + 8] < 16:
            # Czechia's EG.D: class, code and attribute without types in front, then the value
            self._take(9)
            self._add((at + 2, at + 8), "c", code_at(buf, at + 2))
            self.walk(1)
            return True
        return False


def text_of(buf, at, end, strict=False):
    """What octets say to a person: their ASCII text without blanks and zeros around it, or else their digits, or when
    `strict` an error "malformed": a number of a meter that is no text is a sign of damage that nothing else shows."""
    raw = bytes(buf[at:end])
    told = raw.strip(b" \x00")
    for byte in told:
        if not 32 <= byte < 127:
            if strict:
                raise MeterError("malformed", "a text that is none")
            return "".join(["%02x" % digits for digits in raw])
    return told.decode()


def time_of(buf, at, zone, clock):
    """UTC seconds of a COSEM date-time (12 bytes), or None when it says no time.

    year(2) month day weekday hour minute second hundredths deviation(2) status. Deviation is what to add to the local
    time to get UTC, in minutes, summer time included; 0x8000 says nothing, and then `clock` does: "standard" for a
    meter whose clock never changes to summer time, "local" for one that shows wall time, whose summer bit (status,
    0x80) counts in the hour that comes twice. Some meters turn the deviation's sign round, and some say 0 and mean
    nothing: a deviation that can't be right in the zone is taken as that.
    """
    year = buf[at] << 8 | buf[at + 1]
    deviation = buf[at + 9] << 8 | buf[at + 10]
    status = buf[at + 11]
    second = buf[at + 7] if buf[at + 7] != 0xFF else 0
    try:
        fields = (year, buf[at + 2], buf[at + 3], buf[at + 5], buf[at + 6], second)
        if deviation != 0x8000 and (deviation or not zone.standard):
            if deviation & 0x8000:
                deviation -= 0x10000
            if not -720 <= deviation <= 840:
                return None
            if deviation and deviation * 60 in (zone.standard, zone.summer):
                deviation = -deviation
            return zone.utc(*fields, False) + zone.standard + deviation * 60
        if clock == "standard":
            return zone.utc(*fields, False)
        if status != 0xFF and status & 0x80:
            return zone.utc(*fields, True)
        return zone.utc(*fields, None, status != 0xFF)
    except ValueError:
        return None


def code_at(buf, at):
    """C.D.E of the OBIS code at buf[at], a byte each."""
    return buf[at + 2] << 16 | buf[at + 3] << 8 | buf[at + 4]


def open_list(buf, start, end, detail=False):
    """(walker of the body, place of the notification's own time or 0)"""
    walker = Walker(buf, start + 5, end, detail)
    size = walker.length()
    if size == _OCTETS:  # some meters write the type of an octet string before its length
        size = walker.length()
    stamp = walker.at if size == 12 else 0
    walker.at += size
    if walker.at > end:
        raise MeterError("truncated", "the data end inside of the date and time")
    walker.walk()
    return walker, stamp


def size_of(buf, start, end):
    """Bytes of the notification at `start`."""
    return open_list(buf, start, end)[0].at - start


class CosemDecoder:
    """Decodes the notifications of one meter. `profile`: a layout of the household's own, see `profile`."""

    def __init__(self, zone, profile=None):
        self._zone = zone
        self._profile = profile
        self._refused = 0
        self._plans = {}  # mark of a list → (clock, [index, name, factor, ...]), or why there is none

    def decode(self, buf, start, end):
        """Reading of the notification buf[start:end]; an error "unsupported" for a list that nothing explains."""
        walker, stamp = open_list(buf, start, end)
        if walker.at != end:  # parts of two lists, put together
            raise MeterError("malformed", "%d bytes behind the list" % (end - walker.at))
        found = self._plans.get(walker.mark)
        if not found:
            found = self._plan(buf, start, end, walker.mark)
        if isinstance(found, str):
            self._refused += 1
            if not self._refused % _TRY_AGAIN:  # a damaged list may have had the mark of a sound one
                del self._plans[walker.mark]
            raise MeterError("unsupported", found)
        try:
            return self._read(buf, walker.items, stamp, found[0], found[1])
        except (IndexError, TypeError):  # marks are short: one in millions means two lists
            raise MeterError("malformed", "the list does not hold what it looks like")

    def _read(self, buf, items, stamp, clock, plan):
        reading = {}
        for i in range(0, len(plan), 3):
            value, name, factor = items[plan[i]], plan[i + 1], plan[i + 2]
            if value is None:
                continue
            if factor:
                if isinstance(value, tuple):
                    raise TypeError
                reading[name] = value * factor if factor > 0 else _divided(value, -factor)
            elif name == "time":
                stamp = value[0]
            elif name == "tariff":
                value = _number(buf, value)
                if value is not None:
                    reading[name] = value
            elif isinstance(value, tuple):
                value = text_of(buf, value[0], value[1], True)
                if value:
                    reading[name] = value
            else:
                reading[name] = str(value)
        if stamp:
            time = time_of(buf, stamp, self._zone, clock)
            if time is not None:
                reading["time"] = time
        settle(reading)
        return reading

    def _plan(self, buf, start, end, mark):
        """Work out what a list means; kept, as it costs many times what a telegram does."""
        from wattport.decode import plan
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        walker = open_list(buf, start, end, True)[0]
        found = self._plans[mark] = plan.make(buf, walker, self._profile)
        del plan
        forget("wattport.decode.plan")
        forget("wattport.decode.profile")
        forget("wattport.decode.units")
        return found


def _number(buf, value):
    """An integer, or one that is written in octets, 00 02, or in a text, RATE2; None when there is none."""
    if not isinstance(value, tuple):
        return value
    octets = bytes(buf[value[0]:value[1]]).strip(b"\x00")
    if len(octets) == 1 and octets[0] < 32:
        return octets[0]
    digits = bytes([octet for octet in octets if 48 <= octet < 58])
    return int(digits) if 0 < len(digits) < 4 else None


def _divided(value, divisor):
    """Cut off towards zero, unlike //."""
    return -(-value // divisor) if value < 0 else value // divisor
