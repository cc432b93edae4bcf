# SPDX-License-Identifier: MIT
"""A stage without a broker: bundles are pushed to hosts, and the hosts asked how they fare.

The dongles here speak the API of docs/openapi.yaml and nothing else.
"""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from host_tests.brokers import eventually
from host_tests.keys import whole
from host_tests.test_fleet_tool import bundle
from host_tests.test_ways_in import Owner, shelf
from tools import push
from tools.fleet import __main__ as tool
from tools.fleet import bundles, plan, rollout, web
from tools.fleet.table import table

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
            "/api/update": {"version": version, "slot": "a", "chip": "xtensawin", "board": "esp32_generic",
                            "state": "idle", "key": True, "url": False, "latest": None, "newer": False, "error": "",
                            "detail": "", "trial": trial, "failed": "",
                            "why": "meter" if dongle.pushed and version == OLD else ""}}
        if dongle.ticket:
            answers["/api/update"] = {"device": dongle.name, "version": OLD, "chip": "xtensawin",
                                      "board": "esp32_generic", "slot": "a", "trial": False, "state": "ready",
                                      "done": 0, "total": 0, "error": "", "detail": ""}
            if self.path != "/api/update":
                return self._answer(503, {"error": "updating", "detail": "The dongle is taking an update."})
        if dongle.pushed and dongle.fault == "breaks":
            answers = dict.fromkeys(answers, {"version": None, "slot": None, "state": "safe", "why": "damaged"})
        private = dongle.fault == "private" and self.path == "/api/health"
        if private and self.headers.get("Authorization") != "Bearer secret":
            self._answer(401, {"error": "login_needed"})
        else:
            self._answer(200, answers[self.path])

    def do_POST(self):
        dongle = self.server.dongle
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/update/receive":
            if self.headers.get("Authorization") != "Bearer secret":
                return self._answer(401, {"error": "login_needed", "detail": "The password is needed for this."})
            dongle.ticket, dongle.away_until = os.urandom(16).hex(), time.monotonic() + 0.1
            return self._answer(200, {"ticket": dongle.ticket, "restart_s": 3})
        if self.headers.get("Authorization") != "Bearer %s" % dongle.ticket or not dongle.ticket:
            return self._answer(401, {"error": "ticket", "detail": "Ask /api/update/receive for a ticket first."})
        if self.path == "/api/update/cancel":
            dongle.ticket = None
            return self._answer(200, {"restart_s": 2})
        dongle.pushes += 1
        if dongle.fault == "refuses":
            return self._answer(422, {"error": "signature", "detail": "The signature of the bundle is wrong."})
        dongle.new = bundles.manifest(body, "what was pushed")["version"]
        dongle.pushed, dongle.ticket = True, None
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
        self.ticket = None
        self.pushed, self.pushes, self.away_until, self.confirmed_at = False, 0, 0, 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Api)
        self._server.dongle = self
        self.host = "127.0.0.1:%d" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(push, "LOOK_S", 0.1)
    monkeypatch.setattr(rollout, "ASK_S", 0.1)


def stage(folder, dongles, *more, token="secret"):
    (folder / "token").write_text(token + "\n")
    words = ["stage", "--bundle", bundle(folder / "x.wpb"), "--token-file", folder / "token", *more]
    for dongle in dongles:
        words += ["--host", dongle.host]
    return tool.main(list(map(str, words)))


def test_bundles_are_pushed_in_stages_and_each_outcome_has_its_name(tmp_path, quick, capsys):
    dongles = [WebDongle("w%d" % at, fault) for at, fault in enumerate(
        ("", "", "rolls_back", "refuses", "vanishes", "private", "breaks", ""))]
    how = "--first", 2, "--batch", 3, "--max-failures", 4, "--wait", "4s", "--state", tmp_path / "state.json"
    assert stage(tmp_path, dongles, *how) == 3
    said = capsys.readouterr().out
    assert "4 updated, 1 refused, 1 rolled back, 1 safe mode, 1 silent" in said
    assert "w2: rolled back, meter" in said and "w3: refused, signature: The signature of the bundle" in said
    assert "w6: safe mode, tools.bundle push gives it a bundle" in said
    assert "w4: silent, " in said and all(dongle.pushes == 1 for dongle in dongles)
    dongles[4].close()
    assert stage(tmp_path, [one for one in dongles if one.fault in ("", "breaks")], "--dry-run") == 0
    said = capsys.readouterr().out
    assert "3 left out, already" in said and "1 left out, safe_mode" in said
    assert tool.main(["list", "--host", dongles[6].host]) == 0
    assert dongles[6].host + "  ?        safe mode" in capsys.readouterr().out
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


def test_a_dongle_that_takes_an_update_is_listed_with_how_far_it_is_and_left_out_of_a_stage(tmp_path, meter):
    data = whole()
    with shelf(data, stalls=[len(data) // 2]) as server, Owner(tmp_path, meter) as owner:
        assert owner.post("/api/update/install", {"url": server.url})[0] == 200
        owner.until(state="receiving")
        eventually(lambda: owner.status()["done"] > len(data) // 3, "a part of it")
        dongle = web.look(("127.0.0.1", owner.port))
        assert dongle.name == owner.firmware.identity and dongle.get("in_progress") is True
        assert 30 < dongle.get("update_percentage") < 60 and dongle.get("chip") == "x86"
        dongle.heard = 1
        line = table([dongle])[1].split()
        assert "updating" in line and line[-1] == "%"
        (tmp_path / "one.wpb").write_bytes(data)
        assert plan.plan([dongle], bundles.of_files([tmp_path / "one.wpb"], None)) == ([], {dongle.name: "updating"})
