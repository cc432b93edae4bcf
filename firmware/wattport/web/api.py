# SPDX-License-Identifier: MIT
"""What can be asked for: the page, the newest reading, the health, readings as they come, and all of it for Prometheus.

Read-only: there is no log-in, nothing can be set, and neither settings nor secrets ever leave.
"""

import json

from micropython import const

from wattport.modules import forget
from wattport.web.server import Server

_LISTENERS = const(2)  # of /api/events: each holds one of the few connections for as long as it likes


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
        return self._newest or ({"error": "no reading yet"}, 404)

    def _health(self, request):
        return self._report()

    def _events(self, request):
        if len(self._listeners) >= _LISTENERS:
            return {"error": "too many listeners"}, 503
        return self._tell, 200, "Content-Type: text/event-stream\r\n"

    async def _tell(self, client):
        """Each reading as it comes. Nobody waits for a slow client and nothing queues for it: it gets the newest one
        when it can take one, and is dropped when it takes too long."""
        told = None
        self._listeners.append(client)
        try:
            await client.awrite(b"retry: 3000\n\n")
            while True:
                if self._newest is told:
                    await client.rest()
                reading = self._newest
                await client.awrite(
                    b":\n\n" if reading is told else ("data: %s\n\n" % json.dumps(reading)).encode())
                told = reading
        finally:
            self._listeners.remove(client)

    def _metrics(self, request):
        from wattport.web import metrics
        forget("wattport.web.metrics")
        return (metrics.pieces(self._newest or {}, self._report()), 200,
                "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n")


def _page(request):
    from wattport.web import page  # asked for now and then: its code need not stay
    try:
        return page.answer(request)
    finally:
        forget("wattport.web.page")
