# SPDX-License-Identifier: MIT
"""The settings: one JSON document, its schema and defaults, and how it is kept.

`load` and `check` refuse an unknown key or an impossible value with SettingsError, whose text names the key. A file is
written new, then renamed, so a power cut leaves the old one or the new one.
"""

import json

PATH = "settings.json"


class SettingsError(Exception):
    """What is wrong, with the key's name: "mqtt.port: a whole number from 1 to 65535"."""


def _text(most):
    def check(value):
        return isinstance(value, str) and len(value) <= most
    return check, "a text of at most %d characters" % most


def _whole(least, most):
    def check(value):
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    return check, "a whole number from %d to %d" % (least, most)


def _one_of(*choices):
    def check(value):
        return value in choices and type(value) is type(choices[0])
    return check, "one of " + ", ".join([str(choice) for choice in choices])


def _is_key(value):
    return isinstance(value, str) and (not value or len(value) == 32 and not value.strip("0123456789abcdefABCDEF"))


def _is_profile(value):
    if value:
        from wattport.decode import profile
        profile.check(value)
    return isinstance(value, dict)


def _is_zone(value):
    from wattport import posixzone
    try:
        posixzone.parse(value)
    except (ValueError, TypeError, AttributeError):
        return False
    return True


_FLAG = (lambda value: isinstance(value, bool)), "true or false"
_KEY = _is_key, "32 hexadecimal digits, or empty"

# group → key → (default, (check, what it takes))
SCHEMA = {
    "wifi": {
        "ssid": ("", _text(32)),
        "password": ("", _text(64)),
        "hostname": ("wattport", _text(32)),
    },
    "meter": {
        "baud": (0, _one_of(0, 300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)),
        "format": ("8N1", _one_of("8N1", "8E1", "7E1")),
        "invert": (True, _FLAG),
        "protocol": ("auto", _one_of("auto", "P1", "HDLC", "encrypted", "M-Bus", "SML", "TIC")),
        "request_s": (0, _whole(0, 86400)),
        "key": ("", _KEY),
        "auth_key": ("", _KEY),
        "profile": ({}, (_is_profile, "a profile, or {}")),
        "limit_w": (80000, _whole(0, 10000000)),
        "source": ("port", _one_of("port", "pulse", "glow")),
    },
    "mqtt": {
        "host": ("", _text(253)),
        "port": (1883, _whole(1, 65535)),
        "user": ("", _text(128)),
        "password": ("", _text(128)),
        "tls": (False, _FLAG),
        "ca": ("", _text(4096)),
        "base": ("", _text(64)),
        "client_id": ("", _text(64)),
        "interval_s": (0, _whole(0, 3600)),
        "qos": (0, _one_of(0, 1)),
        "keepalive_s": (60, _whole(5, 3600)),
        "raw": (False, _FLAG),
        "retain": (False, _FLAG),
        "discovery": (True, _FLAG),
        "discovery_prefix": ("homeassistant", _text(64)),
    },
    "web": {
        "port": (0, _whole(0, 65535)),
    },
    "time": {
        "zone": ("CET-1CEST,M3.5.0,M10.5.0/3", (_is_zone, "a POSIX time zone, such as CET-1CEST,M3.5.0,M10.5.0/3")),
    },
}

# what only a British meter needs, in long texts: names that stand alone stay in the heap for ever, needed or not
_EDGES = "falling rising".split()
for _name, _default, _rule in zip(
        "pulses_per_kwh start_wh debounce_ms pulse_edge pulse_export glow_host glow_port glow_user glow_password "
        "glow_topic".split(), (1000, 0, 60, _EDGES[0], False, "", 1883, "", "", "glow/+/SENSOR/+"),
        (_whole(1, 100000), _whole(0, 99999999999), _whole(0, 1000), _one_of(*_EDGES), _FLAG,
         _text(253), _whole(1, 65535), _text(128), _text(128), _text(128))):
    SCHEMA["meter"][_name] = _default, _rule


def check(document):
    """The whole settings: what `document` says, and the defaults for what it leaves out."""
    if not isinstance(document, dict):
        raise SettingsError("the settings are no JSON object")
    for group, keys in document.items():
        if group not in SCHEMA:
            raise SettingsError("%s: there is no such group" % group)
        if not isinstance(keys, dict):
            raise SettingsError("%s: a JSON object is needed" % group)
        for key, value in keys.items():
            if key not in SCHEMA[group]:
                raise SettingsError("%s.%s: there is no such setting" % (group, key))
            test, wanted = SCHEMA[group][key][1]
            try:
                fine = test(value)
            except ValueError as error:
                fine, wanted = False, error
            if not fine:
                raise SettingsError("%s.%s: %s" % (group, key, wanted))
    whole = {}
    for group, keys in SCHEMA.items():
        given = document.get(group, {})
        whole[group] = {key: given.get(key, keys[key][0]) for key in keys}
    return whole


def load(path=PATH):
    """Settings from a file; the defaults when there is none."""
    try:
        with open(path) as file:
            document = json.load(file)
    except OSError:
        return check({})
    except ValueError:
        raise SettingsError("%s is no JSON" % path)
    return check(document)


def save(document, path=PATH):
    """Keep `document` if it is right; the old file stays until the new one is whole."""
    from wattport.files import replace
    check(document)
    replace(path, json.dumps(document))
