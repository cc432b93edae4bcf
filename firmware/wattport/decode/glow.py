# SPDX-License-Identifier: MIT
"""What a Hildebrand Glow device says of a British meter over MQTT, a JSON object → Reading. Today's form:

    {"electricitymeter": {"timestamp": "2022-11-07T09:20:08Z", "power": {"value": 0.425, "units": "kW"},
      "energy": {"export": {"cumulative": 0.0, "units": "kWh"},
        "import": {"cumulative": 15254.827, "day": 3.717, "week": 3.717, "month": 60.439, "units": "kWh",
          "mpan": "...", "supplier": "...", "price": {"unitrate": 0.16401, "standingcharge": 0.19383}}}}}
    {"gasmeter": {... "energy": {"import": {"cumulative": 66589.57, "units": "kWh", "cumulativevol": 5995.276,
      "cumulativevolunits": "m3", "mprn": "...", ...}}}}

Electricity goes into the Reading itself, gas becomes its child meter on channel 1. The prices are pounds a kWh and a
day there, millionths of a pound here. The older form, raw ZigBee clusters, is `zcl`'s.
"""

from micropython import const

from wattport.clock import seconds
from wattport.decode.jsontext import fixed, parse
from wattport.errors import MeterError
from wattport.reading import settle

_LONGEST = const(64)
_EARLIEST = const(2010)  # no British smart meter is older: a device that has not heard the time yet says 1970
# unit → decimals to the base unit: Wh, W, litre
_DECIMALS = {"kWh": 3, "Wh": 0, "MWh": 6, "kW": 3, "W": 0, "m3": 3, "m³": 3, "l": 0}
_PERIODS = ("day", "week", "month")


def group(value, name):
    """The object called `name` in an object; an empty one when there is none."""
    value = value.get(name)
    return value if isinstance(value, dict) else {}


def text(value, name):
    """A text that says something, or None: devices write "---" and "not available" where they know nothing."""
    value = value.get(name)
    if not isinstance(value, str) or not value or len(value) > _LONGEST or value == "---" or " available" in value \
            or "pending" in value:
        return None
    return value


def put(into, name, value):
    if value is not None:
        into[name] = value


def _number(source, name, unit):
    """The value in base units by the unit's name; None when it is missing, null, or of an unknown unit."""
    value = source.get(name)
    if value is None or not isinstance(unit, str) or unit not in _DECIMALS:
        return None
    try:
        return fixed(value, _DECIMALS[unit])
    except ValueError:
        raise MeterError("malformed", "%s is no number" % name)


def _time(source):
    """UTC seconds of "2022-11-07T09:20:08Z", or None."""
    stamp = source.get("timestamp")
    try:
        year, month, day = [int(part) for part in stamp[:10].split("-")]
        hour, minute, second = [int(part) for part in stamp[11:19].split(":")]
        if year < _EARLIEST or stamp[19:] != "Z":
            return None
        return seconds(year, month, day, hour, minute, second)
    except (ValueError, TypeError, AttributeError):
        return None


def _prices(source, into):
    price = group(source, "price")
    for name, field in (("unit_rate_micro", "unitrate"), ("standing_charge_micro", "standingcharge")):
        if price.get(field) is not None:
            try:
                put(into, name, fixed(price[field], 6))
            except ValueError:
                raise MeterError("malformed", "%s is no number" % field)


def _electricity(meter, reading):
    put(reading, "time", _time(meter))
    energy, power = group(meter, "energy"), group(meter, "power")
    taken, given = group(energy, "import"), group(energy, "export")
    put(reading, "meter_id", text(taken, "mpan"))
    unit = taken.get("units")
    put(reading, "import_wh", _number(taken, "cumulative", unit))
    for period in _PERIODS:
        put(reading, "import_%s_wh" % period, _number(taken, period, unit))
    put(reading, "export_wh", _number(given, "cumulative", given.get("units")))
    put(reading, "net_w", _number(power, "value", power.get("units")))
    _prices(taken, reading)


def _gas(meter, device):
    put(device, "time", _time(meter))
    taken = group(group(meter, "energy"), "import")
    put(device, "id", text(taken, "mprn"))
    unit = taken.get("units")
    put(device, "energy_wh", _number(taken, "cumulative", unit))
    for period in _PERIODS:
        put(device, "energy_%s_wh" % period, _number(taken, period, unit))
    put(device, "volume_l", _number(taken, "cumulativevol", taken.get("cumulativevolunits")))
    _prices(taken, device)


class GlowDecoder:
    """Decodes one message after the other; each is complete in itself."""

    family = "zcl-mqtt"

    def __init__(self, zone):
        """zone: not needed, these times say that they are UTC."""

    def decode(self, buf, start, end):
        """Reading of buf[start:end]. MeterError: "malformed", "truncated", or "unsupported" for a message that is
        about no meter, such as those of the STATE topic."""
        document = parse(buf, start, end)
        if not isinstance(document, dict):
            raise MeterError("malformed", "no JSON object")
        reading, device = {}, {}
        if "elecMtr" in document or "gasMtr" in document:
            from wattport.decode import zcl
            zcl.read(document, reading, device)
        else:
            _electricity(group(document, "electricitymeter"), reading)
            _gas(group(document, "gasmeter"), device)
        if "energy_wh" in device or "volume_l" in device:
            device["channel"] = 1
            device["type"] = "gas"
            reading["devices"] = {"1": device}
        settle(reading)
        for name in reading:
            if name not in ("time", "meter_id"):
                return reading
        raise MeterError("unsupported", "a message without a meter's values")
