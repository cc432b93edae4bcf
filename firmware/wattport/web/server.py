# SPDX-License-Identifier: MIT
"""HTTP/1.0 for the household's own network: microdot reads the requests, behind limits of our own.

It reads from a Client: our stream, which knows the limits. What breaks one is answered or dropped, and counted; it
never takes more of the heap or of the few sockets than it is allowed. Finding the answer and sending it are ours, as
microdot's ways know no time-out: the rest of it stays off the device (`tools/prune.py`).

Read-only: nothing can be set here, so there is no log-in either, and neither settings nor secrets ever leave.
"""

import asyncio
import gc
import json
import select
import socket
import time

import microdot
from micropython import const

CLIENTS = 4  # at a time; the chip has ten sockets for everything
_REQUEST_MS = const(5000)  # from the connection to the last byte of the request
_ANSWER_MS = const(5000)  # for an answer, or for one piece of an endless one
_BEAT_MS = const(15000)  # an endless answer says something at least that often
_LINE = const(512)  # bytes of the request line
_HEADERS = const(24)
_HEAD = const(2048)  # bytes of all headers
_BODY = const(1024)
_PIECE = const(512)  # read at a time
_PIECES = const(8)
_OUT = const(1024)  # collected before it is sent: microdot writes each header on its own
_ACCEPT_MS = const(20)
_LOOK_EVERY = const(25)  # times that
_LEAVING = const(2)

_HEAD_OF_ALL = ("HTTP/1.0 %d %s\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n"
                "Referrer-Policy: no-referrer\r\n%s\r\n")
_DATA = "Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'\r\n"
_JSON = "Content-Type: application/json\r\nContent-Length: %d\r\n"
# for when there is no client to hold and nothing to parse
_BUSY = b'HTTP/1.0 503 Busy\r\nContent-Type: application/json\r\n\r\n{"error": "too many clients"}'
_LATE = b'HTTP/1.0 408 Late\r\nContent-Type: application/json\r\n\r\n{"error": "too slow"}'


def _after(ms):
    return time.ticks_add(time.ticks_ms(), ms)


class Client:
    """A connection, as microdot wants a stream. Past the tick `expires` it is cut off; None: it waits for `wake`."""

    def __init__(self, sock):
        self.sock = sock
        self.task = None
        self.expires = _after(_REQUEST_MS)
        self.heard = False  # it has said anything at all
        self.answers = False  # its request is read
        self.late = False  # and was cut off
        self.endless = False
        self.wake = asyncio.Event()
        self.beat = 0  # when an endless answer is to say something next
        self._stream = asyncio.StreamReader(sock)
        self._in = b""
        self._at = 0
        self._lines = 0
        self._room = _LINE
        self._out = bytearray()

    # ---- in

    async def _more(self):
        more = await self._stream.read(_PIECE)
        if not more:
            raise EOFError
        self.heard = True
        self._in = self._in[self._at:] + more
        self._at = 0

    async def readline(self):
        """The next line of the request's head, all of it."""
        while True:
            end = self._in.find(b"\n", self._at) + 1
            size = (end or len(self._in)) - self._at
            if size > self._room:
                raise microdot.HTTPException(431 if self._lines else 414, "too long")
            if end:
                break
            await self._more()
        line = self._in[self._at:end]
        self._at = end
        if self._lines > _HEADERS and line.strip():
            raise microdot.HTTPException(431, "too many headers")
        self._room = self._room - size if self._lines else _HEAD
        self._lines += 1
        return line

    async def readexactly(self, size):
        """The body; microdot looks at its size before."""
        if size < 0:
            raise ValueError
        while len(self._in) - self._at < size:
            await self._more()
        return self._in[self._at:self._at + size]

    # ---- out

    def answer(self):
        """The request is here: from now on it is the answer that takes time."""
        self._in = b""
        self.answers = True
        self.expires = _after(_ANSWER_MS)

    async def awrite(self, data):
        if len(self._out) + len(data) > _OUT:
            await self.flush()
        if len(data) < _OUT:
            self._out.extend(data)
        else:
            await self._send(data)

    async def flush(self):
        if self._out:
            out, self._out = self._out, bytearray()
            await self._send(out)

    async def _send(self, data):
        self._stream.write(data)
        await self._stream.drain()

    async def rest(self):
        """Until somebody sets `wake`; what was written before goes out first."""
        await self.flush()
        self.endless = True
        self.beat = _after(_BEAT_MS)
        self.expires = None
        await self.wake.wait()
        self.wake.clear()
        self.expires = _after(_ANSWER_MS)


def _error(text, status):
    return {"error": text}, status


class Server:
    """`run()` for ever. `routes`: {path: function of a Request}, which gives a body or (body, status) or (body, status,
    text of more headers). A body is a dict (sent as JSON), something to iterate over, or an asynchronous function of
    the Client, which writes for as long as it likes.

    `status` counts answered requests, those refused (too many, too large, too slow) and errors (malformed, broken off
    by the client, failures of ours).
    """

    def __init__(self, port, routes, log):
        self._port = port
        self._log = log
        self._clients = []
        self._leaving = []  # told off; closed a little later, as the reset could overtake the answer
        self.status = {"requests": 0, "refused": 0, "errors": 0}
        self._routes = routes
        microdot.Request.max_content_length = microdot.Request.max_body_length = _BODY

    async def run(self):
        listener = socket.socket()
        poller = select.poll()
        looks = 0
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(socket.getaddrinfo("0.0.0.0", self._port)[0][-1])
            listener.listen(CLIENTS)
            listener.setblocking(False)
            poller.register(listener, select.POLLIN)
            self._log("info", "web: dashboard on port %d" % self._port)
            while True:
                # asyncio's own server ends for good, its port taken, when the heap is full once
                await asyncio.sleep_ms(_ACCEPT_MS)
                for _ in poller.ipoll(0):
                    self._accept(listener)
                looks += 1
                if looks >= _LOOK_EVERY:
                    looks = 0
                    self._look()
        finally:
            listener.close()
            clients, self._clients = self._clients, []
            for client in clients:
                client.task.cancel()
                client.sock.close()  # a task that has not begun yet does not get to it
            while self._leaving:
                self._leaving.pop().close()

    def _accept(self, listener):
        sock = None
        try:
            sock = listener.accept()[0]
            sock.setblocking(False)
            if len(self._clients) >= CLIENTS:
                self._refuse(sock, _BUSY)
                return
            client = Client(sock)
            client.task = asyncio.create_task(self._serve(client))
            self._clients.append(client)
        except (OSError, MemoryError) as error:
            self._failed(error)
            if sock:
                sock.close()

    def _look(self):
        """Twice a second: who is late, who has gone, who waits for a sign of life."""
        while self._leaving:
            self._leaving.pop().close()
        now = time.ticks_ms()
        for client in self._clients:
            if client.expires is not None:
                if time.ticks_diff(now, client.expires) > 0:
                    client.expires = _after(_ANSWER_MS)  # cancelled once
                    client.late = True
                    client.task.cancel()
            elif self._has_gone(client.sock):
                client.task.cancel()
            elif time.ticks_diff(now, client.beat) > 0:
                client.wake.set()

    def _has_gone(self, sock):
        """True at the end of what the client sends; what it still sent is thrown away."""
        try:
            for _ in range(_PIECES):  # and no more: it may send for ever
                more = sock.read(_PIECE)
                if not more:
                    return more is not None
        except OSError:
            return True
        return False

    def _refuse(self, sock, what):
        self.status["refused"] += 1
        try:
            sock.write(what)
        except OSError:
            pass
        self._leave(sock)

    def _leave(self, sock):
        if self._has_gone(sock):
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

    async def _serve(self, client):
        told_off = False
        try:
            told_off = await self._answer(client)
        except asyncio.CancelledError:
            if client.late and client.answers:
                self.status["refused"] += 1  # it never reads
        except Exception as error:
            # browsers connect in advance and say nothing, and whoever only listens may leave at any time
            if client.heard and not client.endless or not isinstance(error, (OSError, EOFError)):
                self._failed(error)
        if client in self._clients:
            self._clients.remove(client)
        if client.late and not client.answers:
            self._refuse(client.sock, _LATE)
        elif told_off:
            self._leave(client.sock)
        else:
            client.sock.close()

    async def _answer(self, client):
        """Read a request, answer it. True when the client may be sending still what nobody reads."""
        request = None
        try:
            request = await microdot.Request.create(None, client, client, None)
            if request is None:  # an empty line
                raise ValueError
        except microdot.HTTPException as error:
            self.status["refused"] += 1
            answer = _error(error.reason, error.status_code)
        except (OSError, EOFError, MemoryError):
            raise
        except Exception as error:
            self._failed(error)
            answer = _error("bad request", 400)
        else:
            answer = self._ask(request)
        client.answer()
        unread = request is None or request.content_length > _BODY
        only_head = request is not None and request.method == "HEAD"
        del request  # an endless answer does not need it
        await self._send(client, only_head, *answer if isinstance(answer, tuple) else (answer,))
        return unread

    def _ask(self, request):
        if request.content_length > _BODY:
            self.status["refused"] += 1
            return _error("too large", 413)
        self.status["requests"] += 1
        if request.method not in ("GET", "HEAD"):
            return {"error": "only GET and HEAD"}, 405, "Allow: GET, HEAD\r\n"
        function = self._routes.get(request.path)
        if not function:
            return _error("not found", 404)
        try:
            return function(request)
        except Exception as error:
            self._failed(error)
            return _error("failed", 500)

    async def _send(self, client, only_head, body, status=200, headers=""):
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            headers += _JSON % len(body)
            body = (body,)
        if "Cache-Control" not in headers:
            headers += _DATA
        await client.awrite((_HEAD_OF_ALL % (status, "OK" if status < 400 else "Refused", headers)).encode())
        if only_head:
            pass
        elif callable(body):
            await body(client)
        else:
            for piece in body:
                await client.awrite(piece)
        await client.flush()
