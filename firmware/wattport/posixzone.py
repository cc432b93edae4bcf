# SPDX-License-Identifier: MIT
"""A time zone as POSIX writes it (IEEE 1003.1, 8.3): "CET-1CEST,M3.5.0,M10.5.0/3". No table of places on the device."""

from wattport.clock import Zone

CENTRAL_EUROPE = "CET-1CEST,M3.5.0,M10.5.0/3"


def _offset(text):
    """Seconds of [+-]hh[:mm[:ss]]."""
    sign = -1 if text[0] == "-" else 1
    value = 0
    unit = 3600
    for part in text.lstrip("+-").split(":"):
        value += int(part) * unit
        unit //= 60
    return sign * value


def _rule(text):
    """Mm.w.d[/time]: (month, week, weekday, seconds of the day)."""
    date, _, time = text.partition("/")
    month, week, weekday = [int(part) for part in date[1:].split(".")]
    if date[0] != "M" or not (1 <= month <= 12 and 1 <= week <= 5 and 0 <= weekday <= 6):
        raise ValueError("no rule")
    return month, week, weekday, _offset(time) if time else 7200


def _named(text):
    """(offset behind the zone's name, rest): "CET-1CEST" → ("-1", "CEST")."""
    at = text.find(">") + 1
    while at < len(text) and text[at].isalpha():
        at += 1
    if at < 3:
        raise ValueError("no name")
    end = at
    while end < len(text) and text[end] in "+-:0123456789":
        end += 1
    return text[at:end], text[end:]


def parse(text):
    """Zone of a POSIX text; ValueError when it is none. Rules of the form Mm.w.d[/time] only."""
    parts = text.split(",")
    try:
        offset, rest = _named(parts[0])
        standard = -_offset(offset)
        if not rest and not parts[1:]:
            return Zone(standard, standard)
        offset, rest = _named(rest)
        start, end = [_rule(part) for part in parts[1:]]
        if not rest:
            return Zone(standard, -_offset(offset) if offset else standard + 3600, start, end)
    except (ValueError, IndexError):
        pass
    raise ValueError("no POSIX time zone: " + text)
