# SPDX-License-Identifier: MIT
"""The publisher under MicroPython against real brokers."""

import json
import time

import pytest

from host_tests.brokers import Amqtt, Authority, Dongle, Listener, Mosquitto, eventually, free_port

EVERYTHING = '''
async def scenario():
    while not publisher.status["connected"]:
        await asyncio.sleep_ms(10)
    publisher.reading({"import_wh": 99999999999, "power_import_w": 230, "meter_id": "\\x05a\\\\b"})
    publisher.health({"uptime_s": 5})
    publisher.alert({"kind": "outage"})
    publisher.raw(bytes(range(256)) * 12)
'''
COUNTING = '''
async def scenario():
    for count in range(1000000):
        publisher.reading({"count": count})
        if count % 50 == 0:
            say(taken=count)
        await asyncio.sleep_ms(10)
'''
BASE = "wattport/dongle-1"


@pytest.mark.parametrize("runtime", ["micropython", "micropython32"])
@pytest.mark.parametrize("make", [Mosquitto, lambda folder: Amqtt()], ids=["mosquitto", "amqtt"])
@pytest.mark.parametrize("qos", [0, 1])
def test_every_kind_of_message_arrives(tmp_path, make, qos, runtime):
    with make(tmp_path) as broker, Listener(broker.port, [BASE + "/#"]) as listener:
        with Dongle(tmp_path, EVERYTHING, runtime, port=broker.port, qos=qos, raw=True) as dongle:
            assert json.loads(listener.wait(BASE + "/reading")) == {
                "import_wh": 99999999999, "power_import_w": 230, "meter_id": "\x05a\\b"}
            assert json.loads(listener.wait(BASE + "/health")) == {"uptime_s": 5}
            assert json.loads(listener.wait(BASE + "/alert")) == {"kind": "outage"}
            assert listener.wait(BASE + "/raw") == bytes(range(256)) * 12
            assert listener.wait(BASE + "/state") == b"online"
            dongle.wait_status(connected=True, published=4, dropped=0)
        if isinstance(broker, Mosquitto):  # the other one delivers everything with the QoS subscribed with
            sent = {message[1].split("/")[-1]: message[3] for message in listener.messages}
            assert sent == {"state": 1, "reading": qos, "health": qos, "alert": 1, "raw": qos}


def test_raw_frames_stay_here_unless_asked_for(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port, [BASE + "/#"]) as listener:
        with Dongle(tmp_path, EVERYTHING, port=broker.port) as dongle:
            dongle.wait_status(published=3)
            listener.wait(BASE + "/alert")
        assert not listener.payloads(BASE + "/raw")


def test_the_last_will_appears_when_the_dongle_is_killed_and_state_is_retained(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port, [BASE + "/#"]) as listener:
        with Dongle(tmp_path, port=broker.port) as dongle:
            dongle.wait_status(connected=True)
            with Listener(broker.port, [BASE + "/#"]) as late:
                late.wait(BASE + "/state", lambda payload: payload == b"online")
                assert late.messages[0][4]
            dongle.kill()
            listener.wait(BASE + "/state", lambda payload: payload == b"offline")
        with Listener(broker.port, [BASE + "/#"]) as late:
            assert late.wait(BASE + "/state") == b"offline"


def test_cancelling_lets_go_of_the_connection(tmp_path):
    cancelling = '''
async def scenario():
    while not publisher.status["connected"]:
        await asyncio.sleep_ms(10)
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        say(cancelled=True)
'''
    with Mosquitto(tmp_path) as broker, Listener(broker.port, [BASE + "/state"]) as listener:
        with Dongle(tmp_path, cancelling, port=broker.port) as dongle:
            dongle.wait(lambda line: line.get("cancelled"))
            dongle.wait_status(connected=False, connects=1)
            listener.wait(BASE + "/state", lambda payload: payload == b"offline")
            assert dongle.process.poll() is None


def test_the_newest_reading_arrives_after_the_broker_was_away_and_taking_readings_never_stops(tmp_path):
    with Mosquitto(tmp_path) as broker:
        with Dongle(tmp_path, COUNTING, port=broker.port) as dongle:
            with Listener(broker.port, [BASE + "/reading"]) as listener:
                listener.wait(BASE + "/reading")
            broker.kill()
            dongle.wait_status(connected=False, connects=1)
            gone = next(line["taken"] for line in reversed(dongle.lines) if "taken" in line)
            taken = dongle.wait(lambda line: line.get("taken", 0) > gone + 150)["taken"]
            dropped = dongle.statuses[-1]["dropped"]
            assert dropped > 50
            broker.start()
            with Listener(broker.port, [BASE + "/reading"]) as listener:
                dongle.wait_status(connected=True, connects=2)
                first = json.loads(listener.wait(BASE + "/reading"))["count"]
                assert first > taken - 10  # nothing old is sent first
                listener.wait(BASE + "/reading", lambda payload: json.loads(payload)["count"] > first + 50)
            assert dongle.statuses[-1]["error"] == ""


def test_readings_come_at_most_every_interval_and_those_between_are_not_called_dropped(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port, [BASE + "/reading"]) as listener:
        began = time.monotonic()
        with Dongle(tmp_path, COUNTING, port=broker.port, interval_s=1) as dongle:
            eventually(lambda: len(listener.payloads(BASE + "/reading")) >= 3)
            dongle.kill()
            assert len(listener.messages) <= time.monotonic() - began + 2
        first, second, third = [json.loads(payload)["count"] for payload in listener.payloads(BASE + "/reading")][:3]
        assert first < second < third
        connected = next(status for status in dongle.statuses if status["connected"])
        assert dongle.statuses[-1]["dropped"] == connected["dropped"]


def test_alerts_wait_for_the_broker_and_the_oldest_of_too_many_is_dropped_and_counted(tmp_path):
    alerting = '''
async def scenario():
    for number in range(12):
        publisher.alert({"number": number})
'''
    with Mosquitto(tmp_path) as broker, Listener(broker.port, [BASE + "/alert"]) as listener:
        with Dongle(tmp_path, alerting, port=broker.port) as dongle:
            dongle.wait_status(published=8, dropped=4)
            eventually(lambda: len(listener.messages) == 8)
        assert [json.loads(payload)["number"] for payload in listener.payloads(BASE + "/alert")] == list(range(4, 12))


def test_a_value_that_is_no_json_costs_only_its_own_message(tmp_path):
    odd = '''
class Odd:
    def __str__(self):
        raise ValueError("odd")
    __repr__ = __str__

async def scenario():
    publisher.reading({"odd": Odd()})
    while not publisher.status["dropped"]:
        await asyncio.sleep_ms(10)
    publisher.reading({"even": 2})
'''
    with Mosquitto(tmp_path) as broker, Listener(broker.port, [BASE + "/reading"]) as listener:
        with Dongle(tmp_path, odd, port=broker.port) as dongle:
            assert json.loads(listener.wait(BASE + "/reading")) == {"even": 2}
            dongle.wait_status(connects=1, dropped=1, published=1)


def test_every_character_a_meter_can_send_arrives_in_every_field_and_stays_json(tmp_path):
    characters = '''
async def scenario():
    while not publisher.status["connected"]:
        await asyncio.sleep_ms(10)
    text = "".join([chr(code) for code in range(256)])
    publisher.reading({"meter_id": text, "meter_model": text, "message": text, text: 1,
                       "devices": {text: {"channel": 1, "type": text, "id": text, "volume_l": 1}}})
    publisher.alert({"text": text})
'''
    text = "".join(chr(code) for code in range(256))
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        with Dongle(tmp_path, characters, port=broker.port, discovery=True) as dongle:
            assert json.loads(listener.wait(BASE + "/reading")) == {
                "meter_id": text, "meter_model": text, "message": text, text: 1,
                "devices": {text: {"channel": 1, "type": text, "id": text, "volume_l": 1}}}
            assert json.loads(listener.wait(BASE + "/alert")) == {"text": text}
            config = json.loads(listener.wait("homeassistant/sensor/dongle-1/message/config"))
            assert config["device"]["model"] == text
            dongle.wait_status(connects=1, published=2)


@pytest.mark.parametrize("user, password", [("house", "wrong"), ("nobody", "right"), ("", "")])
def test_a_wrong_password_is_said_in_words_and_tried_again(tmp_path, user, password):
    with Mosquitto(tmp_path, users={"house": "right"}) as broker:
        with Dongle(tmp_path, port=broker.port, user=user, password=password) as dongle:
            assert dongle.wait_error("not authorised", "user name or password")
            dongle.wait(lambda line: line.get("level") == "warning")


def test_the_right_password_is_let_in(tmp_path):
    with Mosquitto(tmp_path, users={"house": "rîght"}) as broker:
        with Dongle(tmp_path, port=broker.port, user="house", password="rîght") as dongle:
            dongle.wait_status(connected=True)


def test_a_port_where_nobody_listens_is_said_and_the_broker_found_when_it_comes(tmp_path):
    with Dongle(tmp_path, port=free_port()) as dongle:
        assert "ECONNREFUSED" in dongle.wait_error("127.0.0.1")


def test_the_keep_alive_holds_an_idle_connection(tmp_path):
    with Mosquitto(tmp_path) as broker:
        with Dongle(tmp_path, port=broker.port, keepalive_s=1) as dongle:
            dongle.wait_status(connected=True)
            time.sleep(4)  # Mosquitto lets go after one and a half
            assert dongle.statuses[-1]["connected"] and dongle.statuses[-1]["connects"] == 1


def test_no_broker_host_is_said(tmp_path):
    with Dongle(tmp_path, host="") as dongle:
        assert dongle.wait_error("no host name")


@pytest.mark.parametrize("runtime", ["micropython", "micropython32"])
def test_tls_with_the_right_authority_works(tmp_path, runtime):
    authority = Authority()
    with Mosquitto(tmp_path, certificate=authority.server(tmp_path, "localhost")) as broker:
        with Dongle(tmp_path, EVERYTHING, runtime, host="localhost", port=broker.port, tls=True, ca=authority.pem,
                    raw=True, qos=1) as dongle:
            dongle.wait_status(connected=True, connects=1, published=4)


def test_tls_takes_the_right_one_of_several_authorities(tmp_path):
    authority = Authority()
    with Mosquitto(tmp_path, certificate=authority.server(tmp_path, "localhost")) as broker:
        with Dongle(tmp_path, host="localhost", port=broker.port, tls=True,
                    ca=Authority("another").pem + authority.pem) as dongle:
            dongle.wait_status(connected=True)


def test_tls_refuses_an_authority_that_did_not_sign(tmp_path):
    with Mosquitto(tmp_path, certificate=Authority().server(tmp_path, "localhost")) as broker:
        with Dongle(tmp_path, host="localhost", port=broker.port, tls=True, ca=Authority().pem) as dongle:
            assert "not correctly signed" in dongle.wait_error("TLS")
            assert not any(status["connects"] for status in dongle.statuses)


def test_tls_refuses_a_certificate_for_another_host(tmp_path):
    authority = Authority()
    with Mosquitto(tmp_path, certificate=authority.server(tmp_path, "broker.example")) as broker:
        with Dongle(tmp_path, host="localhost", port=broker.port, tls=True, ca=authority.pem) as dongle:
            assert "does not match" in dongle.wait_error("TLS")
            assert not any(status["connects"] for status in dongle.statuses)


def test_tls_without_an_authority_does_not_connect(tmp_path):
    with Mosquitto(tmp_path, certificate=Authority().server(tmp_path, "localhost")) as broker:
        with Dongle(tmp_path, host="localhost", port=broker.port, tls=True) as dongle:
            assert "needs the certificate" in dongle.wait_error("TLS")


@pytest.mark.parametrize("ca", ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                                "-----BEGIN CERTIFICATE-----\n!\n", "-----BEGIN CERTIFICATE-----"])
def test_a_damaged_authority_is_said(tmp_path, ca):
    with Dongle(tmp_path, host="localhost", port=free_port(), tls=True, ca=ca) as dongle:
        assert "damaged" in dongle.wait_error("TLS")


def test_ten_thousand_readings_and_fifty_connections_leave_the_heap_as_it_was(tmp_path):
    heap = '''
import gc

async def scenario():
    free = []
    reading = {"import_wh": 123456789, "meter_id": "x" * 34}
    for phase in range(30):
        reading["voltage_l%d_mv" % phase] = 230000 + phase
    for count in range(10001):
        while publisher.status["published"] < count:
            await asyncio.sleep_ms(0)
        publisher.reading(reading)
        if count % 200 == 199:
            await lose_the_connection()
        if count % 2000 == 1000:
            gc.collect()
            free.append(gc.mem_free())
    say(free=free)

async def lose_the_connection():
    connects = publisher.status["connects"]
    CONNECTIONS.pop().s.close()  # what it looks like when Wi-Fi goes
    while publisher.status["connects"] == connects or not publisher.status["connected"]:
        await asyncio.sleep_ms(1)

from wattport.net import stream
CONNECTIONS = []
connect = stream.connect

async def connect_and_keep(*args):
    CONNECTIONS.append(await connect(*args))
    return CONNECTIONS[-1]

stream.connect = connect_and_keep
module.BACKOFF_MS = module.BACKOFF_LIMIT_MS = 10
'''
    with Mosquitto(tmp_path) as broker:
        with Dongle(tmp_path, heap, "micropython32", heap="136k", port=broker.port) as dongle:
            free = dongle.wait(lambda line: "free" in line)["free"]
    assert len(free) == 5
    assert min(free[1:]) > free[1] - 1000
