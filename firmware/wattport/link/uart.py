# SPDX-License-Identifier: MIT
"""The meter's line: a UART of the chip, read into one buffer for ever.

The reader looks at the UART every few milliseconds instead of waiting for it: `readinto` never blocks, nothing is
allocated, and a look costs less than a task switch. At 115200 baud a look every 10 ms finds 115 bytes; the driver's
buffer holds 350 ms.
"""

import asyncio
import time

import machine
from micropython import const

RX_BUFFER = const(4096)
_CHUNK = const(512)
_LOOK_MS = const(10)
_SILENCE_MS = const(500)  # no meter pauses that long inside of a telegram
_FORMATS = {"8N1": (8, None), "8E1": (8, 0), "7E1": (7, 0)}


def open_uart(board, settings):
    """machine.UART for the `meter` group of the settings on the pins of `board`."""
    bits, parity = _FORMATS[settings["format"]]
    return machine.UART(board.UART, baudrate=settings["baud"], bits=bits, parity=parity, stop=1,
                        rx=board.RX, tx=board.TX, rxbuf=RX_BUFFER, timeout=0, timeout_char=2,
                        invert=machine.UART.INV_RX if settings["invert"] else 0)


class Line:
    """Carries bytes from `uart` to `meter`. `stall_ms` is the longest time between two looks since it was last read."""

    def __init__(self, uart, meter):
        self._uart = uart
        self._meter = meter
        self._buf = bytearray(_CHUNK)
        self.bytes = 0
        self.looks = 0  # counts up while the task lives: the watchdog watches it
        self.stall_ms = 0

    async def run(self):
        buf, uart, meter = self._buf, self._uart, self._meter
        looked = heard = time.ticks_ms()
        while True:
            size = uart.readinto(buf)
            now = time.ticks_ms()
            self.looks = self.looks + 1 & 0xFFFF
            gap = time.ticks_diff(now, looked)
            if gap > self.stall_ms:
                self.stall_ms = gap
            looked = now
            if size:
                self.bytes += size
                heard = now
                meter.feed(buf, size)
                if size == _CHUNK:
                    await asyncio.sleep_ms(0)  # more is waiting; the others get their turn all the same
                    continue
            elif meter.pending and time.ticks_diff(now, heard) > _SILENCE_MS:
                meter.flush()
            await asyncio.sleep_ms(_LOOK_MS)
