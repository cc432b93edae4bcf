# SPDX-License-Identifier: MIT
"""Something that the meter tells has changed: is it an alert? Loaded for that."""


def changed(alerts, field, value, reading, now_s):
    """One of the watched fields has another value than `known`; of what was kept through a restart only a part of a
    long text is known."""
    known = alerts.known
    before = known.get(field)
    known[field] = value
    if isinstance(before, str) and isinstance(value, str) and len(before) >= 160 and value.startswith(before):
        return
    alerts.dirty, alerts.at = True, now_s
    if field == "message":
        if before:
            alerts.change(field, False, None, now_s)
        if value:
            alerts.change(field, True, value, now_s)
    elif before is None:
        pass  # the first of all
    elif field == "tariff":
        alerts.change("tariff_change", True, value, now_s)
    elif field == "meter_id":
        _swapped(alerts, reading, now_s)
    elif value > before:
        log = reading.get("power_failure_log")
        alerts.change("outage", True, max(log)[1] if log and field == "long_power_failures" else None, now_s)


def _swapped(alerts, reading, now_s):
    """Another meter counts anew."""
    alerts.change("meter_swapped", True, reading["meter_id"], now_s)
    for field in ("power_failures", "long_power_failures"):
        if field in reading and field in alerts.known:
            alerts.known[field] = reading[field]


def odd(alerts, what, now_s):
    """What the guard found: "swap", "dropped" or "power"."""
    alerts.change("meter_swapped" if what == "swap" else "implausible", True, None, now_s)
