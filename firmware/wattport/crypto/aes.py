# SPDX-License-Identifier: MIT
"""AES-128 encryption of whole blocks (FIPS 197), for builds without `cryptolib`.

One 1 KiB table, turned for the other three columns: a quarter of the usual heap for some more instructions.
"""

from array import array

import micropython


@micropython.viper
def aes128_encrypt(te: ptr32, rk: ptr32, src: ptr8, dst: ptr8, size: int):
    """dst = AES(src) for every 16 bytes of `size`; te[b] holds S-box(b) times 2, 1, 1, 3. src may be dst."""
    low24 = int(0x00FFFFFF)
    at = 0
    while at < size:
        s0 = 0
        s1 = 0
        s2 = 0
        s3 = 0
        i = at
        stop = at + 4
        while i < stop:
            s0 = ((s0 & low24) << 8) | src[i]
            s1 = ((s1 & low24) << 8) | src[i + 4]
            s2 = ((s2 & low24) << 8) | src[i + 8]
            s3 = ((s3 & low24) << 8) | src[i + 12]
            i += 1
        s0 = s0 ^ rk[0]
        s1 = s1 ^ rk[1]
        s2 = s2 ^ rk[2]
        s3 = s3 ^ rk[3]
        k = 4
        while k < 40:
            i = 0
            while i < 4:
                # one column a turn: the state's words move round, the new word is kept where the next round reads it
                a = te[(s0 >> 24) & 255]
                b = te[(s1 >> 16) & 255]
                c = te[(s2 >> 8) & 255]
                d = te[s3 & 255]
                b = ((b >> 8) & low24) | ((b & 255) << 24)
                c = ((c >> 16) & 0xFFFF) | ((c & 0xFFFF) << 16)
                d = ((d >> 24) & 255) | ((d & low24) << 8)
                a = a ^ b ^ c ^ d ^ rk[k]
                if i == 0:
                    t0 = a
                elif i == 1:
                    t1 = a
                elif i == 2:
                    t2 = a
                else:
                    t3 = a
                b = s0
                s0 = s1
                s1 = s2
                s2 = s3
                s3 = b
                k += 1
                i += 1
            s0 = t0
            s1 = t1
            s2 = t2
            s3 = t3
        i = at
        while i < stop + 12:
            a = rk[k]
            # the middle bytes of a table entry are S-box(b) times 1
            dst[i] = ((te[(s0 >> 24) & 255] >> 8) ^ (a >> 24)) & 255
            dst[i + 1] = ((te[(s1 >> 16) & 255] >> 8) ^ (a >> 16)) & 255
            dst[i + 2] = ((te[(s2 >> 8) & 255] >> 8) ^ (a >> 8)) & 255
            dst[i + 3] = ((te[s3 & 255] >> 8) ^ a) & 255
            b = s0
            s0 = s1
            s1 = s2
            s2 = s3
            s3 = b
            k += 1
            i += 4
        at += 16


def _double(byte):
    return (byte << 1 ^ 0x1B) & 0xFF if byte & 0x80 else byte << 1


def _sbox():
    """FIPS 197, 5.1.1: the inverse in GF(2^8), by walking the powers of 3 and of its inverse, then the affine map."""
    box = bytearray(256)
    p = q = 1
    while True:
        p = p ^ _double(p)
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        turned = q | q << 8
        box[p] = (q ^ turned >> 7 ^ turned >> 6 ^ turned >> 5 ^ turned >> 4 ^ 0x63) & 0xFF
        if p == 1:
            break
    box[0] = 0x63
    return box


_table = None
_box = None


def _tables():
    global _table, _box
    if _table is None:
        _box = _sbox()
        _table = array("I", bytes(1024))
        for byte in range(256):
            s = _box[byte]
            _table[byte] = _double(s) << 24 | s << 16 | s << 8 | _double(s) ^ s
    return _table, _box


class Aes:
    """AES-128 ECB, called like `cryptolib.aes(key, 1)`."""

    def __init__(self, key, mode=1):
        if len(key) != 16 or mode != 1:
            raise ValueError("AES-128 ECB only")
        self._te, box = _tables()
        self._rk = rk = array("I", bytes(176))
        for word in range(4):
            rk[word] = int.from_bytes(key[4 * word:4 * word + 4], "big")
        rcon = 1
        for word in range(4, 44):
            value = rk[word - 1]
            if word % 4 == 0:
                value = (value << 8 | value >> 24) & 0xFFFFFFFF
                value = (box[value >> 24] ^ rcon) << 24 | box[value >> 16 & 255] << 16 | (
                    box[value >> 8 & 255] << 8 | box[value & 255])
                rcon = _double(rcon)
            rk[word] = rk[word - 4] ^ value

    def encrypt(self, source, into):
        """Encrypt all of `source` (a whole number of blocks) into `into`, which may be the same buffer."""
        if len(source) % 16 or len(into) < len(source):
            raise ValueError("whole blocks only")
        aes128_encrypt(self._te, self._rk, source, into, len(source))
