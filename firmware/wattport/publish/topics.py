# SPDX-License-Identifier: MIT
"""Topics and what stands in them. Pure; loaded at the start and for discovery. Section numbers are OASIS
MQTT 3.1.1's."""

from micropython import const

_ID_LIMIT = const(64)
_TOPIC_LIMIT = const(128)
_NUMBER_LIMIT = const(34)  # of a child meter's number: 17 characters, should they be spelled in hex


def safe_id(text):
    """Only [A-Za-z0-9_-], 64 of them: for topics and unique ids; anything else becomes an underscore."""
    out = bytearray()
    for char in text[:_ID_LIMIT]:
        code = ord(char)
        good = 48 <= code <= 57 or 65 <= code <= 90 or 97 <= code <= 122 or code in (45, 95)
        out.append(code if good else 95)
    return bytes(out).decode() or "_"


def safe_topic(text, default):
    """A topic to publish under, from the settings: no wildcards, no control characters (4.7)."""
    text = "".join(["_" if char in "+#" or ord(char) < 32 else char for char in text.strip("/ ")])
    return text[:_TOPIC_LIMIT] or default


def child_number(device):
    """A child meter's own number where it can stand in an id; else "": then its channel has to do."""
    number = device.get("id", "")
    return number if 0 < len(number) <= _NUMBER_LIMIT and safe_id(number) == number else ""


def child_id(channel, device, value):
    """What tells a child meter's quantity from every other: its number, which stays when channels swap, and type."""
    number = child_number(device)
    if number:
        return "%s_%s_%s" % (safe_id(device.get("type", "")), number, value)
    return safe_id("ch%s_%s_%s" % (channel, device.get("type", ""), value))
