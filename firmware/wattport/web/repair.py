# SPDX-License-Identifier: MIT
"""POST /api/history {"csv": "start,note,…", "last": true}: lines of a history's CSV in half-hours, the names in the
first, which then count instead of what was recorded. A longer file comes in pieces, each with the names; the last one
says so."""

import asyncio

from wattport.civil import day
from wattport.modules import load
from wattport.web.refused import Refused


async def post(web, request):
    app = web.app
    half, text = app.half, request.document.get("csv")
    if not half:
        raise Refused(404, "not_found", "There is nothing at this address.")
    if not isinstance(text, str):
        raise Refused(400, "bad_request", "The lines of a CSV are needed.")
    while half.busy:
        await asyncio.sleep_ms(200)
    half.users += 1
    try:
        zone, before = app.wall.zone, half.kept and half.kept[3]
        for told in load("wattport.history.repair", "take")(text.split("\n"), before):
            found = told
            await asyncio.sleep(0)
        first, last, count = found
        if count:
            if request.document.get("last") is not True:
                # the day that is not whole yet comes with the next lines
                last = day(zone, last * 1800)[0] // 1800 - 1
            for _ in load("wattport.history.repair", "add_up")(zone, first, last, before):
                await asyncio.sleep(0)
    except ValueError as error:
        raise Refused(400, "bad_request", str(error))
    except OSError as error:
        raise Refused(500, "failed", "The history could not be written: %s." % error)
    finally:
        half.users -= 1
        if not half.users:
            load("wattport.history.place", "let_go")()
    return {"rows": count}
