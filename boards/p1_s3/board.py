# SPDX-License-Identifier: MIT
"""A P1 dongle with an ESP32-S3 and 8 MB of flash: Leotro's Universal P1 Port Dongle. Not tried on one.

The pins are those of its examples (github.com/Leotro-Engineering/Universal-P1-Port-Dongle): data at GPIO 1, inverted by
a part of the board, request at GPIO 2, status LED at GPIO 9. The button is the S3's own for downloads. Its second port,
made to pass the meter's data on, says nothing.
"""

NAME = "p1_s3"

UART = 1
RX = 1
TX = 42  # its second port's output
REQUEST = 2
LED = 9
BUTTON = 0

# the flash: the official image has one partition for MicroPython; these take its place, with room for two of any
# official image. Name, type, subtype, offset, size (ESP-IDF, "Partition Tables"); behind them are the files.
CHIP = "esp32s3"
ARCHITECTURE = "xtensawin"
IMAGE = "ESP32_GENERIC_S3"
IMAGE_OFFSET = 0
PARTITIONS = (
    ("nvs", 1, 0x02, 0x9000, 0x4000),
    ("otadata", 1, 0x00, 0xD000, 0x2000),
    ("phy_init", 1, 0x01, 0xF000, 0x1000),
    ("ota_0", 0, 0x10, 0x10000, 0x1F0000),
    ("ota_1", 0, 0x11, 0x200000, 0x1F0000),
)
FLASH_SIZE = 0x800000
FILES_OFFSET = 0x3F0000
FILES_SIZE = 0x410000
OTA = True
