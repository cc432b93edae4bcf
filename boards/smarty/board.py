# SPDX-License-Identifier: MIT
"""The SmartyReader of weigu.lu for Luxembourg's meters, with an ESP32-WROOM-32 (MH ET LIVE ESP32 MiniKit) in its
socket, on the 5 V of the P1 port. Not tried on one.

The pins are those of its Arduino program (github.com/weigu1/SmartyReader): the socket brings the meter's data to
GPIO 1, and GPIO 17 low asks for them on boards before version 2.0, which also have a transistor that inverts them;
since then the request is wired to 5 V and the chip inverts, which is found out by itself. GPIO 1 is the console's, so
take the module out of the socket to flash it, and expect no log there.
"""

NAME = "smarty"

UART = 1
RX = 1
TX = 16  # not connected
REQUEST = 17
REQUEST_ACTIVE = 0
LED = 2
BUTTON = 0  # no button: the pad IO0, to be touched to GND

# the flash: what runs there, and where the file system lies (partitions of the OTA variant: 0x310000, 960 KiB)
CHIP = "esp32"
ARCHITECTURE = "xtensawin"
IMAGE = "ESP32_GENERIC-OTA"
IMAGE_OFFSET = 0x1000
FLASH_SIZE = 0x400000
FILES_OFFSET = 0x310000
FILES_SIZE = 0xF0000
OTA = True
