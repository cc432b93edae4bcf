# SPDX-License-Identifier: MIT
"""Austria, Switzerland, Slovenia and Croatia: one make of meter says other things in another way at each operator."""

from functools import partial

from tools.meters.axdr import array, boolean, enum, octets, text, u16, u32
from tools.meters.cosem import (
    Cosem,
    Fixed,
    Ident,
    List,
    Moment,
    Quantity,
    Share,
    Tariff,
    Time,
    clock_then_described,
    described_structure,
    headed_pairs,
    objects,
    phases,
    triples,
    values,
)
from tools.meters.dlms import blocks, mbus, segments, whole
from tools.meters.family import Line

M_BUS = Line(2400, 8, "E")
P1 = Line(115200)
OPTICAL = Line(9600)
KEY = bytes.fromhex("36C66639E48A8CA4D6BC8B282A793BBB")
AUTH_KEY = bytes.fromhex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")


def quantities(*fields):
    return tuple(Quantity(field) for field in fields)


POWER = quantities("power_import_w", "power_export_w")
REACTIVE = quantities("reactive_import_var", "reactive_export_var")
REGISTERS = quantities("import_wh", "export_wh")
REACTIVE_REGISTERS = quantities("reactive_import_varh", "reactive_export_varh")
CURRENT, VOLTAGE = phases("current_%s_ma", u16, 10), phases("voltage_%s_mv", u16, 100)
WHOLE_VOLTS = phases("voltage_%s_mv", u16, 1000)
PHASE_POWER = phases("power_import_%s_w") + phases("power_export_%s_w")
TARIFFS = quantities("import_wh", "import_t1_wh", "import_t2_wh", "export_wh", "export_t1_wh", "export_t2_wh")


def serial(id):
    return Ident((0, 0, 96, 1, 0), id, "meter_id")


PLATE = serial("plate")

# Netz Niederoesterreich: no authentication key; frames of 263 and 19 bytes, of 256 and 26 when a Kaifa sends them


def netz_noe(name, title, size):
    return Cosem(
        name, 5, M_BUS, zone="Europe/Vienna", form=triples, stamp="full", invoke=0x80000000, title=title,
        security=0x20, default_key=KEY, wrap=partial(mbus, size=size), lists=(List(5, 0, (
            Time("full"), *REGISTERS, *POWER, *VOLTAGE, *CURRENT, Quantity("power_factor_milli", u16),
            serial("sagemcom_at"))),))


SAGEMCOM_AT = netz_noe("sagemcom-at", b"SAG", 252)
KAIFA_NOE = netz_noe("kaifa-noe", b"KFM", 245)
# Tinetz, Salzburg, Vorarlberg
KAIFA_AT = Cosem(
    "kaifa-at", 5, M_BUS, zone="Europe/Vienna", form=clock_then_described, stamp="full", title=b"KFM", security=0x21,
    default_key=KEY, wrap=partial(mbus, size=245), lists=(List(5, 0, (
        Time("full"), serial("kaifa_at"), Ident((0, 0, 42, 0, 0), "kaifa_at_device"), *VOLTAGE, *CURRENT, *POWER,
        *REGISTERS, *REACTIVE_REGISTERS)),))

# Landis+Gyr E450: blocks of at most 129 bytes of information
E450_BLOCKS = partial(blocks, addresses=b"\xce\xff\x03", size=122)
E450_AT = Cosem(
    "e450", 5, M_BUS, zone="Europe/Vienna", form=objects, stamp="wall", title=b"LGZ", default_key=KEY,
    default_auth_key=AUTH_KEY, wrap=E450_BLOCKS, lists=(List(5, 0, (
        PLATE, Time("summer"), *POWER, *REGISTERS, *REACTIVE, *REACTIVE_REGISTERS, *CURRENT, *WHOLE_VOLTS)),))


def with_shares(quantity, c):
    """A reactive register and what it holds of each tariff."""
    return (quantity, Share(quantity.field, (1, 0, c, 8, 1)), Share(quantity.field, (1, 0, c, 8, 2), True))


# the same meter in Graz: codes and values by turns
E450_GRAZ = Cosem(
    "e450-graz", 5, M_BUS, zone="Europe/Vienna", form=headed_pairs, stamp="wall", title=b"LGZ", default_key=KEY,
    default_auth_key=AUTH_KEY, wrap=E450_BLOCKS, lists=(List(5, 0, (
        Time("wall"), *TARIFFS[:3], POWER[0], *TARIFFS[3:], POWER[1], *with_shares(REACTIVE_REGISTERS[0], 3),
        REACTIVE[0], *with_shares(REACTIVE_REGISTERS[1], 4), REACTIVE[1])),))
E450_CH = Cosem(
    "e450-ch", 5, M_BUS, zone="Europe/Zurich", form=objects, stamp="wall", wrap=E450_BLOCKS, lists=(List(5, 0, (
        PLATE, POWER[0], Quantity("import_wh", b=1), *CURRENT, *WHOLE_VOLTS, *PHASE_POWER[:3])),))
# Cyprus: registers each minute, powers each five seconds between, each list under its own push setup's name
E450_CY = Cosem(
    "e450-cy", 5, M_BUS, zone="Asia/Nicosia", form=partial(objects, named=False), stamp="wall", wrap=E450_BLOCKS,
    lists=(
        List(60, 0, (
            Ident((0, 0, 42, 0, 0), "lgz", "meter_id"), Ident((0, 0, 96, 1, 1), "plate"), Tariff("RATE"),
            *TARIFFS[1:3], *TARIFFS[4:], *REGISTERS, *REACTIVE_REGISTERS,
            Fixed((0, 0, 96, 3, 10), enum(1), "breaker", 1, 70, 3)),
            partial(objects, push=(0, 9, 25, 9, 0), named=False)),
        List(5, 0, (Time("wall"), *POWER, *CURRENT, *WHOLE_VOLTS, Quantity("power_factor_milli", u16)))))
# Wiener Netze have one list for both makes, sent through the optical eye
WIEN = Cosem(
    "wien", 1, OPTICAL, zone="Europe/Vienna", form=values, stamp="full", title=b"ISK", security=0x20,
    default_key=KEY, wrap=partial(whole, addresses=b"\xcf\x02\x23"), lists=(List(1, 0, (
        Time("full"), *REGISTERS, *REACTIVE_REGISTERS, *POWER, *REACTIVE)),))
BURGENLAND = Cosem(
    "burgenland", 5, Line(2400), zone="Europe/Vienna", form=values, stamp="wall", title=b"LGZ", default_key=KEY,
    default_auth_key=AUTH_KEY, wrap=partial(whole, addresses=b"\xce\xff\x03"), counts=(3,), lists=(List(5, 0, (
        *WHOLE_VOLTS, *CURRENT, *POWER, *REGISTERS, *phases("power_factor_%s_milli", u16), PLATE)),))
# KELAG: one list for both makes; Siemens' source address has four bytes
CARINTHIA = (Fixed((0, 6, 25, 9, 0), octets(bytes((0, 6, 25, 9, 0, 255)))), serial("kelag"), Moment(False),
             Moment(True), *REGISTERS, *REACTIVE_REGISTERS, *POWER, Fixed((0, 0, 0, 0, 0), octets(b"")),
             Fixed((0, 0, 0, 0, 0), octets(b"")))


def kelag(name, title, addresses):
    return Cosem(name, 1, P1, zone="Europe/Vienna", form=values, stamp="full", title=title, security=0x20,
                 default_key=KEY, wrap=partial(whole, addresses=addresses), lists=(List(1, 0, CARINTHIA),))


AM550_AT = kelag("am550-at", b"ISK", b"\xcf\x02\x23")
IM350_AT = kelag("im350-at", b"SMS", b"\xcf\x00\x02\x00\x23")

# Iskraemeco AM550
ISK_HEAD = Ident((0, 0, 42, 0, 0), "iskra", "meter_id")
LJUBLJANA = Cosem(
    "am550-si", 5, P1, zone="Europe/Ljubljana", form=values, stamp="full", counts=(3,),
    wrap=partial(whole, addresses=b"\xcf\x02\x23"), lists=(
        List(900, 0, (
            ISK_HEAD, Ident((0, 0, 96, 1, 3), "16820006"), Fixed((0, 0, 96, 3, 10), enum(1), "breaker", 1), Tariff(),
            *TARIFFS, *REACTIVE_REGISTERS)),
        List(5, 0, (
            ISK_HEAD, Ident((0, 0, 96, 1, 3), "16820005"), *POWER, *REACTIVE, *VOLTAGE, *CURRENT, *PHASE_POWER))))
CELJE = Cosem(
    "am550-celje", 1, P1, zone="Europe/Ljubljana", form=values, stamp="full", counts=(3,),
    wrap=partial(whole, addresses=b"\xcf\x02\x23"), lists=(List(1, 0, (
        ISK_HEAD, Ident((0, 0, 96, 1, 2), "UP_3f"), *VOLTAGE, *CURRENT, *POWER, *REACTIVE)),))
# Romande Energie and others; the list describes itself and comes in three segments, in the clear or not
ISK_SEGMENTS = partial(segments, addresses=b"\xcf\x02\x23", size=154, control=0x03)
AM550_CH = Cosem(
    "am550-ch", 5, P1, zone="Europe/Zurich", form=described_structure, stamp="full", title=b"ISK", security=0x20,
    must_encrypt=False, wrap=ISK_SEGMENTS, lists=(List(5, 0, (
        PLATE, Ident((0, 0, 96, 1, 1), "129333"), *(Quantity(q.field, b=1) for q in POWER + REGISTERS), *VOLTAGE,
        *CURRENT, *(Quantity(q.field, b=1) for q in TARIFFS if "_t" in q.field))),))
# HEP, IE.5: quadrants Ri+ Rc+ Ri- Rc-, the limiter, and a threshold in each phase
IE5_HR = Cosem(
    "ie5-hr", 10, P1, zone="Europe/Zagreb", form=values, stamp="full", counts=(3,), wrap=ISK_SEGMENTS,
    lists=(List(10, 0, (
        PLATE, Moment(False), Moment(True), *TARIFFS,
        Share("reactive_import_varh", (1, 0, 5, 8, 0), True), Share("reactive_import_varh", (1, 0, 6, 8, 0)),
        Share("reactive_export_varh", (1, 0, 7, 8, 0)), Share("reactive_export_varh", (1, 0, 8, 8, 0), True),
        *POWER, Quantity("power_factor_milli", u16), *PHASE_POWER, *VOLTAGE, *CURRENT,
        Fixed((0, 0, 17, 0, 0), u32(17250), "limiter_w", 17250),
        *(Fixed((1, 0, c, 4, 0), array([u16(9400)])) for c in (31, 51, 71)),
        Fixed((0, 0, 96, 3, 10), boolean(1), "breaker", 1))),))

# no operator's: general-ded-ciphering and security suite 1, in segments of another size
DED = Cosem(
    "ded", 5, M_BUS, zone="Europe/Vienna", form=clock_then_described, stamp="full", title=b"TST", security=0x31,
    tag=0xDC, default_key=KEY, default_auth_key=AUTH_KEY, wrap=partial(segments, addresses=b"\x21\x03", size=128),
    lists=(List(5, 0, (Time("full"), Ident((0, 0, 96, 1, 0), "plate", "meter_id", text), *VOLTAGE, *CURRENT, *POWER,
                       *REGISTERS, *REACTIVE_REGISTERS)),))

FAMILIES = (SAGEMCOM_AT, KAIFA_NOE, KAIFA_AT, E450_AT, E450_GRAZ, E450_CH, E450_CY, WIEN, BURGENLAND, AM550_AT,
            IM350_AT, LJUBLJANA, CELJE, AM550_CH, IE5_HR, DED)
