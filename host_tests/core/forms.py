# SPDX-License-Identifier: MIT
"""Settings of versions to come: four forms of the document, made up, with all that a new form may do to an old one.

    2   mqtt.user is called mqtt.login; tariff.currency has moved to time.currency; mqtt.clean is new
    3   tariff.import_micro is split into day_micro and night_micro; meter.debounce_ms is gone; a group, alert, is new
    4   mqtt.interval_s counts milliseconds; mqtt.keepalive_s has another default; web.name has moved to wifi.name
"""

from wattport import migrate, modules, settings

_OWN = settings.groups, settings.SCHEMA
_OTHER = migrate.other
LAST = 4


def _move(document, one, other):
    group, _, key = one.partition(".")
    if key in document.get(group, {}):
        value = document[group].pop(key)
        group, _, key = other.partition(".")
        document.setdefault(group, {})[key] = value


def _two_up(document):
    _move(document, "mqtt.user", "mqtt.login")
    _move(document, "tariff.currency", "time.currency")


def _two_down(document):
    _move(document, "mqtt.login", "mqtt.user")
    _move(document, "time.currency", "tariff.currency")
    document.get("mqtt", {}).pop("clean", None)


def _three_up(document):
    _move(document, "tariff.import_micro", "tariff.day_micro")
    tariff = document.get("tariff", {})
    if "day_micro" in tariff:
        tariff["night_micro"] = tariff["day_micro"]
    document.get("meter", {}).pop("debounce_ms", None)


def _three_down(document):
    _move(document, "tariff.day_micro", "tariff.import_micro")
    document.get("tariff", {}).pop("night_micro", None)
    document.pop("alert", None)


def _four_up(document):
    mqtt = document.setdefault("mqtt", {})
    if "interval_s" in mqtt:
        mqtt["interval_ms"] = mqtt.pop("interval_s") * 1000
    mqtt.setdefault("keepalive_s", 60)  # what was left out
    if mqtt["keepalive_s"] == 30:
        del mqtt["keepalive_s"]
    _move(document, "web.name", "wifi.name")


def _four_down(document):
    mqtt = document.setdefault("mqtt", {})
    if "interval_ms" in mqtt:
        mqtt["interval_s"] = mqtt.pop("interval_ms") // 1000
    mqtt.setdefault("keepalive_s", 30)
    if mqtt["keepalive_s"] == 60:
        del mqtt["keepalive_s"]
    _move(document, "wifi.name", "web.name")


STEPS = (_two_up, _two_down), (_three_up, _three_down), (_four_up, _four_down)
# what a form does to the rows of the one before it: group.key → [(group, key, default, rule), ...] instead
_AMOUNT = 0, "whole -1000000000 1000000000"
_ROWS = (
    {"mqtt.user": [("mqtt", "login", "", "text 128")], "tariff.currency": [("time", "currency", "EUR", "currency")],
     "mqtt.raw": [("mqtt", "raw", False, "flag"), ("mqtt", "clean", True, "flag")]},
    {"tariff.import_micro": [("tariff", "day_micro") + _AMOUNT, ("tariff", "night_micro") + _AMOUNT],
     "meter.debounce_ms": [("alert", "topic", "", "topic 64"), ("alert", "secret", "", "text 64")]},
    {"mqtt.interval_s": [("mqtt", "interval_ms", 0, "whole 0 3600000")],
     "mqtt.keepalive_s": [("mqtt", "keepalive_s", 30, "whole 5 3600")], "web.name": [("wifi", "name", "", "host")]},
)


def rows(number):
    """The groups of a form, as settings.groups gives them."""
    flat = [(group,) + row for group, found in _OWN[0]() for row in found]
    for changed in _ROWS[:number - 1]:
        flat = [new for row in flat for new in changed.get(row[0] + "." + row[1], [row])]
    names = []
    for row in flat:
        if row[0] not in names:
            names.append(row[0])
    return [(name, [row[1:] for row in flat if row[0] == name]) for name in names]


def _replace(path, data):
    modules.load("wattport.files", "replace")(path, data, False)  # what others write is not waited for


def _fetch(module, name):
    """Modules stay, with what was put into them."""
    if module == "wattport.migrate":
        return getattr(migrate, name)
    return _replace if name == "replace" else modules.load(module, name)


def be(number, other=0):
    """Let `settings` be those of version `number`; 0: of this one again. other: that of the version in the other slot,
    if there is one."""
    migrate.other = (lambda: other) if number else _OTHER
    settings.groups = (lambda: rows(number)) if number else _OWN[0]
    settings.SCHEMA = number or _OWN[1]
    settings.fetch = migrate.fetch = _fetch if number else modules.fetch
    migrate.STEPS = STEPS[:number - 1] if number else ()
