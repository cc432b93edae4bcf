# SPDX-License-Identifier: MIT
"""Kamstrup Omnipower in HDLC frames: Norwegian and Swedish HAN lists in the clear, the Danish list under two keys.

Both are a data-notification (Green Book 9.5, tag 0F) with a structure of OBIS code and value by turns."""

import dataclasses
from dataclasses import dataclass

from tools.meters import dlms
from tools.meters.family import Family, Line, of_other_phase

VERSION = "Kamstrup_V0001"
NORWEGIAN_TYPES = {1: "6861111BN242101040", 3: "6841131BN243101040"}
SWEDISH_TYPES = {3: "6841131BN245101092"}


def energy(unit):
    return tuple((c, field, unit, 4) for c, field in enumerate(
        ("import_wh", "export_wh", "reactive_import_varh", "reactive_export_varh"), 1))


# (group C, field, base units in one unit of the list, bytes)
ENERGY = energy(10)
POWER = ((1, "power_import_w", 1, 4), (2, "power_export_w", 1, 4),
         (3, "reactive_import_var", 1, 4), (4, "reactive_export_var", 1, 4))


def phases(group, field, unit, size):
    return tuple((group + 20 * p, field % phase, unit, size) for p, phase in enumerate(("l1", "l2", "l3")))


CURRENT = phases(31, "current_%s_ma", 10, 4)
VOLTAGE = phases(32, "voltage_%s_mv", 1000, 2)
DANISH_REST = (
    phases(21, "power_import_%s_w", 1, 4) + phases(33, "power_factor_%s_milli", 10, 2)
    + ((13, "power_factor_milli", 10, 2),) + phases(22, "power_export_%s_w", 1, 4))
DANISH_PHASE_ENERGY = phases(22, "export_%s_wh", 10, 4) + phases(21, "import_%s_wh", 10, 4)


class List:
    """The elements of one structure, as they are put in."""

    def __init__(self, household, state):
        self.household, self.state = household, state
        self.parts = []
        self.reading = {}

    def text(self, text):
        self.parts.append(b"\x0a" + bytes((len(text),)) + text.encode())

    def octets(self, octets):
        self.parts.append(b"\x09" + bytes((len(octets),)) + octets)

    def obis(self, *groups):
        self.octets(bytes((*groups, 255)))

    def number(self, value, size):
        self.parts.append({4: b"\x06", 2: b"\x12"}[size] + (value % 256 ** size).to_bytes(size, "big"))

    def quantities(self, table, d):
        for group, field, unit, size in table:
            if self.state.phases == 1 and of_other_phase(field):
                # the single-phase meter keeps the places of the other phases with null-data
                self.parts += [b"\x00", b"\x00"]
                continue
            value = self.household[field] // unit % 256 ** size
            self.obis(1, 1, group, d, 0)
            self.number(value, size)
            self.reading[field] = value * unit

    def clock(self):
        household = self.household
        self.obis(0, 1, 1, 0, 0)
        self.octets(household.clock.cosem(household.time))

    def notification(self):
        """The list behind its header; the clock in the header has no tag, only its length."""
        household = self.household
        self.reading["time"] = household.time
        return (b"\x0f" + bytes(4) + b"\x0c" + household.clock.cosem(household.time)
                + b"\x02" + bytes((len(self.parts),)) + b"".join(self.parts))


@dataclass(frozen=True)
class Kamstrup(Family):
    types: dict = dataclasses.field(default_factory=dict)
    energy: tuple = ENERGY
    danish: bool = True

    def check_keys(self, key, auth_key):
        if not self.danish:
            return super().check_keys(key, auth_key)
        if bool(key) != bool(auth_key):
            raise ValueError("a Danish Kamstrup has two keys, a Norwegian one none: give both or neither")
        return key, auth_key

    def first(self, start, state):
        return self.due(start - 1, state)

    def due(self, time, state):
        ten = time // 10 * 10 + 10
        if state.key:
            return ten
        return min(ten, (time - 5) // 3600 * 3600 + 3605)

    def compose(self, household, state):
        listed = List(household, state)
        if state.key:
            self._danish(listed)
            title = b"KAM" + state.serial.to_bytes(5, "big")
            data = dlms.seal(listed.notification(), state.key, state.auth_key, title, state.counter)
            return dlms.frame(b"\x41\x03", 0x13, dlms.LLC + data), listed.reading
        self._norwegian(listed, hourly=household.time % 3600 == 5)
        return dlms.frame(b"\x2b\x21", 0x13, dlms.LLC + listed.notification()), listed.reading

    def _norwegian(self, listed, hourly):
        listed.text(VERSION)
        listed.obis(1, 1, 0, 0, 5)
        listed.text(listed.state.ids["kamstrup"])
        listed.obis(1, 1, 96, 1, 1)
        listed.text(self.types[listed.state.phases])
        listed.reading["meter_id"] = listed.state.ids["kamstrup"]
        listed.reading["meter_model"] = self.types[listed.state.phases]
        listed.quantities(POWER + CURRENT + VOLTAGE, 7)
        if hourly:
            listed.clock()
            listed.quantities(self.energy, 8)

    def _danish(self, listed):
        listed.text(VERSION)
        listed.quantities(ENERGY, 8)
        listed.obis(1, 1, 0, 0, 1)
        listed.number(listed.state.serial % 10**8, 4)
        listed.quantities(POWER, 7)
        listed.clock()
        listed.quantities(VOLTAGE + CURRENT + DANISH_REST, 7)
        listed.quantities(DANISH_PHASE_ENERGY, 8)

    def spoil(self, telegram, chance):
        return dlms.spoil(telegram, chance)


KAMSTRUP = Kamstrup("kamstrup", 10, Line(2400), zone="Europe/Oslo", types=NORWEGIAN_TYPES)
# the same lists with registers in Wh
KAMSTRUP_SE = Kamstrup("kamstrup-se", 10, Line(2400), zone="Europe/Stockholm", counts=(3,), types=SWEDISH_TYPES,
                       energy=energy(1), danish=False)
