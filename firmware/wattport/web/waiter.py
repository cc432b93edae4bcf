# SPDX-License-Identifier: MIT
"""Keeps the dashboard's port open. What answers, 15 KB of heap, is loaded for the first who comes, and forgotten when
nobody has come for a minute, most of the time, or when the history or discovery need the heap for some seconds: who
comes then waits."""

import asyncio
import gc
import select
import socket
import time

from micropython import const

from wattport.modules import forget, load

_LOOK_MS = const(50)
_WAITING = const(6)  # to be let in: browsers make six connections at once


class Waiter:
    """`web`: what answers, or None. `newest`: the newest Reading or None; `sessions`, `tries`: see `Web`; `status`: see
    `Server`. settings, report: see `Web`."""

    def __init__(self, app, settings, report):
        self._app, self._settings, self._report = app, settings, report
        self.web = self.newest = None
        self.sessions = []
        self.tries = 0, 0
        self.status = {"requests": 0, "refused": 0, "errors": 0}
        self._held = None  # ticks until which the heap is somebody else's

    def give_way(self, ms):
        """Somebody wants the heap, for so long at most. True as soon as nothing of ours is there any more."""
        self._held = time.ticks_add(time.ticks_ms(), ms)
        return self.web is None

    def gives_way(self):
        if self._held is not None and time.ticks_diff(self._held, time.ticks_ms()) <= 0:
            self._held = None
        return self._held is not None

    def reading(self, reading):
        self.newest = reading
        if self.web:
            self.web.reading(reading)

    async def run(self):
        """For ever."""
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(socket.getaddrinfo("0.0.0.0", self._settings["port"])[0][-1])
            listener.listen(_WAITING)
            listener.setblocking(False)
            poller = select.poll()
            poller.register(listener, select.POLLIN)
            self._app.log("info", "web: dashboard on port %d" % self._settings["port"])
            while True:
                if not self.gives_way() and poller.poll(0):
                    await self._serve(listener, poller)
                await asyncio.sleep_ms(_LOOK_MS)
        finally:
            listener.close()

    async def _serve(self, listener, poller):
        gc.collect()
        try:
            self.web = load("wattport.web.api", "Web")(self._app, self._settings, self._report, self)
            await self.web.run(listener, poller)
        finally:
            if self.web:
                self.tries = self.web.tries
                self.web = None
            forget("wattport.web.api")
