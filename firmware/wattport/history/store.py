# SPDX-License-Identifier: MIT
"""How a history grows: records behind those of its newest file, then another file. When the room is full, the file with
the oldest rows goes."""

import os

from micropython import const

from wattport.history import place
from wattport.history.place import files, path
from wattport.history.segment import Segment, head
from wattport.modules import fetch

FULL = 8100  # bytes of a file, then comes another one: two blocks of the flash
_BLOCK = const(4096)
ROOM = {"h": 56, "d": 23}  # blocks: beside one slot they leave room for another
_ENOSPC = const(28)  # MicroPython's errno has no name for it
_SPARE = const(8)  # blocks of the file system that stay free for others


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
        os.mkdir(place.FOLDER)
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
    while hasattr(os, "statvfs") and os.statvfs(place.FOLDER)[3] < _SPARE and _drop("h", ""):
        pass


def _drop(kind, but):
    """Remove the oldest file; False when there is only the newest, or the one that is to stay."""
    for one in files(kind)[:-1]:
        if one[2] != but:
            os.remove(path(one[2]))
            return True
    return False
