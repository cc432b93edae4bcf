# SPDX-License-Identifier: MIT
"""Official MicroPython images as their headers and tables are, with other code: for tests of images for any board."""

import functools
import hashlib
import struct

from tools import appimage, flashed, partitions

MIB = 1 << 20
NVS, PHY = ("nvs", 1, 0x02, 0x9000, 0x6000), ("phy_init", 1, 0x01, 0xF000, 0x1000)
FACTORY = [NVS, PHY, ("factory", 0, 0x00, 0x10000, 0x1F0000)]  # partitions-4MiBplus.csv, on all boards since 1.26
OTA = [("nvs", 1, 0x02, 0x9000, 0x4000), ("otadata", 1, 0x00, 0xD000, 0x2000), PHY,
       ("ota_0", 0, 0x10, 0x10000, 0x180000), ("ota_1", 0, 0x11, 0x190000, 0x180000)]  # partitions-4MiB-ota.csv


def header(chip, segments=1, flash=4):
    return struct.pack("<BBBBIB3sH9sB", appimage.MAGIC, segments, 2, flash.bit_length() - 1 << 4, 0x40080400, 0xEE,
                       bytes(3), appimage.CHIPS[chip], bytes(9), 1)


def application(chip, version="1.29.0", flash=4, size=5000, segments=1):
    """One segment with the banner, a checksum byte and the SHA-256."""
    text = b"MicroPython v%s on 2026-08-26; a module with %s" % (version.encode(), chip.encode())
    # as ESP-IDF has it at the start of an application: its version and name
    body = (struct.pack("<II8s32s32s16s16s32s32s80s", 0xABCD5432, 0, b"", version.encode(), b"micropython",
                        b"", b"", b"", b"", b"") + text + bytes(size))
    body += bytes(-len(body) % 4)
    data = header(chip, segments, flash) + struct.pack("<II", 0x3F400020, len(body)) + body
    checksum = 0xEF
    for byte in body:
        checksum ^= byte
    data += bytes(15 - len(data) % 16) + bytes([checksum])
    return data + hashlib.sha256(data).digest()


def image(chip, rows, version="1.29.0", flash=4, size=5000):
    """A bootloader's header, the table and the application, each in its place, from where the chip's image begins."""
    begin = appimage.BOOTLOADER[chip]
    data = bytearray(b"\xff" * (0x10000 - begin))
    data[:24] = header(chip, 0, flash)
    table = b"".join(struct.pack("<2sBBII16sI", b"\xaa\x50", kind, subtype, at, length, name.encode(), 0)
                     for name, kind, subtype, at, length in rows)
    table += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table).digest()
    data[partitions.TABLE - begin:partitions.TABLE - begin + len(table)] = table
    return bytes(data) + application(chip, version, flash, size)


def for_board(board, version="1.29.0"):
    """The image that IMAGE names, of 1.25 with a row for the files and the flash of its days, or a newer one."""
    rows = OTA if board.IMAGE.endswith("-OTA") else FACTORY
    if version.startswith("1.25"):
        flash = 8 if board.IMAGE == "ESP32_GENERIC_S3" else 4
        end = max(offset + size for *_, offset, size in rows)
        return image(board.CHIP, [*rows, ("vfs", 1, 0x81, end, flash * MIB - end)], version, flash)
    return image(board.CHIP, rows, version)


_program = flashed.program
_compiled = functools.cache(_program)


def program(architecture, changed=None):
    """flashed.program, once for all tests of a process: it compiles for seconds."""
    return _compiled(architecture) if changed is None else _program(architecture, changed)
