# SPDX-License-Identifier: MIT
"""A bundle on its way into the whole firmware, started as a chip starts it: by upload, from an address, over MQTT."""

import contextlib
import http.client
import http.server
import json
import ssl
import threading

import pytest

from host_tests.brokers import Authority, Listener, Mosquitto, eventually
from host_tests.keys import small, whole
from host_tests.slots import Slots

PASSWORD = "a good password"


class Owner(Slots):
    """A dongle in slots, and its owner."""

    def ask(self, method, path, body=b"", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def post(self, path, document=None, headers=None):
        return self.ask("POST", path, json.dumps(document or {}), {"Content-Type": "application/json",
                                                                   **(headers or {})})

    def status(self):
        try:
            return self.ask("GET", "/api/update")[1]
        except (OSError, http.client.HTTPException):
            return {}

    def until(self, **wanted):
        return eventually(lambda: (lambda now: now if all(now.get(name) == value for name, value in wanted.items())
                                   else None)(self.status()), "an update with %s" % wanted, 90)

    def ready(self):
        """The headers of an upload; the dongle waits for it."""
        status, told = self.post("/api/update/receive")
        assert status == 200, told
        self.until(state="ready")
        return {"Authorization": "Bearer " + told["ticket"], "Content-Type": "application/octet-stream"}


def test_an_upload_runs_behind_two_restarts_and_stays(tmp_path, meter):
    with Owner(tmp_path, meter) as owner:
        before = owner.status()
        assert (before["version"], before["slot"], before["state"], before["key"]) == ("0.1.0", "a", "idle", True)
        assert owner.ask("POST", "/api/update", b"x" * 3000)[1]["error"] == "receive_first"
        headers = owner.ready()
        data = whole()
        for wrong in ({}, {"Authorization": "Bearer 00"}, {"Authorization": "Bearer " + "0" * 32}):
            assert owner.ask("POST", "/api/update", data[:100], wrong)[0] == 401
        assert owner.ask("GET", "/api/reading")[1]["error"] == "updating"
        # what is refused leaves the way open
        status, told = owner.ask("POST", "/api/update", small(chip="rv32imc"), headers)
        assert (status, told["error"]) == (422, "chip")
        status, told = owner.ask("POST", "/api/update", data[:-3000], headers)
        assert (status, told["error"]) == (422, "truncated")
        assert owner.status()["error"] == "truncated"
        status, told = owner.ask("POST", "/api/update", data, headers)
        assert (status, told["version"]) == (200, "9.9.9")
        owner.firmware.wait_for_log("this version is well")
        now = owner.until(version="0.1.0", slot="b", trial=False)  # the same program under another number
        assert now["error"] == "" and not (owner.state / "update.json").exists()
        health = owner.ask("GET", "/api/health")[1]
        assert (health["slot"], health["trial"], health["chip"], health["board"]) == ("b", False, "x86", "host")
        assert owner.firmware.starts == 3


def test_a_ticket_is_for_the_owner_and_one_upload(tmp_path, meter):
    with Owner(tmp_path, meter, environment={"WATTPORT_RECEIVE_S": "3"}) as owner:
        ticket = owner.ready()
        # nobody comes: the application is back, and says so
        owner.until(state="idle", error="truncated")
        assert owner.ask("POST", "/api/update", small(), ticket)[1]["error"] == "receive_first"
        assert not owner.firmware.logged("Traceback")
        # and when the owner changes his mind, at once
        ticket = owner.ready()
        assert owner.ask("POST", "/api/update/cancel", b"", ticket)[0] == 200
        owner.until(state="idle", error="")


def test_without_the_password_there_is_no_ticket(tmp_path, meter):
    with Owner(tmp_path, meter, web={"password": PASSWORD}) as owner:
        for path in ("receive", "check", "install"):
            status, told = owner.post("/api/update/" + path)
            assert (status, told["error"]) == (401, "login_needed")


class Shelf(http.server.ThreadingHTTPServer):
    """A web server with one file; `breaks`: the connection ends after so many bytes, as often as the list says;
    `stalls`: it says no more after so many."""

    daemon_threads = True

    def __init__(self, data, breaks=(), ranges=True, redirect=False, stalls=()):
        self.stalls = list(stalls)
        self.data, self.breaks, self.ranges, self.redirect = data, list(breaks), ranges, redirect
        self.asked = []
        super().__init__(("127.0.0.1", 0), Desk)
        self.url = "http://127.0.0.1:%d/wattport-{chip}.wpb" % self.server_port

    def handle_error(self, request, address):
        pass


class Desk(http.server.BaseHTTPRequestHandler):
    def log_message(self, *what):
        pass

    def do_GET(self):
        shelf = self.server
        asked = self.headers.get("Range")
        shelf.asked.append((self.path, asked))
        if shelf.redirect and self.path.startswith("/wattport"):
            self.send_response(302)
            self.send_header("Location", "/there" + self.path)
            self.end_headers()
            return
        if not self.path.endswith("wattport-x86.wpb"):
            self.send_error(404)
            return
        first = 0
        last = len(shelf.data) - 1
        if asked and shelf.ranges:
            low, _, high = asked.removeprefix("bytes=").partition("-")
            first, last = int(low), min(int(high or last), last)
            self.send_response(206)
            self.send_header("Content-Range", "bytes %d-%d/%d" % (first, last, len(shelf.data)))
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("ETag", '"one"')
        self.end_headers()
        body = shelf.data[first:last + 1]
        if len(body) > 8192 and shelf.breaks:
            body = body[:shelf.breaks.pop(0)]
        if len(body) > 8192 and shelf.stalls:
            self.wfile.write(body[:shelf.stalls.pop(0)])
            self.connection.recv(1)  # until the other end goes away
            return
        self.wfile.write(body)


@contextlib.contextmanager
def shelf(*what, certificate=None, **how):
    """certificate: as Authority.server gives it, for https."""
    server = Shelf(*what, **how)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.url = "https://localhost:%d/wattport-{chip}.wpb" % server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_goes_on_where_the_connection_broke_off(tmp_path, meter, ranges):
    data = whole()
    with shelf(data, [50000, 70000], ranges, True) as server, Owner(
            tmp_path, meter, update={"url": server.url}) as owner:
        status, told = owner.post("/api/update/check")
        assert status == 200, told
        assert (told["latest"], told["newer"], told["error"]) == ("9.9.9", True, "")
        assert owner.post("/api/update/install")[0] == 200
        owner.firmware.wait_for_log("this version is well")
        owner.until(slot="b", trial=False, error="")
        starts = [asked for path, asked in server.asked if path.startswith("/there") and asked != "bytes=0-8191"]
        # without ranges the look at the head gets all of it, which counts as the first break
        assert starts == ([None, "bytes=50000-", "bytes=120000-"] if ranges else [None, "bytes=70000-"])


def test_https_takes_the_server_that_the_ca_has_signed_for_and_no_other(tmp_path, meter):
    authority = Authority()
    with shelf(whole(), [90000], certificate=authority.server(tmp_path, "localhost")) as server, Owner(
            tmp_path, meter, update={"url": server.url, "ca": Authority("another").pem}) as owner:
        status, told = owner.post("/api/update/check")
        assert (status, told["error"]) == (502, "network") and server.asked == []
        assert owner.post("/api/settings", {"update": {"ca": authority.pem}})[0] == 200
        eventually(lambda: len(owner.firmware.logged("dashboard on port")) == 2, "the start with the right one", 60)
        status, told = owner.post("/api/update/check")
        assert (status, told["latest"]) == (200, "9.9.9"), told
        assert owner.post("/api/update/install")[0] == 200
        owner.firmware.wait_for_log("this version is well")
        owner.until(slot="b", trial=False, error="")
        assert [asked for _, asked in server.asked] == ["bytes=0-8191", None, "bytes=90000-"]


def test_a_download_goes_on_where_the_power_went_as_often_as_it_goes(tmp_path, meter):
    data = whole()
    with shelf(data, stalls=[90000, 60000, 50000]) as server, Owner(
            tmp_path, meter, update={"url": server.url}) as owner:
        assert owner.post("/api/update/install")[0] == 200
        kept = [0]
        for number in range(3):
            least = kept[-1] + 32768
            kept.append(eventually(lambda: progress(owner, least), "so much of it", 60))  # noqa: B023
            owner.firmware.cut_power()
            eventually(lambda: owner.firmware.starts == 3 + number, "the next start")  # noqa: B023
        owner.firmware.wait_for_log("this version is well")
        owner.until(slot="b", trial=False, error="")
        assert not (owner.state / "update.part").exists()
        assert json.loads((owner.state / "slot_b" / "manifest").read_text())["version"] == "9.9.9"
    head = len(data) - json.loads(data.split(b"\n")[1])["payload"][0]
    asked = [name and int(name.removeprefix("bytes=").split("-")[0]) for _, name in server.asked]
    assert [asked[0], *asked[1::2]] == [None, 0, 0, 0]
    # it may have come further before the power went
    assert all(went_on >= head + known for went_on, known in zip(asked[2::2], kept[1:], strict=True)), (asked, kept)


def test_another_bundle_at_the_address_behind_a_power_cut_begins_anew(tmp_path, meter):
    with shelf(whole(), stalls=[90000]) as server, Owner(tmp_path, meter, update={"url": server.url}) as owner:
        assert owner.post("/api/update/install")[0] == 200
        eventually(lambda: progress(owner, 49152), "so much of it", 60)
        server.data = whole(version="9.9.10")
        owner.firmware.cut_power()
        owner.firmware.wait_for_log("this version is well")
        owner.until(slot="b", trial=False, error="")
        assert json.loads((owner.state / "slot_b" / "manifest").read_text())["version"] == "9.9.10"
        first, look, rest = [asked for _, asked in server.asked]
        assert (first, look) == (None, "bytes=0-2047") and int(rest[6:-1]) <= 2048


def progress(owner, least):
    """How much of a download is kept, as soon as that is so many bytes."""
    try:
        kept = json.loads((owner.state / "update.part").read_text())
        return kept["payload"] if kept["payload"] >= least else None
    except (OSError, ValueError):
        return None


@pytest.mark.parametrize("path, error, words", [
    ("/elsewhere.wpb", "network", "404"),
    ("/wattport-{chip}.wpb", "downgrade", "older"),
    ("//", "network", "404"),
])
def test_what_cannot_be_fetched_is_told_and_the_old_version_goes_on(tmp_path, meter, path, error, words):
    with shelf(small(version="0.0.1")) as server, Owner(tmp_path, meter) as owner:
        url = "http://127.0.0.1:%d%s" % (server.server_port, path)
        assert owner.post("/api/update/install", {"url": url})[0] == 200
        told = owner.until(state="idle", error=error)
        assert words in told["detail"] and told["slot"] == "a"
        record = json.loads((owner.state / "update.json").read_text())
        assert record["error"] == error and "kind" not in record


def test_an_address_that_is_none_is_refused_at_once(tmp_path, meter):
    with Owner(tmp_path, meter) as owner:
        for url in ("ftp://example/x", "http://", "http://exa mple/x", "http://x:0/", "http://x\r\nHost: y/", "x" * 600,
                    7):
            status, told = owner.post("/api/update/install", {"url": url})
            assert (status, told["error"]) == (422, "address"), url
        assert owner.post("/api/update/install")[1]["error"] == "address"
        assert owner.post("/api/update/check")[1]["error"] == "address"
        status, told = owner.post("/api/settings", {"update": {"url": "ftp://example/x"}})
        assert status == 422 and told["setting"] == "update.url"


def test_home_assistant_and_a_fleet_install_over_mqtt(tmp_path, meter):
    data = whole()
    with Mosquitto(tmp_path) as broker, shelf(data) as server, Owner(
            tmp_path, meter, update={"url": server.url, "interval_h": 1},
            mqtt={"host": "127.0.0.1", "port": broker.port}) as owner:
        base = owner.firmware.topic("")
        topic = base + "update"
        with Listener(broker.port) as heard:
            last = lambda name: json.loads(heard.payloads(base + name)[-1])  # noqa: E731
            assert json.loads(heard.wait(topic)) == {
                "installed_version": "0.1.0", "latest_version": "0.1.0", "in_progress": False,
                "update_percentage": None, "error": "", "why": ""}
            config = json.loads(heard.wait("homeassistant/update/%s/firmware/config" % owner.firmware.identity))
            assert config["command_topic"] == base + "update/set" and config["payload_install"] == "INSTALL"
            heard.publish(base + "update/set", b"nonsense")
            eventually(lambda: last("update")["error"] == "address", "a refusal")
            heard.publish(base + "update/set", b"\xff\xfe")
            assert owner.firmware.starts == 1
            heard.publish(base + "update/set", b"INSTALL")
            owner.firmware.wait_for_log("this version is well")
            eventually(lambda: not last("update")["in_progress"] and not last("update")["error"], "the end")
            shown = [value["update_percentage"] for value in map(json.loads, heard.payloads(topic))
                     if value["in_progress"]]
            assert shown[-1] == 100, shown
            eventually(lambda: last("health")["trial"] is False and last("health")["slot"] == "b",
                       "a health of the new slot")
