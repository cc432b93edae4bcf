# SPDX-License-Identifier: MIT
"""Rows of a history as bytes: what came to each register in a half-hour (or a day), and the gauges' extremes.

A record is a tag, and behind it, each only where the tag says so: how many rows are missing before it and how many it
stands for (spread evenly); the columns that are not zero, a bit each; their values; at the end a check, which
goes on from the record before. Numbers are groups of seven bits, the lowest first (LEB128), signed ones zigzag.

- A register's rise. That of a total less those of its tariffs: mostly nothing.
- A power's maximum, W.
- A voltage in 0.1 V, less that of the row before.
"""

from binascii import crc32

from micropython import const

# flags of a row; the other bits of a tag are for whoever reads and writes it (`record`)
ESTIMATED = 1  # spread over a gap, or it begins or ends with a gap
NEW = 2  # the first one of a series: another meter, or one that was reset
CLOCK = 4  # the clock was set back in it
PART = 128  # not all of it was counted: the first one of a series; a day of which half-hours are missing
FLAGS = ESTIMATED | NEW | CLOCK | PART

JUMP = 8
POWER = 16
VOLTAGE = 32
SAME = 64  # columns as in the record before
_SHIFTS = const(70)  # no number is longer
REGISTER = 0  # kinds of columns
TOTAL = 1
PEAK = 2
LEVEL = 3
LEVEL_MV = 100


def is_gauge(name):
    return name.startswith("power_") or name.startswith("voltage_")


def spread(value, part, parts):
    """What of a rise belongs to the first `part` of so many equal parts; in whole numbers, and nothing gets lost."""
    return value * part // parts


class Rows:
    """A row after another, in (`read`) or out (`record.write`). names: the columns, of `kinds`; `parts`: of a total,
    its tariffs' columns. next: the number of the row that is due; numbers count half-hours or days. columns, check,
    levels: where a series of rows goes on. `flags`, `skip`, `count`, `values` are what `read` found; a gauge that was
    not measured is None."""

    def __init__(self, names, next, columns=0, check=0, levels=None):
        self.names = names
        self.next = next
        self.columns = columns
        self.check = check
        self.levels = levels or [0] * len(names)
        self.flags = self.skip = 0
        self.count = 1
        self.values = None
        self.kinds = []
        self.parts = []
        for name in names:
            parts = []
            if name in ("import_wh", "export_wh"):
                parts = [i for i in range(len(names)) if names[i].startswith(name[:7] + "t") and "." not in names[i]]
            self.parts.append(parts)
            self.kinds.append(LEVEL if name.startswith("voltage_") else PEAK if name.startswith("power_")
                               else TOTAL if parts else REGISTER)

    def read(self, buf, at, end):
        """Take the record at `at`; the place behind it. IndexError: not all of it is there. ValueError: damaged."""
        begin = at
        tag = buf[at]
        at += 1
        head = [0, 1, self.columns]
        for i in range(0 if tag & JUMP else 2, 2 if tag & SAME else 3):
            number = shift = 0
            while True:
                byte = buf[at]
                at += 1
                number |= (byte & 127) << shift
                if byte < 128:
                    break
                shift += 7
                if shift > _SHIFTS:
                    raise ValueError
            head[i] = number
        columns = head[2]
        size = len(self.names)
        if columns >> size or not head[1]:
            raise ValueError
        values = [0] * size
        for i in range(size):
            if columns >> i & 1:
                byte = buf[at]
                at += 1
                number = byte & 127
                shift = 7
                while byte > 127:
                    byte = buf[at]
                    at += 1
                    number |= (byte & 127) << shift
                    shift += 7
                    if shift > _SHIFTS:
                        raise ValueError
                values[i] = number
        check = crc32(memoryview(buf)[begin:at], self.check) & 0xFFFF
        if at >= end:
            raise IndexError
        if buf[at] != check & 0xFF:
            raise ValueError
        self.check = check
        self.columns = columns
        self.skip, self.count = head[0], head[1]
        self.next += head[0] + head[1]
        self.flags = tag & FLAGS
        for i in range(size - 1, -1, -1):  # totals come before their tariffs' values, but stand on them
            kind = self.kinds[i]
            if kind == REGISTER:
                continue
            value = values[i]
            if kind == PEAK:
                if not tag & POWER:
                    values[i] = None
                continue
            value = -(value >> 1) if value & 1 else value >> 1
            if kind == TOTAL:
                for part in self.parts[i]:
                    value += values[part]
                values[i] = value
            elif tag & VOLTAGE:
                self.levels[i] += value
                values[i] = self.levels[i] * LEVEL_MV
            else:
                values[i] = None
        self.values = values
        return at + 1
