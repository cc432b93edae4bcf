# SPDX-License-Identifier: MIT
"""An alert is raised, or ends: loaded for that.

Told to the broker: /alert, {"name", "active", "since", "value", "severity", "text"} and with an end "until"; and
/alerts, retained: {"active": [names], "severity": of the worst or "", "text": all sentences}.
"""

from micropython import const

from wattport.modules import fetch

_LAST = const(10)
_LONGEST = const(160)  # of a message's text
_SEVERITIES = ("info", "warning", "alarm")


def is_trouble(name):
    """One of those of which there is one at most, as only one can be true."""
    return name in ("meter_silent", "meter_unreadable", "wrong_key", "changed_key")


def told(name, since, until, value, describe):
    """The dict for /alert and /api/alerts. until: None while it is active."""
    severity, _, text = describe(name, value)
    made = {"name": name, "active": until is None, "since": since, "value": value, "severity": severity, "text": text}
    if until is not None:
        made["until"] = until or None
    return made


def change(alerts, name, on, value, now_s):
    """Raise or end it; nothing happens when it is so already, but that what ends by itself stays from now on."""
    describe = fetch("wattport.alert.texts", "describe")
    active = alerts.active
    if isinstance(value, str):
        value = value[:_LONGEST]
    severity, stays_s, text = describe(name, value)
    end = now_s + stays_s if stays_s else None
    if on == (name in active):
        if on and end:
            active[name][2] = end
        return
    utc = alerts.app.wall.utc()
    if on:
        active[name] = [utc, value, end]
        since, until = utc, None
        alerts.app.log("warning" if severity != "info" else "info", text)
    else:
        since, value, _ = active.pop(name)
        until = utc or 0
        alerts.last.append([name, since, utc, value])
        del alerts.last[:-_LAST]
    alerts.dirty, alerts.at = True, now_s
    if alerts.app.publisher:
        alerts.app.publisher.alert(told(name, since, until, value, describe))
        summary(alerts, describe)


def summary(alerts, describe=None):
    """Tell the broker what is active."""
    describe = describe or fetch("wattport.alert.texts", "describe")
    worst, texts = -1, []
    for name, (_, value, _) in alerts.active.items():
        severity, _, text = describe(name, value)
        worst = max(worst, _SEVERITIES.index(severity))
        texts.append(text)
    alerts.app.publisher.keep("/alerts", {
        "active": list(alerts.active), "severity": _SEVERITIES[worst] if texts else "", "text": " ".join(texts)})
