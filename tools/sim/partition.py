# SPDX-License-Identifier: MIT
"""`esp32.Partition` as MicroPython's ESP32 port has it (ports/esp32/esp32_partition.c), on the files of `bootloader`.

WATTPORT_CUT names a file with a number: so many writes to the flash go well, then the power is gone: the next start.
"""

import os
import sys

import bootloader

_VALIDATE_FAILED = -5379  # ESP_ERR_OTA_VALIDATE_FAILED
_ENOENT = 2


def _cut():
    file = os.getenv("WATTPORT_CUT")
    try:
        with open(file) as text:
            left = int(text.read()) - 1
    except (OSError, ValueError, TypeError):
        return
    if left < 0:
        os.remove(file)
        sys.exit(64)
    with open(file, "w") as text:
        text.write(str(left))


bootloader.cut = _cut


class Partition:
    BOOT, RUNNING = 0, 1
    TYPE_APP, TYPE_DATA = 0, 1

    def __init__(self, which):
        if which == self.RUNNING:
            try:
                with open(bootloader.RUNNING) as file:
                    which = file.read()
            except OSError:
                which = "factory"
        elif which == self.BOOT:
            found = bootloader.entries()
            place = bootloader.active(found)
            which = bootloader.PARTITIONS[0 if place is None else (found[place][0] - 1) % 2]
        self._label = which
        self._file = which + ".bin"
        self._size = bootloader.size_of(self._file)
        if which != "factory" and not self._size:
            raise OSError(_ENOENT)

    def info(self):
        index = bootloader.PARTITIONS.index(self._label) if self._size else -1
        return 0, 0x10 + index if self._size else 0, 0x10000 + 0x180000 * max(index, 0), self._size, self._label, False

    def get_next_update(self):
        if not bootloader.has_two():
            raise OSError(_ENOENT)
        return Partition("ota_0" if self._label == "ota_1" else "ota_1")

    def _check(self, at, size):
        if at < 0 or at + size > self._size:
            raise OSError(-258)  # ESP_ERR_INVALID_ARG

    def readblocks(self, block, buf, offset=0):
        self._check(block * bootloader.SECTOR + offset, len(buf))
        with open(self._file, "rb") as file:
            file.seek(block * bootloader.SECTOR + offset)
            file.readinto(buf)

    def writeblocks(self, block, buf, offset=None):
        at = block * bootloader.SECTOR + (offset or 0)
        self._check(at, len(buf))
        if offset is None:
            bootloader.write(self._file, at, b"\xff" * len(buf))
        with open(self._file, "rb") as file:  # flash: ones become zeros, never the other way round
            file.seek(at)
            before = file.read(len(buf))
        if before != b"\xff" * len(buf):
            buf = bytes([one & other for one, other in zip(before, buf)])
        bootloader.write(self._file, at, bytes(buf))

    def ioctl(self, command, argument):
        if command == 4:
            return self._size // bootloader.SECTOR
        if command == 5:
            return bootloader.SECTOR
        if command == 6:
            self._check(argument * bootloader.SECTOR, bootloader.SECTOR)
            bootloader.write(self._file, argument * bootloader.SECTOR, b"\xff" * bootloader.SECTOR)
        return 0

    def set_boot(self):
        if not bootloader.set_boot("", self._label):
            raise OSError(_VALIDATE_FAILED)

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        bootloader.mark_valid("")
