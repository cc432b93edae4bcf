# SPDX-License-Identifier: MIT
"""GET /api/peaks: the running window and the month's peaks as `tariff.projection.told` gives them, and "preset",
"month", 202510, and "months" before it, [{"month", "w"}], the oldest first."""

from wattport.modules import fetch
from wattport.web.refused import Refused


def get(web, request):
    window = web.app.window
    if not window:
        raise Refused(404, "off", "No capacity tariff is set.")
    told = fetch("wattport.tariff.projection", "told")(window, web.app.log.uptime_s())
    told["preset"] = window.preset
    told["month"] = window.state["month"] or None
    months = window.state["months"]
    told["months"] = [{"month": months[at], "w": months[at + 1]} for at in range(0, len(months), 2)]
    return told
