# SPDX-License-Identifier: MIT
"""The button: held for 5 s, it asks for the set-up's own Wi-Fi, which the next start opens. A short press does nothing.

The wish is kept at the end of the chip's RTC memory, behind what the pulse counter may have there: it lives through a
restart and not through a power cut.
"""

import asyncio

import board
import machine
from micropython import const

_LOOK_MS = const(100)
_LOOKS = const(50)
_WISH = b"portal"


def asked():
    """Whether the button asked for the portal before this start; told once."""
    rtc = machine.RTC()
    kept = rtc.memory()
    if not kept.endswith(_WISH):
        return False
    rtc.memory(kept[:-len(_WISH)])
    return True


async def run(led, log):
    """For ever. led: the LED's pin or None; it is lit while the button is down, and dark again when that was long
    enough. The restart waits for the finger: a chip that starts with this pin low may wait for a new program."""
    pin = machine.Pin(board.BUTTON, machine.Pin.IN, machine.Pin.PULL_UP)
    down = 0
    while True:
        if not pin():
            down += 1
            if led:
                led(1 if down < _LOOKS else 0)
        elif down >= _LOOKS:
            log("info", "the button asks for the set-up")
            rtc = machine.RTC()
            rtc.memory(rtc.memory() + _WISH)
            machine.reset()
        else:
            down = 0
        await asyncio.sleep_ms(_LOOK_MS)
