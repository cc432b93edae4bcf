# SPDX-License-Identifier: MIT
"""What the chip's bootloader does, and its side of `esp32.Partition`, on files (ESP-IDF, "Over The Air Updates", "App
Rollback", "App Image Format"). Runs under MicroPython beside the firmware, and in the program that starts it.

    ota_0.bin, ota_1.bin    the two partitions with MicroPython; without them the board has one place for it
    otadata.bin             two sectors, in each: 4 bytes sequence number, 20 unused, 4 bytes state, 4 bytes CRC-32 of
                            the number. The higher number, less one, modulo the partitions, is the one to start
    running.txt             label of what was started

    new → pending verify, at its first start → valid, when it is marked so, or aborted, at the next start
"""

import hashlib
import os
from binascii import crc32

SECTOR = 4096
DATA = "otadata.bin"
RUNNING = "running.txt"
PARTITIONS = ("ota_0", "ota_1")
NEW, PENDING, VALID, INVALID, ABORTED = 0, 1, 2, 3, 4
_EMPTY = 0xFFFFFFFF
_CHIP = 0  # ESP32
cut = None  # a function that is asked before each write to the flash, and may raise: the power is gone


def path(folder, name):
    return "%s/%s" % (folder, name) if folder else name


def size_of(file):
    try:
        return os.stat(file)[6]
    except OSError:
        return 0


def is_sound(file):
    """Whether a file begins with a whole application for this chip: header, segments, checksum, SHA-256."""
    sha256 = hashlib.sha256()
    with open(file, "rb") as data:
        head = data.read(24)
        if len(head) < 24 or head[0] != 0xE9 or not 0 < head[1] <= 16 or head[12] | head[13] << 8 != _CHIP:
            return False
        sha256.update(head)
        size, checksum = 24, 0xEF
        for _ in range(head[1]):
            segment = data.read(8)
            left = int.from_bytes(segment[4:], "little")
            if len(segment) < 8 or left & 3:
                return False
            sha256.update(segment)
            size += 8 + left
            while left:
                piece = data.read(min(left, 1024))
                if not piece:
                    return False
                sha256.update(piece)
                for byte in piece:
                    checksum ^= byte
                left -= len(piece)
        rest = data.read(16 - size % 16)
        sha256.update(rest)
        return rest[-1:] == bytes([checksum]) and (not head[23] or data.read(32) == sha256.digest())


def write(file, at, data):
    """A piece of the flash. Without power half of it is written."""
    with open(file, "r+b") as out:
        out.seek(at)
        try:
            if cut:
                cut()
        except Exception:
            out.write(data[:len(data) // 2])
            raise
        out.write(data)


def entries(folder=""):
    """[[sequence number, state], ...] of the two sectors; the number is None where nothing stands, or nothing whole."""
    found = []
    with open(path(folder, DATA), "rb") as file:
        for place in range(2):
            file.seek(place * SECTOR)
            entry = file.read(32)
            number = int.from_bytes(entry[:4], "little")
            whole = number != _EMPTY and int.from_bytes(entry[28:32], "little") == crc32(entry[:4], _EMPTY)
            found.append([number if whole else None, int.from_bytes(entry[24:28], "little")])
    return found


def put(folder, place, number, state):
    """Erase a sector, then write its entry."""
    file = path(folder, DATA)
    text = number.to_bytes(4, "little")
    write(file, place * SECTOR, b"\xff" * SECTOR)
    write(file, place * SECTOR,
          text + b"\xff" * 20 + state.to_bytes(4, "little") + crc32(text, _EMPTY).to_bytes(4, "little"))


def active(found):
    """The place of the entry that counts, or None."""
    best = None
    for place in range(2):
        number, state = found[place]
        if number is not None and state not in (INVALID, ABORTED) and (best is None or number > found[best][0]):
            best = place
    return best


def set_boot(folder, label):
    """False when what is in the partition is no sound image; what is to be started stays then."""
    if not is_sound(path(folder, label + ".bin")):
        return False
    index = PARTITIONS.index(label)
    found = entries(folder)
    place = active(found)
    if place is None:
        put(folder, 0, index + 1, NEW)
        return True
    number = found[place][0]
    while (number - 1) % len(PARTITIONS) != index:
        number += 1
    put(folder, 1 - place, number, NEW)
    return True


def mark_valid(folder):
    found = entries(folder)
    place = active(found)
    if place is not None and found[place][1] != VALID:
        put(folder, place, found[place][0], VALID)


def has_two(folder=""):
    return bool(size_of(path(folder, "ota_0.bin")) and size_of(path(folder, "ota_1.bin")))


def start(folder=""):
    """Choose what to start: its label, or None when nothing can be."""
    found = entries(folder)
    for place in range(2):
        if found[place][0] is not None and found[place][1] == PENDING:
            found[place][1] = ABORTED
            put(folder, place, found[place][0], ABORTED)
    place = active(found)
    index = 0
    if place is not None:
        index = (found[place][0] - 1) % len(PARTITIONS)
        if found[place][1] == NEW:
            put(folder, place, found[place][0], PENDING)
    for label in (PARTITIONS[index], PARTITIONS[1 - index]):
        if is_sound(path(folder, label + ".bin")):
            if place is None and found[0][0] is None and found[1][0] is None:
                put(folder, 0, PARTITIONS.index(label) + 1, VALID)
            with open(path(folder, RUNNING), "w") as out:
                out.write(label)
            return label
    return None


def create(folder, image, size):
    """A flash as it comes from esptool: an image in ota_0, room for another one, and nothing said about either."""
    for label, data in zip(PARTITIONS, (image, b"")):
        with open(path(folder, label + ".bin"), "wb") as file:
            file.write(data + b"\xff" * (size - len(data)))
    with open(path(folder, DATA), "wb") as file:
        file.write(b"\xff" * 2 * SECTOR)
