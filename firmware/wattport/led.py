# SPDX-License-Identifier: MIT
"""The status LED: what it blinks is what a person in front of the meter cupboard wants to know.

    a short flash for each telegram      all is well
    two flashes every two seconds        telegrams come, but no broker or no network
    slow, half on and half off           bytes come, but no telegram: wrong key, wrong line settings
    fast                                 nothing at all on the line
    three flashes every three seconds    the supply has to charge, or can't feed the set-up's Wi-Fi (supply.py)
"""

import asyncio

from micropython import const

_FLASH_MS = const(60)
# state → on and off times, one after the other
PATTERNS = {"offline": (60, 200, 60, 1680), "undecoded": (1000, 1000), "silent": (100, 150)}


class Led:
    """`pin` is a machine.Pin or None; `state()` gives "ok" or a key of PATTERNS; `flash()` marks a telegram."""

    def __init__(self, pin, state):
        self._pin = pin
        self._state = state
        self._telegram = False

    def flash(self):
        self._telegram = True

    async def run(self):
        if not self._pin:
            return
        while True:
            pattern = PATTERNS.get(self._state())
            if pattern:
                for place, time_ms in enumerate(pattern):
                    self._pin(place + 1 & 1)
                    await asyncio.sleep_ms(time_ms)
            else:
                self._pin(1 if self._telegram else 0)
                self._telegram = False
                await asyncio.sleep_ms(_FLASH_MS)
