# SPDX-License-Identifier: MIT
"""Dongles found through a broker: what they publish under their base topics, kept in a table by name."""

import asyncio
import re
import sys
import time
from collections import Counter

from tools.fleet import mqtt
from tools.fleet.dongle import Dongle, Odd, clean, health_report, update_report

_BASE = "wattport/"
_NAME = re.compile(r"[A-Za-z0-9_/-]{1,128}\Z")
_DONGLES = 200000  # more than anybody's broker should tell of; the rest is counted
_BACKOFF_S = 0.3, 30
_SETTLED_S = 0.6


class Finder:
    """`dongles`: by name, which is the device id, or the whole base topic where that is another.

    on_report(name, report, live) for each message that could be read, on_state(name, online, live), on_odd(name,
    kind). live: the broker had not kept it from before.
    """

    def __init__(self, clock=time.time, bases=("wattport/+",)):
        self.dongles = {}
        self.odd = Counter()  # what belongs to no dongle
        self.messages = 0
        self.on_report = self.on_state = self.on_odd = lambda *_: None
        self._clock = clock
        self._bases = [base.strip("/") for base in bases]

    def topics(self):
        return ["%s/%s" % (base, kind) for base in self._bases for kind in ("state", "health", "update")]

    @staticmethod
    def topic(name, kind):
        return "%s/%s" % (name if "/" in name else _BASE + name, kind)

    def message(self, topic, payload, retained, size):
        """What a broker sends, whatever it is."""
        self.messages += 1
        base, _, kind = topic.rpartition("/")
        name = base.removeprefix(_BASE)
        if not _NAME.match(name):
            self.odd["topic"] += 1
            return
        dongle = self.dongles.get(name)
        if dongle is None:
            if not size:  # a kept message is being cleared
                return
            if len(self.dongles) >= _DONGLES:
                self.odd["too_many"] += 1
                return
            dongle = self.dongles[name] = Dongle(name)
        try:
            self._take(dongle, kind, payload, retained, size)
        except Odd as odd:
            dongle.strange(odd)
            self.on_odd(name, odd.kind)

    def _take(self, dongle, kind, payload, retained, size):
        if kind == "state":
            if payload not in (b"online", b"offline"):
                if size:
                    raise Odd("wrong_type", "state is %s" % clean(ascii(bytes(payload[:24]))[1:]))
                dongle.online = None
            else:
                dongle.online = payload == b"online"
                self.on_state(dongle.name, dongle.online, not retained)
        elif size:
            report = (health_report if kind == "health" else update_report)(payload, size)
            dongle.take(report, self._clock(), not retained)
            self.on_report(dongle.name, report, not retained)


class Broker:
    """A connection to a broker that comes back by itself."""

    def __init__(self, finder, say=None, **how):
        self._finder, self._how = finder, how
        self._say = say or (lambda text: print(text, file=sys.stderr))
        self._client = None
        self._ready = asyncio.Event()
        self._task = None
        self.connects = 0

    async def open(self):
        """The first time: what is wrong is raised."""
        await self._connect()
        self._task = asyncio.ensure_future(self._keep())

    async def _connect(self):
        client = mqtt.Client(on_message=self._finder.message, **self._how)
        await client.open()
        running = asyncio.ensure_future(client.run())
        try:
            await client.subscribe(self._finder.topics())
        except BaseException:
            running.cancel()
            raise
        self._client, self._running = client, running
        self.connects += 1
        self._ready.set()

    async def _keep(self):
        wait_s, most_s = _BACKOFF_S
        while True:
            try:
                if self._client is None:
                    await self._connect()
                    self._say("broker: connected again")
                wait_s = _BACKOFF_S[0]
                await self._running
            except (mqtt.MqttError, OSError) as error:
                if self._client:
                    self._say("broker: %s; trying again" % error)
            self._client = None
            self._ready.clear()
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, most_s)

    async def publish(self, topic, payload):
        """Until a broker has it, however often it takes."""
        while True:
            await self._ready.wait()
            try:
                return await self._client.publish(topic, payload, 1)
            except (mqtt.MqttError, OSError, AttributeError):
                await asyncio.sleep(0.2)

    async def close(self):
        if self._client:
            self._client.close()
        if self._task:
            self._task.cancel()
            self._running.cancel()
            await asyncio.gather(self._task, self._running, return_exceptions=True)


async def listen(finder, seconds, enough, stop):
    """Until every dongle that is online has told enough, or the Event `stop`, but no longer than that. A broker hands
    out what it has kept in one go: when no new ones come for a moment, they are known."""
    end = time.monotonic() + seconds
    known, since = -1, 0
    while time.monotonic() < end and not stop.is_set():
        if len(finder.dongles) != known:
            known, since = len(finder.dongles), time.monotonic()
        if known and time.monotonic() - since > _SETTLED_S and all(
                enough(dongle) for dongle in finder.dongles.values() if dongle.online):
            return
        await asyncio.sleep(0.1)
