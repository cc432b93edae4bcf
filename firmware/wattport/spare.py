# SPDX-License-Identifier: MIT
"""What is left of the heaps. Loaded for its moment."""

import gc


def left():
    """(bytes free in Python's heap; in the system's behind it, which Wi-Fi and TLS live on, or None on a PC).

    On a chip `gc.mem_free` counts the largest block of the system's heap, too, as Python may take that (MicroPython
    1.25, py/gc.c: gc_info, max_new_split). What it takes Wi-Fi lacks: it can't send a packet any more.
    """
    gc.collect()  # what is free, not what happens to be left
    free = gc.mem_free()
    try:
        from esp32 import HEAP_DATA, idf_heap_info
    except ImportError:
        return free, None
    regions = idf_heap_info(HEAP_DATA)
    return free - max([region[2] for region in regions]), sum([region[1] for region in regions])
