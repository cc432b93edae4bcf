# SPDX-License-Identifier: MIT
"""The board of `tools.dongle`: this machine."""

import os

NAME = "host"
UART = 1
RX = 16 if os.getenv("WATTPORT_LINE") else None  # a cable's level can't be looked at, a simulated line's can
TX = LED = BUTTON = None
PULSE = 0
