# SPDX-License-Identifier: MIT
"""The modules and pages of a slot as one file; firmware/slot.py reads it and says how it is made."""

from zlib import crc32

NAME = "program"
_RECORD = 10
_MOST = 1 << 24


class ContainerError(Exception):
    """These modules can't be one file; the text says why."""


def pack(modules):
    """The file for {path: bytes}, paths from the slot's folder on: "wgate.mpy"."""
    folders = {path.rpartition("/")[0] for path in modules} - {""}
    index, at = {}, 2 + _RECORD * (len(modules) + len(folders))
    if at + sum(map(len, modules.values())) >= _MOST:
        raise ContainerError("%d bytes of modules are too many" % sum(map(len, modules.values())))
    for path in sorted(folders | set(modules)):
        name = crc32(("/" + path).encode()).to_bytes(4, "little")
        if name in index:
            raise ContainerError("%s has the CRC-32 of another module: call it something else" % path)
        size = len(modules.get(path, b""))
        index[name] = (at if size else 0).to_bytes(3, "little") + size.to_bytes(3, "little")
        at += size
    return b"".join([len(index).to_bytes(2, "little"), *(name + place for name, place in index.items()),
                     *(data for _, data in sorted(modules.items()))])
