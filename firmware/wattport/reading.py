# SPDX-License-Identifier: MIT
"""The vocabulary of a Reading: a dict of named integers in base units, and some texts.

Names follow from OBIS codes A-B:C.D.E (IEC 62056-61) by system, so there is no table of every code: group C tells the
quantity and the phase, D instantaneous (7), energy (8) or demand (4, 6), E the tariff.
"""

# group C → start of the name, and its unit; energies are that unit times hours
_QUANTITIES = {1: ("import", "w"), 2: ("export", "w"), 3: ("reactive_import", "var"), 4: ("reactive_export", "var"),
               9: ("apparent_import", "va"), 10: ("apparent_export", "va")}
# C.D.E of what has a name of its own
_OTHERS = {(17, 0, 0): "limiter_w", (96, 14, 0): "tariff", (96, 3, 10): "breaker", (96, 7, 21): "power_failures",
           (96, 7, 9): "long_power_failures", (14, 7, 0): "frequency_mhz", (1, 4, 0): "demand_import_w",
           (2, 4, 0): "demand_export_w", (31, 4, 0): "fuse_ma"}
# C of a phase, D → the name around the phase
_PHASES = {(11, 7): "current%s_ma", (12, 7): "voltage%s_mv", (13, 7): "power_factor%s_milli",
           (12, 32): "voltage_sags%s", (12, 36): "voltage_swells%s"}
# end of the name → (unit as meters write it, upper case, without its k; decimal exponent of our base unit)
_UNITS = {"wh": ("WH", 0), "varh": ("VARH", 0), "vah": ("VAH", 0), "w": ("W", 0), "var": ("VAR", 0), "va": ("VA", 0),
          "mv": ("V", 3), "ma": ("A", 3), "mhz": ("HZ", 3), "milli": ("", 3)}
_NO_UNIT = ("", 0)
_LINES = ("_l1", "_l2", "_l3")
_NETS = ("net_w", "net_l1_w", "net_l2_w", "net_l3_w")
_TARIFFS = {"import_wh": ("import_t1_wh", "import_t2_wh", "import_t3_wh", "import_t4_wh"),
            "export_wh": ("export_t1_wh", "export_t2_wh", "export_t3_wh", "export_t4_wh")}


def name_of(c, d, e):
    """The name of an electricity value by its OBIS groups, or None when it has none.

    "net_w" and "net_lN_w" stand for signed powers, which `settle` splits into import and export.
    """
    name = _OTHERS.get((c, d, e))
    if name:
        return name
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
        if (c, d) in _PHASES and (line or c == 13):
            return _PHASES[c, d] % line
    return None


def unit_of(name):
    """(unit as meters write it without its k, exponent of the base unit) of a name: "voltage_l1_mv" → ("V", 3)."""
    return _UNITS.get(name[name.rfind("_") + 1:], _NO_UNIT)


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
