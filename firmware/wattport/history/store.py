# SPDX-License-Identifier: MIT
"""The files of a history in a folder: h…, half-hours by their number since 1970 in UTC, and d…, days by the number of
the household's date.

A name is the kind, the number of its first row, and which file it is: "h0978123.12". A trailing "b" says that it does
not begin where the file before it ends: the clock was set back. "i" is one that was brought in from outside, and counts
instead of what was recorded. When the room is full, the file with the oldest rows
goes. Where a meter was swapped within a half-hour, both its rows come out as one; of days the one that was written last
counts.
"""

import os

from micropython import const

from wattport.history.rows import is_gauge
from wattport.history.segment import Segment, head
from wattport.modules import fetch, forget

FOLDER = "history"
HALF_HOUR_S = 1800
FULL = 8100  # bytes of a file, then comes another one: two blocks of the flash
_BLOCK = const(4096)
ROOM = {"h": 56, "d": 23}  # blocks: beside one slot they leave room for another
_ENOSPC = const(28)  # MicroPython's errno has no name for it
_FIRST = const(1000000)  # a rank above all numbers of files
_SPARE = const(8)  # blocks of the file system that stay free for others


def let_go():
    """Called by who has imported the rooms of the history for a while: they go when it goes."""
    forget("wattport.history.days", "wattport.history.export", "wattport.history.ledger", "wattport.history.repair",
           "wattport.history.rows", "wattport.history.segment", "wattport.history.store")


def files(kind):
    """[(number of the first row, which file it is, name)] by time."""
    found = []
    try:
        names = os.listdir(FOLDER)
    except OSError:
        return found
    for name in names:
        first, _, rest = name[1:].partition(".")
        rest = rest.rstrip("bi")
        if name[0] == kind and first.isdigit() and rest.isdigit():
            found.append((int(first), int(rest), name))
    found.sort()
    return found


def path(name):
    return FOLDER + "/" + name


def newest(kind):
    """Breaths, then (Segment, registers behind its last row, flags of that or None) of the file that was begun last,
    read to its end; nothing more when there is none."""
    for _, _, name in sorted(files(kind), key=lambda one: -one[1]):
        if name[-1] == "i":
            continue
        try:
            segment = Segment(path(name))
        except ValueError:
            os.remove(path(name))  # its beginning never got onto the flash
            continue
        for told in segment.whole():
            found = told
            yield None
        if os.stat(path(name))[6] > segment.size:  # a torn end: what follows it would never be found
            with open(path(name), "rb") as file:
                fetch("wattport.files", "replace")(path(name), file.read(segment.size))
        yield (segment,) + found
        return


def begin(kind, meter, ids, names, first, registers, flags=0, data=b"", mark=""):
    """A new file with its first records; (name, size). mark: what its name ends with. OSError when there is no room at
    all."""
    try:
        os.mkdir(FOLDER)
    except OSError:
        pass
    found = files(kind)
    name = "%s%07d.%d%s" % (kind, first, 1 + max([one[1] for one in found] + [0]), mark)
    data = head(meter, ids, names, first, registers, flags) + data
    _make_room(kind, found)
    append(kind, name, data)
    return name, len(data)


def append(kind, name, data):
    """Records behind those that are there; where the file system is full, instead of the oldest half-hours."""
    while True:
        try:
            with open(path(name), "ab") as file:
                file.write(data)
            return
        except OSError as error:
            if error.errno != _ENOSPC or not _drop("h", name):
                raise


def _make_room(kind, found):
    """Room for another file: two blocks."""
    used = 2
    for one in found:
        used += -(-os.stat(path(one[2]))[6] // _BLOCK)
    while len(found) > 1 and used > ROOM[kind]:
        used -= -(-os.stat(path(found[0][2]))[6] // _BLOCK)
        os.remove(path(found.pop(0)[2]))
    while hasattr(os, "statvfs") and os.statvfs(FOLDER)[3] < _SPARE and _drop("h", ""):
        pass


def _drop(kind, but):
    """Remove the oldest file; False when there is only the newest, or the one that is to stay."""
    for one in files(kind)[:-1]:
        if one[2] != but:
            os.remove(path(one[2]))
            return True
    return False


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
