# SPDX-License-Identifier: MIT
"""UTC → the household's date and day: the inverse of clock.py. Needed once a day or so, hence a module of its own."""

from wattport.clock import days, year_of


def fields(seconds):
    """(year, month, day, hour, minute, second, weekday; Monday is 0) of seconds since 1970: for a zone's civil time
    add its `offset`."""
    day = seconds // 86400
    rest = seconds - day * 86400
    year = year_of(day)
    month = 12
    while days(year, month, 1) > day:
        month -= 1
    return (year, month, day - days(year, month, 1) + 1, rest // 3600, rest // 60 % 60, rest % 60, (day + 3) % 7)


def _starts(zone, day):
    """UTC at which a local day begins: its first second, wherever summer time puts that. `day` counts from 1970."""
    ahead = max(zone.standard, zone.summer)
    early = day * 86400 - ahead
    if (early + zone.offset(early)) // 86400 >= day:
        return early
    # by the clock that is not ahead; where 00:00 is skipped, that is the moment of the change
    return day * 86400 - min(zone.standard, zone.summer)


def day(zone, utc):
    """(start, end) in UTC of the household's day that `utc` lies in; 23 or 25 hours apart when the clocks change."""
    number = (utc + zone.offset(utc)) // 86400
    start = _starts(zone, number)
    if utc < start:  # the last hour of a day, for the second time, in a zone that turns back at midnight
        number -= 1
        start = _starts(zone, number)
    return start, _starts(zone, number + 1)


def local(wall):
    """The household's time by its wall clock, as `fields` gives it, or None."""
    utc = wall.utc()
    return None if utc is None else fields(utc + wall.zone.offset(utc))
