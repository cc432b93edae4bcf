# SPDX-License-Identifier: MIT
"""`esp32` as MicroPython's ESP32 port has it: `idf_heap_info` (modesp32.c) with the figures of a WROOM-32 that has
Wi-Fi on, and `Partition`, see `partition`, which comes when it is asked for: what stands in for a chip takes the
heap of the program."""

HEAP_DATA = 4
_REGIONS = [(7288, 0, 0, 0), (15072, 9040, 8704, 9040), (113840, 31744, 31744, 24576)]


def idf_heap_info(capabilities):
    """[(total, free, largest block, least free ever)] of each region, in bytes."""
    return _REGIONS if capabilities == HEAP_DATA else []


def __getattr__(name):
    if name != "Partition":
        raise ImportError(name)  # what a chip lacks is missed by who imports it
    from partition import Partition
    return Partition
