# SPDX-License-Identifier: MIT
"""One line of P1 text: which OBIS code it has, who reads it, and the readers.

A reader is called with (name, buf, bracket, stop, zone), `bracket` being the place of the line's first "(", and gives
an integer or a text for a line that has a name, otherwise (channel, {name: value}); None when the line says nothing
that can be used. It raises ValueError for what is no number or no time.
"""

from wattport.reading import name_of, unit_of

# M-Bus device types (EN 13757-3, table 8)
_DEVICE_TYPES = {2: "electricity", 3: "gas", 4: "heat", 6: "water", 7: "water", 10: "cooling", 11: "cooling", 12: "heat",
                 13: "heat"}
_POWERS = (1, 10, 100, 1000, 10000, 100000, 1000000)


def end_of_line(buf, at, end):
    """Place behind the line at `at`, with the lines that only carry on its groups (DSMR 2.2's gas value)."""
    while True:
        at = buf.find(b"\n", at, end) + 1
        if not at:
            return end
        if at >= end or buf[at] != 40:
            return at


def obis(key):
    """(A, B, C, D, E) of b"1-0:1.8.1(", however the maker ends it: "1-0:1.8.1*255(", "1-0:1.8.1.255("; None if none."""
    try:
        medium, rest = key[:-1].decode().split(":")
        a, b = medium.split("-")
        code = rest.split("*")[0].split(".")
        if len(code) not in (3, 4):
            return None
        return int(a), int(b), int(code[0]), int(code[1]), int(code[2])
    except ValueError:  # UnicodeError is one of these
        return None


def number(buf, at, end, exponent):
    """buf[at:end] * 10**exponent as an integer, what is behind it cut off: b"-001.26", 1 → -12."""
    negative = at < end and buf[at] == 45
    if negative:
        at += 1
    dot = buf.find(b".", at, end)
    whole = buf[at:end if dot < 0 else dot]
    if not whole.isdigit():
        raise ValueError("no number")
    value = int(whole) * _POWERS[exponent]
    if dot >= 0:
        digits = min(end - dot - 1, exponent)
        if digits > 0:
            part = buf[dot + 1:dot + 1 + digits]
            if not part.isdigit():
                raise ValueError("no number")
            value += int(part) * _POWERS[exponent - digits]
    return -value if negative else value


def quantity(buf, at, end):
    """(end of the number, exponent of its unit's k, unit in upper case without k) of b"001.26*kWh" or b"001.26kWh"."""
    stop = at
    while stop < end and (48 <= buf[stop] <= 57 or buf[stop] == 46 or buf[stop] == 45):
        stop += 1
    start = stop + 1 if stop < end and buf[stop] == 42 else stop
    unit = bytes(buf[start:end]).decode().upper()
    if unit.startswith("K"):
        return stop, 3, unit[1:]
    if unit == "MJ":
        return stop, -3, "GJ"
    return stop, 0, unit


def scaled(name, buf, at, end):
    """The integer in the base unit of `name`; None when the unit is missing or another one."""
    stop, prefix, unit = quantity(buf, at, end)
    wanted, exponent = unit_of(name)
    if unit != wanted:
        return None
    return number(buf, at, stop, prefix + exponent)


def value(name, buf, bracket, stop, zone):
    """1-0:1.8.1(001234.567*kWh)"""
    return scaled(name, buf, bracket + 1, buf.find(b")", bracket, stop))


def groups(buf, at, stop):
    """[(start, end), ...] of the parts between brackets."""
    found = []
    while True:
        at = buf.find(b"(", at, stop) + 1
        if not at:
            return found
        end = buf.find(b")", at, stop)
        if end < 0:
            raise ValueError("a bracket has no end")
        found.append((at, end))
        at = end


def time_of(buf, at, end, zone):
    """UTC seconds of YYMMDDhhmmss, with S (summer), W (winter) or neither behind it, or of "YYYYMMDD hh:mm:ss".

    ValueError for what is no time; so are the stamps of channels with no meter: 632525252525W, 700101010000W.
    """
    text = bytes(buf[at:end])
    summer = None
    if text.endswith(b"S") or text.endswith(b"W"):
        summer = text.endswith(b"S")
        text = text[:-1]
    if len(text) == 17 and text[8:9] == b" ":
        text = text[2:8] + text[9:11] + text[12:14] + text[15:17]
    if len(text) != 12 or not text.isdigit():
        raise ValueError("no time")
    fields = [int(text[i:i + 2]) for i in range(0, 12, 2)]
    if fields[0] >= 70:
        raise ValueError("no time")
    return zone.utc(2000 + fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], summer)


def _time(name, buf, bracket, stop, zone):
    try:
        return time_of(buf, bracket + 1, buf.find(b")", bracket, stop), zone)
    except ValueError:
        return None


def _text(name, buf, bracket, stop, zone):
    """Hex digits that spell a text; what is no hex, or no text in hex, stays as it is."""
    raw = bytes(buf[bracket + 1:buf.find(b")", bracket, stop)])
    if not raw:
        return None
    try:
        if len(raw) % 2 == 0:
            spelled = bytes([int(raw[i:i + 2], 16) for i in range(0, len(raw), 2)])
            if all([32 <= byte < 127 for byte in spelled]):
                raw = spelled
    except ValueError:
        pass
    return raw.decode()


def _plain(name, buf, bracket, stop, zone):
    return bytes(buf[bracket + 1:buf.find(b")", bracket, stop)]).decode() or None


def _belgian(name, buf, bracket, stop, zone):
    return (None, {"belgian": True})


def _peak(name, buf, bracket, stop, zone):
    """1-0:1.6.0(230117224500W)(04.329*kW): this month's highest quarter-hour and its time."""
    time, power = groups(buf, bracket, stop)[:2]
    watts = scaled("peak_month_w", buf, power[0], power[1])
    if watts is None:
        return None
    try:
        return None, {"peak_month_w": watts, "peak_month_time": time_of(buf, time[0], time[1], zone)}
    except ValueError:
        return None, {"peak_month_w": watts}


def _peak_history(name, buf, bracket, stop, zone):
    """0-0:98.1.0(n)(1-0:1.6.0)(1-0:1.6.0) then n times (stored)(reached)(04.329*kW) → [[reached, W], ...]"""
    parts = groups(buf, bracket, stop)
    history = []
    for i in range(3, len(parts) - 2, 3):
        watts = scaled("peak_month_w", buf, parts[i + 2][0], parts[i + 2][1])
        try:
            reached = time_of(buf, parts[i + 1][0], parts[i + 1][1], zone)
        except ValueError:
            continue
        if watts is not None:
            history.append([reached, watts])
    return history


def _failure_log(name, buf, bracket, stop, zone):
    """1-0:99.97.0(n)(0-0:96.7.19) then n times (end)(0000000240*s) → [[end, seconds], ...]"""
    parts = groups(buf, bracket, stop)
    log = []
    for i in range(2, len(parts) - 1, 2):
        end, _, _ = quantity(buf, parts[i + 1][0], parts[i + 1][1])
        try:
            log.append([time_of(buf, parts[i][0], parts[i][1], zone), number(buf, parts[i + 1][0], end, 0)])
        except ValueError:
            continue
    return log


# (C, D, E) of medium 0 and 1 → (reader, name)
_SPECIAL = {
    (1, 0, 0): (_time, "time"), (96, 1, 1): (_text, "meter_id"), (96, 1, 0): (_text, "meter_id"),
    (42, 0, 0): (_text, "meter_id"), (0, 2, 8): (_plain, "version"), (96, 1, 4): (_belgian, None),
    (96, 13, 0): (_text, "message"), (1, 6, 0): (_peak, None), (98, 1, 0): (_peak_history, "peak_history"),
    (99, 97, 0): (_failure_log, "power_failure_log"),
}


class _Child:
    """Readers of a child meter's lines; the channel is group B."""

    def __init__(self, channel):
        self.channel = str(channel)

    def type(self, name, buf, bracket, stop, zone):
        kind = number(buf, bracket + 1, buf.find(b")", bracket, stop), 0)
        return self.channel, {"type": _DEVICE_TYPES.get(kind, "unknown")}

    def identity(self, name, buf, bracket, stop, zone):
        text = _text(name, buf, bracket, stop, zone)
        return (self.channel, {"id": text}) if text else None

    def timed(self, name, buf, bracket, stop, zone):
        """(time)(value*unit): a stamp that is no time means that no meter is there."""
        parts = groups(buf, bracket, stop)
        if len(parts) < 2:
            return None
        end, prefix, unit = quantity(buf, parts[-1][0], parts[-1][1])
        return self._reading(buf, parts[0], parts[-1][0], end, prefix, unit, zone)

    def older(self, name, buf, bracket, stop, zone):
        """DSMR 2.2, 24.3.0: (time)(..)(..)(..)(code)(unit) and the value behind it."""
        parts = groups(buf, bracket, stop)
        if len(parts) < 7:
            return None
        unit = bytes(buf[parts[5][0]:parts[5][1]]).decode().upper()
        return self._reading(buf, parts[0], parts[6][0], parts[6][1], 0, unit, zone)

    def _reading(self, buf, stamp, at, end, prefix, unit, zone):
        try:
            time = time_of(buf, stamp[0], stamp[1], zone)
        except ValueError:
            return None
        if unit == "M3":
            name, exponent = "volume_l", 3
        elif unit == "GJ":
            name, exponent = "energy_kj", 6
        elif unit == "WH":
            name, exponent = "energy_wh", 0
        else:
            return None
        return self.channel, {"time": time, name: number(buf, at, end, prefix + exponent)}


def reader_of(key):
    """(reader, name) of a line's key b"1-0:1.8.1("; (None, None) when the code has no name here."""
    code = obis(key)
    if not code or code[0] > 1:
        # the version stands under medium 1, channel 3: 1-3:0.2.8
        return None, None
    a, b, c, d, e = code
    if a == 0 and 1 <= b <= 4:
        child = _Child(b)
        if (c, d) == (24, 1):
            return child.type, None
        if c == 96 and d == 1 and e in (0, 1):
            return child.identity, None
        if (c, d) == (24, 2):
            return child.timed, None
        if (c, d) == (24, 3):
            return child.older, None
        return None, None
    special = _SPECIAL.get((c, d, e))
    if special:
        return special
    name = name_of(c, d, e)
    return (value, name) if name else (None, None)
