# SPDX-License-Identifier: MIT
"""CRCs of 16 bits, least significant bit first."""


class Crc16:
    """`polynomial` with its bits the other way round; `start`: what the register holds before the first byte."""

    def __init__(self, polynomial, start):
        self._start = start
        self._table = []
        for byte in range(256):
            for _ in range(8):
                byte = byte >> 1 ^ (polynomial if byte & 1 else 0)
            self._table.append(byte)

    def __call__(self, data):
        crc = self._start
        for byte in data:
            crc = crc >> 8 ^ self._table[(crc ^ byte) & 0xFF]
        return crc
