# SPDX-License-Identifier: MIT
"""The publisher against brokers that refuse, stall, babble or vanish: it says why, and its program never stops."""

import socket
import threading

import pytest

from host_tests.brokers import BadBroker, Dongle, Listener, Mosquitto, eventually, polite, read_packet

COUNTING = '''
async def scenario():
    for count in range(1000000):
        publisher.reading({"count": count, "text": "x" * 2000})
        say(taken=count)
        await asyncio.sleep_ms(10)
'''
FAST = (700, 1500)  # milliseconds, for an answer and for a connection


def still_taking(dongle):
    """The program goes on, whatever the broker does."""
    now = max(line.get("taken", 0) for line in list(dongle.lines))
    dongle.wait(lambda line: line.get("taken", 0) > now + 20)


def silent(connection):
    while connection.recv(4096):
        pass


def says(data, then=silent):
    def behave(connection):
        read_packet(connection)
        connection.sendall(data)
        then(connection)
    return behave


@pytest.mark.parametrize("name, behave, error", [
    ("silence", silent, "no CONNACK"),
    ("half a packet, then silence", says(b"\x20\x02\x00"), "no CONNACK"),
    ("half a packet, then the end", says(b"\x20\x02", lambda connection: connection.close()), "closed"),
    ("the end", says(b"", lambda connection: connection.close()), "closed"),
    ("another protocol", says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "not an MQTT broker"),
    ("zeros", says(bytes(100)), "not an MQTT broker"),
    ("an endless length", says(b"\x20\xff\xff\xff\xff\x7f"), "endless length"),
    ("a CONNACK too long", says(b"\x20\x03\x00\x00\x00"), "malformed"),
    ("a message before CONNACK", says(b"\x30\x05\x00\x01ahi"), "before CONNACK"),
    ("another answer before CONNACK", says(b"\x40\x02\x00\x01"), "out of turn"),
    ("an old protocol", says(b"\x20\x02\x00\x01"), "does not speak MQTT 3.1.1"),
    ("a bad client id", says(b"\x20\x02\x00\x02"), "client id"),
    ("no service", says(b"\x20\x02\x00\x03"), "not available"),
    ("bad credentials", says(b"\x20\x02\x00\x04", lambda connection: connection.close()), "user name or password"),
    ("not authorised", says(b"\x20\x02\x00\x05", lambda connection: connection.close()), "not authorised"),
    ("an unknown code", says(b"\x20\x02\x00\x99"), "code 153"),
    ("a second CONNACK", says(b"\x20\x02\x00\x00\x20\x02\x00\x00"), "out of turn"),
    ("a topic longer than its message", says(b"\x20\x02\x00\x00\x30\x05\xff\xffabc"), "topic longer"),
    ("QoS 3", says(b"\x20\x02\x00\x00\x36\x05\x00\x01abc"), "QoS 3"),
], ids=lambda value: value.replace(" ", "-") if isinstance(value, str) and "CONNACK" not in value else None)
def test_a_broker_that_answers_the_connect_with(tmp_path, name, behave, error):
    with BadBroker(behave) as broker, Dongle(tmp_path, COUNTING, port=broker.port, timeouts=FAST) as dongle:
        dongle.wait_error(error)
        still_taking(dongle)
        eventually(lambda: len(broker.connections) > 1, "another try")


def test_an_address_where_packets_vanish_costs_the_time_out_and_stops_nothing(tmp_path):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        full = []  # a listener whose queue is full drops whoever comes next
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
            full.append(waiting)
        with Dongle(tmp_path, COUNTING, port=port, timeouts=FAST) as dongle:
            dongle.wait_error("no answer")
            still_taking(dongle)
        for waiting in full:
            waiting.close()


def test_a_server_that_stalls_the_tls_handshake_costs_the_time_out_and_stops_nothing(tmp_path):
    from host_tests.brokers import Authority
    with BadBroker(silent) as broker:
        with Dongle(tmp_path, COUNTING, port=broker.port, tls=True, ca=Authority().pem, timeouts=FAST) as dongle:
            dongle.wait_error("TLS: no answer")
            still_taking(dongle)


def test_a_server_that_speaks_no_tls_is_said(tmp_path):
    from host_tests.brokers import Authority

    def babble(connection):
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        silent(connection)
    with BadBroker(babble) as broker:
        with Dongle(tmp_path, COUNTING, port=broker.port, tls=True, ca=Authority().pem, timeouts=FAST) as dongle:
            dongle.wait_error("TLS")
            still_taking(dongle)


@pytest.mark.parametrize("qos", [0, 1])
def test_a_broker_that_stops_reading_is_given_up(tmp_path, qos):
    stopped = threading.Event()

    def behave(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        first, body = read_packet(connection)
        connection.sendall(b"\x20\x02\x00\x00")
        read_packet(connection)
        connection.sendall(b"\x40\x02\x00\x01")
        stopped.wait()
    with BadBroker(behave) as broker:
        much = COUNTING.replace("2000", "50000")  # the kernel takes megabytes before it says so
        with Dongle(tmp_path, much, port=broker.port, timeouts=FAST, qos=qos) as dongle:
            dongle.wait_error("no PUBACK" if qos else "stopped reading")
            still_taking(dongle)
            eventually(lambda: len(broker.connections) > 1, "another try")
        stopped.set()


def test_a_broker_without_subscriptions_is_given_up(tmp_path):
    with BadBroker(lambda connection: polite(connection, {0x80})) as broker:
        with Dongle(tmp_path, port=broker.port, discovery=True, timeouts=FAST) as dongle:
            dongle.wait_error("no SUBACK")


def test_a_broker_that_refuses_the_subscription_still_gets_the_readings(tmp_path):
    seen = []

    def behave(connection):
        for answer in (b"\x20\x02\x00\x00", b"\x40\x02\x00\x01", b"\x90\x03\x00\x02\x80"):
            read_packet(connection)
            connection.sendall(answer)
        polite(connection, seen=seen)
    with BadBroker(behave) as broker:
        with Dongle(tmp_path, COUNTING, port=broker.port, discovery=True) as dongle:
            dongle.wait(lambda line: "does not let us see" in line.get("text", ""))
            eventually(lambda: any(first & 0xF0 == 0x30 and b"/reading" in body for first, body in list(seen)))


def test_a_message_without_its_acknowledgement_is_sent_again_and_marked_so(tmp_path):
    seen = []

    def behave(connection):
        forgotten = False
        while True:
            first, body = read_packet(connection)
            if first & 0xF0 == 0x10:
                connection.sendall(b"\x20\x02\x00\x00")
            elif first & 0xF0 == 0x30:
                size = body[0] << 8 | body[1]
                seen.append((first, body[2:2 + size], body[2 + size:4 + size], body[4 + size:]))
                if b"reading" in body and not forgotten:
                    forgotten = True
                else:
                    connection.sendall(b"\x40\x02" + body[2 + size:4 + size])
    one = 'async def scenario():\n    publisher.reading({"a": 1})\n'
    with BadBroker(behave) as broker, Dongle(tmp_path, one, port=broker.port, qos=1, timeouts=FAST) as dongle:
        dongle.wait_status(published=1, connects=1, dropped=0)
    readings = [packet for packet in seen if packet[1] == b"wattport/dongle-1/reading"]
    assert [packet[0] for packet in readings] == [0x32, 0x3A]
    assert readings[0][1:] == readings[1][1:]


def test_a_reading_that_was_not_acknowledged_is_sent_in_the_next_connection(tmp_path):
    seen = []
    behaviours = [{0x30}, ()]

    def behave(connection):
        leave_out = behaviours.pop(0) if behaviours else ()
        first, body = read_packet(connection)
        connection.sendall(b"\x20\x02\x00\x00")
        first, body = read_packet(connection)  # /state
        connection.sendall(b"\x40\x02\x00\x01")
        polite(connection, leave_out, seen)
    one = 'async def scenario():\n    publisher.reading({"a": 1})\n    publisher.alert({"b": 2})\n'
    with BadBroker(behave) as broker, Dongle(tmp_path, one, port=broker.port, qos=1, timeouts=FAST) as dongle:
        dongle.wait_error("no PUBACK")
        dongle.wait_status(published=2, connects=2, dropped=0)


def test_pings_are_sent_at_half_the_keep_alive_and_a_missing_answer_ends_the_connection(tmp_path):
    seen, rounds = [], []

    def behave(connection):
        rounds.append(None)
        polite(connection, {0xC0} if len(rounds) == 1 else (), seen)
    with BadBroker(behave) as broker, Dongle(tmp_path, port=broker.port, keepalive_s=1) as dongle:
        dongle.wait_error("does not answer a ping")
        assert seen[0][1][8:10] == b"\x00\x01"  # the keep-alive it asked for
        dongle.wait_status(connected=True, connects=2)
        before = len(seen)
        eventually(lambda: len([None for first, _ in seen[before:] if first == 0xC0]) > 3, "pings")
        assert dongle.statuses[-1]["connected"]


@pytest.mark.parametrize("runtime", ["micropython", "micropython32"])
def test_an_incoming_message_larger_than_the_heap_is_skipped_and_the_next_one_understood(tmp_path, runtime):
    base = "wattport/dongle-1"
    with Mosquitto(tmp_path) as broker, Listener(broker.port, [base + "/state"]) as listener:
        with Dongle(tmp_path, COUNTING, runtime, heap="136k", port=broker.port, discovery=True) as dongle:
            listener.wait(base + "/state")
            with Listener(broker.port, ["nothing"]) as sender:
                sender.publish("homeassistant/status", bytes(500000))
                sender.publish("homeassistant/status", b"online")
                eventually(lambda: len(listener.payloads(base + "/state")) > 1, "the state again")
            still_taking(dongle)
            assert dongle.statuses[-1]["connects"] == 1


def test_two_dongles_of_one_client_id_do_not_fight_without_a_pause(tmp_path):
    (tmp_path / "other").mkdir()
    with Mosquitto(tmp_path) as broker:
        with Dongle(tmp_path, port=broker.port) as one, Dongle(tmp_path / "other", port=broker.port) as other:
            one.wait_error("closed the connection")
            other.wait_error("closed the connection")
            one.wait_status(connects=2)
            # each waits longer every time
            assert sum(dongle.statuses[-1]["connects"] for dongle in (one, other)) < 8


def test_the_configuration_reaches_the_connect_packet(tmp_path):
    seen = []
    with BadBroker(lambda connection: polite(connection, seen=seen)) as broker:
        with Dongle(tmp_path, port=broker.port, keepalive_s=30, user="u", password="p", client_id="me",
                    base="/home/meter+#/") as dongle:
            dongle.wait_status(connected=True)
    first, body = seen[0]
    assert first == 0x10
    assert body == (b"\x00\x04MQTT\x04\xee\x00\x1e\x00\x02me\x00\x12home/meter__/state\x00\x07offline"
                    b"\x00\x01u\x00\x01p")
    assert seen[1][1] == b"\x00\x12home/meter__/state\x00\x01online"
