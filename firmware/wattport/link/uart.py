# SPDX-License-Identifier: MIT
"""The meter's line: a UART of the chip, read into one buffer for ever.

The reader looks at the UART every few milliseconds instead of waiting for it: `readinto` never blocks, nothing is
allocated, and a look costs less than a task switch. At 115200 baud a look every 10 ms finds 115 bytes; the driver's
buffer holds 350 ms.

With a baud of 0 in the settings the line is found out by `detect`, which is imported for as long as that takes.
"""

import asyncio
import time

import machine
from micropython import const

from wattport.modules import forget

RX_BUFFER = const(4096)
_CHUNK = const(512)
_LOOK_MS = const(10)
_SILENCE_MS = const(500)  # no meter pauses that long inside of a telegram
_PAUSE_MS = const(100)
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
        self._meter = meter
        self._log = log
        self._kept = kept
        self._renew = renew
        self._buf = bytearray(_CHUNK)
        self.bytes = 0
        self.looks = 0  # counts up while the task lives: the watchdog watches it
        self.stall_ms = 0
        self._detector = self._pin = None
        self._unread_s = self._quiet_s = 0
        self._frames = self._seen = 0
        self._unkept = None  # telegrams before the line was found, frames when it was
        self._fine = True  # the UART interrupts for many bytes, not for each
        request = getattr(board, "REQUEST", None)
        if request is not None:  # a P1 meter sends while its data request is active (P1 companion standard 5.0.2, 5.4)
            self._request = machine.Pin(request, machine.Pin.OUT, value=getattr(board, "REQUEST_ACTIVE", 1))
        self._automatic = not settings["baud"]
        if not self._automatic:
            self.found = True
            self._set(settings["baud"], settings["format"], settings["invert"])
        else:
            if board.RX is not None:  # before the UART takes it: this resets the pin, a look at it later does not
                self._pin = machine.Pin(board.RX, machine.Pin.IN)
            self._search(kept[:3] if kept else (115200, "8N1", True))
        self._uart = machine.UART(board.UART, rx=board.RX, tx=board.TX, rxbuf=RX_BUFFER, **self._options())

    @property
    def text(self):
        return "%d %s%s" % (self.baud, self.format, " inverted" if self.invert else "")

    def _options(self):
        bits, parity = _BITS[self.format]
        # timeout_char 0: each byte comes at once, as the count of bytes a second needs it; else with fewer interrupts
        return {"baudrate": self.baud, "bits": bits, "parity": parity, "stop": 1, "timeout": 0,
                "timeout_char": 2 if self.found else 0, "invert": machine.UART.INV_RX if self.invert else 0}

    def _set(self, baud, form, invert):
        self.baud, self.format, self.invert = baud, form, invert

    def _search(self, first):
        from wattport.link.detect import Detector
        self._frames = self._meter.counters.frames
        self._telegrams = self._meter.counters.telegrams
        self._detector = Detector(first, self._frames)
        self._set(*first)
        self.found = False

    def _open(self):
        """Set the UART anew; its buffers stay, and what is in them has been heard with other settings."""
        self._uart.init(**self._options())
        for _ in range(RX_BUFFER // _CHUNK):
            if not self._uart.readinto(self._buf):
                break
        self._meter.flush()

    def _detect(self, size, gap_ms):
        """Another look of the detector's."""
        detector, meter = self._detector, self._meter
        if not detector.look(self._buf, size, meter.counters.frames, self._pin and self._pin.value(), gap_ms):
            if detector.found:
                self._detector = None
                forget("wattport.link.detect")
                self.found = True
                self._unkept = self._telegrams, meter.counters.frames
                self._fine = False
                self._unread_s = 0
                self._log("info", "the meter's line is %s, %s" % (self.text, meter.protocol))
            return
        if self._kept and (detector.baud, detector.format) != self._kept[:2]:
            self._other()
        self._set(detector.baud, detector.format, detector.invert)
        self._open()

    def _other(self):
        """What was kept does not hold; any protocol may be on the line now."""
        if self._kept:
            self._log("info", "the meter's line is no longer %s, looking for another" % self.text)
            self._kept = None
            if self._renew:
                self._meter = self._renew()

    def _keep(self):
        """Remember the line at the second frame or at a telegram: one frame that nobody can read may be noise."""
        counters = self._meter.counters
        if counters.telegrams == self._unkept[0] and counters.frames == self._unkept[1]:
            return
        self._unkept = None
        line = self.baud, self.format, self.invert, self._meter.protocol
        if line == self._kept:
            return
        self._kept = line
        from wattport.link import kept
        try:
            kept.keep(*line)
        except OSError as error:
            self._log("error", "the line can't be kept: %s" % error)
        del kept
        forget("wattport.link.kept")

    def _watch(self):
        """Once a second, for a line that was found: does it still give frames? Silence is no sign of another one."""
        frames = self._meter.counters.frames
        if self._unkept:
            self._keep()
        self._quiet_s = self._quiet_s + 1 if self.bytes == self._seen else 0
        self._seen = self.bytes
        if frames != self._frames or self._quiet_s >= _LOST_S:
            self._frames = frames
            self._unread_s = self._quiet_s = 0
        elif self._quiet_s < _LOST_S // 2:
            self._unread_s += 1
            if self._unread_s >= _LOST_S:
                self._other()
                self._search((115200, "8N1", self.invert))
                self._open()

    async def run(self):
        buf, uart = self._buf, self._uart
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
                self._meter.feed(buf, size)
                if self._meter.answer:
                    uart.write(self._meter.answer)
                    self._meter.answer = b""
            elif self._meter.pending and time.ticks_diff(now, heard) > _SILENCE_MS:
                self._meter.flush()
            elif not self._fine and time.ticks_diff(now, heard) > _PAUSE_MS:
                self._fine = True
                self._uart.init(**self._options())
            if self._detector:
                self._detect(size or 0, gap)
            elif self._automatic and time.ticks_diff(now, watched) >= _SECOND_MS:
                watched = now
                self._watch()
            await asyncio.sleep_ms(0 if size == _CHUNK else _LOOK_MS)  # 0: more is waiting; others get their turn
