# SPDX-License-Identifier: MIT
"""The Dutch meters and their Swedish and Belgian relatives, as tables of P1 rows."""

from tools.meters.family import Line
from tools.meters.p1 import (
    P1,
    ChildId,
    ChildType,
    ChildVolume,
    Count,
    ExtraId,
    FailureLog,
    Fixed,
    Message,
    MeterId,
    MonthPeak,
    Number,
    OldChildVolume,
    PeakHistory,
    RunningDemand,
    Stamp,
)

L = ("l1", "l2", "l3")


def phases(group, field, whole, decimals, unit):
    """The same quantity of each phase: OBIS group C is 20 higher from phase to phase (IEC 62056-61)."""
    return tuple(Number("1-0:%d.7.0" % (group + 20 * p), field % phase, whole, decimals, unit)
                 for p, phase in enumerate(L))


def counts(group, kind):
    return tuple(Count("1-0:%d.%d.0" % (32 + 20 * p, group), "voltage_%s_%s" % (kind, phase))
                 for p, phase in enumerate(L))


def tariffs(whole):
    return (Number("1-0:1.8.1", "import_t1_wh", whole, 3, "kWh"),
            Number("1-0:1.8.2", "import_t2_wh", whole, 3, "kWh"),
            Number("1-0:2.8.1", "export_t1_wh", whole, 3, "kWh"),
            Number("1-0:2.8.2", "export_t2_wh", whole, 3, "kWh"))


TARIFF = Count("0-0:96.14.0", "tariff", 4)
POWER = (Number("1-0:1.7.0", "power_import_w", 2, 3, "kW"), Number("1-0:2.7.0", "power_export_w", 2, 3, "kW"))
PHASE_POWER = (phases(21, "power_import_%s_w", 2, 3, "kW") + phases(22, "power_export_%s_w", 2, 3, "kW"))
VOLTAGE = phases(32, "voltage_%s_mv", 3, 1, "V")
WHOLE_AMPERES = phases(31, "current_%s_ma", 3, 0, "A")
QUALITY = (Count("0-0:96.7.21", "power_failures"), Count("0-0:96.7.9", "long_power_failures"),
           FailureLog("1-0:99.97.0"), *counts(32, "sags"), *counts(36, "swells"))
GAS = (ChildType("0-1:24.1.0", 1, "003", "gas"), ChildId("0-1:96.1.0", 1, "nl_gas"),
       ChildVolume("0-1:24.2.1", 1, "gas_l"))

DSMR5 = P1(
    "dsmr5", 1, Line(115200), child_stamp_s=300, ident="ISK5\\2M550T-2026",
    rows=(Fixed("1-3:0.2.8", "50"), Stamp("0-0:1.0.0"), MeterId("0-0:96.1.1", "nl"), *tariffs(6), TARIFF,
          *POWER, *QUALITY, Message("0-0:96.13.0"), *VOLTAGE, *WHOLE_AMPERES, *PHASE_POWER, *GAS))

# DSMR 4.2 has no voltages; messages still come in two lines, code and text
DSMR4 = P1(
    "dsmr4", 10, Line(115200), ident="ISK5\\2MT382-2014",
    rows=(Fixed("1-3:0.2.8", "42"), Stamp("0-0:1.0.0"), MeterId("0-0:96.1.1", "nl"), *tariffs(6), TARIFF,
          *POWER, *QUALITY, Fixed("0-0:96.13.1", ""), Message("0-0:96.13.0"), *WHOLE_AMPERES, *PHASE_POWER,
          *GAS))

DSMR2 = P1(
    "dsmr2", 10, Line(9600, 7, "E"), ident="ISk5\\2MT382-1010", checksum=False,
    rows=(MeterId("0-0:96.1.1", "nl"), *tariffs(5), TARIFF,
          Number("1-0:1.7.0", "power_import_w", 4, 2, "kW"),
          Number("1-0:2.7.0", "power_export_w", 4, 2, "kW"),
          Fixed("0-0:17.0.0", "0999.00*kW", "limiter_w", 999_000), Fixed("0-0:96.3.10", "1", "breaker", 1),
          Fixed("0-0:96.13.1", ""), Message("0-0:96.13.0"), ChildType("0-1:24.1.0", 1, "3", "gas"),
          ChildId("0-1:96.1.0", 1, "nl_gas"), OldChildVolume("0-1:24.3.0", 1, "gas_l"),
          Fixed("0-1:24.4.0", "1")))

# Fluvius e-MUCS P1 2.1.1: tariff 1 is the day here, gas comes uncorrected (24.2.3), amperes have two decimals
BE = P1(
    "be", 1, Line(115200), zone="Europe/Brussels", low_tariff=2, child_stamp_s=300, ident="FLU5\\253770026_A",
    rows=(Fixed("0-0:96.1.4", "50221"), Fixed("1-0:94.32.1", "400"), MeterId("0-0:96.1.1", "be"),
          ExtraId("0-0:96.1.2", "be_ean"), Stamp("0-0:1.0.0"), *tariffs(6), TARIFF,
          RunningDemand("1-0:1.4.0"), MonthPeak("1-0:1.6.0"), PeakHistory("0-0:98.1.0"), *POWER,
          *PHASE_POWER, *VOLTAGE,
          *phases(31, "current_%s_ma", 3, 2, "A"), Fixed("0-0:96.3.10", "1", "breaker", 1),
          Fixed("0-0:17.0.0", "99.999*kW", "limiter_w", 99_999),
          Fixed("1-0:31.4.0", "999.99*A", "fuse_ma", 999_990),
          *(Fixed("0-%d:96.3.10" % channel, "0") for channel in range(1, 5)), Message("0-0:96.13.0"),
          ChildType("0-1:24.1.0", 1, "003", "gas"), ChildId("0-1:96.1.1", 1, "be_gas"),
          ExtraId("0-1:96.1.2", "be_gas_ean"), Fixed("0-1:24.4.0", "1"),
          ChildVolume("0-1:24.2.3", 1, "gas_l"),
          ChildType("0-2:24.1.0", 2, "007", "water"), ChildId("0-2:96.1.1", 2, "be_water"),
          ExtraId("0-2:96.1.2", "be_water_ean"), ChildVolume("0-2:24.2.1", 2, "water_l")))

# Swedish H1 2.0: totals without tariffs, reactive too, no numbers of the meter's own
SE = P1(
    "se", 10, Line(115200), zone="Europe/Stockholm", ident="ELL5\\253800026_A",
    rows=(Stamp("0-0:1.0.0"),
          Number("1-0:1.8.0", "import_wh", 8, 3, "kWh"), Number("1-0:2.8.0", "export_wh", 8, 3, "kWh"),
          Number("1-0:3.8.0", "reactive_import_varh", 8, 3, "kvarh"),
          Number("1-0:4.8.0", "reactive_export_varh", 8, 3, "kvarh"),
          Number("1-0:1.7.0", "power_import_w", 4, 3, "kW"),
          Number("1-0:2.7.0", "power_export_w", 4, 3, "kW"),
          Number("1-0:3.7.0", "reactive_import_var", 4, 3, "kvar"),
          Number("1-0:4.7.0", "reactive_export_var", 4, 3, "kvar"),
          *phases(21, "power_import_%s_w", 4, 3, "kW"), *phases(22, "power_export_%s_w", 4, 3, "kW"),
          *phases(23, "reactive_import_%s_var", 4, 3, "kvar"),
          *phases(24, "reactive_export_%s_var", 4, 3, "kvar"),
          *VOLTAGE, *phases(31, "current_%s_ma", 3, 1, "A")))
