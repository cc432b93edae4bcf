# SPDX-License-Identifier: MIT
"""A time that somebody asks for: UTC seconds since 1970, or a date. Loaded for that, then forgotten."""

from wattport.civil import day
from wattport.clock import seconds
from wattport.web.refused import Refused

_LAST_S = 4102444800  # 2100


def read(zone, text):
    """UTC seconds of "1760000000", or of when the household's day "2026-03-29" begins; Refused when it is neither."""
    if text.isdigit() and len(text) < 11 and int(text) <= _LAST_S:
        return int(text)
    parts = text.split("-")
    try:
        if [len(part) for part in parts] != [4, 2, 2] or not text.replace("-", "").isdigit():
            raise ValueError
        year, month, date = [int(part) for part in parts]
        return day(zone, seconds(year, month, date, 12, 0, 0) - zone.standard)[0]
    except ValueError:
        raise Refused(400, "bad_request", "A time is UTC seconds since 1970, or a date such as 2026-03-29.")
