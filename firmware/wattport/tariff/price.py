# SPDX-License-Identifier: MIT
"""The price of a kilowatt-hour, of four kinds. Each collects what a day brings and settles it now and then.

`take(day, account)` a Day; `settle()` gives the amount since the last time, in 2000ths of 1e-9 of the currency: Wh by
micro-units a kWh, by 2 as spot prices come in halves, by 1000 as a contract may take a share of them in per mille.
`account.missing` counts half-hours that had to be charged by the fallback price.
"""

from micropython import const

from wattport.modules import load
from wattport.tariff.days import MISSING

_SCALE = const(2000)
_HOLIDAY = const(7)


class _Flat:
    def __init__(self, price, way):
        self._micro = price["micro"]
        self._way = way
        self._wh = 0

    def take(self, day, account):
        self._wh += day.sums[self._way]

    def settle(self):
        wh, self._wh = self._wh, 0
        return wh * self._micro * _SCALE


class _Registers:
    """Day and night as the meter has counted them: the day is T1 in Belgium, T2 in the Netherlands."""

    def __init__(self, price, way):
        self._micro = [price["day_micro"], price["night_micro"]]
        if price["day_register"] == 2:
            self._micro.reverse()
        self._micro.append(price["fallback_micro"])
        self._way = way
        self._wh = [0, 0, 0]

    def take(self, day, account):
        way, wh = self._way, self._wh
        wh[0] += day.registers[way][0]
        wh[1] += day.registers[way][1]
        wh[2] += day.bare[way]
        account.missing[3] += day.bare_rows[way]

    def settle(self):
        amount = 0
        for i in range(3):
            amount += self._wh[i] * self._micro[i]
            self._wh[i] = 0
        return amount * _SCALE


class _Bands:
    """By the clock: the first band that fits, otherwise the price without one."""

    def __init__(self, price, way):
        self._way = way
        self._bands = []
        self._micro = []
        for band in price["bands"]:
            self._micro.append(band["micro"])
            self._bands.append(load("wattport.tariff.terms", "when")(band))
        self._micro.append(price["micro"])
        self._wh = [0] * len(self._micro)
        self._fit = None
        self._at = bytearray(48)  # band of each half-hour of a day

    def _look(self, kind, month):
        """Which band holds when on such a day."""
        fit = 0
        for i, (_, of_days, months) in enumerate(self._bands):
            if of_days >> kind & 1 and months >> month - 1 & 1:
                fit |= 1 << i
        if fit == self._fit:  # most days are like the one before
            return
        self._fit = fit
        at = self._at
        for slot in range(48):
            at[slot] = len(self._bands)
        for i in range(len(self._bands) - 1, -1, -1):
            if fit >> i & 1:
                hours = self._bands[i][0]
                for slot in range(48):
                    if hours is None or hours[slot]:
                        at[slot] = i

    def take(self, day, account):
        if not day.sums[self._way]:
            return
        self._look(_HOLIDAY if account.is_holiday(day) else day.weekday, day.month)
        sums, at, clock, wh = self._wh, self._at, day.clock, day.wh[self._way]
        for i in range(day.count):
            sums[at[clock[i]]] += wh[i]

    def settle(self):
        amount = 0
        for i in range(len(self._wh)):
            amount += self._wh[i] * self._micro[i]
            self._wh[i] = 0
        return amount * _SCALE


class _Spot:
    """A share of the market's price for each half-hour, and something on top."""

    def __init__(self, price, way):
        self._permille = price["spot_permille"]
        self._add = price["add_micro"]
        self._fallback = price["fallback_micro"]
        self._way = way
        self._spot = self._wh = self._bare = 0

    def take(self, day, account):
        if not day.sums[self._way]:
            return
        wh, prices = day.wh[self._way], day.spot(account.prices, account.currency)
        spot = bare = missing = 0
        for i in range(day.count):
            if prices[i] != MISSING:
                spot += wh[i] * prices[i]
            elif wh[i]:
                bare += wh[i]
                missing += 1
        self._spot += spot
        self._bare += bare
        self._wh += day.sums[self._way] - bare
        account.missing[2] += missing

    def settle(self):
        amount = self._spot * self._permille + (self._wh * self._add + self._bare * self._fallback) * _SCALE
        self._spot = self._wh = self._bare = 0
        return amount


def make(price, way):
    """Of one in a contract; way: 0 for import, 1 for export."""
    kind = (_Bands if "bands" in price else _Registers if "day_register" in price
            else _Spot if "spot_permille" in price else _Flat)
    return kind(price, way)
