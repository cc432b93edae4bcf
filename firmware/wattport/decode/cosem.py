# SPDX-License-Identifier: MIT
"""COSEM data-notification (tag 0x0F) → Reading: A-XDR walked once (IEC 61334-6, Green Book 9.5, Blue Book 4.1.5).

    0F  invoke id and priority (4)  date-time (a length, then 12 bytes or none)  body: a structure

Codes and values stand one behind the other in the body: an octet string of six bytes that is an OBIS code names what
follows. What is irregular about a maker's list is data, in `layouts`.
"""

from wattport.decode import layouts
from wattport.errors import MeterError
from wattport.reading import name_of, settle

_DEEPEST = 6
_MOST_ITEMS = 200
# fixed sizes of A-XDR types: boolean, int32, uint32, bcd, int8, int16, uint8, uint16, int64, uint64, enum
_SIZES = {3: 1, 5: 4, 6: 4, 13: 1, 15: 1, 16: 2, 17: 1, 18: 2, 20: 8, 21: 8, 22: 1}
_SIGNED = (5, 15, 16, 20)
_OCTETS = 9
_STRINGS = (10, 12)
_TEXTS = ("meter_id", "meter_model")


class Walker:
    """Flattens A-XDR data: `items` is a list of integers, texts, and places (start, end) of octet strings."""

    def __init__(self, buf, at, end):
        self._buf = buf
        self._end = end
        self.at = at
        self.items = []

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
            self.items.append(value)
        elif kind == _OCTETS:
            size = self.length()
            at = self._take(size)
            self.items.append((at, at + size))
        elif kind in _STRINGS:
            size = self.length()
            at = self._take(size)
            self.items.append(text_of(buf, at, at + size))
        elif kind == 1 or kind == 2:  # array, structure
            for _ in range(self.length()):
                self.walk(depth + 1)
        elif kind == 0:
            self.items.append(None)
        else:
            raise MeterError("unsupported", "data of type %d" % kind)


def text_of(buf, at, end):
    """ASCII: MicroPython's decode() takes bytes that are no UTF-8 either."""
    raw = bytes(buf[at:end])
    if raw and max(raw) > 126:
        raise MeterError("malformed", "a text that is none")
    return raw.decode()


def time_of(buf, at, zone, clock):
    """UTC seconds of a COSEM date-time (12 bytes), or None when it says no time.

    year(2) month day weekday hour minute second hundredths deviation(2) status. Deviation is what to add to the local
    time to get UTC, in minutes, summer time included; 0x8000 says nothing, and then `clock` does: "standard" for a
    meter whose clock never changes to summer time, "local" for one that shows wall time, whose summer bit (status,
    0x80) counts in the hour that comes twice. Some meters turn the deviation's sign round: a deviation that is the
    zone's own offset, which can't be right anywhere in the zone, is taken as that.
    """
    year = buf[at] << 8 | buf[at + 1]
    deviation = buf[at + 9] << 8 | buf[at + 10]
    status = buf[at + 11]
    second = buf[at + 7] if buf[at + 7] != 0xFF else 0
    try:
        fields = (year, buf[at + 2], buf[at + 3], buf[at + 5], buf[at + 6], second)
        if deviation != 0x8000:
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


def is_code(buf, item):
    """True for the place of an octet string that is an OBIS code: six bytes, the last one 255."""
    return isinstance(item, tuple) and item[1] - item[0] == 6 and buf[item[1] - 1] == 0xFF


def code_at(buf, at):
    """C.D.E of the OBIS code at buf[at], a byte each."""
    return buf[at + 2] << 16 | buf[at + 3] << 8 | buf[at + 4]


def _is_time(item):
    return isinstance(item, tuple) and item[1] - item[0] == 12


def codes_of(buf, items):
    """Indices of the items that are OBIS codes with a value behind them."""
    return [i for i in range(len(items) - 1) if is_code(buf, items[i]) and not is_code(buf, items[i + 1])]


def open_list(buf, start, end):
    """(items of the body, place of the notification's own time or 0)"""
    walker = Walker(buf, start + 5, end)
    size = walker.length()
    if size == _OCTETS:  # some meters write the type of an octet string before its length
        size = walker.length()
    stamp = walker.at if size == 12 else 0
    walker.at += size
    if walker.at > end:
        raise MeterError("truncated", "the data end inside of the date and time")
    walker.walk()
    return walker.items, stamp


class CosemDecoder:
    """Decodes the notifications of one meter."""

    def __init__(self, zone):
        self._zone = zone
        self._names = {}  # code → name, None included: to make one takes more heap than to keep it

    def _name(self, code, names):
        if code not in self._names:
            if len(self._names) > _MOST_ITEMS:
                self._names.clear()
            self._names[code] = names.get(code) or name_of(code)
        return self._names[code]

    def decode(self, buf, start, end):
        """Reading of the notification buf[start:end]; an error "unsupported" for a list no layout knows."""
        items, stamp = open_list(buf, start, end)
        places = codes_of(buf, items)
        layout = layouts.find(items, [code_at(buf, items[i][0]) for i in places])
        if not layout:
            raise MeterError("unsupported", "no layout knows this list")
        reading = {}
        scales, names = layout["scales"], layout["names"]
        for i in places:
            code, value = code_at(buf, items[i][0]), items[i + 1]
            if code == 0x010000:
                if _is_time(value):
                    stamp = value[0]
                continue
            name = self._name(code, names)
            if not name or value is None:
                continue
            if name in _TEXTS:
                if isinstance(value, tuple):
                    value = text_of(buf, *value)
                reading[name] = str(value)
            elif isinstance(value, int):
                reading[name] = value * (scales.get(code >> 8, 0) or scales.get(code >> 8 & 0xFF, 0) or 1)
        if not reading:
            raise MeterError("unsupported", "nothing known is in the list")
        if stamp:
            time = time_of(buf, stamp, self._zone, layout["clock"])
            if time is not None:
                reading["time"] = time
        settle(reading)
        return reading
