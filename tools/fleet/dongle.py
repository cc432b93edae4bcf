# SPDX-License-Identifier: MIT
"""One dongle as the fleet sees it, and what comes from it made fit to be believed and shown.

Anybody who may publish at the broker can write anything: a message is a report only when it is JSON of the size and the
types that a dongle sends, and no text leaves here that could move the cursor of a terminal.
"""

import json
import re
from collections import Counter

LIMIT = 4096  # bytes; a health message has about 1000
TEXT_LIMIT = 200
_BIG = 1 << 53
METER_STATES = ("silent", "undecoded", "ok")  # in the order of their worth
# what is taken of a message; everything else in it is left alone
HEALTH = {"version": "name", "slot": "name", "trial": "trial", "chip": "name", "board": "name", "meter": "meter",
          "family": "text", "telegram_age_s": "count", "errors": "counts", "heap_free": "count", "rssi": "number",
          "uptime_s": "count"}
UPDATE = {"installed_version": "name", "latest_version": "name", "in_progress": "flag", "update_percentage": "number",
          "error": "text", "why": "text"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,31}\Z")


class Odd(Exception):
    """What a dongle does not send. `kind`: too_large, not_json, wrong_type; the text says more."""

    def __init__(self, kind, detail):
        super().__init__(detail)
        self.kind = kind


def clean(text):
    """A text that can be printed: one line, no control characters, not endless."""
    text = "".join(char if char.isprintable() else "?" for char in text[:TEXT_LIMIT + 1])
    return text[:TEXT_LIMIT] + "…" if len(text) > TEXT_LIMIT else text


def _number(value):
    if type(value) is float and value == value and abs(value) < _BIG:
        value = int(value)
    if type(value) is not int or not -_BIG < value < _BIG:
        raise ValueError
    return value


def _value(kind, value):
    """A value of that kind, None for nothing, or ValueError."""
    if kind == "trial":  # the slot on trial, a yes or a no
        if value is None or value == "":
            return False
        return value if type(value) is bool else bool(_value("name", value))
    if value is None:
        return None
    if kind in ("text", "name", "meter"):
        if type(value) is not str or kind == "name" and value and not _NAME.match(value) or (
                kind == "meter" and value not in METER_STATES):
            raise ValueError
        return clean(value)
    if kind == "flag":
        if type(value) is not bool:
            raise ValueError
        return value
    if kind == "counts":
        if type(value) is not dict:
            raise ValueError
        return sum(_value("count", count) for count in value.values())
    value = _number(value)
    if kind == "count" and value < 0:
        raise ValueError
    return value


def parse(payload, size, fields):
    """What of `fields` stands in a message, a dict; Odd for what cannot be believed."""
    if size > LIMIT or len(payload) < size:
        raise Odd("too_large", "%d bytes" % size)
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        raise Odd("not_json", "begins with %s" % clean(ascii(bytes(payload[:24]))[1:]))
    if type(found) is not dict:
        raise Odd("wrong_type", "no object but %s" % type(found).__name__)
    report = {}
    for name, kind in fields.items():
        if name in found:
            try:
                report[name] = _value(kind, found[name])
            except (TypeError, ValueError):
                raise Odd("wrong_type", "%s is %s" % (name, clean(ascii(found[name])[:60])))
    if not report:
        raise Odd("wrong_type", "nothing of what a dongle tells")
    return report


def health_report(payload, size):
    return parse(payload, size, HEALTH)


def update_report(payload, size):
    report = parse(payload, size, UPDATE)
    if "installed_version" in report:
        report["version"] = report.pop("installed_version")
    return report


class Dongle:
    """`facts`: the newest of each kind that was told. `heard`: when something came that was not kept by the broker."""

    def __init__(self, name):
        self.name = name
        self.online = None  # not known
        self.facts = {}
        self._live = set()  # names of those that the broker had not kept
        self.heard = None
        self.healthy_at = None  # when a health message came
        self.host = None
        self.private = False  # tells its health only to its owner
        self.odd = Counter()
        self.oddity = ""  # the last one, in words

    def take(self, report, now, live=True):
        """What a broker had kept may be from long ago, and never takes the place of what was heard."""
        if live:
            self._live.update(report)
        else:
            report = {name: value for name, value in report.items() if name not in self._live}
        self.facts.update({name: value for name, value in report.items() if value is not None})
        for name in ("error", "why"):  # these end
            if name in report and not report[name]:
                self.facts.pop(name, None)
        if live:
            self.heard = now
        if live and "uptime_s" in report:
            self.healthy_at = now

    def strange(self, odd):
        self.odd[odd.kind] += 1
        self.oddity = "%s: %s" % (odd.kind, odd)

    def get(self, name, default=None):
        return self.facts.get(name, default)
