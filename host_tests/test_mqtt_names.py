# SPDX-License-Identifier: MIT
"""Name resolution under MicroPython against name servers of the test's own."""

import json
import random
import socket
import subprocess
import threading

import pytest

from tools.compile import micropython

SCRIPT = """
import asyncio, json, time
from wattport.net import dns

async def main():
    dns.SERVERS = %(servers)r
    dns.MULTICAST = %(multicast)r
    ticks = 0
    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep_ms(5)
    task = asyncio.create_task(tick())
    try:
        address = await dns.resolve(%(host)r, 1883, %(timeout)r)
        print(json.dumps({"address": list(address), "ticks": ticks}))
    except dns.ResolveError as error:
        print(json.dumps({"error": str(error), "ticks": ticks}))

asyncio.run(main())
"""


class NameServer:
    """Answers each question with what `answers(question, count)` returns: a list of packets."""

    def __init__(self, answers):
        self._answers = answers
        self.questions = []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self.address = self._udp.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                question, asker = self._udp.recvfrom(2000)
            except OSError:
                return
            self.questions.append(question)
            for packet in self._answers(question, len(self.questions)):
                self._udp.sendto(packet, asker)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._udp.close()


def answered(question, address="10.1.2.3", flags=b"\x81\x80"):
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + socket.inet_aton(address)
    return question[:2] + flags + b"\x00\x01\x00\x01\x00\x00\x00\x00" + question[12:] + record


def resolve(tmp_path, host, servers=(), multicast=("127.0.0.1", 9), timeout=1500, runtime="micropython"):
    script = tmp_path / "resolve.py"
    script.write_text(SCRIPT % {"servers": list(servers), "multicast": multicast, "host": host, "timeout": timeout})
    command, environment = micropython(runtime)
    done = subprocess.run(command + [str(script)], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    if "address" in result:
        raw = bytes(result["address"])  # Linux' sockaddr_in
        assert raw[2:4] == (1883).to_bytes(2, "big")
        result["address"] = socket.inet_ntoa(raw[4:8])
    return result


@pytest.mark.parametrize("runtime", ["micropython", "micropython32"])
def test_a_name_server_is_asked(tmp_path, runtime):
    with NameServer(lambda question, count: [answered(question)]) as server:
        assert resolve(tmp_path, "broker.example", [server.address], runtime=runtime)["address"] == "10.1.2.3"
        assert server.questions[0][12:] == b"\x06broker\x07example\x00\x00\x01\x00\x01"


def test_addresses_and_localhost_are_not_asked_for(tmp_path):
    with NameServer(lambda question, count: []) as server:
        assert resolve(tmp_path, "192.168.1.2", [server.address])["address"] == "192.168.1.2"
        assert resolve(tmp_path, "localhost", [server.address])["address"] == "127.0.0.1"
        assert not server.questions


def test_local_names_go_to_the_multicast_address(tmp_path):
    with NameServer(lambda question, count: [answered(question, flags=b"\x84\x00")]) as server:
        with NameServer(lambda question, count: []) as unasked:
            found = resolve(tmp_path, "Broker.local", [unasked.address], multicast=server.address)
            assert found["address"] == "10.1.2.3"
            assert not unasked.questions


def test_a_silent_server_costs_the_time_out_and_stops_nothing(tmp_path):
    with NameServer(lambda question, count: []) as server:
        found = resolve(tmp_path, "broker.example", [server.address], timeout=900)
        assert "no answer" in found["error"]
        assert found["ticks"] > 20
        assert len(server.questions) == 3


def test_a_lost_packet_is_asked_for_again_and_the_next_server_too(tmp_path):
    with NameServer(lambda question, count: []) as silent:
        with NameServer(lambda question, count: [answered(question)]) as server:
            assert resolve(tmp_path, "broker.example", [silent.address, server.address])["address"] == "10.1.2.3"


def test_false_and_damaged_answers_before_the_right_one_are_passed_over(tmp_path):
    def answers(question, count):
        right = answered(question)
        false = [answered(bytes((question[0] ^ 1,)) + question[1:], "6.6.6.6"),
                 answered(question.replace(b"example", b"exbmple"), "6.6.6.6"), b"", b"\x00", question, right[:-1]]
        noise = random.Random(count)
        for _ in range(50):
            false.append(question[:2] + noise.randbytes(noise.randrange(300)))
        return [packet for packet in false if len(packet) < 4 or packet[3] & 15 == 0] + [right]
    with NameServer(answers) as server:
        assert resolve(tmp_path, "broker.example", [server.address])["address"] == "10.1.2.3"


def test_a_name_that_does_not_exist_is_said_at_once(tmp_path):
    with NameServer(lambda question, count: [
            question[:2] + b"\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00" + question[12:]]) as server:
        assert "no such name" in resolve(tmp_path, "broker.example", [server.address])["error"]
        assert len(server.questions) == 1


def test_a_server_that_is_not_there_is_no_crash(tmp_path):
    assert "error" in resolve(tmp_path, "broker.example", [("127.0.0.1", 9)], timeout=300)


def test_what_is_no_name_is_said(tmp_path):
    for bad in ("", "a..b", "x" * 70):
        assert resolve(tmp_path, bad, [("127.0.0.1", 9)])["error"]
