# SPDX-License-Identifier: MIT
"""Start of the firmware, on the chip and under the MicroPython unix port alike."""

import gc

# Collecting early keeps what stays together: without it the imports alone leave the heap in pieces of 3 KB, and it also
# keeps Python from growing its heap at the expense of Wi-Fi.
gc.threshold(4096)

from wattport import app  # noqa: E402

app.start()
