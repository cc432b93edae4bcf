# SPDX-License-Identifier: MIT
"""What half-hours cost by a contract.

All sums are exact integers: units of 1/(2000 · 1000 · 377580) of 1e-9 of the currency. 2000 as `price` has it, 1000 for
value-added tax in per mille, and 377580, which 28, 29, 30 and 31 divide, as what is paid by the month is paid for the
days of it. Rounding comes last, by `micro` or `cents`: half away from zero.
"""

from micropython import const

from wattport.clock import month_length
from wattport.modules import load
from wattport.tariff import price

MISSED = ("rows", "contract", "prices", "registers", "peaks")
PARTS = ("energy", "tax", "grid", "standing", "capacity", "export", "vat")
_WAYS = (("energy", 0), ("tax", 0), ("grid", 0), ("export", 1))
_MONTHS = const(377580)  # the least common multiple of the lengths of months
_PERMILLE = const(1000)
_NANO = 2000 * 1000 * 377580


def _rounded(value, unit):
    half = unit // 2
    return (value + half) // unit if value >= 0 else -((half - value) // unit)


def micro(value):
    """An exact sum in micro-units of the currency."""
    return _rounded(value, 1000 * _NANO)


def cents(value):
    return _rounded(value, 10000000 * _NANO)


class Account:
    """One contract, charged day by day.

    read(): its checked document; it is read again when another version holds, so that only that one is in the heap.
    prices: has fill(currency, start, count, into), see `Day.spot`, or None. peaks: {"2026-01": W}, excess: {"2026-01":
    Wh above the reference power}, both of the household's whole connection.

    `step`: the sums since the last close(), in the order of PARTS; `whole`: those of all closed ones. `missing`, in the
    order of MISSED: half-hours that had no row, no contract yet, no price or no register, and months without a peak.
    """

    def __init__(self, read, prices=None, peaks=None, excess=None):
        self._read = read
        self.prices = prices
        self._peaks = peaks or {}
        self._excess = excess or {}
        document = read()
        self.name, self.currency = document["name"], document["currency"]
        self._starts = []
        for version in document["versions"]:
            self._starts.append(load("wattport.tariff.terms", "date")(version["from"]) if "from" in version else -1)
        self._has_holidays = bool(document.get("holidays"))
        document = None
        self._year = None
        self._holidays = []
        self._at = -1
        self._parts = []
        self._days = 0
        self._month = None
        self.step = [0] * len(PARTS)
        self.whole = [0] * len(PARTS)
        self.missing = [0] * len(MISSED)

    def is_holiday(self, day):
        if self._has_holidays and self._year != day.year:
            self._year = day.year
            holiday = load("wattport.tariff.terms", "holiday")
            self._holidays = [holiday(text, day.year) for text in self._read()["holidays"]]
        return day.number in self._holidays

    def take(self, day):
        """A generator: None after each piece of work."""
        month = day.year * 12 + day.month - 1
        if self._month != month:
            self._settle()
            self._month = month
        at = self._at
        while at + 1 < len(self._starts) and self._starts[at + 1] <= day.number:
            at += 1
        if at != self._at:
            self._settle()
            self._begin(at)
        self.missing[0] += day.wanted - day.rows
        if at < 0:
            self.missing[1] += day.rows
            return
        self._days += day.begins
        for _, part in self._parts:
            part.take(day, self)
            yield None

    def _begin(self, at):
        self._at = at
        self._parts = []
        version = self._read()["versions"][at]
        for name, way in _WAYS:
            if name in version:
                self._parts.append((PARTS.index(name), price.make(version[name], way)))
        standing = version.get("standing", {})
        self._day, self._month_price = standing.get("day_micro", 0), standing.get("month_micro", 0)
        self._capacity = version.get("capacity", ())
        vat = version.get("vat_permille", {})
        self._vat = [vat.get(name, 0) for name in PARTS]

    def _book(self, part, amount):
        """amount: in units of _NANO // 1000."""
        self.step[part] += amount * _PERMILLE
        self.step[6] += amount * self._vat[part]

    def _settle(self):
        """What was collected of one month under one version."""
        for part, kind in self._parts:
            amount = kind.settle() * _MONTHS
            self._book(part, -amount if part == 5 else amount)
        if not self._days:
            return
        year, month = self._month // 12, self._month % 12 + 1
        share = 2000 * (_MONTHS // month_length(year, month)) * self._days  # of 1e-9 a month
        self._book(3, self._day * 1000 * 2000 * _MONTHS * self._days + self._month_price * 1000 * share)
        if self._capacity:
            amount, missing = load("wattport.tariff.capacity", "month")(
                self._capacity, self._peaks, self._excess, year, month)
            self._book(4, amount * share)
            self.missing[4] += missing
        self._days = 0

    def close(self):
        """The end of a step; `step` holds it until the next day is taken, then call `open`."""
        self._settle()
        for i in range(len(PARTS)):
            self.whole[i] += self.step[i]

    def open(self):
        for i in range(len(PARTS)):
            self.step[i] = 0
        self.missing = [0] * len(MISSED)
