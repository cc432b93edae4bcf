# SPDX-License-Identifier: MIT
"""The simulated British meters: what they say is what is read, and both get through the whole firmware."""

import json
import subprocess
import sys
import time

import pytest

from host_tests.brokers import Listener, Mosquitto, eventually, free_port
from host_tests.firmware import Firmware
from tools import meters
from tools.paths import ROOT
from wattport.decode.glow import GlowDecoder
from wattport.errors import MeterError

EVENING = 1_768_068_000  # a Saturday in January, 18:00 in London


def decoded(telegram):
    """The reading that a telegram's messages make together."""
    whole = {}
    for line in telegram.splitlines():
        whole.update(GlowDecoder(None).decode(line, 0, len(line)))
    return whole


@pytest.mark.parametrize("family", ["glow", "glow-zcl"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_message_of_an_evening_is_read_exactly(family, seed):
    meter = meters.make(family, seed=seed, start=EVENING)
    gas = 0
    for _ in range(2000):
        telegram, expected = meter.next()
        assert decoded(telegram) == expected
        gas += "devices" in expected
    assert gas in ((12, 13) if family == "glow" else (2000,))


@pytest.mark.parametrize("family", ["glow", "glow-zcl"])
def test_periods_begin_again_with_the_day_in_london(family):
    meter = meters.make(family, seed=1, start=EVENING)
    readings = [meter.next()[1] for _ in range(3000)]
    midnight = EVENING // 86400 * 86400 + 86400
    before = [reading for reading in readings if reading["time"] < midnight]
    after = [reading for reading in readings if reading["time"] >= midnight]
    assert before[-1]["import_day_wh"] > after[0]["import_day_wh"] == 0
    assert after[-1]["import_month_wh"] >= after[-1]["import_day_wh"] > 0


@pytest.mark.parametrize("family", ["glow", "glow-zcl"])
def test_a_spoilt_message_is_refused(family):
    import random
    meter = meters.make(family, seed=1, start=EVENING)
    telegram = meter.next()[0].splitlines()[0]
    with pytest.raises(MeterError):
        decoded(meter.family.spoil(telegram, random.Random(1)))


def test_there_is_a_pulse_for_each_watt_hour():
    meter = meters.make("pulse", seed=4, start=EVENING)
    _, first = meter.next()
    pulses = 0
    for _ in range(3600):
        telegram, last = meter.next()
        pulses += len(telegram)
    assert pulses == last["import_wh"] - first["import_wh"] > 100


def test_faults_and_brokers_are_refused_where_there_are_none():
    for words in (["--family", "pulse", "--fault", "crc", "-"], ["--family", "dsmr5", "mqtt:localhost:1883"],
                  ["--family", "glow", "mqtt:localhost"]):
        done = subprocess.run([sys.executable, "-m", "tools.meter", *words], cwd=ROOT, capture_output=True)
        assert done.returncode == 2


def settings_for(port, source, **meter):
    return {"mqtt": {"host": "127.0.0.1", "port": port, "discovery": False}, "meter": dict(meter, source=source)}


def simulated(*words):
    return subprocess.Popen([sys.executable, "-m", "tools.meter", *words], cwd=ROOT, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("family, topic", [("glow", "glow/+/SENSOR/+"), ("glow-zcl", "SMART/HILD/+")])
def test_a_simulated_glow_device_comes_back_from_the_broker(tmp_path, family, topic):
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        settings = settings_for(broker.port, "glow", glow_topic=topic)
        with Firmware(tmp_path, "file:/dev/null", settings) as firmware:
            firmware.wait_for_log("glow: listening")
            meter = simulated("--family", family, "--start", "2026-01-10T18:00", "--rate", "20", "--count", "6",
                              "mqtt:127.0.0.1:%d" % broker.port)
            try:
                found = eventually(lambda: listener.payloads(firmware.topic("reading"))[5:], "six readings")
            finally:
                meter.wait()
            reading = json.loads(found[0])
            expected = meters.make(family, start=EVENING)
            wanted = [expected.next()[1] for _ in range(6)]
            assert reading["import_wh"] == wanted[-1]["import_wh"] and reading["time"] == wanted[-1]["time"]
            assert reading["devices"]["1"]["volume_l"] == wanted[0]["devices"]["1"]["volume_l"]


def test_simulated_pulses_become_the_households_power(tmp_path):
    port = free_port()
    meter = simulated("--family", "pulse", "--seed", "4", "--start", "2026-01-10T18:00", "--rate", "5", "tcp:%d" % port)
    try:
        with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
            # five times as fast is five times the power
            with Firmware(tmp_path, "tcp:127.0.0.1:%d" % port, settings_for(broker.port, "pulse")) as firmware:
                time.sleep(15)
                powers = [json.loads(text).get("power_import_w")
                          for text in listener.payloads(firmware.topic("reading"))]
                house = meters.make("pulse", seed=4, start=EVENING)
                for _ in range(60):
                    house.next()
                wanted = 5 * house.household["power_import_w"]
                assert any(power and abs(power - wanted) < wanted // 5 for power in powers), (powers, wanted)
    finally:
        meter.kill()
        meter.wait()
