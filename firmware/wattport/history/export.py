# SPDX-License-Identifier: MIT
"""A history on its way out: in steps of half-hours, hours, days or months of the household's clock, as CSV (RFC 4180,
times by ISO 8601) or JSON. Everything is a generator and holds one row; a None in between is a breath, for others."""

import json

from wattport.civil import fields
from wattport.history import days, past
from wattport.history.place import HALF_HOUR_S
from wattport.history.rows import CLOCK, ESTIMATED, NEW, PART, is_gauge
from wattport.history.segment import BREATH

NOTES = ((ESTIMATED, "estimated"), (NEW, "new"), (CLOCK, "clock"), (PART, "part"))


def columns(step, since, until):
    """Breaths, then the names of all values that a range may have, registers first."""
    found = []
    for kind, begin, end in (("h", since // HALF_HOUR_S, until // HALF_HOUR_S),
                             ("d", since // 86400 - 1, until // 86400 + 1)):
        if kind == "h" or step in ("day", "month"):
            for head in past.heads(kind, begin, end):
                found += [name for name in head["names"].split() if name not in found]
                yield None
    yield [name for name in found if not is_gauge(name)] + [name for name in found if is_gauge(name)]


def _halves(since, until):
    """(start, flags, values), and a breath now and then."""
    left = BREATH
    for row in past.rows(since, until, True):
        yield row
        left -= 1
        if not left:  # a long gap is one record
            left = BREATH
            yield None


def _days(zone, since, until):
    """(start, flags, values) of days: those that are kept, then what the half-hours since have brought."""
    due, end = days.number(zone, since), days.number(zone, until - 1) + 1
    for row in days.rows(due, end):
        if not row:
            yield None
            continue
        number, flags, values = row
        yield days.bounds(zone, number)[0], flags, values
        due = number + 1
    due = max(due, days.first(zone, end))
    while due < end:
        yield None  # looking for what is not there takes a chip its time, too
        values, flags = {}, None
        for told in days.total(zone, due, values):
            flags = told
            yield None
        if flags is not None:
            yield days.bounds(zone, due)[0], flags, values
        due += 1


def _hour(zone, start):
    return start - (start + zone.offset(start)) % 3600


def _month(zone, start):
    year, month = fields(start + zone.offset(start))[:2]
    return year * 12 + month


def _together(zone, source, group):
    """Rows of a group as one, with the first one's start."""
    key = made = None
    for row in source:
        if row is None:
            yield None
            continue
        start, flags, values = row
        if made is None or group(zone, start) != key:
            if made:
                yield made
            key = group(zone, start)
            made = start, flags, values
        else:
            past.merge(made[2], list(values), list(values.values()))
            made = made[0], made[1] | flags, made[2]
    if made:
        yield made


def rows(zone, step, since, until):
    """step: "halfhour", "hour", "day" or "month". (start in UTC, flags, {name: value}) of each from `since` to before
    `until`, UTC; or None, a breath."""
    if step == "halfhour":
        return _halves(since, until)
    if step == "hour":
        return _together(zone, _halves(since, until), _hour)
    source = _days(zone, since, until)
    return source if step == "day" else _together(zone, source, _month)


def stamp(zone, utc):
    """ISO 8601: by the household's clock with its offset; zone None: "…Z"."""
    ahead = zone.offset(utc) if zone else 0
    text = "%04d-%02d-%02dT%02d:%02d:%02d" % fields(utc + ahead)[:6]
    if not zone:
        return text + "Z"
    return text + ("-" if ahead < 0 else "+") + "%02d:%02d" % (abs(ahead) // 3600, abs(ahead) // 60 % 60)


def csv(zone, step, since, until, utc=False):
    """Texts, or None: a line each, with names in the first. Where there is no value, nothing."""
    for told in columns(step, since, until):
        names = told
        yield None
    yield "start,note" + "".join(["," + name for name in names]) + "\r\n"
    for row in rows(zone, step, since, until):
        if row is None:
            yield None
            continue
        start, flags, values = row
        note = " ".join([word for flag, word in NOTES if flags & flag])
        yield "%s,%s%s\r\n" % (stamp(None if utc else zone, start), note, "".join(
            [",%d" % values[name] if name in values else "," for name in names]))


def document(zone, step, since, until):
    """Texts, or None: {"step", "from", "to", "columns": ["start", "flags", ...], "rows": [[...], ...]}."""
    for told in columns(step, since, until):
        names = told
        yield None
    yield '{"step": "%s", "from": %d, "to": %d, "columns": %s, "rows": [' % (
        step, since, until, json.dumps(["start", "flags"] + names))
    comma = ""
    for row in rows(zone, step, since, until):
        if row is None:
            yield None
            continue
        start, flags, values = row
        yield "%s[%d,%d%s]" % (comma, start, flags, "".join(
            [",%d" % values[name] if name in values else ",null" for name in names]))
        comma = ",\n"
    yield "]}"
