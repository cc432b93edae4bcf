# SPDX-License-Identifier: MIT
"""The trials of the set-up, before anything is saved: POST /api/try/wifi, /mqtt and /key begin one, GET /api/try tells
how they go, and what comes from the meter. Loaded for a request.

What was tried and is good stands in app.tried: a phone that loses its page with the change of the Wi-Fi need not know
the password any more.
"""

import asyncio
from binascii import unhexlify

from wattport.modules import fetch, forget
from wattport.web.refused import Refused

_NO_KEYS = "what is read here has no key"
# of a key: reason and sentence, where the meter has no better one
_UNTESTED = "no telegram has come since"
_IN_THE_CLEAR = "the telegrams are fine and not encrypted: no key is needed"
_MISSING = "the meter encrypts, and no key is set"
_WRONG = "it decrypts to nothing known: the key is wrong"
_RIGHT = "the key is right"


def _merged(group, part):
    """A group of the settings with a part of it changed, checked; a secret that is null is the one that is kept."""
    from wattport import settings
    forget("wattport.settings")
    try:
        # without the others, which a chip's heap would have three times meanwhile
        return settings.merge({group: settings.current()[group]}, {group: part})[group]
    except settings.SettingsError as error:
        name, _, detail = str(error).partition(": ")
        raise Refused(422, "setting", detail, setting=name)


def _counts(app):
    counters = app.meter.counters
    errors = counters.errors
    return [counters.telegrams, counters.key_unused, errors.get("no_key", 0), errors.get("wrong_key", 0)]


def _key(app):
    """What the telegrams tell of the key since it is tried, or since the start."""
    tried = app.trials.get("key")
    if app.meter is app.line:
        return {"state": "idle", "reason": "unused", "detail": _NO_KEYS}
    since = tried[0] if tried else (0, 0, 0, 0)
    telegrams, unused, missing, wrong = [now - then for now, then in zip(_counts(app), since)]
    has_key = bool(app.settings["key"])
    state, reason, detail = "failed", "untested", _UNTESTED
    if has_key and telegrams > unused:
        state, reason, detail = "ok", "ok", _RIGHT
    elif telegrams:
        state, reason, detail = "ok", "unused", _IN_THE_CLEAR
    elif missing:
        reason, detail = "missing", _MISSING
    elif wrong:
        reason, detail = "wrong", _WRONG
    else:
        state = "trying"
    if tried and state == "ok":
        app.tried["key"] = tried[1]
    return {"state": state if tried else "idle", "reason": reason,
            "detail": reason != "untested" and app.meter.key_verdict or detail}


def _wifi(app):
    told = app.wifi.trial
    if told.get("state") == "ok" and "wifi" in app.trials:
        app.tried["wifi"] = app.trials["wifi"]
    return told or {"state": "idle", "reason": "", "detail": "", "ssid": "", "address": app.wifi.address()}


def _meter(web):
    report = web.report()
    newest = web.newest or {}
    power = None
    if "power_import_w" in newest or "power_export_w" in newest:
        power = newest.get("power_import_w", 0) - newest.get("power_export_w", 0)
    told = {name: report[name] for name in "family telegrams errors key line line_found bytes".split()}
    told["state"] = report["meter"]
    told["model"] = newest.get("meter_model", "")
    told["power_w"] = power
    told["maker"] = getattr(web.app.meter, "maker", "")
    return told


def get(web, request):
    app = web.app
    return {"wifi": _wifi(app), "mqtt": app.trials.get("mqtt") or {"state": "idle", "reason": "", "detail": ""},
            "key": _key(app), "meter": _meter(web)}


def _try_wifi(app, document):
    settings = _merged("wifi", {name: document.get(name) for name in ("ssid", "password")})
    ssid, password = settings["ssid"], settings["password"]
    if not ssid:
        raise Refused(422, "setting", "The name of the network is missing.", setting="wifi.ssid")
    if not app.wifi.start_trial(ssid, password):
        raise Refused(409, "busy", "Another test is running.")
    app.trials["wifi"] = {"ssid": ssid, "password": password}


def _try_mqtt(app, document):
    settings = _merged("mqtt", document)
    if not settings["host"]:
        raise Refused(422, "setting", "The name or address of the broker is missing.", setting="mqtt.host")
    if app.trials.get("mqtt", {}).get("state") == "trying":
        raise Refused(409, "busy", "Another test is running.")
    run = fetch("wattport.publish.trial", "run")  # first: when the heap is full, nothing has begun
    told = {"state": "trying", "reason": "", "detail": ""}
    for name in ("host", "port", "user", "tls"):
        told[name] = settings[name]
    # not the id of the connection that may be up: the broker would throw that one out
    name = (settings["client_id"] or "wattport-" + app.device_id) + "-test"
    asyncio.create_task(run(app, settings, name, told))
    app.trials["mqtt"] = told


def _try_key(app, document):
    settings = _merged("meter", {name: document.get(name) for name in ("key", "auth_key")})
    keys = {name: settings[name] for name in ("key", "auth_key")}
    if app.meter is not app.line:  # what is read knows keys; on with these, until the restart
        app.settings.update(keys)
        app.meter.use_key(unhexlify(keys["key"]) or None, unhexlify(keys["auth_key"]) or None)
    app.trials["key"] = _counts(app), keys


def post(web, request):
    which = {"wifi": _try_wifi, "mqtt": _try_mqtt, "key": _try_key}[request.path.rsplit("/", 1)[1]]
    which(web.app, request.document)
    return {}
