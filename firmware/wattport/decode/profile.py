# SPDX-License-Identifier: MIT
"""Profiles: what lists mean that do not say it themselves, as data. Built-in ones stand in profiles.jsonl, one JSON
object a line; a household can set one more (`meter.profile`).

    name    for people
    shape   a letter an item, as `cosem.Walker` has it and `tools.decode --items` shows it, i for an integer of any
            size; "" any list
    text    what one of the first five items begins with; "" anything
    model   the same, for meters that differ by their type only
    objects true: a list of pushed objects with their codes stands in front of the values
    fields  {"3": "power_import_w", "6": ["voltage_l1_mv", 100]}: the item at a place (from 0) → name in a Reading and
            what to multiply with; negative: divide. For lists without OBIS codes
    scales  {"31.7": 10, "8": 10}: C.D or D of an OBIS code → factor, 1 when missing. For lists with codes and no units
    names   {"0.0.5": "meter_id"}: C.D.E → name, where the code has no systematic one
    clock   what a clock without deviation shows: "local" (default) wall time, "standard" no summer time
"""

import json

from wattport.decode.cosem import HEADS

_FILE = __file__.rpartition("/")[0] + "/profiles.jsonl"
_KEYS = ("name", "shape", "text", "model", "objects", "fields", "scales", "names", "clock")
_MOST_FACTOR = 1000000000
_WORDS = ("time", "meter_id", "meter_model", "tariff", "breaker", "power_failures")
_ENDINGS = ("_w", "_wh", "_var", "_varh", "_va", "_vah", "_mv", "_ma", "_mhz", "_milli")


def _is_name(name):
    if not isinstance(name, str) or not name or name.strip("abcdefghijklmnopqrstuvwxyz0123456789_"):
        return False
    return name in _WORDS or any([name.endswith(ending) for ending in _ENDINGS])


def _is_factor(value):
    return isinstance(value, int) and not isinstance(value, bool) and value and abs(value) <= _MOST_FACTOR


def _groups(text, most):
    """OBIS groups "1.8.0" packed, a byte each."""
    code = 0
    parts = text.split(".")
    for part in parts:
        if not part.isdigit() or int(part) > 255 or len(parts) > most:
            raise ValueError("%s is no OBIS group" % text)
        code = code << 8 | int(part)
    return code


def check(document):
    """A profile with every key, places and codes as integers. ValueError, a sentence, for what is none."""
    if not isinstance(document, dict):
        raise ValueError("a profile is a JSON object")
    for key in document:
        if key not in _KEYS:
            raise ValueError("a profile has no %s" % key)
    found = {"clock": document.get("clock", "local"), "objects": bool(document.get("objects")), "scales": {},
             "names": {}}
    if found["clock"] not in ("local", "standard"):
        raise ValueError("clock is local or standard")
    for key in ("name", "shape", "text", "model"):
        found[key] = document.get(key, "")
        if not isinstance(found[key], str):
            raise ValueError("%s is a text" % key)
    for key in ("fields", "scales", "names"):
        if not isinstance(document.get(key, {}), dict):
            raise ValueError("%s is a JSON object" % key)
    if "fields" in document:
        found["fields"] = {}
        if not found["shape"]:
            raise ValueError("fields need a shape")
        for place, field in document["fields"].items():
            name, factor = field if isinstance(field, list) and len(field) == 2 else (field, 1)
            if not place.isdigit() or int(place) >= len(found["shape"]):
                raise ValueError("fields: there is no place %s in the shape" % place)
            if not _is_name(name) or not _is_factor(factor):
                raise ValueError("fields: %s is no name and factor" % json.dumps(field))
            found["fields"][int(place)] = name, factor
    for code, factor in document.get("scales", {}).items():
        if not _is_factor(factor):
            raise ValueError("scales: %s is no factor" % json.dumps(factor))
        found["scales"][_groups(code, 2)] = factor
    for code, name in document.get("names", {}).items():
        if not _is_name(name):
            raise ValueError("names: %s is no name" % json.dumps(name))
        found["names"][_groups(code, 3)] = name
    return found


def _begins(buf, walker, text):
    for item in walker.items[:HEADS]:
        if isinstance(item, tuple) and buf.startswith(text.encode(), item[0]):
            return True
    return not text


def _fits(profile, buf, walker):
    wanted, shape = profile.get("shape", ""), walker.shape
    if profile.get("objects") and not walker.objects:
        return False
    if wanted:
        if len(wanted) != len(shape):
            return False
        for i in range(len(wanted)):  # a value that is left out is null
            if wanted[i] != shape[i] and shape[i] != "n" and not (wanted[i] == "i" and shape[i] in "1248"):
                return False
    return _begins(buf, walker, profile.get("text", "")) and _begins(buf, walker, profile.get("model", ""))


def find(buf, walker, pairs, own=None):
    """The checked profile that fits a walked list, or None; `pairs`: its codes and values, if it has some. The file is
    read a line at a time: all of it would not fit."""
    if own:
        profile = check(own)
        if _fits(profile, buf, walker):
            return profile
    with open(_FILE) as file:
        while True:
            line = file.readline()
            if not line:
                return None
            profile = json.loads(line)
            if _fits(profile, buf, walker) and ("fields" in profile or pairs):
                return check(profile)
