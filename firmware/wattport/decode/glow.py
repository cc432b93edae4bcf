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
from wattport.decode.jsontext import Json, path_hash
from wattport.errors import MeterError
from wattport.reading import settle

_LONGEST = const(64)
_EARLIEST = const(2010)  # no British smart meter is older: a device that has not heard the time yet says 1970
# unit → decimals to the base unit: Wh, W, litre
_DECIMALS = {"kWh": 3, "Wh": 0, "MWh": 6, "kW": 3, "W": 0, "m3": 3, "m³": 3, "l": 0}


def known(document, begun, path):
    """A text that says something, or None: devices write "---" and "not available" where they know nothing."""
    text = document.text(begun, path, _LONGEST)
    return None if not text or text == "---" or " available" in text or "pending" in text else text


def put(into, name, value):
    if value is not None:
        into[name] = value


def _time(document, begun):
    """UTC seconds of "2022-11-07T09:20:08Z", or None."""
    stamp = document.text(begun, b"timestamp", _LONGEST)
    if not stamp or len(stamp) != 20 or stamp[19] != "Z":
        return None
    try:
        year = int(stamp[:4])
        if year >= _EARLIEST:
            return seconds(year, int(stamp[5:7]), int(stamp[8:10]), int(stamp[11:13]), int(stamp[14:16]),
                           int(stamp[17:19]))
    except ValueError:
        pass
    return None


def _scaled(document, begun, names, unit, into):
    """Put the values of the paths `names`, {path: name here}, of one unit; none of a unit that is not known."""
    decimals = _DECIMALS.get(document.text(begun, unit, _LONGEST))
    if decimals is not None:
        for path in names:
            put(into, names[path], document.number(begun, path, decimals))


def _prices(document, begun, into):
    put(into, "unit_rate_micro", document.number(begun, b"price/unitrate", 6))
    put(into, "standing_charge_micro", document.number(begun, b"price/standingcharge", 6))


def _electricity(document, reading):
    begun = path_hash(b"electricitymeter/")
    put(reading, "time", _time(document, begun))
    _scaled(document, path_hash(b"energy/export/", begun), {b"cumulative": "export_wh"}, b"units", reading)
    _scaled(document, path_hash(b"power/", begun), {b"value": "net_w"}, b"units", reading)
    begun = path_hash(b"energy/import/", begun)
    put(reading, "meter_id", known(document, begun, b"mpan"))
    _scaled(document, begun, {b"cumulative": "import_wh", b"day": "import_day_wh", b"week": "import_week_wh",
                              b"month": "import_month_wh"}, b"units", reading)
    _prices(document, begun, reading)


def _gas(document, device):
    begun = path_hash(b"gasmeter/")
    put(device, "time", _time(document, begun))
    begun = path_hash(b"energy/import/", begun)
    put(device, "id", known(document, begun, b"mprn"))
    _scaled(document, begun, {b"cumulative": "energy_wh", b"day": "energy_day_wh", b"week": "energy_week_wh",
                              b"month": "energy_month_wh"}, b"units", device)
    _scaled(document, begun, {b"cumulativevol": "volume_l"}, b"cumulativevolunits", device)
    _prices(document, begun, device)


class GlowDecoder:
    """Decodes one message after the other; each is complete in itself."""

    family = "zcl-mqtt"

    def __init__(self, zone):
        """zone: not needed, these times say that they are UTC."""

    def decode(self, buf, start, end):
        """Reading of buf[start:end]. MeterError: "malformed", "truncated", or "unsupported" for a message that is
        about no meter, such as those of the STATE topic."""
        document = Json(buf, start, end)
        reading, device = {}, {}
        if document.has(b"elecMtr") or document.has(b"gasMtr"):
            from wattport.decode import zcl
            zcl.read(document, reading, device)
        if document.has(b"electricitymeter"):
            _electricity(document, reading)
        if document.has(b"gasmeter"):
            _gas(document, device)
        if "energy_wh" in device or "volume_l" in device:
            device["channel"] = 1
            device["type"] = "gas"
            reading["devices"] = {"1": device}
        settle(reading)
        for name in reading:
            if name not in ("time", "meter_id"):
                return reading
        raise MeterError("unsupported", "a message without a meter's values")
