# SPDX-License-Identifier: MIT
"""The program of a slot as one file, mounted as a folder.

A look into a folder of LittleFS reads all of it, some hundred small reads for each of the four looks of an import. Here
an import costs a search in some bytes of memory and the reading of the module itself; and neither module nor page is
rounded up to a block of the flash. `tools/container.py` makes the file:

    2 bytes     number of modules, pages, tables and folders, n
    10 bytes    for each: CRC-32 of its path ("/wgate.mpy"), 4 bytes; where it begins, 3 bytes; 3 more bytes: the lower
                20 bits are how many bytes of the file it takes, the upper 4 how they are read: 0 as they are, 8 to 15
                as raw deflate (RFC 1951) with a window of 256 to 32768 bytes. A folder begins at 0 and takes none
    …           the primer, at 2 + 10 n: the start of a raw deflate block, which gives 2000 bytes; a deflated module
                goes on behind it, with its code and what it gave to refer to
    …           the modules, pages and tables

All numbers are little-endian. What is not in there is a file beside it. The window is borrowed from the heap while a
module is imported. Only modules and pages are stored as they are; what is opened as a page goes on behind its end,
which is where `os.stat` says. All of this stays in the heap, so the index does not: of each path two bytes do.
"""

import os
import sys
from binascii import crc32
from io import IOBase

from deflate import RAW, DeflateIO

RECORD = 10
runs = None  # "a" or "b": the slot that boot.py has mounted
_asked = ""  # the path of what an import of e gives
annex = None  # memory for the code of what stays, wattport/annex.py
copy = None  # what the next module is to be added to while it is read


class Module(IOBase):
    """A module for an import, which knows by itself where it ends, but would read for ever in one that is cut short."""

    def __init__(self, stream):
        global copy
        self.stream = stream
        self.copy, copy = copy, None

    def readinto(self, buf):
        try:
            if self.stream.readinto(buf):
                if self.copy is not None:
                    self.copy.extend(buf)
                return len(buf)  # less would be the end, and no error when it goes on behind that
        except EOFError:
            pass
        raise OSError(5)  # EIO

    def ioctl(self, request, value):
        return 256 if request == 11 else 0  # MP_STREAM_GET_BUFFER_SIZE; all else is fine, closing too


class Slot:
    """`folder` holds the file `program`, and what is beside it. To be given to `vfs.mount`."""

    def __init__(self, folder):
        self.folder = folder
        self.file = open(folder + "/program", "rb")
        self.index = bytearray(int.from_bytes(self.file.read(2), "little") * 2)
        for at in range(0, len(self.index), 2):
            self.index[at:at + 2] = self.file.read(RECORD)[:2]

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        self.file.close()

    def find(self, path):
        """(where it begins, how it is read and how long it is), or None."""
        name = crc32(_asked if path == "/e.mpy" else path).to_bytes(4, "little")
        at = -1
        while True:
            at = self.index.find(name[:2], at + 1)
            if at < 0:
                return None
            if at & 1:
                continue
            self.file.seek(2 + at // 2 * RECORD)
            line = self.file.read(RECORD)
            if line.startswith(name):
                return int.from_bytes(line[4:7], "little"), int.from_bytes(line[7:], "little")

    def stat(self, path):
        found = self.find(path)
        if found:
            return (0x8000 if found[0] else 0x4000, 0, 0, 0, 0, 0, found[1] & 0xFFFFF, 0, 0, 0)
        if "." not in path or path.endswith("py"):  # an import asks for a folder and for .py first: not in the flash
            raise OSError(2)
        return os.stat(self.folder + path)

    def open(self, path, mode):
        found = self.find(path)
        if not found:
            return open(self.folder + path, mode)
        is_module = path.endswith(".mpy")
        # a module is read in one go; what else is read meanwhile is another place in the file
        file = self.file if is_module else open(self.folder + "/program", "rb")
        file.seek(found[0])
        if found[1] >> 20:
            file = DeflateIO(file, RAW, found[1] >> 20, not is_module)
            if is_module:
                self.file.seek(2 + len(self.index) * 5)  # half of RECORD
                for _ in range(20):
                    file.read(100)
                self.file.seek(found[0])
        return Module(file) if is_module else file


def load(places):
    """A module of the program, the last of "blit =branch"; those before it are what it imports; = marks one that
    stays, + one that is forgotten and comes again. It is imported as e, which MicroPython has in its ROM: a name and a
    path of its own would stay in the heap for ever."""
    global _asked, copy
    for name in places.split():
        place = name.lstrip("=+")
        if place not in sys.modules:
            sys.modules.pop("e", None)
            _asked = "/%s.mpy" % place
            code = copy = annex.start(place) if annex and place != name else None
            try:
                sys.modules[place] = __import__("e")
                if annex and place != name:
                    annex.run(place, sys.modules[place], code, name[0] == "+")
            finally:
                sys.modules.pop("e", None)
                copy = None
    return sys.modules[place]
