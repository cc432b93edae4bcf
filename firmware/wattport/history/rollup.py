# SPDX-License-Identifier: MIT
"""A day's totals are made from its half-hours when it is over, and kept for ten years. Whatever a power cut has left
out is made up for at the next time."""

from wattport.history import days, store
from wattport.history.record import write
from wattport.history.rows import Rows, is_gauge


def catch_up(zone, utc):
    """Keep what the days that are over brought. utc: the end of the last half-hour that is kept. Yields every now and
    then; the last thing is the number of the day that is not over. OSError when it cannot be written."""
    today = days.number(zone, utc)
    found = None
    for told in store.newest("d"):
        found = told
        yield None
    if found and found[0].rows.next <= today:
        due = found[0].rows.next
    elif found:  # the clock was set back: they come once more
        due = today - 1
    else:
        due = days.first(zone, today)
    while due < today:
        yield None  # a dongle that was in a drawer looks for each day of that
        yield from keep(zone, due)
        due += 1
    yield today


def keep(zone, number):
    """Write the totals of one day."""
    totals = {}
    flags = None
    for told in days.total(zone, number, totals):
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
            data = write(rows, flags, [totals.get(name, _nothing(name)) for name in rows.names], number - rows.next)
            store.append("d", segment.path.rpartition("/")[2], data)
            return
    names = list(totals)
    data = write(Rows(names, number), flags, [totals[name] for name in names])
    store.begin("d", None, {}, names, number, [], 0, data,
                "b" if found and rows.next > number else "")


def _nothing(name):
    return None if is_gauge(name) else 0
