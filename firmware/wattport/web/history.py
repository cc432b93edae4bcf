# SPDX-License-Identifier: MIT
"""GET /api/history?from=&to=&step= and /api/history.csv: the history, sent while it is read.

from, to: UTC seconds since 1970, or a date as 2026-03-29, when the household's day begins; a day up to now when they
are left out. step: "halfhour", "hour", "day" or "month". utc=1: a CSV with times in UTC.
"""

import asyncio
import gc
import time

from micropython import const

from wattport.modules import fetch, load
from wattport.web.refused import Refused

_DAY_S = 86400
_LAST_S = 4102444800  # 2100
_LOOK_MS = const(200)
_MOST_MS = const(300000)  # for one answer; 13 months of half-hours take a chip less than a minute
_STEPS = ("halfhour", "hour", "day", "month")
_CSV = ("Content-Type: text/csv; charset=utf-8\r\n"
        "Content-Disposition: attachment; filename=\"wattport-%s.csv\"\r\n")


class _Answer:
    """make: a function of `export`'s, and what it is given."""

    def __init__(self, half, make, *given):
        self._half = half
        self._make = make
        self._given = given

    async def send(self, client):
        """What only one may need at a time has the history for itself first."""
        half = self._half
        while half.busy:
            client.send()
            await asyncio.sleep_ms(_LOOK_MS)
        half.users += 1
        try:
            gc.collect()
            began = time.ticks_ms()
            for piece in load("wattport.history.export", self._make)(*self._given):
                if piece is not None:
                    await client.awrite(piece)
                    continue
                await asyncio.sleep(0)
                if time.ticks_diff(time.ticks_ms(), began) < _MOST_MS:
                    client.send()  # it is we who are slow
        finally:
            half.users -= 1
            if not half.users:
                load("wattport.history.place", "let_go")()


async def get(web, request):
    app, args = web.app, request.args
    if not app.half:
        raise Refused(404, "not_found", "There is nothing at this address.")  # in the portal, or no history is kept
    zone, now = app.wall.zone, app.wall.utc()
    step = args["step"] if "step" in args else "halfhour"
    if step not in _STEPS:
        raise Refused(400, "bad_request", "The step is one of " + ", ".join(_STEPS) + ".")
    moment = fetch("wattport.web.moment", "read")
    until = moment(zone, args["to"]) if "to" in args else now or _LAST_S
    since = moment(zone, args["from"]) if "from" in args else max(0, until - _DAY_S)
    if now is not None:
        until = min(until, now + _DAY_S)
    while app.half.busy:  # never both in the heap
        await asyncio.sleep_ms(_LOOK_MS)
    gc.collect()
    load("wattport.history.export", "csv")  # where there is no heap for it, say so
    if request.method == "HEAD":
        load("wattport.history.place", "let_go")()
    if request.path == "/api/history":
        return _Answer(app.half, "document", zone, step, since, until).send, 200, "Content-Type: application/json\r\n"
    utc = "utc" in args and args["utc"] == "1"
    return _Answer(app.half, "csv", zone, step, since, until, utc).send, 200, _CSV % step
