# SPDX-License-Identifier: MIT
"""GET /api/networks: the Wi-Fi networks that can be received, for the person who chooses one. Loaded for a request."""


async def get(web, request):
    return {"networks": await web.app.wifi.scan()}
