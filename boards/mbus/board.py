# SPDX-License-Identifier: MIT
"""An ESP32-WROOM-32 behind an M-Bus slave (TSS721A), fed by the bus through a step-down converter and a capacitor of
5 V: for Norway's, Sweden's and Austria's meters. A board to be built, not one that can be bought; not tried.

The bus gives a few hundred milliwatts, less than Wi-Fi takes while it sends: the difference comes from the capacitor.
GPIO 34 sees half of its voltage, between two resistors of 100 kOhm. TX drives the TSS721A's RX, which a meter that
wants to be answered needs (AMIS). Fed by a USB socket the capacitor is full, too.
"""

NAME = "mbus"

UART = 1
RX = 16
TX = 17
LED = 2
BUTTON = 0

# millivolts of the capacitor; the 3.3 V regulator lets go at some 3500
SUPPLY = 34
SUPPLY_DIVIDER = 2000  # thousandths: what the supply has for what the pin has
SUPPLY_LOW_MV = 3900  # below: no Wi-Fi, until it has charged to START again
SUPPLY_OK_MV = 4200  # below: no bursts, that is discovery and TLS
SUPPLY_START_MV = 4600
SUPPLY_AP_MV = 4750  # only from here on the set-up's own Wi-Fi is opened

# the flash: what runs there, and where the file system lies (partitions of the OTA variant: 0x310000, 960 KiB)
CHIP = "esp32"
ARCHITECTURE = "xtensawin"
IMAGE = "ESP32_GENERIC-OTA"
IMAGE_OFFSET = 0x1000
FLASH_SIZE = 0x400000
FILES_OFFSET = 0x310000
FILES_SIZE = 0xF0000
OTA = True
