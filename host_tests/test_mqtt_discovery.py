# SPDX-License-Identifier: MIT
"""Home Assistant's discovery as a broker sees it."""

import json
import time

import pytest

from host_tests.brokers import Dongle, Listener, Mosquitto, eventually

BASE = "wattport/dongle-1"
FIELDS = ["import_wh", "export_wh", "power_import_w", "power_export_w", "voltage_l1_mv", "frequency_mhz"]
METER = '''
import gc, sys

async def scenario():
    extra = {}
    for count in range(1000000):
        reading = {"meter_id": "x", "import_wh": count, "export_wh": 1, "power_import_w": 2, "power_export_w": 3,
                   "voltage_l1_mv": 230000, "frequency_mhz": 50000,
                   "devices": {"1": {"channel": 1, "type": "gas", "id": "g", "volume_l": 5}}}
        if count > LATER:
            reading["current_l1_ma"] = 1000
            reading["devices"]["2"] = {"channel": 2, "type": "water", "id": "w", "volume_l": 6}
        publisher.reading(reading)
        publisher.health({"telegram_age_s": 1, "crc_errors": 0})
        say(imported="wattport.publish.discovery" in sys.modules)
        await asyncio.sleep_ms(100)
'''
STEADY = METER.replace("LATER", "1000000")
ENTITIES = set(FIELDS) | {"net_power", "gas_g_volume_l", "health_telegram_age_s", "health_crc_errors"}


def rounds(dongle, count):
    """Wait until the meter has sent that many telegrams more, ten in a second."""
    def telegrams():
        return len([line for line in list(dongle.lines) if "imported" in line])
    before = telegrams()
    eventually(lambda: telegrams() > before + count, "%d telegrams" % count)


def announced(listener):
    """{object id: configuration} so far."""
    return {topic.split("/")[3]: json.loads(payload) for _, topic, payload, _, _ in list(listener.messages)
            if topic.startswith("homeassistant/sensor/dongle-1/")}


@pytest.mark.parametrize("runtime", ["micropython", "micropython32"])
def test_every_field_is_announced_once_retained_and_paced(tmp_path, runtime):
    with Mosquitto(tmp_path) as broker, Listener(broker.port, ["homeassistant/#"]) as listener:
        with Dongle(tmp_path, STEADY, runtime, port=broker.port, discovery=True) as dongle:
            eventually(lambda: set(announced(listener)) == ENTITIES, "every entity")
            began, ended = listener.messages[0][0], listener.messages[-1][0]
            assert ended - began >= 0.1 * (len(ENTITIES) - 1)  # no burst
            rounds(dongle, 10)
            assert len(listener.messages) == len(ENTITIES)
            imported = [line["imported"] for line in dongle.lines if "imported" in line]
            assert True in imported and not imported[-1]  # its memory is free again
        configurations = announced(listener).values()
        assert len({configuration["unique_id"] for configuration in configurations}) == len(ENTITIES)
        with Listener(broker.port, ["homeassistant/#"]) as late:
            eventually(lambda: set(announced(late)) == ENTITIES, "retained ones")


FORGETS = """
forget = module.forget

def told(*names):
    if "wattport.publish.discovery" in names and names[0] in sys.modules:
        say(forgotten=True)
    forget(*names)

module.forget = told
"""


def test_what_announces_the_reading_stays_for_the_health_and_then_goes(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port, ["homeassistant/#"]) as listener:
        with Dongle(tmp_path, STEADY + FORGETS, port=broker.port, discovery=True) as dongle:
            eventually(lambda: set(announced(listener)) == ENTITIES, "every entity")
            rounds(dongle, 10)
        # a second one, beside a first that the heap still has, is more than there is
        assert len([line for line in dongle.lines if "forgotten" in line]) == 1
        assert not [line["imported"] for line in dongle.lines if "imported" in line][-1]


def test_readings_keep_their_pace_meanwhile(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port, ["homeassistant/#", BASE + "/reading"]) as listener:
        with Dongle(tmp_path, STEADY, port=broker.port, discovery=True):
            eventually(lambda: set(announced(listener)) == ENTITIES, "every entity")
        order = [message[1].startswith("homeassistant") for message in listener.messages]
        assert not order[0]
        first = order.index(True)
        assert order[first:].count(False) > 5


def test_fields_that_come_later_are_announced_then(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port, ["homeassistant/#"]) as listener:
        with Dongle(tmp_path, METER.replace("LATER", "50"), port=broker.port, discovery=True):
            eventually(lambda: set(announced(listener)) == ENTITIES | {"current_l1_ma", "water_w_volume_l"})
        assert len(listener.messages) == len(ENTITIES) + 2


SWAPPING = METER.replace('"id": "g", "volume_l": 5}}}', """"id": "g", "volume_l": 5},
                               "2": {"channel": 2, "type": "water", "id": "w", "volume_l": 6}}}
        if count // 10 % 2:
            devices = reading["devices"]
            devices["1"], devices["2"] = devices["2"], devices["1"]""").replace("LATER", "1000000")


def test_children_that_swap_their_channels_keep_their_entities(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port, ["homeassistant/#"]) as listener:
        with Dongle(tmp_path, SWAPPING, port=broker.port, discovery=True) as dongle:
            eventually(lambda: set(announced(listener)) == ENTITIES | {"water_w_volume_l"})
            rounds(dongle, 25)
        assert len(listener.messages) == len(ENTITIES) + 1


def test_a_restarted_home_assistant_gets_state_and_entities_again(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port, ["homeassistant/sensor/#", BASE + "/state"]) as listener:
        with Dongle(tmp_path, STEADY, port=broker.port, discovery=True):
            eventually(lambda: set(announced(listener)) == ENTITIES, "every entity")
            time.sleep(0.5)
            listener.messages.clear()
            listener.publish("homeassistant/status", b"offline")
            listener.publish("homeassistant/status", b"online")
            eventually(lambda: set(announced(listener)) == ENTITIES, "every entity again")
            assert listener.payloads(BASE + "/state") == [b"online"]
            entities = [message for message in listener.messages if message[1].startswith("homeassistant")]
            assert entities[-1][0] - entities[0][0] >= 0.1 * (len(ENTITIES) - 1)
            assert len(entities) == len(ENTITIES)


def test_a_birth_message_that_was_retained_changes_nothing(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port, ["homeassistant/sensor/#"]) as listener:
        listener.publish("homeassistant/status", b"online", retain=True)
        with Dongle(tmp_path, STEADY, port=broker.port, discovery=True) as dongle:
            eventually(lambda: set(announced(listener)) == ENTITIES, "every entity")
            rounds(dongle, 45)
        assert len(listener.messages) == len(ENTITIES)


@pytest.mark.parametrize("persistent", [True, False])
def test_after_a_reconnect_entities_are_sent_again_only_to_a_broker_that_lost_them(tmp_path, persistent):
    with Mosquitto(tmp_path, persistent=persistent) as broker:
        with Dongle(tmp_path, STEADY, port=broker.port, discovery=True) as dongle:
            with Listener(broker.port, ["homeassistant/sensor/#"]) as listener:
                eventually(lambda: set(announced(listener)) == ENTITIES, "every entity")
            time.sleep(2.5)  # Mosquitto writes once a second
            broker.kill()
            dongle.wait_status(connected=False, connects=1)
            broker.start()
            with Listener(broker.port, ["homeassistant/sensor/#"]) as listener:
                dongle.wait_status(connected=True, connects=2)
                if persistent:
                    rounds(dongle, 50)
                    assert [message for message in listener.messages if not message[4]] == []
                else:
                    eventually(lambda: set(announced(listener)) == ENTITIES, "every entity again")


def test_a_connection_lost_in_the_middle_of_it_starts_it_again(tmp_path):
    with Mosquitto(tmp_path) as broker:
        with Dongle(tmp_path, STEADY, port=broker.port, discovery=True) as dongle:
            with Listener(broker.port, ["homeassistant/sensor/#"]) as listener:
                eventually(lambda: len(announced(listener)) == 3)
            broker.kill()
            dongle.wait_status(connected=False, connects=1)
            broker.start()
            with Listener(broker.port, ["homeassistant/sensor/#"]) as listener:
                eventually(lambda: set(announced(listener)) == ENTITIES, "every entity")


def test_without_discovery_nothing_is_announced_or_subscribed(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port, ["#"]) as listener:
        with Dongle(tmp_path, STEADY, port=broker.port) as dongle:
            eventually(lambda: len(listener.payloads(BASE + "/reading")) > 20)
            assert not any(line.get("imported") for line in dongle.lines)
        assert all(message[1].startswith(BASE) for message in listener.messages)


def test_another_prefix_is_used_for_entities_and_birth(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port, ["ha/#", BASE + "/state"]) as listener:
        with Dongle(tmp_path, STEADY, port=broker.port, discovery=True, discovery_prefix="ha"):
            eventually(lambda: len([1 for message in listener.messages if message[1].startswith("ha/sensor")]) > 2)
            listener.publish("ha/status", b"online")
            eventually(lambda: len(listener.payloads(BASE + "/state")) == 2)
