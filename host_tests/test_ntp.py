# SPDX-License-Identifier: MIT
"""Network time under MicroPython, by servers good and bad, and in the whole firmware."""

import json
import random
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from host_tests.brokers import Authority, BadBroker, eventually, free_port
from host_tests.firmware import Firmware, Wire
from host_tests.test_web import House
from tools import meters
from tools.compile import RUNTIMES, micropython

NOW = 1_800_000_000  # 2027: not what this machine's clock says
TO_1970 = 2208988800

SCRIPT = """
import asyncio, json, sys
from wattport.net import ntp

async def main():
    for _ in range(int(sys.argv[2])):
        try:
            print(json.dumps(await ntp.ask(sys.argv[1], %d)))
        except OSError as error:
            print(json.dumps([str(error), getattr(error, "refused", None), getattr(error, "rate", None)]))

asyncio.run(main())
"""


def stamp(seconds):
    whole = int(seconds)
    return ((whole + TO_1970) & 0xFFFFFFFF).to_bytes(4, "big") + int((seconds - whole) * 2**32).to_bytes(4, "big")


def reply(request, seconds=NOW, first=0x24, stratum=2, who=b"\x7f\x00\x00\x01"):
    return (bytes((first, stratum, 6, 0xEC)) + bytes(4) + b"\x00\x00\x08\x00" + who + stamp(seconds - 60)
            + request[40:48] + stamp(seconds) + stamp(seconds))


class Server:
    """Answers each request with the packets that `answers(request)` gives; `requests` is what came."""

    def __init__(self, answers):
        self._answers = answers
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.place = "127.0.0.1:%d" % self._socket.getsockname()[1]
        self.requests = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                request, client = self._socket.recvfrom(512)
            except OSError:
                return
            if not request:
                return
            self.requests.append(request)
            for packet in self._answers(request):
                self._socket.sendto(packet, client)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", int(self.place.rpartition(":")[2])))
        self._socket.close()


def asked(server, tmp_path, times=1, timeout_ms=3000, runtime="micropython32"):
    """What `ntp.ask` gave or raised, each time."""
    script = tmp_path / "ask.py"
    script.write_text(SCRIPT % timeout_ms)
    command, environment = micropython(runtime)
    done = subprocess.run([*command, str(script), server, str(times)], env=environment, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_good_server_gives_the_time_and_each_request_is_another(tmp_path, runtime):
    with Server(lambda request: [reply(request, NOW + 0.25)]) as server:
        for seconds, ms in asked(server.place, tmp_path, 5, runtime=runtime):
            assert NOW <= seconds <= NOW + 1 and 0 <= ms < 1000  # half the way there and back is added
        assert len({request[40:48] for request in server.requests}) == 5
        assert all(request[:40] == b"\x23" + bytes(39) for request in server.requests)


def test_a_server_may_be_named_and_the_era_may_be_the_next(tmp_path):
    with Server(lambda request: [reply(request, 2_300_000_000)]) as server:
        assert asked(server.place.replace("127.0.0.1", "localhost"), tmp_path)[0][0] == 2_300_000_000


@pytest.mark.parametrize("name, bad", [
    ("another's answer", lambda request: reply(bytes(48))),
    ("a server's mode is missing", lambda request: reply(request, first=0x23)),
    ("a broadcast", lambda request: reply(request, first=0x25)),
    ("a kiss of death for somebody else", lambda request: reply(bytes(48), stratum=0, who=b"DENY")),
    ("cut off", lambda request: reply(request)[:47]),
    ("our own request back", lambda request: request),
])
def test_what_is_no_answer_is_passed_over_and_the_answer_behind_it_counts(tmp_path, name, bad):
    with Server(lambda request: [bad(request), reply(request)]) as server:
        assert asked(server.place, tmp_path)[0][0] == NOW
    with Server(lambda request: [bad(request)]) as server:
        assert asked(server.place, tmp_path, timeout_ms=200)[0][0] == "no answer"


@pytest.mark.parametrize("code, refused, rate", [
    (b"DENY", True, False), (b"RSTR", True, False), (b"RATE", False, True), (b"XXXX", False, False)])
def test_a_kiss_of_death_is_obeyed(tmp_path, code, refused, rate):
    with Server(lambda request: [reply(request, stratum=0, who=code)]) as server:
        assert asked(server.place, tmp_path) == [["it refuses: " + code.decode(), refused, rate]]


def test_a_black_hole_and_a_closed_port_end_after_the_time(tmp_path):
    with Server(lambda request: []) as server:
        assert asked(server.place, tmp_path, timeout_ms=200) == [["no answer", False, False]]
    assert asked("127.0.0.1:%d" % free_port(), tmp_path, timeout_ms=200) == [["no answer", False, False]]
    assert asked(":123", tmp_path, timeout_ms=200)[0][0] == "no host name"


def test_an_answer_that_comes_late_is_not_taken_for_the_next_one(tmp_path):
    late = []

    def answers(request):
        late.append(reply(request, NOW + 1000 * len(late)))
        return late[-2:-1]  # always the one before
    with Server(answers) as server:
        assert asked(server.place, tmp_path, 3, 300) == 3 * [["no answer", False, False]]


def test_random_packets_never_become_a_time_nor_a_crash(tmp_path):
    chance = random.Random(4)

    def answers(request):
        good = bytearray(reply(request))
        packets = []
        for _ in range(30):
            packet = bytearray(good)
            for _ in range(chance.randint(1, 8)):
                packet[chance.randrange(24, 32)] ^= 1 << chance.randrange(8)
            packet[24] = request[40] ^ 0x55  # sure not to be the nonce
            packets.append(bytes(packet[:chance.choice((0, 1, 40, 48, 48, 48))] or b"?"))
            packets.append(chance.randbytes(chance.randint(1, 100)))
        return packets
    with Server(answers) as server:
        for found in asked(server.place, tmp_path, 10, 200):
            assert found == ["no answer", False, False]


# ---- when to ask whom

CHIP = """
calls = []

class RTC:
    def datetime(self, fields):
        calls.append(fields)
"""

PLAN = """
import asyncio, json, sys
import machine
from wattport import posixzone
from wattport.net import sync
from wattport.wall import Wall

class Log:
    now = 0
    lines = []

    def uptime_s(self):
        return self.now

    def __call__(self, level, text):
        self.lines.append(text)

    def limited(self, kind, level, text):
        self.lines.append(text)

log = Log()
plan = []
wall = Wall(posixzone.parse("UTC0"), "auto", True, log)
for connected in json.loads(sys.argv[2]):
    wait_s = asyncio.run(sync.run(wall, sys.argv[1], connected, plan, log))
    print(json.dumps({"wait": wait_s, "servers": plan[2:], "state": wall.state, "utc": wall.utc(), "rtc": machine.calls,
                      "lines": log.lines}))
    machine.calls.clear()
    log.lines.clear()
    log.now += wait_s
"""


def planned(tmp_path, servers, connected):
    """What each turn of `sync.run` on a chip left behind, each as soon as the one before wanted it."""
    (tmp_path / "machine.py").write_text(CHIP)
    (tmp_path / "plan.py").write_text(PLAN)
    command, environment = micropython("micropython32", extra_path=[tmp_path])
    done = subprocess.run([*command, str(tmp_path / "plan.py"), ", ".join(servers), json.dumps(connected)],
                          env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_good_server_is_asked_once_an_hour_and_sets_the_chips_clock(tmp_path):
    with Server(lambda request: [reply(request, time.time() + 50)]) as server:
        turns = planned(tmp_path, [server.place], [True] * 3)
        assert len(server.requests) == 3
    for turn in turns:
        assert 3600 <= turn["wait"] <= 3600 * 5 // 4 and turn["servers"] == [server.place]
        assert turn["state"] == "ntp" and abs(turn["utc"] - time.time() - 50) < 30
        year, month, day, weekday, hour, minute, second, part = turn["rtc"][0]
        moment = datetime.fromtimestamp(turn["utc"], UTC)
        assert weekday == moment.weekday() and part == 0
        assert abs(datetime(year, month, day, hour, minute, second, tzinfo=UTC) - moment) <= timedelta(seconds=1)


def test_behind_each_failure_the_wait_is_doubled_and_the_next_server_has_its_turn(tmp_path):
    with Server(lambda request: [reply(request, first=0xE4)]) as one:
        with Server(lambda request: [reply(request, stratum=16)]) as two:
            turns = planned(tmp_path, [one.place, two.place], [True] * 12)
            assert len(one.requests) == len(two.requests) == 6
    expected = 16
    for turn in turns:
        assert expected <= turn["wait"] <= max(expected * 5 // 4, 3600 * 5 // 4)
        assert "does not know the time" in turn["lines"][-1]
        expected = min(expected * 2, 3600)
    assert turns[0]["servers"] == [two.place, one.place]
    assert turns[1]["servers"] == [one.place, two.place]


def test_a_server_that_says_not_so_often_has_its_hour_and_one_that_refuses_is_never_asked_again(tmp_path):
    with Server(lambda request: [reply(request, stratum=0, who=b"RATE")]) as server:
        turns = planned(tmp_path, [server.place], [True] * 2)
    assert all(turn["wait"] >= 3600 for turn in turns)
    with Server(lambda request: [reply(request, stratum=0, who=b"DENY")]) as bad:
        with Server(lambda request: [reply(request, time.time())]) as good:
            turns = planned(tmp_path, [bad.place, good.place], [True] * 4)
            assert len(bad.requests) == 1 and len(good.requests) == 3
    with Server(lambda request: [reply(request, stratum=0, who=b"RSTR")]) as server:
        turns = planned(tmp_path, [server.place], [True] * 2)
        assert turns[0]["wait"] >= 86400 and len(server.requests) == 2


def test_without_a_network_nobody_is_asked_and_as_soon_as_there_is_one_somebody_is(tmp_path):
    with Server(lambda request: [reply(request, time.time())]) as server:
        turns = planned(tmp_path, [server.place], [False, False, True])
        assert len(server.requests) == 1
    # the clock that the restart left running is there from the beginning
    assert [turn["state"] for turn in turns] == ["system", "system", "ntp"]


def test_a_time_that_is_far_off_is_asked_for_again_from_another_server(tmp_path):
    with Server(lambda request: [reply(request, time.time() + 7200)]) as one:
        with Server(lambda request: [reply(request, time.time() + 7200)]) as two:
            turns = planned(tmp_path, [one.place, two.place], [True] * 2)
            assert len(one.requests) == len(two.requests) == 1
    assert [turn["state"] for turn in turns] == ["system", "ntp"]
    assert turns[0]["wait"] <= 20
    assert any("7200 s slow" in line or "7199 s slow" in line for line in turns[1]["lines"])


# ---- the whole firmware


def test_the_firmware_takes_its_time_from_the_server_and_tells_how_far_off_the_meters_clock_is(tmp_path):
    started = time.monotonic()
    with Server(lambda request: [reply(request, NOW + time.monotonic() - started)]) as server, Wire() as wire:
        with House(tmp_path, wire, time={"server": server.place}) as house:
            # the first answer is far from this machine's clock: it needs a second one
            eventually(lambda: house.health()["time_source"] == "ntp", "the time", 60)
            assert " s slow: set" in house.firmware.wait_for_log("the clock was")
            assert len(server.requests) == 2
            expected = house.telegram()
            house.wait_for(expected)
            health = house.health()
            assert 0 <= health["utc"] - NOW <= 2 + time.monotonic() - started
            assert abs(health["clock_offset_s"] - (expected["time"] - health["utc"])) <= 2
            assert health["clock_steps"] == 1


def test_servers_that_refuse_or_say_nothing_are_passed_over(tmp_path):
    with Server(lambda request: [reply(request, stratum=0, who=b"DENY")]) as first, Wire() as wire:
        with Server(lambda request: [reply(request, time.time())]) as second:
            servers = "%s, %s" % (first.place, second.place)
            with Firmware(tmp_path, wire.uart, {"time": {"server": servers}}) as firmware:
                assert "it refuses: DENY" in firmware.wait_for_log("no time from " + first.place)
                eventually(lambda: second.requests, "a question to the other", 60)
                firmware.wait_for_log("time is from: ntp")
                assert len(first.requests) == 1


def test_without_a_server_this_machines_clock_is_right(tmp_path):
    with Wire() as wire, House(tmp_path, wire) as house:
        health = house.health()
        assert health["time_source"] == "system" and abs(health["utc"] - time.time()) < 30


def test_the_meters_own_clock_can_be_the_source(tmp_path):
    with Wire() as wire, House(tmp_path, wire, time={"source": "meter"}) as house:
        assert house.health()["time_source"] == "none" and house.health()["utc"] is None
        expected = house.telegram()
        house.wait_for(expected)
        health = house.health()
        assert health["time_source"] == "meter" and 0 <= health["utc"] - expected["time"] < 30


def test_the_hour_and_the_day_can_be_asked_for_and_the_day_survives_a_restart(tmp_path):
    with Wire() as wire, House(tmp_path, wire, time={"source": "meter"},
                               tariff={"import_micro": 250000}) as house:
        answer = house.json("/api/hour")
        assert answer == {"step_s": 10, "end": None, "day": True, "tariff": {
            "currency": "EUR", "import_micro": 250000, "export_micro": 0, "standing_micro": 0},
            "today": {"import_wh": None, "export_wh": None, "since": None}, "power_w": []}
        first = house.telegram()
        house.wait_for(first)
        today = house.json("/api/hour")["today"]
        assert today == {"import_wh": 0, "export_wh": 0, "since": today["since"]}
        assert 0 <= today["since"] - first["time"] < 30
        kept = (tmp_path / "state" / "today.txt").read_text().split()
        assert kept[1:4] == [str(today["since"]), str(first["import_wh"]), str(first["export_wh"])]
    with Wire() as wire:
        with House(tmp_path, wire, time={"source": "meter"}) as house:
            for _ in range(30):
                last = house.telegram()
            house.wait_for(last)
            answer = house.json("/api/hour")
            assert answer["today"] == {"import_wh": last["import_wh"] - first["import_wh"],
                                       "export_wh": last["export_wh"] - first["export_wh"], "since": today["since"]}
            assert answer["tariff"] is None
            # half a minute of telegrams at once is no half minute: wait for a whole step
            eventually(lambda: house.telegram() and house.json("/api/hour")["power_w"], "a step", 30)
            power = last["power_import_w"] - last["power_export_w"]
            assert abs(house.json("/api/hour")["power_w"][0] - power) < 20000


def test_the_clock_of_a_meter_that_was_never_set_is_not_taken(tmp_path):
    meter = meters.make("dsmr5", seed=3, start=946_684_800)  # 2000: a meter whose clock was never set
    with Wire() as wire, House(tmp_path, wire, time={"source": "meter"}) as house:
        wire.send(meter.next()[0])
        eventually(lambda: house.health()["telegrams"] == 1, "the telegram")
        assert house.health()["utc"] is None


def test_a_connection_with_tls_waits_for_the_time_as_no_certificate_is_good_before(tmp_path):
    def deaf(connection):
        while connection.recv(4096):
            pass
    meter = meters.make("dsmr5", seed=3, start=1_760_000_000)
    with BadBroker(deaf) as broker, Wire() as wire:
        mqtt = {"host": "127.0.0.1", "port": broker.port, "tls": True, "ca": Authority().pem}
        with House(tmp_path, wire, time={"source": "meter"}, mqtt=mqtt) as house:
            eventually(lambda: house.health()["uptime_s"] >= 4, "some seconds")
            assert not broker.connections
            wire.send(meter.next()[0])
            eventually(lambda: broker.connections, "a connection")
