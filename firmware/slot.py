# SPDX-License-Identifier: MIT
"""The program of a slot as one file, mounted as a folder.

A look into a folder of LittleFS reads all of it, some hundred small reads for each of the four looks of an import. Here
an import costs a search in a kilobyte of memory and the reading of the module itself; and neither module nor page is
rounded up to a block of the flash. `tools/container.py` makes the file:

    2 bytes     number of modules, pages, tables and folders
    10 bytes    for each: CRC-32 of its path ("/wgate.mpy"), 4 bytes; where it begins, 3 bytes; 3 more bytes: the lower
                20 bits are how many bytes of the file it takes, the upper 4 how they are read: 0 as they are, 8 to 15
                as raw deflate (RFC 1951) with a window of 256 to 32768 bytes. A folder begins at 0 and takes none
    …           the modules, pages and tables

All numbers are little-endian. What is not in there is a file beside it. The window is borrowed from the heap while a
module is imported.
"""

import os
from binascii import crc32
from io import IOBase

from deflate import RAW, DeflateIO

RECORD = 10
runs = None  # "a" or "b": the slot that boot.py has mounted


class Part(IOBase):
    """What is stored as it is, as a file that is read."""

    def __init__(self, file, begin, end):
        self.file = file
        self.begin = self.at = begin
        self.end = end

    def readinto(self, buf):
        size = min(len(buf), self.end - self.at)
        if size > 0:
            self.file.seek(self.at)
            size = self.file.readinto(memoryview(buf)[:size])
            self.at += size
        return size

    def read(self, size=-1):
        left = self.end - self.at
        buf = bytearray(left if size < 0 else min(size, left))
        self.readinto(buf)
        return bytes(buf)

    def readline(self):
        line = b""
        while b"\n" not in line:
            piece = self.read(128)
            if not piece:
                return line
            line += piece
        end = line.find(b"\n") + 1
        self.at -= len(line) - end
        return line[:end]

    def seek(self, offset, whence=0):
        self.at = (self.begin, self.at, self.end)[whence] + offset
        return self.at - self.begin

    def __enter__(self):
        return self

    def __exit__(self, *trouble):
        pass

    def ioctl(self, request, value):
        return 256 if request == 11 else 0  # MP_STREAM_GET_BUFFER_SIZE; all else is fine, closing too


class Module(IOBase):
    """A module for an import, which knows by itself where it ends, but would read for ever in one that is cut short."""

    def __init__(self, stream):
        self.stream = stream

    def readinto(self, buf):
        try:
            if self.stream.readinto(buf):
                return len(buf)  # less would be the end, and no error when it goes on behind that
        except EOFError:
            pass
        raise OSError(5)  # EIO

    ioctl = Part.ioctl


class Slot:
    """`folder` holds the file `program`, and what is beside it. To be given to `vfs.mount`."""

    def __init__(self, folder):
        self.folder = folder
        self.file = open(folder + "/program", "rb")
        self.index = self.file.read(int.from_bytes(self.file.read(2), "little") * RECORD)

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        self.file.close()

    def ilistdir(self, path):
        return os.ilistdir(self.folder + path)

    def find(self, path):
        """(where it begins, how it is read and how long it is), or None."""
        name = crc32(path).to_bytes(4, "little")
        at = self.index.find(name)
        while at % RECORD and at >= 0:
            at = self.index.find(name, at + 1)
        if at < 0:
            return None
        return int.from_bytes(self.index[at + 4:at + 7], "little"), int.from_bytes(self.index[at + 7:at + 10], "little")

    def stat(self, path):
        found = self.find(path)
        if found:
            return (0x8000 if found[0] else 0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        if "." not in path or path.endswith("py"):  # an import asks for a folder and for .py first: not in the flash
            raise OSError(2)
        return os.stat(self.folder + path)

    def open(self, path, mode):
        found = self.find(path)
        if not found:
            return open(self.folder + path, mode)
        begin, size = found
        file, window, is_module = self.file, size >> 20, path.endswith(".mpy")
        if not window:
            stream = Part(file, begin, begin + size)
        else:
            if not is_module:  # a module is read in one go; what else is read meanwhile is another place in the file
                file = open(self.folder + "/program", "rb")
            file.seek(begin)
            stream = DeflateIO(file, RAW, window, not is_module)
        return Module(stream) if is_module else stream
