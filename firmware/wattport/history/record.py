# SPDX-License-Identifier: MIT
"""A row of a history as the bytes that `rows` reads."""

from binascii import crc32

from wattport.history.rows import JUMP, LEVEL, LEVEL_MV, PEAK, POWER, SAME, TOTAL, VOLTAGE


def put(out, number):
    """Append a number that is not negative to a bytearray."""
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def write(rows, flags, values, skip=0, count=1):
    """The bytes of a record of a Rows, which goes on behind it; values: by column."""
    tag = flags
    head, body = bytearray(1), bytearray()
    if skip or count > 1:
        tag |= JUMP
        put(head, skip)
        put(head, count)
    columns = 0
    for i in range(len(values)):
        value, kind = values[i], rows.kinds[i]
        if value is None:
            continue
        if kind == LEVEL:
            tag |= VOLTAGE
            level = value // LEVEL_MV
            value = level - rows.levels[i]
            rows.levels[i] = level
        elif kind == PEAK:
            tag |= POWER
        elif kind == TOTAL:
            for part in rows.parts[i]:
                value -= values[part]
        if kind & 1:
            value = value << 1 if value >= 0 else -value << 1 | 1
        if value:
            columns |= 1 << i
            put(body, value)
    if columns == rows.columns:
        tag |= SAME
    else:
        put(head, columns)
    rows.columns = columns
    head[0] = tag
    head.extend(body)
    rows.check = crc32(head, rows.check) & 0xFFFF
    head.append(rows.check & 0xFF)
    rows.next += skip + count
    return head
