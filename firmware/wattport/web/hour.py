# SPDX-License-Identifier: MIT
"""GET /api/hour: the last hour of net power and today's energy, in pieces: as one text it would be 3 KB of heap.

{"step_s": 10, "end": UTC at the end of the last step or null, "power_w": [...], and before it "today" as
`midnight.get` gives it and "tariff" as in the settings, or null}
"""

import json
import time

from wattport.modules import fetch
from wattport.web.refused import Refused

_VALUES = 16  # in a piece


def _pieces(app, tariff):
    utc = app.wall.utc()
    now = time.ticks_ms()
    app.hour.look(now)
    end = utc - app.hour.age_ms(now) // 1000 if utc is not None else None
    yield ('{"step_s": 10, "end": %s, "today": %s, "tariff": %s, "power_w": [' % (
        json.dumps(end), json.dumps(fetch("wattport.midnight", "get")(app.today, utc)), json.dumps(tariff))).encode()
    piece = []
    comma = ""
    for mean in app.hour.means():
        piece.append("null" if mean is None else str(mean))
        if len(piece) == _VALUES:
            yield (comma + ",".join(piece)).encode()
            piece = []
            comma = ","
    yield ((comma if piece else "") + ",".join(piece) + "]}").encode()


def get(web, request):
    if not web.app.hour:
        raise Refused(404, "not_found", "There is nothing at this address.")  # in the portal
    return _pieces(web.app, web.settings["tariff"]), 200, "Content-Type: application/json\r\n"
