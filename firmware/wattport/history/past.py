# SPDX-License-Identifier: MIT
"""What was recorded, row by row. One that was brought in from outside counts instead of what was recorded. Where a
meter was swapped within a half-hour, both its rows come out as one; of days the one that was written last counts."""

from micropython import const

from wattport.history.place import HALF_HOUR_S, files, path
from wattport.history.rows import is_gauge
from wattport.history.segment import Segment

_FIRST = const(1000000)  # a rank above all numbers of files


def _within(kind, begin, end):
    """[(number of the first row, name)] of the files that may have rows of a range."""
    found = files(kind)
    # where the file that was begun next goes on
    ends = {which - 1: first for first, which, name in found if name[-1].isdigit()}
    return [(first, name) for first, which, name in found if first < end and ends.get(which, begin) >= begin]


def heads(kind, begin, end):
    """What the files of a range say in their first lines."""
    for _, name in _within(kind, begin, end):
        try:
            yield Segment(path(name)).head
        except (OSError, ValueError):
            pass


def between(kind, begin, end):
    """(number, flags, names, values) of each row with begin <= number < end, each number once; None: a breath."""
    waiting = _within(kind, begin, end)
    active = []  # [row, which file, what gives the next row]
    while True:
        least = min([one[0][0] for one in active]) if active else None
        while waiting and (least is None or waiting[0][0] <= least):
            name = waiting.pop(0)[1]
            try:
                which = int(name[9:].rstrip("bi"))
                if name[-1] == "i":
                    which += _FIRST
                one = [None, which, Segment(path(name)).between(begin, end)]
            except (OSError, ValueError):  # dropped meanwhile
                continue
            yield from _step(one)
            if one[0]:
                active.append(one)
                least = one[0][0] if least is None else min(least, one[0][0])
        if not active:
            return
        made = which = None
        for one in tuple(active):
            row = one[0]
            if row[0] == least:
                yield from _step(one)
                if not one[0]:
                    active.remove(one)
                if made is None or (kind == "d" or one[1] > _FIRST) and one[1] > which:
                    made, which = row, one[1]
                elif kind == "h" and which < _FIRST:
                    made = _sum(made, row)
        yield made


def _step(one):
    """Its next row, None at the end."""
    one[0] = None
    for row in one[2]:
        if row:
            one[0] = row
            return
        yield None


def merge(into, names, values):
    """Add a row to a dict: rises are added up, of gauges the extreme counts."""
    for i in range(len(names)):
        name, value = names[i], values[i]
        if value is None:
            continue
        if name not in into:
            into[name] = value
        elif not is_gauge(name):
            into[name] += value
        elif ("_min_" in name) == (value < into[name]):
            into[name] = value


def _sum(one, other):
    into = {}
    merge(into, one[2], one[3])
    merge(into, other[2], other[3])
    return one[0], one[1] | other[1], list(into), [into[name] for name in into]


def rows(from_s, to_s, breaths=False):
    """(start, flags, {name: value}) of each half-hour that starts in from_s <= start < to_s, UTC seconds since 1970,
    one after another. flags: `rows.ESTIMATED` and others; a value that was not measured is not there. With
    `breaths`, a None every few records of work: then it is others' turn, on a chip."""
    for row in between("h", -(-from_s // HALF_HOUR_S), -(-to_s // HALF_HOUR_S)):
        if not row:
            if breaths:
                yield None
            continue
        number, flags, names, values = row
        found = {}
        for i in range(len(names)):
            if values[i] is not None:
                found[names[i]] = values[i]
        yield number * HALF_HOUR_S, flags, found
