# SPDX-License-Identifier: MIT
"""Start of the firmware, on the chip and under the MicroPython unix port alike."""

from wattport import app

app.start()
