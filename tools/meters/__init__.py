# SPDX-License-Identifier: MIT
"""Simulated smart meters: `make("dsmr5", seed=1).next()` is (telegram, the reading that it holds)."""

import time as wall

from tools.meters import amis, central, dsmr, iec, kamstrup, nordic, smarty, sml, text, tic, uk
from tools.meters.family import State, serial_of
from tools.meters.household import Household

FAMILIES = {family.name: family for family in (
    dsmr.DSMR5, dsmr.DSMR4, dsmr.DSMR2, dsmr.BE, dsmr.SE, smarty.LU, kamstrup.KAMSTRUP, kamstrup.KAMSTRUP_SE,
    *nordic.FAMILIES, *central.FAMILIES,
    amis.AMIS, sml.EHZ, sml.MODERN, text.HU, text.LT, text.CH, text.PL, iec.Q3D, iec.E350,
    tic.HISTORIQUE, tic.STANDARD)}
# those without a line
WITHOUT_PORT = {family.name: family for family in (uk.GLOW, uk.GLOW_ZCL, uk.PULSE)}
ALL = {**FAMILIES, **WITHOUT_PORT}


class Meter:
    def __init__(self, family, household, state, first):
        self.family = family
        self.household = household
        self.state = state
        self._next = first

    @property
    def time(self):
        """UTC seconds of the last telegram."""
        return self.household.time

    def next(self):
        """(telegram, reading): bytes, and what they say in the product's vocabulary."""
        household = self.household
        while True:
            while self._next <= household.time:
                self._next = self.family.due(self._next, self.state)
            back = household.life.failure_end(self._next)
            if back is None:
                break
            household.fail(back - household.time)
        household.advance(self._next - household.time)
        self._next = self.family.due(household.time, self.state)
        self.state.counter += 1
        return self.family.compose(household, self.state)


def make(family, *, seed=1, start=None, key=None, auth_key=None, phases=3):
    """A meter of a family; `start` in UTC seconds (now), keys as 16 bytes, `phases` 1 or 3."""
    family = ALL[family]
    key, auth_key = family.check_keys(key, auth_key)
    for secret in (key, auth_key):
        if secret and len(secret) != 16:
            raise ValueError("a key has 16 bytes, not %d" % len(secret))
    if phases not in family.counts:
        raise ValueError("%s meters have %s phases" % (family.name, " or ".join(map(str, family.counts))))
    state = State(serial_of(seed), phases=phases, key=key, auth_key=auth_key)
    first = family.first(int(wall.time()) if start is None else start, state)
    household = Household(seed, first - family.interval_s, zone=family.zone, phases=phases,
                          low_tariff=family.low_tariff, child_stamp_s=family.child_stamp_s)
    # it follows the clock, and so rises over restarts too: no counter may be used twice under one key
    state.counter = (first - 946_684_800) // family.interval_s
    return Meter(family, household, state, first)
