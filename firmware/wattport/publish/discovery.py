# SPDX-License-Identifier: MIT
"""Home Assistant's MQTT discovery: one retained message an entity, one after the other.

Names, device classes, state classes and units are those of Home Assistant's sensor and MQTT sensor
documentation. A template gives the empty text when its field is missing, which Home Assistant ignores: meters
that send some fields once an hour keep their last value.
`about` is (prefix, device id, base topic, version, seconds to expire).
"""

import json

from wattport.modules import fetch
from wattport.publish.topics import child_id, child_number, safe_id

# ending, divisor, unit, device class, state class (m: measurement, t: total_increasing), decimals
_ENDINGS = (
    ("_varh", 1000, "kvarh", "reactive_energy", "t", 3),
    ("_wh", 1000, "kWh", "energy", "t", 3),
    ("_vah", 1000, "kVAh", "", "t", 3),  # Home Assistant has no class for apparent energy
    ("_var", 1, "var", "reactive_power", "m", 0),
    ("_va", 1, "VA", "apparent_power", "m", 0),
    ("_w", 1, "W", "power", "m", 0),
    ("_mv", 1000, "V", "voltage", "m", 1),
    ("_ma", 1000, "A", "current", "m", 2),
    ("_mhz", 1000, "Hz", "frequency", "m", 2),
    ("_milli", 1000, "", "power_factor", "m", 2),
    ("unit_rate_micro", 1000000, "GBP/kWh", "", "", 5),  # only British meters tell prices
    ("standing_charge_micro", 1000000, "GBP/d", "", "", 5),
    ("_time", 0, "", "timestamp", "", None),
    ("_sags_l", 1, "", "", "t", None),
    ("_swells_l", 1, "", "", "t", None),
    ("power_failures", 1, "", "", "t", None),
)
_HEALTH_ENDINGS = (
    ("_s", 1, "s", "duration", "m", 0),
    ("rssi_dbm", 1, "dBm", "signal_strength", "m", 0),
    ("rssi", 1, "dBm", "signal_strength", "m", 0),
    ("heap_free", 1, "B", "data_size", "m", 0),
    ("_bytes", 1, "B", "data_size", "m", 0),
    ("_errors", 1, "", "", "t", None),
    ("supply_mv", 1000, "V", "voltage", "m", 2),
)
# type and quantity of a child meter, the same columns
_CHILDREN = {
    "gas": ("_l", 1000, "m³", "gas", "t", 3),
    "water": ("_l", 1000, "m³", "water", "t", 3),
    "volume_l": ("_l", 1000, "m³", "volume", "t", 3),
    "energy_kj": ("_kj", 1000000, "GJ", "energy", "t", 3),
    "energy_wh": ("_wh", 1000, "kWh", "energy", "t", 3),
}
_CHILD_NAMES = {
    "gas": "Gas", "water": "Water", "heat": "Heat", "cooling": "Cooling", "electricity": "Electricity"}
_TEXTS = ("tariff", "breaker", "message")
_NAMES = {
    "peak_month_w": "Peak of the month",
    "peak_month_time": "Peak of the month, time",
    "demand_import_w": "Running average demand",
    "limiter_w": "Power limit",
    "limiter_va": "Apparent power limit",
    "fuse_ma": "Fuse",
    "message": "Message from the grid operator",
    "telegram_age_s": "Last telegram's age",
    "crc_errors": "CRC errors",
    "rssi": "Wi-Fi signal",
    "supply_mv": "Supply voltage",
    "rssi_dbm": "Wi-Fi signal",
}
_UNITS = ("_s", "_mv", "_ma", "_mhz", "_milli", "_w", "_wh", "_var", "_varh", "_va", "_vah", "_time", "_bytes",
          "_micro")
_DIAGNOSTIC = ("breaker", "limiter_w", "limiter_va", "fuse_ma")


def _ending(name, endings):
    for row in endings:
        if name.endswith(row[0]) or row[0].endswith("_l") and row[0] in name:
            return row
    return None


def _title(name, row):
    """import_t1_wh → Energy import tariff 1; voltage_l2_mv → Voltage L2"""
    if name in _NAMES:
        return _NAMES[name]
    ending = row[0] if row else ""
    if ending in _UNITS:
        name = name[: -len(ending)]
    words = []
    for word in name.split("_"):
        if len(word) == 2 and word[1] in "123456789" and word[0] in "tl":
            word = "tariff " + word[1] if word[0] == "t" else "L" + word[1]
        elif word in ("reactive", "apparent"):
            word += " energy" if ending in ("_varh", "_vah") else " power"
        words.append(word)
    if ending == "_wh":
        words.insert(0, "energy")
    elif ending == "_time":
        words.append("time")
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def _template(path, row, guard=""):
    """path: an expression that may be undefined."""
    if row[3] == "timestamp":
        return "{{ (%s | as_datetime).isoformat() if %s is defined else none }}" % (path, path)
    value = path if row[1] == 1 else "%s / %d" % (path, row[1])
    return "{{ %s if %s is defined%s else '' }}" % (value, path, guard)


def _config(about, entity, name, row, template, topic, model="", diagnostic=False, kind="sensor", more=None):
    """(topic, payload) of one entity; row is one of the tables', or None for a text. more: keys of other kinds."""
    prefix, device_id, base, version, expire_s = about
    unique = "wattport_%s_%s" % (device_id, entity)
    config = {
        "name": name,
        "unique_id": unique,
        "state_topic": base + topic,
        "value_template": template,
        "availability_topic": base + "/state",
        "expire_after": expire_s,
        "device": {
            "identifiers": ["wattport_" + device_id],
            "name": "Wattport " + device_id,
            "manufacturer": "Wattport",
            "model": model or "Smart meter dongle",
            "sw_version": version,
        },
    }
    if row:
        if row[2]:
            config["unit_of_measurement"] = row[2]
        if row[3]:
            config["device_class"] = row[3]
        if row[4]:
            config["state_class"] = "measurement" if row[4] == "m" else "total_increasing"
        if row[5] is not None:
            config["suggested_display_precision"] = row[5]
    if diagnostic:
        config["entity_category"] = "diagnostic"
    config.update(more or {})
    if not config["expire_after"]:
        del config["expire_after"]
    return "%s/%s/%s/%s/config" % (prefix, kind, device_id, entity), json.dumps(config).encode()


def of_reading(about, reading, announced):
    """Yields (topic, payload) for each field that is not in `announced` yet, and puts every field there."""
    model = reading.get("meter_model", "")
    for name in list(reading):
        if name in announced or name == "devices":
            continue
        announced.add(name)
        if safe_id(name) != name:  # no field of ours
            continue
        if name in ("power_import_w", "power_export_w") and "net_power" not in announced:
            announced.add("net_power")
            yield _config(
                about, "net_power", "Net power", ("_w", 1, "W", "power", "m", 0),
                "{{ (value_json.power_import_w | default(0)) - (value_json.power_export_w | default(0))"
                " if value_json.power_import_w is defined or value_json.power_export_w is defined else '' }}",
                "/reading", model)
        path = "value_json." + name
        if name in _TEXTS:
            # states hold 255 characters; a missing one keeps what is there
            row = None
            template = "{{ (%s | default(this.state) | string)[:250] }}" % path
        else:
            row = _ending(name, _ENDINGS) if isinstance(reading[name], int) else None
            if not row:
                continue
            template = _template(path, row)
        diagnostic = name in _DIAGNOSTIC or row is not None and not row[2] and not row[3]
        yield _config(about, name, _title(name, row), row, template, "/reading", model, diagnostic)
    for channel, device in (reading.get("devices") or {}).items():
        yield from _of_child(about, channel, device, announced, model)


def _of_child(about, channel, device, announced, model):
    kind = device.get("type", "")
    for value in ("volume_l", "energy_kj", "energy_wh"):
        if value not in device:
            continue
        announced.add((channel, device.get("id"), kind, value))  # what the publisher looks for
        entity = child_id(channel, device, value)
        if entity in announced:
            continue
        announced.add(entity)
        if kind not in _CHILD_NAMES:
            continue
        row = _CHILDREN.get(kind if value == "volume_l" else value) or _CHILDREN[value]
        name = _CHILD_NAMES[kind]
        if kind in ("heat", "cooling"):
            name += " volume" if value == "volume_l" else " energy"
        elif kind == "gas" and value == "energy_wh":  # beside its volume
            name += " energy"
        place = child_number(device)
        template = "{% set d = (value_json.devices | default({}))"
        if place:  # wherever it hangs: channels swap
            template += ".values() | selectattr('id', 'defined') | selectattr('id', 'eq', '%s') | first" % place
        else:
            place = safe_id(str(channel))
            template += "['%s']" % place
            place = "channel " + place
        # a meter of another kind on this channel, later, must not count as this one
        template += " | default({}) %}" + _template("d." + value, row, " and d.type == '%s'" % kind)
        yield _config(about, entity, "%s, %s" % (name, place), row, template, "/reading", model)


def of_health(about, health, announced):
    """The same for /health: those of its fields that are numbers with a meaning known here, diagnostics."""
    for name in list(health):
        value = health[name]
        if value is None or "health_" + name in announced:  # not known yet: its turn comes
            continue
        announced.add("health_" + name)
        if name == "errors" and isinstance(value, dict):
            counts = "(value_json.errors | default({}))"
            row = ("_errors", 1, "", "", "t", None)
            yield _config(about, "health_checksum_errors", "CRC errors", row, _template(counts + ".checksum", row),
                          "/health", "", True)
            template = "{{ %s.values() | sum if value_json.errors is defined else '' }}" % counts
            yield _config(about, "health_errors", "Telegrams with errors", row, template, "/health", "", True)
        elif name == "meter":
            template = "{{ value_json.meter | default(this.state) }}"
            yield _config(about, "health_meter", "Meter port", None, template, "/health", "", True)
        elif name in ("peak_w", "alerts", "slot"):
            yield from fetch("wattport.publish.watched", "of_" + name)(about, _config)
        row = _ending(name, _HEALTH_ENDINGS)
        if row and safe_id(name) == name and isinstance(value, int) and not isinstance(value, bool):
            template = _template("value_json." + name, row)
            yield _config(about, "health_" + name, _title(name, row), row, template, "/health", "", True)
