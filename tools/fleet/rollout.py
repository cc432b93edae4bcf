# SPDX-License-Identifier: MIT
"""A stage brought to dongles: through a broker, or by a push to each. What is decided stands in `stage`."""

import asyncio
import time

from tools.fleet import web
from tools.fleet.dongle import Odd
from tools.fleet.finder import Finder
from tools.fleet.web import SendError

ASK_S = 5  # between two looks at a dongle that was pushed to
_TICK_S = 0.2
_WRITE_S = 2
_TELL_S = 30  # between two words on what is waited for
_SOME = 8  # names in a line


def names(attempts):
    shown = " ".join(attempt.name for attempt in attempts[:_SOME])
    return shown + (" and %d more" % (len(attempts) - _SOME) if len(attempts) > _SOME else "")


def steady_clock():
    """The time of day, which does not jump while we look."""
    began = time.time() - time.monotonic()
    return lambda: began + time.monotonic()


class ByMqtt:
    """Sends the address of a bundle, hears what the finder hears."""

    resends = True

    def __init__(self, broker, finder, url):
        self._broker, self._finder, self._url = broker, finder, url

    def begin(self, rollout):
        finder = self._finder
        finder.on_report = lambda name, report, live: (rollout.heard if live else rollout.stage.kept)(name, report)
        finder.on_state = lambda name, online, live: rollout.stage.state(name, online)
        finder.on_odd = rollout.stage.odd

    async def send(self, attempt, place):
        await self._broker.publish(Finder.topic(attempt.name, "update/set"), self._url(place).encode())

    async def follow(self, rollout):
        await asyncio.Event().wait()


class ByWeb:
    """Pushes the bundle, then asks again and again."""

    resends = False

    def __init__(self, hosts, password=None, token=None):
        self._hosts, self._password, self._token = hosts, password, token
        self._turn = asyncio.Semaphore(8)  # pushes side by side

    def begin(self, rollout):
        rollout.stage.renew([attempt for attempt in rollout.stage.flying() if not attempt.begun])  # a push was cut off

    async def send(self, attempt, place):
        host = self._hosts.get(attempt.name)
        if host is None:
            raise SendError("unreachable", "not found at any of the hosts")
        async with self._turn:
            await asyncio.to_thread(web.push, host, place, self._password, self._token)
        attempt.begun = True

    async def follow(self, rollout):
        while True:
            await asyncio.sleep(ASK_S)
            flying = [attempt for attempt in rollout.stage.flying() if attempt.begun]
            await asyncio.gather(*[self._ask(rollout, attempt) for attempt in flying])

    async def _ask(self, rollout, attempt):
        try:
            found = await asyncio.to_thread(web.report, self._hosts[attempt.name], self._token)
        except Odd as odd:
            rollout.stage.odd(attempt.name, odd.kind)
            return
        except OSError:
            found = None
        rollout.stage.state(attempt.name, bool(found))
        if found and found[1].get("safe"):
            rollout.lost(attempt.name)
        elif found and found[0] == attempt.name:  # else another one has its address now
            rollout.heard(attempt.name, found[1])


class Rollout:
    def __init__(self, stage, bundles, way, journal, clock=None, say=print):
        self.stage = stage
        self._bundles, self._way, self._journal = bundles, way, journal
        self._clock = clock or steady_clock()
        self._say = say
        self._dirty = True
        self._written = self._told = 0
        self._pause_s = _WRITE_S
        self._sending = set()
        if not way.resends:
            stage.resend_s = float("inf")

    def heard(self, name, report):
        attempt = self.stage.heard(name, report, self._clock())
        if attempt:
            self._settled(attempt)

    def lost(self, name):
        """It is in its safe mode."""
        self._settled(self.stage.failed(name, "safe_mode", "tools.bundle push gives it a bundle", self._clock()))

    def _settled(self, attempt):
        self._dirty = True
        took = "" if attempt.sent is None else " after %d s" % (attempt.ended - attempt.sent)
        self._say("%s: %s%s%s" % (attempt.name, attempt.outcome.replace("_", " "), took,
                                  ", " + attempt.detail if attempt.detail else ""))

    async def run(self, stop):
        """Until it is finished, or the Event `stop` is set."""
        self._way.begin(self)
        following = asyncio.ensure_future(self._way.follow(self))
        try:
            while not stop.is_set() and not self.stage.finished(self._clock()):
                self._step()
                try:
                    await asyncio.wait_for(stop.wait(), _TICK_S)
                except TimeoutError:
                    pass
                if following.done():
                    following.result()
        finally:
            following.cancel()
            for sending in list(self._sending):
                sending.cancel()
            await asyncio.gather(following, *self._sending, return_exceptions=True)
            self._journal.write(self.stage, self._bundles)

    def _step(self):
        now, stage, number, stopped = self._clock(), self.stage, self.stage.number, self.stage.stopped
        over, sends = stage.tick(now)
        for attempt in over:
            self._settled(attempt)
        if stage.stopped and not stopped:
            self._say("stopped: %s; %d are left as they are" % (stage.stopped, len(stage.pending())))
        if stage.number != number:
            fresh = [attempt for attempt in sends if attempt.sends == 1]
            self._say("%s: %d of %d: %s" % ("canaries" if stage.number == 1 else "batch %d" % (stage.number - 1),
                                            len(fresh), len(stage.attempts), names(fresh)))
        if sends or self._dirty and now - self._written > self._pause_s:
            self._journal.write(stage, self._bundles)  # before anything is sent: it is never sent twice
            self._dirty, self._written = False, self._clock()
            self._pause_s = max(_WRITE_S, 20 * (self._written - now))  # a hundred thousand take a second
        for attempt in sends:
            sending = asyncio.ensure_future(self._send(attempt))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
        if sends or not self._told:
            self._told = now
        elif now - self._told > _TELL_S:
            self._told = now
            flying = stage.flying()
            if flying:
                self._say("waiting for %d: %s" % (len(flying), names(flying)))
            elif stage.pending():
                self._say("waiting for %d that are offline: %s" % (len(stage.pending()), names(stage.pending())))

    async def _send(self, attempt):
        try:
            await self._way.send(attempt, self._bundles.places[attempt.before["chip"]])
        except SendError as error:
            self._settled(self.stage.failed(attempt.name, error.outcome, str(error), self._clock()))
