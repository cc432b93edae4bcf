# SPDX-License-Identifier: MIT
"""POST /api/token: a new bearer token, shown this once; kept is its hash. The old one is void. {"remove": true}: no
new one."""

import hashlib
import os
from binascii import hexlify

from wattport.modules import forget


def post(web, request):
    from wattport import settings
    forget("wattport.settings")
    answer, kept = {}, ""
    if request.document.get("remove") is not True:
        token = hexlify(os.urandom(16)).decode()
        kept = hexlify(hashlib.sha256(token.encode()).digest()).decode()
        answer["token"] = token
    document = settings.current()
    document["web"]["token"] = kept
    settings.keep(document)
    web.settings["token"] = kept
    return answer
