# SPDX-License-Identifier: MIT
"""A stage without a broker: bundles are pushed to hosts, and the hosts asked how they fare.

The dongles here speak the API of docs/openapi.yaml and nothing else; what sends a bundle is a plain POST.
"""

import http.client
import json
import sys
import threading
import time
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from host_tests.test_fleet_tool import bundle
from tools.fleet import __main__ as tool
from tools.fleet import bundles, rollout, web

OLD, NEW = "0.1.0", "0.2.0"


class _Api(BaseHTTPRequestHandler):
    def do_GET(self):
        dongle = self.server.dongle
        if time.monotonic() < dongle.away_until or dongle.away_until < 0:
            return  # closes without a word
        now, version, trial = time.monotonic(), dongle.version, False
        if dongle.pushed and now < dongle.confirmed_at:
            version, trial = NEW, True
        elif dongle.pushed:
            version = OLD if dongle.fault == "rolls_back" else NEW
        answers = {
            "/api/status": {"device": dongle.name, "name": "wattport", "version": version, "portal": False,
                            "login": False, "setup": False, "password": True, "private": False, "wifi": "connected"},
            "/api/health": {"version": version, "uptime_s": 5, "meter": "ok", "heap_free": 50000, "chip": "xtensawin",
                            "board": "esp32_generic", "trial": trial, "errors": {}, "rssi": -60},
            "/api/update": {"version": version, "slot": "a", "state": "idle", "done": 0, "total": 0, "error": "",
                            "trial": trial, "failed": "", "why": "meter" if dongle.pushed and version == OLD else ""}}
        private = dongle.fault == "private" and self.path == "/api/health"
        if private and self.headers.get("Authorization") != "Bearer secret":
            self._answer(401, {"error": "login_needed"})
        else:
            self._answer(200, answers[self.path])

    def do_POST(self):
        dongle = self.server.dongle
        body = self.rfile.read(int(self.headers["Content-Length"]))
        dongle.pushes += 1
        if self.headers.get("Authorization") != "Bearer secret":
            return self._answer(401, {"error": "login_needed", "detail": "The password is needed for this."})
        if dongle.fault == "refuses":
            return self._answer(422, {"error": "signature", "detail": "The signature of the bundle is wrong."})
        dongle.new = bundles.manifest(body, "what was pushed")["version"]
        dongle.pushed = True
        dongle.away_until = -1 if dongle.fault == "vanishes" else time.monotonic() + 0.2
        dongle.confirmed_at = time.monotonic() + 0.6
        return self._answer(200, {"version": NEW, "restart_s": 1})

    def _answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class WebDongle:
    def __init__(self, name, fault=""):
        self.name, self.fault, self.version = name, fault, OLD
        self.pushed, self.pushes, self.away_until, self.confirmed_at = False, 0, 0, 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Api)
        self._server.dongle = self
        self.host = "127.0.0.1:%d" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Refused(Exception):
    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


def push(host, path, password=None, token=None, downgrade=False, progress=None):
    connection = http.client.HTTPConnection(host, timeout=10)
    with open(path, "rb") as file:
        connection.request("POST", "/api/update", file.read(), {"Authorization": "Bearer %s" % token})
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    if answer.status != 200:
        raise Refused(found["error"], found["detail"])
    return found


@pytest.fixture
def quick(monkeypatch):
    module = types.ModuleType("tools.push")
    module.push = push
    monkeypatch.setitem(sys.modules, "tools.push", module)
    monkeypatch.setattr("tools.push", module, raising=False)
    monkeypatch.setattr(rollout, "ASK_S", 0.1)


def stage(folder, dongles, *more, token="secret"):
    (folder / "token").write_text(token + "\n")
    words = ["stage", "--bundle", bundle(folder / "x.wpb"), "--token-file", folder / "token", *more]
    for dongle in dongles:
        words += ["--host", dongle.host]
    return tool.main(list(map(str, words)))


def test_bundles_are_pushed_in_stages_and_each_outcome_has_its_name(tmp_path, quick, capsys):
    dongles = [WebDongle("w%d" % at, fault) for at, fault in enumerate(
        ("", "", "rolls_back", "refuses", "vanishes", "private", ""))]
    how = "--first", 2, "--batch", 3, "--max-failures", 3, "--wait", "4s", "--state", tmp_path / "state.json"
    assert stage(tmp_path, dongles, *how) == 3
    said = capsys.readouterr().out
    assert "4 updated, 1 refused, 1 rolled back, 1 silent" in said
    assert "w2: rolled back, meter" in said and "w3: refused, signature: The signature of the bundle" in said
    assert "w4: silent, " in said and all(dongle.pushes == 1 for dongle in dongles)
    dongles[4].close()
    assert stage(tmp_path, [one for one in dongles if not one.fault], "--dry-run") == 0
    assert "3 left out, already" in capsys.readouterr().out
    for dongle in dongles:
        dongle.close()


def test_a_token_that_is_wrong_stops_it_at_the_canaries_and_says_so(tmp_path, quick, capsys):
    dongles = [WebDongle("w%d" % at) for at in range(4)]
    how = "--first", 2, "--max-failures", 9, "--state", tmp_path / "state.json"
    assert stage(tmp_path, dongles, *how, token="wrong") == 1
    said = capsys.readouterr().out
    assert "2 unreachable, 2 untouched" in said and "The password is needed" in said and "every canary failed" in said
    for dongle in dongles:
        dongle.close()


def test_what_is_no_dongle_is_none_whatever_it_answers():
    class Other(_Api):
        def do_GET(self):
            path = self.path
            what = {"/api/status": self.server.answer}.get(path, b"{}")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(what)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    host = "127.0.0.1", server.server_address[1]
    for answer in (b"", b"<html>", b"[]", b"null", b'{"device": 7}', b"[" * 9000, b"{}", b'{"device": ""}'):
        server.answer = answer
        assert web.look(host) is None, answer
    server.answer = b'{"device": "\\u001b[2J", "version": "0.1.0"}'
    assert dict(web.look(host).odd) == {"wrong_type": 1}
    server.answer = b'{"device": "a", "pad": "%s"}' % (b"x" * 100000)
    assert web.look(host) is None or web.look(host).odd
    server.shutdown()
    server.server_close()
