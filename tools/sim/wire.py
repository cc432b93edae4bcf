# SPDX-License-Identifier: MIT
"""A line as hardware sees it: a sender's bytes as levels in time, and a receiver with settings of its own that samples
them. The same source on CPython and MicroPython.

What the receiver is taken to do, from the manuals of the ESP32's UART and of 16550 and PL011 and what drivers of USB
adapters are known to do:

- A falling edge starts a character. The start bit is looked at again in its middle: a shorter pulse was a glitch.
- Each bit is sampled once, in its middle, counted from that edge; after the middle of the stop bit it waits again.
- A parity error and a framing error (stop bit low) are counted by hardware; the byte is delivered all the same.
- All bits low, the stop bit too, is a break: one byte 0x00, and nothing more until the line has been high.
- After a framing error hardware differs: either the next falling edge is waited for, or the low stop bit is taken for
  the next start bit ("level", as a 16550 does). Both are here; what works must work with both.
- A byte arrives with the middle of its stop bit.
"""

FORMATS = {"8N1": (8, False), "8E1": (8, True), "7E1": (7, True)}


def parse(text):
    """"2400 8E1 inverted" as (baud, format, inverted)."""
    baud, form, *rest = text.split()
    if form not in FORMATS or rest not in ([], ["inverted"]):
        raise ValueError("a line is BAUD FORMAT [inverted], not %r" % text)
    return int(baud), form, bool(rest)


def bits_of(byte, form):
    """A character on the wire, start bit first."""
    size, parity = FORMATS[form]
    bits = [0]
    ones = 0
    for i in range(size):
        bits.append(byte >> i & 1)
        ones += byte >> i & 1
    if parity:
        bits.append(ones & 1)
    bits.append(1)
    return bits


class Wave:
    """Levels in time: `add` bytes and glitches, read by `at` and by a Receiver. Times are whole numbers, `unit` a
    second, and only ever grow. Level 1 is the line's rest, before any inversion."""

    unit = 1000000

    def __init__(self):
        self.edges = []  # times at which the level changes; before the first it is 1, after the second 1 again
        self.end = 0  # the sender is busy until then

    def add(self, data, time, baud, form):
        """Send from `time` on, or as soon as the sender is free; the time when the last stop bit ends."""
        edges = self.edges
        start = max(time, self.end)
        level = 1
        count = 0
        for byte in data:
            for bit in bits_of(byte, form):
                if bit != level:
                    edges.append(start + count * self.unit // baud)
                    level = bit
                count += 1
        self.end = start + count * self.unit // baud
        return self.end

    def pulse(self, time, length):
        """A glitch: low for so long."""
        start = max(time, self.end)
        self.edges.extend((start, start + length))
        self.end = start + length

    def at(self, time):
        """The level at a time."""
        low, high = 0, len(self.edges)
        while low < high:
            middle = (low + high) // 2
            if self.edges[middle] <= time:
                low = middle + 1
            else:
                high = middle
        return 1 - (low & 1)

    def forget(self, time):
        """Let go of what lies before a time."""
        keep = 0
        while keep + 1 < len(self.edges) and self.edges[keep + 1] < time:
            keep += 2
        del self.edges[:keep]


class Receiver:
    """Samples a wave. `polarity`: True where the receiver's inversion is not that of the line: it sees 0 for 1."""

    def __init__(self, wave, baud, form, wrong=False, time=0, resync="edge"):
        self._wave = wave
        self._size, self._parity = FORMATS[form]
        self._baud = baud
        self._wrong = wrong
        self._level = resync == "level"
        self._time = time  # everything before has been received
        self._start = None  # time of a start bit's edge that still lacks its end
        # a receiver that is switched on while the line is low takes that for a start bit
        if not self._at(time):
            self._start = time

    def place(self):
        """Whatever lies before this time is not looked at any more."""
        return self._time if self._start is None else self._start - 1

    def _at(self, time):
        return self._wave.at(time) ^ self._wrong

    def _falls(self, time, until):
        """The first falling edge in (time, until), or None."""
        edges = self._wave.edges
        low, high = 0, len(edges)
        while low < high:
            middle = (low + high) // 2
            if edges[middle] <= time:
                low = middle + 1
            else:
                high = middle
        if low & 1 != self._wrong:  # an edge of even number falls
            low += 1
        return edges[low] if low < len(edges) and edges[low] < until else None

    def receive(self, until):
        """[(time, byte)] that arrive before `until`; the wave must be known up to there."""
        arrived = []
        unit, baud = Wave.unit, self._baud
        total = 1 + self._size + self._parity + 1
        while True:
            start = self._start
            if start is None:
                start = self._falls(self._time, until)
                if start is None:
                    self._time = max(self._time, until - 1)
                    return arrived
                self._start = start
            stop = start + (2 * total - 1) * unit // (2 * baud)
            if stop >= until:
                return arrived
            self._start = None
            if self._at(start + unit // (2 * baud)):  # a glitch
                self._time = start
                continue
            value = 0
            for i in range(self._size):
                if self._at(start + (2 * i + 3) * unit // (2 * baud)):
                    value |= 1 << i
            parity = self._parity and self._at(start + (2 * self._size + 3) * unit // (2 * baud))
            arrived.append((stop, value))
            self._time = stop
            if not self._at(stop) and (value or parity) and self._level:
                self._start = stop - unit // (2 * baud)
