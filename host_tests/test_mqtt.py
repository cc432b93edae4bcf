# SPDX-License-Identifier: MIT
"""The publisher under MicroPython against real brokers."""

import json

import pytest

from host_tests.brokers import Amqtt, Dongle, Listener, Mosquitto, eventually

EVERYTHING = '''
async def scenario():
    while not publisher.status["connected"]:
        await asyncio.sleep_ms(10)
    publisher.reading({"import_wh": 99999999999, "power_import_w": 230, "meter_id": "\\x05a\\\\b"})
    publisher.health({"uptime_s": 5})
    publisher.alert({"kind": "outage"})
    publisher.raw(bytes(range(256)) * 12)
'''


@pytest.mark.parametrize("broker", ["mosquitto", "amqtt"])
@pytest.mark.parametrize("qos", [0, 1])
def test_every_kind_of_message_arrives(tmp_path, broker, qos):
    with (Mosquitto(tmp_path) if broker == "mosquitto" else Amqtt()) as broker:
        with Listener(broker.port, ["wattport/dongle-1/#"]) as listener:
            with Dongle(tmp_path, EVERYTHING, port=broker.port, qos=qos, raw=True) as dongle:
                reading = json.loads(listener.wait("wattport/dongle-1/reading"))
                assert reading == {"import_wh": 99999999999, "power_import_w": 230, "meter_id": "\x05a\\b"}
                assert json.loads(listener.wait("wattport/dongle-1/health")) == {"uptime_s": 5}
                assert json.loads(listener.wait("wattport/dongle-1/alert")) == {"kind": "outage"}
                assert listener.wait("wattport/dongle-1/raw") == bytes(range(256)) * 12
                assert listener.wait("wattport/dongle-1/state") == b"online"
                dongle.wait_status(connected=True, published=4, dropped=0)
            sent = {message[1].split("/")[-1]: message[3] for message in listener.messages}
            assert sent == {"state": 1, "reading": qos, "health": qos, "alert": 1, "raw": qos}
            eventually(lambda: listener.payloads("wattport/dongle-1/state") == [b"online", b"offline"], "the will")
