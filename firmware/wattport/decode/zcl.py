# SPDX-License-Identifier: MIT
"""The older form of Glow's messages: attributes of ZigBee's metering cluster 0702 as hexadecimal texts.

    {"elecMtr": {"0702": {"00": {"00": summation, "01": the same, exported}, "04": {"00": demand, "01": day,
      "30": week, "40": month}, "03": {"00": unit, "01": multiplier, "02": divisor, "07": MPAN}}}, "gasMtr": {...},
      "gmtime": 1648738605}

Names by ZigBee Smart Energy 1.4, annex D.3: attribute sets 00 readings, 03 formatting, 04 historical consumption, 0C
the same in an alternative unit, which is how a gas meter tells kWh. A value with every bit set is unset.
"""

from micropython import const

from wattport.decode.glow import group, put, text
from wattport.errors import MeterError

_EARLIEST = const(1262304000)  # 2010: what is older is a clock that was not set
_LONGEST = const(16)
_ENERGY = const(0)
_CUBIC_FOOT = const(28316846592)  # billionths of a litre
# unit of 0300 → (numerator, denominator) to Wh or litres
_UNITS = {0: (1000, 1), 1: (1000, 1), 2: (_CUBIC_FOOT, 1000000000), 3: (_CUBIC_FOOT, 10000000), 7: (1, 1)}
_PERIODS = (("01", "_day_wh"), ("30", "_week_wh"), ("40", "_month_wh"))


def _hex(source, name):
    """An unsigned attribute, or None when it is missing or unset."""
    value = source.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _LONGEST or value.strip("0123456789abcdefABCDEF"):
        raise MeterError("malformed", "attribute %s is not hexadecimal" % name)
    if not value.strip("Ff"):
        return None
    return int(value, 16)


def _demand(source):
    """0400, a signed number of 24 bits, in six digits or eight; None when it is missing or unset (0x800000)."""
    value = source.get("00")
    if value in ("FFFFFF", "FFFFFFFF"):  # here that is a number: a house that exports one watt
        return -1
    value = _hex(source, "00")
    if value is None:
        return None
    value &= 0xFFFFFF
    if value == 0x800000:
        return None
    return value - 0x1000000 if value & 0x800000 else value


class _Scale:
    """Multiplier, divisor and unit of a meter's attribute set 03."""

    def __init__(self, formatting):
        self.unit = (_hex(formatting, "00") or 0) & 0x7F  # the top bit says that displays show BCD
        self.multiplier, self.divisor = [
            1 if name not in formatting else _hex(formatting, name) for name in ("01", "02")]

    def of(self, value, unit):
        """In Wh, W or litres; None without a value or a scale."""
        if value is None or not self.multiplier or not self.divisor or unit not in _UNITS:
            return None
        up, down = _UNITS[unit]
        size = abs(value) * self.multiplier * up // (self.divisor * down)
        return -size if value < 0 else size


def read(document, reading, device):
    """Put what a message says of the electricity meter into `reading`, of the gas meter into `device`."""
    cluster = group(group(document, "elecMtr"), "0702")
    formatting, history = group(cluster, "03"), group(cluster, "04")
    scale = _Scale(formatting)
    if scale.unit == _ENERGY:
        put(reading, "meter_id", text(formatting, "07"))
        for name, field in (("00", "import_wh"), ("01", "export_wh")):
            put(reading, field, scale.of(_hex(group(cluster, "00"), name), _ENERGY))
        for name, field in _PERIODS:
            put(reading, "import" + field, scale.of(_hex(history, name), _ENERGY))
        put(reading, "net_w", scale.of(_demand(history), _ENERGY))
    stamp = document.get("gmtime")
    if isinstance(stamp, str) and 9 <= len(stamp) <= 10 and not stamp.strip("0123456789") \
            and int(stamp) >= _EARLIEST:
        reading["time"] = int(stamp)
    cluster = group(group(document, "gasMtr"), "0702")
    formatting = group(cluster, "03")
    scale = _Scale(formatting)
    put(device, "id", text(formatting, "07"))
    field = "energy_wh" if scale.unit == _ENERGY else "volume_l"
    put(device, field, scale.of(_hex(group(cluster, "00"), "00"), scale.unit))
    if (_hex(formatting, "12") or 0) & 0x7F == _ENERGY:
        history = group(cluster, "0C")
        for name, field in _PERIODS:
            put(device, "energy" + field, scale.of(_hex(history, name), _ENERGY))
