# SPDX-License-Identifier: MIT
"""Peaks and alerts as a household has them: the firmware on 32 bits, a meter on its wire, Mosquitto, the API."""

import json

from host_tests.brokers import Listener, Mosquitto, eventually
from host_tests.firmware import Wire
from host_tests.house import House


def mqtt(broker):
    return {"host": "127.0.0.1", "port": broker.port}


def announced(listener, house):
    """{object id: configuration} of Home Assistant's entities so far."""
    place = "/%s/" % house.firmware.identity
    return {topic.split("/")[3]: json.loads(payload) for _, topic, payload, _, _ in list(listener.messages)
            if topic.startswith("homeassistant/") and place in topic}


def test_the_running_quarter_hour_is_told_at_the_broker_and_at_the_api(tmp_path):
    with Mosquitto(tmp_path) as broker, Wire() as wire, Listener(broker.port) as listener:
        with House(tmp_path, wire, "be", mqtt=mqtt(broker), alert={"peak_preset": "be", "peak_limit_w": 1}) as house:
            topic = house.firmware.topic("peak")

            def peak():
                sent = house.telegram()
                found = [json.loads(payload) for payload in listener.payloads(topic)]
                return found and found[-1]["over"] and [found[-1], sent]
            told, sent = eventually(peak, "a peak ahead")
            assert told["figure_w"] == max(2500, sent["peak_month_w"])
            assert told["window_s"] == 900 and told["limit_w"] == 1 and told["peaks"] == []
            assert told["allowed_w"] < 0 < told["projected_w"]
            assert told["until"] % 900 == 0 and 0 < told["until"] - sent["time"] <= 900
            asked = house.json("/api/peaks")
            assert asked["preset"] == "be" and asked["until"] == told["until"] and asked["over"]
            assert house.health()["peak_w"] == told["figure_w"]
            names = {"peak_" + name for name in ("figure_w", "average_w", "projected_w", "allowed_w", "until", "over")}
            eventually(lambda: house.telegram() and names <= set(announced(listener, house)), "the entities")
            over = announced(listener, house)["peak_over"]
            assert over["state_topic"] == topic and over["device_class"] == "problem"
        with Listener(broker.port, [topic]) as late:
            assert json.loads(late.wait(topic))["over"]
            assert late.messages[0][4]
