# SPDX-License-Identifier: MIT
"""The vocabulary of a Reading: a dict of named integers in base units, and some texts.

Names follow from OBIS codes A-B:C.D.E (IEC 62056-61) by system, so there is no table of every code: group C tells the
quantity and the phase, D instantaneous (7), energy (8) or demand (4, 6), E the tariff.
"""

# group C → start of the name, and its unit; energies are that unit times hours
_QUANTITIES = {1: ("import", "w"), 2: ("export", "w"), 3: ("reactive_import", "var"), 4: ("reactive_export", "var"),
               9: ("apparent_import", "va"), 10: ("apparent_export", "va")}
# C.D.E, a byte each, of what has a name of its own
_OTHERS = {0x110000: "limiter_w", 0x600E00: "tariff", 0x60030A: "breaker", 0x600715: "power_failures",
           0x600709: "long_power_failures", 0x0E0700: "frequency_mhz", 0x010400: "demand_import_w",
           0x020400: "demand_export_w", 0x1F0400: "fuse_ma"}
# C within a phase's block and D → the name around the phase
_PHASES = {0x0B07: "current%s_ma", 0x0C07: "voltage%s_mv", 0x0D07: "power_factor%s_milli",
           0x0C20: "voltage_sags%s", 0x0C24: "voltage_swells%s"}
_THOUSANDTHS = ("mv", "ma", "mhz")
_LINES = ("_l1", "_l2", "_l3")
_NETS = ("net_w", "net_l1_w", "net_l2_w", "net_l3_w")
_TARIFFS = {"import_wh": ("import_t1_wh", "import_t2_wh", "import_t3_wh", "import_t4_wh"),
            "export_wh": ("export_t1_wh", "export_t2_wh", "export_t3_wh", "export_t4_wh")}


def name_of(code):
    """The name of an electricity value by its OBIS groups C.D.E, a byte each (1.8.0 is 0x010800), or None.

    "net_w" and "net_lN_w" stand for signed powers, which `settle` splits into import and export.
    """
    if code in _OTHERS:
        return _OTHERS[code]
    c, d, e = code >> 16, code >> 8 & 0xFF, code & 0xFF
    line = ""
    if 20 < c < 80:  # three blocks of twenty, one a phase
        line = _LINES[c // 20 - 1]
        c %= 20
    if c in _QUANTITIES:
        name, unit = _QUANTITIES[c]
        if d == 8 and e <= 4:
            return name + line + ("_t%d_" % e if e else "_") + unit + "h"
        if d == 7 and not e:
            return ("power_" if unit == "w" else "") + name + line + "_" + unit
    if not e:
        if c == 16 and d == 7:
            return "net%s_w" % line
        if (c << 8 | d) in _PHASES and (line or c == 13):
            return _PHASES[c << 8 | d] % line
    return None


def unit_of(name):
    """(unit as meters write it without its k, exponent of the base unit) of a name: "voltage_l1_mv" → ("V", 3)."""
    unit = name[name.rfind("_") + 1:]
    if unit in _THOUSANDTHS:
        return unit[1:].upper(), 3
    if unit == "milli":
        return "", 3
    return (unit.upper() if unit[0] in "vw" and len(unit) < 5 else ""), 0


def settle(reading):
    """Complete a Reading in place: split signed powers, sum tariffs where the meter sends no total."""
    for net in _NETS:
        if net in reading:
            power = reading.pop(net)
            line = net[4:]
            reading.setdefault("power_import_" + line, max(power, 0))
            reading.setdefault("power_export_" + line, max(-power, 0))
    for total, tariffs in _TARIFFS.items():
        if total not in reading and tariffs[0] in reading:
            reading[total] = sum([reading.get(tariff, 0) for tariff in tariffs])
