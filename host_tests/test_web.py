# SPDX-License-Identifier: MIT
"""The web server of the whole firmware, 32 bits and 136 KB of heap as on the chip, by clients good and bad."""

import base64
import gzip
import hashlib
import json
import random
import re
import socket
import subprocess
import time

import pytest

from host_tests.brokers import Listener, Mosquitto, eventually, free_port
from host_tests.firmware import Firmware, Wire
from host_tests.house import START, House, everything, status_of
from tools import dongle, meters
from tools.compile import compile_tree, shipped

SECRET = "s3cret-of-the-household"
KEY = "000102030405060708090a0b0c0d0e0f"
HOST = b"Host: localhost\r\n"
TYPE = b"Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Wire() as wire, House(
            tmp_path_factory.mktemp("web"), wire, wifi={"ssid": "home", "password": SECRET}, meter={"key": KEY},
            mqtt={"user": "me", "password": SECRET, "host": "127.0.0.1", "port": free_port()}) as one:
        assert one.ask("/api/reading")[0] == 404  # before the first telegram
        assert one.json("/api/reading", status=404)["error"] == "no_reading"
        yield one


def test_the_newest_reading_comes_as_json_with_the_names_of_the_vocabulary(house):
    for _ in range(2):
        expected = house.telegram()
        house.wait_for(expected)
    status, headers, text = house.ask("/api/reading")
    reading = json.loads(text)
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    assert headers["Cache-Control"] == "no-store" and int(headers["Content-Length"]) == len(text)
    for name, value in expected.items():
        if name != "devices":
            assert reading[name] == value, name
    assert reading["devices"]["1"]["volume_l"] == expected["devices"]["1"]["volume_l"]


def test_the_health_tells_of_the_web_server_too(house):
    house.wait_for(house.telegram())
    health = house.health()
    assert health["meter"] == "ok" and health["telegrams"] >= 1 and health["heap_free"] > 0
    assert set(health["web"]) == {"requests", "refused", "errors"} and health["web"]["requests"] > 0
    assert health["tasks"]["web"] == {"restarts": 0, "error": ""}


@pytest.mark.parametrize("path", ["/", "/wall", "/history", "/setup", "/settings"])
def test_a_page_is_one_gzipped_file_that_only_its_own_policy_lets_run(house, path):
    status, headers, packed = house.ask(path)
    assert status == 200 and headers["Content-Encoding"] == "gzip" and headers["Content-Type"].startswith("text/html")
    assert int(headers["Content-Length"]) == len(packed) <= 40960
    page = gzip.decompress(packed).decode()
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'") and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    for kind in ("style", "script"):
        for text in re.findall("<%s>(.*?)</%s>" % (kind, kind), page, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert re.search("%s-src [^;]*'sha256-%s'" % (kind, re.escape(digest)), policy)
    # nothing from elsewhere, nothing that the policy would stop
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", page)
    assert not re.findall(r"""<[^>]*\s(?:on\w+|style)\s*=\s*["']""", page)


def test_what_a_page_loads_is_kept_by_the_browser_for_a_day(house):
    for path, kind in (("/uplot.js", "text/javascript"), ("/schema.json", "application/json"),
                       ("/lang/nl.json", "application/json")):
        status, headers, packed = house.ask(path)
        assert status == 200 and headers["Content-Type"].startswith(kind) and gzip.decompress(packed)
        assert headers["Cache-Control"] == "max-age=86400" and int(headers["Content-Length"]) == len(packed)


def test_every_answer_says_what_a_browser_must_not_do_with_it(house):
    for path in ("/", "/uplot.js", "/api/reading", "/api/health", "/metrics", "/nothing", "/api/settings"):
        headers = house.ask(path)[1]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY" and headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert len(headers.get_all("Content-Security-Policy")) == len(headers.get_all("Cache-Control")) == 1
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in headers
        if path.startswith("/api"):
            assert headers["Cache-Control"] == "no-store"


def test_a_browser_that_has_the_page_is_not_sent_it_again(house):
    tag = house.ask("/")[1]["ETag"]
    status, headers, body = house.ask("/", headers={"If-None-Match": tag})
    assert status == 304 and not body and headers["ETag"] == tag
    assert house.ask("/", headers={"If-None-Match": '"other"'})[0] == 200


def test_head_is_get_without_the_body(house):
    house.wait_for(house.telegram())
    for path in ("/", "/api/reading", "/api/health", "/metrics", "/api/events"):
        status, headers, body = house.ask(path, "HEAD")
        assert status == 200 and body == b"", path
        if path != "/api/events":
            assert headers["Content-Type"] == house.ask(path)[1]["Content-Type"]
    assert house.ask("/nothing", "HEAD")[0] == 404


def test_what_is_not_there_is_a_404_in_json(house):
    for path in ("/nothing", "/api", "/api/reading/", "/api/gate", "/index.html", "/index.html.gz", "/index.html.csp",
                 "/../settings.json", "/settings.json", "/%2e%2e/settings.json", "//", "/api/reading%00",
                 "/lang/../uplot.js", "/lang/.json", "/lang//nl.json", "/uplot.js/", "/UPLOT.JS", "/lang/xx.json",
                 "http://localhost/uplot.js", "*", "/.json", "/static/uplot.js", "/../../../../../../../settings.json",
                 "/api/reading GET free"):
        status, headers, text = house.ask(path.replace(" ", "%20"))
        assert (status, json.loads(text)["error"]) == (404, "not_found"), path
        assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "read", "free"])
def test_an_address_tells_which_methods_it_takes(house, method):
    for path, allowed in (("/", "GET, HEAD"), ("/api/reading", "GET, HEAD"), ("/api/login", "POST"),
                          ("/api/settings", "GET, HEAD, POST")):
        if method not in allowed:
            status, headers, text = house.ask(path, method, b"{}" if method in ("POST", "PUT") else None)
            assert (status, json.loads(text)["error"]) == (405, "method") and headers["Allow"] == allowed


@pytest.mark.parametrize("request_bytes, status", [
    (b"GET /" + b"a" * 600 + b" HTTP/1.1\r\n\r\n", 414),
    (b"GET /" + b"a" * 100_000, 414),
    (b"GET / HTTP/1.1\r\nX: " + b"a" * 3000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + b"X-Some-Header: of some size\r\n" * 200 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X%d: 1\r\n" % i for i in range(24)) + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X%d: 1\r\n" % i for i in range(23)) + b"\r\n", 200),
    (b"POST /api/login HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 513\r\n\r\n" + b"x" * 513, 413),
    (b"POST /api/login HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 99999999999999999999\r\n\r\n", 413),
    (b"POST /api/login HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 512\r\n\r\n" + b"x" * 512, 400),
    (b"POST /api/login HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 2\r\n\r\n[]", 400),
    (b"POST /api/login HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 1\r\n\r\n{", 400),
    (b"POST /api/login HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 9\r\n\r\n{\"a\": {\"\xff\"", 400),
    (b"POST /api/login HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 8\r\n\r\n{\"\xff\": 1}", 400),
    (b"POST /api/login HTTP/1.1\r\n" + HOST + TYPE + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
    (b"GET /metrics HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\n12345", 413),
    (b"GET /metrics HTTP/1.1\r\n" + HOST + b"Content-Length: -5\r\n\r\n", 400),
    (b"GET /metrics HTTP/1.1\r\n" + HOST + b"Content-Length: many\r\n\r\n", 400),
    (b"GET /metrics\r\n\r\n", 400),
    (b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", 400),
    (b"GET /metrics?a=%zz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"\xff\xfe\x00 / HTTP/1.1\r\n\r\n", 400),
    (b"\r\n\r\n", 400),
    (b"GET /metrics?a=1&b=%41 HTTP/1.0\nHost: localhost\n\n", 200),
    (b"GET /metrics HTTP/1.1\r\n\r\n", 421),
])
def test_a_request_beyond_the_limits_or_the_grammar_is_answered_with_its_status(house, request_bytes, status):
    before = house.health()["web"]
    answer = house.raw(request_bytes)
    assert status_of(answer) == status, answer
    if status >= 400:
        assert {"error", "detail"} <= set(json.loads(answer.split(b"\r\n\r\n", 1)[1]))
    after = house.health()["web"]
    assert after["refused"] - before["refused"] == (status in (413, 414, 421, 431))
    assert after["errors"] - before["errors"] == (status == 400)


def test_metrics_are_text_that_prometheus_reads(house):
    expected = house.telegram()
    house.wait_for(expected)
    status, headers, text = house.ask("/metrics")
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    types, values, last = {}, {}, None
    for line in text.decode().splitlines():
        if line.startswith("#"):
            _, word, last, kind = line.split(" ")
            assert word == "TYPE" and last not in types and kind in ("counter", "gauge"), line
            types[last] = kind
            continue
        name, labels, value = re.fullmatch(
            r'(wattport_[a-z0-9_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (-?\d+)', line).groups()
        assert name == last, "the samples of a name stand together, behind its type"
        assert (name, labels) not in values
        values[name, labels] = int(value)
    for name, value in expected.items():
        if isinstance(value, int):
            assert values["wattport_" + name, None] == value
            assert types["wattport_" + name] == (
                "counter" if re.search("wh$|varh$|sags|swells|failures", name) else "gauge"), name
    gas = expected["devices"]["1"]
    assert values["wattport_device_volume_l", '{channel="1",type="gas",id="%s"}' % gas["id"]] == gas["volume_l"]
    assert types["wattport_device_volume_l"] == types["wattport_telegrams"] == types["wattport_errors"] == "counter"
    assert values["wattport_telegrams", None] >= 1
    assert values["wattport_errors", '{kind="checksum"}'] == 0
    assert types["wattport_heap_free"] == types["wattport_uptime_s"] == "gauge" and values["wattport_heap_free", None]
    assert values["wattport_mqtt_connected", None] in (0, 1)


class Events:
    """A listener on /api/events."""

    def __init__(self, house):
        self._client = house.connect()
        self._client.sendall(b"GET /api/events HTTP/1.1\r\n" + HOST + b"\r\n")
        self._text = b""
        self.head = self._until(b"\r\n\r\n")

    def _until(self, end):
        while end not in self._text:
            more = self._client.recv(4096)
            if not more:
                raise EOFError(self._text)
            self._text += more
        found, _, self._text = self._text.partition(end)
        return found

    def reading(self):
        while True:
            event = self._until(b"\n\n")
            if event.startswith(b"data: "):
                return json.loads(event[6:])

    def close(self):
        self._client.close()


def test_listeners_get_each_reading_as_an_event_and_a_third_one_is_refused(house):
    first = house.telegram()
    house.wait_for(first)
    listeners = [Events(house), Events(house)]
    for listener in listeners:
        assert b" 200 " in listener.head and b"text/event-stream" in listener.head
        assert listener.reading()["time"] == first["time"]  # at once: nobody likes an empty page
    status, _, text = house.ask("/api/events")
    assert status == 503 and json.loads(text)["error"] == "busy"
    for _ in range(5):
        expected = house.telegram()
        for listener in listeners:
            reading = listener.reading()
            assert (reading["time"], reading["import_wh"]) == (expected["time"], expected["import_wh"])
    # those who leave make room, without a reading that would have to fail first
    for listener in listeners:
        listener.close()
    eventually(lambda: house.ask("/api/events", "HEAD")[0] == 200, "room for a listener")
    late = Events(house)
    assert late.reading()["time"] == expected["time"]
    late.close()


def test_a_listener_who_never_reads_is_dropped_and_holds_nobody_up(house):
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    slow.connect(("127.0.0.1", house.port))
    slow.sendall(b"GET /api/events HTTP/1.1\r\n" + HOST + b"\r\n")
    refused = house.health()["web"]["refused"]
    deadline = time.monotonic() + 150  # a busy machine takes long to fill the buffers in between
    while house.health()["web"]["refused"] == refused:
        assert time.monotonic() < deadline
        for _ in range(100):
            expected = house.telegram()
        house.wait_for(expected)
    slow.close()


def test_a_client_who_vanishes_in_the_middle_of_an_answer_leaves_nothing_behind(house):
    house.wait_for(house.telegram())
    house.idle()
    heaps = []
    for _ in range(3):
        for _ in range(12):
            for path in (b"/", b"/metrics", b"/api/events"):
                client = house.connect()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # a reset, no farewell
                client.sendall(b"GET %s HTTP/1.1\r\n%s\r\n" % (path, HOST))
                client.close()
            house.idle()
        heaps.append(house.health()["heap_free"])
    assert heaps[2] > heaps[0] - 1024, heaps
    house.idle()
    assert house.ask("/")[0] == 200


def test_random_bytes_do_not_hurt_and_cost_no_heap(house):
    house.wait_for(house.telegram())
    chance = random.Random(5)
    parts = [b"GET ", b"HEAD ", b"/", b"/metrics", b" HTTP/1.1", b"\r\n", b"\n", b"\r\n\r\n", b"Content-Length: 9",
             b":", b"%", b"?", b"=", b"&", b"Cookie: a", b"\0", b"If-None-Match: "]

    def play(count):
        for _ in range(count):
            data = b"".join(chance.choice(parts) if chance.random() < 0.8 else chance.randbytes(chance.randrange(40))
                            for _ in range(chance.randrange(1, 12)))
            with house.connect() as client:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                everything(client)
        house.idle()
        return house.health()["heap_free"]
    first = play(100)
    assert play(100) > first - 1024
    assert play(100) > first - 1024
    house.wait_for(house.telegram())


def test_slow_clients_are_cut_off_a_fifth_waits_and_readings_reach_the_broker_all_the_while(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener, Wire() as wire:
        with House(tmp_path, wire, mqtt={"host": "127.0.0.1", "port": broker.port, "discovery": False}) as house:
            listener.wait(house.firmware.topic("state"))
            # two say nothing more in the middle of a request, one goes on by single bytes, one stops in a body
            clients = [house.connect() for _ in range(4)]
            for client, start in zip(clients, (
                    b"GET / HT", b"GET / HTTP/1.1\r\n" + HOST, b"G",
                    b"POST /api/login HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 20\r\n\r\n{")):
                client.sendall(start)
            fifth = house.connect()
            fifth.sendall(b"GET /api/health HTTP/1.1\r\n" + HOST + b"\r\n")
            sent = 0
            answers, waiting = {}, clients + [fifth]
            for client in waiting:
                client.settimeout(0.05)
            deadline = time.monotonic() + 40
            while waiting:
                assert time.monotonic() < deadline, "they are held for ever"
                expected = house.telegram()
                sent += 1
                try:
                    clients[2].sendall(b"E")
                except OSError:
                    pass
                for client in list(waiting):
                    try:
                        got = client.recv(4000)
                        answers[client] = answers.get(client, b"") + got
                    except TimeoutError:
                        continue
                    except OSError:
                        got = b""
                    if not got:
                        waiting.remove(client)
            assert all(status_of(answers[clients[number]]) == 408 for number in (0, 1, 3)), answers
            assert all(json.loads(answers[clients[number]].split(b"\r\n\r\n")[1])["error"] == "too_slow"
                       for number in (0, 1, 3))
            assert status_of(answers[fifth]) == 200
            for client in clients + [fifth]:
                client.close()
            topic = house.firmware.topic("reading")
            listener.wait(topic, lambda text: json.loads(text)["import_wh"] == expected["import_wh"])
            house.idle()
            health = house.health()
            assert health["telegrams"] == sent and not any(health["errors"].values())
            assert len(listener.payloads(topic)) + health["mqtt"]["dropped"] == sent
            assert health["web"]["refused"] == 4


def test_connections_in_advance_that_say_nothing_make_room_for_who_asks(house):
    house.idle()
    before = house.health()["web"]
    silent = [house.connect() for _ in range(4)]
    time.sleep(0.5)  # until they have their places
    assert house.ask("/api/status")[0] == 200
    for client in silent:
        client.close()
    house.idle()
    after = house.health()["web"]
    assert (after["refused"], after["errors"]) == (before["refused"], before["errors"])


def test_six_connections_at_once_as_of_a_browser_are_all_answered(house):
    house.idle()
    clients = [house.connect() for _ in range(6)]
    for client in clients:
        client.sendall(b"GET /uplot.js HTTP/1.1\r\n" + HOST + b"\r\n")
    found = [everything(client) for client in clients]
    for client in clients:
        client.close()
    assert [status_of(answer) for answer in found] == [200] * 6, house.health()["web"]
    assert len({len(answer) for answer in found}) == 1 and gzip.decompress(found[0].split(b"\r\n\r\n", 1)[1])


def test_without_a_port_nothing_of_the_web_is_imported(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio, sys\n"
        "from wattport import settings\nfrom wattport.app import App\nfrom wattport.log import Log\n"
        "async def main(port):\n"
        "    app = App(settings.check({'web': {'port': port}}), Log(lambda text: None))\n"
        "    task = asyncio.create_task(app.run())\n"
        "    await asyncio.sleep(1)\n"
        "    if port:\n"
        "        await asyncio.open_connection('127.0.0.1', port)\n"
        "        await asyncio.sleep(1)\n"
        "    print(sorted(name for name in sys.modules if 'microdot' in name or 'web' in name))\n"
        "asyncio.run(main(%d))\n")
    text = script.read_text()
    words, environment = dongle.command("file:/dev/null", tmp_path, "0" * 12, "micropython32", slot=False, heap="200k")
    found = []
    for port in (0, free_port()):
        script.write_text(text % port)
        found.append(subprocess.run([*words[:-1], str(script)], env=environment, cwd=tmp_path, capture_output=True,
                                    text=True, timeout=60).stdout.strip())
    assert found[0] == "[]" and "microdot" in found[1] and "wattport.web.api" in found[1]


def test_a_port_that_is_taken_stops_neither_the_meter_nor_the_rest(tmp_path):
    with socket.create_server(("0.0.0.0", 0)) as taken, Wire() as wire:
        with Firmware(tmp_path, wire.uart, {"web": {"port": taken.getsockname()[1]}}) as firmware:
            firmware.wait_for_log("task web failed")
            wire.send(meters.make("dsmr5", seed=1, start=START).next()[0])
            firmware.wait_for_log("reading dsmr5 telegrams")
            assert not firmware.logged("Traceback")


def test_the_tree_for_a_chip_carries_microdot_and_the_pages(tmp_path):
    top = compile_tree("xtensawin", into=tmp_path)
    names = {path.relative_to(top).as_posix() for path in shipped(top)}
    static = "wattport/web/static/"
    assert {"microdot.mpy", static + "index.html.gz", static + "uplot.js.gz"} <= names
