# SPDX-License-Identifier: MIT
"""One line of P1 text: what its OBIS code means, and how to read it.

Every function here takes the line as (buf, start, end) and copies no more than it must.
"""

from binascii import unhexlify

from micropython import const

from wattport.reading import name_of, unit_of

# what a line holds
VALUE = const(0)  # (001234.567*kWh)
_TIME = const(1)  # (230101120000W)
TEXT = const(2)  # hex digits that spell a text
WORD = const(3)  # (50)
_PEAK = const(4)  # (230117224500W)(04.329*kW): the month's highest quarter-hour
_PEAKS = const(5)  # (n)(1-0:1.6.0)(1-0:1.6.0), then n times (stored)(reached)(04.329*kW)
_FAILURES = const(6)  # (n)(0-0:96.7.19), then n times (end)(0000000240*s)
_TYPE = const(7)  # a child meter's M-Bus device type
_IDENTITY = const(8)  # its identification
_CHILD = const(9)  # (230101120000W)(00012.345*m3)
_OLD_CHILD = const(10)  # (230101120000)(00)(60)(1)(0-1:24.2.1)(m3), and the value on the next line
MARK = const(11)  # tells the country

# C.D.E of mediums 0 and 1, a byte each → what, and the name
_MAIN = {
    0x010000: (_TIME, "time"), 0x600101: (TEXT, "meter_id"), 0x600100: (TEXT, "meter_id"),
    0x2A0000: (TEXT, "meter_id"), 0x000000: (WORD, "meter_id"), 0x6001FF: (WORD, "meter_id"),
    0x000208: (WORD, "version"), 0x600104: (MARK, "dsmr-be"), 0x0F0800: (MARK, "dsmr-hu"), 0x011800: (MARK, "dsmr-lt"),
    0x600D00: (TEXT, "message"), 0x600D01: (TEXT, "message_code"), 0x010600: (_PEAK, None),
    0x620100: (_PEAKS, "peak_history"), 0x636100: (_FAILURES, "power_failure_log"), 0x603244: (VALUE, "breaker"),
}
_FAMILY_VERSION = const(3)  # group B of the version's code: 0 and 1 name programs
# C.D of a child meter's channel, a byte each → what
_CHILDREN = {0x1801: _TYPE, 0x6001: _IDENTITY, 0x1802: _CHILD, 0x1803: _OLD_CHILD}
# M-Bus device types (EN 13757-3, table 8)
_DEVICE_TYPES = {2: "electricity", 3: "gas", 4: "heat", 6: "water", 7: "water", 10: "cooling", 11: "cooling",
                 12: "heat", 13: "heat"}
_SHORTEST_REGISTER = const(5)  # digits in front of the point
_LONGEST_NUMBER = const(24)
_CHILD_VALUES = {"M3": ("volume_l", 3), "GJ": ("energy_kj", 6), "WH": ("energy_wh", 0)}


def meaning(key):
    """(what, name or channel) of a line's key b"1-0:1.8.1(", however the maker ends it ("1-0:1.8.1*255("); None when
    it has no name here, as values of past months have none ("1-0:1.8.0*01(")."""
    if key.find(b":") < 0:
        from wattport.decode import p1short
        return p1short.meaning(key)
    try:
        medium, code = key[:-1].decode().split(":")
        a, b = [int(group) for group in medium.split("-")]
        code = code.replace("*", ".").split(".")
        c, d, e = [int(group) for group in code[:3]]
    except ValueError:  # not three groups, no numbers, no text
        return None
    if a > 1 or len(code) > 3 and code[3:] != ["255"] or max(c, d, e) > 255:
        return None
    code = c << 16 | d << 8 | e
    if not a and 1 <= b <= 4:
        what = _CHILDREN.get(code >> 8)
        return (what, str(b)) if what and (d != 1 or e in (0, 1)) else None
    if code in _MAIN and (code != 0x000208 or b == _FAMILY_VERSION):
        return _MAIN[code]
    name = name_of(code)
    return (VALUE, name) if name else None


def end_of_line(buf, at, end):
    """Place behind the line at `at`, and behind lines that only carry on its groups (DSMR 2.2's gas value); or of the
    next value on the same line (IEC 62056-21)."""
    while True:
        stop = buf.find(b"\n", at, end) + 1 or end
        while True:
            at = buf.find(b")", at, stop) + 1
            if not at or at >= stop:
                break
            if buf[at] > 47 or buf[at] == 33 and at + 1 < stop and buf[at + 1] < 14:
                return at  # a code follows or the end mark, no bracket and no line end
        at = stop
        if at >= end or buf[at] != 40:
            return at


def groups(buf, at, end):
    """[(start, end), ...] of the parts between brackets; ValueError when one has no end."""
    found = []
    while True:
        at = buf.find(b"(", at, end) + 1
        if not at:
            return found
        stop = buf.find(b")", at, end)
        if stop < 0:
            raise ValueError("a bracket has no end")
        found.append((at, stop))
        at = stop


def number(buf, at, end, exponent):
    """buf[at:end] * 10**exponent as an integer, what is behind it cut off: b"-001.26", 1 → -12; ValueError."""
    negative = at < end and buf[at] == 45
    if negative:
        at += 1
    dot = buf.find(b".", at, end)
    part = buf[at:end if dot < 0 else dot]
    if not part.isdigit() or end - at > _LONGEST_NUMBER:
        raise ValueError("no number")
    value = int(part) * 10 ** exponent
    if dot >= 0:
        part = buf[dot + 1:end]
        if not part.isdigit():  # all of it: a value of another unit and the line behind it may stand here
            raise ValueError("no number")
        size = len(part)
        if size > exponent:
            part = part[:exponent]
            size = exponent
        if size:
            value += int(part) * 10 ** (exponent - size)
    return -value if negative else value


def quantity(buf, at, end):
    """(end of the number, exponent of its prefix, unit in upper case without k) of b"001.26*kWh" or b"001.26kWh"."""
    stop = at
    while stop < end and (buf[stop] < 58 and buf[stop] != 42):
        stop += 1
    unit = bytes(buf[stop:end]).decode().lstrip("*").upper()
    if unit[:1] == "K":
        return stop, 3, unit[1:]
    if unit == "MJ":
        return stop, -3, "GJ"
    return stop, 0, unit


def scale_of(name, buf, at, end):
    """(end of the number, exponent that brings it to the base unit of `name`); None when the unit is another one.

    A register without a unit is one of kWh when it shows decimals and all of its digits, as meters' displays do."""
    stop, prefix, unit = quantity(buf, at, end)
    wanted, exponent = unit_of(name)
    if unit == wanted:
        return stop, prefix + exponent
    if not unit and wanted == "WH" and at + _SHORTEST_REGISTER <= buf.find(b".", at, stop) < stop - 1:
        return stop, 3
    return None


def _two(buf, at):
    tens, ones = buf[at] - 48, buf[at + 1] - 48
    if not (0 <= tens <= 9 and 0 <= ones <= 9):
        raise ValueError("no time")
    return tens * 10 + ones


def time_of(buf, at, end, zone):
    """UTC seconds of YYMMDDhhmmss, with S (summer), W (winter) or neither behind it, or of "YYYYMMDD hh:mm:ss".

    ValueError for what is no time; so are the stamps of channels without a meter: 632525252525W, 700101010000W.
    """
    step = 2
    if end - at == 17:
        at += 2
        step = 3
    elif not 12 <= end - at <= 13:
        raise ValueError("no time")
    flag = buf[end - 1]
    year = _two(buf, at)
    if year >= 70:
        raise ValueError("no time")
    clock = at + 6 + step - 2
    return zone.utc(2000 + year, _two(buf, at + 2), _two(buf, at + 4), _two(buf, clock), _two(buf, clock + step),
                    _two(buf, clock + 2 * step), True if flag == 83 else False if flag == 87 else None)


def plain(raw):
    """A text that is ASCII; ValueError: MicroPython's decode() takes bytes that are no UTF-8 either."""
    if max(raw) > 126:
        raise ValueError("no text")
    return raw.decode()


def _text(buf, at, end):
    """Hex digits that spell a text; what is no hex, or no text in hex, stays as it is."""
    raw = bytes(buf[at:end])
    try:
        spelled = unhexlify(raw)
        if min(spelled) >= 32 and max(spelled) < 127:
            raw = spelled
    except ValueError:
        pass
    return plain(raw)


def read(what, name, buf, bracket, end, zone):
    """What the line with its first bracket at `bracket` says: an integer, a text or a list for a line with a name,
    otherwise {name: value}; None when it says nothing that can be used. ValueError for what is no number."""
    parts = groups(buf, bracket, end)
    at, stop = parts[0]
    if at == stop:
        return None
    if what == VALUE:
        scale = scale_of(name, buf, at, stop)
        if scale:
            return number(buf, at, scale[0], scale[1])
        if name != "tariff" and name != "breaker":
            return None
        from wattport.decode import p1short
        return p1short.worded(name, buf, at, stop)
    if what == MARK:
        return 1
    if what == WORD:
        return plain(bytes(buf[at:stop])).strip() or None
    if what == TEXT:
        return _text(buf, at, stop)
    if what == _IDENTITY:
        return {"id": _text(buf, at, stop)}
    if what == _TYPE:
        return {"type": _DEVICE_TYPES.get(number(buf, at, stop, 0), "unknown")}
    try:
        if what == _TIME:
            return time_of(buf, at, stop, zone)
        if what == _PEAK:
            reached = time_of(buf, at, stop, zone)
            return {"peak_month_w": watts(buf, parts[1]), "peak_month_time": reached}
        if what == _CHILD or what == _OLD_CHILD:
            return _child(what, buf, parts, time_of(buf, at, stop, zone))
    except (ValueError, IndexError):  # a stamp that is no time: the clock is not set, or no meter is there
        return None
    if len(parts) < 4:
        return []
    if stop - at > 2:  # Hungary's values of the last month, no count
        return None
    from wattport.decode import p1lists
    return p1lists.peaks(buf, parts, zone) if what == _PEAKS else p1lists.failures(buf, parts, zone)


def watts(buf, part):
    """Watts of the part b"04.329*kW" of a line; ValueError."""
    stop, exponent = scale_of("peak_month_w", buf, *part) or (part[0], 0)
    return number(buf, part[0], stop, exponent)


def _child(what, buf, parts, time):
    at, end = parts[-1]
    if what == _OLD_CHILD:
        if len(parts) < 7:
            return None
        stop, prefix = end, 0
        unit = bytes(buf[parts[5][0]:parts[5][1]]).decode().upper()
    else:
        stop, prefix, unit = quantity(buf, at, end)
    if unit not in _CHILD_VALUES:
        return None
    name, exponent = _CHILD_VALUES[unit]
    return {"time": time, name: number(buf, at, stop, prefix + exponent)}
