# SPDX-License-Identifier: MIT
"""POST /api/restart."""


def post(web, request):
    web.app.restart()
    return {"restart_s": 2}
