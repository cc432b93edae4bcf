# SPDX-License-Identifier: MIT
"""`esp32` as MicroPython's ESP32 port has it: `idf_heap_info` (modesp32.c) with the figures of a WROOM-32 that has
Wi-Fi on, and `Partition`, see `partition`, which comes when it is asked for: what stands in for a chip takes the
heap of the program. No block is what Python could take besides: here gc.mem_free() does not count one.

WATTPORT_SYSTEM_FREE is what is left of the system's heap, in bytes, where it is to be less."""

import os
import sys

HEAP_DATA = 4
_FREE = int(os.getenv("WATTPORT_SYSTEM_FREE") or 12288)
_REGIONS = [(7288, 0, 0, 0), (113840, _FREE, 0, min(_FREE, 6144))]
if not sys.maxsize >> 32:  # as a pointer has 32 bits here, there can be the memory that the image leaves to Bluetooth
    import ffi
    _REGIONS += [(240, 0, 0, 0), (16648, 0, 0, 0)]
    ffi.open(None).func("I", "mmap", "IIiiii")(0x3FFAE000, 0xC000, 3, 0x100022, -1, 0)  # there, and nowhere else


def idf_heap_info(capabilities):
    """[(total, free, largest block, least free ever)] of each region, in bytes."""
    return _REGIONS if capabilities == HEAP_DATA else []


def __getattr__(name):
    if name != "Partition":
        raise ImportError(name)  # what a chip lacks is missed by who imports it
    from partition import Partition
    return Partition
