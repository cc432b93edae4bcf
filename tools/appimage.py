# SPDX-License-Identifier: MIT
"""The header, the segments and the SHA-256 of an ESP chip's bootloader or application (ESP-IDF, "App Image Format")."""

import hashlib
import re

MAGIC = 0xE9
HEADER = 24
FLASH_AT = 3  # the upper half of this byte is the size of the flash, as a power of two of MiB
CHIP_AT = 12
HASH_AT = 23
CHIPS = {"esp32": 0, "esp32s2": 2, "esp32c3": 5, "esp32s3": 9, "esp32c6": 13}
# where the chip's own loader looks for the bootloader
BOOTLOADER = {"esp32": 0x1000, "esp32s2": 0x1000, "esp32c3": 0, "esp32s3": 0, "esp32c6": 0}
MINIMUM = (1, 25)


class ImageError(Exception):
    """Why there is no image; the text is for the person who asked for one."""


def check_chip(data, board):
    """ImageError unless `data` begins with the header of an image for the board's chip."""
    if data[:1] != bytes([MAGIC]) or len(data) < HEADER:
        raise ImageError("it is no image for an ESP chip: it starts with %s, not %02X"
                         % (data[:1].hex().upper() or "nothing", MAGIC))
    chip = int.from_bytes(data[CHIP_AT:CHIP_AT + 2], "little")
    if chip != CHIPS[board.CHIP]:
        name = {number: name for name, number in CHIPS.items()}.get(chip, "chip %d" % chip)
        raise ImageError("it is for %s, the board %s has %s" % (name, board.NAME, board.CHIP))


def flash_size(data):
    """The bytes of flash that the header at the start of `data` was made for."""
    return 1 << 20 + (data[FLASH_AT] >> 4)


def check_whole(data, at):
    """ImageError unless the image at data[at:] is all there and its SHA-256 right; otherwise where it ends."""
    short = ImageError("it is cut short or damaged; download it again")
    if data[at:at + 1] != bytes([MAGIC]) or len(data) < at + HEADER:
        raise short
    place = at + HEADER
    for _ in range(data[at + 1]):
        if place + 8 > len(data):
            raise short
        place += 8 + int.from_bytes(data[place + 4:place + 8], "little")
    place += 16 - (place - at) % 16  # one byte of checksum, at the end of 16
    digest = 32 if data[at + HASH_AT] else 0
    if place + digest > len(data) or digest and data[place:place + 32] != hashlib.sha256(data[at:place]).digest():
        raise short
    return place + digest


def version_of(data):
    """(text, (major, minor)) of the MicroPython in an image, by its banner."""
    found = re.search(rb"v((\d+)\.(\d+)\.\d+[\w.+-]*) on \d{4}-\d\d-\d\d", data)
    if not found:
        raise ImageError("it says no version of MicroPython")
    return found[1].decode(), (int(found[2]), int(found[3]))


def check_version(data):
    """The text of the version; ImageError for one that is too old."""
    text, number = version_of(data)
    if number < MINIMUM:
        raise ImageError("it is MicroPython %s; %d.%d or newer is needed" % (text, *MINIMUM))
    return text
