# SPDX-License-Identifier: MIT
"""The web server of the whole firmware, 32 bits and 136 KB of heap as on the chip, by clients good and bad."""

import base64
import gzip
import hashlib
import http.client
import json
import random
import re
import socket
import subprocess
import time

import pytest

from host_tests.brokers import Listener, Mosquitto, eventually, free_port
from host_tests.firmware import Firmware, Wire
from tools import dongle, meters
from tools.compile import compile_tree, pack_page, shipped
from tools.paths import FIRMWARE

START = 1_760_000_000
PATIENCE = 20  # seconds for one answer of a machine that is busy with other tests
SECRET = "s3cret-of-the-household"
KEY = "000102030405060708090a0b0c0d0e0f"


class House:
    """A dongle with the web server on, a meter on its wire, and what a browser does."""

    def __init__(self, folder, wire, family="dsmr5", **settings):
        self.port = free_port()
        self._wire = wire
        self._meter = meters.make(family, seed=7, start=START)
        self.firmware = Firmware(folder, wire.uart, {"web": {"port": self.port}, **settings})
        self.firmware.wait_for_log("dashboard on port")

    def telegram(self):
        """Send one; what its reading holds."""
        telegram, expected = self._meter.next()
        self._wire.send(telegram)
        return expected

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def ask(self, path, method="GET", body=None, headers=None):
        """(status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def json(self, path):
        return json.loads(self.ask(path)[2])

    def health(self):
        return self.json("/api/health")

    def raw(self, data):
        """What comes back for some bytes, until the connection is closed."""
        with self.connect() as client:
            client.sendall(data)
            return everything(client)

    def wait_for(self, expected):
        """Until the reading of a telegram can be asked for."""
        def there():
            status, _, text = self.ask("/api/reading")
            reading = json.loads(text)
            return status == 200 and all(reading[name] == expected[name] for name in ("time", "import_wh"))
        eventually(there, "the reading")

    def idle(self):
        """Until all the connections that were left have been let go."""
        eventually(lambda: self.ask("/api/reading")[0] in (200, 404), "a free connection")

    def __enter__(self):
        self.firmware.__enter__()
        return self

    def __exit__(self, *trouble):
        self.firmware.__exit__(*trouble)
        for line in self.firmware.log:
            assert "Traceback" not in line and "task web" not in line, self.firmware.log


def everything(client):
    found = b""
    try:
        while more := client.recv(4096):
            found += more
    except ConnectionResetError:
        pass
    return found


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.0 ") else None


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Wire() as wire, House(
            tmp_path_factory.mktemp("web"), wire, wifi={"ssid": "home", "password": SECRET}, meter={"key": KEY},
            mqtt={"user": "me", "password": SECRET, "host": "127.0.0.1", "port": free_port()}) as one:
        assert one.ask("/api/reading")[0] == 404  # before the first telegram
        assert one.json("/api/reading") == {"error": "no reading yet"}
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


def test_the_page_is_one_small_gzipped_file_that_only_its_own_policy_lets_run(house):
    status, headers, packed = house.ask("/")
    assert status == 200 and headers["Content-Encoding"] == "gzip" and headers["Content-Type"].startswith("text/html")
    assert int(headers["Content-Length"]) == len(packed) <= 8192
    page = gzip.decompress(packed).decode()
    assert page == (FIRMWARE / "wattport" / "web" / "index.html").read_text()
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'") and "unsafe" not in policy
    for kind in ("style", "script"):
        digest = hashlib.sha256(re.search("<%s>(.*?)</%s>" % (kind, kind), page, re.DOTALL)[1].encode()).digest()
        assert "%s-src 'sha256-%s'" % (kind, base64.b64encode(digest).decode()) in policy
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    # nothing from elsewhere, nothing that the policy would stop
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", page)
    assert not re.findall(r"""\s(?:on\w+|style)\s*=\s*["']""", page)
    assert "innerHTML" not in page and "document.write" not in page


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
    for path in ("/nothing", "/api", "/api/reading/", "/api/settings", "/index.html", "/../settings.json",
                 "/settings.json", "/%2e%2e/settings.json", "//", "/api/reading%00"):
        status, headers, text = house.ask(path)
        assert (status, json.loads(text)) == (404, {"error": "not found"}), path
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "BREW"])
def test_nothing_can_be_written(house, method):
    for path in ("/", "/api/reading", "/api/settings"):
        status, headers, text = house.ask(path, method, b"{}" if method in ("POST", "PUT") else None)
        assert status == 405 and headers["Allow"] == "GET, HEAD" and "error" in json.loads(text)


def test_no_answer_holds_a_secret_of_the_settings(house):
    house.wait_for(house.telegram())
    for path in ("/", "/api/reading", "/api/health", "/metrics", "/nothing"):
        status, headers, text = house.ask(path)
        text += str(headers).encode()
        if path == "/":
            text += gzip.decompress(house.ask(path)[2])
        assert SECRET.encode() not in text and KEY.encode() not in text


@pytest.mark.parametrize("request_bytes, status", [
    (b"GET /" + b"a" * 600 + b" HTTP/1.1\r\n\r\n", 414),
    (b"GET /" + b"a" * 100_000, 414),
    (b"GET / HTTP/1.1\r\nX: " + b"a" * 3000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + b"X-Some-Header: of some size\r\n" * 200 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: 1\r\n" % i for i in range(25)) + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: 1\r\n" % i for i in range(24)) + b"\r\n", 200),
    (b"POST /api/reading HTTP/1.1\r\nContent-Length: 1025\r\n\r\n" + b"x" * 1025, 413),
    (b"POST /api/reading HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
    (b"POST /api/reading HTTP/1.1\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024, 405),
    (b"GET /metrics HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400),
    (b"GET /metrics HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
    (b"GET /metrics\r\n\r\n", 400),
    (b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", 400),
    (b"GET /metrics?a=%zz HTTP/1.1\r\n\r\n", 400),
    (b"\xff\xfe\x00 / HTTP/1.1\r\n\r\n", 400),
    (b"\r\n\r\n", 400),
    (b"GET /metrics?a=1&b=%41 HTTP/1.0\n\n", 200),
])
def test_a_request_beyond_the_limits_or_the_grammar_is_answered_with_its_status(house, request_bytes, status):
    before = house.health()["web"]
    answer = house.raw(request_bytes)
    assert status_of(answer) == status, answer
    if status >= 400:
        assert "error" in json.loads(answer.split(b"\r\n\r\n", 1)[1])
    after = house.health()["web"]
    assert after["refused"] - before["refused"] == (status in (413, 414, 431))
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
        self._client.sendall(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
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
    assert status == 503 and json.loads(text) == {"error": "too many listeners"}
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
    slow.sendall(b"GET /api/events HTTP/1.1\r\n\r\n")
    refused = house.health()["web"]["refused"]
    deadline = time.monotonic() + 40
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
                client.sendall(b"GET %s HTTP/1.1\r\n\r\n" % path)
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


def test_slow_clients_are_cut_off_a_fifth_is_refused_and_readings_reach_the_broker_all_the_while(tmp_path):
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener, Wire() as wire:
        with House(tmp_path, wire, mqtt={"host": "127.0.0.1", "port": broker.port, "discovery": False}) as house:
            listener.wait(house.firmware.topic("state"))
            # two say nothing more in the middle of a request, one says nothing at all, one goes on by single bytes
            clients = [house.connect() for _ in range(4)]
            for client, start in zip(clients, (b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n", b"", b"G")):
                client.sendall(start)

            def fifth():
                with house.connect() as client:
                    client.sendall(b"GET /api/health HTTP/1.1\r\n\r\n")
                    return status_of(everything(client))
            assert eventually(lambda: fifth() == 503, "a refusal")
            sent = 0
            for client in clients:
                client.settimeout(0.05)
            answers, waiting = {}, list(clients)
            deadline = time.monotonic() + 40
            while waiting:
                assert time.monotonic() < deadline, "they are held for ever"
                expected = house.telegram()
                sent += 1
                try:
                    clients[3].sendall(b"E")
                except OSError:
                    pass
                for client in list(waiting):
                    try:
                        got = client.recv(1000)
                        answers[client] = answers.get(client, b"") + got
                    except TimeoutError:
                        continue
                    except OSError:
                        got = b""
                    if not got:
                        waiting.remove(client)
            assert all(status_of(answers[client]) == 408 for client in clients[:3]), answers
            for client in clients:
                client.close()
            topic = house.firmware.topic("reading")
            listener.wait(topic, lambda text: json.loads(text)["import_wh"] == expected["import_wh"])
            house.idle()
            health = house.health()
            assert health["telegrams"] == sent and not any(health["errors"].values())
            assert len(listener.payloads(topic)) + health["mqtt"]["dropped"] == sent
            assert health["web"]["refused"] >= 5


def test_without_a_port_nothing_of_the_web_is_imported(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio, sys\n"
        "from wattport import settings\nfrom wattport.app import App\nfrom wattport.log import Log\n"
        "async def main(port):\n"
        "    app = App(settings.check({'web': {'port': port}}), Log(lambda text: None))\n"
        "    task = asyncio.create_task(app.run())\n"
        "    await asyncio.sleep(1)\n"
        "    print(sorted(name for name in sys.modules if 'microdot' in name or 'web' in name))\n"
        "asyncio.run(main(%d))\n")
    text = script.read_text()
    words, environment = dongle.command("file:/dev/null", tmp_path, "0" * 12, "micropython32")
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


def test_the_tree_for_a_chip_carries_microdot_and_the_page(tmp_path):
    top = compile_tree("xtensawin", into=tmp_path)
    names = {path.relative_to(top).as_posix() for path in shipped(top)}
    assert {"microdot.mpy", "wattport/web/index.html.gz", "wattport/web/index.html.csp"} <= names
    again = tmp_path / "again.html.gz"
    pack_page(FIRMWARE / "wattport" / "web" / "index.html", again)
    assert again.read_bytes() == (top / "wattport/web/index.html.gz").read_bytes()
