# SPDX-License-Identifier: MIT
"""Each day's totals, made from its half-hours when it is over, and kept for ten years. A day is the household's, 23 or
25 hours long when the clocks change; its number counts dates from 1970-01-01. Whatever a power cut has left out is made
up for at the next time. Of two rows of one day the one that was written last counts.
"""

from wattport.civil import day
from wattport.history import store
from wattport.history.rows import PART, Rows


def number(zone, utc):
    return (utc + zone.offset(utc)) // 86400


def bounds(zone, number):
    """UTC at which a day begins and ends."""
    return day(zone, number * 86400 + 43200 - zone.standard)


def _halves(start, end):
    return -(-start // store.HALF_HOUR_S), -(-end // store.HALF_HOUR_S)


def total(zone, number, found):
    """Put a day's totals into a dict, and then yield its flags, None before any half-hour; every now and then None
    before, so that others get their turn."""
    start, end = bounds(zone, number)
    begin, end = _halves(start, end)
    flags, count = None, 0
    for row in store.between("h", begin, end):
        if not row:
            yield None
            continue
        _, more, names, values = row
        store.merge(found, names, values)
        flags = (flags or 0) | more
        count += 1
    if count:
        yield flags if count == end - begin else flags | PART


def catch_up(zone, utc):
    """Keep what the days that are over brought. utc: the end of the last half-hour that is kept. Yields every now and
    then; the last thing is the number of the day that is not over. OSError when it cannot be written."""
    today = number(zone, utc)
    found = None
    for told in store.newest("d"):
        found = told
        yield None
    if found and found[0].rows.next <= today:
        due = found[0].rows.next
    elif found:  # the clock was set back: they come once more
        due = today - 1
    else:
        files = store.files("h")
        due = number(zone, files[0][0] * store.HALF_HOUR_S) if files else today
    while due < today:
        yield from keep(zone, due)
        due += 1
    yield today


def keep(zone, number):
    """Write the totals of one day."""
    totals = {}
    flags = None
    for told in total(zone, number, totals):
        flags = told
        yield None
    if flags is None:
        return
    found = None
    for told in store.newest("d"):
        found = told
        yield None
    if found:
        segment = found[0]
        rows = segment.rows
        if rows.next <= number and segment.size < store.FULL and not [
                name for name in totals if name not in segment.names]:
            data = rows.write(flags, [totals.get(name, _nothing(name)) for name in rows.names], number - rows.next)
            store.append("d", segment.path.rpartition("/")[2], data)
            return
    names = list(totals)
    data = Rows(names, number).write(flags, [totals[name] for name in names])
    store.begin("d", None, {}, names, number, [], 0, data,
                "b" if found and rows.next > number else "")


def _nothing(name):
    return None if store.is_gauge(name) else 0


def rows(begin, end):
    """(number, flags, {name: value}) of each day that is kept, begin <= number < end; None: a breath."""
    for row in store.between("d", begin, end):
        if not row:
            yield None
            continue
        number, flags, names, values = row
        yield number, flags, {names[i]: values[i] for i in range(len(names)) if values[i] is not None}
