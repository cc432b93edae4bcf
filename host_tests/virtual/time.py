# SPDX-License-Identifier: MIT
"""`time` for MicroPython where nobody waits: the clock goes on when everybody would (see select.py)."""

import utime

ticks_add, ticks_diff = utime.ticks_add, utime.ticks_diff
gmtime, localtime, mktime, time, time_ns = utime.gmtime, utime.localtime, utime.mktime, utime.time, utime.time_ns
_now = 0


def ticks_ms():
    return ticks_add(0, _now)


def ticks_us():
    return ticks_add(0, _now * 1000)


def sleep_ms(ms):
    global _now
    _now += ms


def sleep(seconds):
    sleep_ms(int(seconds * 1000))
