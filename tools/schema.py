# SPDX-License-Identifier: MIT
"""What can be set, as JSON for the settings page: {group: {key: {"type", "default", "secret", ...}}}.

    python -m tools.schema

Beside the type: "min" and "max" of whole numbers, "max" length of texts, "choices". A type is a rule of
firmware/wattport/settings.py: flag, whole, one (of choices), text, bytes, wpa, key, token, password, label, host,
hosts, ip, net, topic, pem, zone, profile, currency.
"""

import json
import sys

from tools import cpython

cpython.install()

from wattport import settings  # noqa: E402


def described(default, rule, secret):
    """One setting, from its rule's words."""
    kind, *rest = rule.split(" ")
    entry = {"type": kind, "default": default}
    if kind == "whole":
        entry["min"], entry["max"] = (int(limit) for limit in rest)
    elif kind == "one":
        entry["choices"] = [type(default)(choice) for choice in rest[0].split(",")]
    elif rest:
        entry["max"] = int(rest[0])
    if secret:
        entry["secret"] = True
    return entry


def schema():
    """The whole description, in the order in which people are to read it."""
    secrets = settings.SECRETS.split()
    return {group: {key: described(default, rule, "%s.%s" % (group, key) in secrets) for key, default, rule in rows}
            for group, rows in settings.groups()}


def text():
    """As it is packed: the same bytes each time."""
    return json.dumps(schema(), separators=(",", ":"))


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
    sys.exit(0)
