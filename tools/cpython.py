# SPDX-License-Identifier: MIT
"""What the firmware's core needs to run under CPython: a `micropython` module and viper's pointer types.

The core has no CPython branch; this is the other half of that bargain. A viper function gets its arguments cast by
their annotations, as the native code would see them; a store that does not fit its pointer raises instead of wrapping.
"""

import array
import builtins
import errno
import io
import sys
import time
import types

from tools.paths import FIRMWARE


def _int32(value):
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


def _pointer(code):
    def cast(buffer):
        if isinstance(buffer, array.array) and buffer.typecode == code:
            return buffer
        if code == "B" and isinstance(buffer, (bytes, bytearray)):
            return buffer
        return memoryview(buffer).cast("B").cast(code)
    return cast


_CASTS = {"ptr8": _pointer("B"), "ptr16": _pointer("H"), "ptr32": _pointer("I"),
          "int": _int32, "uint": lambda value: value & 0xFFFFFFFF, "object": lambda value: value}


def viper(function):
    notes = dict(function.__annotations__)
    back = _CASTS[getattr(notes.pop("return", None), "__name__", "object")]
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    casts = tuple(_CASTS[getattr(notes.get(name), "__name__", "object")] for name in names)

    def call(*args):
        if len(args) != len(casts):
            raise TypeError("%s takes %d arguments, all by position" % (function.__name__, len(casts)))
        return back(function(*[cast(value) for cast, value in zip(casts, args)]))
    call.__name__ = function.__name__
    return call


class _Aes:
    """`cryptolib.aes` in its modes 1, ECB, and 2, CBC: the chip's AES, by `cryptography`."""

    def __init__(self, key, mode, iv=None):
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        self._cipher = Cipher(algorithms.AES(key), modes.ECB() if mode == 1 else modes.CBC(iv))
        self._encryptor = self._cipher.encryptor()

    def decrypt(self, source, into):
        into[:len(source)] = self._cipher.decryptor().update(bytes(source))

    def encrypt(self, source, into):
        into[:len(source)] = self._encryptor.update(bytes(source))


class _Inflate:
    """`deflate.DeflateIO` of what is raw."""

    def __init__(self, stream, form, window):
        import zlib
        try:
            self._plain = io.BytesIO(zlib.decompressobj(-window).decompress(stream.read()))
        except zlib.error:
            raise OSError(errno.EINVAL)

    def readinto(self, buf):
        return self._plain.readinto(buf)


def install():
    """Make `import wattport...` work in this process."""
    if "micropython" in sys.modules:
        return
    module = types.ModuleType("micropython")
    module.const, module.native, module.viper = (lambda value: value), (lambda function: function), viper
    sys.modules["micropython"] = module
    for name in ("ptr8", "ptr16", "ptr32", "uint"):
        def cast(value, _cast=_CASTS[name]):
            return _cast(value)
        cast.__name__ = name
        setattr(builtins, name, cast)
    sys.modules["cryptolib"] = types.ModuleType("cryptolib")
    sys.modules["cryptolib"].aes = _Aes
    sys.modules["deflate"] = types.ModuleType("deflate")
    sys.modules["deflate"].DeflateIO, sys.modules["deflate"].RAW = _Inflate, 1
    time.ticks_ms = lambda: time.monotonic_ns() // 1000000 & 0x3FFFFFFF
    time.ticks_us = lambda: time.monotonic_ns() // 1000 & 0x3FFFFFFF
    time.ticks_diff = lambda a, b: ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000
    time.ticks_add = lambda a, b: (a + b) & 0x3FFFFFFF
    sys.path.insert(0, str(FIRMWARE))
