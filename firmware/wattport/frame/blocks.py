# SPDX-License-Identifier: MIT
"""General block transfer (Green Book 9.5, IEC 62056-5-3, tag 0xE0), as Landis+Gyr's E450 pushes it, unconfirmed:

    E0  control  block number (2)  number acknowledged (2)  length  data

Control's bit 7 marks the last block; blocks count from 1.
"""

from wattport.errors import MeterError
from wattport.frame.envelope import length_at


def add(parts, buf, at, stop):
    """Take the block buf[at:stop]; what `Parts.add` says."""
    if stop - at < 7:
        raise MeterError("truncated", "the block ends in its head")
    number = buf[at + 2] << 8 | buf[at + 3]
    size, first = length_at(buf, at + 6, stop)
    if size < 0 or first + size > stop:
        raise MeterError("truncated", "the block ends too soon")
    if not number:
        raise MeterError("malformed", "a block with the number 0")
    return parts.add(buf, first, first + size, number - 1, buf[at + 1] & 0x80)
