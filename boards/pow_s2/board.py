# SPDX-License-Identifier: MIT
"""Amsleser's bus-powered readers with an ESP32-S2 and 4 MB of flash: Pow-U+, Pow-K+ and Pow-P1. Not tried on one, and
the S2 has less memory than the others, so look at `heap_free` first.

The pins are those of its program (github.com/UtilitechAS/amsreader-firmware, src/HwTools.cpp): data at GPIO 16, answers
at GPIO 9 (Pow-K+ only), the button AP at GPIO 0, red and green LEDs at GPIO 13 and 14, lit when low; GPIO 10 sees the
3.3 V supply between 33 and 22 kOhm. That program takes 3.28 V for full, waits for it at its start, stops sending 0.2 V
below, and takes what is outside of 2.8 to 3.4 V for another supply; its makers say that the set-up's Wi-Fi needs USB.
"""

NAME = "pow_s2"

UART = 1
RX = 16
TX = 9
LED = 14
LED_ON = 0
BUTTON = 0

SUPPLY = 10
SUPPLY_DIVIDER = 2500
SUPPLY_LOW_MV = 3050
SUPPLY_OK_MV = 3150
SUPPLY_START_MV = 3210
SUPPLY_AP_MV = 3230

# the flash: the official image has one partition for MicroPython, and two would leave no room for files
CHIP = "esp32s2"
ARCHITECTURE = "xtensawin"
IMAGE = "ESP32_GENERIC_S2"
IMAGE_OFFSET = 0x1000
FLASH_SIZE = 0x400000
FILES_OFFSET = 0x200000
FILES_SIZE = 0x200000
OTA = False  # MicroPython itself is updated over USB
