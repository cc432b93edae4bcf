# SPDX-License-Identifier: MIT
"""Capacity peaks: the averages of whole windows, the highest ones of a month, and what a tariff makes of them. Pure but
for its small file. Loaded at the edge of a window, then forgotten.

A window counts when the import register was seen at both of its edges, of the same meter, and a clock that is not the
meter's says that as much time has passed in between: the uptime, or behind a restart network time. A gap at an edge, a
step of the meter's clock, another meter, a register that fell: no peak. What happens inside of a window does not
matter, the register counts on.

The tariffs are rows of `_RULES`:

- name, length of a window in s, how many peaks, at most one a day
- floor: a figure is that at least, W; "lu": the reference power where the settings say none
- kind: "max", the highest; "mean" of the highest; "excess", energy above the reference power
- masks: months/weekdays/hours/percent, Monday is 0, the first that fits counts, otherwise 100; 0: such a window is none
- steps of the price, W

Flanders: month peak of quarter-hours, 2.5 kW at least; the meter's own, 1-0:1.6.0, where it sends one. Norway: mean of
the highest hours of three days, in steps. Sweden: the same without steps, from 22 to 6 half. Luxembourg: energy of
quarter-hours above the reference power.

The file, JSON: {"preset", "month": 202510, "peaks": [[start, W], ...] the highest first, "months": [month, figure, ...]
of twelve months before, "excess": sum of W above the reference power, "edge": as Window has it}.
"""

import json

from micropython import const

from wattport.civil import fields
from wattport.modules import fetch, forget
from wattport.tariff.window import LATE_S, Window

_RULES = """
be 900 1 1 2500 max -
no 3600 3 1 0 mean - 2000 5000 10000 15000 20000 25000 50000 75000 100000
se 3600 3 1 0 mean */*/22-5/50
lu 900 3 0 3000 excess -
"""
_MONTHS = const(12)
_APART_S = const(10)  # of two clocks in a window; some telegrams come late


class Rule:
    """A row of the table, as above."""

    def __init__(self, row):
        name, seconds, count, daily, floor, self.kind, masks, *steps = row.split()
        self.name, self.seconds, self.count, self.floor_w = name, int(seconds), int(count), int(floor)
        self.daily = daily == "1"
        self.masks = masks.split(",") if masks != "-" else ()
        self.steps = [int(step) for step in steps]

    def percent(self, month, weekday, hour):
        for mask in self.masks:
            months, weekdays, hours, percent = mask.split("/")
            if _within(months, month) and _within(weekdays, weekday) and _within(hours, hour):
                return int(percent)
        return 100


def _within(text, value):
    """"*", "3" or "22-5", which goes over the turn."""
    if text == "*":
        return True
    first, _, last = text.partition("-")
    first, last = int(first), int(last or first)
    return first <= value <= last if first <= last else value >= first or value <= last


def rule(name):
    at = _RULES.find("\n%s " % name)
    return Rule(_RULES[at:_RULES.find("\n", at + 1)])


def _kept(preset, path):
    """What the file holds; a new state when there is none, or it is damaged or another tariff's."""
    try:
        with open(path) as file:
            state = json.load(file)
        whole = [state["month"], state["excess"]] + state["months"]
        for start, watts in state["peaks"]:
            whole += [start, watts]
        edge = state["edge"]
        if edge:
            whole += edge[:2]
            fine = len(edge) == 5 and isinstance(edge[3], (int, type(None)))
        if (state["preset"] == preset and all([type(one) is int for one in whole]) and (not edge or fine)
                and len(state["months"]) <= 2 * _MONTHS and len(state["peaks"]) < 10):
            return state
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"preset": preset, "month": 0, "peaks": [], "months": [], "excess": 0, "edge": None}


def load(preset, setting_w, most_w, zone, path="peaks.json"):
    """The window as it was kept."""
    state = _kept(preset, path)
    window = Window(preset, rule(preset).seconds, setting_w, most_w, zone, state, path)
    edge = state["edge"]
    if edge:
        edge[2] = None
        window.edge = edge
        window.start = edge[0] - edge[0] % window.seconds
        window.end = window.start + window.seconds
        settle(window)
    forget("wattport.civil")
    return window


def turn(window, now, wh, own_id, uptime_s, wall):
    """The edge of a window, at UTC `now` of the meter; or its clock is elsewhere. True: there is something to tell."""
    start = now - now % window.seconds
    edge, old = None, window.edge
    if wh is not None and now - start <= LATE_S:
        sure = wall.proven is not None or wall.state == "system"  # the meter's own time says nothing of itself
        edge = [now, wh, uptime_s, wall.utc() if sure else None, own_id]
    one = rule(window.preset)
    first = not window.end
    window.average_w = None
    if edge and old and start == window.end:
        window.average_w = _average(window, old, edge)
    state = window.state
    if window.average_w is not None:
        _judge(window, one, window.start)
    month = _month(window.zone, start)
    changed = month != state["month"]
    if changed:
        if state["month"] and (state["peaks"] or window.told_w):
            state["months"] = state["months"][2 - 2 * _MONTHS:] + [state["month"], _figure(one, state, window.told_w)]
        state["month"], state["peaks"], state["excess"] = month, [], 0
        window.told_w = None
    window.start, window.end, window.edge = start, start + window.seconds, edge
    window.used_ws = window.more_ws = 0
    state["edge"] = edge
    settle(window)
    if changed or edge or old:
        _keep(state, window.path)
    forget("wattport.civil")
    return not first


def _keep(state, path):
    try:
        fetch("wattport.files", "replace")(path, state, False)
    except OSError:  # a flash that is full: a restart forgets this month's peaks
        pass


def _month(zone, utc):
    year, month = fields(utc + zone.offset(utc))[:2]
    return year * 100 + month


def _average(window, old, edge):
    """W, or None where the window is none."""
    span_s, rise = edge[0] - old[0], edge[1] - old[1]
    if old[2] is not None:
        passed_s = edge[2] - old[2]
    elif old[3] is not None and edge[3] is not None:
        passed_s = edge[3] - old[3]
    else:
        return None
    if rise < 0 or abs(passed_s - span_s) > _APART_S + window.seconds // 180:
        return None
    if old[4] is not None and edge[4] is not None and old[4] != edge[4]:
        return None
    average = rise * 3600 // span_s
    return None if window.most_w and average > window.most_w else average


def _judge(window, one, start):
    """Put the window's average into the month, if it belongs there."""
    local = start + window.zone.offset(start)
    year, month, day, hour, _, _, weekday = fields(local)
    state = window.state
    if year * 100 + month != state["month"]:
        return  # the file was another month's
    watts = window.average_w * one.percent(month, weekday, hour) // 100
    if one.kind == "excess":
        state["excess"] += max(0, window.average_w - (window.setting_w or one.floor_w))
    if not watts:
        return
    peaks = state["peaks"]
    if one.daily:
        for peak in peaks:
            if (peak[0] + window.zone.offset(peak[0])) // 86400 == local // 86400:
                if peak[1] >= watts:
                    return
                peaks.remove(peak)
                break
    at = 0
    while at < len(peaks) and peaks[at][1] >= watts:
        at += 1
    peaks.insert(at, [start, watts])
    del peaks[one.count:]


def _figure(one, state, told_w):
    """What the month comes to so far, W. told_w: the peak as the meter has it, or None."""
    tops = [watts for _, watts in state["peaks"]]
    if one.kind == "mean":
        return sum(tops) // len(tops) if tops else 0
    top = tops[0] if tops else 0
    if one.kind == "max" and told_w is not None:
        top = told_w
    return max(top, one.floor_w if one.kind == "max" else 0)


def settle(window):
    """The figure so far, and what the running window may come to."""
    one = rule(window.preset)
    state = window.state
    state["figure"] = figure = _figure(one, state, window.told_w)
    start = window.start
    local = start + window.zone.offset(start)
    _, month, _, hour, _, _, weekday = fields(local)
    percent = one.percent(month, weekday, hour)
    limit = None
    if window.setting_w or one.kind == "excess":
        limit = window.setting_w or one.floor_w
    elif percent and (figure or one.steps):
        most = figure
        for step in one.steps:
            if step >= figure:
                most = state["step_w"] = step
                break
        limit = _room(one, window, most, local // 86400) * 100 // percent
    window.limit_w = limit
    forget("wattport.civil")


def _room(one, window, most, day):
    """What a window of this day may come to, so that the figure is no more than `most`."""
    others, own = [], 0
    for start, watts in window.state["peaks"]:
        if one.daily and (start + window.zone.offset(start)) // 86400 == day:
            own = watts
        else:
            others.append(watts)
    if one.kind == "max":
        return most
    least = others[one.count - 1] if len(others) >= one.count else 0
    others = others[:one.count - 1]
    return max(most * (len(others) + 1) - sum(others), least, own)
