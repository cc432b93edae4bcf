# SPDX-License-Identifier: MIT
"""What Alerts looks at when it may be time, and every two minutes: the line, the clock, what ends by itself, and what
is to be kept.

For that it has `offset_s` and `steps`, what the wall clock told last; `unread`, how many telegrams the key had not
opened when the last one was read; `dirty`, something is to be kept at `path`; `paid`, up to when writes are paid for.
"""

from micropython import const

from wattport.modules import fetch

_STEP_S = const(60)
_AGAIN_S = const(5)  # while something is wrong on the line
_SAVE_S = const(600)  # a voltage that goes up and down must not wear the flash out: as many seconds for each write
_AHEAD_S = const(4200)  # but some at once
_LATEST_S = const(120)


def look(alerts, now_s):
    """Then `at` is the next time."""
    health = alerts.app.health
    silent_s = alerts.silent_s
    # within it everything began anew: a meter has all the time that it may take
    gone_s = min(health.age_s(health.decoded, now_s), now_s)
    _look_at_the_line(alerts, gone_s, health, now_s)
    _look_at_the_clock(alerts, now_s)
    for name in list(alerts.active):
        end = alerts.active[name][2]
        if end is not None and now_s >= end:
            alerts.change(name, False, None, now_s)
    if health.decoded is not None and "read" not in alerts.known:
        alerts.known["read"] = 1
        alerts.dirty = True
    if alerts.dirty and alerts.paid - now_s <= _AHEAD_S:
        alerts.dirty, alerts.paid = False, max(alerts.paid, now_s) + _SAVE_S
        fetch("wattport.alert.store", "keep")(alerts)
    at = now_s + _LATEST_S
    if silent_s:
        at = min(at, now_s + (_AGAIN_S if alerts.trouble else max(1, silent_s - gone_s)))
    for _, _, end in alerts.active.values():
        if end is not None:
            at = min(at, end)
    if alerts.dirty:
        at = min(at, alerts.paid - _AHEAD_S)
    alerts.at = max(at, now_s + 1)


def _look_at_the_line(alerts, gone_s, health, now_s):
    """gone_s: since the last telegram."""
    errors = alerts.app.meter.counters.errors
    unread = errors["wrong_key"] + errors["no_key"]
    trouble = None
    if alerts.silent_s and gone_s >= alerts.silent_s:
        trouble = "meter_silent"
        if health.age_s(health.heard, now_s) < alerts.silent_s:
            trouble = "meter_unreadable"
            if unread != alerts.unread:
                trouble = "changed_key" if "read" in alerts.known else "wrong_key"
    elif health.decoded is None:
        trouble = alerts.trouble  # from before a restart: nothing is known yet
    if gone_s <= alerts.silent_s // 2:
        alerts.unread = unread
    if trouble != alerts.trouble:
        if alerts.trouble:
            alerts.change(alerts.trouble, False, None, now_s)
        if trouble:
            alerts.change(trouble, True, None, now_s)
        alerts.trouble = trouble


def _look_at_the_clock(alerts, now_s):
    """`wall` knows of steps: its own ones, which are the meter's where it goes by that, and others by the offset."""
    steps, offset_s = alerts.app.wall.steps, alerts.app.wall.offset_s
    if steps != alerts.steps:
        if alerts.app.wall.state == "meter":
            alerts.change("clock_step", True, None, now_s)
    elif offset_s is not None and alerts.offset_s is not None and abs(offset_s - alerts.offset_s) > _STEP_S:
        alerts.change("clock_step", True, offset_s - alerts.offset_s, now_s)
    alerts.steps, alerts.offset_s = steps, offset_s
