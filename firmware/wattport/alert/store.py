# SPDX-License-Identifier: MIT
"""What a restart must not forget: what is active, what was, and what the meter told. Loaded at the start and for a
write; after some at once there is one in ten minutes at most.

The file, JSON: {"known": {field: value}, "active": {name: [since, value]}, "last": [[name, since, until, value], ...]}
"""

import json

from wattport.alert.alerts import ON, UNSEEN
from wattport.modules import fetch

_SOON_S = 30  # an alert that nothing looks after any more ends that long behind the start
_LONGEST = 160
_PWRON = 1  # machine.PWRON_RESET


def _read(path):
    describe = fetch("wattport.alert.texts", "describe")
    known, active, last = {}, {}, []
    try:
        with open(path) as file:
            document = json.load(file)
        for field, value in document["known"].items():
            if isinstance(value, (int, str)):
                known[field] = value
        for name, (since, value) in document["active"].items():
            active[name] = [since, value, describe(name, value)[1] or _SOON_S]
        for name, since, until, value in document["last"]:
            last.append([name, since, until, value])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none, or damaged
        pass
    return known, active, last[-10:]


def load(app, settings, silent_s, reset_cause, path="alerts.json"):
    """Alerts as the group `alert` wants them, and as they were kept. silent_s: 0 for a meter that may be silent."""
    is_trouble = fetch("wattport.alert.change", "is_trouble")
    alerts = fetch("wattport.alert.alerts", "Alerts")()
    alerts.rules = fetch("wattport.alert.rules", "make")(settings)
    alerts.known, alerts.active, alerts.last = known, active, _ = _read(path)
    alerts.app, alerts.path = app, path
    alerts.silent_s, alerts.due, alerts.trouble, alerts.offset_s = silent_s, {}, None, None
    alerts.unread = alerts.at = alerts.steps = alerts.paid = 0
    alerts.odd_at, alerts.dirty = -60, False
    for name, number in fetch("wattport.alert.rules", "numbers")(alerts.rules):
        if name in active:
            active[name][2] = None
            alerts.due[number] = ON
        elif name[:5] == "phase":
            alerts.due[number] = UNSEEN
    for name in active:
        if is_trouble(name):
            alerts.trouble = name
        if is_trouble(name) and silent_s or name == "peak" and settings["peak_preset"]:
            active[name][2] = None
    watched = ["meter_id", "long_power_failures", "power_failures", "message"] + (
        ["tariff"] if settings["tariff"] else [])
    alerts.watched = tuple(watched)
    for field in list(known):
        if field not in watched and field != "read":
            del known[field]
    if app.publisher:
        fetch("wattport.alert.change", "summary")(alerts)
    if reset_cause == _PWRON and "read" in known and "power_failures" not in known and (
            "long_power_failures" not in known):  # a meter that does not tell: then it was we who were without power
        alerts.change("outage", True, None, 0)
    return alerts


def keep(alerts):
    known = {field: value[:_LONGEST] if isinstance(value, str) else value for field, value in alerts.known.items()}
    active = {name: alert[:2] for name, alert in alerts.active.items()}
    text = json.dumps({"known": known, "active": active, "last": alerts.last})
    try:
        fetch("wattport.files", "replace")(alerts.path, text, False)
    except OSError:  # a flash that is full: a restart forgets
        pass
