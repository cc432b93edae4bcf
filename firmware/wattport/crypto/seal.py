# SPDX-License-Identifier: MIT
"""AES-128-GCM (NIST SP 800-38D) for a small text now and then, with a nonce of 12 bytes and no additional data.

In whole numbers, without viper: the chip never gives the memory of a viper function back, and the module that opens
telegrams may not be there. Some 2 ms a block of 16 bytes; others get their turn after each.
"""

import asyncio

from micropython import const

try:
    from cryptolib import aes
except ImportError:
    from wattport.crypto.aes import Aes as aes

_ECB = const(1)


def _times(one, h):
    """The product in GF(2^128), bits reflected as GCM has them."""
    product = 0
    reduced = 0xE1 << 120
    for bit in range(127, -1, -1):
        if one >> bit & 1:
            product ^= h
        h = h >> 1 ^ reduced if h & 1 else h >> 1
    return product


def _encrypted(cipher, block):
    out = bytearray(block)
    cipher.encrypt(out, out)
    return int.from_bytes(out, "big")


async def crypt(key, nonce, buf):
    """Encrypt, or decrypt, a bytearray in place."""
    cipher = aes(key, _ECB)
    for at in range(0, len(buf), 16):
        stream = _encrypted(cipher, nonce + (2 + at // 16).to_bytes(4, "big")).to_bytes(16, "big")
        for i in range(at, min(at + 16, len(buf))):
            buf[i] ^= stream[i - at]
        await asyncio.sleep(0)


async def tag(key, nonce, buf):
    """The 16 bytes that prove the ciphertext in `buf`."""
    cipher = aes(key, _ECB)
    h = _encrypted(cipher, bytes(16))
    y = 0
    for at in range(0, len(buf), 16):
        block = bytes(buf[at:at + 16])
        y = _times(y ^ int.from_bytes(block + bytes(16 - len(block)), "big"), h)
        await asyncio.sleep(0)
    y = _times(y ^ len(buf) * 8, h)
    return (y ^ _encrypted(cipher, nonce + b"\0\0\0\1")).to_bytes(16, "big")
