# SPDX-License-Identifier: MIT
"""The board of `tools.dongle`: this machine."""

NAME = "host"
UART = 1
RX = TX = LED = BUTTON = None
PULSE = 0
