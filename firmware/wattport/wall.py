# SPDX-License-Identifier: MIT
"""The wall clock of the dongle: UTC from network time, or from the meter's own clock. Pure: ticks and times go in.

`utc()` never goes back and never jumps by more than two minutes, but for a step, which is counted and logged:

- Network time is right: what it corrects forward is taken at once; what it corrects back is waited out.
- A meter's clock comes late with its telegram, by a part of a second or by some, and may be minutes off. Of a window of
  telegrams the least late counts, and moves the clock by two seconds at most, which a crystal's drift does not need.
- More than two minutes off needs a second answer that agrees. Before there was any time, everything is believed at
  once.
- Where there is network time, the meter's clock only tells how far off it is itself (`offset_s`). When network time
  stays away for a day, the meter's clock less that offset keeps the drift small: when the grid company sets the meter,
  that is a step of the offset, not of ours.

Here is what each telegram and each second need; the rest, `adjust`, is loaded for its moment.
"""

import time

from micropython import const

from wattport.modules import fetch

SINCE = const(1735689600)  # 2025: a clock that shows an earlier time has never been set
UNTIL = const(4102444800)  # 2100
STEP_S = const(120)
WINDOW_S = const(600)
_PATIENCE_S = const(300)  # after a power cut in the house the router takes minutes; until then no meter's time
_SET_SINCE = const(2026)  # a machine's clock that shows an earlier year has not been set
NONE = "none"
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

    For `adjust`: at the tick `at` the second `second` began, since 1970, or since the start while there is no time.
    `passed`: seconds since the start; `proven`, when network time answered last. `doubt_s`: a step that the network
    told of once; `odd_s`, one that the meter tells of since `odd_at`. `best_s`: the least late telegram of the window
    that began at `window`.
    """

    def __init__(self, zone, source, has_servers, log, ticks=time.ticks_ms):
        self.zone = zone
        self.state = NONE
        self.steps = self.second = self.passed = self.told = self.window = self.odd_s = 0
        self.offset_s = self.proven = self.doubt_s = self.odd_at = self.best_s = None
        self.source = source
        self.log = log
        self.ticks = ticks
        self.at = ticks()
        self.waits_s = _PATIENCE_S if has_servers and source == "auto" else 0

    def run(self):
        gone = time.ticks_diff(self.ticks(), self.at) // 1000
        if gone > 0:
            self.at = time.ticks_add(self.at, gone * 1000)
            self.second += gone
            self.passed += gone

    def utc(self):
        """Seconds since 1970, or None."""
        self.run()
        if self.state == NONE:
            return None
        self.told = max(self.told, self.second)
        return self.told

    def network(self, seconds, ms, state="ntp", sure=True):
        """It is so many seconds since 1970 and milliseconds now. False: not believed before a second answer agrees.
        sure: False for a clock that ran on through a restart, which the meter's may correct."""
        return fetch("wattport.adjust", "network")(self, seconds, ms, state, sure)

    def meter(self, seconds, checked):
        """What a telegram says; checked: a checksum protects it."""
        self.run()
        known = self.proven is not None  # the network's time, now or some days ago
        if not SINCE <= seconds < UNTIL or not known and (self.source == "ntp" or self.passed < self.waits_s):
            return
        ahead_s = seconds - self.second
        if self.best_s is not None and self.odd_at is None and self.passed - self.window < WINDOW_S and (
                abs(ahead_s - (self.offset_s if known else 0)) <= STEP_S):
            self.best_s = max(self.best_s, ahead_s)
        else:
            fetch("wattport.adjust", "meter")(self, seconds, checked, known)
