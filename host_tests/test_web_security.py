# SPDX-License-Identifier: MIT
"""Who gets in and who does not: pages from elsewhere, wrong passwords, others' sessions; what never comes out."""

import asyncio
import base64
import hashlib
import json
import random
import re
import socket
import subprocess
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from host_tests.brokers import free_port
from host_tests.firmware import Wire
from host_tests.house import House, everything, status_of
from tools import cpython
from tools.compile import micropython

cpython.install()

from wattport.crypto import pbkdf2  # noqa: E402
from wattport.web import gate  # noqa: E402

PASSWORD = "correct horse battery"
TOKEN = "0123456789abcdef0123456789abcdef"
ROUTES = [line.split() for line in gate._ROUTES.strip().splitlines()]
VOUCHER = hashlib.sha256(TOKEN.encode()).hexdigest()
# as a hash of few rounds: the tests log in often
KEPT = "pbkdf2:10:73616c74:" + hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"salt", 10).hex()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Set up: it has a password, a token and a network."""
    with Wire() as wire, House(
            tmp_path_factory.mktemp("web"), wire, wifi={"ssid": "home"},
            web={"password": KEPT, "token": VOUCHER, "name": "meter.example"}) as one:
        one.wait_for(one.telegram())
        yield one


def code(answer):
    status, _, text = answer
    return status, json.loads(text).get("error")


def log_in(house, password=PASSWORD, headers=None):
    """(status, document, cookie)"""
    status, headers, text = house.post("/api/login", {"password": password}, headers)
    cookie = headers["Set-Cookie"]
    return status, json.loads(text), {"Cookie": cookie.partition(";")[0]} if cookie else {}


def may_write(house, headers):
    """By an address that needs the owner, and changes nothing."""
    return house.json("/api/status", headers=headers)["login"]


@given(some.binary(max_size=100), some.binary(max_size=20), some.integers(1, 20), some.integers(1, 32))
@settings(max_examples=50, deadline=None)
def test_the_key_of_a_password_is_what_others_compute(password, salt, iterations, size):
    assert asyncio.run(pbkdf2.derive(password, salt, iterations, size)) == hashlib.pbkdf2_hmac(
        "sha256", password, salt, iterations, size)


# ---- who asks from where


@pytest.mark.parametrize("host", [
    "127.0.0.1", "192.168.1.7:80", "localhost", "LOCALHOST:8080", "wattport", "Wattport.local", "wattport.local:80",
    "meter.example", "METER.example:443"])
def test_the_dongle_goes_by_its_addresses_and_names(house, host):
    assert house.ask("/api/status", headers={"Host": host})[0] == 200


@pytest.mark.parametrize("host", [
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "wattport.evil.example", "evil.example:80",
    "meter.example.evil.example", "127.0.0.1@evil.example", "1.2.3", "1.2.3.4.5", "1.2.3.999", "1.2.3.x", "0x7f000001",
    "[::1]", "...", ":80", ""])
def test_a_name_that_was_bent_to_our_address_gets_nothing(house, host):
    """DNS rebinding: the browser takes the dongle for a part of the page that asks."""
    for path in ("/", "/api/status", "/api/reading", "/uplot.js", "/nothing"):
        assert code(house.ask(path, headers={"Host": host})) == (421, "unknown_host")
    assert code(house.post("/api/login", {"password": PASSWORD}, {"Host": host})) == (421, "unknown_host")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:1", "", "file://",
                                    "http://127.0.0.1.evil.example", "http://127.0.0.1:80@evil.example"])
def test_a_page_from_elsewhere_can_do_nothing_even_with_a_cookie(house, origin):
    _, _, cookie = log_in(house)
    for path in ("/api/restart", "/api/logout", "/api/token", "/api/settings", "/api/login"):
        assert code(house.post(path, {}, {**cookie, "Origin": origin})) == (403, "origin")
    # it would take a listener's place
    assert code(house.ask("/api/events", headers={"Origin": origin})) == (403, "origin")
    assert may_write(house, cookie)


def test_our_own_pages_may_by_every_name(house):
    _, _, cookie = log_in(house)
    for scheme, host in (("http", "localhost:%d" % house.port), ("http", "wattport.local"), ("https", "meter.example")):
        headers = {**cookie, "Host": host, "Origin": "%s://%s" % (scheme, host)}
        assert code(house.post("/api/settings", {"nothing": {}}, headers))[0] == 422


@pytest.mark.parametrize("kind", [
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "text/plain; application/json", "application/jsonp", "text/json", ""])
def test_what_a_form_or_a_script_without_leave_can_send_is_not_taken(house, kind):
    _, _, cookie = log_in(house)
    for body in (b"{}", b'{"password": "%s"}' % PASSWORD.encode(), b"password=" + PASSWORD.encode()):
        for path in ("/api/login", "/api/restart", "/api/token"):
            assert code(house.ask(path, "POST", body, {**cookie, "Content-Type": kind})) == (415, "json_needed")
    assert may_write(house, cookie)


def test_json_by_any_spelling_is_taken(house):
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON ;x"):
        assert code(house.ask("/api/login", "POST", b"{}", {"Content-Type": kind})) == (400, "bad_request")


# ---- password, session, token


def test_only_the_owner_gets_to_what_is_the_owners(house):
    for path, *rest in ROUTES:
        for method, access in zip(rest[::4], rest[1::4]):
            if access != "owner":
                continue
            for headers in ({}, {"Cookie": "wattport=" + "0" * 32}, {"Cookie": "wattport="}, {"Cookie": "wattport"},
                            {"Authorization": "Bearer " + "0" * 32}, {"Authorization": "Bearer"}, {"Authorization": ""},
                            {"Authorization": "Basic " + base64.b64encode(b"x:" + PASSWORD.encode()).decode()},
                            {"Authorization": "Bearer " + VOUCHER},
                            {"Authorization": "Basic " + TOKEN}, {"Cookie": "wattport=" + TOKEN}):
                answer = house.post(path, {}, headers) if method == "POST" else house.ask(path, headers=headers)
                assert code(answer) == (401, "login_needed"), (method, path, headers)
                assert answer[1]["WWW-Authenticate"] == "Bearer"


def test_the_right_password_opens_a_session_that_scripts_and_other_sites_cannot_use(house):
    status, headers, text = house.post("/api/login", {"password": PASSWORD})
    assert status == 200 and json.loads(text) == {}
    name, *flags = headers["Set-Cookie"].split("; ")
    assert re.fullmatch("wattport=[0-9a-f]{32}", name)
    assert set(flags) == {"Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=2592000"}
    assert may_write(house, {"Cookie": name}) and may_write(house, {"Cookie": "other=1; %s; more=2" % name})
    assert not may_write(house, {})


def test_a_session_ends_with_the_logout_and_no_other_one_does(house):
    cookies = [log_in(house)[2] for _ in range(2)]
    status, headers, _ = house.post("/api/logout", {}, cookies[0])
    assert status == 200 and "wattport=;" in headers["Set-Cookie"] and "Max-Age=0" in headers["Set-Cookie"]
    assert not may_write(house, cookies[0]) and may_write(house, cookies[1])
    assert house.post("/api/logout")[0] == 200  # from nobody


def test_four_sessions_are_kept_and_the_one_that_was_not_used_for_longest_goes(house):
    cookies = []
    for _ in range(4):
        cookies.append(log_in(house)[2])
    assert all(may_write(house, cookie) for cookie in (cookies[0], cookies[2], cookies[3]))
    cookies.append(log_in(house)[2])
    assert [may_write(house, cookie) for cookie in cookies] == [True, False, True, True, True]


def test_a_session_that_somebody_chose_beforehand_is_not_the_one_that_the_login_opens(house):
    chosen = {"Cookie": "wattport=" + "ab" * 16}
    status, _, cookie = log_in(house, headers=chosen)
    assert status == 200 and cookie != chosen
    assert may_write(house, cookie) and not may_write(house, chosen)


def test_a_token_is_shown_once_and_the_old_one_is_void(house):
    bearer = {"Authorization": "Bearer " + TOKEN}
    assert may_write(house, bearer) and may_write(house, {"Authorization": "bearer  %s " % TOKEN})
    status, headers, text = house.post("/api/token", {}, bearer)
    token = json.loads(text)["token"]
    assert status == 200 and re.fullmatch("[0-9a-f]{32}", token) and headers["Cache-Control"] == "no-store"
    assert not may_write(house, bearer)
    bearer = {"Authorization": "Bearer " + token}
    assert may_write(house, bearer)
    kept = (house.state / "settings.json").read_text()
    assert token not in kept and hashlib.sha256(token.encode()).hexdigest() in kept and KEPT in kept
    # back to the one that the other tests know, by way of none
    _, _, cookie = log_in(house)
    assert house.post("/api/token", {"remove": True}, bearer)[0] == 200
    assert not may_write(house, bearer) and not may_write(house, {"Authorization": "Bearer "})
    assert json.loads(house.post("/api/token", {}, cookie)[2])["token"] != token


@pytest.mark.parametrize("password", [None, 5, ["x"], {}, "x" * 129])
def test_a_login_without_a_password_is_no_attempt(house, password):
    document = {"password": password} if password != {} else {}
    for _ in range(6):
        assert code(house.post("/api/login", document)) == (400, "bad_request")
    assert log_in(house)[0] == 200


def test_after_five_wrong_passwords_the_right_one_has_to_wait_too_but_not_who_is_in(tmp_path):
    with Wire() as wire, House(tmp_path, wire, wifi={"ssid": "home"}, web={
            "password": KEPT, "token": VOUCHER}) as house:
        for wrong in ("", "x" * 128, PASSWORD.upper(), PASSWORD + " "):
            assert log_in(house, wrong)[:2] == (401, {
                "error": "wrong_password", "detail": "This is not the password."})
        status, _, cookie = log_in(house)  # the fifth is right: it counts anew
        assert status == 200
        for _ in range(5):
            assert log_in(house, "wrong")[0] == 401
        for password in ("wrong", PASSWORD):
            status, headers, text = house.post("/api/login", {"password": password})
            answer = json.loads(text)
            assert (status, answer["error"]) == (429, "wait") and 0 < answer["wait_s"] <= 15
            assert headers["Retry-After"] == str(answer["wait_s"]) and "Set-Cookie" not in headers
        assert may_write(house, cookie) and may_write(house, {"Authorization": "Bearer " + TOKEN})
        assert house.firmware.logged("a wrong password, from 127.0.0.1")


def test_two_cannot_try_passwords_at_once(tmp_path):
    slow = "pbkdf2:20000:73616c74:" + hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"salt", 20000).hex()
    with Wire() as wire, House(tmp_path, wire, wifi={"ssid": "home"}, web={"password": slow}) as house:
        body = json.dumps({"password": PASSWORD}).encode()
        request = (b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   b"Content-Length: %d\r\n\r\n" % len(body)) + body
        clients = [house.connect() for _ in range(3)]
        for client in clients:
            client.sendall(request)
        found = sorted(status_of(everything(client)) for client in clients)
        for client in clients:
            client.close()
        assert found == [200, 429, 429]


def test_readings_stay_private_when_that_is_set(tmp_path):
    with Wire() as wire, House(tmp_path, wire, wifi={"ssid": "home"}, web={"password": KEPT, "private": True}) as house:
        reads = [path for path, *rest in ROUTES if rest[:2] == ["GET", "read"]]
        assert len(reads) > 10
        for path in reads:
            assert code(house.ask(path)) == (401, "login_needed")
        for path in ("/", "/setup", "/uplot.js", "/api/status"):
            assert house.ask(path)[0] == 200
        assert house.json("/api/status")["private"] is True
        _, _, cookie = log_in(house)
        for path in reads:
            assert house.ask(path, "HEAD", headers=cookie)[0] in (200, 404)


def test_without_a_password_nothing_can_be_changed_once_there_is_a_network(tmp_path):
    with Wire() as wire, House(tmp_path, wire, wifi={"ssid": "home"}) as house:
        status = house.json("/api/status")
        assert (status["setup"], status["password"], status["login"], status["wifi"]) == (False, False, False, True)
        for path in ("/api/settings", "/api/restart", "/api/token", "/api/login"):
            assert code(house.post(path)) == (403, "no_password")
        assert code(house.ask("/api/settings")) == (403, "no_password")


def test_a_dongle_that_nobody_has_set_up_lets_whoever_finds_it(tmp_path):
    with Wire() as wire, House(tmp_path, wire) as house:
        status = house.json("/api/status")
        assert status["setup"] is status["login"] is True and status["password"] is False
        assert house.ask("/api/settings")[0] == 200
        # but not from the pages of others
        assert code(house.post("/api/restart", {}, {"Origin": "http://evil.example"})) == (403, "origin")
        assert code(house.ask("/api/settings", headers={"Host": "evil.example"})) == (421, "unknown_host")


class Feeding:
    """A telegram every half second."""

    def __init__(self, house):
        self._house = house
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._feed)

    def _feed(self):
        while not self._over.wait(0.5):
            self._house.telegram()

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def test_a_token_that_cannot_be_written_leaves_the_old_one_and_tells_so(tmp_path):
    web = {"password": KEPT, "token": VOUCHER}
    with Wire() as wire, House(tmp_path, wire, wifi={"ssid": "home"}, web=web) as house:
        bearer = {"Authorization": "Bearer " + TOKEN}
        (house.state / "settings.json.new").mkdir()  # where the file would be written before it is renamed
        assert code(house.post("/api/token", {}, bearer)) == (500, "failed")
        assert may_write(house, bearer)
        assert house.firmware.logged("web: POST /api/token: OSError")
        (house.state / "settings.json.new").rmdir()
        assert house.post("/api/token", {}, bearer)[0] == 200
        assert not may_write(house, bearer)


# ---- what never comes out, and what does no harm


def test_no_secret_is_in_any_answer_or_line_of_the_log(tmp_path):
    secrets = {
        "wifi": {"password": "wifi-secret-one", "password2": "wifi-secret-two"},
        "meter": {"key": "00112233445566778899aabbccddeeff", "auth_key": "ffeeddccbbaa99887766554433221100",
                  "glow_password": "glow-secret"},
        "mqtt": {"password": "mqtt-secret"},
        "web": {"password": KEPT, "token": VOUCHER},
    }
    marks = [text for group in secrets.values() for text in group.values()]
    marks += [KEPT.rpartition(":")[2], PASSWORD, TOKEN]
    rest = {"wifi": {"ssid": "home", "ssid2": "other"}, "mqtt": {"host": "127.0.0.1", "port": free_port()}}
    whole = {group: {**secrets.get(group, {}), **rest.get(group, {})} for group in {*secrets, *rest}}
    bearer = {"Authorization": "Bearer " + TOKEN}
    with Wire() as wire, House(tmp_path, wire, **whole) as house, Feeding(house):
        assert {secret for group in whole for secret in secrets.get(group, ())} and may_write(house, bearer)
        texts = []
        for path, *rows in ROUTES:
            for method in rows[::4]:
                # once as the owner, once as anybody; what would end the run or the token: as anybody
                for headers in (bearer, {}):
                    if path == "/api/events":
                        continue
                    if method == "GET":
                        texts.append(house.ask(path, headers=headers))
                    elif path not in ("/api/token", "/api/restart", "/api/settings") or not headers:
                        texts.append(house.post(path, {}, headers))
        for document in ({"mqtt": {"password": 5}}, {"meter": {"key": "00112233445566778899aabbccddee"}},
                         {"web": {"password": "short"}}, {"wifi": {"password": 0}}):
            texts.append(house.post("/api/settings", document, bearer))
        log_in(house, PASSWORD + "?")
        log_in(house)
        assert len([status for status, _, _ in texts if status == 200]) >= 15
        for _, headers, text in texts:
            if headers["Content-Encoding"] == "gzip":
                continue  # a file, the same on every dongle
            for mark in marks:
                assert mark not in str(headers) and mark.encode() not in text.lower(), (mark, text)
        for mark in marks:
            assert not house.firmware.logged(mark)
            assert not house.firmware.logged(mark.upper())


def test_a_thousand_random_requests_do_no_harm_and_cost_no_heap(house):
    """Methods, addresses, headers and bodies that each make sense somewhere, put together by chance."""
    chance = random.Random(11)
    restarts = ("/api/restart", "/api/update/receive", "/api/update/install")
    paths = [row[0] for row in ROUTES if row[0] not in restarts]
    paths += ["/uplot.js", "/nothing", "/api/nothing", "//", "*"]
    heads = ["Host: localhost", "Host: evil.example", "Origin: http://localhost", "Origin: null", "Content-Length: 0",
             "Content-Type: application/json", "Content-Type: text/plain", "Transfer-Encoding: chunked",
             "Expect: 100-continue", "Cookie: wattport=%s" % ("0" * 32), "Cookie: ;=;a==b;", "Authorization: Bearer x",
             "If-None-Match: *", "Accept: text/event-stream", "Connection: Upgrade", "X: " + "y" * 600,
             "Content-Length: -1", "Range: bytes=0-"]
    bodies = [b"{}", b'{"password": "x"}', b"[" * 500, b'{"a":' * 90, b'{"mqtt": {"port": 99999999999999999999}}',
              b"\xff" * 50, b'{"password": "\\ud83d"}', b'{"ssid": 1e999}', b"null", b'{"web": {}}', b""]
    allowed = {200, 304, 400, 401, 403, 404, 405, 409, 413, 414, 415, 421, 422, 429, 431, 503}
    statuses = set()

    def play(count):
        for _ in range(count):
            method = chance.choice(["GET", "GET", "HEAD", "POST", "POST", "PUT", "OPTIONS", "X"])
            query = chance.choice(["", "", "?a=1", "?%41=%zz", "?="])
            lines = ["%s %s%s HTTP/1.1" % (method, chance.choice(paths), query)]
            if chance.random() < 0.9:
                lines.append(heads[0])
            if chance.random() < 0.7:
                lines.append(heads[5])
            body = chance.choice(bodies) if method == "POST" else b""
            if body and chance.random() < 0.9:
                lines.append("Content-Length: %d" % len(body))
            lines += chance.sample(heads, chance.choice([0, 0, 1, 2, 5]))
            data = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
            if chance.random() < 0.05:
                data = data[:chance.randrange(len(data))]
            with house.connect() as client:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                answer = everything(client)
            if answer:
                statuses.add(status_of(answer))
                assert status_of(answer) != 500, (data, answer)
                head, _, text = answer.partition(b"\r\n\r\n")
                if status_of(answer) >= 400 and method != "HEAD":
                    assert {"error", "detail"} <= set(json.loads(text)), data
        house.idle()
        return house.health()["heap_free"]
    heaps = [play(250) for _ in range(4)]  # some of them with a module in it that is about to be forgotten
    assert max(heaps[2:]) > max(heaps[:2]) - 1024, heaps
    assert statuses <= allowed and len(statuses) >= 8, statuses
    assert house.health()["tasks"]["web"]["restarts"] == 0
    house.wait_for(house.telegram())


FULL = """
import micropython, socket, sys
from wattport.web.server import Server

class Kept:
    status = {"requests": 0, "refused": 0, "errors": 0}

server = Server(None, Kept, None)
listener = socket.socket()
listener.bind(socket.getaddrinfo("127.0.0.1", int(sys.argv[1]))[0][-1])
listener.listen(1)
client = socket.socket()
client.connect(socket.getaddrinfo("127.0.0.1", int(sys.argv[1]))[0][-1])
sock, _ = listener.accept()
sock.setblocking(False)
told = []
for what in (b"", b"x" * 9000, None):
    if what is None:
        client.close()
    else:
        client.write(what)
    gone = None
    micropython.heap_lock()
    try:
        for _ in range(4):
            gone = server.has_gone(sock)
    except MemoryError:
        gone = "no memory"
    micropython.heap_unlock()
    told.append(gone)
print(told)
"""


@pytest.mark.parametrize("runtime", ["micropython", "micropython32"])
def test_a_connection_ends_where_the_heap_has_not_a_byte_left(tmp_path, runtime):
    (tmp_path / "full.py").write_text(FULL)
    words, environment = micropython(runtime)
    done = subprocess.run([*words, str(tmp_path / "full.py"), str(free_port())], env=environment, capture_output=True,
                          text=True, timeout=60)
    assert done.stdout.strip() == "[False, False, True]", done.stdout + done.stderr
