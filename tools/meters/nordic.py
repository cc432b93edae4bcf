# SPDX-License-Identifier: MIT
"""Norway and Sweden: Aidon, whose lists describe themselves, and Kaifa, whose lists go by position or by OBIS code.

The Norwegian ports (NEK HAN personal metering) are wired M-Bus, and carry HDLC frames."""

from functools import partial

from tools.meters.axdr import i16, octets, text, u16, u32
from tools.meters.cosem import (
    Cosem,
    Fixed,
    Ident,
    List,
    Quantity,
    Time,
    described_array,
    pairs,
    phases,
    values,
)
from tools.meters.dlms import whole
from tools.meters.family import Line

M_BUS = Line(2400, 8, "E")
POWER = tuple(Quantity(field) for field in (
    "power_import_w", "power_export_w", "reactive_import_var", "reactive_export_var"))


def registers(unit=1):
    return tuple(Quantity(field, u32, unit) for field in (
        "import_wh", "export_wh", "reactive_import_varh", "reactive_export_varh"))


# Aidon, "RJ45 HAN interface": list 1 each 2.5 seconds (here 2 and 3 by turns), 2 each ten, 3 each hour
CURRENT = phases("current_%s_ma", i16, 100)
VOLTAGE = phases("voltage_%s_mv", u16, 100)
AIDON_HEAD = (Ident((1, 1, 0, 2, 129), "AIDON_V0001", None, text),
              Ident((0, 0, 96, 1, 0), "aidon", "meter_id", text),
              Ident((0, 0, 96, 1, 7), "6534", "meter_model", text))


def aidon(name, current, counts=(1, 3)):
    often = POWER[:1]
    seldom = AIDON_HEAD + POWER + current + VOLTAGE
    return Cosem(name, 10, M_BUS, zone="Europe/Oslo", form=described_array, invoke=0x40000000,
                 counts=counts, wrap=partial(whole, addresses=b"\x41\x08\x83"),
                 lists=(List(3600, 0, seldom + (Time("zero"),) + registers(10)), List(10, 0, seldom),
                        List(5, 0, often), List(5, 2, often)))


AIDON = aidon("aidon", CURRENT)
# a net without a neutral: the meter knows three voltages between its wires, and no current in the second
AIDON_IT = aidon("aidon-it", CURRENT[::2], (3,))
AIDON_SE = Cosem(
    "aidon-se", 10, M_BUS, zone="Europe/Stockholm", form=described_array, invoke=0x40000000,
    wrap=partial(whole, addresses=b"\x41\x08\x83"), counts=(3,), lists=(List(10, 0, (
        Time("unknown"), *POWER, *CURRENT, *VOLTAGE,
        *(Quantity(field % phase) for phase in ("l1", "l2", "l3") for field in (
            "power_import_%s_w", "power_export_%s_w", "reactive_import_%s_var", "reactive_export_%s_var")),
        *registers())),))

# Kaifa, "KFM_001": list 1 each two seconds, 2 each ten, 3 ten seconds after the hour
KAIFA_HEAD = (Ident((1, 0, 0, 2, 129), "KFM_001"), Ident((0, 0, 96, 1, 0), "kaifa", "meter_id"),
              Ident((0, 0, 96, 1, 7), "MA304H3E", "meter_model"))
KAIFA_CURRENT, KAIFA_VOLTAGE = phases("current_%s_ma"), phases("voltage_%s_mv", u32, 100)


def kaifa(name, voltage, counts=(1, 3)):
    seldom = KAIFA_HEAD + POWER + KAIFA_CURRENT + voltage
    return Cosem(name, 2, M_BUS, zone="Europe/Oslo", form=values, invoke=0x40000000, stamp="wall", tagged=True,
                 counts=counts, wrap=partial(whole, addresses=b"\x01\x02\x01", control=0x10),
                 lists=(List(3600, 10, seldom + (Time("wall"),) + registers()), List(10, 0, seldom),
                        List(2, 0, POWER[:1])))


KAIFA = kaifa("kaifa", KAIFA_VOLTAGE)
KAIFA_IT = kaifa("kaifa-it", (KAIFA_VOLTAGE[0], Fixed((1, 0, 52, 7, 0), u32(0), "voltage_l2_mv", 0),
                              KAIFA_VOLTAGE[2]), (3,))
KAIFA_SE = Cosem(
    "kaifa-se", 10, M_BUS, zone="Europe/Stockholm", form=pairs, invoke=0x40000000,
    wrap=partial(whole, addresses=b"\x01\x00\x01", control=0x10), lists=(List(10, 0, (
        KAIFA_HEAD[0], KAIFA_HEAD[1], Ident((0, 0, 96, 1, 7), "MA304H4", "meter_model", octets), *POWER,
        *KAIFA_CURRENT, *KAIFA_VOLTAGE, Time("fixed"), *registers())),))

FAMILIES = (AIDON, AIDON_IT, AIDON_SE, KAIFA, KAIFA_IT, KAIFA_SE)
