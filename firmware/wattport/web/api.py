# SPDX-License-Identifier: MIT
"""What can be asked for: the page, the newest reading, the health, readings as they come, and all of it for Prometheus.

Read-only: there is no log-in, nothing can be set, and neither settings nor secrets ever leave.
"""

import json

from micropython import const

from wattport.modules import forget
from wattport.web.server import Server

_LISTENERS = const(2)  # of /api/events: each holds one of the few connections for as long as it likes
_HELLO = b"retry: 3000\n\n"
_BEAT = b":\n\n"
_NO_READING = {"error": "no reading yet"}, 404


class Web:
    """`report` gives the health. `reading` takes what comes from the meter; `run` serves for ever."""

    def __init__(self, port, report, log):
        self._report = report
        self._newest = None
        self._listeners = []
        server = Server(port, {
            "/": _page, "/api/reading": self._reading, "/api/health": self._health, "/api/events": self._events,
            "/metrics": self._metrics}, log)
        self.status = server.status
        self.run = server.run

    def reading(self, reading):
        """The newest Reading; must not be changed afterwards. Made into JSON by who asks, not by the meter's task."""
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
        return _Events(request.sock[0], self._listeners, self._now), 200, {"Content-Type": "text/event-stream"}

    def _now(self):
        return self._newest

    def _metrics(self, request):
        from wattport.web import metrics
        forget("wattport.web.metrics")
        return (metrics.lines(self._newest or {}, self._report()), 200,
                {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _page(request):
    from wattport.web import page  # asked for now and then: its code need not stay
    try:
        return page.answer(request)
    finally:
        forget("wattport.web.page")


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
