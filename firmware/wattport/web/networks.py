# SPDX-License-Identifier: MIT
"""GET /api/networks: the Wi-Fi networks that can be received, for the person who chooses one. Loaded for a request."""


def get(web, request):
    return {"networks": web.app.wifi.scan()}
