# SPDX-License-Identifier: MIT
"""POST /api/restore {"backup": {…}, "passphrase": ""}: the settings become those of a backup, all of them or none.

Secrets of the backup need its passphrase; without one in it, those of the dongle stay. What the backup leaves out gets
its default. Everything that is wrong is named before anything is changed.
"""

import asyncio
from binascii import unhexlify

from micropython import const

from wattport.modules import fetch, forget
from wattport.web.refused import Refused

_MOST = const(200000)  # iterations: whoever asks for more only wants to keep the dongle busy
_NEWER = "The backup is of a newer Wattport: update this one first."
_DAMAGED = "The backup is damaged: its secrets cannot be read."


def _refused(detail, setting=""):
    return Refused(422, "setting", detail, setting=setting)


async def _opened(sealed, passphrase):
    """The secrets, as they were."""
    try:
        salt, nonce, data, tag = [unhexlify(sealed[name]) for name in "salt nonce data tag".split()]
        iterations = sealed["iterations"]
        fine = (sealed["kdf"] == "pbkdf2-sha256" and isinstance(iterations, int) and 0 < iterations <= _MOST
                and len(nonce) == 12 and len(tag) == 16)
    except (KeyError, TypeError, ValueError):
        fine = False
    if not fine:
        raise _refused(_DAMAGED, "backup")
    if not passphrase:
        raise _refused("This backup holds secrets: its passphrase is needed.", "passphrase")
    key = await fetch("wattport.crypto.pbkdf2", "derive")(passphrase.encode(), salt, iterations, 16)
    data = bytearray(data)
    from wattport.crypto import seal
    forget("wattport.crypto.seal")
    differ = 0
    for one, other in zip(tag, await seal.tag(key, nonce, data)):
        differ |= one ^ other
    if differ:
        raise _refused("The passphrase is wrong, or the backup is damaged.", "passphrase")
    await seal.crypt(key, nonce, data)
    try:
        return fetch("wattport.web.document", "parse")(data)
    except ValueError:
        raise _refused(_DAMAGED, "backup")


def _put(into, part):
    """Put the groups of one document into another."""
    for group, values in part.items():
        if group not in into or not isinstance(values, dict):
            into[group] = values
        elif isinstance(into[group], dict):  # if not, it is refused by its name
            into[group].update(values)


async def _keep(document, secrets):
    """Check all of it, then save. secrets: those of the backup; None: the dongle's own stay."""
    from wattport import settings
    forget("wattport.settings")
    _put(document, secrets or {})
    told = []
    document = settings.adopt(document, told)
    if told:
        raise _refused(_NEWER, "backup")
    if secrets is None:
        own = settings.current()
        secrets = {}
        for name in settings.SECRETS.split():
            group, _, key = name.partition(".")
            if own[group][key]:
                secrets.setdefault(group, {})[key] = own[group][key]
        del own
        _put(document, secrets)
    await asyncio.sleep(0)
    wrong = []
    whole = settings.check(document, wrong)
    if wrong:
        name, _, detail = wrong[0].partition(": ")
        raise Refused(422, "setting", detail or name, setting=name if detail else "",
                      wrong=wrong)
    await asyncio.sleep(0)
    try:
        settings.keep(whole)
    except OSError:
        raise Refused(500, "failed", "The settings could not be written; the old ones stay.")


async def post(web, request):
    backup, passphrase = request.document.get("backup"), request.document.get("passphrase") or ""
    if not isinstance(backup, dict) or "wattport" not in backup or not isinstance(backup.get("settings"), dict):
        raise _refused("This is no backup of a Wattport.", "backup")
    if backup["wattport"] != 1:
        raise _refused(_NEWER, "backup")
    if not isinstance(passphrase, str):
        raise _refused("The passphrase is a text.", "passphrase")
    secrets = None
    if backup.get("secrets") is not None:
        secrets = await _opened(backup["secrets"], passphrase)
    await _keep(backup["settings"], secrets)
    web.app.restart()
    return {"restart_s": 2}
