# SPDX-License-Identifier: MIT
"""Every alert there is, driven from the meter's wire through the firmware (32 bits) to Mosquitto: its threshold, how
long it has to last, and what ends it."""

import json
import time
from datetime import UTC, datetime

import pytest

from host_tests.brokers import Listener, Mosquitto, eventually
from host_tests.firmware import Wire
from host_tests.house import House
from host_tests.test_alert_dongle import crc
from tools import cpython, meters

cpython.install()

from wattport.alert import texts  # noqa: E402

START = 1_760_000_000
SILENT_S = 8
PATIENCE = 120
KEY, OTHER = bytes(range(16)), bytes(range(16, 32))
EVERY = {line.split(" ")[0] for line in texts._TEXTS.strip().split("\n")}
SEEN = set()  # by all tests here


class Meter:
    """Three phases of DSMR 5; what it shows can be changed between two telegrams."""

    def __init__(self, wire):
        self.wire = wire
        self.volts = [230.0, 230.0, 230.0]
        self.taken_w, self.given_w = 300, 0
        self.identity, self.failures, self.tariff, self.message, self.ahead_s = "E0012", 3, 1, "", 0
        self.began = time.monotonic()

    def send(self):
        clock = datetime.fromtimestamp(START + 7200 + self.ahead_s + int(time.monotonic() - self.began), UTC)
        lines = ["1-3:0.2.8(50)", "0-0:1.0.0(%sS)" % clock.strftime("%y%m%d%H%M%S"),
                 "0-0:96.1.1(%s)" % self.identity.encode().hex(), "1-0:1.8.1(001000.000*kWh)",
                 "1-0:1.8.2(002000.000*kWh)",
                 "1-0:2.8.1(000000.000*kWh)", "1-0:2.8.2(000000.000*kWh)", "0-0:96.14.0(%04d)" % self.tariff,
                 "1-0:1.7.0(%06.3f*kW)" % (self.taken_w / 1000), "1-0:2.7.0(%06.3f*kW)" % (self.given_w / 1000),
                 "0-0:96.7.21(%05d)" % self.failures, "0-0:96.13.0(%s)" % self.message.encode().hex()]
        lines += ["1-0:%d.7.0(%05.1f*V)" % (32 + 20 * i, volts) for i, volts in enumerate(self.volts)]
        text = "/ISK5\\2M550T-1012\r\n\r\n" + "".join(line + "\r\n" for line in lines) + "!"
        self.wire.send((text + "%04X\r\n" % crc(text.encode())).encode())


class Told:
    """What has been told of alerts."""

    def __init__(self, house, listener):
        self._topic, self._listener = house.firmware.topic("alert"), listener

    def of(self, name, active):
        """[(when it came, the message), …]"""
        return [(message[0], json.loads(message[2])) for message in list(self._listener.messages)
                if message[1] == self._topic and json.loads(message[2])["name"] == name
                and json.loads(message[2])["active"] == active]

    def wait(self, feed, *wanted, every_s=0.5):
        """Call `feed` until all of [(name, active), …] have been told once more than now."""
        def missing():
            feed()
            time.sleep(every_s)
            return all(len(self.of(name, active)) > before for name, active, before in counted)
        counted = [(name, active, len(self.of(name, active))) for name, active in wanted]
        eventually(missing, "all of %s" % (wanted,), PATIENCE)
        SEEN.update(name for name, _ in wanted)


def settings(broker, **more):
    return {"mqtt": {"host": "127.0.0.1", "port": broker.port, "discovery": False}, "time": {"source": "meter"},
            "alert": {"on": True, "silent_s": SILENT_S, "power_w": 5000, "reverse": True, "tariff": True}, **more}


def test_each_alert_of_the_house_and_of_the_meter_begins_after_its_time_and_ends_once(tmp_path):
    with Mosquitto(tmp_path) as broker, Wire() as wire, Listener(broker.port) as listener:
        with House(tmp_path, wire, **settings(broker)) as house:
            meter, told = Meter(wire), Told(house, listener)
            eventually(lambda: meter.send() or time.sleep(0.5) or house.health()["telegrams"] > 3, "telegrams")
            assert not told.of("voltage_high_l1", True)
            # the house: each limit just passed, for as long as it takes
            meter.volts, meter.taken_w, meter.given_w = [253.1, 206.9, 12.0], 5001, 51
            began = time.monotonic()
            house_alerts = {"voltage_high_l1": 10, "voltage_low_l2": 10, "phase_missing_l3": 10, "power_high": 30,
                            "reverse_flow": 60}
            meter.ahead_s = 600  # this is believed after a minute, too
            told.wait(meter.send, *[(name, True) for name in house_alerts], ("clock_step", True))
            for name, hold_s in house_alerts.items():
                assert hold_s - 1 <= told.of(name, True)[0][0] - began <= hold_s + 20, name
            assert set(house.health()["alerts"]) == {*house_alerts, "clock_step"}
            # right again, but not by enough to end them
            meter.volts, meter.taken_w, meter.given_w = [252.9, 207.1, 120.0], 4800, 30
            for _ in range(6):
                meter.send()
                time.sleep(0.5)
            assert not [name for name in house_alerts if told.of(name, False)]
            meter.volts, meter.taken_w, meter.given_w = [231.0, 229.0, 228.0], 400, 0
            told.wait(meter.send, *[(name, False) for name in house_alerts])
            # the meter
            meter.failures, meter.tariff, meter.message = 4, 2, "Tot ziens!"
            told.wait(meter.send, ("outage", True), ("tariff_change", True), ("message", True))
            assert "Tot ziens!" in told.of("message", True)[0][1]["text"]
            meter.message = ""
            told.wait(meter.send, ("message", False))
            meter.taken_w = 90000  # above meter.limit_w
            told.wait(meter.send, ("implausible", True))
            meter.taken_w = 400
            meter.identity, meter.failures = "E0013", 0
            told.wait(meter.send, ("meter_swapped", True))
            # the line
            told.wait(lambda: None, ("meter_silent", True))
            told.wait(lambda: wire.send(b"no telegram at all, only noise\r\n"), ("meter_silent", False),
                      ("meter_unreadable", True))
            told.wait(meter.send, ("meter_unreadable", False))
            eventually(lambda: meter.send() or time.sleep(0.5) or told.of("tariff_change", False), "an end by itself",
                       PATIENCE)
            assert set(house.health()["alerts"]) == {"outage", "implausible", "clock_step", "meter_swapped"}
            found = [json.loads(payload) for payload in listener.payloads(house.firmware.topic("alert"))]
        for name in {alert["name"] for alert in found}:  # once each, whatever was told meanwhile
            states = [alert["active"] for alert in found if alert["name"] == name]
            assert states in ([True], [True, False]), (name, states)


def test_a_key_that_never_fitted_is_told_from_one_that_was_changed(tmp_path):
    with Mosquitto(tmp_path) as broker, Wire() as wire, Listener(broker.port) as listener:
        right, wrong = [meters.make("lu", seed=7, start=START, key=key) for key in (KEY, OTHER)]
        with House(tmp_path, wire, **settings(broker, meter={"key": KEY.hex()})) as house:
            told = Told(house, listener)
            told.wait(lambda: wire.send(wrong.next()[0]), ("wrong_key", True))
            told.wait(lambda: wire.send(right.next()[0]), ("wrong_key", False))
            told.wait(lambda: wire.send(wrong.next()[0]), ("changed_key", True))
            told.wait(lambda: wire.send(right.next()[0]), ("changed_key", False))
            assert not told.of("meter_unreadable", True) and not house.health()["alerts"]


def test_there_is_no_alert_that_nothing_here_has_driven():
    if not SEEN:
        pytest.skip("the tests above did not run here")
    kinds = {name[:-3] if name[-3:-1] == "_l" else name for name in SEEN}
    assert kinds | {"peak"} == EVERY  # test_alert_dongle.py has the peak
