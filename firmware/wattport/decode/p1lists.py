# SPDX-License-Identifier: MIT
"""The lines of P1 text that hold lists: imported when a meter sends one that is not empty."""

from wattport.decode.p1line import number, quantity, time_of, watts


def _each(parts, first, step, read):
    """What `read(i)` makes of every group of `step` parts; a group that cannot be read is left out."""
    found = []
    for i in range(first, len(parts) - step + 1, step):
        try:
            found.append(read(i))
        except ValueError:
            continue
    return found


def peaks(buf, parts, zone):
    """(n)(1-0:1.6.0)(1-0:1.6.0), then n times (stored)(reached)(04.329*kW): [[UTC seconds, W], ...]"""
    return _each(parts, 3, 3, lambda i: [time_of(buf, *parts[i + 1], zone), watts(buf, parts[i + 2])])


def failures(buf, parts, zone):
    """(n)(0-0:96.7.19), then n times (end)(0000000240*s): [[UTC seconds of the end, seconds], ...]"""
    def read(i):
        at, stop = parts[i + 1]
        return [time_of(buf, *parts[i], zone), number(buf, at, quantity(buf, at, stop)[0], 0)]
    return _each(parts, 2, 2, read)
