# SPDX-License-Identifier: MIT
"""HTTP/1.0 for the household's own network: microdot reads the requests, behind limits of our own.

It reads from a Client: our stream, which knows the limits. What breaks one is answered or dropped, and counted; it
never takes more of the heap or of the few sockets than it is allowed. Finding the answer and sending it are ours, as
microdot's ways know no time-out: the rest of it stays off the device (`tools/prune.py`).

Who may ask for what is not looked at here: see `gate`.
"""

import asyncio
import gc
import json

import microdot
from micropython import const

from wattport.modules import fetch
from wattport.web.client import Client, is_past
from wattport.web.refused import Refused

_CLIENTS = const(4)  # at a time; the chip has ten sockets for everything
_PIECE = const(64)  # of what nobody reads, at a time
_PIECES = const(64)
_ACCEPT_MS = const(20)
_LOOK_EVERY = const(25)  # times that
_LEAVING = const(2)
_IDLE_LOOKS = const(120)  # half a second each, without anybody

_HEAD_OF_ALL = (b"\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
                b"X-Frame-Options: DENY\r\nCross-Origin-Resource-Policy: same-origin\r\n")
_CACHE = "Cache-Control: "
_POLICY = "Content-Security-Policy: "
_JSON = "Content-Type: application/json\r\nContent-Length: %d\r\n"
_FULL = "The dongle's memory is full at the moment."
# for when there is no task left that could say it
_LATE = (b'HTTP/1.0 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n'
         b'{"error": "too_slow", "detail": "The request took too long."}')


class Server:
    """`run` until nobody has come for a minute, or the heap is wanted for something else. `web` finds the answers:
    `check(request)` gives what to ask it for, and how many bytes of body to read before that; `answer(request, what)`,
    to be awaited, gives a body or (body, status) or (body, status, text of more headers). A body is a dict (sent as
    JSON), bytes, something to iterate over, or an asynchronous function of the Client, which writes for as long as it
    likes. Both may raise Refused. `done(what)` follows.

    `status` counts requests that could be read, those refused (too many, too large, too slow, not allowed) and errors
    (malformed, broken off by the client, failures of ours).
    """

    def __init__(self, web, kept, log):
        self._web = web
        self._kept = kept
        self._log = log
        self._clients = []
        self._waste = bytearray(_PIECE)
        self._leaving = []  # told off; closed a little later, as the reset could overtake the answer
        self.status = kept.status
        microdot.Request.max_content_length = microdot.Request.max_body_length = 0  # we read it, once we know for whom

    async def run(self, listener, poller):
        """listener: a socket that listens; poller: of that."""
        looks = idle = 0
        try:
            while idle < _IDLE_LOOKS and not (self._kept.gives_way() and self._all_rest()):
                # asyncio's own server ends for good, its port taken, when the heap is full once
                await asyncio.sleep_ms(_ACCEPT_MS)
                for _ in range(0 if self._kept.gives_way() else _CLIENTS):
                    for _ in poller.ipoll(0):
                        self._accept(listener)
                looks += 1
                if looks >= _LOOK_EVERY:
                    looks = 0
                    idle = 0 if self._clients else idle + 1
                    self._look()
        finally:
            clients, self._clients = self._clients, []
            for client in clients:
                client.task.cancel()
                client.sock.close()  # a task that has not begun yet does not get to it
            while self._leaving:
                self._leaving.pop().close()

    def _all_rest(self):
        """Those who are left listen to events: they come again by themselves."""
        return all([client.wake and client.expires is None for client in self._clients])

    def _accept(self, listener):
        if len(self._clients) >= _CLIENTS:
            for client in self._clients:
                if client.is_silent():
                    client.task.cancel()
                    break
            return
        sock = None
        try:
            sock, address = listener.accept()
            sock.setblocking(False)
            client = Client(sock)
            client.task = asyncio.create_task(self._serve(client, address))
            self._clients.append(client)
        except (OSError, MemoryError) as error:
            self._failed(error)
            if sock:
                sock.close()

    def _look(self):
        """Twice a second: who is late, who has gone, who waits for a sign of life."""
        while self._leaving:
            self._leaving.pop().close()
        for client in self._clients:
            if client.expires is not None:
                if is_past(client.expires):
                    client.cut()
            elif self.has_gone(client.sock):
                client.task.cancel()
            elif is_past(client.beat):
                client.wake.set()

    def has_gone(self, sock):
        """True at the end of what the client sends; what it still sent is thrown away. Takes nothing of the heap: where
        that is full, connections have to end all the more."""
        try:
            for _ in range(_PIECES):  # and no more: it may send for ever
                more = sock.readinto(self._waste)
                if not more:
                    return more is not None
        except OSError:
            return True
        return False

    def _leave(self, sock):
        if self.has_gone(sock):
            sock.close()
            return
        self._leaving.append(sock)
        if len(self._leaving) > _LEAVING:
            self._leaving.pop(0).close()

    def _failed(self, error):
        self.status["errors"] += 1
        if isinstance(error, MemoryError):
            gc.collect()

    # ---- one client

    async def _serve(self, client, address):
        told_off = False
        try:
            told_off = await self._answer(client, address)
        except asyncio.CancelledError:
            if client.late and client.answers:
                self.status["refused"] += 1  # it never reads
        except Exception as error:
            # browsers connect in advance and say nothing, and whoever only listens may leave at any time
            gone = isinstance(error, (OSError, EOFError))
            if client.heard and not client.wake or not gone:
                self._failed(error)
            if not gone:
                self._log.limited("web", "error", "web: an answer broke off: " + type(error).__name__)
        if client in self._clients:
            self._clients.remove(client)
        if client.what:
            self._web.done(client.what)
        if client.late and not client.answers:
            self.status["refused"] += 1
            try:
                client.sock.write(_LATE)
            except OSError:
                pass
            told_off = True
        if told_off:
            self._leave(client.sock)
        else:
            client.sock.close()

    async def _answer(self, client, address):
        """Read a request, answer it. True when the client may be sending still what nobody reads."""
        request, body, status, headers = await self._ask(client, address)
        unread = not client.answers and (request is None or request.content_length > 0)
        only_head = request is not None and request.method == "HEAD"
        del request  # what goes out may take its time, and memory that others need
        client.send()
        first = "200 OK"
        try:
            if status != 200:
                first, body, headers = fetch("wattport.web.reasons", "head")(status, body, headers)
            if isinstance(body, dict):
                body = json.dumps(body).encode()
                headers += _JSON % len(body)
        except MemoryError as error:
            self._failed(error)
            first, body = "503 Full", ('{"error": "busy", "detail": "%s"}' % _FULL).encode()
            headers = _JSON % len(body)
        await client.awrite("HTTP/1.0 " + first)
        await client.awrite(_HEAD_OF_ALL)
        if _CACHE not in headers:
            await client.awrite(_CACHE + "no-store\r\n")
        if _POLICY not in headers:
            await client.awrite(_POLICY + "default-src 'none'; frame-ancestors 'none'\r\n")
        headers = await client.awrite(headers + "\r\n")
        if only_head:
            pass
        elif callable(body):
            client.wake = asyncio.Event()
            await body(client)
        elif isinstance(body, bytes):
            await client.awrite(body)
        else:
            for piece in body:
                await client.awrite(piece)
        await client.flush()
        return unread

    async def _ask(self, client, address):
        """(request or None, body, status, headers)"""
        request = None
        try:
            try:
                request = await microdot.Request.create(None, client, client, address)
                request.document = {}  # no request: an empty line
            except (OSError, EOFError, MemoryError, Refused):
                raise
            except Exception:
                raise Refused(400, "bad_request", "This is no HTTP request.")
            self.status["requests"] += 1
            client.what, most = self._web.check(request)
            if request.content_length > most:
                raise Refused(413, "too_large", "The body is too long.")
            if request.content_length:
                gc.collect()  # it has to be in one piece
                body = await client.readexactly(request.content_length)
                try:
                    request.document = fetch("wattport.web.document", "parse")(body)
                except ValueError:
                    raise Refused(400, "bad_request", "The body is no JSON object.")
                del body
            client.handle()
            answer = await self._web.answer(request, client.what)
            if not isinstance(answer, tuple):
                answer = answer, 200
            return request, answer[0], answer[1], answer[2] if len(answer) > 2 else ""
        except Refused as error:
            refused = error
            if refused.status not in (302, 404):
                self.status["errors" if refused.status == 400 else "refused"] += 1
        except MemoryError as error:
            self._failed(error)
            refused = Refused(503, "busy", _FULL)
        except Exception as error:
            if not client.answers and isinstance(error, (OSError, EOFError)):
                raise
            self._failed(error)
            self._log.limited("web", "error", "web: %s %s: %s" % (  # what the error says could be a secret
                request and request.method, request and request.path, type(error).__name__))
            refused = Refused(500, "failed", "The dongle could not do that.")
        return request, refused.answer, refused.status, ""
