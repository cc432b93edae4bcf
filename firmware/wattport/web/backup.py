# SPDX-License-Identifier: MIT
"""POST /api/backup {"passphrase": ""}: what is set, as a document that /api/restore takes:

{"wattport": 1, "version": "…", "made": UTC seconds or null, "settings": {…}, "secrets": null or {"kdf":
"pbkdf2-sha256", "iterations", "salt", "nonce", "data", "tag"},
"contracts": {"current": name or null, "documents": {name: …}}}

Settings without the secrets, and only what differs from the defaults. With a passphrase the secrets, too: a JSON
document of the same shape, AES-128-GCM under the key that PBKDF2-HMAC-SHA-256 makes of the passphrase (UTF-8); bytes as
hexadecimal digits. Nobody can read it without the passphrase, the dongle neither.
"""

import json
import os
from binascii import hexlify

from micropython import const

from wattport.modules import fetch, forget
from wattport.version import VERSION
from wattport.web.refused import Refused

_ITERATIONS = const(20000)  # some seconds of the chip: a file that lies around can be tried at leisure
_LEAST = const(8)
_TYPE = "Content-Type: application/json\r\n"


def _split():
    """(settings without secrets, the secrets), both only what differs from the defaults."""
    from wattport import settings
    forget("wattport.settings")
    document = settings.different(settings.current())
    secrets = {}
    for name in settings.SECRETS.split():
        group, _, key = name.partition(".")
        if key in document.get(group, {}):
            secrets.setdefault(group, {})[key] = document[group].pop(key)
            if not document[group]:
                del document[group]
    return document, secrets


async def _sealed(secrets, passphrase):
    salt, nonce = os.urandom(16), os.urandom(12)
    key = await fetch("wattport.crypto.pbkdf2", "derive")(passphrase.encode(), salt, _ITERATIONS, 16)
    data = bytearray(json.dumps(secrets).encode())
    from wattport.crypto import seal
    forget("wattport.crypto.seal")
    await seal.crypt(key, nonce, data)
    parts = salt, nonce, data, await seal.tag(key, nonce, data)
    made = dict(zip("salt nonce data tag".split(), [hexlify(part).decode() for part in parts]))
    made["kdf"], made["iterations"] = "pbkdf2-sha256", _ITERATIONS
    return made


def _pieces(texts):
    while texts:
        yield texts.pop(0)
    from wattport.tariff import stage
    stage.let_go()
    for piece in stage.written():
        yield piece
    yield "}"


async def post(web, request):
    passphrase = request.document.get("passphrase") or ""
    if not isinstance(passphrase, str) or 0 < len(passphrase) < _LEAST:
        raise Refused(422, "setting", "The passphrase needs at least 8 characters.", setting="passphrase")
    document, secrets = _split()
    sealed = await _sealed(secrets, passphrase) if passphrase else None
    head = {"wattport": 1, "version": VERSION, "made": web.app.wall.utc()}
    # piece by piece: a certificate makes it long
    return _pieces([json.dumps(head)[:-1], ', "settings": ', json.dumps(document), ', "secrets": ', json.dumps(sealed),
                    ', "contracts": ']), 200, _TYPE
