# SPDX-License-Identifier: MIT
"""Finds the settings of an unknown line by what it hears. A pure state machine: bytes, levels and passed time go in.

It listens at 115200 8N1 first, the fastest line there is. There a slower sender shows by itself: each run of low bits
is longer than a character and arrives as one byte 0x00 (a break), and how many of them come in a second tells the
sender's baud, for a character has 1.2 to 4 falling edges whatever it carries:

    9600 baud 1150 to 3840     2400 baud 260 to 960     300 baud 32 to 120

1200 baud are between the last two: France's TIC alone, text with 250 to 350.
Then the formats are tried at that baud, the usual one first. 7E1 is no guess: received as 8N1 it is text with even
parity in the top bit. The proof is always a whole frame; `look` is told how many there have been.

A setting is given up for a burst of bytes that was heard from its start and held no frame. Silence gives up nothing.
Inversion shows on the pin: a line at rest is high, unless it is inverted. TIC never rests: of a line without a pause
both are tried.
"""

from micropython import const

_FASTEST = const(115200)
_PAUSE_MS = const(200)  # ends a burst: six characters of 300 baud
_TELLING = const(24)  # bytes: the shortest list of a meter has 41
_BREAKS = const(48)  # of the same list, sent slower
_ENDLESS = const(4096)  # bytes without a pause: longer than any telegram
_LASTING_MS = const(6000)  # so is this, two telegrams of TIC with three phases; twice of it at 2400 baud
_TIC_RATE = const(420)
_UNPAUSED_MS = const(1500)  # another meter's telegram with so few edges is shorter
_LOOK_MS = const(10)  # between two looks, mostly
_STALL_MS = const(30)
_WINDOW_MS = const(250)  # for counting a rate, long beside that
_PATIENCE_MS = const(6000)  # a noise is no burst of the meter's: two are needed before that
_SCRAPS_MS = const(12000)  # longer than the interval between two telegrams
_REST_LOOKS = const(25)  # a quarter of a second at one level: no character lasts that long
_TEXT = const(32)  # characters of text in a row are no chance
_CONTROLS = b"\r\n\t\x02\x03"
_MOST_MS = const(1 << 20)


class Detector:
    """`baud`, `format`, `invert` are what to listen with now; `found` turns True with the first whole frame.

    `first`: (baud, format, invert) to be tried before all else. `frames`: the counter as it stands.
    """

    def __init__(self, first, frames):
        self._frames = frames
        self._rounds = 0
        self._wrong = 0  # looks in a row at a line that rests at the wrong level
        self._pauses = False
        self.found = False
        self.invert = first[2]
        self._go(first[0], first[1], [])

    def look(self, buf, size, frames, level, gap_ms):
        """One look at the line: buf[:size] has come, `frames` have been whole so far, the pin is at `level` (None: no
        pin), the last look was gap_ms ago. True: the settings are others now."""
        if frames != self._frames:
            self._frames = frames
            self.found = True
        if self.found:
            return False
        self._dwell_ms = min(self._dwell_ms + gap_ms, _MOST_MS)
        self._quiet_ms = min(self._quiet_ms + gap_ms, _MOST_MS)
        if size:
            self._wrong = 0
            return self._hear(buf, size, gap_ms)
        if self._quiet_ms >= _PAUSE_MS:
            self._pauses = True
            self._lasted_ms = 0
            if self._end_burst():
                return True
        if level is None or bool(level) != self.invert:
            self._wrong = 0
            return False
        self._wrong += 1
        if self._wrong < _REST_LOOKS:
            return False
        self._pauses = True
        self.invert = not self.invert
        heard = self._rounds and self.baud != _FASTEST  # a sender of this baud
        self._rounds = 0
        self._next(self._formats(self.baud) if heard else [])
        return True

    def _formats(self, baud):
        """What to try when a sender of this baud has been heard. When that has failed twice it may be another one."""
        if baud == 1200:
            return [(baud, "7E1")]
        self._rounds += 1
        if self._rounds % 3 == 0:
            baud = 2400 if baud != 2400 else 9600 if self._rounds & 1 else 300
        # HAN ports send 8E1 at 2400 baud; elsewhere 8N1 is usual, or shows that it is 7E1
        return [(baud, form) for form in (("8E1", "8N1", "7E1") if baud == 2400 else ("8N1", "8E1", "7E1"))]

    def _go(self, baud, form, plan):
        """Listen with these settings; `plan` holds those that come after them."""
        self.baud, self.format, self._plan = baud, form, plan
        self._dwell_ms = self._failed = self._scraps = self._wrong = 0
        self._is_text = False
        self._even = self._tops = self._plain = 0  # lengths of runs: even parity, top bits in there, plain text
        self._whole = False  # the burst was heard from its start
        self._quiet_ms = self._lasted_ms = 0
        self._start_burst()

    def _start_burst(self):
        self._stalled = False
        self._size = self._zeros = self._peak = self._counted = self._counted_ms = 0

    def _hear(self, buf, size, gap_ms):
        if gap_ms > _STALL_MS:  # nobody knows when they came
            self._stalled = True
            self._counted = self._counted_ms = 0
        elif self._size:  # the same is true of a burst's first ones
            self._counted += size
            self._counted_ms += self._quiet_ms
            if self._counted_ms >= _WINDOW_MS:
                self._peak = max(self._peak, self._counted * 1000 // self._counted_ms)
                self._counted = self._counted_ms = 0
        if self._size:
            self._lasted_ms += self._quiet_ms
        self._quiet_ms = 0
        self._size += size
        self._zeros += buf.count(b"\x00", 0, size)
        self._read(buf, size)
        if self._even >= _TEXT and self._tops >= 4 and self.format == "8N1":
            self._go(self.baud, "7E1", self._plan)
            return True
        if self._peak and self._is_slower():
            return True
        if self._lasted_ms >= (2 * _LASTING_MS if self.baud == 2400 else _LASTING_MS) and self.baud != 300:
            return self._give_up()
        return self._size >= _ENDLESS and self._end_burst()

    def _read(self, buf, size):
        """Is it text, with or without parity in the top bit?"""
        for i in range(size):
            byte = buf[i]
            low = byte & 0x7F
            if not 32 <= low < 127 and low not in _CONTROLS:
                self._even = self._tops = self._plain = 0
                continue
            if 0x6996 >> ((byte ^ byte >> 4) & 15) & 1:
                self._even = self._tops = 0
            else:
                self._even += 1
                self._tops += byte >> 7
            self._plain = 0 if byte > 127 else self._plain + 1
            if self._plain >= _TEXT:
                self._is_text = True

    def _is_slower(self):
        """Go to the sender's baud if this is a slower one than what is listened for."""
        if self.baud != _FASTEST or self.format != "8N1" or self._size < _BREAKS or self._zeros * 10 < self._size * 9:
            return False
        rate = self._peak
        if not rate:  # a short burst
            if self._counted_ms < 2 * _LOOK_MS and self._stalled and self._scraps < 2:
                return False  # the next one will tell
            rate = self._counted * 1000 // self._counted_ms if self._counted_ms >= 2 * _LOOK_MS else 9600
        is_tic = 180 < rate <= _TIC_RATE
        if is_tic and not self._pauses and self._lasted_ms < _UNPAUSED_MS:
            return False
        plan = self._formats(9600 if rate > 1050 else 2400 if rate > 180 else 300)
        if is_tic:
            plan.insert(len(plan) if self._pauses else 0, (1200, "7E1"))
        self._next(plan)
        return True

    def _next(self, plan):
        if plan:
            baud, form = plan.pop(0)
        else:
            baud, form = _FASTEST, "8N1"
            if not self._pauses:
                self.invert = not self.invert
            self._pauses = False
        self._go(baud, form, plan)

    def _end_burst(self):
        """A pause, or as many bytes as no telegram has; True when the settings are given up for what came before."""
        size = self._size
        if size and self._is_slower():
            return True
        listened, self._whole = self._whole, True
        fastest = self.baud == _FASTEST and self.format == "8N1"
        breaks = size >= 8 and self._zeros * 10 >= size * 9
        self._start_burst()
        if not size:
            return False
        if size < _TELLING or breaks and fastest:  # a faster sender leaves no more than this
            self._scraps += 1
            if fastest:
                # an AMIS meter sends five bytes a minute until somebody answers
                if breaks and self._scraps >= 3:
                    self._next(self._formats(9600))
                    return True
                return False
            if self._scraps < 2 or self._dwell_ms < _SCRAPS_MS:
                return False
        elif not listened:
            return False
        else:
            self._failed += 1
            if self._failed < (3 if self._is_text else 1 if self._dwell_ms >= _PATIENCE_MS else 2):
                return False
        return self._give_up()

    def _give_up(self):
        plan = self._plan
        if self.baud == 1200 and not self._pauses:  # nobody but TIC: once more, inverted
            self._pauses = True
            self.invert = not self.invert
            plan[:0] = self._formats(1200)
        if self.baud == _FASTEST and self.format == "8N1":
            plan = [(_FASTEST, "8E1"), (_FASTEST, "7E1")]
        self._next(plan)
        return True
