# SPDX-License-Identifier: MIT
"""POST /api/login: the password for a session. One at a time, and after five wrong ones only now and then: a wait that
doubles, for everybody alike, as addresses cost a neighbour nothing. Who has a session or a token does not notice.
"""

import hashlib
import os
from binascii import hexlify

from micropython import const

from wattport.modules import fetch
from wattport.web.refused import Refused

_SESSIONS = const(4)  # the one that was not used for longest makes room
_FREE = const(5)  # wrong passwords without a wait
_WAIT_S = const(15)
_LONGEST_S = const(900)
_COOKIE = "Set-Cookie: wattport=%s; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict\r\n"


def _wait(wait_s):
    return Refused(429, "wait", "There were too many wrong passwords: wait before the next try.", wait_s=wait_s)


async def post(web, request):
    kept = web.settings.get("password")
    if not kept:
        raise Refused(403, "no_password", "No password is set yet. Press the dongle's button for 5 seconds, join its "
                      "Wi-Fi, and set one.")
    password = request.document.get("password")
    if not isinstance(password, str) or len(password) > 128:
        raise Refused(400, "bad_request", "A password is needed.")
    uptime_s = web.app.log.uptime_s
    wrong, until_s = web.tries
    left_s = until_s - uptime_s()
    if left_s > 0:
        raise _wait(left_s)
    # counted before it is looked at: nobody tries two at once, and who breaks off has tried as well
    wrong += 1
    web.tries = wrong, uptime_s() + (min(_WAIT_S << min(wrong - _FREE, 6), _LONGEST_S) if wrong >= _FREE else 5)
    if not await fetch("wattport.web.password", "matches")(password, kept):
        if wrong < _FREE:
            web.tries = wrong, 0
        web.app.log.limited("login", "warning", "web: a wrong password, from %s" % request.address)
        raise Refused(401, "wrong_password", "This is not the password.")
    web.tries = 0, 0
    name = hexlify(os.urandom(16)).decode()
    del web.sessions[:-_SESSIONS + 1]
    web.sessions.append([hashlib.sha256(name.encode()).digest(), uptime_s()])
    return {}, 200, _COOKIE % name
