# SPDX-License-Identifier: MIT
"""What goes on in a house: appliances, sun, weather and grid, each a pure function of the seed and the time.

Nothing here remembers anything, so a household can be looked at in steps of any size and in any order."""

import functools
import hashlib
import math
import random
from typing import NamedTuple

DAY_S = 86400
ALL_PHASES = -1
LATITUDE = math.radians(52)

# (stream of chance, chance a day, earliest and latest start in UTC hours, shortest and longest s,
#  phase, least and most W, reactive share in thousandths, on s, period s)
APPLIANCES = (
    ("kettle", 0.95, 6, 7, 120, 240, 0, 1900, 2200, 0, 1, 1),
    ("coffee", 0.7, 8, 15, 60, 180, 0, 1200, 1500, 0, 1, 1),
    ("hob", 0.85, 16, 18, 1200, 3000, 1, 1500, 2600, 0, 20, 35),
    ("oven", 0.25, 16, 17, 2400, 4200, 2, 2000, 2400, 0, 60, 150),
    ("washing", 0.4, 8, 19, 900, 1500, 2, 1900, 2100, 20, 1, 1),
    ("tumbling", 0.35, 11, 20, 4200, 6600, 2, 250, 400, 500, 1, 1),
    ("vacuum", 0.2, 9, 13, 600, 1500, 0, 700, 900, 300, 1, 1),
    ("television", 0.9, 18, 20, 5400, 10800, 2, 110, 180, 100, 1, 1),
    ("lights", 1.0, 16, 18, 14400, 21600, 1, 120, 260, 50, 1, 1),
    ("car", 0.3, 20, 23, 5400, 16200, ALL_PHASES, 3600, 3700, 10, 1, 1),
)
# (stream, chance a day, earliest and latest UTC hour, shortest and longest s, l/h of water, l/h of gas)
TAPS = (
    ("shower", 0.97, 5, 7, 300, 700, 540, 1700),
    ("second shower", 0.6, 6, 8, 300, 600, 540, 1700),
    ("dishes", 0.8, 17, 19, 180, 400, 300, 900),
    ("garden", 0.08, 17, 19, 600, 1800, 700, 0),
)


class Moment(NamedTuple):
    load_w: tuple  # consumption of each phase
    sun_w: tuple  # production on each phase
    reactive_var: tuple  # + inductive
    grid_mv: tuple  # each phase's voltage before the load pulls on it
    gas_lph: int
    water_lph: int


class Dip(NamedTuple):
    start: int
    end: int
    phase: int
    level_mv: int  # a sag's or a swell's


class Life:
    def __init__(self, seed, phases):
        self.seed = seed
        self.phases = phases
        chance = random.Random("%s/house" % seed)
        self.base_w = (chance.randint(55, 95), chance.randint(20, 45), chance.randint(30, 60))
        self.capacitive_var = (chance.randint(60, 130), chance.randint(20, 50), chance.randint(30, 80))
        self.offset_mv = tuple(chance.randint(-1500, 1500) for _ in range(3))
        self.fridge_shift = chance.randrange(3600)
        self.peak_sun_w = chance.randint(3000, 6000)
        self.heat_pump = chance.random() < 0.3
        self._corners = {}
        self._day = functools.lru_cache(4)(self._draw_day)

    # chance

    def _unit(self, stream, slot):
        digest = hashlib.blake2b(b"%d/%s/%d" % (self.seed, stream.encode(), slot), digest_size=4).digest()
        return int.from_bytes(digest, "big") / 0x100000000

    def _smooth(self, stream, time, period):
        """A wandering value in 0…1 that takes a new direction once each period."""
        slot = time // period
        corner = self._corners.get(stream)
        if corner is None or corner[0] != slot:
            corner = self._corners[stream] = slot, self._unit(stream, slot), self._unit(stream, slot + 1)
        _, a, b = corner
        return a + (b - a) * (time % period) / period

    def _draw_day(self, day):
        """(appliances, taps, sags and swells, failures) that begin on a day."""
        chance = random.Random("%s/%d" % (self.seed, day))
        begin = day * DAY_S

        def draw(probability, first_hour, last_hour, shortest, longest):
            happens = chance.random() < probability
            start = begin + chance.randint(first_hour * 3600, last_hour * 3600)
            length = chance.randint(shortest, longest)
            return (start, start + length) if happens else None

        appliances, taps = [], []
        for _, often, first, last, short, long, phase, least, most, share, on, period in APPLIANCES:
            watts = chance.randint(least, most)
            span = draw(often, first, last, short, long)
            if span:
                appliances.append((*span, phase, watts, watts * share // 1000, on, period))
        for _, often, first, last, short, long, water, gas in TAPS:
            span = draw(often, first, last, short, long)
            if span:
                taps.append((*span, water, gas))
        dips = []
        for often, low, high in ((0.12, 184_000, 198_000), (0.04, 254_000, 258_000)):
            span = draw(often, 0, 23, 2, 20)
            phase, level = chance.randrange(self.phases), chance.randint(low, high)
            if span:
                dips.append(Dip(*span, phase, level))
        failures = [span for span in (draw(0.02, 0, 22, 5, 120), draw(0.015, 0, 20, 300, 5400)) if span]
        return appliances, taps, dips, failures

    def _around(self, time, kind):
        day = time // DAY_S
        return self._day(day - 1)[kind] + self._day(day)[kind]

    # the grid

    def dips(self, time):
        """The sags and swells of this day and the last."""
        return self._around(time, 2)

    def failure_end(self, time):
        """When the power comes back, if it is off now."""
        for start, end in self._around(time, 3):
            if start <= time < end:
                return end
        return None

    # the weather

    def _sun_height(self, time):
        """Sine of the sun's height over the horizon at 52° north, 5° east."""
        turn = 2 * math.pi * (time % 31_556_952) / 31_556_952
        tilt = math.radians(-23.44) * math.cos(turn + 0.172)
        hour = math.radians(((time % DAY_S) / 3600 + 0.35 - 12) * 15)
        return (math.sin(LATITUDE) * math.sin(tilt)
                + math.cos(LATITUDE) * math.cos(tilt) * math.cos(hour))

    def _sun_w(self, time):
        height = self._sun_height(time)
        if height <= 0:
            return 0
        clear = self._unit("sky", time // DAY_S)
        cloud = (0.9 + 0.1 * self._smooth("haze", time, 900) if clear > 0.45
                 else 0.1 + 0.7 * self._smooth("cloud", time, 240))
        return int(self.peak_sun_w * 0.85 * height * cloud)

    def celsius(self, time):
        year = 2 * math.pi * (time % 31_556_952) / 31_556_952
        day = 2 * math.pi * (time % DAY_S) / DAY_S
        return (10 - 8 * math.cos(year - 0.35) + 3 * math.cos(day - 3.7)
                + 8 * (self._smooth("weather", time, 2 * DAY_S) - 0.5))

    # the house

    def at(self, time):
        load, reactive = list(self.base_w), [-var for var in self.capacitive_var]
        for phase in range(3):
            load[phase] += int(load[phase] * 0.06 * self._unit("flicker%d" % phase, time))
        if (time + self.fridge_shift) % 3600 < 1300:
            load[0] += 85
            reactive[0] += 60
        cold = 18 - self.celsius(time)
        if self.heat_pump and cold > 3:
            # runs a longer part of each half-hour the colder it is
            if (time + self.fridge_shift) % 1800 < min(1800, int(cold * 110)):
                for phase in range(3):
                    load[phase] += 610
                    reactive[phase] += 140
        for start, end, phase, watts, var, on, period in self._around(time, 0):
            if start <= time < end and (time - start) % period < on:
                for p in (range(3) if phase == ALL_PHASES else (phase,)):
                    load[p] += watts
                    reactive[p] += var
        gas = water = 0
        for start, end, water_lph, gas_lph in self._around(time, 1):
            if start <= time < end:
                water += water_lph
                gas += gas_lph
        hour = time % DAY_S // 3600
        if not self.heat_pump and cold > 3:
            if 5 <= hour < 8 or 15 <= hour < 21:
                gas += int(cold * 110)
            elif 8 <= hour < 15:
                gas += int(cold * 45)
        sun = self._sun_w(time)
        suns = [sun // 3, sun // 3, sun - 2 * (sun // 3)]
        if self.phases == 1:
            # the same house on one wire, with a car that takes one phase only
            load, suns, reactive = [sum(load), 0, 0], [sun, 0, 0], [sum(reactive), 0, 0]
        grid = 230_500 + int(5000 * (self._smooth("grid", time, 1200) - 0.5))
        volts = tuple(grid + self.offset_mv[p] + int(400 * self._unit("volt%d" % p, time)) for p in range(3))
        return Moment(tuple(load), tuple(suns), tuple(reactive), volts, gas, water)
