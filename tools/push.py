# SPDX-License-Identifier: MIT
"""A bundle brought to a dongle over its own network, as docs/update.md describes: the program that runs gives a ticket
and restarts into a small receiver, which takes the bundle; the new version is then tried out. In its safe mode a dongle
takes one at once, from anybody.
"""

import http.client
import json
import select
import socket
import time
from pathlib import Path

from tools.fleet import mdns
from wattport.update import bundle as device

RECEIVER_S = 90  # from the ticket until the receiver answers
TRIAL_S = 300  # most versions that are well say so in one or two minutes
LOOK_S = 1
_ANSWER_S = 30  # a password is stretched for some seconds
_LOOK_ANSWER_S = 5
_VERIFY_S = 180  # silence at an upload: the flash is written and read back
_TRIES = 3  # uploads, when the Wi-Fi breaks off
_PIECE = 4096
_UNSENT = 16384  # bytes that the system may hold back: a larger buffer would make the progress a lie
_MOST = 16384
_RECEIVING = ("ready", "receiving", "verifying", "restarting")
_LOGIN = ("login_needed", "wrong_password", "no_password", "wait", "ticket")


class PushError(Exception):
    """Why a dongle took no update: `kind` for programs, the text for people.

    What a BundleError says (wattport.update.bundle), from here or from the dongle; file, unreachable, login, busy,
    timeout (it does not come back), broken (the connection, again and again), unsupported, failed.
    """

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


def head(data, name):
    """The manifest of a bundle. Its signature is looked at by the dongle."""
    reader = device.Head(lambda *_: True, None)
    try:
        reader.feed(data)
    except device.BundleError as error:
        raise PushError(error.kind, "%s: %s" % (name, error))
    if not reader.manifest:
        raise PushError("truncated", "%s ends inside of its head." % name)
    return reader.manifest


def read(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise PushError("file", "%s: %s" % (path, error.strerror))


def place(host):
    """(address, port) of "name-or-address[:port]"; PushError."""
    name, _, port = host.rpartition(":") if host.count(":") == 1 else (host, "", "80")
    if not name or not port.isdecimal() or not 0 < int(port) < 65536:
        raise PushError("unreachable", "%r is no HOST or HOST:PORT." % host)
    found = mdns.resolve(name) if name.lower().endswith(".local") else []
    if len(found) > 1:
        raise PushError("unreachable", "Several dongles go by the name %s: name one by its address, %s." % (
            name, " or ".join(found)))
    return (found or [name])[0], int(port)


class _Connection(http.client.HTTPConnection):
    def connect(self):
        super().connect()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNSENT)


class _Broken(Exception):
    """The connection broke off during an upload."""


class Dongle:
    """host: see `place`. password: of its dashboard; or token: of a program. PushError."""

    def __init__(self, host, password=None, token=None):
        self._host, self._place = host, place(host)
        self.password, self._token = password, token
        self._cookie = None

    def status(self, timeout_s=_ANSWER_S):
        """What GET /api/update says."""
        return self._ask("/api/update", timeout_s=timeout_s)

    def push(self, data, manifest, downgrade=False, progress=None, wait_s=TRIAL_S, say=None):
        """See the function `push`."""
        say = say or (lambda text: None)
        status = self.status()
        if status.get("state") == "safe":
            self._upload_all(data, manifest, {}, "/api/update", progress)
        else:
            _fit(manifest, status, downgrade)
            self._receive(data, manifest, status, downgrade, progress, say)
        if not wait_s:
            return {"version": manifest["version"], "state": "restarting"}
        say("It is in the dongle, which starts it and tries it out.")
        return self._ended(manifest["version"], wait_s, manifest["kind"])

    # ---- the steps

    def _receive(self, data, manifest, status, downgrade, progress, say):
        if status.get("state") in _RECEIVING:
            raise PushError("busy", "The dongle is in the middle of an update that somebody else began. Without one it "
                            "is back after five minutes.")
        ticket = self._ask("/api/update/receive", {})["ticket"]
        authorization = {"Authorization": "Bearer " + ticket}
        taken = False
        try:
            say("The dongle restarts, to have room for the update.")
            found = self._await(lambda status: status.get("state") in ("ready", "safe"), RECEIVER_S)
            if not found:
                raise PushError("timeout", "The dongle restarted for the update and did not come back in %d s." % (
                    RECEIVER_S))
            self._upload_all(data, manifest, authorization if found["state"] == "ready" else {},
                             "/api/update" + ("?downgrade=1" if downgrade else ""), progress)
            taken = True
        finally:
            if not taken:  # so that it reads its meter again at once, and not only after five minutes
                self._cancel(authorization)

    def _cancel(self, headers):
        try:
            self._request("/api/update/cancel", {}, _LOOK_ANSWER_S, headers)
        except PushError:
            pass

    def _upload_all(self, data, manifest, headers, path, progress):
        for last in [False] * (_TRIES - 1) + [True]:
            try:
                return self._upload(data, headers, path, progress)
            except _Broken as broken:
                found = self._await(lambda status: status.get("state") in ("ready", "safe", "idle"), RECEIVER_S)
                if found and found["state"] == "idle" and (
                        found.get("trial") or found.get("version") == manifest["version"]):
                    return None  # the answer alone was lost
                if last or not found or found["state"] == "idle":
                    raise PushError("broken", "The connection to the dongle broke off: %s." % broken)

    def _upload(self, data, headers, path, progress):
        connection = _Connection(*self._place, timeout=_VERIFY_S)
        try:
            connection.putrequest("POST", path)
            for name, value in {**headers, "Content-Type": "application/octet-stream",
                                "Content-Length": str(len(data))}.items():
                connection.putheader(name, value)
            try:
                connection.endheaders()
                for at in range(0, len(data), _PIECE):
                    if select.select([connection.sock], [], [], 0)[0]:
                        break  # it has made up its mind already
                    connection.send(data[at:at + _PIECE])
                    if progress:
                        progress(min(at + _PIECE, len(data)), len(data))
            except ConnectionError:
                if not connection.sock:  # it never was one
                    raise
            answer = connection.getresponse()
            status, found = answer.status, _document(answer.read(_MOST))
        except (OSError, http.client.HTTPException) as error:
            raise _Broken(_words(error))
        finally:
            connection.close()
        return _checked(status, found)

    def _ended(self, version, wait_s, kind):
        ended = {"version": version, "state": "silent"}

        def decided(status):
            if status.get("state") == "safe":
                ended["state"] = "safe"
                return True
            if status.get("state") != "idle":
                return False
            if status.get("trial"):
                ended["state"] = "trial"
                return False
            runs = kind == "micropython" or status.get("version") == version
            why = status.get("why") or ""
            if runs and not (why and status.get("failed") == version):
                ended["state"] = "confirmed"
            else:
                ended.update(state="undone", why=why)
            return True
        try:
            self._await(decided, wait_s)
        except PushError as error:
            if error.kind != "unsupported":  # an old version, which has no way to tell
                raise
        return ended

    def _await(self, wanted, patience_s):
        """The first status that is wanted, or None."""
        deadline = time.monotonic() + patience_s
        strange = 0
        while True:
            try:
                found = self.status(_LOOK_ANSWER_S)
                if wanted(found):
                    return found
                strange = 0
            except PushError as error:
                strange += error.kind == "unsupported"  # a restart cuts an answer off, now and then
                if error.kind == "login" or strange > 2:
                    raise
            if time.monotonic() >= deadline:
                return None
            time.sleep(LOOK_S)

    # ---- questions

    def _ask(self, path, document=None, timeout_s=_ANSWER_S):
        """A GET, or a POST when there is a document; the one that comes back. Logs in when that is asked for."""
        status, found = self._request(path, document, timeout_s)
        if status == 401 and self.password and not self._token:
            self._log_in()
            status, found = self._request(path, document, timeout_s)
        return _checked(status, found)

    def _log_in(self):
        status, found = self._request("/api/login", {"password": self.password}, _ANSWER_S)
        _checked(status, found)

    def _request(self, path, document, timeout_s, headers=None):
        """(status, document)"""
        headers = dict(headers or {})
        if self._token:
            headers.setdefault("Authorization", "Bearer " + self._token)
        if self._cookie:
            headers["Cookie"] = self._cookie
        body = None
        if document is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(document)
        connection = http.client.HTTPConnection(*self._place, timeout=timeout_s)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers)
            answer = connection.getresponse()
            if answer.getheader("Set-Cookie"):
                self._cookie = answer.getheader("Set-Cookie").partition(";")[0]
            return answer.status, _document(answer.read(_MOST))
        except (OSError, http.client.HTTPException) as error:
            raise PushError("unreachable", "No dongle answers at %s: %s." % (self._host, _words(error)))
        finally:
            connection.close()


def _words(error):
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _document(data):
    """A JSON object, or None."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else None


def _checked(status, found):
    """What came with 200; all else is a PushError."""
    if status == 200 and found is not None:
        return found
    found = found or {}
    error, detail = found.get("error"), found.get("detail")
    if status == 404 or status == 200:
        raise PushError("unsupported", "What answers there takes no updates over the network.")
    text = detail if isinstance(detail, str) and detail else "The dongle refuses, with status %d." % status
    if error == "wait":
        text += " (%s s)" % found.get("wait_s")
    if status == 401 or error in _LOGIN:
        raise PushError("login", text)
    raise PushError(error if isinstance(error, str) and error else "failed", text)


def _fit(manifest, status, downgrade):
    """PushError for what the dongle would refuse after a restart in which it reads no meter."""
    if manifest["kind"] != "application":
        return
    chip, runs = status.get("chip"), status.get("version")
    if chip and manifest["chip"] != chip:
        raise PushError("chip", "The bundle is for %s, the dongle has %s." % (manifest["chip"], chip))
    try:
        older = device.version(manifest["version"]) < device.version(runs or "0.0")
    except ValueError:
        older = False
    if older and not downgrade:
        raise PushError("downgrade", "The bundle has version %s, older than %s, which runs there." % (
            manifest["version"], runs))


def push(host, path, password=None, token=None, downgrade=False, progress=None, wait_s=TRIAL_S, say=None):
    """Bring the bundle in a file to a dongle at "name-or-address[:port]". PushError when it was not taken.

    progress(done, total): bytes; say(text): what is waited for. How it ended, {"version", "state"}: confirmed;
    undone, with "why"; safe; and when wait_s seconds were not enough trial or silent. Without a wait:
    restarting.
    """
    data = read(path)
    return Dongle(host, password, token).push(data, head(data, path), downgrade, progress, wait_s, say)
