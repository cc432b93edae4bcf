# SPDX-License-Identifier: MIT
"""The wire between a simulated meter and `machine.UART`, when WATTPORT_LINE says how the meter sends."""

import time

import wire


class Line:
    """What lies between a meter and the UART: bits that take their time, and a receiver that may be set wrong."""

    def __init__(self, source, text):
        self._source = source
        self._baud, self._format, self._inverted = wire.parse(text)
        self._wave = wire.Wave()
        self._looked = time.ticks_us()
        self._now = 0
        self._few = bytearray(32)
        self._arrived = bytearray()
        self._receiver = None

    def _pass(self):
        now = time.ticks_us()
        self._now += time.ticks_diff(now, self._looked)
        self._looked = now
        # no more than is due soon: the waiting rest lies in the socket, not in the heap
        while self._wave.end < self._now + 20000:
            size = self._source.readinto(self._few)
            if not size:
                break
            self._wave.add(self._few[:size], self._now, self._baud, self._format)

    def level(self):
        self._pass()
        return self._wave.at(self._now) ^ self._inverted

    def set(self, baud, form, inverted):
        self._pass()
        self._receiver = wire.Receiver(self._wave, baud, form, inverted != self._inverted, self._now)

    def readinto(self, buf):
        self._pass()
        for _, byte in self._receiver.receive(self._now):
            self._arrived.append(byte)
        self._wave.forget(self._receiver.place())
        size = min(len(buf), len(self._arrived))
        buf[:size] = self._arrived[:size]
        self._arrived = self._arrived[size:]
        return size or None
