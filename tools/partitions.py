# SPDX-License-Identifier: MIT
"""The partition table of an ESP chip's flash (ESP-IDF, "Partition Tables"): entries of 32 bytes, then a row with the
MD5 of those before it. A row here is (name, type, subtype, offset, size)."""

import hashlib
import struct

from tools.appimage import ImageError

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


def check_layout(rows, board):
    """ImageError unless the partitions are those of the OTA variant and leave the board's file system alone."""
    by_kind = {(kind, subtype): name for name, kind, subtype, _, _ in rows}
    listing = ", ".join(name for name, *_ in rows)
    if not {OTA_0, OTA_1, OTA_STATE} <= set(by_kind):
        raise ImageError("it has no two application partitions (only %s): the variant %s is needed"
                         % (listing, board.IMAGE))
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
    if "vfs" not in {name for name, *_ in rows} and used != start:
        raise ImageError("MicroPython would put its file system at 0x%X, the board %s has it at 0x%X"
                         % (used, board.NAME, start))
