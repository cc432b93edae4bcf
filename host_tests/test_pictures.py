# SPDX-License-Identifier: MIT
"""Pictures for the README: the same to the eye, a third of the size."""

import struct
import zlib

from host_tests import pictures


def png(rows, filters):
    """A picture of 8-bit RGBA rows, each through one of PNG's filters, as an encoder makes them (PNG, clause 9.2)."""
    data, above = b"", bytes(len(rows[0]))
    for row, kind in zip(rows, filters):
        line = bytearray()
        for at, value in enumerate(row):
            left, up, corner = (row[at - 4], above[at], above[at - 4]) if at >= 4 else (0, above[at], 0)
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda one: abs(guess - one))
            line.append(value - (0, left, up, (left + up) // 2, paeth)[kind] & 255)
        data, above = data + bytes([kind]) + line, row
    body = struct.pack(">IIBBBBB", len(rows[0]) // 4, len(rows), 8, 6, 0, 0, 0)
    parts = ((b"IHDR", body), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts)


def decoded(small):
    """(width, rows of colours) of a picture with a palette."""
    width, = struct.unpack_from(">I", small, 16)
    at = small.index(b"PLTE")
    palette = small[at + 4:at + 4 + struct.unpack_from(">I", small, at - 4)[0]]
    at = small.index(b"IDAT")
    data = zlib.decompress(small[at + 4:at + 4 + struct.unpack_from(">I", small, at - 4)[0]])
    lines = [data[start + 1:start + 1 + width] for start in range(0, len(data), width + 1)]
    return [[palette[3 * index:3 * index + 3] for index in line] for line in lines]


def test_a_picture_of_few_colours_stays_as_it_is_whatever_filters_it_came_through():
    rows = [bytes((x * 9 % 5 * 50, y * 40, (x + y) % 3 * 100, 255)[part] for x in range(7) for part in range(4))
            for y in range(5)]
    expected = [[row[at:at + 3] for at in range(0, len(row), 4)] for row in rows]
    assert decoded(pictures.small(png(rows, (0, 1, 2, 3, 4)))) == expected
    assert decoded(pictures.small(png(rows, (4, 3, 4, 1, 2)))) == expected


def test_a_picture_of_many_colours_has_256_and_each_pixel_is_close():
    rows = [bytes((x, y * 8, x ^ y, 255)[part] for x in range(256) for part in range(4)) for y in range(4)]
    found = decoded(pictures.small(png(rows, (0, 1, 2, 4))))
    assert len({pixel for row in found for pixel in row}) <= 256
    for row, line in zip(rows, found):
        for at, pixel in enumerate(line):
            assert max(abs(a - b) for a, b in zip(row[4 * at:4 * at + 3], pixel)) <= 64
