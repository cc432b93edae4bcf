# SPDX-License-Identifier: MIT
"""The modules and pages of a slot as one file; firmware/slot.py reads it and says how it is made."""

import zlib
from functools import cache
from zlib import crc32

from tools import deflate, primer

NAME = "program"
_RECORD = 10
_MOST = 1 << 24
_MOST_OF_ONE = 1 << 20
_WINDOW = deflate.WINDOW.bit_length() - 1  # bits of a place; one of 11 takes 2 KiB of the heap during an import
_SAVED = 8  # a part of it, to be worth it: pages are packed already


class ContainerError(Exception):
    """These modules can't be one file; the text says why."""


@cache
def _module(data):
    """As it goes on behind the primer."""
    return deflate.behind(primer.HISTORY, primer.CODE, data)


def _packed(path, data):
    """(how it is read, the bytes)"""
    if path.endswith(".mpy"):
        small = _module(data)
    else:
        packer = zlib.compressobj(9, zlib.DEFLATED, -_WINDOW, 9)
        small = packer.compress(data) + packer.flush()
    # what is stored goes on behind its end: only modules and pages are read so that this is no matter
    stored = path.endswith((".mpy", ".gz")) and len(small) > len(data) - len(data) // _SAVED - 1
    return (0, data) if stored else (_WINDOW, small)


def pack(modules):
    """The file for {path: bytes}, paths from the slot's folder on: "wgate.mpy"."""
    folders = {path.rpartition("/")[0] for path in modules} - {""}
    if sum(map(len, modules.values())) >= _MOST:
        raise ContainerError("%d bytes of modules are too many" % sum(map(len, modules.values())))
    parts = {path: _packed(path, data) for path, data in sorted(modules.items())}
    first = primer.BLOCK if any(path.endswith(".mpy") and window for path, (window, _) in parts.items()) else b""
    index, at = {}, 2 + _RECORD * (len(modules) + len(folders)) + len(first)
    for path in sorted(folders | set(modules)):
        name = crc32(("/" + path).encode()).to_bytes(4, "little")
        if name in index:
            raise ContainerError("%s has the CRC-32 of another module: call it something else" % path)
        window, data = parts.get(path, (0, b""))
        if len(data) >= _MOST_OF_ONE:
            raise ContainerError("%s has too many bytes: %d" % (path, len(data)))
        index[name] = (at if data else 0).to_bytes(3, "little") + (window << 20 | len(data)).to_bytes(3, "little")
        at += len(data)
    return b"".join([len(index).to_bytes(2, "little"), *(name + place for name, place in index.items()),
                     first, *(data for _, data in parts.values())])
