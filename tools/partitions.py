# SPDX-License-Identifier: MIT
"""The partition table of an ESP chip's flash (ESP-IDF, "Partition Tables"): entries of 32 bytes, then a row with the
MD5 of those before it. A row here is (name, type, subtype, offset, size)."""

import hashlib
import struct

from tools.appimage import ImageError, flash_size

TABLE = 0x8000
TABLE_SIZE = 0xC00
ENTRY, DIGEST = b"\xaa\x50", b"\xeb\xeb"
APP, DATA = 0, 1
FACTORY, OTA_0, OTA_1, OTA_STATE = (APP, 0x00), (APP, 0x10), (APP, 0x11), (DATA, 0x00)


def read(data, at):
    """The rows of the partition table at data[at:]; ImageError when there is none."""
    found, table = [], data[at:at + TABLE_SIZE]
    for place in range(0, len(table) - 31, 32):
        row = table[place:place + 32]
        if row.startswith(ENTRY):
            _, kind, subtype, offset, size, name = struct.unpack("<2sBBII16s", row[:28])
            found.append((name.rstrip(b"\0").decode("ascii", "replace"), kind, subtype, offset, size))
        elif row.startswith(DIGEST):
            if row[16:] != hashlib.md5(table[:place]).digest():
                raise ImageError("the partition table is damaged: its MD5 is wrong")
            break
        else:
            break
    if not found:
        raise ImageError("there is no partition table at 0x%X; is it the whole image (not the .app-bin)?" % TABLE)
    return found


def binary(rows):
    """The table as it lies in the flash."""
    table = b"".join(struct.pack("<2sBBII16sI", ENTRY, kind, subtype, offset, size, name.encode(), 0)
                     for name, kind, subtype, offset, size in rows)
    return (table + DIGEST.ljust(16, b"\xff") + hashlib.md5(table).digest()).ljust(TABLE_SIZE, b"\xff")


def updatable(rows):
    """Whether MicroPython itself can be written anew beside the one that runs."""
    return {OTA_0, OTA_1, OTA_STATE} <= {(kind, subtype) for _, kind, subtype, _, _ in rows}


def application(rows):
    """(offset, size) of where the application begins that a new flash starts with."""
    for wanted in (FACTORY, OTA_0):  # as the bootloader chooses while nothing stands in OTA_STATE
        for _, kind, subtype, offset, size in rows:
            if (kind, subtype) == wanted:
                return offset, size
    raise ImageError("it has no application partition")


def _has_files(rows):
    return any(kind == DATA and name == "vfs" for name, kind, *_ in rows)


def plan(data, board):
    """The rows that the flash gets, checked: those of the image, or the board's own where it has some."""
    rows = read(data, TABLE - board.IMAGE_OFFSET)
    first, _ = application(rows)
    own = getattr(board, "PARTITIONS", None)
    if own:
        if first != application(own)[0]:
            raise ImageError("its application is at 0x%X; the board %s has it at 0x%X"
                             % (first, board.NAME, application(own)[0]))
        # as the image does: newer ones look for the end of the flash by themselves
        files = [("vfs", DATA, 0x81, board.FILES_OFFSET, board.FILES_SIZE)] if _has_files(rows) else []
        rows = [*own, *files]
    check_layout(rows, board)
    # the bootloader knows no more of the flash than its header says, and takes no table that reaches beyond
    if max(offset + size for *_, offset, size in rows) > flash_size(data):
        raise ImageError("its bootloader was made for a flash of %d MiB, and the partitions reach beyond that"
                         % (flash_size(data) >> 20))
    return rows


def check_layout(rows, board):
    """ImageError unless the partitions are what the board says, and leave its file system alone."""
    if board.OTA and not updatable(rows):
        raise ImageError("it has no two application partitions (only %s): the variant %s is needed"
                         % (", ".join(name for name, *_ in rows), board.IMAGE))
    if updatable(rows) and not board.OTA:
        raise ImageError("it has two application partitions; the board %s is for %s, which has one"
                         % (board.NAME, board.IMAGE))
    start, end = board.FILES_OFFSET, board.FILES_OFFSET + board.FILES_SIZE
    used = 0
    for name, kind, _, offset, size in rows:
        if kind == DATA and name == "vfs":  # 1.25 has a row for it; newer ones give it all that is left
            if (offset, size) != (start, board.FILES_SIZE):
                raise ImageError("its file system is at 0x%X, %d bytes; the board %s has it at 0x%X, %d bytes"
                                 % (offset, size, board.NAME, start, board.FILES_SIZE))
            continue
        if offset < end and start < offset + size:
            raise ImageError("its partition %s (0x%X to 0x%X) lies in the board's file system (0x%X to 0x%X)"
                             % (name, offset, offset + size, start, end))
        used = max(used, offset + size)
    if not _has_files(rows) and used != start:
        raise ImageError("MicroPython would put its file system at 0x%X, the board %s has it at 0x%X"
                         % (used, board.NAME, start))
