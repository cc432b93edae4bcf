# SPDX-License-Identifier: MIT
"""POST /api/restore {"backup": {…}, "passphrase": ""}: settings and contracts become those of a backup, all of them or
none.

Secrets of the backup need its passphrase; without one in it, those of the dongle stay. What the backup leaves out gets
its default, but for the contracts: one of before there were any leaves them alone. Everything that is wrong is named
before anything is changed.

Contracts can be too long for one request. {"contract": name, "document": {…}, "first": true or false} sends one before,
and null stands for it in the backup's "contracts" then.
"""

import asyncio
from binascii import unhexlify

from micropython import const

from wattport.modules import fetch, forget
from wattport.web.refused import Refused

_MOST = const(200000)  # iterations: whoever asks for more only wants to keep the dongle busy


def _newer():
    return Refused(422, "setting", "The backup is of a newer Wattport: update this one first.", setting="backup")


def _damaged():
    return Refused(422, "setting", "The backup is damaged: its secrets cannot be read.", setting="backup")


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
        raise _damaged()
    if not passphrase:
        raise Refused(422, "setting", "This backup holds secrets: its passphrase is needed.", setting="passphrase")
    key = await fetch("wattport.crypto.pbkdf2", "derive")(passphrase.encode(), salt, iterations, 16)
    data = bytearray(data)
    from wattport.crypto import seal
    forget("wattport.crypto.seal")
    differ = 0
    for one, other in zip(tag, await seal.tag(key, nonce, data)):
        differ |= one ^ other
    if differ:
        raise Refused(422, "setting", "The passphrase is wrong, or the backup is damaged.", setting="passphrase")
    await seal.crypt(key, nonce, data)
    try:
        return fetch("wattport.web.document", "parse")(data)
    except ValueError:
        raise _damaged()


def _put(into, part):
    """Put the groups of one document into another."""
    for group, values in part.items():
        if group not in into or not isinstance(values, dict):
            into[group] = values
        elif isinstance(into[group], dict):  # if not, it is refused by its name
            into[group].update(values)


def _staged(work):
    """work(stage), with what it refuses in words."""
    from wattport.tariff import stage
    try:
        work(stage)
    except stage.TariffError as error:
        place, colon, detail = str(error).partition(": ")
        if place.endswith(".tariff"):  # the form of contracts
            raise _newer()
        raise Refused(422, "setting", detail or place, setting="contracts." + place if colon else "contracts")
    except OSError:
        raise Refused(500, "failed", "The contracts could not be written; the old ones stay.")
    finally:
        stage.let_go()


async def _keep(document, secrets, contracts):
    """Check all of it, then save. secrets: those of the backup; None: the dongle's own stay. contracts: likewise."""
    from wattport import settings
    forget("wattport.settings")
    _put(document, secrets or {})
    told = []
    document = settings.adopt(document, told)
    if told:
        raise _newer()
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
    if contracts is not None:
        _staged(lambda stage: stage.ready(contracts))
    try:
        settings.keep(whole)
    except OSError:
        raise Refused(500, "failed", "The settings could not be written; the old ones stay.")
    if contracts is not None:
        _staged(lambda stage: stage.adopt(contracts))
        _staged(lambda stage: stage.clear())


def _contract(document):
    """One that is sent before the rest."""
    def work(stage):
        if document.get("first") is True:
            stage.clear()
        stage.put(document["contract"], document.get("document"))
    _staged(work)
    return {"contract": document["contract"]}


async def post(web, request):
    if "contract" in request.document:
        return _contract(request.document)
    backup, passphrase = request.document.get("backup"), request.document.get("passphrase") or ""
    if not isinstance(backup, dict) or "wattport" not in backup or not isinstance(backup.get("settings"), dict):
        raise Refused(422, "setting", "This is no backup of a Wattport.", setting="backup")
    if backup["wattport"] != 1:
        raise _newer()
    if not isinstance(passphrase, str):
        raise Refused(422, "setting", "The passphrase is a text.", setting="passphrase")
    secrets = None
    if backup.get("secrets") is not None:
        secrets = await _opened(backup["secrets"], passphrase)
    await _keep(backup["settings"], secrets, backup.get("contracts"))
    web.app.restart()
    return {"restart_s": 2}
