# SPDX-License-Identifier: MIT
"""Small PNG files of pages, for the README: 256 colours are enough for what is mostly plain surfaces and letters."""

import struct
import zlib
from collections import Counter

_MAGIC = b"\x89PNG\r\n\x1a\n"


def _pixels(png):
    """(width, rows of (red, green, blue)) of what a browser makes: 8 bits, colour, not interlaced."""
    at, data = len(_MAGIC), b""
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        body = png[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, _, bits, colour, *_, interlace = struct.unpack(">IIBBBBB", body)
            assert bits == 8 and colour in (2, 6) and not interlace
        data += body if kind == b"IDAT" else b""
        at += size + 12
    step = 4 if colour == 6 else 3
    data = zlib.decompress(data)
    rows, above = [], bytes(width * step)
    for start in range(0, len(data), width * step + 1):
        row = bytearray(data[start + 1:start + 1 + width * step])
        _unfilter(data[start], row, above, step)
        rows.append([bytes(row[at:at + 3]) for at in range(0, len(row), step)])
        above = row
    return width, rows


def _unfilter(kind, row, above, step):
    """PNG, clause 9.2."""
    for at in range(len(row)) if kind else ():
        left, up, corner = row[at - step] if at >= step else 0, above[at], above[at - step] if at >= step else 0
        if kind == 4:
            guess = left + up - corner
            _, _, add = min((abs(guess - value), order, value) for order, value in enumerate((left, up, corner)))
        else:
            add = (0, left, up, (left + up) // 2)[kind]
        row[at] = row[at] + add & 255


def _nearest(colour, palette):
    return min(range(len(palette)), key=lambda index: sum((a - b) ** 2 for a, b in zip(colour, palette[index])))


def small(png):
    """The same picture with a palette of its 256 most frequent colours; the others become the nearest of them."""
    width, rows = _pixels(png)
    palette = [colour for colour, _ in Counter(pixel for row in rows for pixel in row).most_common(256)]
    known = {colour: index for index, colour in enumerate(palette)}
    lines = bytearray()
    for row in rows:
        lines.append(0)
        for pixel in row:
            if pixel not in known:
                known[pixel] = _nearest(pixel, palette)
            lines.append(known[pixel])

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return (_MAGIC + chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0))
            + chunk(b"PLTE", b"".join(palette)) + chunk(b"IDAT", zlib.compress(bytes(lines), 9)) + chunk(b"IEND", b""))
