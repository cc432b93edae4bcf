# SPDX-License-Identifier: MIT
"""The wall clock of the dongle: UTC from network time, or from the meter's own clock. Pure: ticks and times go in.

`utc()` never goes back and never jumps by more than _STEP_S, but for a step, which is counted and logged:

- Network time is right: what it corrects forward is taken at once; what it corrects back is waited out.
- A meter's clock comes late with its telegram, by a part of a second or by some, and may be minutes off. Of a window of
  telegrams the least late counts, and moves the clock by no more than _SLEW_S, which a crystal's drift does not need.
- More than _STEP_S off needs a second answer that agrees. Before there was any time, everything is believed at once.
- Where there is network time, the meter's clock only tells how far off it is itself (`offset_s`). When network time
  stays away for a day, the meter's clock less that offset keeps the drift small: when the grid company sets the meter,
  that is a step of the offset, not of ours.
"""

import time

from micropython import const

_SINCE = const(1735689600)  # 2025: a clock that shows an earlier time has never been set
_UNTIL = const(4102444800)  # 2100
_STEP_S = const(120)
_AGREE_S = const(5)
_PROOF_S = const(60)  # a meter's step has to last so long: a clock that stands still agrees with itself for a moment
_WINDOW_S = const(600)
_SLEW_S = const(2)
_PATIENCE_S = const(300)  # after a power cut in the house the router takes minutes; until then no meter's time
_FRESH_S = const(86400)  # a day by the ticks alone is some 2 s off, a bad crystal's 9
_SET_SINCE = const(2026)  # a machine's clock that shows an earlier year has not been set
_NONE, _METER, _NTP = "none meter ntp".split()
EPOCH = 946684800 if time.gmtime(0)[0] == 2000 else 0  # where a machine's clock begins: the chip's in 2000


def own_time():
    """What this machine's clock shows, UTC seconds since 1970; None while it is not set. A restart does not stop it."""
    return None if time.gmtime()[0] < _SET_SINCE else int(time.time()) + EPOCH


class Wall:
    """zone: of the household. source: "auto", network time where it answers and the meter's otherwise; "ntp"; "meter".
    has_servers: network time can be had.

    `state` tells where the time is from: "none", "system" (this machine's clock, which a restart does not stop),
    "meter" or "ntp". `offset_s`: the meter's clock less the network's, None while one is not known. `steps`: counted.
    To be asked every few days at least, when the ticks come round.
    """

    def __init__(self, zone, source, has_servers, log, ticks=time.ticks_ms):
        self.zone = zone
        self.state = _NONE
        self.steps = 0
        self.offset_s = None
        self._source = source
        self._log = log
        self._ticks = ticks
        self._at = ticks()  # when the second `_second` began
        self._second = 0  # since 1970, or since the start while there is no time
        self._passed = 0  # seconds since the start
        self._told = 0
        self._waits_s = _PATIENCE_S if has_servers and source == "auto" else 0
        self._proven = None  # passed seconds when network time answered last
        self._doubt_s = None  # a step that the network told of once
        self._odd_s = self._odd_at = None  # one that the meter tells of, and since when
        self._best_s = None  # the least late telegram of the window that began at _window
        self._window = 0

    def _run(self):
        gone = time.ticks_diff(self._ticks(), self._at) // 1000
        if gone > 0:
            self._at = time.ticks_add(self._at, gone * 1000)
            self._second += gone
            self._passed += gone

    def utc(self):
        """Seconds since 1970, or None."""
        self._run()
        if self.state == _NONE:
            return None
        self._told = max(self._told, self._second)
        return self._told

    # ---- network time

    def network(self, seconds, ms, state=_NTP, sure=True):
        """It is so many seconds since 1970 and milliseconds now. False: not believed before a second answer agrees.
        sure: False for a clock that ran on through a restart, which the meter's may correct."""
        if self._source == _METER or not _SINCE <= seconds < _UNTIL:
            return True
        self._run()
        error_s = seconds - self._second
        if self.state != _NONE and abs(error_s) > _STEP_S:
            if self._doubt_s is None or abs(error_s - self._doubt_s) > _AGREE_S:
                self._doubt_s = error_s
                return False
            self._step(error_s)
            if self.offset_s is not None:
                self.offset_s -= error_s
        self._begin(state, seconds)
        self._at = time.ticks_add(self._ticks(), -ms)
        if sure:
            self._proven = self._passed
        return True

    def _step(self, error_s):
        self.steps += 1
        self._told = 0
        self._log("warning", "the clock was %d s %s: set" % (abs(error_s), "slow" if error_s > 0 else "fast"))

    def _begin(self, state, second):
        if state != self.state:
            self.state = state
            self._log("info", "time is from: " + state)
        self._second = second
        self._doubt_s = self._odd_at = self._best_s = None

    # ---- the meter's time

    def meter(self, seconds, checked):
        """What a telegram says; checked: a checksum protects it."""
        if not _SINCE <= seconds < _UNTIL:
            return
        self._run()
        known = self._proven is not None  # the network's time, now or some days ago
        ahead_s = seconds - self._second
        mine = self._source != _NTP and self._passed >= self._waits_s  # otherwise it is only compared
        if self.state == _NONE:
            if mine and (checked or self._agrees(ahead_s)):
                self._begin(_METER, seconds)
            return
        usual_s = self.offset_s if known else 0
        if usual_s is None:
            self.offset_s = self._best_s = ahead_s
            self._window = self._passed
            return
        if abs(ahead_s - usual_s) > _STEP_S:
            if not self._agrees(ahead_s) or self._passed - self._odd_at < _PROOF_S:
                return
            if known:
                self.offset_s = ahead_s
            elif mine:
                self._step(ahead_s)
                self._begin(_METER, seconds)
            self._odd_at = self._best_s = None
            return
        self._odd_at = None
        if self._best_s is None:
            self._best_s = ahead_s
            self._window = self._passed
        self._best_s = max(self._best_s, ahead_s)
        if self._passed - self._window >= _WINDOW_S:
            self._judge(known, mine)

    def _agrees(self, ahead_s):
        """Whether a telegram says the same step as the one before."""
        if self._odd_at is not None and abs(ahead_s - self._odd_s) <= _AGREE_S:
            return True
        self._odd_s, self._odd_at = ahead_s, self._passed
        return False

    def _judge(self, known, mine):
        """The end of a window."""
        best_s, self._best_s = self._best_s, None
        if known and self._passed - self._proven < _FRESH_S:
            self.offset_s = best_s
        elif mine:
            if known:
                best_s -= self.offset_s
            self._begin(_METER, self._second + max(-_SLEW_S, min(_SLEW_S, best_s)))
