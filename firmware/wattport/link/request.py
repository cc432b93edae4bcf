# SPDX-License-Identifier: MIT
"""An optical head's meter that speaks when it is asked (IEC 62056-21, 6.3 to 6.4), at 7E1:

    reader, 300 baud   /?! CR LF
    meter              /XXXZ identification CR LF             Z: "0" to "6" mode C, "A" to "F" mode B, others mode A
    reader, mode C     ACK 0 Z 0 CR LF
    meter, new baud    STX  data lines  ! CR LF  ETX BCC      mode A stays at 300 baud

The same parts to the outside as an `uart.Line`, in its place.
"""

import asyncio
import time

import machine
from micropython import const

_LOOK_MS = const(20)
_CHUNK = const(256)
_SLOW = const(300)
_ANSWER_MS = const(4000)  # up to 1.5 s before an identification (6.6), and 21 characters of it
_SILENCE_MS = const(2500)  # longest pause of a meter while it has the word
_LONGEST_MS = const(150000)  # 4 KB at 300 baud
_REACTION_MS = const(300)  # 0.2 to 1.5 s, both ways
_MOST_LINES = const(4)
_REQUEST = b"/?!\r\n"
_RX_BUFFER = const(4096)


class Request:
    """Asks the meter on the UART of `board` every `request_s` of `settings`, the group `meter`, and feeds `meter`.

    stall_ms is the longest time between two looks since it was last read, `answered` whether the last request was.
    """

    def __init__(self, board, settings, meter, log):
        self._meter = meter
        self._log = log
        self._every_ms = settings["request_s"] * 1000
        self._options = {"bits": 7, "parity": 0, "stop": 1, "timeout": 0, "timeout_char": 2,
                         "invert": machine.UART.INV_RX if settings["invert"] else 0}
        self._uart = machine.UART(board.UART, baudrate=_SLOW, rx=board.RX, tx=board.TX, rxbuf=_RX_BUFFER,
                                  **self._options)
        self._buf = bytearray(_CHUNK)
        self._looked = None
        self.text = "300 7E1, asked each %d s" % settings["request_s"]
        self.found = True
        self.answered = False
        self.bytes = 0
        self.looks = 0  # counts up while the task lives: the watchdog watches it
        self.stall_ms = 0

    async def _look(self):
        """Bytes that have come since the last look, in the buffer."""
        size = self._uart.readinto(self._buf) or 0
        self.bytes += size
        self.looks = self.looks + 1 & 0xFFFF
        now = time.ticks_ms()
        if self._looked is not None:
            self.stall_ms = max(self.stall_ms, time.ticks_diff(now, self._looked))
        self._looked = now
        await asyncio.sleep_ms(0 if size == _CHUNK else _LOOK_MS)
        return size

    async def _pause(self, ms):
        """Wait; what comes meanwhile is an echo or noise, and thrown away."""
        until = time.ticks_add(time.ticks_ms(), ms)
        while time.ticks_diff(until, time.ticks_ms()) > 0:
            await self._look()

    async def _say(self, data):
        """Send at 300 baud. `init` would wait for its end, and stall everybody."""
        self._uart.write(data)
        await self._pause(len(data) * 10 * 1000 // _SLOW + _LOOK_MS)

    async def _identification(self):
        """The meter's first line; b"" when none comes in time. Heads echo, and some noise is in front of it."""
        until = time.ticks_add(time.ticks_ms(), _ANSWER_MS)
        line = bytearray()
        lines = 0
        while time.ticks_diff(until, time.ticks_ms()) > 0 and lines < _MOST_LINES:
            size = await self._look()
            for i in range(size):
                byte = self._buf[i] & 0x7F
                if byte == 47:
                    line = bytearray()
                if len(line) < _CHUNK // 4:
                    line.append(byte)
                if byte == 10:
                    if len(line) > 6 and line[0] == 47 and line[1] != 63:
                        return bytes(line)
                    lines += 1
                    line = bytearray()
        return b""

    async def _data(self):
        """Feed the meter until it has a frame or a frame's error, or nothing more comes."""
        meter = self._meter
        counters = meter.counters
        before = counters.frames + sum(counters.errors.values())
        began = heard = time.ticks_ms()
        while counters.frames + sum(counters.errors.values()) == before:
            size = await self._look()
            now = time.ticks_ms()
            if size:
                heard = now
                meter.feed(self._buf, size)
            elif time.ticks_diff(now, heard) > _SILENCE_MS or time.ticks_diff(now, began) > _LONGEST_MS:
                break
        meter.flush()
        return counters.frames + sum(counters.errors.values()) != before

    async def _ask(self):
        """One request and its answer; False when there is none."""
        await self._say(_REQUEST)
        line = await self._identification()
        if not line:
            return False
        letter = line[4]
        baud = _SLOW
        if 48 <= letter <= 54:
            baud = _SLOW << letter - 48
        elif 65 <= letter <= 69:
            baud = 2 * _SLOW << letter - 65
        self._meter.feed(line, len(line))
        if 48 <= letter <= 57:
            await self._pause(_REACTION_MS)
            await self._say(b"\x060%c0\r\n" % (letter if baud != _SLOW else 48))
        if baud != _SLOW:
            self._uart.init(baudrate=baud, **self._options)
        return await self._data()

    async def run(self):
        while True:
            began = time.ticks_ms()
            try:
                self.answered = await self._ask()
            finally:
                self._meter.flush()
                self._uart.init(baudrate=_SLOW, **self._options)
            if not self.answered:
                self._log.limited("request", "warning", "the meter does not answer a request at 300 baud")
            await self._pause(max(1000, self._every_ms - time.ticks_diff(time.ticks_ms(), began)))
