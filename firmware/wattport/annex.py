# SPDX-License-Identifier: MIT
"""Memory beside Python's heap, for the code of what stays: 37 KB of an ESP32 that nobody else uses.

An image of MicroPython with Bluetooth leaves the memory of the Bluetooth controller alone (ESP-IDF 5,
soc_reserved_regions of the ESP32; soc.h, SOC_MEM_BT_EM, …_BSS and …_DATA). The controller takes it when Bluetooth is
switched on, which we never do. What lies behind each of the three pieces is part of the system's heap, in regions of
known sizes: where these are there, so are the pieces; an image without Bluetooth has other regions.

A module that stays is copied while it is read. When it is there, each of its functions gets its code anew in here, and
what it ran from goes with the next collection. A function (mp_obj_fun_bc_t, MicroPython 1.25, py/objfun.h) has the
address of its bytecode in its fourth word; how long that is stands before it in the module (py/persistentcode.c). Only
what is found there as it is in memory is moved, so in a MicroPython with other functions nothing happens.
"""

import os
from array import array

import uctypes
from esp32 import HEAP_DATA, idf_heap_info
from micropython import const

PATH = "annex"  # how many starts in a row did not last
_TRIES = const(3)
_PIECES = ((0x3FFB0000, 25480), (0x3FFB8000, 6688), (0x3FFAE6E0, 6192))
_BETWEEN = {7288, 16648, 240}  # the regions of the heap behind each of them
_WORD = const(12)
_LONG = const(128)


def _generator():
    yield


_KINDS = type(_generator), type(lambda: None)


def _count(starts):
    try:
        with open(PATH, "w") as file:
            file.write(str(starts))
        return True
    except OSError:
        return False


def make():
    """An Annex, or None: there is no such memory, or the last starts with it did not last."""
    try:
        with open(PATH) as file:
            starts = int(file.read(4))
    except (OSError, ValueError):
        starts = 0
    if starts >= _TRIES or _BETWEEN - {region[0] for region in idf_heap_info(HEAP_DATA)} or not _count(starts + 1):
        return None
    return Annex()


def lasts():
    """This start is a good one."""
    try:
        os.remove(PATH)
    except OSError:
        pass


def functions(module):
    """Those of it and of its classes that are plain ones or generators, of bytecode."""
    for value in module.__dict__.values():
        for one in value.__dict__.values() if isinstance(value, type) else (value,):
            if type(one) in _KINDS:
                yield one


def word(function):
    """The four bytes with the address of its bytecode."""
    at = id(function)
    return uctypes.bytearray_at((at if at > 0 else at & 0x7FFFFFFF) + _WORD, 4)  # below 0: bit 30 is set


class Annex:
    """For each module that stays: `start`, and `run` it when it is there. `pieces`: the memory that
    is left, [from, to]; `free`: the bytes of that."""

    def __init__(self):
        self.pieces = [[at, at + size] for at, size in _PIECES]
        self._places = {}  # of those that come again: where their functions' code is

    def free(self):
        return sum([end - at for at, end in self.pieces])

    def start(self, name):
        """What the module is to be added to while it is read, or None: its code is here."""
        return None if name in self._places else bytearray()

    def run(self, name, module, read, again=False):
        """Its functions run from their copies from now on. None of them may run at the moment. read: see `start`.
        again: it will be forgotten, and come again."""
        known = self._places.get(name)
        places = array("I")
        for number, function in enumerate(functions(module)):
            place_of = word(function)
            at = int.from_bytes(place_of, "little")
            place = known[number] if known else self._copy(at, read)
            if place:
                place_of[:] = place.to_bytes(4, "little")
            if again:
                places.append(place)
        if again:
            self._places[name] = places

    def _copy(self, at, read):
        """Where the bytecode at an address is now, or 0: it stays."""
        for size in (16, 32, 64):  # some begin alike
            begins = bytes(uctypes.bytearray_at(at, size))
            found = read.find(begins)
            if found < 2 or read.find(begins, found + 1) < 0:
                break
        else:
            return 0
        if found < 2 or read[found - 2] < _LONG or read[found - 1] >= _LONG:
            return 0
        size = (read[found - 2] & 0x7F) << 7 | read[found - 1]
        if size & 3:
            return 0
        size >>= 3
        code = uctypes.bytearray_at(at, size)
        if code != read[found:found + size]:
            return 0
        for piece in self.pieces:
            place, end = piece
            if place + size <= end:
                uctypes.bytearray_at(place, size)[:] = code
                piece[0] += size + 3 & ~3
                return place
        return 0
