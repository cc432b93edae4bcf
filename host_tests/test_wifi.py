# SPDX-License-Identifier: MIT
"""Wi-Fi of the whole firmware, 32 bits as on the chip, against a simulated radio (tools/sim/air.py) whose networks
come, go and change."""

import json
import time

import pytest

from host_tests.air import BOTH, HOME, ONE, SHED, Air, dongle_in, wait_for_connections
from host_tests.brokers import Listener, Mosquitto, eventually
from host_tests.firmware import Firmware, Wire
from tools import meters


@pytest.fixture
def air(tmp_path):
    return Air(tmp_path)


def test_it_comes_back_by_itself_when_the_access_point_was_away(tmp_path, air):
    air.set(HOME)
    with dongle_in(tmp_path, air, ONE) as firmware:
        wait_for_connections(firmware, 1)
        air.set()
        firmware.wait_for_log("Wi-Fi is gone")
        assert "no network of this name" in firmware.wait_for_log("no connection to Wi-Fi home")
        air.set(HOME)
        wait_for_connections(firmware, 2)
        assert firmware.starts == 1 and not firmware.logged("task"), firmware.log


def test_another_channel_and_another_address_are_found_after_the_old_ones_end(tmp_path, air):
    air.set(HOME)
    with dongle_in(tmp_path, air, ONE) as firmware:
        assert wait_for_connections(firmware, 1) == ["127.0.0.9"]
        air.set({**HOME, "channel": 11, "address": "127.0.0.10"})
        assert wait_for_connections(firmware, 2) == ["127.0.0.9", "127.0.0.10"]


@pytest.mark.parametrize("refusal", [2, 15, 202, 204, 205])
def test_a_password_that_was_changed_is_named_and_changed_back_it_connects_again(tmp_path, air, refusal):
    air.set(HOME)
    with dongle_in(tmp_path, air, ONE) as firmware:
        wait_for_connections(firmware, 1)
        air.set({**HOME, "password": "other-one", "refusal": refusal})
        assert "the password is wrong" in firmware.wait_for_log("no connection to Wi-Fi home")
        air.set(HOME)
        wait_for_connections(firmware, 2)


def test_the_second_network_is_taken_while_the_first_is_away_and_stays_for_as_long_as_it_answers(tmp_path, air):
    air.set(SHED)
    with dongle_in(tmp_path, air, BOTH) as firmware:
        assert wait_for_connections(firmware, 1) == ["127.0.0.8"]
        air.set(SHED, HOME)  # it was the last good one: nobody is thrown out for a stronger one
        air.set({**SHED, "channel": 11}, HOME)  # and after a loss it is the first to be tried
        assert wait_for_connections(firmware, 2)[1] == "127.0.0.8"
        air.set(HOME)
        assert wait_for_connections(firmware, 3)[2] == "127.0.0.9"


def test_a_fixed_address_needs_no_dhcp(tmp_path, air):
    air.set({**HOME, "dhcp": False})
    wifi = {**ONE, "address": "127.0.0.77/8", "gateway": "127.0.0.1"}
    with dongle_in(tmp_path, air, wifi) as firmware:
        assert wait_for_connections(firmware, 1) == ["127.0.0.77"]


def test_an_access_point_without_addresses_is_told_from_one_that_does_not_answer(tmp_path, air):
    air.set({**HOME, "dhcp": False})
    with dongle_in(tmp_path, air, ONE) as firmware:
        line = eventually(lambda: firmware.logged("no connection to Wi-Fi home"), "the log line", 40)[0]
        assert "gives no address" in line


def test_an_access_point_that_turns_devices_away_is_told(tmp_path, air):
    air.set({**HOME, "turns_away": True})
    with dongle_in(tmp_path, air, ONE) as firmware:
        assert "turns this device away" in firmware.wait_for_log("no connection to Wi-Fi home")


def test_a_driver_that_finds_nothing_any_more_is_started_anew(tmp_path, air):
    air.set(HOME, SHED, stuck=True)
    with dongle_in(tmp_path, air, BOTH) as firmware:
        wait_for_connections(firmware, 1)  # after five attempts, two of them and then a pause


def test_the_broker_is_looked_for_only_when_there_is_a_connection_and_again_after_it_was_gone(tmp_path, air):
    air.set()
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        mqtt = {"host": "127.0.0.1", "port": broker.port, "discovery": False}
        with dongle_in(tmp_path, air, ONE, mqtt=mqtt) as firmware:
            firmware.wait_for_log("no connection to Wi-Fi home")
            assert not firmware.logged("mqtt")
            air.set(HOME)
            listener.wait(firmware.topic("state"), lambda text: text == b"online")
            health = json.loads(listener.wait(firmware.topic("health")))
            # the first one may have waited for the broker
            assert (health["wifi"], health["rssi"]) in (("not_found", None), ("connected", -55))


def test_the_meter_is_read_while_a_network_is_sought(tmp_path, air):
    meter = meters.make("dsmr5", seed=5, start=1_760_000_000)
    air.set(HOME)
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener, Wire() as wire:
        # the simulated radio loses its networks, and the broker on this machine is there all the same
        groups = {"wifi": BOTH, "web": {"port": 0},
                  "mqtt": {"host": "127.0.0.1", "port": broker.port, "discovery": False}}
        with Firmware(tmp_path, wire.uart, groups, environment=air.environment) as firmware:
            wait_for_connections(firmware, 1)
            listener.wait(firmware.topic("state"), lambda text: text == b"online")
            for number in range(30):
                if number == 5:
                    air.set()
                telegram, expected = meter.next()
                wire.send(telegram)
                listener.wait(firmware.topic("reading"),
                              lambda text, wanted=expected: json.loads(text)["import_wh"] == wanted["import_wh"])
                time.sleep(0.2)
            air.set(HOME)
            wait_for_connections(firmware, 2)
            assert firmware.logged("no network of this name")
            assert not firmware.logged("task") and not firmware.logged("telegram of")
