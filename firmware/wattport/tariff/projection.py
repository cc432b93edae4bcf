# SPDX-License-Identifier: MIT
"""What there is to tell of the running window, as one dict: for MQTT and /api/peaks. Loaded for it."""

from micropython import const

from wattport.tariff.window import HOLD_S

_LEAST_S = const(30)  # at the very end of a window a kettle could be run at 100 kW


def tell(app):
    """The broker, and the alerts."""
    now_s = app.log.uptime_s()
    made = told(app.window, now_s)
    if app.publisher:
        app.publisher.keep("/peak", made)
    if app.alerts:
        app.alerts.change("peak", made["over"], made["limit_w"], now_s)


def told(window, uptime_s):
    """{"window_s", "average_w" of the last whole window, "projected_w" of the running one at the present power,
    "allowed_w", what may be used more than now, until "until", UTC, "peaks": [{"time", "w"}] of the month, the highest
    first, "figure_w" of the month, "limit_w", "over"}; null: not known. Norway: "step_w", the end of the step that the
    figure lies in. Luxembourg: "excess_wh"."""
    since_s = uptime_s - window.at
    silent = since_s > HOLD_S
    if silent:
        window.over = False
    projected_w = allowed_w = None
    if window.end and not silent and window.used_ws is not None and window.power_w is not None:
        left_s = max(window.end - window.now - since_s, 0)
        used_ws = window.used_ws + window.more_ws + window.power_w * since_s
        projected_w = (used_ws + window.power_w * left_s) // window.seconds
        if window.limit_w is not None:
            allowed_w = (window.limit_w * window.seconds - used_ws) // max(left_s, _LEAST_S) - window.power_w
    state = window.state
    made = {
        "window_s": window.seconds, "average_w": window.average_w, "projected_w": projected_w, "allowed_w": allowed_w,
        "until": window.end or None, "peaks": [{"time": time, "w": watts} for time, watts in state["peaks"]],
        "figure_w": state.get("figure"), "limit_w": window.limit_w, "over": window.over}
    if "step_w" in state:
        made["step_w"] = state["step_w"]
    if window.preset == "lu":
        made["excess_wh"] = state["excess"] * window.seconds // 3600
    return made
