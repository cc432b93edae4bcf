# SPDX-License-Identifier: MIT
"""A history's CSV on its way back in, some lines at a time: to mend rows, or to bring those of another dongle.

Its rows go into files of their own ("…i"), which count instead of what was recorded; nothing that was is changed. The
days that they belong to are added up anew.
"""

import os

from micropython import const

from wattport.clock import seconds
from wattport.history import days, rollup, store
from wattport.history.export import NOTES
from wattport.history.place import HALF_HOUR_S, files, path
from wattport.history.record import write
from wattport.history.rows import Rows, is_gauge
from wattport.history.segment import Segment

_UNITS = ("wh", "varh", "l", "kj", "w", "mv")
_COLUMNS = const(24)
_MOST = 1 << 40


def _time(text):
    """UTC of an ISO 8601 time with an offset or Z; ValueError."""
    date, _, rest = text.partition("T")
    clock, zone = rest[:8], rest[8:]
    fields = [int(part) for part in date.split("-") + clock.split(":")]
    if len(fields) != 6 or zone != "Z" and (len(zone) != 6 or zone[0] not in "+-" or zone[3] != ":"):
        raise ValueError
    ahead = 0 if zone == "Z" else int(zone[1:3]) * 3600 + int(zone[4:]) * 60
    return seconds(*fields) - (-ahead if zone[0] == "-" else ahead)


def _names(line):
    names = line.strip().split(",")
    for name in names[2:]:
        for char in name:
            if not (char.isdigit() or "a" <= char <= "z" or char in "_."):
                raise ValueError("no column of a history: %s" % name)
        if name.rpartition("_")[2] not in _UNITS:
            raise ValueError("no column of a history: %s" % name)
    if names[:2] != ["start", "note"] or not 0 < len(names) - 2 <= _COLUMNS:
        raise ValueError("the first line is no history's")
    return names[2:]


def _row(line, names):
    """(number, flags, values)"""
    try:
        parts = line.strip().split(",")
        utc = _time(parts[0])
        notes = parts[1].split()
        flags = sum([flag for flag, word in NOTES if word in notes])
        values = []
        for name, text in zip(names, parts[2:]):
            value = int(text) if text else None if is_gauge(name) else 0
            if value and not 0 <= value < _MOST:
                raise ValueError
            values.append(value)
        if len(parts) != len(names) + 2 or utc % HALF_HOUR_S:
            raise ValueError
    except (ValueError, IndexError):
        raise ValueError("no half-hour: %s" % line.strip()[:60])
    return utc // HALF_HOUR_S, flags, values


def take(lines, before):
    """Keep the rows of some lines, names in the first, by time. before: the number of the half-hour that runs, or None;
    those from then on are left out. Breaths, then (first number, last number, rows), numbers None without a row.
    ValueError: what is wrong, and nothing was kept."""
    names = _names(lines[0])
    found = []
    for line in lines[1:]:
        if not line.strip():
            continue
        row = _row(line, names)
        if found and row[0] <= found[-1][0]:
            raise ValueError("not by time: %s" % line.strip()[:25])
        if before is None or row[0] < before:
            found.append(row)
        yield None
    if not found:
        yield None, None, 0
        return
    # behind those of the lines before, if they fit
    into = None
    for one in sorted(files("h"), key=lambda one: -one[1]):
        name = one[2]
        if name[-1] == "i":
            into = Segment(path(name))
            for _ in into.whole():
                yield None
            rows = into.rows
            if (into.names != names or rows.next > found[0][0] or into.size > store.FULL
                    or os.stat(path(name))[6] != into.size):
                into = None
            break
    if not into:
        rows = Rows(names, found[0][0])
    data = b""
    for number, flags, values in found:
        data += write(rows, flags, values, number - rows.next)
        yield None
    if into:
        store.append("h", into.path.rpartition("/")[2], data)
    else:
        store.begin("h", None, {}, names, found[0][0], [0] * len(names), 0, data, "i")
    yield found[0][0], found[-1][0], len(found)


def add_up(zone, first, last, closed):
    """Add the days anew in which half-hours of these numbers lie, as far as they are over; breaths."""
    number, end = days.number(zone, first * HALF_HOUR_S), days.number(zone, last * HALF_HOUR_S)
    while number <= end and (closed is None or number < days.number(zone, closed * HALF_HOUR_S)):
        yield from rollup.keep(zone, number)
        number += 1
