# SPDX-License-Identifier: MIT
"""Half-hours on their way to the broker: each one once, the oldest first, those of an outage afterwards. Loaded while
there are some.

The publisher takes `out` of a HalfHour, sends it with QoS 1 and empties it when the broker has it. What comes next is
kept in a small file, which is written once in a half-hour at most: who restarts in the middle of a long outage's
half-hours sends some of them again.
"""

import asyncio
import json

from wattport.history import past
from wattport.history.place import HALF_HOUR_S, let_go
from wattport.history.rows import ESTIMATED
from wattport.modules import fetch

_PATH = "history/sent.txt"
_LOOK_MS = 100
_PAUSE_MS = 1000  # between two


def _load(half):
    """The number of the half-hour that is to be sent next: without a file it begins with the next one that ends."""
    end = half.kept[3]
    try:
        with open(_PATH) as file:
            half.owed = min(int(file.read(16)), end)
    except (OSError, ValueError):
        half.owed = end
        _save(half)


def _save(half):
    if half.owed is not None and half.saved != half.number:
        half.saved = half.number
        try:
            fetch("wattport.files", "replace")(_PATH, str(half.owed), False)
        except OSError:  # a full file system; then a restart sends some again
            pass


def _text(start, flags, values):
    """{"start": UTC, "minutes": 30, "estimated": …, and the values}"""
    values["start"] = start
    values["minutes"] = 30
    values["estimated"] = bool(flags & ESTIMATED)
    return json.dumps(values).encode()


async def run(half, publisher):
    """Until all are sent, the connection has ended, or another half-hour is over."""
    try:
        if half.owed is None:
            _load(half)
        end = half.kept[3]
        half.owed = min(half.owed, end)  # the clock was set back
        for row in past.rows(half.owed * HALF_HOUR_S, end * HALF_HOUR_S, True):
            if row is None:
                await asyncio.sleep(0)
                continue
            half.out = _text(*row)
            publisher.look()
            while half.out:
                if not publisher.status["connected"]:
                    return
                await asyncio.sleep_ms(_LOOK_MS)
            half.owed = row[0] // HALF_HOUR_S + 1
            if half.marks:
                return
            if half.owed < end:
                await asyncio.sleep_ms(_PAUSE_MS)
        half.owed = end
    finally:
        half.out = None
        _save(half)
        let_go()
