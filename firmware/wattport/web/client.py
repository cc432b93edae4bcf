# SPDX-License-Identifier: MIT
"""One connection to the web server, as microdot wants a stream, within limits that microdot does not know."""

import asyncio
import time

from micropython import const

from wattport.web.refused import Refused

_REQUEST_MS = const(5000)  # from the connection to the last byte of the request
_SILENT_MS = const(1000)  # so long may a client say nothing while others wait: browsers connect in advance
_HANDLE_MS = const(40000)  # to find the answer
_ANSWER_MS = const(5000)  # for each piece of an answer
_WHOLE_MS = const(20000)  # for all of it, but for an endless one
_BEAT_MS = const(15000)  # an endless answer says something at least that often
_LINE = const(512)  # bytes of the request line
_HEADERS = const(24)
_HEAD = const(2048)  # bytes of all headers
_OUT = const(512)  # collected before it is sent: head and body of a small answer go together
_PIECE = const(512)  # read at a time


def after(ms):
    return time.ticks_add(time.ticks_ms(), ms)


def is_past(tick):
    return time.ticks_diff(time.ticks_ms(), tick) > 0


class Client:
    """Past the tick `expires` it is cut off; None: it waits for `wake`."""

    def __init__(self, sock):
        self.sock = sock
        self.task = None
        self.expires = after(_REQUEST_MS)
        self.ends = None  # when the last piece of an answer must be out
        self.heard = False  # it has said anything at all
        self.answers = False  # its request is read
        self.late = False  # and was cut off
        self.wake = None  # an Event, of an endless answer
        self.beat = 0  # when that is to say something next
        self._stream = asyncio.StreamReader(sock)
        self._in = b""
        self._at = 0
        self._lines = 0
        self._room = _LINE
        self.what = None
        self._out = bytearray()

    # ---- in

    async def readline(self):
        """The next line of the request's head, all of it."""
        while True:
            end = self._in.find(b"\n", self._at) + 1
            size = (end or len(self._in)) - self._at
            if size > self._room:
                raise Refused(431 if self._lines else 414, "too_large", "The request is too long.")
            if end:
                break
            more = await self._stream.read(_PIECE)
            if not more:
                raise EOFError
            self.heard = True
            self._in = self._in[self._at:] + more
            self._at = 0
        line = self._in[self._at:end]
        self._at = end
        if self._lines > _HEADERS and line.strip():
            raise Refused(431, "too_large", "The request has too many headers.")
        self._room = self._room - size if self._lines else _HEAD
        self._lines += 1
        return line

    async def readexactly(self, size):
        """The body. Some of it has come with the head."""
        if size < 0:  # microdot asks for that
            raise ValueError
        body = bytearray(size)
        at = min(size, len(self._in) - self._at)
        body[:at] = self._in[self._at:self._at + at]
        self._in = b""  # whoever takes the body apart needs the heap
        rest = memoryview(body)
        while at < size:
            more = await self._stream.readinto(rest[at:])
            if not more:
                raise EOFError
            at += more
        return body

    # ---- out

    def handle(self):
        """The request is here: from now on it is the answer that takes time."""
        self._in = b""
        self.answers = True
        self.expires = after(_HANDLE_MS)

    def send(self):
        """The answer is found: only the client can be slow now."""
        self.expires = after(_ANSWER_MS)
        self.ends = after(_WHOLE_MS)

    async def awrite(self, data):
        if isinstance(data, str):
            data = data.encode()
        if len(self._out) + len(data) > _OUT:
            await self.flush()
        if len(data) < _OUT:
            self._out.extend(data)
        else:
            await self._write(data)

    async def flush(self):
        if self._out:
            out, self._out = self._out, bytearray()
            await self._write(out)

    async def _write(self, data):
        self._stream.write(data)
        await self._stream.drain()
        if self.ends is None or not is_past(self.ends):
            self.expires = after(_ANSWER_MS)

    def cut(self):
        """Told once that it is over; what its task still says must not take for ever either."""
        self.late = True
        self.expires = after(_ANSWER_MS)
        self.task.cancel()

    def is_silent(self):
        """It has said nothing for a second."""
        return not self.heard and is_past(time.ticks_add(self.expires, _SILENT_MS - _REQUEST_MS))

    async def rest(self):
        """Until somebody sets `wake`; what was written before goes out first."""
        await self.flush()
        self.beat = after(_BEAT_MS)
        self.expires = self.ends = None
        await self.wake.wait()
        self.wake.clear()
        self.expires = after(_ANSWER_MS)
