# SPDX-License-Identifier: MIT
"""A P1 dongle with an ESP32-WROOM-32E, on the 5 V of the port: Smartstuff's P1 Dongle V4. Not tried on one.

The pins are those of its program's first years (github.com/mhendriks/P1-Dongel-ESP32, DSMRloggerAPI.h of 2022): the
chip inverts the data itself, a transistor drives the request, and the LED lights when its pin is low.
"""

NAME = "p1_wroom"

UART = 1
RX = 16
TX = 17  # unused by push meters, but the driver wants a pin
REQUEST = 18
LED = 14
LED_ON = 0
BUTTON = 0

# the flash: what runs there, and where the file system lies (partitions of the OTA variant: 0x310000, 960 KiB)
CHIP = "esp32"
ARCHITECTURE = "xtensawin"
IMAGE = "ESP32_GENERIC-OTA"
IMAGE_OFFSET = 0x1000
FLASH_SIZE = 0x400000
FILES_OFFSET = 0x310000
FILES_SIZE = 0xF0000
OTA = True
