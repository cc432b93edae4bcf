# SPDX-License-Identifier: MIT
"""Start of the firmware, on the chip and under the MicroPython unix port alike."""

import gc

# Collecting early keeps what stays together: without it the imports alone leave the heap in pieces of 3 KB, and it also
# keeps Python from growing its heap at the expense of Wi-Fi.
gc.threshold(4096)

# On a chip Python's heap begins with some 56 KB and takes more when it is full: as much again, and then all that is
# left, which Wi-Fi lives on. So it takes now, in one piece, what it may have. What was read stays in that piece, so
# that it is not given back as empty.
with open("main.py", "rb") as file:
    _heap = file.read(66000)

from wattport import app  # noqa: E402

app.start()
