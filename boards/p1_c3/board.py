# SPDX-License-Identifier: MIT
"""A P1 dongle with an ESP32-C3 and 4 MB of flash, on the 5 V of the port: Smartstuff's P1 Dongle Pro. Not tried on one.

The pins are those of its program (github.com/mhendriks/P1-Dongel-ESP32, Config.h): data at GPIO 10, inverted by the
chip, request at GPIO 6, the LED lights when GPIO 7 is low, the button is the one for downloads. A SlimmeLezer Mini has
its data at GPIO 20, the LED at GPIO 8 and no pin for the request: a folder of its own, with those.
"""

NAME = "p1_c3"

UART = 1
RX = 10
TX = 3  # not connected
REQUEST = 6
LED = 7
LED_ON = 0
BUTTON = 9

# the flash: the official image has one partition for MicroPython, and two would leave no room for files
CHIP = "esp32c3"
ARCHITECTURE = "rv32imc"
IMAGE = "ESP32_GENERIC_C3"
IMAGE_OFFSET = 0
FLASH_SIZE = 0x400000
FILES_OFFSET = 0x200000
FILES_SIZE = 0x200000
OTA = False  # MicroPython itself is updated over USB
