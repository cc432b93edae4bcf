# SPDX-License-Identifier: MIT
"""Civil time of meters → UTC seconds since 1970, by the rules of a POSIX time zone.

A zone is written as POSIX (IEEE 1003.1, 8.3) writes it, "CET-1CEST,M3.5.0,M10.5.0/3": no table of places on the device.
"""

CENTRAL_EUROPE = "CET-1CEST,M3.5.0,M10.5.0/3"
_DAYS = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


def days(year, month, day):
    """Days from 1970-01-01 to a Gregorian date."""
    before = year - 1 if month < 3 else year
    leaps = before // 4 - before // 100 + before // 400 - 477
    return (year - 1970) * 365 + leaps + _DAYS[month - 1] + day - 1


def month_length(year, month):
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def seconds(year, month, day, hour, minute, second):
    """Seconds since 1970 as if the fields were UTC; ValueError when they are no date or time."""
    if not (2000 <= year < 2100 and 1 <= month <= 12 and 1 <= day <= month_length(year, month)
            and 0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        raise ValueError("no date")
    return days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second


class _Reader:
    """Walks through the text of a zone."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def peek(self):
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self, char):
        if self.peek() != char:
            return False
        self.at += 1
        return True

    def name(self):
        if self.take("<"):
            self.at = self.text.index(">", self.at) + 1
            return
        start = self.at
        while self.peek().isalpha():
            self.at += 1
        if self.at - start < 3:
            raise ValueError("a zone's name has three letters or more")

    def number(self):
        start = self.at
        while self.peek().isdigit():
            self.at += 1
        return int(self.text[start:self.at])

    def time(self):
        """[+-]hh[:mm[:ss]] in seconds."""
        sign = -1 if self.take("-") else 1
        self.take("+")
        value = self.number() * 3600
        for unit in (60, 1):
            if self.take(":"):
                value += self.number() * unit
        return sign * value

    def rule(self):
        """Mm.w.d[/time]: (month, week, weekday, seconds of the day)."""
        if not self.take("M"):
            raise ValueError("a rule of the form Mm.w.d is needed")
        month = self.number()
        self.take(".")
        week = self.number()
        self.take(".")
        weekday = self.number()
        if not (1 <= month <= 12 and 1 <= week <= 5 and 0 <= weekday <= 6):
            raise ValueError("a rule Mm.w.d is out of range")
        return month, week, weekday, self.time() if self.take("/") else 7200


class Zone:
    """`standard` and `summer` are seconds to add to UTC; ValueError when the text is no POSIX zone."""

    def __init__(self, text=CENTRAL_EUROPE):
        reader = _Reader(text)
        reader.name()
        self.standard = self.summer = -reader.time()
        self._start = self._end = None
        if reader.peek():
            reader.name()
            self.summer = -reader.time() if reader.peek() not in ("", ",") else self.standard + 3600
            if reader.take(","):
                self._start = reader.rule()
                if not reader.take(","):
                    raise ValueError("the second rule is missing")
                self._end = reader.rule()
        if reader.peek():
            raise ValueError("text after the zone")

    def _change(self, year, rule):
        """Local seconds since 1970 at which a rule strikes."""
        month, week, weekday, time = rule
        first = days(year, month, 1)
        day = first + (weekday - (first + 4)) % 7 + 7 * (week - 1)  # 1970-01-01 was a Thursday, day 4
        if day >= first + month_length(year, month):
            day -= 7
        return day * 86400 + time

    def _summer_at(self, local, year):
        """True when local wall time `local` is summer time; the repeated hour counts as summer time."""
        if not self._start:
            return False
        start, end = self._change(year, self._start), self._change(year, self._end)
        return start <= local < end if start < end else not end <= local < start

    def utc(self, year, month, day, hour, minute, second, summer=None):
        """UTC of a wall clock; `summer` True or False when the meter says it, None to go by the rule."""
        local = seconds(year, month, day, hour, minute, second)
        if summer is None:
            summer = self._summer_at(local, year)
        return local - (self.summer if summer else self.standard)

    def offset(self, utc, year):
        """Seconds to add to UTC to get local time at `utc`, which lies in `year`."""
        if not self._start:
            return self.standard
        start = self._change(year, self._start) - self.standard
        end = self._change(year, self._end) - self.summer
        inside = start <= utc < end if start < end else not end <= utc < start
        return self.summer if inside else self.standard
