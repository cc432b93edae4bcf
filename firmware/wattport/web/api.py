# SPDX-License-Identifier: MIT
"""What can be asked for: the page, the newest reading, the health, readings as they come, and all of it for Prometheus.

Read-only: there is no log-in, nothing can be set, and neither settings nor secrets ever leave.
"""

import json
from binascii import hexlify

from micropython import const

from wattport.web.server import Server

_LISTENERS = const(2)  # of /api/events: each holds one of the few connections for as long as it likes
_HELLO = b"retry: 3000\n\n"
_BEAT = b":\n\n"
_PAGE = __file__.rpartition("/")[0] + "/index.html"
_NO_READING = {"error": "no reading yet"}, 404


class Web:
    """`report` gives the health. `reading` takes what comes from the meter; `run` serves for ever."""

    def __init__(self, port, report, log):
        self._report = report
        self._newest = None
        self._listeners = []
        self._server = Server(port, log)
        self.status = self._server.status
        self.run = self._server.run
        get = self._server.app.get
        get("/")(self._page)
        get("/api/reading")(self._reading)
        get("/api/health")(self._health)
        get("/api/events")(self._events)
        get("/metrics")(self._metrics)

    def reading(self, reading):
        """The newest Reading; must not be changed afterwards."""
        self._newest = reading
        for client in self._listeners:
            client.wake.set()

    def _reading(self, request):
        return self._newest or _NO_READING

    def _health(self, request):
        return self._report()

    def _events(self, request):
        if len(self._listeners) >= _LISTENERS:
            return {"error": "too many listeners"}, 503
        return _Events(request.sock[0], self._listeners, self._now), {"Content-Type": "text/event-stream"}

    def _now(self):
        return self._newest

    def _metrics(self, request):
        from wattport.web import metrics  # not every household has a Prometheus
        return (metrics.lines(self._newest or {}, self._report()),
                {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    def _page(self, request):
        file = open(_PAGE + ".gz", "rb")
        try:
            size = file.seek(0, 2)
            file.seek(-8, 2)
            tag = '"%s"' % hexlify(file.read(8)).decode()  # gzip ends with a CRC-32 and the size
            file.seek(0)
            with open(_PAGE + ".csp") as policy:
                headers = {
                    "Content-Type": "text/html; charset=utf-8", "Content-Encoding": "gzip", "Content-Length": str(size),
                    "Cache-Control": "no-cache", "ETag": tag, "Content-Security-Policy": policy.read()}
        except OSError:
            file.close()
            raise
        if request.headers.get("If-None-Match") == tag:
            file.close()
            return "", 304, headers
        return file, headers


class _Events:
    """The endless answer of /api/events, as microdot iterates over it. Nobody waits for a slow client, and nothing
    queues for it: what it gets is the newest reading when it can take one."""

    def __init__(self, client, listeners, now):
        self._client = client
        self._listeners = listeners
        self._now = now
        self._told = None
        self._began = False

    def __aiter__(self):
        self._listeners.append(self._client)
        return self

    async def __anext__(self):
        if not self._began:
            self._began = True
            await self._client.awrite(_HELLO)
        if self._now() is self._told:
            await self._client.rest()
        reading = self._now()
        if reading is self._told:
            return _BEAT
        self._told = reading
        return ("data: %s\n\n" % json.dumps(reading)).encode()

    def close(self):
        if self._client in self._listeners:
            self._listeners.remove(self._client)
