# SPDX-License-Identifier: MIT
"""PBKDF2 with HMAC-SHA-256 (RFC 8018, clause 5.2; RFC 2104), which lets others run in between."""

import asyncio
import hashlib
import time

from micropython import const

_BLOCK = const(64)
_SLICE_MS = const(4)  # of work, then somebody else's turn


def _pad(key, value):
    pad = bytearray(bytes((value,)) * _BLOCK)
    for at, byte in enumerate(key):
        pad[at] ^= byte
    return bytes(pad)


async def derive(password, salt, iterations, size):
    """`size` bytes, at most 32, from the bytes of a password and a salt."""
    sha = hashlib.sha256
    key = sha(password).digest() if len(password) > _BLOCK else password
    inner, outer = _pad(key, 0x36), _pad(key, 0x5C)
    last = salt + b"\0\0\0\1"
    whole = 0
    began = time.ticks_ms()
    for _ in range(iterations):
        one = sha(inner)
        one.update(last)
        last = one.digest()
        one = sha(outer)
        one.update(last)
        last = one.digest()
        whole ^= int.from_bytes(last, "big")
        if time.ticks_diff(time.ticks_ms(), began) >= _SLICE_MS:
            await asyncio.sleep(0)
            began = time.ticks_ms()
    return whole.to_bytes(32, "big")[:size]
