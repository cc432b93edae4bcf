# SPDX-License-Identifier: MIT
"""The whole firmware under MicroPython: bytes in at the meter port, messages out at a real broker."""

import errno
import json
import os
import random
import signal
import socket
import subprocess
import sys

import pytest

from host_tests.brokers import PATIENCE, Amqtt, BadBroker, Listener, Mosquitto, eventually, free_port, wait_for_port
from host_tests.firmware import Firmware, Wire
from host_tests.test_decoding import lacks
from tools import dongle, meters
from tools.paths import ROOT

KEY = "000102030405060708090a0b0c0d0e0f"
START = 1_760_000_000


def settings_for(port, **meter):
    return {"mqtt": {"host": "127.0.0.1", "port": port, "raw": True, "discovery": False}, "meter": meter}


def meter_of(family, **options):
    return meters.make(family, seed=5, start=START, **options)


def reading_at(listener, firmware, expected):
    """Wait until the expected reading has come back from the broker."""
    return json.loads(listener.wait(firmware.topic("reading"), lambda text: not lacks(json.loads(text), expected)))


def health_of(listener, firmware, accept=lambda health: True):
    """One comes each minute."""
    return json.loads(listener.wait(firmware.topic("health"), lambda text: accept(json.loads(text)), 60 + PATIENCE))


@pytest.mark.parametrize("broker", [Mosquitto, Amqtt], ids=["mosquitto", "amqtt"])
@pytest.mark.parametrize("family, key", [
    ("dsmr5", None), ("dsmr2", None), ("be", None), ("lu", KEY), ("kamstrup", None)])
def test_a_telegram_on_the_wire_comes_back_from_the_broker_as_a_reading(tmp_path, broker, family, key):
    meter = meter_of(family, **({"key": bytes.fromhex(key)} if key else {}))
    start = broker(tmp_path) if broker is Mosquitto else broker()
    with start as host, Listener(host.port) as listener, Wire() as wire:
        with Firmware(tmp_path, wire.uart, settings_for(host.port, **({"key": key} if key else {}))) as firmware:
            listener.wait(firmware.topic("state"), lambda text: text == b"online")
            sent = 3
            if family == "dsmr2":  # no checksum: the registers of the first wait for the second
                wire.send(meter.next()[0])
                sent += 1
            for _ in range(3):
                telegram, expected = meter.next()
                wire.send(telegram)
                reading_at(listener, firmware, expected)
            listener.wait(firmware.topic("raw"), lambda frame: frame and telegram.startswith(frame))
            health = health_of(listener, firmware, lambda health: health["telegrams"] == sent)
            assert not any(health["errors"].values())
            assert health["held"] == health["dropped"] == health["swaps"] == 0
            assert health["meter"] == "ok" and health["telegram_age_s"] < 60
            assert not firmware.logged("error")


def spoilt(meter):
    """{kind of error: bytes that are wrong in that way}."""
    telegrams = [meter.next()[0] for _ in range(5)]
    flipped = bytearray(telegrams[0])
    flipped[300] ^= 1
    return {
        "checksum": bytes(flipped),
        "truncated": telegrams[1][:500] + telegrams[2][:400],
        "malformed": b"/XYZ5 endless\r\n" + b"x" * 10240,
        "noise": random.Random(3).randbytes(700),
    }


def test_bad_input_is_counted_named_and_logged_once_and_the_next_good_telegram_is_read(tmp_path):
    meter = meter_of("dsmr5")
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener, Wire() as wire:
        with Firmware(tmp_path, wire.uart, settings_for(broker.port)) as firmware:
            listener.wait(firmware.topic("state"))
            good = 0
            for _ in range(2):
                for bad in spoilt(meter).values():
                    wire.send(bad)
                    telegram, expected = meter.next()
                    wire.send(telegram)
                    good += 1
                    reading_at(listener, firmware, expected)
            health = health_of(listener, firmware, lambda health: health["telegrams"] == good)
            for kind in ("checksum", "truncated", "malformed"):
                assert health["errors"][kind] >= 2, health
                assert len(firmware.logged(": %s," % kind)) == 1, firmware.log
            assert health["garbage"] > 1000
            assert not firmware.logged("task")


@pytest.mark.parametrize("name, meter_key, settings, kind, advice", [
    ("a wrong key", KEY, {"key": "f" * 32}, "wrong_key", "check meter.key"),
    ("a wrong authentication key", KEY, {"key": KEY, "auth_key": "f" * 32}, "wrong_key", "check meter.key"),
    ("no key", KEY, {}, "no_key", "get the key from your grid company"),
])
def test_a_key_that_does_not_fit_is_named_with_advice(tmp_path, name, meter_key, settings, kind, advice):
    meter = meter_of("lu", key=bytes.fromhex(meter_key))
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener, Wire() as wire:
        with Firmware(tmp_path, wire.uart, settings_for(broker.port, **settings)) as firmware:
            for _ in range(4):
                wire.send(meter.next()[0])
            assert advice in firmware.wait_for_log(kind)
            health = health_of(listener, firmware, lambda health: health["errors"][kind] == 4)
            assert health["telegrams"] == 0 and health["meter"] == "undecoded"
            assert len(firmware.logged(kind)) == 1
            assert not listener.payloads(firmware.topic("reading"))
            # whoever has the key elsewhere gets the frame as it came
            assert listener.payloads(firmware.topic("raw"))


def test_a_key_for_a_meter_that_does_not_encrypt_is_reported_and_the_readings_come_all_the_same(tmp_path):
    meter = meter_of("dsmr5")
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener, Wire() as wire:
        with Firmware(tmp_path, wire.uart, settings_for(broker.port, key=KEY)) as firmware:
            for _ in range(3):
                telegram, expected = meter.next()
                wire.send(telegram)
                reading_at(listener, firmware, expected)
            assert health_of(listener, firmware)["key_unused"] == 3
            assert len(firmware.logged("not encrypted")) == 1


def stall(connection):
    while connection.recv(4096):
        pass


def test_no_telegram_is_lost_to_the_meter_task_while_the_broker_is_away_refuses_or_stalls(tmp_path):
    meter = meter_of("dsmr5")
    sent = 0

    def feed(wire, count):
        nonlocal sent
        for _ in range(count):
            telegram, expected = meter.next()
            wire.send(telegram)
            sent += 1
        return expected
    with Mosquitto(tmp_path) as broker, Wire() as wire:
        with Firmware(tmp_path, wire.uart, settings_for(broker.port)) as firmware:
            with Listener(broker.port) as listener:
                reading_at(listener, firmware, feed(wire, 20))
            broker.kill()
            firmware.wait_for_log("mqtt: ")
            feed(wire, 200)  # nobody listens at the port
            with BadBroker(stall) as stalling:  # somebody does, and says nothing
                assert stalling.port
                feed(wire, 200)
            broker.start()
            with Listener(broker.port) as listener:
                listener.wait(firmware.topic("state"), lambda text: text == b"online")
                reading_at(listener, firmware, feed(wire, 1))
                health = health_of(listener, firmware, lambda health: health["telegrams"] == sent)
                assert not any(health["errors"].values())
                assert health["mqtt"]["connects"] >= 2
            assert not firmware.logged("task")


def test_a_broker_that_takes_the_connection_and_then_stalls_holds_nothing_up(tmp_path):
    meter = meter_of("dsmr5")
    with BadBroker(stall) as broker, Wire() as wire:
        settings = settings_for(broker.port, key=KEY)
        with Firmware(tmp_path, wire.uart, settings) as firmware:
            eventually(lambda: broker.connections, "a connection")
            wire.send(meter.next()[0])
            firmware.wait_for_log("reading dsmr5 telegrams")
            assert firmware.wait_for_log("no CONNACK")


def test_the_last_will_says_offline_when_the_firmware_dies(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener, Wire() as wire:
        with Firmware(tmp_path, wire.uart, settings_for(broker.port)) as firmware:
            listener.wait(firmware.topic("state"), lambda text: text == b"online")
        listener.wait(firmware.topic("state"), lambda text: text == b"offline")


def test_settings_that_are_wrong_are_named_and_the_defaults_run(tmp_path):
    state = tmp_path / "state"
    with Wire() as wire, Firmware(tmp_path, wire.uart, {}) as firmware:
        firmware.wait_for_log("no broker is set")
    (state / "settings.json").write_text('{"meter": {"bauds": 9600}}')
    from tools import dongle
    words, environment = dongle.command("file:/dev/null", state, "0" * 12, "micropython32")
    process = subprocess.Popen(words, env=environment, cwd=state, stdout=subprocess.PIPE, text=True)
    assert "meter.bauds: there is no such setting" in process.stdout.readline()
    process.kill()


@pytest.mark.parametrize("settings, name", [
    ({"mqtt": {"prot": 1883}}, "mqtt.prot"), ({"mqtt": {"port": 0}}, "mqtt.port"),
    ({"meter": {"key": "xyz"}}, "meter.key"), ({"mqt": {}}, "mqt"),
    ({"time": {"zone": "Mars"}}, "time.zone"), ({"meter": {"baud": "9600"}}, "meter.baud"),
    ({"mqtt": {"tls": 1}}, "mqtt.tls"), ([], "no JSON object"),
])
def test_the_tool_refuses_wrong_settings_with_the_name_of_the_key(tmp_path, settings, name):
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, "-m", "tools.dongle", "--uart", "file:/dev/null", "--state", str(tmp_path / "state"),
         "--settings", str(tmp_path / "settings.json")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert name in done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_who_ends_the_tool_ends_the_firmware_and_its_pages_with_it(tmp_path, how):
    port = free_port()
    tool = subprocess.Popen([sys.executable, "-m", "tools.dongle", "--uart", "file:/dev/null", "--state", str(tmp_path),
                             "--http", str(port)], cwd=ROOT)
    wait_for_port(port)
    tool.send_signal(how)
    assert tool.wait(PATIENCE) == 0
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def test_a_serial_device_is_read_as_on_a_raspberry_pi(tmp_path):
    meter = meter_of("dsmr5")
    try:
        master, slave = os.openpty()
    except OSError:
        pytest.skip("this machine has no pseudo-terminals")
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        with Firmware(tmp_path, "serial:" + os.ttyname(slave), settings_for(broker.port)) as firmware:
            listener.wait(firmware.topic("state"))
            for _ in range(3):
                telegram, expected = meter.next()
                while telegram:  # the terminal's buffer is smaller than a telegram can be
                    telegram = telegram[os.write(master, telegram[:1024]):]
                reading_at(listener, firmware, expected)
            assert health_of(listener, firmware)["errors"]["checksum"] == 0
    os.close(master)
    os.close(slave)


def test_a_stored_telegram_is_played_from_a_file(tmp_path):
    telegram, expected = meter_of("be").next()
    (tmp_path / "telegram").write_bytes(telegram)
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        with Firmware(tmp_path, "file:%s" % (tmp_path / "telegram"), settings_for(broker.port)) as firmware:
            reading_at(listener, firmware, expected)


def test_make_run_prints_readings_of_two_meters_one_of_them_encrypted():
    done = subprocess.run([sys.executable, "-m", "tools.run", "--seconds", "20"], cwd=ROOT, capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    for family in ("dsmr5", "lu"):
        lines = [line for line in done.stdout.splitlines() if line.startswith(family + " ") and " < " in line]
        assert any("kWh in" in line for line in lines), done.stdout
    assert "reading dsmr-lu-encrypted telegrams" in done.stdout


def test_what_stands_in_for_the_chip_takes_at_least_the_heap_that_it_is_given(tmp_path):
    """So that what is free here is what would be free of 136 KB on a chip."""
    words, environment = dongle.command("tcp:127.0.0.1:1", tmp_path, "0" * 12, "micropython32")
    program = "import sys, gc, os, time, socket, ffi; sys.path.insert(0, 's'); import board; gc.collect(); " \
              "before = gc.mem_alloc(); import machine, network; gc.collect(); print(gc.mem_alloc() - before)"
    taken = int(subprocess.run([*words[:-1], "-c", program], cwd=tmp_path, env=environment, capture_output=True,
                               text=True, check=True).stdout)
    given = int(dongle.HEAP["micropython32"][:-1]) - 136
    assert given * 1024 <= taken < (given + 4) * 1024
