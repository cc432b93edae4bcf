# SPDX-License-Identifier: MIT
"""GET /api/settings: the whole document; a secret is null when it is set and "" when it is not. POST: a part of it,
merged; null leaves a setting as it was. What is right is saved, and a restart follows."""

import asyncio
import json

from wattport.modules import fetch, forget
from wattport.web.refused import Refused

_TYPE = "Content-Type: application/json\r\n"
# group → what stands for it in app.tried, and what must be the same for a tried secret to belong to it
_TRIED = "wifi wifi ssid|mqtt mqtt host|meter key "


def _pieces(document, secrets):
    """Group by group: the whole text would need as much again in one piece."""
    opening = "{"
    for group, values in document.items():
        for name in secrets:
            of, _, key = name.partition(".")
            if of == group and values[key]:
                values[key] = None
        yield (opening + json.dumps(group) + ": " + json.dumps(values)).encode()
        opening = ", "
    yield b"}"


def get(web, request):
    from wattport import settings
    forget("wattport.settings")
    return _pieces(settings.current(), settings.SECRETS.split()), 200, _TYPE


def _take_tried(app, whole, part):
    """Where the page says null for a secret, and the set-up has found one to be good that belongs to the rest, that one
    is meant: the page may have lost it with the change of the Wi-Fi."""
    for line in _TRIED.split("|"):
        group, name, same = line.split(" ")
        tried, given = app.tried.get(name), part.get(group)
        if not tried or not isinstance(given, dict):
            continue
        if same and tried.get(same) != given.get(same, whole[group][same]):
            continue
        for key in given:
            if given[key] is None and tried.get(key):
                given[key] = tried[key]


async def _saved(app, part):
    """Merge `part` into what is kept, and keep it; or give the password back that is to be hashed before."""
    from wattport import settings
    forget("wattport.settings")
    try:
        whole = settings.current()
        _take_tried(app, whole, part)
        await asyncio.sleep(0)  # each of the steps takes a chip some 30 ms
        whole = settings.merge(whole, part)
        await asyncio.sleep(0)
        password = whole["web"]["password"]
        if password and not password.startswith("pbkdf2:"):
            return password
        settings.keep(whole)
    except settings.SettingsError as error:
        name, _, detail = str(error).partition(": ")
        raise Refused(422, "setting", detail or name, setting=name if detail else "")
    except OSError:
        raise Refused(500, "failed", "The settings could not be written; the old ones stay.")


async def post(web, request):
    part = request.document
    password = await _saved(web.app, part)
    if password:
        part.setdefault("web", {})["password"] = await fetch("wattport.web.password", "hashed")(password)
        await _saved(web.app, part)
    web.app.restart()
    return {"restart_s": 2}
