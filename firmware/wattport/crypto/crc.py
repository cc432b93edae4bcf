# SPDX-License-Identifier: MIT
"""CRC-16, reflected, two bytes a step: ARC (P1: poly 0x8005, start 0), X-25 (HDLC: poly 0x1021, start and end 0xFFFF).

A table is 1 KiB of heap, made when a protocol first asks for it: 256 remainders of a byte, then 256 of a byte
with another one behind it.
"""

from array import array

import micropython


@micropython.viper
def crc16_update(crc: int, i: int, buf: ptr8, end: int, table: ptr16) -> int:
    """The remainder after buf[i:end]; hottest arguments first, they live in registers."""
    if (end - i) & 1:
        crc = ((crc >> 8) & 0xFF) ^ table[(crc ^ buf[i]) & 0xFF]
        i += 1
    for at in range(i, end, 2):
        crc = crc ^ buf[at] ^ (buf[at + 1] << 8)
        crc = table[256 + (crc & 0xFF)] ^ table[(crc >> 8) & 0xFF]
    return crc


def _table(polynomial):
    table = array("H", bytes(1024))
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ polynomial if value & 1 else value >> 1
        table[byte] = value
    for byte in range(256):
        table[256 + byte] = table[byte] >> 8 ^ table[table[byte] & 0xFF]
    return table


_tables = {}


def _table_of(polynomial):
    if polynomial not in _tables:
        _tables[polynomial] = _table(polynomial)
    return _tables[polynomial]


def crc16_arc(buf, start, end):
    """CRC-16/ARC of buf[start:end]; check value of b"123456789" is 0xBB3D (DSMR 5.0.2 P1, 6.2)."""
    return crc16_update(0, start, buf, end, _table_of(0xA001))


def crc16_x25(buf, start, end):
    """CRC-16/X-25 of buf[start:end]; check value of b"123456789" is 0x906E (ISO/IEC 13239, IEC 62056-46)."""
    return crc16_update(0xFFFF, start, buf, end, _table_of(0x8408)) ^ 0xFFFF
