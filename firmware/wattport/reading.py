# SPDX-License-Identifier: MIT
"""The vocabulary of a Reading: a dict of named integers in base units, and some texts.

Names follow from OBIS codes A-B:C.D.E (IEC 62056-61) by system, so there is no table of every code: group C tells the
quantity and the phase, D instantaneous (7), energy (8) or demand (4, 6), E the tariff. `unit_of` reads the unit off the
name's end.
"""

# group C → (start of the name, unit of D = 7, unit of D = 8)
_QUANTITIES = {
    1: ("power_import", "w", "wh"), 2: ("power_export", "w", "wh"),
    3: ("reactive_import", "var", "varh"), 4: ("reactive_export", "var", "varh"),
    9: ("apparent_import", "va", "vah"), 10: ("apparent_export", "va", "vah"),
}
# end of the name → (unit as meters write it, upper case and without its k; decimal exponent of our base unit)
UNITS = {"wh": ("WH", 0), "varh": ("VARH", 0), "vah": ("VAH", 0), "w": ("W", 0), "var": ("VAR", 0), "va": ("VA", 0),
         "mv": ("V", 3), "ma": ("A", 3), "mhz": ("HZ", 3), "milli": ("", 3), "l": ("M3", 3), "kj": ("GJ", 6)}
NO_UNIT = ("", 0)

_REGULAR_STATE = {  # of medium 0 (abstract) and 1
    (17, 0, 0): "limiter_w", (96, 14, 0): "tariff", (96, 3, 10): "breaker",
    (96, 7, 21): "power_failures", (96, 7, 9): "long_power_failures",
}


def name_of(c, d, e):
    """The name of an electricity value by its OBIS groups, or None when it has none.

    "net_w" and "net_lN_w" stand for signed powers, which `settle` splits into import and export.
    """
    state = _REGULAR_STATE.get((c, d, e))
    if state:
        return state
    phase = 0
    base = c
    if 20 < c < 80:
        phase, base = divmod(c, 20)
    line = "_l%d" % phase if phase else ""
    if d == 8 and base in _QUANTITIES and e <= 4:
        start, _, unit = _QUANTITIES[base]
        if start.startswith("power_"):
            start = start[6:]
        return start + line + ("_t%d" % e if e else "") + "_" + unit
    if e:
        return None
    if d == 7:
        if base in _QUANTITIES:
            start, unit, _ = _QUANTITIES[base]
            return start + line + "_" + unit
        if base == 16:
            return "net" + line + "_w"
        if base == 13:
            return "power_factor" + line + "_milli"
        if base == 14 and not phase:
            return "frequency_mhz"
        if phase and base == 11:
            return "current" + line + "_ma"
        if phase and base == 12:
            return "voltage" + line + "_mv"
    elif phase and base == 12 and d in (32, 36):
        return ("voltage_sags" if d == 32 else "voltage_swells") + line
    elif d == 4 and c in (1, 2):
        return "demand_import_w" if c == 1 else "demand_export_w"
    elif d == 4 and c == 31:
        return "fuse_ma"
    return None


def unit_of(name):
    """(unit as meters write it without its k, exponent of the base unit) of a name: "voltage_l1_mv" → ("V", 3)."""
    return UNITS.get(name[name.rfind("_") + 1:], NO_UNIT)


def settle(reading):
    """Complete a Reading in place: split signed powers, sum tariffs where the meter sends no total."""
    for line in ("", "_l1", "_l2", "_l3"):
        net = reading.pop("net" + line + "_w", None)
        if net is not None:
            reading.setdefault("power_import" + line + "_w", net if net > 0 else 0)
            reading.setdefault("power_export" + line + "_w", -net if net < 0 else 0)
    for way in ("import", "export"):
        if way + "_wh" not in reading and way + "_t1_wh" in reading:
            reading[way + "_wh"] = sum([reading.get("%s_t%d_wh" % (way, tariff), 0) for tariff in (1, 2, 3, 4)])
    return reading
