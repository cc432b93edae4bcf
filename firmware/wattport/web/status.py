# SPDX-License-Identifier: MIT
"""GET /api/status: what anybody may know, and what who asks may do."""

from wattport.modules import fetch
from wattport.version import VERSION


def get(web, request):
    app, settings = web.app, web.settings
    setup = fetch("wattport.web.gate", "open_setup")(app, request.address)
    return {
        "device": settings["device"], "name": settings.get("name") or settings["hostname"], "version": VERSION,
        "portal": app.portal, "setup": setup, "password": bool(settings.get("password")),
        "login": request.owner, "private": bool(settings.get("private")), "wifi": settings["wifi"],
    }
