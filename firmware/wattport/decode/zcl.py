# SPDX-License-Identifier: MIT
"""The older form of Glow's messages: attributes of ZigBee's metering cluster 0702 as hexadecimal texts.

    {"elecMtr": {"0702": {"00": {"00": summation, "01": the same, exported}, "04": {"00": demand, "01": day,
      "30": week, "40": month}, "03": {"00": unit, "01": multiplier, "02": divisor, "07": MPAN}}}, "gasMtr": {...},
      "gmtime": 1648738605}

Names by ZigBee Smart Energy 1.4, annex D.3: attribute sets 00 readings, 03 formatting, 04 historical consumption, 0C
the same in an alternative unit, which is how a gas meter tells kWh. A value with every bit set is unset.
"""

from micropython import const

from wattport.decode.glow import known, put
from wattport.decode.jsontext import path_hash

_EARLIEST = const(1262304000)  # 2010: what is older is a clock that was not set
_LATEST = const(4102444800)
_LONGEST = const(16)
_ENERGY = const(0)
_CUBIC_FOOT = const(28316846592)  # billionths of a litre
# unit of 0300 → (numerator, denominator) to Wh or litres
_UNITS = {0: (1000, 1), 1: (1000, 1), 2: (_CUBIC_FOOT, 1000000000), 3: (_CUBIC_FOOT, 10000000), 7: (1, 1)}


def _attribute(document, begun, path):
    """An unsigned attribute, or None when it is missing or unset."""
    found = document.hexadecimal(begun, path, _LONGEST)
    return None if found is None or found[1] else found[0]


def _demand(document, begun):
    """0400, a signed number of 24 bits, in six digits or eight; None when it is missing or unset (0x800000). With every
    bit set it is a number here: a house that exports one watt."""
    found = document.hexadecimal(begun, b"04/00", _LONGEST)
    if found is None:
        return None
    value = found[0] & 0xFFFFFF
    if value == 0x800000:
        return None
    return value - 0x1000000 if value & 0x800000 else value


def _unit(document, begun, path):
    """The top bit only says that displays show BCD."""
    return (_attribute(document, begun, path) or 0) & 0x7F


class _Scale:
    """Multiplier and divisor of a meter's attribute set 03."""

    def __init__(self, document, begun):
        self._factors = [1 if document.place(begun, path) is None else _attribute(document, begun, path)
                         for path in (b"03/01", b"03/02")]

    def of(self, value, unit):
        """In Wh, W or litres; None without a value or a scale."""
        multiplier, divisor = self._factors
        if value is None or not multiplier or not divisor or unit not in _UNITS:
            return None
        up, down = _UNITS[unit]
        size = abs(value) * multiplier * up // (divisor * down)
        return -size if value < 0 else size


def _put_energies(document, begun, scale, names, into):
    for path in names:
        put(into, names[path], scale.of(_attribute(document, begun, path), _ENERGY))


def read(document, reading, device):
    """Put what a message says of the electricity meter into `reading`, of the gas meter into `device`."""
    begun = path_hash(b"elecMtr/0702/")
    if _unit(document, begun, b"03/00") == _ENERGY:
        scale = _Scale(document, begun)
        put(reading, "meter_id", known(document, begun, b"03/07"))
        _put_energies(document, begun, scale, {
            b"00/00": "import_wh", b"00/01": "export_wh", b"04/01": "import_day_wh", b"04/30": "import_week_wh",
            b"04/40": "import_month_wh"}, reading)
        put(reading, "net_w", scale.of(_demand(document, begun), _ENERGY))
    time = document.number(0, b"gmtime", 0)
    if time is not None and _EARLIEST <= time < _LATEST:
        reading["time"] = time
    begun = path_hash(b"gasMtr/0702/")
    scale, unit = _Scale(document, begun), _unit(document, begun, b"03/00")
    put(device, "id", known(document, begun, b"03/07"))
    put(device, "energy_wh" if unit == _ENERGY else "volume_l",
        scale.of(_attribute(document, begun, b"00/00"), unit))
    if _unit(document, begun, b"03/12") == _ENERGY:
        _put_energies(document, begun, scale, {
            b"0C/01": "energy_day_wh", b"0C/30": "energy_week_wh", b"0C/40": "energy_month_wh"}, device)
