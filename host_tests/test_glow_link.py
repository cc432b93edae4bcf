# SPDX-License-Identifier: MIT
"""A Glow device publishes to a real broker, and the dongle's own reading comes back."""

import json
import time

import pytest

from host_tests.brokers import BadBroker, Listener, Mosquitto, eventually
from host_tests.core.test_glow import ELECTRICITY, GAS, OLD, STATE
from host_tests.firmware import Firmware
from tools.paths import TELEGRAMS

TOPIC = "glow/0123456789AB/SENSOR/"


def settings_for(port, discovery=False, **meter):
    return {"mqtt": {"host": "127.0.0.1", "port": port, "discovery": discovery},
            "meter": dict(meter, source="glow")}


def listening(firmware):
    return firmware.wait_for_log("glow: listening")


def readings(listener, firmware):
    return [json.loads(text) for text in listener.payloads(firmware.topic("reading"))]


def reading_at(listener, firmware, count):
    """The reading with which there are `count`."""
    return eventually(lambda: readings(listener, firmware)[count - 1:], "%d readings" % count)[0]


@pytest.mark.parametrize("runtime", ["micropython32", "micropython"])
def test_electricity_comes_back_as_a_reading_with_the_last_gas_in_it(tmp_path, runtime):
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        with Firmware(tmp_path, "file:/dev/null", settings_for(broker.port), runtime) as firmware:
            listening(firmware)
            listener.publish(TOPIC + "electricitymeter", ELECTRICITY.encode())
            first = reading_at(listener, firmware, 1)
            assert first["import_wh"] == 98765432 and first["unit_rate_micro"] == 245030 and "devices" not in first
            listener.publish(TOPIC + "gasmeter", GAS.encode())
            listener.publish("glow/0123456789AB/STATE", STATE.encode())
            listener.publish(TOPIC + "electricitymeter", ELECTRICITY.replace("0.425", "1.000").encode())
            second = reading_at(listener, firmware, 2)
            assert second["power_import_w"] == 1000
            assert second["devices"]["1"]["volume_l"] == 634567 and second["devices"]["1"]["energy_wh"] == 7000500
            health = json.loads(listener.wait(
                firmware.topic("health"), lambda text: json.loads(text)["telegrams"] == 3, 90))
            assert health["family"] == "zcl-mqtt" and health["meter"] == "ok" and not any(health["errors"].values())
            assert len(readings(listener, firmware)) == 2 and not firmware.logged("error")


def test_gas_alone_goes_on_by_itself(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        with Firmware(tmp_path, "file:/dev/null", settings_for(broker.port)) as firmware:
            listening(firmware)
            listener.publish(TOPIC + "gasmeter", GAS.encode())
            assert set(reading_at(listener, firmware, 1)) == {"devices"}


def test_the_older_form_is_read_under_its_own_topic(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        settings = settings_for(broker.port, glow_topic="SMART/HILD/+")
        with Firmware(tmp_path, "file:/dev/null", settings) as firmware:
            listening(firmware)
            listener.publish("SMART/HILD/0123456789AB", (OLD % "FFF060").encode())
            reading = reading_at(listener, firmware, 1)
            assert reading["power_export_w"] == 4000 and reading["import_wh"] == 26872589
            assert reading["devices"]["1"]["volume_l"] == 3276627


def test_what_is_broken_or_about_no_meter_is_counted_and_the_next_message_is_read(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        settings = settings_for(broker.port, glow_topic="glow/#")
        with Firmware(tmp_path, "file:/dev/null", settings) as firmware:
            listening(firmware)
            for payload in (STATE.encode(), b"", b"{", b"\x00\xff" * 50, ELECTRICITY[:200].encode(), b"{" * 4000,
                            b'{"a":"' + b"x" * 20000 + b'"}',
                            b'{"electricitymeter":{"power":{"value":"x","units":"kW"}}}'):
                listener.publish(TOPIC + "electricitymeter", payload)
            listener.publish(TOPIC + "electricitymeter", ELECTRICITY.encode())
            assert reading_at(listener, firmware, 1)["import_wh"] == 98765432
            health = json.loads(listener.wait(
                firmware.topic("health"), lambda text: json.loads(text)["telegrams"] == 1, 90))
            assert health["errors"]["unsupported"] == 1 and health["errors"]["truncated"] >= 3
            assert health["errors"]["malformed"] >= 2 and health["garbage"] == len(STATE)
            assert not firmware.logged("task") and not firmware.logged(": unsupported,")


def test_home_assistant_hears_of_periods_and_prices(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        with Firmware(tmp_path, "file:/dev/null", settings_for(broker.port, True)) as firmware:
            listening(firmware)
            listener.publish(TOPIC + "gasmeter", GAS.encode())
            reading_at(listener, firmware, 1)
            listener.publish(TOPIC + "electricitymeter", ELECTRICITY.encode())
            configs = {}
            for name in ("import_wh", "import_day_wh", "import_month_wh", "unit_rate_micro", "standing_charge_micro",
                         "gas_3000123406_volume_l", "gas_3000123406_energy_wh"):
                configs[name] = json.loads(listener.wait(
                    "homeassistant/sensor/%s/%s/config" % (firmware.identity, name)))
            assert configs["import_day_wh"]["name"] == "Energy import day"
            assert configs["import_day_wh"]["state_class"] == "total_increasing"
            assert configs["unit_rate_micro"]["unit_of_measurement"] == "GBP/kWh"
            assert "device_class" not in configs["unit_rate_micro"]
            assert configs["standing_charge_micro"]["unit_of_measurement"] == "GBP/d"
            names = [config["name"] for config in configs.values()]
            assert len(names) == len(set(names))


def test_a_broker_of_its_own_with_a_login_is_found_again_after_it_was_away(tmp_path):
    (tmp_path / "glow").mkdir()
    login = {"glow": "secret"}
    with Mosquitto(tmp_path) as broker, Mosquitto(tmp_path / "glow", login) as other, \
            Listener(broker.port) as listener:
        settings = settings_for(broker.port, glow_host="127.0.0.1", glow_port=other.port, glow_user="glow",
                                glow_password="secret")
        with Firmware(tmp_path, "file:/dev/null", settings) as firmware:
            listening(firmware)
            with Listener(other.port, user="glow", password="secret") as device:
                device.publish(TOPIC + "electricitymeter", ELECTRICITY.encode())
                reading_at(listener, firmware, 1)
            other.kill()
            firmware.wait_for_log("glow: the broker closed the connection")
            other.start()
            eventually(lambda: len(firmware.logged("glow: listening")) > 1, "the second connection")
            with Listener(other.port, user="glow", password="secret") as device:
                device.publish(TOPIC + "electricitymeter", ELECTRICITY.encode())
                reading_at(listener, firmware, 2)


def test_a_broker_that_takes_the_connection_and_says_nothing_starves_no_watchdog(tmp_path):
    def stall(connection):
        while connection.recv(4096):
            pass
    with Mosquitto(tmp_path) as broker, BadBroker(stall) as stalling, Listener(broker.port) as listener:
        settings = settings_for(broker.port, glow_host="127.0.0.1", glow_port=stalling.port)
        with Firmware(tmp_path, "file:/dev/null", settings) as firmware:
            eventually(lambda: stalling.connections, "a connection")
            assert firmware.wait_for_log("glow: no CONNACK")
            time.sleep(1)
            assert not firmware.logged("watchdog") and listener.payloads(firmware.topic("health"))


@pytest.mark.skipif(not TELEGRAMS.is_dir(), reason="no real telegrams beside this checkout")
def test_real_messages_come_back_as_their_sidecars_expect(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        with Firmware(tmp_path, "file:/dev/null", settings_for(broker.port)) as firmware:
            listening(firmware)
            count = 0
            for path in sorted(TELEGRAMS.glob("zcl-mqtt-*.json")):
                expected = json.loads(path.read_text())["reading"]
                listener.publish(TOPIC + "x", path.with_suffix(".bin").read_bytes())
                if expected:
                    count += 1
                    reading = reading_at(listener, firmware, count)
                    assert {name: reading[name] for name in expected} == expected, path.name
            assert count >= 3
