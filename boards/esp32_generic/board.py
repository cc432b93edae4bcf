# SPDX-License-Identifier: MIT
"""An ESP32 module with 4 MB of flash and no PSRAM (ESP32-WROOM-32), on the official ESP32_GENERIC-OTA image.

This file goes onto the device as `board.py`; the tools that make a flash image read the same one.
"""

NAME = "esp32_generic"

# pins; None where the board has none
UART = 1
RX = 16  # data from the meter
TX = 17  # unused by push meters, but the driver wants a pin
LED = 2
BUTTON = 0

# the flash: what runs there, and where the file system lies (partitions of the OTA variant: 0x310000, 960 KiB)
CHIP = "esp32"
ARCHITECTURE = "xtensawin"
IMAGE = "ESP32_GENERIC-OTA"
IMAGE_OFFSET = 0x1000
FLASH_SIZE = 0x400000
FILES_OFFSET = 0x310000
FILES_SIZE = 0xF0000
OTA = True  # two partitions for MicroPython: it can be updated over the air
