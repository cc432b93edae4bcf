# SPDX-License-Identifier: MIT
"""POST /api/logout: ends the session that asks."""

from wattport.modules import fetch


def post(web, request):
    one = fetch("wattport.web.gate", "session")(web, request)
    if one:
        web.sessions.remove(one)
    return {}, 200, "Set-Cookie: wattport=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict\r\n"
