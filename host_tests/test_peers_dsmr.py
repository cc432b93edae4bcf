# SPDX-License-Identifier: MIT
"""dsmr-parser beside ours: every real text telegram that it can read, every quantity that both know."""

import datetime
import json
from decimal import Decimal, InvalidOperation

import pytest
from dsmr_parser import telegram_specifications as specifications
from dsmr_parser.exceptions import DecryptionError, InvalidChecksumError, ParseError
from dsmr_parser.parsers import TelegramParser

from tools import cpython
from tools.paths import TELEGRAMS

cpython.install()

from wattport.meter import Meter  # noqa: E402

SPECIFICATIONS = {
    "dsmr2": "V2_2", "dsmr4": "V4", "dsmr5": "V5", "dsmr-be": "BELGIUM_FLUVIUS", "dsmr-se": "SWEDEN",
    "dsmr-hu": "EON_HUNGARY", "iec62056-21": "Q3D", "dsmr-lu-encrypted": "MSN"}
LUXEMBOURG = "00112233445566778899aabbccddeeff"
WAYS = {"USED": "import", "DELIVERED": "export", "IMPORTED": "import", "EXPORTED": "export",
        "POSITIVE": "import", "NEGATIVE": "export"}
FIELDS = {
    "CURRENT_ELECTRICITY_USAGE": "power_import_w", "CURRENT_ELECTRICITY_DELIVERY": "power_export_w",
    "CURRENT_REACTIVE_IMPORTED": "reactive_import_var", "CURRENT_REACTIVE_EXPORTED": "reactive_export_var",
    "ELECTRICITY_ACTIVE_TARIFF": "tariff", "SHORT_POWER_FAILURE_COUNT": "power_failures",
    "LONG_POWER_FAILURE_COUNT": "long_power_failures", "P1_MESSAGE_TIMESTAMP": "time", "FREQUENCY": "frequency_mhz",
    "BELGIUM_CURRENT_AVERAGE_DEMAND": "demand_import_w", "INSTANTANEOUS_POWER_FACTOR_TOTAL": "power_factor_milli",
    "ACTUAL_TRESHOLD_ELECTRICITY": "limiter_w", "FUSE_THRESHOLD_L1": "fuse_ma",
    **{"ELECTRICITY_%s_TARIFF_%d" % (theirs, n): "%s_t%d_wh" % (WAYS[theirs], n)
       for theirs in ("USED", "DELIVERED") for n in range(1, 5)},
    **{"ELECTRICITY_%s_TOTAL" % theirs: "%s_wh" % WAYS[theirs] for theirs in ("IMPORTED", "EXPORTED")},
    **{"ELECTRICITY_REACTIVE_%s_TOTAL" % theirs: "reactive_%s_varh" % WAYS[theirs]
       for theirs in ("IMPORTED", "EXPORTED")},
    **{"INSTANTANEOUS_ACTIVE_POWER_L%d_%s" % (n, theirs): "power_%s_l%d_w" % (WAYS[theirs], n)
       for theirs in ("POSITIVE", "NEGATIVE") for n in (1, 2, 3)},
    **{"INSTANTANEOUS_REACTIVE_POWER_L%d_%s" % (n, theirs): "reactive_%s_l%d_var" % (WAYS[theirs], n)
       for theirs in ("POSITIVE", "NEGATIVE") for n in (1, 2, 3)},
    **{"INSTANTANEOUS_%s_L%d" % (theirs, n): ours % n for theirs, ours in (
        ("VOLTAGE", "voltage_l%d_mv"), ("CURRENT", "current_l%d_ma"),
        ("POWER_FACTOR", "power_factor_l%d_milli")) for n in (1, 2, 3)},
    **{"VOLTAGE_%s_L%d_COUNT" % (theirs, n): "voltage_%ss_l%d" % (theirs.lower(), n)
       for theirs in ("SAG", "SWELL") for n in (1, 2, 3)}}
THOUSANDS = ("kW", "kWh", "kvar", "kvarh", "kVAr", "kVArh", "V", "A", "Hz")
# (telegram, field) → why the two differ
DIFFERENT = {
    # Swedish meters keep winter time all year and say so with a W; dsmr-parser passes over a W in summer
    "dsmr-se-kamstrup-kam5-amshan": ["time"],
    "dsmr-se-sagemcom-t211-d-ellevio-e-on-se-toreamun-test-dlde": ["time"],
    # one power with a sign is split into import and export here
    "iec62056-21-easymeter-q3d-aeroid-pv": ["power_import_w", "power_import_l1_w"],
}


def ours(data, sidecar):
    readings = []
    meter = Meter(lambda reading, family: readings.append((reading, family)), lambda *error: None,
                  *[bytes.fromhex(sidecar[name]) if sidecar.get(name) else None for name in ("key", "auth_key")])
    meter.feed(data, len(data))
    meter.flush(True)
    return readings


def number(value, unit, name):
    """What dsmr-parser says, in base units, cut as ours is."""
    if isinstance(value, datetime.datetime):
        return int(value.timestamp())
    value = Decimal(str(value))
    return int(value * 1000 if unit in THOUSANDS or name.endswith("_milli") else value)


def cases():
    for path in sorted(TELEGRAMS.glob("*.json")) if TELEGRAMS.is_dir() else ():
        sidecar = json.loads(path.read_text())
        if sidecar["family"] in SPECIFICATIONS and sidecar["expect"] == "reading":
            yield pytest.param(path.with_suffix(".bin"), sidecar, id=path.stem)


def compare(data, sidecar):
    """{field: (theirs, ours)} of what both know; None when dsmr-parser can't read it."""
    readings = ours(data, sidecar)
    if not readings:  # one that our tests refuse as half a telegram
        return None
    reading = readings[0][0]
    specification = getattr(specifications, SPECIFICATIONS[sidecar["family"]])
    if "encrypted" in sidecar["family"]:
        text, keys = data.hex(), (sidecar["key"], sidecar.get("auth_key") or LUXEMBOURG)
    else:
        start = data.index(b"/" + reading["meter_model"].encode())
        text, keys = data[start:].decode("latin-1"), ()
        end = text.find("!")
        if end >= 0:
            text = text[:end + 5] if sidecar["family"] not in ("dsmr2", "iec62056-21") else text[:end + 1]
    parser = TelegramParser(specification, apply_checksum_validation=specification["checksum_support"])
    try:
        told = parser.parse(text, *keys)
    except (DecryptionError, InvalidChecksumError, ParseError, InvalidOperation, ValueError, IndexError):
        return None
    both = {}
    for theirs, field in FIELDS.items():
        if hasattr(told, theirs) and field in reading:
            item = getattr(told, theirs)
            if item.value is not None:
                both[field] = number(item.value, getattr(item, "unit", None), field), reading[field]
    for device in getattr(told, "MBUS_DEVICES", ()):
        mine = reading.get("devices", {}).get(str(device.channel_id), {})
        item = getattr(device, "MBUS_METER_READING", None)
        if item is not None and "volume_l" in mine and item.unit == "m3":
            both["volume_l %d" % device.channel_id] = int(item.value * 1000), mine["volume_l"]
    return both


@pytest.mark.skipif(not TELEGRAMS.is_dir(), reason="no real telegrams beside this checkout")
@pytest.mark.parametrize("path, sidecar", list(cases()))
def test_both_read_the_same_in_a_real_telegram(path, sidecar):
    both = compare(path.read_bytes(), sidecar)
    if both is None:
        pytest.skip("dsmr-parser can't read it, or ours refuses it as a half")
    different = {field for field, (theirs, mine) in both.items() if theirs != mine}
    assert different == set(DIFFERENT.get(path.stem, {})), {field: both[field] for field in different}


@pytest.mark.skipif(not TELEGRAMS.is_dir(), reason="no real telegrams beside this checkout")
def test_enough_is_compared():
    found = {}
    for case in cases():
        path, sidecar = case.values
        both = compare(path.read_bytes(), sidecar)
        if both:
            found.setdefault(sidecar["family"], []).append(len(both))
    assert {family for family, counts in found.items() if max(counts) >= 4} == set(SPECIFICATIONS), found
    assert sum(map(sum, found.values())) > 1200, found
