# SPDX-License-Identifier: MIT
"""GET /api/alerts: {"active": [...], "last": [...]}, the newest first, each as `alert.change.told` gives it."""

from wattport.modules import fetch
from wattport.web.refused import Refused


def get(web, request):
    alerts = web.app.alerts
    if not alerts:
        raise Refused(404, "off", "Alerts are switched off.")
    told, describe = fetch("wattport.alert.change", "told"), fetch("wattport.alert.texts", "describe")
    return {"active": [told(name, since, None, value, describe) for name, (since, value, _) in alerts.active.items()],
            "last": [told(name, since, until or 0, value, describe) for name, since, until, value in alerts.last[::-1]]}
