# SPDX-License-Identifier: MIT
import json

from wattport.publish.discovery import of_health, of_reading

ABOUT = ("homeassistant", "dongle-1", "wattport/dongle-1", "1.2.3", 600)
# Home Assistant's sensor documentation: which units a class takes
UNITS = {
    "energy": ("kWh", "GJ"), "reactive_energy": ("varh", "kvarh"), "power": ("W", "kW"), "reactive_power": ("var",),
    "apparent_power": ("VA",), "voltage": ("V", "mV"), "current": ("A", "mA"), "frequency": ("Hz",),
    "power_factor": (None, "%"), "gas": ("m³", "L"), "water": ("m³", "L"), "volume": ("m³", "L"), "duration": ("s",),
    "signal_strength": ("dBm",), "data_size": ("B",), "timestamp": (None,), None: (None, "kVAh", "GBP/kWh", "GBP/d"),
}
TOTALS = ("energy", "reactive_energy", "gas", "water", "volume", None)
CHARACTERS = "".join([chr(code) for code in range(256)])


def everything():
    reading = {"meter_id": CHARACTERS, "meter_model": CHARACTERS, "time": 1700000000, "tariff": 2, "breaker": "on",
               "limiter_w": 5, "limiter_va": 5, "fuse_ma": 25000, "message": "hello", "demand_import_w": 1,
               "peak_month_w": 2, "peak_month_time": 1700000000, "peak_history": [[1, 2]], "power_failure_log": [],
               "power_failures": 1,
               "long_power_failures": 2, "frequency_mhz": 50000, "power_factor_milli": 980,
               "import_day_wh": 1, "import_week_wh": 1, "import_month_wh": 1, "unit_rate_micro": 245030,
               "standing_charge_micro": 600970}
    for direction in ("import", "export"):
        reading["power_%s_w" % direction] = 1
        reading["reactive_%s_var" % direction] = 1
        reading["reactive_%s_varh" % direction] = 1
        reading["apparent_%s_va" % direction] = 1
        reading["%s_wh" % direction] = 1
        for tariff in "1234":
            reading["%s_t%s_wh" % (direction, tariff)] = 1
        for phase in "123":
            reading["power_%s_l%s_w" % (direction, phase)] = 1
            reading["reactive_%s_l%s_var" % (direction, phase)] = 1
    reading["apparent_import_vah"] = 1
    for phase in "123":
        for field in ("voltage_l%s_mv", "current_l%s_ma", "voltage_sags_l%s", "voltage_swells_l%s",
                      "power_factor_l%s_milli"):
            reading[field % phase] = 1
    reading["devices"] = {
        "1": {"channel": 1, "type": "gas", "id": CHARACTERS, "time": 1, "volume_l": 1},
        "2": {"channel": 2, "type": "water", "volume_l": 1},
        "3": {"channel": 3, "type": "heat", "energy_kj": 1, "volume_l": 1},
        "4": {"channel": 4, "type": "electricity", "energy_wh": 1},
        "5": {"channel": 5, "type": "cooling", "energy_kj": 1},
        CHARACTERS: {"type": "gas", "volume_l": 1},
    }
    return reading


def configs(reading, announced=None):
    return {topic: json.loads(payload.decode())
            for topic, payload in of_reading(ABOUT, reading, set() if announced is None else announced)}


def entity(reading, name):
    return configs(reading)["homeassistant/sensor/dongle-1/%s/config" % name]


def render(template, value_json):
    """What Home Assistant's template makes of a message: of the few forms that are used here."""
    class Undefined:
        pass

    class Record:
        def __init__(self, values):
            self.values = values

        def get(self, path):
            found = self.values
            for key in path:
                if not isinstance(found, dict):
                    raise AssertionError("Jinja raises here: %s" % template)
                found = found.get(key, Undefined)
                if found is Undefined:
                    return Undefined
            return found

    record = Record(value_json)
    guard = None
    if template.startswith("{% set d = (value_json.devices | default({}))"):
        start, _, template = template.partition(" %}")
        devices = value_json.get("devices", {})
        if "selectattr" in start:
            head, _, number = start[:start.rindex("'")].rpartition("'")
            assert head.endswith("(value_json.devices | default({})).values() | selectattr('id', 'defined')"
                                 " | selectattr('id', 'eq', ")
            assert start.endswith("') | first | default({})")
            record = Record(([device for device in devices.values() if device.get("id") == number] + [{}])[0])
        else:
            record = Record(devices.get(start.split("'")[1], {}))
    body = template[2:-2].strip()
    value, _, rest = body.partition(" if ")
    condition, _, other = rest.partition(" else ")
    assert other == "''", template
    subject, _, guard = condition.partition(" and d.type == ")
    assert subject.endswith(" is defined")
    path = subject[: -len(" is defined")].split(".")[1:]
    found = record.get(path)
    if found is Undefined or guard and record.get(["type"]) != guard.strip("'"):
        return ""
    number, _, divisor = value.partition(" / ")
    assert number == subject[: -len(" is defined")]
    return found / int(divisor) if divisor else found


def test_ids_are_unique_and_topics_are_made_of_safe_characters():
    reading = everything()
    found = list(of_reading(ABOUT, reading, set())) + list(of_health(
        ABOUT, {"telegram_age_s": 1, "crc_errors": 2, "uptime_s": 3, "rssi_dbm": -70, "heap_free": 9}, set()))
    topics = [topic for topic, _ in found]
    ids = [json.loads(payload.decode())["unique_id"] for _, payload in found]
    assert len(set(topics)) == len(topics) == len(set(ids)) >= 70
    for topic in topics:
        assert topic.startswith("homeassistant/sensor/dongle-1/") and topic.endswith("/config")
        assert topic.count("/") == 4
        assert all(char.isalpha() and ord(char) < 128 or char.isdigit() or char in "_-/" for char in topic), topic


def test_every_name_is_different_and_readable():
    names = [config["name"] for config in configs(everything()).values()]
    assert len(set(names)) == len(names)
    for wanted in ("Energy import", "Energy import tariff 1", "Power import L2", "Voltage L3", "Net power",
                   "Reactive energy import", "Reactive power export L1", "Power factor", "Gas, channel 1",
                   "Heat energy, channel 3", "Peak of the month", "Voltage sags L1"):
        assert wanted in names, wanted


def test_classes_units_and_state_classes_go_together_as_home_assistant_wants():
    for config in configs(everything()).values():
        kind, state = config.get("device_class"), config.get("state_class")
        assert config.get("unit_of_measurement") in UNITS[kind], config
        if state == "total_increasing":
            assert kind in TOTALS
        elif state == "measurement":
            assert kind not in TOTALS
        else:
            assert state is None and (kind == "timestamp" or kind is None)


def test_every_entity_has_a_device_an_availability_and_an_end():
    for config in configs(everything()).values():
        assert config["availability_topic"] == "wattport/dongle-1/state"
        assert config["state_topic"] == "wattport/dongle-1/reading"
        assert config["expire_after"] == 600
        assert config["device"]["identifiers"] == ["wattport_dongle-1"]
        assert config["device"]["sw_version"] == "1.2.3"
        assert config["device"]["model"] == CHARACTERS


def test_registers_turn_into_kilowatt_hours_and_millivolts_into_volts():
    for field, value, wanted in (("import_wh", 1234567, 1234.567), ("voltage_l1_mv", 230100, 230.1),
                                 ("current_l1_ma", 1500, 1.5), ("frequency_mhz", 49980, 49.98),
                                 ("power_import_w", 230, 230), ("reactive_import_varh", 1500, 1.5),
                                 ("power_factor_milli", 980, 0.98)):
        assert render(entity({field: value}, field)["value_template"], {field: value}) == wanted


def test_a_missing_field_gives_the_empty_text_that_home_assistant_ignores():
    for config in configs(everything()).values():
        template = config["value_template"]
        if "this.state" in template or "isoformat" in template or "default(0)" in template:
            continue
        for message in ({}, {"devices": {}}, {"devices": {"1": {}}}, {"other": 1}):
            assert render(template, message) == ""


def test_child_meters_have_their_class_by_type_not_by_channel():
    reading = everything()
    assert entity(reading, "ch1_gas_volume_l")["device_class"] == "gas"
    assert entity(reading, "ch2_water_volume_l")["device_class"] == "water"
    assert entity(reading, "ch3_heat_energy_kj")["unit_of_measurement"] == "GJ"
    assert entity(reading, "ch3_heat_volume_l")["device_class"] == "volume"
    assert entity(reading, "ch4_electricity_energy_wh")["unit_of_measurement"] == "kWh"


def test_cubic_metres_come_from_litres_and_only_of_the_meter_that_was_announced():
    template = entity(everything(), "ch1_gas_volume_l")["value_template"]
    assert render(template, {"devices": {"1": {"type": "gas", "volume_l": 1234567}}}) == 1234.567
    assert render(template, {"devices": {"1": {"type": "water", "volume_l": 1234567}}}) == ""
    assert render(template, {"devices": {"2": {"type": "gas", "volume_l": 1}}}) == ""


def test_a_child_meter_with_a_number_is_followed_from_channel_to_channel():
    gas = {"type": "gas", "id": "G0039000001", "volume_l": 1500}
    spare = {"type": "gas", "id": "G0039000002", "volume_l": 9000}
    announced = set()
    found = configs({"devices": {"1": gas, "2": spare}}, announced)
    assert sorted(found) == ["homeassistant/sensor/dongle-1/gas_G0039000001_volume_l/config",
                             "homeassistant/sensor/dongle-1/gas_G0039000002_volume_l/config"]
    template = found["homeassistant/sensor/dongle-1/gas_G0039000001_volume_l/config"]["value_template"]
    other = {"type": "water", "volume_l": 7000}
    for devices in ({"1": gas, "2": spare}, {"2": gas, "1": spare}, {"4": gas, "1": other}):
        assert render(template, {"devices": devices}) == 1.5
        assert list(configs({"devices": devices}, announced)) in ([], [
            "homeassistant/sensor/dongle-1/ch1_water_volume_l/config"])
    assert render(template, {"devices": {"1": spare, "2": other}}) == ""
    # the same number on a meter of another kind is a mistake of somebody's
    assert render(template, {"devices": {"1": dict(gas, type="water")}}) == ""


def test_a_number_that_cannot_stand_in_an_id_leaves_the_child_to_its_channel():
    for number in ("", "a b", "x'y", "7" * 35, "\xe4"):
        device = {"type": "gas", "id": number, "volume_l": 1}
        assert list(configs({"devices": {"1": device}})) == ["homeassistant/sensor/dongle-1/ch1_gas_volume_l/config"]
    assert list(configs({"devices": {"1": {"type": "gas", "id": "7" * 34, "volume_l": 1}}})) == [
        "homeassistant/sensor/dongle-1/gas_%s_volume_l/config" % ("7" * 34)]


def test_an_unknown_kind_of_child_is_not_announced():
    assert configs({"devices": {"1": {"type": "unicorn", "volume_l": 1}, "2": {"volume_l": 1}}}) == {}


def test_net_power_is_import_minus_export_and_announced_once():
    config = entity({"power_import_w": 1}, "net_power")
    assert config["device_class"] == "power" and config["state_class"] == "measurement"
    template = config["value_template"]
    assert "(value_json.power_import_w | default(0)) - (value_json.power_export_w | default(0))" in template
    assert "homeassistant/sensor/dongle-1/net_power/config" not in configs({"import_wh": 1})


def test_later_fields_are_announced_when_they_come_and_earlier_ones_not_again():
    announced = set()
    assert len(configs({"import_wh": 1}, announced)) == 1
    assert configs({"import_wh": 2}, announced) == {}
    later = configs({"import_wh": 2, "voltage_l1_mv": 1, "devices": {"1": {"type": "gas", "volume_l": 3}}}, announced)
    assert len(later) == 2


def test_fields_without_a_meaning_are_passed_over():
    assert configs({"meter_id": "x", "time": 5, "peak_history": [], "import_wh": "text", "odd": 1, "a}}b_w": 1}) == {}


def test_settings_of_the_meter_and_counters_are_diagnostics():
    reading = everything()
    for name in ("fuse_ma", "limiter_w", "breaker", "power_failures", "voltage_sags_l1"):
        assert entity(reading, name)["entity_category"] == "diagnostic"
    for name in ("import_wh", "power_import_w", "tariff", "message"):
        assert "entity_category" not in entity(reading, name)


def test_health_becomes_diagnostics():
    health = {"telegram_age_s": 1, "crc_errors": 2, "rssi_dbm": -70, "version": "1", "mqtt": {}, "ok": True, "odd": 1,
              "uptime_s": None}
    found = {topic.split("/")[3]: json.loads(payload.decode()) for topic, payload in of_health(ABOUT, health, set())}
    assert set(found) == {"health_telegram_age_s", "health_crc_errors", "health_rssi_dbm"}
    for config in found.values():
        assert config["entity_category"] == "diagnostic"
        assert config["state_topic"] == "wattport/dongle-1/health"
        assert config.get("unit_of_measurement") in UNITS[config.get("device_class")]
    assert found["health_telegram_age_s"]["name"] == "Last telegram's age"


def test_health_fields_and_reading_fields_do_not_collide():
    announced = set()
    list(of_health(ABOUT, {"uptime_s": 1}, announced))
    assert list(of_health(ABOUT, {"uptime_s": 2}, announced)) == []
    assert announced == {"health_uptime_s"}


def test_a_health_field_that_is_not_known_yet_gets_its_turn_when_it_is():
    announced = set()
    assert list(of_health(ABOUT, {"telegram_age_s": None}, announced)) == []
    assert len(list(of_health(ABOUT, {"telegram_age_s": 5}, announced))) == 1


def test_errors_by_kind_become_the_checksums_and_the_sum():
    health = {"errors": {"checksum": 3, "malformed": 4}, "meter": "silent"}
    found = {topic.split("/")[3]: json.loads(payload.decode()) for topic, payload in of_health(ABOUT, health, set())}
    assert set(found) == {"health_checksum_errors", "health_errors", "health_meter"}
    assert found["health_checksum_errors"]["value_template"] == (
        "{{ (value_json.errors | default({})).checksum if (value_json.errors | default({})).checksum is defined"
        " else '' }}")
    assert found["health_errors"]["state_class"] == "total_increasing"
