# SPDX-License-Identifier: MIT
"""CRC-16, reflected, two bytes a step: ARC (P1: poly 0x8005, start 0), X-25 (HDLC, SML: poly 0x1021, start and end
0xFFFF), Kermit (as X-25, start and end 0).

A polynomial has two tables, 512 bytes of heap each, made when a protocol first asks for them: the remainders of a byte,
and of a byte with another one behind it.
"""

from array import array

import micropython


@micropython.viper
def crc16_update(crc: int, i: int, buf: ptr8, end: int, one: ptr16, two: ptr16) -> int:
    """The remainder after buf[i:end]; hottest arguments first, they live in registers."""
    if (end - i) & 1:
        crc = ((crc >> 8) & 0xFF) ^ one[(crc ^ buf[i]) & 0xFF]
        i += 1
    for at in range(i, end, 2):
        crc = crc ^ buf[at] ^ (buf[at + 1] << 8)
        crc = two[crc & 0xFF] ^ one[(crc >> 8) & 0xFF]
    return crc


_tables = {}


def _tables_of(polynomial):
    if polynomial not in _tables:
        one, two = array("H", bytes(512)), array("H", bytes(512))
        for byte in range(256):
            value = byte
            for _ in range(8):
                value = value >> 1 ^ polynomial if value & 1 else value >> 1
            one[byte] = value
        for byte in range(256):
            two[byte] = one[byte] >> 8 ^ one[one[byte] & 0xFF]
        _tables[polynomial] = one, two
    return _tables[polynomial]


def crc16_arc(buf, start, end):
    """CRC-16/ARC of buf[start:end]; check value of b"123456789" is 0xBB3D (DSMR 5.0.2 P1, 6.2)."""
    one, two = _tables_of(0xA001)
    return crc16_update(0, start, buf, end, one, two)


def crc16_x25(buf, start, end):
    """CRC-16/X-25 of buf[start:end]; check value of b"123456789" is 0x906E (ISO/IEC 13239, IEC 62056-46)."""
    one, two = _tables_of(0x8408)
    return crc16_update(0xFFFF, start, buf, end, one, two) ^ 0xFFFF


def crc16_kermit(buf, start, end):
    """CRC-16/Kermit of buf[start:end]; check value of b"123456789" is 0x2189."""
    one, two = _tables_of(0x8408)
    return crc16_update(0, start, buf, end, one, two)
