# SPDX-License-Identifier: MIT
"""Each day's totals: those that are kept, and those of its half-hours. A day is the household's, 23 or 25 hours long
when the clocks change; its number counts dates from 1970-01-01. Of two rows of one day the one that was written last
counts.
"""

from wattport.civil import day
from wattport.history import past
from wattport.history.place import HALF_HOUR_S, files
from wattport.history.rows import PART


def number(zone, utc):
    return (utc + zone.offset(utc)) // 86400


def first(zone, otherwise):
    """The number of the first day that has half-hours; `otherwise` where there are none."""
    halves = files("h")
    return number(zone, halves[0][0] * HALF_HOUR_S) if halves else otherwise


def bounds(zone, number):
    """UTC at which a day begins and ends."""
    return day(zone, number * 86400 + 43200 - zone.standard)


def _halves(start, end):
    return -(-start // HALF_HOUR_S), -(-end // HALF_HOUR_S)


def total(zone, number, found):
    """Put a day's totals into a dict, and then yield its flags, None before any half-hour; every now and then None
    before, so that others get their turn."""
    start, end = bounds(zone, number)
    begin, end = _halves(start, end)
    flags, count = None, 0
    for row in past.between("h", begin, end):
        if not row:
            yield None
            continue
        _, more, names, values = row
        past.merge(found, names, values)
        flags = (flags or 0) | more
        count += 1
    if count:
        yield flags if count == end - begin else flags | PART


def rows(begin, end):
    """(number, flags, {name: value}) of each day that is kept, begin <= number < end; None: a breath."""
    for row in past.between("d", begin, end):
        if not row:
            yield None
            continue
        number, flags, names, values = row
        yield number, flags, {names[i]: values[i] for i in range(len(names)) if values[i] is not None}
