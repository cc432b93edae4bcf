# SPDX-License-Identifier: MIT
"""Civil time of meters → UTC seconds since 1970, by the rules of a time zone, and what a zone is ahead of UTC."""

_DAYS = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


def days(year, month, day):
    """Days from 1970-01-01 to a Gregorian date."""
    before = year - 1 if month < 3 else year
    leaps = before // 4 - before // 100 + before // 400 - 477
    return (year - 1970) * 365 + leaps + _DAYS[month - 1] + day - 1


def year_of(day):
    """The year of a day, which is counted from 1970-01-01."""
    year = 1970 + day * 400 // 146097
    if days(year, 1, 1) > day:
        return year - 1
    return year if days(year + 1, 1, 1) > day else year + 1


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


class Zone:
    """`standard` and `summer` are seconds to add to UTC; `posixzone.parse` makes one from its POSIX text.

    A change is (month, week 1 to 5, weekday, seconds of the day), both None in a zone without summer time.
    """

    def __init__(self, standard, summer, start=None, end=None):
        self.standard = standard
        self.summer = summer
        self._start = start
        self._end = end

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

    def utc(self, year, month, day, hour, minute, second, summer=None, later=False):
        """UTC of a wall clock; `summer` True or False when the meter says it, None to go by the rule. Of the hour that
        comes twice the rule takes the first, or the second one if `later`."""
        local = seconds(year, month, day, hour, minute, second)
        if summer is None:
            summer = self._summer_at(local, year) and (not later or self._summer_at(local + 3600, year))
        return local - (self.summer if summer else self.standard)

    def offset(self, utc):
        """Seconds that the wall clock is ahead of UTC at `utc`, seconds since 1970."""
        if not self._start:
            return self.standard
        year = year_of((utc + self.standard) // 86400)
        start = self._change(year, self._start) - self.standard
        end = self._change(year, self._end) - self.summer
        summer = start <= utc < end if start < end else not end <= utc < start
        return self.summer if summer else self.standard
