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

    def passed(self, time):
        """How many edges there are until a time."""
        edges = self.edges
        low, high = 0, len(edges)
        while low < high:
            middle = (low + high) // 2
            if edges[middle] <= time:
                low = middle + 1
            else:
                high = middle
        return low

    def at(self, time):
        """The level at a time."""
        return 1 - (self.passed(time) & 1)

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
        if wave.at(time) == wrong:
            self._start = time

    def place(self):
        """Whatever lies before this time is not looked at any more."""
        return self._time if self._start is None else self._start - 1

    def receive(self, until):
        """[(time, byte)] that arrive before `until`; the wave must be known up to there."""
        arrived = []
        wave, edges = self._wave, self._wave.edges
        known = len(edges)
        unit, baud, wrong = Wave.unit, self._baud, self._wrong
        total = 1 + self._size + self._parity + 1
        mask = (1 << self._size) - 1
        passed = None  # edges until `start`: a character's samples only go forward from there
        while True:
            start = self._start
            if start is None:
                if passed is None:
                    passed = wave.passed(self._time)
                if passed & 1 != wrong:  # an edge of even number falls
                    passed += 1
                if passed >= known or edges[passed] >= until:
                    self._time = max(self._time, until - 1)
                    return arrived
                self._start = start = edges[passed]
            elif passed is None:
                passed = wave.passed(start)
            stop = start + (2 * total - 1) * unit // (2 * baud)
            if stop >= until:
                return arrived
            while passed < known and edges[passed] <= start:
                passed += 1
            self._start = None
            word = 0
            at = passed
            for i in range(total):
                time = start + (2 * i + 1) * unit // (2 * baud)
                while at < known and edges[at] <= time:
                    at += 1
                if at & 1 == wrong:
                    if i == 0:  # a glitch
                        break
                    word |= 1 << i
            else:
                arrived.append((stop, word >> 1 & mask))
                self._time = stop
                passed = at
                if self._level and word and not word >> total - 1:
                    self._start = stop - unit // (2 * baud)
                continue
            self._time = start
