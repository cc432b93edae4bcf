# SPDX-License-Identifier: MIT
"""The meter's line: a UART of the chip, read into one buffer for ever.

The reader looks at the UART every few milliseconds instead of waiting for it: `readinto` never blocks, nothing is
allocated, and a look costs less than a task switch. At 115200 baud a look every 10 ms finds 115 bytes; the driver's
buffer holds 350 ms.

With a baud of 0 in the settings the line is found out by `search`, which is imported for as long as that takes.
"""

import asyncio
import time

import machine
from micropython import const

from wattport.modules import forget

RX_BUFFER = const(4096)
_CHUNK = const(512)
_LOOK_MS = const(10)
_SILENCE_MS = const(500)  # no meter pauses that long inside of a frame
_PARTS_MS = const(4000)  # nor that long between the frames of a telegram: an E450 waits 3 s before its last block
_SECOND_MS = const(1000)
# a meter that sends once a minute has lost two telegrams then; the one that was swapped has been away for longer
_LOST_S = const(120)
_BITS = {"8N1": (8, None), "8E1": (8, 0), "7E1": (7, 0)}


class Line:
    """Carries bytes from the UART on the pins of `board` to `meter`. `settings`: the group `meter`.

    kept: (baud, format, invert, protocol) as found at an earlier start, or None.
    renew(): a meter that knows every protocol, for a line that is another one than was kept.
    stall_ms is the longest time between two looks since it was last read.
    """

    def __init__(self, board, settings, meter, log, kept=None, renew=None):
        self.meter = meter
        self.log = log
        self.kept = kept
        self.renew = renew
        self.buf = bytearray(_CHUNK)
        self.bytes = 0
        self.looks = 0  # counts up while the task lives: the watchdog watches it
        self.stall_ms = 0
        self.pin = self._search = None
        self._unread_s = self._quiet_s = self._frames = self._seen = 0
        self._automatic = not settings["baud"]
        self.found = True
        self.set(settings["baud"], settings["format"], settings["invert"])
        request = getattr(board, "REQUEST", None)
        if request is not None:  # a P1 meter sends while its data request is active (P1 companion standard 5.0.2, 5.4)
            machine.Pin(request, machine.Pin.OUT, value=getattr(board, "REQUEST_ACTIVE", 1))
        if self._automatic:
            if board.RX is not None:  # before the UART takes it: this resets the pin, a look at it later does not
                self.pin = machine.Pin(board.RX, machine.Pin.IN)
            self._begin(False)
        self._uart = machine.UART(board.UART, rx=board.RX, tx=board.TX, rxbuf=RX_BUFFER, **self._options())

    @property
    def text(self):
        return "%d %s%s" % (self.baud, self.format, " inverted" if self.invert else "")

    def _options(self):
        bits, parity = _BITS[self.format]
        # timeout_char 2: an interrupt for 120 bytes or for a pause of two; one for each byte, with a meter that sends
        # while the chip starts, keeps the emulated ESP32 in there until its interrupt watchdog bites
        return {"baudrate": self.baud, "bits": bits, "parity": parity, "stop": 1, "timeout": 0,
                "timeout_char": 2, "invert": machine.UART.INV_RX if self.invert else 0}

    def set(self, baud, form, invert):
        self.baud, self.format, self.invert = baud, form, invert

    def open(self):
        """Set the UART anew; its buffers stay, and what is in them has been heard with other settings."""
        self._uart.init(**self._options())
        for _ in range(RX_BUFFER // _CHUNK):
            if not self._uart.readinto(self.buf):
                break
        self.meter.flush()

    def _begin(self, lost):
        from wattport.link.search import Search
        self._search = Search(self, lost)

    def _watch(self):
        """Once a second, for a line that was found: does it still give frames? Silence is no sign of another one."""
        frames = self.meter.counters.frames
        self._quiet_s = self._quiet_s + 1 if self.bytes == self._seen else 0
        self._seen = self.bytes
        if frames != self._frames or self._quiet_s >= _LOST_S:
            self._frames = frames
            self._unread_s = self._quiet_s = 0
        elif self._quiet_s < _LOST_S // 2:
            self._unread_s += 1
            if self._unread_s >= _LOST_S:
                self._unread_s = 0
                self._begin(True)
                self.open()

    async def run(self):
        buf, uart = self.buf, self._uart
        looked = heard = watched = time.ticks_ms()
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
                self.meter.feed(buf, size)
                if self.meter.answer:
                    uart.write(self.meter.answer)
                    self.meter.answer = b""
            elif self.meter.pending and time.ticks_diff(now, heard) > _SILENCE_MS:
                self.meter.flush(False, time.ticks_diff(now, heard) < _PARTS_MS)
            if self._search and self._search.look(size or 0, gap):
                self._search = None
                forget("wattport.link.search")
                forget("wattport.link.detect")
                self.meter.settle()
            if self._automatic and self.found and time.ticks_diff(now, watched) >= _SECOND_MS:
                watched = now
                self._watch()
            await asyncio.sleep_ms(0 if size == _CHUNK else _LOOK_MS)  # 0: more is waiting; others get their turn
