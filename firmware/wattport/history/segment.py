# SPDX-License-Identifier: MIT
"""A file of a history: one line that says what is in it, then records (`rows`).

    c0ffee12 {"meter": "E0012", "ids": {"1": "G7"}, "names": "power_import_max_w import_wh 1.volume_l", "first": 978123,
    "registers": [0, 1234567, 88000], "flags": 2}

with the check of what follows in front; `registers` as they were when the first row began, `first` its number, `flags`
what it will have for being the first. It is
read in pieces, and closed in between: LittleFS gives away what a reader stands on when the file grows meanwhile.
"""

import json
from binascii import crc32

from micropython import const

from wattport.history.rows import Rows, is_gauge, spread

BREATH = 8  # rows: a few milliseconds of a chip
_PIECE = const(512)
_RECORD = const(160)  # none is longer: 24 columns of five bytes, and what is around them
_MOSTLY = const(600)  # bytes of the first line; as many are taken from the heap to read it
_LINE = const(1448)  # and no more behind them


def head(meter, ids, names, first, registers, flags):
    """The bytes that a file begins with. names: a list."""
    text = json.dumps({"meter": meter, "ids": ids, "names": " ".join(names), "first": first, "registers": registers,
                       "flags": flags})
    text = text.encode()
    return b"%08x %s\n" % (crc32(text), text)


class Segment:
    """A file to be read. `head`: the dict of its first line; ValueError when it has none that is whole, OSError."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            line = file.readline(_MOSTLY)
            if len(line) == _MOSTLY:
                line += file.readline(_LINE)
        text = line[9:].rstrip(b"\n")
        if line[-1:] != b"\n" or line[:9] != b"%08x " % crc32(text):
            raise ValueError
        self.head = json.loads(text)
        self.names = self.head["names"].split()
        self.rows = Rows(self.names, self.head["first"])
        self.size = len(line)  # of what is whole

    def records(self):
        """Step from record to record: what each says stands in `rows` then. Ends before the first that is damaged."""
        buf, at, more = b"", 0, True
        rows = self.rows
        while True:
            if more and len(buf) - at < _RECORD:
                try:
                    with open(self.path, "rb") as file:
                        file.seek(self.size)
                        buf = file.read(_PIECE)
                except OSError:  # dropped meanwhile, to make room
                    return
                at, more = 0, len(buf) == _PIECE
            try:
                end = rows.read(buf, at, len(buf))
            except (IndexError, ValueError):
                return
            self.size += end - at
            at = end
            yield rows

    def between(self, begin, end):
        """(number, flags, names, values) of each row with begin <= number < end; the values are the caller's. None now
        and then: a breath."""
        names = self.names
        left = BREATH
        for rows in self.records():
            left -= 1
            if not left:
                left = BREATH
                yield None
            count, values = rows.count, rows.values
            number = rows.next - count
            if number >= end:
                return
            if rows.next <= begin:
                continue
            if count == 1:
                yield number, rows.flags, names, values
                continue
            for part in range(max(0, begin - number), min(count, end - number)):
                yield number + part, rows.flags, names, [
                    None if value is None else spread(value, part + 1, count) - spread(value, part, count)
                    for value in values]

    def whole(self):
        """Read all of it. Breaths, then (the registers as they were behind its last row, flags of that or None)."""
        registers = list(self.head["registers"])
        flags = None
        left = BREATH
        for rows in self.records():
            left -= 1
            if not left:
                left = BREATH
                yield None
            flags = rows.flags
            for i in range(len(registers)):
                if not is_gauge(self.names[i]):
                    registers[i] += rows.values[i]
        yield registers, flags
