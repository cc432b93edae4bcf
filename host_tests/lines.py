# SPDX-License-Identifier: MIT
"""A meter at one end of a simulated line, the dongle's line detection at the other, in simulated time."""

import random

from tools import meters
from tools.cpython import install
from tools.sim.wire import Receiver, Wave, bits_of

install()

from wattport.link.detect import Detector  # noqa: E402
from wattport.meter import Meter  # noqa: E402

SECOND = Wave.unit
LOOK = SECOND // 100
GUESS = 115200, "8N1", True


def usual_line(family):
    """A family's own line as (baud, format)."""
    line = meters.FAMILIES[family].line
    return line.baud, "%d%s%d" % (line.bits, line.parity, line.stop)


class Sender:
    """Telegrams of one family from a random place inside of the first on, each `period_s` seconds or as often as the
    line lets it; with `noise` also what a bad cable adds in the pauses. `endless`: without any."""

    def __init__(self, telegrams, baud, form, period_s, seed=1, noise=False, endless=False):
        self.chance = random.Random("%s %s %s" % (seed, baud, form))
        self.telegrams = telegrams
        self.baud, self.form = baud, form
        self.noise = noise
        self.endless = endless
        size = max(map(len, telegrams))
        self.lasts = size * len(bits_of(0, form)) * SECOND // baud
        self.period = max(period_s * SECOND, self.lasts + SECOND)
        self.count = 0

    def start(self, wave, now):
        data = self.telegrams[0]
        wave.add(data[self.chance.randrange(len(data)):], now, self.baud, self.form)
        if self.endless:
            self.due = wave.end + self._breath()
        else:
            self.due = wave.end + self.chance.randrange(self.period - self.lasts)

    def _breath(self):
        """From a frame of France's TIC to the next (Enedis-NOI-CPT_54E): 16.7 to 33.4 ms."""
        return SECOND * self.chance.randint(17, 33) // 1000

    def run(self, wave, until):
        """Let the wave be known up to a time."""
        while self.due < until + SECOND:
            if self.noise and self.chance.random() < 0.3:
                spare = max(1, self.due - wave.end)
                at = wave.end + self.chance.randrange(spare)
                wave.add(self.chance.randbytes(self.chance.randint(1, 30)), at, self.baud, self.form)
                wave.pulse(wave.end + self.chance.randrange(SECOND // 100), self.chance.randint(1, 50))
            self.count += 1
            data = self.telegrams[self.count % len(self.telegrams)]
            wave.add(data, self.due, self.baud, self.form)
            if self.endless:
                self.due = wave.end + self._breath()
            else:
                self.due = max(self.due + self.period, wave.end + SECOND // 20)


class Noise:
    """Random levels and nothing else."""

    def __init__(self, seed=1):
        self.chance = random.Random(seed)

    def start(self, wave, now):
        self.due = now

    def run(self, wave, until):
        while self.due < until + SECOND:
            if self.chance.random() < 0.5:
                baud = self.chance.choice((300, 2400, 9600, 115200))
                wave.add(self.chance.randbytes(self.chance.randint(1, baud // 20)), self.due, baud, "8N1")
            else:
                wave.pulse(self.due, self.chance.randint(1, SECOND // 10))
            self.due = wave.end + self.chance.randrange(SECOND // 2)


class Silence:
    def start(self, wave, now):
        pass

    def run(self, wave, until):
        pass


class Bench:
    """`sender` at one end of a line that is `inverted` or not; `run` until something holds."""

    def __init__(self, sender, inverted, first=GUESS, resync="edge", pin=True, key=None, seed=1, stalls=True):
        self.chance = random.Random(seed)
        self.wave = Wave()
        self.now = 0
        self.resync, self.pin, self.stalls = resync, pin, stalls
        self.readings = []
        self.settings = []
        self.errors = {}
        self.meter = Meter(lambda reading, family: self.readings.append(family), self._error, key)
        self.plug(sender, inverted)
        self.detector = Detector(first, 0)
        self._open()

    def _error(self, error, frame):
        self.errors[error.kind] = self.errors.get(error.kind, 0) + 1

    def plug(self, sender, inverted):
        self.sender, self.inverted = sender, inverted
        self.wave = Wave()
        self.wave.end = self.now
        sender.start(self.wave, self.now)
        sender.run(self.wave, self.now)
        if hasattr(self, "detector"):
            self._open()

    def _open(self):
        detector = self.detector
        self.settings.append((round(self.now / SECOND, 2), detector.baud, detector.format, detector.invert))
        self.receiver = Receiver(self.wave, detector.baud, detector.format, detector.invert != self.inverted,
                                 self.now, self.resync)
        self.meter.flush()

    @property
    def line(self):
        return self.detector.baud, self.detector.format, self.detector.invert

    def run(self, seconds, until=lambda bench: bench.detector.found):
        """Seconds until then; None when it does not come true within so many."""
        began, looked, silent = self.now, self.now, 0
        while self.now - began < seconds * SECOND:
            gap = LOOK if not self.stalls or self.chance.random() > 0.02 else LOOK * self.chance.randint(2, 8)
            self.now += gap
            self.sender.run(self.wave, self.now)
            data = bytearray(byte for _, byte in self.receiver.receive(self.now))
            silent = 0 if data else silent + gap
            level = self.wave.at(self.now) ^ self.inverted if self.pin else None
            reopened = False
            for at in range(0, max(1, len(data)), 512):
                chunk = data[at:at + 512]
                self.meter.feed(chunk, len(chunk))
                passed = (self.now - looked) * 1000 // SECOND
                looked += passed * SECOND // 1000
                if self.detector.look(chunk, len(chunk), self.meter.counters.frames, level, passed):
                    reopened = True
                    break
            if reopened:
                self._open()
            elif silent > SECOND // 2 and self.meter.pending:
                self.meter.flush()
            if until(self):
                return (self.now - began) / SECOND
            self.wave.forget(min(self.now - SECOND // 50, self.receiver.place()))
        return None
