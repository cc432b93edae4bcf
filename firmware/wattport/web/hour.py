# SPDX-License-Identifier: MIT
"""GET /api/hour and /api/day: the last hour of net power or the last 24, and today's energy, in pieces: as one text it
would be 3 KB of heap, or 10.

{"step_s": 10 or 60, "end": UTC at the end of the last step or null, "power_w": [...], and before it "today" as
`midnight.get` gives it, "tariff" as in the settings, or null, and "day": whether there is /api/day}
"""

import json
import time

from wattport.modules import fetch
from wattport.web.refused import Refused

_VALUES = 16  # in a piece


def _pieces(app, means, tariff):
    utc = app.wall.utc()
    now = time.ticks_ms()
    means.look(now)
    end = utc - means.age_ms(now) // 1000 if utc is not None else None
    yield ('{"step_s": %d, "end": %s, "today": %s, "tariff": %s, "day": %s, "power_w": [' % (
        means.step_s, json.dumps(end), json.dumps(fetch("wattport.midnight", "get")(app.today, utc)),
        json.dumps(tariff), json.dumps(app.day is not None))).encode()
    piece = []
    comma = ""
    for mean in means.means():
        piece.append("null" if mean is None else str(mean))
        if len(piece) == _VALUES:
            yield (comma + ",".join(piece)).encode()
            piece = []
            comma = ","
    yield ((comma if piece else "") + ",".join(piece) + "]}").encode()


def get(web, request):
    means = web.app.hour if request.path == "/api/hour" else web.app.day
    if not means:
        raise Refused(404, "not_found", "There is nothing at this address.")  # in the portal, or without a history
    return _pieces(web.app, means, web.settings["tariff"]), 200, "Content-Type: application/json\r\n"
