# SPDX-License-Identifier: MIT
"""Peaks and alerts as a household has them: the firmware on 32 bits, a meter on its wire, Mosquitto, the API."""

import json
import time

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


def telegram(millivolts):
    """A telegram of DSMR 5, with the lines that are needed here."""
    text = "/ISK5\\2M550T-1012\r\n\r\n1-3:0.2.8(50)\r\n0-0:96.1.1(4530303132)\r\n1-0:1.8.1(001000.000*kWh)\r\n"
    text += "1-0:32.7.0(%d.%d*V)\r\n" % (millivolts // 1000, millivolts // 100 % 10)
    text += "!"
    return (text + "%04X\r\n" % crc(text.encode())).encode()


def crc(data):
    """CRC-16/ARC."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value


def test_an_over_voltage_and_a_silent_meter_are_raised_and_cleared(tmp_path):
    with Mosquitto(tmp_path) as broker, Wire() as wire, Listener(broker.port) as listener:
        with House(tmp_path, wire, mqtt=mqtt(broker), alert={"on": True, "silent_s": 8}) as house:
            topic = house.firmware.topic("alert")

            def told(name, active):
                return [alert for alert in map(json.loads, listener.payloads(topic))
                        if alert["name"] == name and alert["active"] == active]

            def sent(millivolts, name, active):
                """A telegram each half second, until that is told."""
                def look():
                    wire.send(telegram(millivolts))
                    time.sleep(0.5)
                    return told(name, active)
                return eventually(look, "%s %s" % (name, active))
            alert, = sent(254300, "voltage_high_l1", True)
            assert alert["value"] == 254300 and alert["text"] == "The voltage of L1 is too high: 254.3 V."
            assert [one["name"] for one in house.json("/api/alerts")["active"]] == ["voltage_high_l1"]
            assert house.health()["alerts"] == ["voltage_high_l1"]
            sent(231000, "voltage_high_l1", False)
            eventually(lambda: told("meter_silent", True), "a silent meter")
            sent(231000, "meter_silent", False)
            last = house.json("/api/alerts")
            assert not last["active"]
            assert [one["name"] for one in last["last"]] == ["meter_silent", "voltage_high_l1"]
            eventually(lambda: sent(231000, "meter_silent", False) and {"alerts", "alert"} <= set(
                announced(listener, house)), "the entities")
            entities = announced(listener, house)
            assert "expire_after" not in entities["alerts"] and "expire_after" not in entities["alert"]
        for name in ("voltage_high_l1", "meter_silent"):
            assert len(told(name, True)) == len(told(name, False)) == 1
        with Listener(broker.port, [house.firmware.topic("alerts")]) as late:
            assert json.loads(late.wait(house.firmware.topic("alerts")))["active"] == []
