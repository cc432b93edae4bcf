# SPDX-License-Identifier: MIT
"""What the places of a COSEM list mean: worked out once a list, then let go of.

Three kinds of list: each value with its OBIS code, its scaler and its unit, which needs nothing else; OBIS codes and
values alone, or a list of pushed objects and the values behind it, whose units a profile knows; and values alone, which
a profile names by their place.
"""

from wattport.decode import profile as profiles
from wattport.decode.cosem import code_at
from wattport.decode.units import UNITS
from wattport.reading import name_of, unit_of

_NONE = 255
_MOST_SCALE = 9  # a broken one must not fill the heap with zeros
_TIME = 0x010000
_NAMES = {0x600100: "meter_id", 0x600107: "meter_model", 0x600101: "meter_id", 0x2A0000: "meter_id"}
_TEXTS = ("meter_id", "meter_model")
_NOT_NUMBERS = _TEXTS + ("time", "tariff")
_NUMBERS = "1248eb"
_PLAIN = ("W", "VA", "VAR", "WH", "VAH", "VARH")


def _pairs(buf, walker):
    """[(code, index of its value), ...]"""
    items, shape, objects = walker.items, walker.shape, walker.objects
    if objects:
        # the list itself is the first object; what follows are the others, one item each
        if len(items) != len(objects) - 1:
            return []
        return [(objects[i + 1], i) for i in range(len(items))]
    return [(code_at(buf, items[i][0]), i + 1) for i in range(len(items) - 1)
            if shape[i] == "c" and shape[i + 1] != "c"]


def _factor(name, scale, unit):
    """What a value times ten to the power of `scale` in `unit` is multiplied with, negative to divide; 0 when the
    unit is another one."""
    wanted, exponent = unit_of(name)
    if unit != wanted and unit != "" or abs(scale) > _MOST_SCALE:
        return 0
    exponent += scale
    return 10 ** exponent if exponent >= 0 else -10 ** -exponent


def make(buf, walker, own=None):
    """(clock, [index, name, factor, ...]) of a list walked with detail, or a sentence that says why there is none.

    A factor of 0 stands for a text or a time. `own`: the household's profile, tried before those that are built in.
    """
    pairs = _pairs(buf, walker)
    profile = profiles.find(buf, walker, pairs, own)
    shape, scales = walker.shape, walker.scales
    plan = []
    if not profile and not scales:
        return ("no profile fits this list: %d values, shape %s" % (len(walker.items), walker.shape))
    known = []
    fields = profile.get("fields", {}) if profile else {}
    for place, (name, factor) in fields.items():
        known.append(name)
        if name in _NOT_NUMBERS:
            plan += [place, name, 0]
        elif shape[place] in _NUMBERS:
            plan += [place, name, factor]
    for code, place in pairs:
        if code == _TIME:
            if shape[place] == "t":
                plan += [place, "time", 0]
            continue
        name = profile and profile["names"].get(code) or _NAMES.get(code) or name_of(code)
        if not name or name in known or shape[place] == "n":
            continue
        factor = 0
        if name not in _NOT_NUMBERS:
            if shape[place] not in _NUMBERS:
                continue
            if place in scales:
                scaler, unit = scales[place]
                factor = _factor(name, scaler, "" if unit == _NONE else UNITS.get(unit, "?"))
            elif profile:
                factor = profile["scales"].get(code >> 8, 0) or profile["scales"].get(code >> 8 & 0xFF, 0) or 1
            elif unit_of(name)[0] in _PLAIN or not unit_of(name)[0]:
                factor = 1  # beside others with a scaler: this one has none
            if not factor:
                continue
        known.append(name)
        plan += [place, name, factor]
    if not plan:
        return "nothing known is in the list"
    return profile["clock"] if profile else "local", plan
