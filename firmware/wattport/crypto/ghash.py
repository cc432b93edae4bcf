# SPDX-License-Identifier: MIT
"""GHASH, the authentication half of GCM (NIST SP 800-38D, 6.4), a byte a step.

A key's table is 16 multiples of the hash key for the upper four bits of a byte, and 16 for the lower four, 4 words
each: 512 bytes. The reductions of a shift by eight, 512 bytes, are the same for all keys.
"""

from array import array

import micropython


@micropython.viper
def ghash_update(tab: ptr32, red: ptr16, y: ptr8, buf: ptr8, start: int, end: int):
    """y = (y ^ block) * H for every 16 bytes of buf[start:end]; a last, shorter block counts as padded with zeros."""
    low24 = int(0x00FFFFFF)
    while start < end:
        z0 = 0
        z1 = 0
        z2 = 0
        z3 = 0
        i = 15
        while i >= 0:
            b = y[i]
            if start + i < end:
                b = b ^ buf[start + i]
            r = red[z3 & 255]
            k = ((b >> 4) & 15) << 2
            b = 64 + ((b & 15) << 2)
            z3 = ((z3 >> 8) & low24) ^ ((z2 & 255) << 24) ^ tab[k + 3] ^ tab[b + 3]
            z2 = ((z2 >> 8) & low24) ^ ((z1 & 255) << 24) ^ tab[k + 2] ^ tab[b + 2]
            z1 = ((z1 >> 8) & low24) ^ ((z0 & 255) << 24) ^ tab[k + 1] ^ tab[b + 1]
            z0 = ((z0 >> 8) & low24) ^ (r << 16) ^ tab[k] ^ tab[b]
            i -= 1
        i = 0
        while i < 4:
            k = 24 - (i << 3)
            y[i] = (z0 >> k) & 0xFF
            y[i + 4] = (z1 >> k) & 0xFF
            y[i + 8] = (z2 >> k) & 0xFF
            y[i + 12] = (z3 >> k) & 0xFF
            i += 1
        start += 16


def _halve(value):
    """value * x in GCM's bit order: a shift to the right, reduced by 1 + x + x^2 + x^7 + x^128."""
    return value >> 1 ^ (0xE1 << 120 if value & 1 else 0)


def _shifted(value, bits):
    for _ in range(bits):
        value = _halve(value)
    return value


def _reductions():
    table = array("H", bytes(512))
    for low in range(256):
        table[low] = _shifted(low, 8) >> 112
    return table


_REDUCTIONS = _reductions()


class Ghash:
    """GHASH under one hash key (16 bytes): reset(), any number of update(), then y holds the sum."""

    def __init__(self, hash_key):
        power = [0] * 16
        power[8] = int.from_bytes(hash_key, "big")
        for nibble in (4, 2, 1):
            power[nibble] = _halve(power[nibble * 2])
        self._table = table = array("I", bytes(512))
        for nibble in range(16):
            value = 0
            for bit in (8, 4, 2, 1):
                if nibble & bit:
                    value ^= power[bit]
            low = _shifted(value, 4)
            for word in range(4):
                table[nibble * 4 + word] = value >> (96 - 32 * word) & 0xFFFFFFFF
                table[64 + nibble * 4 + word] = low >> (96 - 32 * word) & 0xFFFFFFFF
        self._zero = bytes(16)
        self.y = bytearray(16)

    def reset(self):
        self.y[:] = self._zero

    def update(self, buf, start, end):
        """Absorb buf[start:end], padded with zeros to a whole block."""
        ghash_update(self._table, _REDUCTIONS, self.y, buf, start, end)
