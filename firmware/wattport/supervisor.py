# SPDX-License-Identifier: MIT
"""Tasks that stay alive: what fails is logged, waits a little longer each time, and starts again."""

import asyncio
import gc
import time

from micropython import const

_FIRST_MS = const(1000)
_LONGEST_MS = const(60000)
_HEALTHY_MS = const(300000)  # a task that ran this long starts over with the shortest wait


class Supervisor:
    """`add` tasks, then `run`. `status`: {name: {"restarts": n, "error": text}}."""

    def __init__(self, log):
        self._log = log
        self._starters = []
        self.status = {}

    def add(self, name, start):
        """`start` is a function that gives a coroutine."""
        self._starters.append((name, start))
        self.status[name] = {"restarts": 0, "error": ""}

    async def run(self):
        await asyncio.gather(*[self._keep(name, start) for name, start in self._starters])

    async def _keep(self, name, start):
        status = self.status[name]
        wait_ms = _FIRST_MS
        while True:
            began = time.ticks_ms()
            try:
                await start()
                return  # a task that comes to its end has nothing left to do
            except MemoryError:
                gc.collect()
                status["error"] = "out of memory"
            except Exception as error:
                status["error"] = "%s: %s" % (type(error).__name__, error)
            if time.ticks_diff(time.ticks_ms(), began) > _HEALTHY_MS:
                wait_ms = _FIRST_MS
            status["restarts"] += 1
            self._log("error", "task %s failed, again in %d s: %s" % (name, wait_ms // 1000, status["error"]))
            await asyncio.sleep_ms(wait_ms)
            wait_ms = min(wait_ms * 2, _LONGEST_MS)
