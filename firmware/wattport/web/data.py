# SPDX-License-Identifier: MIT
"""GET /api/reading, the newest reading, and GET /api/health."""

from wattport.web.refused import Refused


def get(web, request):
    if request.path == "/api/health":
        return web.report()
    if not web.newest:
        raise Refused(404, "no_reading", "There is no reading yet.")
    return web.newest
