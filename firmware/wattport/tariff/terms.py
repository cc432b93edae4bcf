# SPDX-License-Identifier: MIT
"""When a price holds, as a contract says it: "mon-fri,hol", "nov-mar", "07:00-22:00", "easter+1"."""

from wattport.clock import days, month_length

DAYS = "mon tue wed thu fri sat sun hol"  # a holiday is none of the others
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"


class TariffError(Exception):
    """What is wrong with a contract, behind the place of it."""


def _number(text):
    """Of digits and nothing else, as int() takes more; ValueError."""
    for char in text:
        if char not in "0123456789":
            raise ValueError
    return int(text)


def mask(text, names):
    """Bits of the names in "a,b-c", a range may go round; ValueError."""
    names = names.split()
    found = 0
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        at, end = names.index(first), names.index(last if dash else first)
        while True:
            found |= 1 << at
            if at == end:
                break
            at = (at + 1) % len(names)
    return found


def _half_hour(text):
    hour, colon, minute = text.strip().partition(":")
    if len(hour) != 2 or minute not in ("00", "30"):
        raise ValueError
    number = _number(hour) * 2 + (minute == "30")
    if number > 48:
        raise ValueError
    return number


def hours(text):
    """48 bytes, 1 for each half-hour of the day in "00:30-07:30,22:00-01:00"; ValueError."""
    found = bytearray(48)
    for part in text.split(","):
        first, dash, last = part.partition("-")
        at, end = _half_hour(first), _half_hour(last) % 48
        if at == 48:
            raise ValueError
        while True:
            found[at] = 1
            at = (at + 1) % 48
            if at == end:
                break
    return bytes(found)


def date(text):
    """The day, counted from 1970, of "2026-01-31"; ValueError."""
    year, month, day = [_number(part) for part in text.split("-")]
    if not (len(text) == 10 and text[4] == text[7] == "-" and 2000 <= year < 2100 and 1 <= month <= 12
            and 1 <= day <= month_length(year, month)):
        raise ValueError
    return days(year, month, day)


def easter(year):
    """Easter Sunday's day (Gregorian calendar; the computus as Meeus, Jones and Butcher wrote it down)."""
    century, rest = year // 100, year % 100
    epact = (19 * (year % 19) + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (year % 19 + 11 * epact + 22 * weekday) // 451
    return days(year, 3, 22) + epact + weekday - 7 * late


def holiday(text, year):
    """The day of "12-25", "easter+39", "easter-2" or "2026-06-01" in a year, None where it has none; ValueError."""
    if text.startswith("easter"):
        away = text[6:]
        if away and (away[0] not in "+-" or not 2 <= len(away) <= 3):
            raise ValueError
        number = _number(away[1:] or "0")
        return easter(year) + (-number if away[:1] == "-" else number)
    if len(text) == 5:
        if text == "02-29":
            return days(year, 2, 29) if month_length(year, 2) == 29 else None
        return date("%d-%s" % (year, text))
    day = date(text)
    return day if int(text[:4]) == year else None


def when(band):
    """(48 bytes as `hours` or None, mask of days, mask of months) of a band."""
    return (hours(band["hours"]) if "hours" in band else None, mask(band.get("days", "mon-hol"), DAYS),
            mask(band.get("months", "jan-dec"), MONTHS))
