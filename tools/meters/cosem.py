# SPDX-License-Identifier: MIT
"""Meters that push a COSEM data-notification (Green Book 9.5, tag 0F): a family is its lists, which are tables of rows,
the form in which a list writes its rows, and what the notification is wrapped in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tools.meters import dlms
from tools.meters.axdr import array, code, i8, octets, scaler_unit, structure, u16, u32
from tools.meters.family import Family, of_other_phase

# OBIS groups C.D.E of the fields (IEC 62056-61); C is 20, 40 and 60 higher in a single phase
CODES = {
    "power_import_w": (1, 7, 0), "power_export_w": (2, 7, 0), "reactive_import_var": (3, 7, 0),
    "reactive_export_var": (4, 7, 0), "current_ma": (11, 7, 0), "voltage_mv": (12, 7, 0),
    "power_factor_milli": (13, 7, 0), "import_wh": (1, 8, 0), "import_t1_wh": (1, 8, 1), "import_t2_wh": (1, 8, 2),
    "export_wh": (2, 8, 0), "export_t1_wh": (2, 8, 1), "export_t2_wh": (2, 8, 2), "reactive_import_varh": (3, 8, 0),
    "reactive_export_varh": (4, 8, 0), "tariff": (96, 14, 0), "breaker": (96, 3, 10),
}
# end of a field's name → (unit of Blue Book 4.3.2, exponent of our base unit)
UNITS = {"w": (27, 0), "var": (29, 0), "wh": (30, 0), "varh": (32, 0), "ma": (33, -3), "mv": (35, -3),
         "milli": (255, -3)}
PHASE_GROUPS = {"l1": 20, "l2": 40, "l3": 60}
CLOCK = (0, 0, 1, 0, 0)


class Element(NamedTuple):
    """A row as it is written: OBIS code (an octet string of six bytes), value, scaler and unit, class, attribute."""

    code: bytes
    data: bytes
    scale: bytes = None
    kind: int = 1
    attribute: int = 2


def code_of(field, a, b):
    for phase, more in PHASE_GROUPS.items():
        if "_%s_" % phase in field:
            c, d, e = CODES[field.replace("_" + phase, "")]
            return code(a, b, c + more, d, e)
    return code(a, b, *CODES[field])


# rows


@dataclass(frozen=True)
class Quantity:
    """A number of `unit` base units; group B is 1 for some makers. What does not fit into its type starts over."""

    field: str
    encode: Callable = u32
    unit: int = 1
    b: int = 0

    def element(self, household, state, reading):
        if state.phases == 1 and of_other_phase(self.field):
            return None
        most = 256 ** self.encode.size >> self.encode.signed
        value = household[self.field] // self.unit % most
        reading[self.field] = value * self.unit
        unit, exponent = UNITS.get(self.field.rsplit("_", 1)[-1], (255, 0))
        return Element(code_of(self.field, 1, self.b), self.encode(value),
                       scaler_unit(exponent + len(str(self.unit)) - 1, unit), 3)


@dataclass(frozen=True)
class Share:
    """A quarter of a register, or the rest of it: tariffs and quadrants that the vocabulary has no names for."""

    field: str
    groups: tuple
    rest: bool = False

    def element(self, household, state, reading):
        value = household[self.field] % 256 ** 4
        value = value - value // 4 if self.rest else value // 4
        return Element(code(*self.groups), u32(value), scaler_unit(0, 32), 3)


@dataclass(frozen=True)
class Time:
    form: str
    groups: tuple = CLOCK

    def element(self, household, state, reading):
        say_time(household, reading, self.form)
        return Element(code(*self.groups), octets(household.clock.cosem(household.time, self.form)), None, 8)


@dataclass(frozen=True)
class Ident:
    """A number of the meter's own, by the name that `State.ids` has for it, or a text of its maker's."""

    groups: tuple
    text: str
    field: str = None
    encode: Callable = octets

    def element(self, household, state, reading):
        text = state.ids.get(self.text, self.text)
        if self.field:
            reading[self.field] = text
        return Element(code(*self.groups), self.encode(text.encode() if self.encode is octets else text))


@dataclass(frozen=True)
class Fixed:
    """What never changes, and the field that it stands for, if any."""

    groups: tuple
    data: bytes
    field: str = None
    is_: int = None
    kind: int = 1
    attribute: int = 2

    def element(self, household, state, reading):
        if self.field:
            reading[self.field] = self.is_
        return Element(code(*self.groups), self.data, None, self.kind, self.attribute)


@dataclass(frozen=True)
class Tariff:
    """The number of the tariff as two octets, as Iskraemeco has it, or at the end of a text of eight."""

    text: str = ""

    def element(self, household, state, reading):
        tariff = reading["tariff"] = household["tariff"]
        if self.text:
            written = (self.text + str(tariff)).encode().ljust(8, b"\0")
        else:
            written = tariff.to_bytes(2, "big")
        return Element(code(0, 0, 96, 14, 0), octets(written))


@dataclass(frozen=True)
class Moment:
    """Time or date alone, as octets: 4 of Blue Book's time, 5 of its date."""

    date: bool

    def element(self, household, state, reading):
        stamp = household.clock.cosem(household.time, "full")
        return Element(code(0, 0, 0, 9, 2 if self.date else 1), octets(stamp[:5] if self.date else stamp[5:9]))


def phases(field, encode=u32, unit=1, b=0):
    return tuple(Quantity(field % phase, encode, unit, b) for phase in PHASE_GROUPS)


def say_time(household, reading, form):
    """A wall clock that does not say whether it is summer promises nothing in the hour that comes twice."""
    if form != "wall" or not household.clock.ambiguous(household.time):
        reading["time"] = household.time


# forms


def described(elements):
    """{code, value, {scaler, unit}} each; texts and the clock without the last."""
    return [structure([part for part in element[:3] if part]) for element in elements]


def described_array(elements):
    return array(described(elements))


def described_structure(elements):
    return structure(described(elements))


def clock_then_described(elements):
    """The clock's code and value stand by themselves in front."""
    return structure([*elements[0][:2], *described(elements[1:])])


def pairs(elements):
    """Code and value by turns; the clock in front and what else has no code alone."""
    return structure([part for element in elements for part in element[:2] if part])


def triples(elements):
    """Value alone in front and at the end, between them code, value, {scaler, unit} by turns."""
    inner = [part for element in elements[1:-1] for part in element[:3]]
    return structure([elements[0].data, *inner, elements[-1].data])


def headed_pairs(elements):
    """The clock alone, then code and value by turns."""
    return structure([elements[0].data, *(part for element in elements[1:] for part in element[:2])])


def values(elements):
    return structure([element.data for element in elements])


def objects(elements, push=(0, 8, 25, 9, 0), named=True):
    """What a push setup has it send (class 40, Blue Book 4.4.8): first the list of objects, {class, code, attribute,
    index} each, itself among them; then the attributes in that order, of the list the list, of its name (where that
    is asked for) the name."""
    push = code(*push)

    def described_object(kind, name, attribute):
        return structure([u16(kind), name, i8(attribute), u16(0)])

    listed = [described_object(40, push, 2)] + [described_object(40, push, 1)] * named
    listed += [described_object(element.kind, element.code, element.attribute) for element in elements]
    return structure([array(listed), *[push] * named, *(element.data for element in elements)])


# families


class List(NamedTuple):
    """Rows that are sent each `period_s`, `offset_s` later, in a form of its own if need be. Of two lists that are due
    the first is sent."""

    period_s: int
    offset_s: int
    rows: tuple
    form: Callable = None


@dataclass(frozen=True)
class Cosem(Family):
    lists: tuple = ()
    form: Callable = pairs
    wrap: Callable = None  # data-notification or envelope → the telegram's bytes
    stamp: str = None  # form of the clock in the notification's head, None: no clock there
    tagged: bool = False  # some write the type of an octet string in front of that clock
    invoke: int = None  # invoke id and priority; None: counts
    title: bytes = b""  # three letters of the maker, first in the system title
    security: int = 0x30
    tag: int = 0xDB
    must_encrypt: bool = True

    def check_keys(self, key, auth_key):
        if not self.title:
            return super().check_keys(key, auth_key)
        if not self.security & 0x10 and auth_key:
            raise ValueError("%s telegrams have no tag: no authentication key" % self.name)
        if not self.must_encrypt and not key:
            if auth_key:
                raise ValueError("an authentication key is nothing without an encryption key")
            return None, None
        return key or self.default_key, auth_key or self.default_auth_key

    def list_at(self, time):
        for listed in self.lists:
            if (time - listed.offset_s) % listed.period_s == 0:
                return listed
        return None

    def first(self, start, state):
        return self.due(start - 1, state)

    def due(self, time, state):
        return min(time + listed.period_s - (time - listed.offset_s) % listed.period_s for listed in self.lists)

    def compose(self, household, state):
        reading = {}
        listed = self.list_at(household.time) or self.lists[-1]
        found = [row.element(household, state, reading) for row in listed.rows]
        body = (listed.form or self.form)([element for element in found if element])
        data = self.notification(household, state, body, reading)
        if state.key:
            title = self.title + state.serial.to_bytes(5, "big")
            data = dlms.seal(data, state.key, state.auth_key, title, state.counter, self.security, self.tag, False)
        return self.wrap(data), reading

    def notification(self, household, state, body, reading):
        stamp = b"\0"
        if self.stamp:
            if "time" not in reading:
                say_time(household, reading, self.stamp)
            stamp = b"\x0c" + household.clock.cosem(household.time, self.stamp)
        invoke = (state.counter + 1) & 0xFFFFFF if self.invoke is None else self.invoke
        return b"\x0f" + invoke.to_bytes(4, "big") + b"\x09" * self.tagged + stamp + body

    def parts(self, telegram):
        return dlms.split(telegram)

    def spoil(self, telegram, chance):
        parts = self.parts(telegram)
        which = chance.randrange(len(parts))
        parts[which] = dlms.spoil(parts[which], chance)
        return b"".join(parts)


