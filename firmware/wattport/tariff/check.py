# SPDX-License-Identifier: MIT
"""What a contract may be. Loaded for a check, then forgotten; docs/tariffs.md tells the form.

`check` refuses what is unknown, missing or impossible with TariffError, whose text begins with the place:
"versions[1].grid.bands[0].hours: …".
"""

from micropython import const

from wattport.tariff import terms
from wattport.tariff.terms import TariffError

FORM = 1  # of the document; another one would take a step in `check`
PRICED = "energy tax grid export"  # for a kilowatt-hour
PARTS = "energy tax grid standing capacity export"  # what value-added tax may be on
_MOST = const(1000000000)  # micro-units of the currency: what a small integer of the chip can hold
_VERSIONS = const(60)
_BANDS = const(16)
_HOLIDAYS = const(32)
_CAPACITIES = const(8)
_STEPS = const(24)


def _refuse(place, wanted):
    raise TariffError("%s: %s" % (place, wanted))


def _whole(value, place, least, most):
    if type(value) is not int or not least <= value <= most:
        _refuse(place, "a whole number from %d to %d is needed" % (least, most))


def _micro(value, place):
    _whole(value, place, -_MOST, _MOST)


def _keys(value, place, needed, possible=""):
    if not isinstance(value, dict):
        _refuse(place, "a JSON object is needed")
    place += "." if place else ""
    for key in needed.split():
        if key not in value:
            _refuse(place + key, "it is missing")
    for key in value:
        if key not in needed.split() and key not in possible.split():
            _refuse(place + key, "there is no such entry here")


def _list(value, place, least, most):
    if not isinstance(value, list) or not least <= len(value) <= most:
        _refuse(place, "a list of %d to %d entries is needed" % (least, most))


def _text(value, place, most):
    fine = isinstance(value, str) and 0 < len(value) <= most
    for char in value if fine else "":
        code = ord(char)  # halves of a pair (UTF-16) are what MicroPython takes for text and nobody else does
        fine = fine and (32 <= code < 0xD800 or 0xE000 <= code < 0x110000)
    if not fine:
        _refuse(place, "a text of one line, at most %d characters, is needed" % most)


def _term(read, value, place, wanted, *more):
    try:
        return read(value, *more)
    except (ValueError, TypeError, AttributeError, IndexError):
        _refuse(place, wanted)


def _when(band, place):
    if "hours" in band:
        _term(terms.hours, band["hours"], place + ".hours",
              "hours such as 07:00-11:30,17:00-22:00, each a half-hour's, are needed")
    if "days" in band:
        _term(terms.mask, band["days"], place + ".days",
              "days such as mon-fri,hol are needed, of mon tue wed thu fri sat sun hol", terms.DAYS)
    if "months" in band:
        _term(terms.mask, band["months"], place + ".months", "months such as nov-mar are needed", terms.MONTHS)


def _price(price, place):
    """One of four kinds, told apart by a key."""
    if not isinstance(price, dict):
        _refuse(place, "a JSON object is needed")
    if "bands" in price:
        _keys(price, place, "micro bands")
        _micro(price["micro"], place + ".micro")
        _list(price["bands"], place + ".bands", 1, _BANDS)
        for i, band in enumerate(price["bands"]):
            here = "%s.bands[%d]" % (place, i)
            _keys(band, here, "micro", "hours days months")
            _micro(band["micro"], here + ".micro")
            if len(band) < 2:
                _refuse(here, "hours, days or months are needed")
            _when(band, here)
    elif "day_register" in price:
        _keys(price, place, "day_register day_micro night_micro fallback_micro")
        _whole(price["day_register"], place + ".day_register", 1, 2)
        for key in ("day_micro", "night_micro", "fallback_micro"):
            _micro(price[key], "%s.%s" % (place, key))
    elif "spot_permille" in price:
        _keys(price, place, "spot_permille add_micro fallback_micro")
        _whole(price["spot_permille"], place + ".spot_permille", 0, 10000)
        _micro(price["add_micro"], place + ".add_micro")
        _micro(price["fallback_micro"], place + ".fallback_micro")
    else:
        _keys(price, place, "micro")
        _micro(price["micro"], place + ".micro")


def _capacity(part, place):
    """One of three kinds."""
    if isinstance(part, dict) and "steps" in part:
        _keys(part, place, "steps", "months average_months")
        _list(part["steps"], place + ".steps", 1, _STEPS)
        below = 0
        for i, step in enumerate(part["steps"]):
            here = "%s.steps[%d]" % (place, i)
            _keys(step, here, "month_micro", "below_w")
            _micro(step["month_micro"], here + ".month_micro")
            last = i == len(part["steps"]) - 1
            if last == ("below_w" in step):
                _refuse(here, "each step but the last one, and only those, needs below_w")
            if not last:
                _whole(step["below_w"], here + ".below_w", below + 1, _MOST)
                below = step["below_w"]
    elif isinstance(part, dict) and "excess_micro" in part:
        _keys(part, place, "excess_micro", "months")
        _micro(part["excess_micro"], place + ".excess_micro")
    else:
        _keys(part, place, "kw_month_micro", "least_w months average_months")
        _micro(part["kw_month_micro"], place + ".kw_month_micro")
        _whole(part.get("least_w", 0), place + ".least_w", 0, _MOST)
    _whole(part.get("average_months", 1), place + ".average_months", 1, 12)
    _when(part, place)


def _version(version, place, first, after):
    """Gives the day it is valid from; None: ever since."""
    _keys(version, place, "energy" if first else "from energy", "from export tax grid standing capacity vat_permille")
    day = None
    if "from" in version:
        day = _term(terms.date, version["from"], place + ".from", "a date such as 2026-01-31 is needed")
        if after is not None and day <= after:
            _refuse(place + ".from", "it must be later than that of the version before")
    for name in PRICED.split():
        if name in version:
            _price(version[name], "%s.%s" % (place, name))
    standing = version.get("standing", {})
    _keys(standing, place + ".standing", "", "day_micro month_micro")
    for key in standing:
        _micro(standing[key], "%s.standing.%s" % (place, key))
    parts = version.get("capacity", [])
    _list(parts, place + ".capacity", 0, _CAPACITIES)
    for i, part in enumerate(parts):
        _capacity(part, "%s.capacity[%d]" % (place, i))
    vat = version.get("vat_permille", {})
    _keys(vat, place + ".vat_permille", "", PARTS)
    for key in vat:
        _whole(vat[key], "%s.vat_permille.%s" % (place, key), 0, 1000)
    return day


def check(document):
    """The document itself, or TariffError."""
    if not isinstance(document, dict):
        raise TariffError("the contract is no JSON object")
    _keys(document, "", "tariff name currency versions", "holidays")
    if document["tariff"] != FORM or type(document["tariff"]) is not int:
        _refuse("tariff", "this program knows form %d of contracts" % FORM)
    _text(document["name"], "name", 80)
    code = document["currency"]
    if not isinstance(code, str) or len(code) != 3 or not min([65 <= ord(char) <= 90 for char in code]):
        _refuse("currency", "three capital letters, such as EUR, NOK or GBP, are needed")
    entries = document.get("holidays", [])
    _list(entries, "holidays", 0, _HOLIDAYS)
    for i, entry in enumerate(entries):
        _term(terms.holiday, entry, "holidays[%d]" % i,
              "a day such as 12-25, easter+1 or 2026-06-01 is needed", 2024)
    _list(document["versions"], "versions", 1, _VERSIONS)
    day = None
    for i, version in enumerate(document["versions"]):
        day = _version(version, "versions[%d]" % i, i == 0, day)
    return document
