# SPDX-License-Identifier: MIT
"""AES-128-GCM decryption in place (NIST SP 800-38D), as meters use it: 12-byte IV, tag of 12 or 16 bytes.

The block cipher is the chip's (`cryptolib`) where there is one, in bulk: the counters of 16 blocks in one call. Nothing
is allocated for a message.
"""

import micropython
from micropython import const

try:
    from cryptolib import aes as block_cipher
except ImportError:
    from wattport.crypto.aes import Aes as block_cipher

from wattport.crypto.ghash import Ghash

_ECB = const(1)
_BULK = const(256)


@micropython.viper
def ctr_fill(out: ptr8, iv: ptr8, counter: int, size: int):
    """Counter blocks iv || counter, counter + 1, ...: `size` bytes of them (a multiple of 16)."""
    at = 0
    while at < size:
        i = 0
        while i < 12:
            out[at + i] = iv[i]
            i += 1
        out[at + 12] = (counter >> 24) & 0xFF
        out[at + 13] = (counter >> 16) & 0xFF
        out[at + 14] = (counter >> 8) & 0xFF
        out[at + 15] = counter & 0xFF
        counter += 1
        at += 16


@micropython.viper
def xor_into(i: int, buf: ptr8, at: int, stream: ptr8, size: int):
    """buf[at + i] ^= stream[i] for i up to size."""
    while i < size:
        buf[at + i] = (buf[at + i] ^ stream[i]) & 0xFF
        i += 1


class AesGcm:
    """One key. `cipher` is for the tests, which run both block ciphers wherever they are."""

    def __init__(self, key, cipher=None):
        if len(key) != 16:
            raise ValueError("an AES-128 key has 16 bytes")
        self._cipher = (cipher or block_cipher)(key, _ECB)
        self._stream = bytearray(_BULK)
        self._one = bytearray(16)
        self._zero = bytes(16)
        hash_key = bytearray(16)
        self._cipher.encrypt(hash_key, hash_key)
        self._ghash = Ghash(hash_key)

    def verify(self, buf, start, end, iv, aad, tag_size):
        """True when buf[end:end + tag_size] is the tag of the ciphertext buf[start:end] and of `aad`."""
        ghash = self._ghash
        ghash.reset()
        ghash.update(aad, 0, len(aad))
        ghash.update(buf, start, end)
        one = self._one
        one[:] = self._zero
        size = end - start << 3
        one[6] = len(aad) >> 5  # two bytes for bits of additional data, three for the message: more than fits the heap
        one[7] = len(aad) << 3 & 0xFF
        one[13] = size >> 16
        one[14] = size >> 8 & 0xFF
        one[15] = size & 0xFF
        ghash.update(one, 0, 16)
        ctr_fill(one, iv, 1, 16)
        self._cipher.encrypt(one, one)
        y = ghash.y
        difference = 0
        for i in range(tag_size):  # all of it, however early they differ
            difference |= y[i] ^ one[i] ^ buf[end + i]
        return difference == 0

    def crypt(self, buf, start, end, iv):
        """Decrypt (or encrypt: it is the same) buf[start:end] in place."""
        counter = 2
        stream = self._stream
        while start < end:
            size = min(_BULK, end - start)
            ctr_fill(stream, iv, counter, (size + 15) & 0xFFF0)
            self._cipher.encrypt(stream, stream)
            xor_into(0, buf, start, stream, size)
            start += size
            counter += _BULK >> 4

    def open(self, buf, start, end, iv, aad, tag_size):
        """Verify, then decrypt in place. False, and nothing touched, when the tag is wrong."""
        if not self.verify(buf, start, end, iv, aad, tag_size):
            return False
        self.crypt(buf, start, end, iv)
        return True
